"""autograd.graph: hooks on saved tensors, on nodes and on several gradients, and edges; as in torch."""

import pytest
from compare import assert_same_outcome, both, leaf_of, programs

import minitorch


def recorded(ns, program, create_graph=False):
    """What a pair of hooks saw while the program ran, and the gradient."""
    seen, x = [], leaf_of(ns, 1, 2, 3)

    def pack(t):
        seen.append(("pack", tuple(t.shape), t.requires_grad))
        return t.detach() * 2

    def unpack(t):
        seen.append(("unpack", tuple(t.shape)))
        return t / 2

    with ns.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = program(x)
    grads = ns.autograd.grad(y.sum(), x, create_graph=create_graph)
    if create_graph:
        grads += ns.autograd.grad(grads[0].sum(), x)
    return seen, grads


# ---------------------------------------------------------------------- programs: each returns what must be equal
def hooks_on_a_product(ns):
    y = ns.ones(3, dtype=ns.float64)
    return recorded(ns, lambda x: x * y)


def hooks_on_a_saved_result(ns):
    return recorded(ns, lambda x: x.exp())


def hooks_on_a_sum_of_which_nothing_is_saved(ns):
    return recorded(ns, lambda x: x + x)


def hooks_and_double_backward(ns):
    return recorded(ns, lambda x: (x * x).exp(), create_graph=True)[1]


def hooks_on_a_fused_loss(ns):
    target = ns.tensor([0.0, 1.0, 0.0], dtype=ns.float64)
    return recorded(ns, lambda x: ns.nn.functional.cross_entropy(x, target))[1]


def hooks_and_a_number(ns):
    return recorded(ns, lambda x: x * 3 + x / 2.5)


def hooks_on_a_write(ns):
    def program(x):
        y = x * 1
        y[1:].mul_(x[1:])
        return y

    return recorded(ns, program)[1]


def hooks_without_recording(ns):
    seen = []
    with ns.autograd.graph.saved_tensors_hooks(seen.append, seen.append), ns.no_grad():
        leaf_of(ns, 1).exp()
    leaf_of(ns, 1).exp()
    return seen


def innermost_hooks_alone(ns):
    seen, x = [], leaf_of(ns, 1)
    hooks = ns.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: seen.append("outer") or t, lambda t: t):
        with hooks(lambda t: seen.append("inner") or t, lambda t: t):
            x.exp()
        x.exp()
    return seen


def hooks_that_are_undone_after_an_error(ns):
    seen, x = [], leaf_of(ns, 1)
    try:
        with ns.autograd.graph.saved_tensors_hooks(lambda t: seen.append(1) or t, lambda t: t):
            raise ValueError
    except ValueError:
        x.exp()
    return seen


def unpacking_to_a_number(ns):
    with ns.autograd.graph.saved_tensors_hooks(lambda t: 3, lambda t: t):
        y = leaf_of(ns, 1).exp()
    y.sum().backward()


def packing_in_place(ns):
    with ns.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        leaf_of(ns, 1).exp()


def packing_hides_later_writes(ns):
    x = leaf_of(ns, 1, 2)
    with ns.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = x * 1
        z = y * y
    y.add_(1)
    z.sum().backward()
    return x.grad


def backward_twice_with_hooks(ns):
    x, seen = leaf_of(ns, 1), []
    with ns.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: seen.append(1) or t):
        y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    return seen, x.grad


def saved_on_the_cpu(ns):
    x = leaf_of(ns, 1, 2)
    with ns.autograd.graph.save_on_cpu(), ns.autograd.graph.save_on_cpu(pin_memory=True):
        y = (x * x).exp()
    y.sum().backward()
    return x.grad


def disabled_hooks(ns):
    with ns.autograd.graph.disable_saved_tensors_hooks("not here"), ns.autograd.graph.save_on_cpu():
        pass


def disabling_within_hooks(ns):
    with ns.autograd.graph.save_on_cpu(), ns.autograd.graph.disable_saved_tensors_hooks("not here"):
        pass


def hooks_after_disabling(ns):
    with ns.autograd.graph.disable_saved_tensors_hooks("not here"):
        pass
    with ns.autograd.graph.save_on_cpu():
        return leaf_of(ns, 1).exp()


def mutation_of_saved_tensors(ns):
    with ns.autograd.graph.allow_mutation_on_saved_tensors():
        a = leaf_of(ns, 1, 2)
        b = a.clone()
        out = (b * b).sum()
        b.sin_()
        out.backward()
    return a.grad


def mutation_and_backward_outside(ns):
    with ns.autograd.graph.allow_mutation_on_saved_tensors():
        out = leaf_of(ns, 1).exp().sum()
    out.backward()


def raw_saved_tensor(ns):
    x, y, seen = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4), []
    z = x * y
    z.grad_fn._raw_saved_other.register_hooks(lambda t: t.detach() * 10, lambda t: seen.append(1) or t)
    z.sum().backward()
    return x.grad, y.grad, seen


def raw_saved_tensor_with_hooks_already(ns):
    x = leaf_of(ns, 1)
    z = x * x
    for _ in range(2):
        z.grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)


def saved_values(ns):
    x = leaf_of(ns, 1, 2)
    z = x.exp()
    return (x * z).grad_fn._saved_other, z.grad_fn._saved_result, (x * z).grad_fn._saved_self is x


def nodes_that_are_called(ns):
    x, y = leaf_of(ns, 1, 2), leaf_of(ns, 3, 4)
    product, power = (x * y).grad_fn, x.exp().grad_fn
    a, b = product(ns.ones(2, dtype=ns.float64))
    with ns.no_grad():
        c = power(ns.ones(2, dtype=ns.float64))
    return a, b, a.requires_grad, c, c.requires_grad, power._sequence_nr() > product._sequence_nr()


def edges(ns):
    x = leaf_of(ns, 1, 2)
    y = x * 2
    edge = ns.autograd.graph.get_gradient_edge
    z = y.exp().sum()
    (a,) = ns.autograd.grad(z, edge(y), retain_graph=True)
    (b,) = ns.autograd.grad(edge(y), x, ns.ones_like(y), retain_graph=True)
    (c,) = ns.autograd.grad(edge(z), edge(x), retain_graph=True)
    ns.autograd.backward(edge(z))
    e = edge(ns.unbind(x * 1)[1])
    return a, b, c, x.grad, e.output_nr, e.node.name(), edge(x).node.name()


def edge_of_a_part(ns):
    x = leaf_of(ns, 1, 2)
    parts = ns.unbind(x * 1)
    edge = ns.autograd.graph.get_gradient_edge(parts[1])
    return ns.autograd.grad(parts[1] * 3, edge)


def edge_of_a_tensor_without_gradient(ns):
    ns.autograd.graph.get_gradient_edge(ns.ones(1))


def hook_on_several_gradients(ns):
    seen, (a, b) = [], (leaf_of(ns, 1), leaf_of(ns, 2))
    c, d = a * b, a * b
    handle = ns.autograd.graph.register_multi_grad_hook((a, b, c, d), lambda gs: seen.append([g is None for g in gs]))
    c.sum().backward(retain_graph=True)
    c.sum().backward(inputs=(a,), retain_graph=True)
    (c + d).sum().backward(retain_graph=True)
    handle.remove()
    c.sum().backward()
    return seen


def hook_on_the_first_of_several_gradients(ns):
    seen, (a, b) = [], (leaf_of(ns, 1), leaf_of(ns, 2))
    with ns.autograd.graph.register_multi_grad_hook((a, b), lambda g: seen.append(g), mode="any"):
        (a * b).sum().backward()
        (a + a).sum().backward()
    return len(seen)


def hook_on_several_gradients_of_no_such_mode(ns):
    ns.autograd.graph.register_multi_grad_hook((), print, mode="some")


def version_counted_by_hand(ns):
    x = leaf_of(ns, 1)
    y = x * 1
    z = y * y
    ns.autograd.graph.increment_version(y)
    before = y._version
    ns.autograd.graph.increment_version([y, x])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    return before, x._version


def nodes(ns):
    x = leaf_of(ns, 1)
    node = (x * 2).grad_fn
    leaf_node = node.next_functions[0][0]
    return (
        isinstance(node, ns.autograd.graph.Node),
        isinstance(leaf_node, ns.autograd.graph.Node),
        leaf_node.variable is x,
    )


PROGRAMS = programs(globals())


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_hooks_cost_nothing_where_there_are_none():
    x = minitorch.ones(2, requires_grad=True)
    with minitorch.autograd.graph.save_on_cpu():
        packed = x.exp().grad_fn
    plain = x.exp().grad_fn
    assert type(packed) is not type(plain)
    assert type(plain) in type(packed).__mro__
    assert type(packed).__name__ == type(plain).__name__ == "ExpBackward0"
    assert not plain.__dict__
