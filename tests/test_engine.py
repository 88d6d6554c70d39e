"""The engine: what backward() runs, in which order, what it leaves behind, and what it frees."""

import contextlib
import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from compare import assert_same, assert_same_error, both

import minitorch
from minitorch.autograd import engine


def leaf(ns, *values):
    return ns.tensor([float(v) for v in values], dtype=ns.float64, requires_grad=True)


# ---------------------------------------------------------------------- programs: each returns what must be equal
def retained_graph_runs_twice(ns):
    x = leaf(ns, 2, 3)
    y = (x * x).exp().sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    return first, x.grad


def freed_graph_raises(ns):
    y = (leaf(ns, 2) ** 2).sum()
    y.backward()
    y.backward()


def freed_graph_without_saved_values_runs_again(ns):
    x = leaf(ns, 2)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


def create_graph_keeps_the_graph(ns):
    x = leaf(ns, 2)
    y = (x**3).sum()
    (g,) = ns.autograd.grad(y, x, create_graph=True)
    (h,) = ns.autograd.grad(g, x, create_graph=True)
    (i,) = ns.autograd.grad(h, x)
    y.backward()
    return g, h, i, x.grad, g.requires_grad, i.requires_grad


def backward_with_create_graph_makes_a_tracked_grad(ns):
    x = leaf(ns, 2, 5)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x**3).sum().backward(create_graph=True)
    tracked = x.grad.requires_grad
    (g,) = ns.autograd.grad(x.grad.sum(), x)
    x.grad = None
    return tracked, g


def unused_input(ns):
    x, y = leaf(ns, 1), leaf(ns, 2)
    ns.autograd.grad((x * 2).sum(), [x, y])


def allow_unused(ns):
    x, y = leaf(ns, 1), leaf(ns, 2)
    return ns.autograd.grad((x * 2).sum(), [x, y], allow_unused=True)


def materialize(ns):
    x, y = leaf(ns, 1), leaf(ns, 2)
    return ns.autograd.grad((x * 2).sum(), [x, y], materialize_grads=True)


def materialize_but_not_allow(ns):
    x = leaf(ns, 1)
    ns.autograd.grad((x * 2).sum(), [x], materialize_grads=True, allow_unused=False)


def grad_of_a_nonleaf_and_of_the_output(ns):
    x = leaf(ns, 1, 2)
    y = x * 3
    z = (y * y).sum()
    return ns.autograd.grad(z, [y, x, z], retain_graph=True)


def grad_of_several_outputs(ns):
    x = leaf(ns, 1, 2)
    return ns.autograd.grad([(x * 2).sum(), x * x], [x], [None, ns.ones(2, dtype=ns.float64)])


def grad_does_not_accumulate(ns):
    x = leaf(ns, 1)
    ns.autograd.grad((x * x).sum(), x)
    return x.grad


def grad_of_no_leaf(ns):
    ns.autograd.grad(ns.ones(2).sum(), ns.ones(2))


def grad_to_no_leaf(ns):
    x = leaf(ns, 1)
    ns.autograd.grad((x * x).sum(), ns.ones(2))


def wrong_grad_outputs_shape(ns):
    x = leaf(ns, 1, 2)
    ns.autograd.grad(x * x, x, ns.ones(3, dtype=ns.float64))


def backward_of_a_vector(ns):
    (leaf(ns, 1, 2) * 2).backward()


def backward_of_a_constant(ns):
    ns.ones(()).backward()


def backward_with_a_gradient(ns):
    x = leaf(ns, 1, 2)
    (x * x).backward(ns.tensor([1.0, 10.0], dtype=ns.float64))
    return x.grad


def backward_with_a_wrong_gradient(ns):
    (leaf(ns, 1, 2) * 2).backward(ns.ones(3))


def backward_with_inputs(ns):
    x, y = leaf(ns, 1), leaf(ns, 2)
    z = x * y
    z.retain_grad()
    (z * z).sum().backward(inputs=[x])
    return x.grad, y.grad, z.grad


def backward_with_a_nonleaf_input(ns):
    x = leaf(ns, 1, 3)
    y = x * 2
    (y * y).sum().backward(inputs=[y])
    return x.grad, y.grad


def backward_with_no_inputs(ns):
    (leaf(ns, 1) * 2).sum().backward(inputs=[])


def backward_of_several_tensors(ns):
    x = leaf(ns, 1, 2)
    ns.autograd.backward([(x * x).sum(), x * 3], [None, ns.ones(2, dtype=ns.float64)])
    return x.grad


def backward_of_a_leaf(ns):
    x = ns.tensor(2.0, requires_grad=True)
    x.backward()
    x.backward()
    return x.grad


def gradients_accumulate_over_passes(ns):
    x = leaf(ns, 1, 2)
    for k in range(3):
        (x * k).sum().backward()
    return x.grad, x.grad._version


def diamond(ns):
    x = leaf(ns, 0.5, 1.5)
    a, b = x.exp(), x.sin()
    c = a * b + a / b
    (c * a + c * b).sum().backward()
    return x.grad


def wide_fan(ns):
    x = leaf(ns, 0.1)
    y = x * 1
    total = y * 0
    for k in range(50):
        total = total + y * k
    total.sum().backward()
    return x.grad


def seed_is_not_aliased(ns):
    p, q = leaf(ns, 1, 2), leaf(ns, 3, 4)
    g = ns.ones(2, dtype=ns.float64)
    (p + q).backward(g)
    p.grad.mul_(5)
    return p.grad, q.grad, g


def gradient_through_a_view_is_not_aliased(ns):
    p, q = ns.ones(2, 2, dtype=ns.float64, requires_grad=True), leaf(ns, 1, 2, 3, 4)
    (p.view(4) + q).backward(ns.ones(4, dtype=ns.float64))
    p.grad.mul_(3)
    return p.grad, q.grad


def same_leaf_twice(ns):
    x = leaf(ns, 1, 2)
    (x + x).backward(ns.ones(2, dtype=ns.float64))
    return x.grad


def grad_has_the_layout_of_the_leaf(ns):
    x = ns.arange(6, dtype=ns.float64).reshape(2, 3).t().requires_grad_()
    (x * 2).sum().backward()
    return x.grad.stride(), x.grad


def hooks_run_in_order_and_replace(ns):
    x = leaf(ns, 1, 2)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    handle = y.register_hook(lambda g: seen.append(("never", g)))
    handle.remove()
    y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    return seen, x.grad


def hook_sees_the_sum(ns):
    x = leaf(ns, 1)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4 + y.exp() * 0).sum().backward()
    return seen


def hook_returns_a_wrong_shape(ns):
    y = leaf(ns, 1, 2) * 2
    y.register_hook(lambda g: g.sum())
    y.sum().backward()


def hook_on_a_constant(ns):
    ns.ones(2).register_hook(print)


def hook_under_create_graph(ns):
    x = leaf(ns, 2)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = ns.autograd.grad(y.sum(), x, create_graph=True)
    return g, ns.autograd.grad(g.sum(), x)


def hook_raises(ns):
    x = leaf(ns, 1)
    y = x * 2

    def fail(g):
        raise ValueError("from the hook")

    y.register_hook(fail)
    y.sum().backward()


def after_a_raising_hook_the_rest_still_works(ns):
    x = leaf(ns, 1)
    y = x * 2
    handle = y.register_hook(lambda g: 1 / 0)
    z = (y * y).sum() + x.sum()
    with contextlib.suppress(ZeroDivisionError):
        z.backward(retain_graph=True)
    handle.remove()
    x.grad = None
    z.backward()
    return x.grad


def retain_grad_of_nonleaf(ns):
    x = leaf(ns, 1, 2)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    before = y.retains_grad, x.retains_grad
    (y * y).sum().backward(retain_graph=True)
    (y * y).sum().backward()
    return before, y.grad, x.grad


def retain_grad_of_constant(ns):
    ns.ones(2).retain_grad()


def retain_grad_of_leaf_does_nothing(ns):
    x = leaf(ns, 1)
    x.retain_grad()
    return x.retains_grad


def post_accumulate_hook(ns):
    x = leaf(ns, 1, 2)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    return seen, x.grad


def post_accumulate_hook_on_nonleaf(ns):
    (leaf(ns, 1) * 2).register_post_accumulate_grad_hook(print)


def post_accumulate_hook_may_clear_the_grad(ns):
    x = leaf(ns, 1)
    x.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    (x * 2).sum().backward()
    return x.grad


def node_hooks(ns):
    x, w = leaf(ns, 1, 2), leaf(ns, 3, 4)
    y = x * w
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append(([g.tolist() for g in gi], [g.tolist() for g in go])))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return seen, x.grad, w.grad


def node_hook_replaces(ns):
    x, w = leaf(ns, 1, 2), leaf(ns, 3, 4)
    y = x * w
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0, gi[1] + 1))
    y.sum().backward()
    return x.grad, w.grad


def reentrant_backward(ns):
    x, w = leaf(ns, 1, 2), leaf(ns, 3, 4)
    y = x * 2

    def again(g):
        with ns.enable_grad():
            (w * w * g.detach()).sum().backward()
        return g

    y.register_hook(again)
    (y * y).sum().backward()
    return x.grad, w.grad


def reentrant_backward_through_the_same_leaf(ns):
    x = leaf(ns, 1, 2)
    y = x * 2

    def again(g):
        with ns.enable_grad():
            (x * x).sum().backward()

    y.register_hook(again)
    (y.sum() + (x * 3).sum()).backward()
    return x.grad


def next_functions(ns):
    x = leaf(ns, 1, 2)
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
    x = leaf(ns, 1)
    y = x * 2
    accumulate = y.grad_fn.next_functions[0][0]
    return accumulate.variable is x, accumulate.name().split("::")[-1]


def unbind_graph(ns):
    x = leaf(ns, 1, 2, 3)
    a, _, c = x.unbind()
    (a * c).backward()
    return x.grad, a.grad_fn.name(), c.output_nr


def max_with_dim(ns):
    x = leaf(ns, 3, 1, 2)
    v, i = x.max(0)
    v.backward()
    return x.grad, i.requires_grad


def leaf_requires_grad_again(ns):
    x = leaf(ns, 1.0, 2.0)
    ran = []
    x.register_hook(lambda g: ran.append("hook"))
    x.register_post_accumulate_grad_hook(lambda t: ran.append("post"))
    before = x * 2
    x.detach_().requires_grad_()
    (again,) = ns.autograd.grad((before + x).sum(), x)
    x.requires_grad_(False).requires_grad_()
    (x * 3).sum().backward()
    return again, x.grad, ran


def leaf_no_longer_requires_grad(ns):
    x = leaf(ns, 1.0, 2.0)
    y = x * 2
    x.requires_grad_(False)
    y.sum().backward()
    return x.grad, x.requires_grad


def no_grad_stops_recording(ns):
    x = leaf(ns, 1)
    with ns.no_grad():
        y = x * 2
        with ns.enable_grad():
            z = x * 3
    return y.requires_grad, z.requires_grad, ns.is_grad_enabled()


def no_grad_as_decorator(ns):
    @ns.no_grad()
    def f(x):
        "documented"
        return x * 2

    @ns.no_grad
    def g(x):
        return x * 2

    x = leaf(ns, 1)
    return f(x).requires_grad, g(x).requires_grad, f.__name__, f.__doc__, ns.is_grad_enabled()


def no_grad_in_a_generator(ns):
    @ns.no_grad()
    def numbers():
        sent = yield ns.is_grad_enabled()
        yield ns.is_grad_enabled(), sent
        try:
            yield 1
        except KeyError:
            yield ns.is_grad_enabled()

    seen = []
    generator = numbers()
    seen.append((next(generator), ns.is_grad_enabled()))
    seen.append((generator.send(7), ns.is_grad_enabled()))
    next(generator)
    seen.append((generator.throw(KeyError), ns.is_grad_enabled()))
    return seen


def no_grad_survives_an_exception(ns):
    try:
        with ns.no_grad():
            raise KeyError
    except KeyError:
        pass
    return ns.is_grad_enabled()


def set_grad_enabled_as_function_and_context(ns):
    seen = []
    with ns.set_grad_enabled(False):
        seen.append(ns.is_grad_enabled())
    seen.append(ns.is_grad_enabled())
    ns.set_grad_enabled(False)
    seen.append(ns.is_grad_enabled())
    ns.set_grad_enabled(True)

    @ns.set_grad_enabled(False)
    def f():
        return ns.is_grad_enabled()

    return [*seen, f(), ns.is_grad_enabled()]


def factories_in_no_grad(ns):
    with ns.no_grad():
        x = ns.ones(2, requires_grad=True)
    return x.requires_grad, (x * 2).requires_grad


def inference_mode_flags(ns):
    x = leaf(ns, 1)
    with ns.inference_mode():
        y = x * 2
        v = x.view(1)
        seen = [
            y.requires_grad,
            y.is_inference(),
            v.is_inference(),
            ns.is_inference_mode_enabled(),
            ns.is_grad_enabled(),
        ]
    return [*seen, y.is_inference(), y.requires_grad]


def inference_tensor_saved(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    (ns.ones(1, requires_grad=True) * y).sum()


def inference_tensor_used_without_saving(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    return (ns.ones(1, requires_grad=True) + y).requires_grad, (y * 2).is_inference()


def inference_tensor_written_outside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    y.add_(1)


def inference_tensor_written_inside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
        y.add_(1)
    return y


def inference_tensor_requires_grad_outside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    y.requires_grad_()


def inference_tensor_version(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    return y._version


def ordinary_tensor_written_in_inference_mode(ns):
    x = ns.ones(2)
    with ns.inference_mode():
        x.add_(1)
    return x, x._version, x.is_inference()


def clone_of_inference_tensor(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    c = y.clone()
    c.requires_grad_()
    return c.is_inference(), c.requires_grad


def integer_leaf(ns):
    ns.ones(2, dtype=ns.int64).requires_grad_()


def integer_leaf_made(ns):
    ns.tensor([1, 2], requires_grad=True)


def integer_result_of_a_float(ns):
    x = leaf(ns, 1.5)
    return x.to(ns.int64).requires_grad, (x > 1).requires_grad, x.argmax().requires_grad


def gradient_through_a_cast(ns):
    x = ns.tensor([1.0, 2.0], requires_grad=True)
    (x.to(ns.float64) * 3).sum().backward()
    return x.grad


def mixed_dtypes(ns):
    x = ns.tensor([1.0, 2.0], requires_grad=True)
    y = ns.tensor([3.0, 4.0], dtype=ns.float64, requires_grad=True)
    (x * y).sum().backward()
    return x.grad, y.grad


def assigned_grads(ns):
    x = leaf(ns, 1, 2)
    x.grad = ns.ones(2, dtype=ns.float64)
    (x * 2).sum().backward()
    return x.grad


def assigned_grad_of_wrong_shape(ns):
    leaf(ns, 1, 2).grad = ns.ones(3, dtype=ns.float64)


def assigned_grad_of_wrong_dtype(ns):
    leaf(ns, 1, 2).grad = ns.ones(2)


def assigned_grad_of_wrong_type(ns):
    leaf(ns, 1, 2).grad = 3


def nonleaf_grad_warns(ns):
    return (leaf(ns, 1) * 2).grad


def detached(ns):
    x = leaf(ns, 1, 2)
    y = x * 2
    d = y.detach()
    z = (d * x).sum()
    z.backward()
    return x.grad, d.requires_grad, d.is_leaf


def detach_in_place(ns):
    x = leaf(ns, 1)
    y = x * 2
    y.detach_()
    return y.requires_grad, y.is_leaf, y.grad_fn is None


def numpy_of_tracked(ns):
    leaf(ns, 1).numpy()


def deepcopy_of_nonleaf(ns):
    import copy

    copy.deepcopy(leaf(ns, 1) * 2)


def deepcopy_of_leaf(ns):
    import copy

    x = leaf(ns, 1, 2)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    y.grad.zero_()
    return y, y.requires_grad, x.grad, y.grad


PROGRAMS = [
    f
    for f in list(globals().values())
    if getattr(f, "__code__", None) and f.__code__.co_varnames[:1] == ("ns",) and f.__code__.co_argcount == 1
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    ours, theirs = both(program)
    if theirs.error is not None:
        assert_same_error(ours.error, theirs.error)
    elif ours.error is not None:
        raise ours.error
    else:
        assert_same(ours.value, theirs.value)


# ---------------------------------------------------------------------- depth, threads, memory
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_chain_of_100_000_ops_runs_backward_and_is_freed(create_graph):
    x = minitorch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000 if not create_graph else 20_000):
        y = y * 1.0
    (g,) = minitorch.autograd.grad(y, x, create_graph=create_graph)
    assert g.item() == 1.0
    del y, g


def test_a_chain_of_10_000_views_and_writes_is_freed():
    x = minitorch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    for _ in range(10_000):
        y.select(0, 0).add_(1.0)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y


def test_grad_mode_is_per_thread():
    seen = {}
    entered, leave = threading.Event(), threading.Event()

    def other():
        with minitorch.no_grad():
            entered.set()
            leave.wait(10)
            seen["other"] = minitorch.is_grad_enabled()

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    seen["this"] = minitorch.is_grad_enabled()
    leave.set()
    thread.join()
    assert seen == {"this": True, "other": False}


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


def graphs():
    """name -> function that builds a graph and returns tensors whose memory must die with the last reference."""
    m = minitorch

    def plain(x):
        return [x * 2, (x * x).exp().sum()]

    def saved_output(x):
        y = x.exp()
        return [y, y.sigmoid().tanh().sum()]

    def views(x):
        y = x * 1
        return [y, y.view(-1), y.t(), y.t().select(0, 0)]

    def written(x):
        y = x * 1
        y.mul_(2)
        y.relu_()
        return [y]

    def written_view(x):
        y = x * 1
        v = y.select(0, 1)
        v.mul_(3)
        v.exp_()
        return [y, v, y.sum()]

    def several_outputs(x):
        y = x * 1
        a, b = y.unbind(0)[:2]
        values, _ = y.max(1)
        return [y, a, b, a * b, values, m.cat([a, b])]

    def retained(x):
        y = x * 2
        y.retain_grad()
        return [y, y.sum()]

    def hooked(x):
        y = x * 2
        y.register_hook(lambda g: g * 2)
        return [y, y.sum()]

    def grads(x):
        y = (x * x).sum()
        return [y, *m.autograd.grad(y, x, create_graph=True)]

    def matrices(x):
        return [x @ x.t(), (x @ x.t()).softmax(-1), x.var(), x.logsumexp(0)]

    return [plain, saved_output, views, written, written_view, several_outputs, retained, hooked, grads, matrices]


@pytest.mark.parametrize("backward", [False, True], ids=["dropped", "after_backward"])
@pytest.mark.parametrize("build", graphs(), ids=lambda f: f.__name__)
def test_memory_is_freed_without_the_garbage_collector(build, backward):
    gc.disable()
    try:
        x = minitorch.arange(12.0).reshape(3, 4).div(7).requires_grad_()
        made = build(x)
        if backward:
            sum(t.sum() for t in made if t.requires_grad).backward()
        died = [weakref.ref(t) for t in (x, *made)]
        arrays = [weakref.ref(t.array) for t in made if t.array.base is None]
        nodes = [weakref.ref(t.grad_fn) for t in made if t.grad_fn is not None]
        del made, x
        alive = [r for r in (*died, *arrays, *nodes) if r() is not None]
        assert not alive
    finally:
        gc.enable()


def test_saved_values_are_freed_by_backward():
    x = minitorch.ones(10, requires_grad=True)
    y = x * 2
    z = y.exp()
    kept = weakref.ref(z.array)
    loss = z.sum()
    del z
    assert kept() is not None
    loss.backward()
    assert kept() is None


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


def test_first_gradient_is_taken_over_without_a_copy():
    x = minitorch.ones(3, requires_grad=True)
    y = x * minitorch.full((3,), 2.0)
    seen = []
    y.register_hook(lambda g: seen.append(g.array.__array_interface__["data"][0]))
    y.sum().backward()
    before = x.grad.data_ptr()
    (x * 2).sum().backward()
    assert x.grad.data_ptr() == before, "a second pass adds into the same memory"


def test_resident_memory_stays_flat_over_training_steps():
    code = """
import gc, resource
gc.disable()
import minitorch as torch
w = torch.ones(20, 20, requires_grad=True)
x = torch.ones(8, 20)
def step():
    loss = ((x @ w).relu() ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w.sub_(w.grad * 1e-9)
    w.grad = None
for _ in range(300): step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3000): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 1000, f"{grown} KiB more"


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
