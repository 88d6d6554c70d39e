"""Views share memory and versions, and writes keep gradients right: small programs run in both frameworks."""

import pytest
from compare import assert_same_outcome, both, programs
from view_compare import leaf, weighted

import minitorch


# ---------------------------------------------------------------------- programs: each returns what must be equal
def write_to_a_row(ns):
    x = leaf(ns, 3, 4)
    y = x * 2
    y.select(0, 1).mul_(3)
    weighted(ns, y * y).backward()
    return y, x.grad


def write_to_a_view_of_a_view(ns):
    x = leaf(ns, 3, 4)
    y = x * 2
    y.t().narrow(0, 1, 2).select(1, 0).add_(leaf(ns, 2) * 10)
    weighted(ns, y.exp()).backward()
    return y, x.grad


def write_to_the_base_then_read_the_view(ns):
    x = leaf(ns, 3, 4)
    y = x * 2
    v = y.select(0, 1)
    y.mul_(5)
    weighted(ns, v * v).backward()
    return v, x.grad, v._version, y._version


def write_to_one_view_read_another(ns):
    x = leaf(ns, 3, 4)
    y = x + 1
    a, b = y.narrow(0, 0, 2), y.t()
    a.mul_(2)
    weighted(ns, b * b).backward()
    return a, b, x.grad


def two_writes_and_a_use_between(ns):
    x = leaf(ns, 4)
    y = x * 1
    v = y.narrow(0, 1, 2)
    v.mul_(3)
    z = y.sum()
    v.add_(1)
    (z + weighted(ns, y)).backward()
    return y, x.grad


def copy_between_graphs(ns):
    x, w = leaf(ns, 3, 4), leaf(ns, 4)
    y = x * 1
    y.select(0, 2).copy_(w * 2)
    weighted(ns, y * y).backward()
    return y, x.grad, w.grad


def write_a_tracked_value_into_an_untracked_base(ns):
    w = leaf(ns, 4)
    y = ns.zeros(3, 4, dtype=ns.float64)
    v = y.select(0, 1)
    other = y.select(0, 2)
    v.copy_(w)
    weighted(ns, y * y).backward()
    return y, w.grad, y.requires_grad, v.requires_grad, other.requires_grad


def fill_and_zero(ns):
    x = leaf(ns, 3, 4)
    y = x * 2
    y.select(0, 0).zero_()
    y.select(1, 1).fill_(7)
    weighted(ns, y * y).backward()
    return y, x.grad


def write_under_no_grad(ns):
    x = leaf(ns, 3)
    y = x * 2
    v = y.view(3, 1)
    with ns.no_grad():
        v.mul_(0)
    weighted(ns, y + v.squeeze()).backward()
    return y, x.grad, y._version


def leaf_written_under_no_grad(ns):
    x = leaf(ns, 3)
    with ns.no_grad():
        x.add_(1)
        x.view(3, 1).mul_(2)
    weighted(ns, x * x).backward()
    return x, x.grad, x._version, x.is_leaf


def overlapping_expand_read(ns):
    x = leaf(ns, 3, 1)
    y = (x * 2).expand(3, 4)
    weighted(ns, y * y).backward()
    return x.grad


def detached_write_is_seen(ns):
    x = leaf(ns, 3)
    y = x * 2
    d = y.detach()
    d.zero_()
    return y, y._version, d._version, d.requires_grad


def data_write_is_not_seen(ns):
    x = leaf(ns, 3)
    y = x * x
    x.data.zero_()
    y.sum().backward()
    return x.grad, x._version, x.data._version


def unbind_written_under_no_grad(ns):
    x = leaf(ns, 3, 2)
    with ns.no_grad():
        for row in x.unbind():
            row.mul_(2)
    return x, x._version


def base_and_versions(ns):
    x = ns.zeros(3, 4)
    v = x.select(0, 1)
    w = v.view(2, 2)
    w.add_(1)
    d = x.detach()
    d.add_(1)
    return x._version, v._version, w._version, w._base is x, d._base is None, d._version, x


def writes_to_every_kind_of_view(ns):
    x = leaf(ns, 2, 3, 4)
    y = x.clone()
    y.transpose(0, 2).mul_(2)
    y.permute(1, 2, 0).add_(1)
    y.unsqueeze(0).squeeze(0).mul_(3)
    y.flatten(1).sub_(1)
    y.view(6, 4).diagonal().mul_(0.5)
    y.reshape(24).narrow(0, 3, 4).exp_()
    y.as_strided((2, 2), (3, 5), 1).mul_(-1)
    y.movedim(0, 1).select(1, 0).neg_()
    weighted(ns, y * y).backward()
    return y, x.grad


def relu_in_place_on_a_view(ns):
    x = leaf(ns, 3, 4)
    y = x * 1
    ns.relu_(y.select(1, 2))
    weighted(ns, y * y).backward()
    return y, x.grad


def view_of_view_made_before_the_write(ns):
    x = leaf(ns, 3, 4)
    y = x * 1
    v = y.narrow(0, 0, 2)
    w = v.narrow(1, 1, 2)
    w.mul_(4)
    (weighted(ns, v) + weighted(ns, w * w)).backward()
    return v, w, x.grad


def saved_view_modified(ns):
    x = leaf(ns, 4)
    y = x * 1
    v = y.narrow(0, 0, 2)
    z = v * v
    y.add_(1)
    z.sum().backward()


def saved_output_modified(ns):
    y = leaf(ns, 3).exp()
    z = y * 2
    y.add_(1)
    z.sum().backward()


def saved_by_sigmoid_modified(ns):
    y = leaf(ns, 3).sigmoid()
    y.mul_(2)
    y.sum().backward()


def leaf_in_place(ns):
    leaf(ns, 3).add_(1)


def view_of_leaf_in_place(ns):
    leaf(ns, 3).narrow(0, 0, 2).add_(1)


def leaf_copied_into_itself(ns):
    x = leaf(ns, 3)
    x.copy_(ns.zeros(3, dtype=ns.float64))


def multi_output_view_in_place(ns):
    (leaf(ns, 3, 2) * 1).unbind()[0].mul_(2)


def split_in_place(ns):
    (leaf(ns, 4) * 1).split(2)[1].add_(1)


def chunk_in_place(ns):
    (leaf(ns, 4) * 1).chunk(2)[1].add_(1)


def multi_output_view_of_an_untracked_base_in_place(ns):
    y = ns.zeros(3, 2)
    y.unbind()[0].add_(1)
    return y


def multi_output_view_base_modified(ns):
    y = leaf(ns, 3, 2) * 1
    a = y.unbind()[0]
    y.mul_(2)
    return (a * 2).requires_grad


def no_grad_view_in_place(ns):
    y = leaf(ns, 4) * 1
    with ns.no_grad():
        v = y.narrow(0, 0, 2)
    v.mul_(2)


def no_grad_view_of_leaf_in_place(ns):
    x = leaf(ns, 4)
    with ns.no_grad():
        v = x.view(2, 2)
    v.mul_(2)


def no_grad_view_base_modified(ns):
    y = leaf(ns, 4) * 1
    with ns.no_grad():
        v = y.narrow(0, 0, 2)
    y.mul_(2)
    return v.requires_grad, v.grad_fn is None


def no_grad_view_of_untracked_written_with_tracked(ns):
    y = ns.zeros(4, dtype=ns.float64)
    with ns.no_grad():
        v = y.narrow(0, 0, 2)
    v.copy_(leaf(ns, 2))


def expanded_in_place(ns):
    ns.zeros(1, 3).expand(2, 3).add_(1)


def expanded_copy(ns):
    ns.zeros(1, 3).expand(2, 3).copy_(ns.ones(2, 3))


def expanded_zeroed(ns):
    ns.zeros(1, 3).expand(2, 3).zero_()


def expanded_filled(ns):
    ns.zeros(1, 3).expand(2, 3).fill_(2)


def in_place_wider_than_self(ns):
    ns.zeros(3, 1).add_(ns.ones(1, 4))


def partial_overlap(ns):
    x = ns.arange(6.0)
    x.narrow(0, 1, 5).add_(x.narrow(0, 0, 5))


def full_overlap(ns):
    x = ns.arange(6.0)
    x.narrow(0, 1, 5).mul_(x.narrow(0, 1, 5))
    return x


def detach_in_place_of_a_view(ns):
    (leaf(ns, 4) * 1).narrow(0, 0, 2).detach_()


def requires_grad_of_a_nonleaf(ns):
    (leaf(ns, 2) * 1).requires_grad_(False)


def requires_grad_of_a_nonleaf_that_has_it(ns):
    y = leaf(ns, 2) * 1
    return y.requires_grad_().is_leaf, y[0:1].requires_grad_().is_leaf


def view_that_was_made_a_leaf_in_place(ns):
    v = ns.zeros(2, 4).narrow(0, 0, 1).requires_grad_()
    v.tril_()


def view_of_a_detached_base_in_place(ns):
    w = leaf(ns, 4)
    v = w.unsqueeze(0)
    w.detach_()
    v.mul_(2)


def stale_part_that_is_made_a_leaf(ns):
    (a,) = ns.zeros(2, 4).split(2)
    part = a.tensor_split(2)[1]
    a.relu_()
    return part.requires_grad_().is_leaf, part.requires_grad


def retain_grad_of_a_stale_part(ns):
    y = leaf(ns, 2, 4) * 1
    part = y.split(3, -1)[1]
    part.retain_grad()
    y.mul_(2)
    part.retain_grad()
    return part.retains_grad, y


def requires_grad_off_a_leaf(ns):
    x = leaf(ns, 2)
    x.requires_grad_(False)
    return x.requires_grad, (x * 2).requires_grad


def in_place_operand_is_the_leaf(ns):
    x = leaf(ns, 3)
    y = ns.zeros(3, dtype=ns.float64)
    y.add_(x * 2)
    y.mul_(x)
    weighted(ns, y).backward()
    return y, y.requires_grad, x.grad


def x_times_itself_in_place(ns):
    x = leaf(ns, 3)
    y = x * 1
    y.mul_(y)
    weighted(ns, y).backward()
    return y, x.grad


def hook_before_and_after_a_write(ns):
    x = leaf(ns, 3)
    y = x * 1
    seen = []
    y.register_hook(lambda g: seen.append(("before", g.tolist())))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(("after", g.tolist())))
    weighted(ns, y).backward()
    return seen, x.grad


def retain_grad_then_write(ns):
    x = leaf(ns, 3)
    y = x * 1
    y.retain_grad()
    y.mul_(3)
    weighted(ns, y).backward()
    return y.grad, x.grad


def graph_names(ns):
    x = leaf(ns, 3, 4)
    y = x * 1
    v = y.select(0, 1)
    names = [y.grad_fn.name(), v.grad_fn.name()]
    v.mul_(2)
    names += [y.grad_fn.name(), v.grad_fn.name()]
    y.add_(1)
    return [*names, y.grad_fn.name(), v.grad_fn.name(), v.is_leaf, y._is_view(), v._is_view()]


def double_backward_through_a_written_view(ns):
    x = leaf(ns, 3, 2)
    y = x * x
    y.select(0, 1).mul_(x.select(0, 0))
    (g,) = ns.autograd.grad(weighted(ns, y * y), x, create_graph=True)
    (gg,) = ns.autograd.grad(weighted(ns, g), x)
    return g, gg


def view_taken_before_the_base_is_tracked(ns):
    y = ns.zeros(4, dtype=ns.float64)
    v = y.narrow(0, 0, 2)
    y.add_(leaf(ns, 4))
    weighted(ns, v * v).backward()
    return v.requires_grad, y


def set_data(ns):
    x = leaf(ns, 3)
    x.data = ns.zeros(2, dtype=ns.float64)
    (x * 2).sum().backward()
    return x, x.grad, x._version


def clone_of_a_view_written(ns):
    x = leaf(ns, 4)
    c = x.view(2, 2).clone()
    c.select(0, 0).mul_(2)
    weighted(ns, c).backward()
    return c, x.grad


def cat_of_written_views(ns):
    x = leaf(ns, 4)
    y = x * 1
    a, b = y.narrow(0, 0, 2), y.narrow(0, 2, 2)
    a.mul_(2)
    weighted(ns, ns.cat([b, a, a])).backward()
    return x.grad


def hook_after_a_write_behind_a_retained_gradient(ns):
    x = leaf(ns, 4)
    y, seen = x.view(2, 2) * 3, []
    y.retain_grad()
    y.t_()
    y.register_hook(lambda g: seen.append(g.shape))
    weighted(ns, y).backward()
    return x.grad, y.grad, [tuple(shape) for shape in seen]


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_broadcast_tensors_hands_back_what_has_the_common_shape():
    x, y = minitorch.zeros(2, 3), minitorch.zeros(3)
    a, b = minitorch.broadcast_tensors(x, y)
    assert a is x and b.base is not None and b.shape == (2, 3)
