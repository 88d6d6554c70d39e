"""`Tensor.grad_dtype`, against torch's."""

import pytest
import torch

import minitorch

BOTH = (torch, minitorch)


def outcome(T, action):
    """What the action gives, as text: torch's errors in full."""
    try:
        return str(action(T))
    except RuntimeError as e:
        return str(e)


def leaf(T, dtype="float32"):
    x = T.ones(2, requires_grad=True)
    x.grad_dtype = getattr(T, dtype)
    return x


def backward_twice(T):
    x = leaf(T, "float64")
    (x * 2).sum().backward()
    first = x.grad
    (x * 2).sum().backward()
    return x.grad, first is x.grad, x.grad_dtype, x.detach().grad_dtype


def recorded(T):
    x = leaf(T, "bfloat16")
    (x**2).sum().backward(create_graph=True)
    return x.grad.detach(), x.grad.requires_grad


def set_before_it_requires_grad(T):
    x = T.ones(2)
    x.grad_dtype = T.float64
    x.requires_grad_()
    (x * 2).sum().backward()
    return x.grad


def any_dtype(T):
    x = T.ones(2, requires_grad=True)
    x.grad_dtype = None
    x.grad = T.ones(2, dtype=T.float64)
    return x.grad_dtype, x.grad


def assigned(T):
    leaf(T, "float64").grad = T.ones(2)


def changed_beside_a_gradient(T):
    x = leaf(T)
    x.grad = T.ones(2)
    x.grad_dtype = T.float64


def set_on_a_result(T):
    (leaf(T) * 2).grad_dtype = T.float64


def set_to_a_number(T):
    leaf(T).grad_dtype = 3


def seen_by_post_hooks(T):
    x, seen = leaf(T, "float64"), []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.dtype))
    x.sum().backward()
    return seen


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
@pytest.mark.parametrize(
    "action",
    [
        lambda T: T.ones(2).grad_dtype, lambda T: T.ones(2, dtype=T.int64).grad_dtype,
        lambda T: (leaf(T) * 2).grad_dtype, backward_twice, recorded, set_before_it_requires_grad, any_dtype, assigned,
        changed_beside_a_gradient, set_on_a_result, set_to_a_number, seen_by_post_hooks,
    ],
)  # fmt: skip
def test_a_leaf_keeps_its_gradient_in_the_dtype_it_names(action):
    theirs, mine = (outcome(T, action) for T in BOTH)
    assert mine.splitlines()[0] == theirs.splitlines()[0]
