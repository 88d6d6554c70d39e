"""torch.autograd.Function: how it is called, what it keeps and returns, its node; values and errors as in torch."""

import gc
import weakref

import pytest
from compare import assert_same_outcome, both, leaf_of, programs
from custom_functions import doubled, function

import minitorch


# ---------------------------------------------------------------------- programs: each returns what must be equal
def saved_tensors_of_inputs_and_outputs(ns):
    def forward(ctx, x, y):
        out = x * y
        ctx.save_for_backward(x, out, None)
        ctx.y = y
        return out

    def backward(ctx, g):
        x, out, nothing = ctx.saved_tensors
        return g * ctx.y, g * x + out * 0 if nothing is None else None

    a, b = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    out = function(ns, forward, backward).apply(a, b)
    out.sum().backward()
    return a.grad, b.grad, out.requires_grad


def attributes_with_the_engines_names(ns):
    def forward(ctx, x):
        ctx.key, ctx.grad, ctx.hooks, ctx.owned, ctx.outputs, ctx.edges, ctx.shape = 1, 2, 3, 4, 5, 6, tuple(x.shape)
        return x * 2

    def backward(ctx, g):
        return g * sum((ctx.key, ctx.grad, ctx.hooks, ctx.owned, ctx.outputs, ctx.edges))

    x = leaf_of(ns, 1, 2)
    function(ns, forward, backward).apply(x).sum().backward()
    return x.grad


def setup_context_style(ns):
    def setup_context(ctx, inputs, output):
        x, factor = inputs
        ctx.save_for_backward(x, output)
        ctx.factor = factor

    x = leaf_of(ns, 1, 2)
    made = function(
        ns, lambda x, factor=3: x * factor, lambda ctx, g: (g * ctx.factor + 0 * ctx.saved_tensors[1], None),
        setup_context=setup_context,
    )  # fmt: skip
    made.apply(x).sum().backward()
    made.apply(x, factor=5).sum().backward()
    return x.grad


def keyword_arguments(ns):
    x = leaf_of(ns, 1, 2)
    function(ns, lambda ctx, x, k=2: x * k, lambda ctx, g: g * 7).apply(x, k=5).sum().backward()
    return x.grad


def needs_input_grad(ns):
    seen = []

    def backward(ctx, g, h):
        seen.append(ctx.needs_input_grad)
        return g, None, None, h

    x, y = leaf_of(ns, 1), ns.ones(1, dtype=ns.float64)
    a, b = function(ns, lambda ctx, x, y, k, z: (x * k, z + y), backward).apply(x, y, 3, x)
    (a + b).sum().backward()
    return seen, x.grad


def nested_functions(ns):
    inner = function(ns, lambda ctx, x: x * 2, lambda ctx, g: g * 20)
    x = leaf_of(ns, 1, 2)
    outer = function(ns, lambda ctx, x: inner.apply(x) + 1, lambda ctx, g: inner.apply(g))
    out = outer.apply(x)
    (g,) = ns.autograd.grad(out.sum(), x, create_graph=True)
    return out, g


def input_returned_as_output(ns):
    x = leaf_of(ns, 1, 2) * 1
    out = function(ns, lambda ctx, x: x, lambda ctx, g: g * 3).apply(x)
    return out is x, out._is_view(), out._base is x, out.requires_grad, out.output_nr


def leaf_returned_as_output(ns):
    x = leaf_of(ns, 1, 2)
    out = function(ns, lambda ctx, x: (x, x * 2), lambda ctx, g, h: g * 3 + h).apply(x)
    (out[0] + out[1]).sum().backward()
    return x.grad, x.is_leaf, x.requires_grad


def output_returned_twice(ns):
    def forward(ctx, x):
        out = x * 2
        return out, out

    seen = []
    x = leaf_of(ns, 1, 2)
    a, b = function(ns, forward, lambda ctx, g, h: (seen.extend([g, h]), g + h)[1]).apply(x)
    a.sum().backward()
    return seen, a is b, a.output_nr, x.grad


def without_recording(ns):
    x = leaf_of(ns, 1, 2)
    made = function(ns, lambda ctx, x: (x * 2, x), lambda ctx, g, h: g)
    with ns.no_grad():
        outs = made.apply(x)
    more = made.apply(x.detach())
    return [o.requires_grad for o in (*outs, *more)], [o.grad_fn for o in outs]


def dirty_input(ns):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x

    x = leaf_of(ns, 1, 2)
    y = x * 1
    out = function(ns, forward, lambda ctx, g: g * 2).apply(y)
    (out * out).sum().backward()
    return out is y, y.grad_fn is out.grad_fn, x.grad, y._version


def dirty_view(ns):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x

    x = leaf_of(ns, 1, 2, 3)
    y = x * 1
    function(ns, forward, lambda ctx, g: g * 2).apply(y[1:])
    (y * y).sum().backward()
    return y, x.grad


def dirty_leaf(ns):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x

    function(ns, forward, doubled).apply(leaf_of(ns, 1))


def dirty_input_that_is_no_output(ns):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x * 2

    function(ns, forward, doubled).apply(leaf_of(ns, 1) * 1)


def write_to_a_view_output(ns):
    function(ns, lambda ctx, x: x.view(2, 1), lambda ctx, g: g.view(2)).apply(leaf_of(ns, 1, 2) * 1).mul_(2)


def write_to_an_input_returned_as_output(ns):
    function(ns, lambda ctx, x: x, doubled).apply(leaf_of(ns, 1, 2) * 1).mul_(2)


def write_to_one_of_several_view_outputs(ns):
    function(ns, lambda ctx, x: (x.view(2, 1), x * 2), lambda ctx, g, h: h).apply(leaf_of(ns, 1, 2) * 1)[0].mul_(2)


def saved_tensor_written_to(ns):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    x = leaf_of(ns, 1, 2) * 1
    out = function(ns, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
    x.add_(1)
    try:
        out.sum().backward()
    except RuntimeError as e:
        return "modified by an inplace operation" in str(e), "is at version 1; expected version 0" in str(e)


def saved_tensors_after_backward(ns):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    out = function(ns, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(leaf_of(ns, 1, 2))
    out.sum().backward()
    out.grad_fn.saved_tensors  # noqa: B018


def backward_twice_without_saved_tensors(ns):
    x = leaf_of(ns, 1, 2)
    out = function(ns, doubled, doubled).apply(x)
    out.backward(ns.ones_like(out))
    out.backward(ns.ones_like(out))
    return x.grad


def save_a_number(ns):
    function(ns, lambda ctx, x: (ctx.save_for_backward(3), x)[1], doubled).apply(leaf_of(ns, 1))


def save_a_number_for_forward(ns):
    function(ns, lambda ctx, x: (ctx.save_for_forward(3), x)[1], doubled).apply(leaf_of(ns, 1))


def saved_variables(ns):
    def backward(ctx, g):
        with pytest.warns(DeprecationWarning, match="'saved_variables' is deprecated; use 'saved_tensors'"):
            return g * ctx.saved_variables[0]

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    x = leaf_of(ns, 1, 2)
    function(ns, forward, backward).apply(x).sum().backward()
    return x.grad


def no_forward(ns):
    type("Custom", (ns.autograd.Function,), {}).apply(leaf_of(ns, 1))


def call_of_an_instance(ns):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        function(ns, doubled)()(leaf_of(ns, 1))


def instance(ns):
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        return type(ns.autograd.function.InplaceFunction(True)).__name__


def unimplemented_methods(ns):
    messages = []
    for method, args in (("jvp", (None,)), ("vmap", (None, None)), ("setup_context", (None, None, None))):
        with pytest.raises(NotImplementedError) as error:
            getattr(ns.autograd.Function, method)(*args)
        messages.append(str(error.value))
    return messages, ns.autograd.Function.generate_vmap_rule


def names(ns):
    seen = []
    x = leaf_of(ns, 1)
    made = function(ns, lambda ctx, x, k, y: (seen.append(type(ctx).__name__), x * y)[1], lambda ctx, g: (g, None, g))
    node = made.apply(x, 3, x * 2).grad_fn
    after = [n if n is None else n.name() for n, _ in node.next_functions]
    return seen, node.name(), type(node).__name__, after, made._backward_cls.__name__


def hooks_on_the_node(ns):
    seen = []
    x = leaf_of(ns, 1, 2)
    out = function(ns, lambda ctx, x: (x * 2, x * 3), lambda ctx, g, h: g + h).apply(x)
    node = out[0].grad_fn
    node.register_prehook(lambda grads: (seen.append(grads), (grads[0] * 10, grads[1]))[1])
    node.register_hook(lambda inputs, outputs: (seen.append((inputs, outputs)), (inputs[0] * 100,))[1])
    (out[0] + out[1]).sum().backward()
    return seen, x.grad


def metadata_and_attributes_of_the_node(ns):
    def forward(ctx, x):
        ctx.note = "kept"
        ctx.save_for_backward(x)
        return x * 2

    node = function(ns, forward, doubled).apply(leaf_of(ns, 1)).grad_fn
    node.metadata["a"] = 1
    return node.metadata, node.note, len(node.saved_tensors), node.needs_input_grad


def inherited_function(ns):
    base = function(ns, doubled, lambda ctx, g: g * 2)
    derived = type("Derived", (base,), {"forward": staticmethod(lambda ctx, x: x * 5)})
    x = leaf_of(ns, 1)
    out = derived.apply(x)
    out.sum().backward()
    return x.grad, out.grad_fn.name()


def saved_tensor_hooks(ns):
    def forward(ctx, x):
        out = x * 2
        ctx.save_for_backward(x, out)
        return out

    x, seen = leaf_of(ns, 1, 2), []
    hooks = ns.autograd.graph.saved_tensors_hooks(
        lambda t: (seen.append(tuple(t.shape)), t.detach() * 10)[1], lambda t: (seen.append("un"), t)[1]
    )
    with hooks:
        out = function(ns, forward, lambda ctx, g: g * ctx.saved_tensors[0] + ctx.saved_tensors[1]).apply(x)
    out.sum().backward()
    return seen, x.grad


def raw_saved_tensors(ns):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    x = leaf_of(ns, 1, 2)
    out = function(ns, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
    out.grad_fn._raw_saved_tensors[0].register_hooks(lambda t: t.detach() * 10, lambda t: t)
    out.sum().backward()
    return x.grad


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_ctx_with_saved_output_is_freed_without_the_garbage_collector():
    kept = []

    def forward(ctx, x):
        out = x * 2
        ctx.save_for_backward(x, out)
        kept.append(weakref.ref(ctx))
        return out

    gc.disable()
    try:
        out = function(minitorch, forward, doubled).apply(leaf_of(minitorch, 1))
        assert kept[0]() is not None
        del out
        assert kept[0]() is None
    finally:
        gc.enable()


def test_an_interceptor_may_take_over_a_call():
    from minitorch.autograd.grad_mode import state

    class Interceptor:
        def call_function(self, cls, args, kwargs):
            return cls.__name__, args, kwargs

    state.interceptors = (Interceptor(),)
    state.refresh()
    try:
        assert function(minitorch, doubled).apply(1, k=2) == ("Custom", (1,), {"k": 2})
    finally:
        state.interceptors = ()
        state.refresh()
