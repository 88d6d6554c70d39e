"""The engine: what backward() and grad() run, in which order, and what they leave behind."""

import threading

import numpy as np
import pytest
import torch
from compare import assert_same_outcome, both, leaf_of, programs

import minitorch
from minitorch.autograd import engine


# ---------------------------------------------------------------------- programs: each returns what must be equal
def retained_graph_runs_twice(ns):
    x = leaf_of(ns, 2, 3)
    y = (x * x).exp().sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    return first, x.grad


def freed_graph_raises(ns):
    y = (leaf_of(ns, 2) ** 2).sum()
    y.backward()
    y.backward()


def freed_positions_raise(ns):
    i, mask = ns.tensor([0, 1, 1]), ns.tensor([True, False, True])
    reads = [lambda x: x[i], lambda x: x[mask], lambda x: x[:, i], lambda x: x[i, 1:], lambda x: x.take(i)]
    reads += [lambda x: x.masked_select(x > 0), lambda x: x.index_put((i,), x.detach()), lambda x: x[1:]]
    outcomes = []
    for read in reads:
        y = read(leaf_of(ns, 3, 3)).sum()
        y.backward()
        try:
            y.backward()
        except RuntimeError as e:
            outcomes.append("second time" in str(e))
        else:
            outcomes.append(None)
    return outcomes


def freed_graph_without_saved_values_runs_again(ns):
    x = leaf_of(ns, 2)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


def create_graph_keeps_the_graph(ns):
    x = leaf_of(ns, 2)
    y = (x**3).sum()
    (g,) = ns.autograd.grad(y, x, create_graph=True)
    (h,) = ns.autograd.grad(g, x, create_graph=True)
    (i,) = ns.autograd.grad(h, x)
    y.backward()
    return g, h, i, x.grad, g.requires_grad, i.requires_grad


def backward_with_create_graph_makes_a_tracked_grad(ns):
    x = leaf_of(ns, 2, 5)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x**3).sum().backward(create_graph=True)
    tracked = x.grad.requires_grad
    (g,) = ns.autograd.grad(x.grad.sum(), x)
    x.grad = None
    return tracked, g


def unused_input(ns):
    x, y = leaf_of(ns, 1), leaf_of(ns, 2)
    ns.autograd.grad((x * 2).sum(), [x, y])


def allow_unused(ns):
    x, y = leaf_of(ns, 1), leaf_of(ns, 2)
    return ns.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)


def materialize(ns):
    x, y = leaf_of(ns, 1), leaf_of(ns, 2)
    return ns.autograd.grad((x * 2).sum(), [x, y], materialize_grads=True)


def materialize_but_not_allow(ns):
    x = leaf_of(ns, 1)
    ns.autograd.grad((x * 2).sum(), [x], materialize_grads=True, allow_unused=False)


def grad_of_a_nonleaf_and_of_the_output(ns):
    x = leaf_of(ns, 1, 2)
    y = x * 3
    z = (y * y).sum()
    return ns.autograd.grad(z, [y, x, z], retain_graph=True)


def grad_of_several_outputs(ns):
    x = leaf_of(ns, 1, 2)
    return ns.autograd.grad([(x * 2).sum(), x * x], [x], [None, ns.ones(2, dtype=ns.float64)])


def grad_does_not_accumulate(ns):
    x = leaf_of(ns, 1)
    ns.autograd.grad((x * x).sum(), x)
    return x.grad


def grad_of_no_leaf(ns):
    ns.autograd.grad(ns.ones(2).sum(), ns.ones(2))


def grad_to_no_leaf(ns):
    x = leaf_of(ns, 1)
    ns.autograd.grad((x * x).sum(), ns.ones(2))


def wrong_grad_outputs_shape(ns):
    x = leaf_of(ns, 1, 2)
    ns.autograd.grad(x * x, x, ns.ones(3, dtype=ns.float64))


def backward_of_a_vector(ns):
    (leaf_of(ns, 1, 2) * 2).backward()


def backward_of_a_constant(ns):
    ns.ones(()).backward()


def backward_with_a_gradient(ns):
    x = leaf_of(ns, 1, 2)
    (x * x).backward(ns.tensor([1.0, 10.0], dtype=ns.float64))
    return x.grad


def backward_with_a_wrong_gradient(ns):
    (leaf_of(ns, 1, 2) * 2).backward(ns.ones(3))


def backward_with_inputs(ns):
    x, y = leaf_of(ns, 1), leaf_of(ns, 2)
    z = x * y
    z.retain_grad()
    (z * z).sum().backward(inputs=[x])
    return x.grad, y.grad, z.grad


def backward_with_a_nonleaf_input(ns):
    x = leaf_of(ns, 1, 3)
    y = x * 2
    (y * y).sum().backward(inputs=[y])
    return x.grad, y.grad


def backward_with_no_inputs(ns):
    (leaf_of(ns, 1) * 2).sum().backward(inputs=[])


def backward_of_several_tensors(ns):
    x = leaf_of(ns, 1, 2)
    ns.autograd.backward([(x * x).sum(), x * 3], [None, ns.ones(2, dtype=ns.float64)])
    return x.grad


def backward_of_a_leaf(ns):
    x = ns.tensor(2.0, requires_grad=True)
    x.backward()
    x.backward()
    return x.grad


def gradients_accumulate_over_passes(ns):
    x = leaf_of(ns, 1, 2)
    for k in range(3):
        (x * k).sum().backward()
    return x.grad, x.grad._version


def diamond(ns):
    x = leaf_of(ns, 0.5, 1.5)
    a, b = x.exp(), x.sin()
    c = a * b + a / b
    (c * a + c * b).sum().backward()
    return x.grad


def wide_fan(ns):
    x = leaf_of(ns, 0.1)
    y = x * 1
    total = y * 0
    for k in range(50):
        total = total + y * k
    total.sum().backward()
    return x.grad


def seed_is_not_aliased(ns):
    p, q = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    g = ns.ones(2, dtype=ns.float64)
    (p + q).backward(g)
    p.grad.mul_(5)
    return p.grad, q.grad, g


def gradient_through_a_view_is_not_aliased(ns):
    p, q = ns.ones(2, 2, dtype=ns.float64, requires_grad=True), leaf_of(ns, 1, 2, 3, 4)
    (p.view(4) + q).backward(ns.ones(4, dtype=ns.float64))
    p.grad.mul_(3)
    return p.grad, q.grad


def same_leaf_twice(ns):
    x = leaf_of(ns, 1, 2)
    (x + x).backward(ns.ones(2, dtype=ns.float64))
    return x.grad


def grad_has_the_layout_of_the_leaf(ns):
    x = ns.arange(6, dtype=ns.float64).reshape(2, 3).t().requires_grad_()
    (x * 2).sum().backward()
    return x.grad.stride(), x.grad


def reentrant_backward(ns):
    x, w = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    y = x * 2

    def again(g):
        with ns.enable_grad():
            (w * w * g.detach()).sum().backward()
        return g

    y.register_hook(again)
    (y * y).sum().backward()
    return x.grad, w.grad


def reentrant_backward_through_the_same_leaf(ns):
    x = leaf_of(ns, 1, 2)
    y = x * 2

    def again(g):
        with ns.enable_grad():
            (x * x).sum().backward()

    y.register_hook(again)
    (y.sum() + (x * 3).sum()).backward()
    return x.grad


def next_functions(ns):
    x = leaf_of(ns, 1, 2)
    y = (x * 2 + ns.ones(2, dtype=ns.float64)).sum()
    names = []
    node = y.grad_fn
    while node is not None:
        names.append(node.name())
        children = node.next_functions
        names.append([None if n is None else (n.name(), i) for n, i in children])
        node = children[0][0] if children else None
    return names


def accumulate_node_is_the_leafs(ns):
    x = leaf_of(ns, 1)
    y = x * 2
    accumulate = y.grad_fn.next_functions[0][0]
    return accumulate.variable is x, accumulate.name().split("::")[-1]


def unbind_graph(ns):
    x = leaf_of(ns, 1, 2, 3)
    a, _, c = x.unbind()
    (a * c).backward()
    return x.grad, a.grad_fn.name(), c.output_nr


def max_with_dim(ns):
    x = leaf_of(ns, 3, 1, 2)
    v, i = x.max(0)
    v.backward()
    return x.grad, i.requires_grad


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_backward_in_many_threads_gives_each_its_gradients():
    shared = minitorch.ones(50, requires_grad=True)
    results = {}

    def work(k):
        x = minitorch.full((50,), float(k), requires_grad=True)
        for _ in range(20):
            (x * x * shared).sum().backward()
        results[k] = x.grad

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {k: g[0].item() for k, g in results.items()} == {k: 40.0 * k for k in range(1, 5)}
    assert shared.grad[0].item() == 20 * (1 + 4 + 9 + 16)


def test_nothing_is_left_running_after_an_error_in_a_node():
    x = minitorch.ones(2, requires_grad=True)
    y = x * 2
    z = (y.exp() * y + x).sum()
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        z.backward()
    assert engine._running == []
    seen, stack = set(), [z.grad_fn]
    while stack:
        node = stack.pop()
        assert node.grad is None
        for n, _ in node.next_functions:
            if n is not None and n not in seen:
                seen.add(n)
                stack.append(n)
    assert minitorch.is_grad_enabled()
    w = minitorch.ones(2, requires_grad=True)
    (w * w).sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_gradient_of_every_program_is_also_right_by_finite_differences():
    rng = np.random.default_rng(0)
    x0 = rng.uniform(0.5, 1.5, (3, 4))
    for f in (
        lambda m, x: (x.exp() * x.t().reshape(3, 4)).sum(),
        lambda m, x: (x @ x.t()).softmax(-1).select(0, 0).log().sum(),
        lambda m, x: (x.var(0) / x.mean(1, keepdim=True)).sum(),
    ):
        x = minitorch.tensor(x0.tolist(), dtype=minitorch.float64, requires_grad=True)
        f(minitorch, x).backward()
        direction = rng.normal(size=x0.shape)
        value = lambda h, f=f, d=direction: f(minitorch, minitorch.from_numpy(x0 + h * d)).item()  # noqa: E731
        assert abs((value(1e-6) - value(-1e-6)) / 2e-6 - (x.grad.numpy() * direction).sum()) < 1e-6


def test_torch_is_the_oracle_of_these_programs():
    assert torch.__version__.split("+")[0] == "2.13.0"
