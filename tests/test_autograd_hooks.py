"""Hooks on tensors and nodes, kept gradients: when they run, what they see and replace, as in torch."""

import contextlib
import io

import pytest
from compare import assert_same_outcome, both, leaf_of, programs


# ---------------------------------------------------------------------- programs: each returns what must be equal
def hooks_run_in_order_and_replace(ns):
    x = leaf_of(ns, 1, 2)
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
    x = leaf_of(ns, 1)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4 + y.exp() * 0).sum().backward()
    return seen


def hook_returns_a_wrong_shape(ns):
    y = leaf_of(ns, 1, 2) * 2
    y.register_hook(lambda g: g.sum())
    y.sum().backward()


def hook_on_a_constant(ns):
    ns.ones(2).register_hook(print)


def hook_under_create_graph(ns):
    x = leaf_of(ns, 2)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = ns.autograd.grad(y.sum(), x, create_graph=True)
    return g, ns.autograd.grad(g.sum(), x)


def hook_raises(ns):
    x = leaf_of(ns, 1)
    y = x * 2

    def fail(g):
        raise ValueError("from the hook")

    y.register_hook(fail)
    y.sum().backward()


def after_a_raising_hook_the_rest_still_works(ns):
    x = leaf_of(ns, 1)
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
    x = leaf_of(ns, 1, 2)
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
    x = leaf_of(ns, 1)
    x.retain_grad()
    return x.retains_grad


def post_accumulate_hook(ns):
    x = leaf_of(ns, 1, 2)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    return seen, x.grad


def post_accumulate_hook_on_nonleaf(ns):
    (leaf_of(ns, 1) * 2).register_post_accumulate_grad_hook(print)


def post_accumulate_hook_may_clear_the_grad(ns):
    x = leaf_of(ns, 1)
    x.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    (x * 2).sum().backward()
    return x.grad


def node_hooks(ns):
    x, w = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    y = x * w
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append(([g.tolist() for g in gi], [g.tolist() for g in go])))
    y.grad_fn.register_prehook(lambda go: (go[0] * 10,))
    y.sum().backward()
    return seen, x.grad, w.grad


def node_hook_replaces(ns):
    x, w = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    y = x * w
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0, gi[1] + 1))
    y.sum().backward()
    return x.grad, w.grad


def hooks_as_an_attribute(ns):
    x = leaf_of(ns, 1, 2)
    before = x._backward_hooks, ns.ones(2)._backward_hooks, x._post_accumulate_grad_hooks
    handle = x.register_hook(lambda g: g * 2)
    after = list(x._backward_hooks) == [handle.id]
    x.register_post_accumulate_grad_hook(lambda p: None)
    handle.remove()
    return before, after, len(x._backward_hooks), len(x._post_accumulate_grad_hooks)


def hooks_of_a_result_as_an_attribute(ns):
    y = leaf_of(ns, 1, 2) * 2
    y.retain_grad()
    before = y._backward_hooks
    y.register_hook(lambda g: g * 2)
    return before, len(y._backward_hooks)


def hooks_taken_away_by_the_attribute(ns):
    x = leaf_of(ns, 1, 2)
    x.register_hook(lambda g: g * 2)
    x._backward_hooks = None
    x.sum().backward()
    return x.grad


def hooks_lost_by_saving(ns):
    x = leaf_of(ns, 1, 2)
    x.register_hook(print)
    ns.save(x, io.BytesIO())


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))
