"""What makes a tensor a leaf and what ends that: requires_grad, detach, an assigned grad, copies."""

import warnings

import pytest
from compare import assert_same_outcome, both, leaf_of, programs


# ---------------------------------------------------------------------- programs: each returns what must be equal
def leaf_requires_grad_again(ns):
    x = leaf_of(ns, 1.0, 2.0)
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
    x = leaf_of(ns, 1.0, 2.0)
    y = x * 2
    x.requires_grad_(False)
    y.sum().backward()
    return x.grad, x.requires_grad


def integer_leaf(ns):
    ns.ones(2, dtype=ns.int64).requires_grad_()


def integer_leaf_made(ns):
    ns.tensor([1, 2], requires_grad=True)


def integer_result_of_a_float(ns):
    x = leaf_of(ns, 1.5)
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
    x = leaf_of(ns, 1, 2)
    x.grad = ns.ones(2, dtype=ns.float64)
    (x * 2).sum().backward()
    return x.grad


def assigned_grad_of_wrong_shape(ns):
    leaf_of(ns, 1, 2).grad = ns.ones(3, dtype=ns.float64)


def assigned_grad_of_wrong_dtype(ns):
    leaf_of(ns, 1, 2).grad = ns.ones(2)


def assigned_grad_of_wrong_type(ns):
    leaf_of(ns, 1, 2).grad = 3


def nonleaf_grad_warns(ns):
    return (leaf_of(ns, 1) * 2).grad


def detached(ns):
    x = leaf_of(ns, 1, 2)
    y = x * 2
    d = y.detach()
    z = (d * x).sum()
    z.backward()
    return x.grad, d.requires_grad, d.is_leaf


def detach_in_place(ns):
    x = leaf_of(ns, 1)
    y = x * 2
    y.detach_()
    return y.requires_grad, y.is_leaf, y.grad_fn is None


def numpy_of_tracked(ns):
    leaf_of(ns, 1).numpy()


def deepcopy_of_nonleaf(ns):
    import copy

    copy.deepcopy(leaf_of(ns, 1) * 2)


def deepcopy_of_leaf(ns):
    import copy

    x = leaf_of(ns, 1, 2)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    y.grad.zero_()
    return y, y.requires_grad, x.grad, y.grad


def variable_of_a_leaf_that_has_gone(ns):
    y = (leaf_of(ns, 1, 2) * 3).sum()
    node = y.grad_fn.next_functions[0][0].next_functions[0][0]
    x = node.variable
    y.backward()
    return x, x.is_leaf, x.requires_grad, node.variable is x, x.grad


def variable_of_a_gone_leaf_whose_data_was_exchanged(ns):
    x = ns.ones(3, requires_grad=True)
    x.data = ns.zeros(2)
    y = x.sum()
    del x
    return y.grad_fn.next_functions[0][0].variable


def hook_of_a_leaf_that_has_gone(ns):
    x = leaf_of(ns, 1, 2)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.extend([t, t.grad]))
    y = (x * 3).sum()
    del x
    y.backward()
    return seen


def hook_of_a_gone_leaf_under_create_graph(ns):
    x = leaf_of(ns, 1, 2)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad))
    y = (x * x).sum()
    del x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of the cycle that such a gradient is
        y.backward(create_graph=True)
    return seen


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))
