"""torch.autograd.Function: what its backward may return and is given, and derivatives of it; as in torch."""

import pytest
from compare import assert_same_outcome, both, leaf_of, programs
from custom_functions import doubled, function


# ---------------------------------------------------------------------- programs: each returns what must be equal
def double_backward(ns):
    def forward(ctx, x):
        out = x.exp()
        ctx.save_for_backward(x, out)
        return out

    def backward(ctx, g):
        x, out = ctx.saved_tensors
        return g * out + 0 * x

    x = leaf_of(ns, 0.5, 2)
    out = function(ns, forward, backward).apply(x)
    (g,) = ns.autograd.grad(out.sum(), x, create_graph=True)
    (h,) = ns.autograd.grad(g.sum(), x, create_graph=True)
    (i,) = ns.autograd.grad(h.sum(), x)
    return g, h, i


def undifferentiable_outputs(ns):
    def forward(ctx, x):
        a, b = x * 2, x > 1
        ctx.mark_non_differentiable(b, a)
        return a, b, x.argmax(), x * 3

    def backward(ctx, *grads):
        return sum(g.to(ns.float64).sum() for g in grads).expand(2)

    x = leaf_of(ns, 1, 2)
    outs = function(ns, forward, backward).apply(x)
    outs[3].sum().backward()
    return [o.requires_grad for o in outs], x.grad


def materialized_gradients(ns):
    seen = []

    def backward(ctx, *grads):
        seen.append([None if g is None else (tuple(g.shape), str(g.dtype)) for g in grads])
        return grads[1]

    def forward(materialize):
        def run(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3, 5, (x * 2).long()

        return run

    x = leaf_of(ns, 1, 2)
    for materialize in (True, False):
        function(ns, forward(materialize), backward).apply(x)[1].sum().backward()
    return seen, x.grad


def too_few_gradients(ns):
    function(ns, lambda ctx, x, k: x * 2, doubled).apply(leaf_of(ns, 1), 3).sum().backward()


def too_many_gradients(ns):
    function(ns, doubled, lambda ctx, g: (g, g)).apply(leaf_of(ns, 1)).sum().backward()


def too_many_gradients_that_are_none(ns):
    x = leaf_of(ns, 1)
    function(ns, doubled, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    return x.grad


def gradient_that_is_a_number(ns):
    function(ns, doubled, lambda ctx, g: 3).apply(leaf_of(ns, 1)).sum().backward()


def gradient_for_a_number(ns):
    function(ns, lambda ctx, x, k: x * k, lambda ctx, g: (g, g)).apply(leaf_of(ns, 1), 3).sum().backward()


def gradient_of_another_shape(ns):
    function(ns, doubled, lambda ctx, g: g[:1]).apply(leaf_of(ns, 1, 2)).sum().backward()


def gradient_that_is_summed(ns):
    x = leaf_of(ns, 1, 2)
    function(ns, doubled, lambda ctx, g: g.expand(3, 2)).apply(x).sum().backward()
    return x.grad


def gradient_of_another_dtype(ns):
    x = leaf_of(ns, 1, 2)
    function(ns, doubled, lambda ctx, g: g.float()).apply(x).sum().backward()
    return x.grad


def gradient_that_is_none(ns):
    x = leaf_of(ns, 1, 2)
    function(ns, doubled, lambda ctx, g: None).apply(x).sum().backward()
    return x.grad


def error_in_backward(ns):
    def backward(ctx, g):
        raise ValueError("mine")

    function(ns, doubled, backward).apply(leaf_of(ns, 1)).sum().backward()


def no_backward(ns):
    function(ns, doubled).apply(leaf_of(ns, 1)).sum().backward()


def vjp_in_place_of_backward(ns):
    x = leaf_of(ns, 1)
    function(ns, doubled, vjp=lambda ctx, g: g * 5).apply(x).sum().backward()
    return x.grad


def backward_and_vjp(ns):
    function(ns, doubled, doubled, vjp=doubled).apply(leaf_of(ns, 1)).sum().backward()


def boxed_gradients(ns):
    x = leaf_of(ns, 1)
    function(ns, doubled, lambda ctx, grads: grads.pop() * 5, boxed_grads_call=True).apply(x).sum().backward()
    return x.grad


def differentiated_once(ns):
    once = ns.autograd.function.once_differentiable
    x = leaf_of(ns, 1, 2)
    out = function(ns, lambda ctx, x: x**3, once(lambda ctx, g: g * 2)).apply(x)
    (g,) = ns.autograd.grad((out * x).sum(), x, create_graph=True)
    return g, g.requires_grad


def differentiated_twice(ns):
    once = ns.autograd.function.once_differentiable
    x = leaf_of(ns, 1, 2)
    out = function(ns, lambda ctx, x: x**3, once(lambda ctx, g: g * 2)).apply(x)
    (g,) = ns.autograd.grad((out * x).sum(), x, create_graph=True)
    ns.autograd.grad(g.sum(), x)


def gradcheck(ns):
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y, x.sin()

    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        return g * y + h * x.cos(), g * x

    made = function(ns, forward, backward)
    inputs = leaf_of(ns, 0.5, 2), leaf_of(ns, 3, 4)
    return ns.autograd.gradcheck(made.apply, inputs), ns.autograd.gradgradcheck(made.apply, inputs)


def gradcheck_of_a_wrong_backward(ns):
    return ns.autograd.gradcheck(
        function(ns, lambda ctx, x: x * 3, doubled).apply, leaf_of(ns, 1), raise_exception=False
    )


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))
