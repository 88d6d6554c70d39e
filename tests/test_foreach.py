"""torch._foreach_*, which optimizers and gradient clipping written for PyTorch call."""

import pytest
import torch
from compare import assert_same_outcome, outcome

import minitorch

NAMES = [n for n in dir(torch) if n.startswith("_foreach_")]
THREE = "addcmul addcmul_ addcdiv addcdiv_".split()
NUMBERS = "add clamp_max clamp_min div maximum minimum mul pow sub".split()


def lists(t, rng_values):
    return [t.tensor(v).requires_grad_().clone() for v in rng_values]


def calls(name):
    """What the function takes: `a` and `b` are lists of two tensors, `t` is the namespace."""
    plain = name.removeprefix("_foreach_")
    if plain.rstrip("_") in NUMBERS:
        yield lambda t, f, a, b: f(a, b)
        yield lambda t, f, a, b: f(a, 2)
        yield lambda t, f, a, b: f(a, [2.5, 3])
        yield lambda t, f, a, b: f(a, t.tensor(2.0))
        yield lambda t, f, a, b: f(a, scalars=[2.5, 3])
        yield lambda t, f, a, b: f(a, exponent=2)
        yield lambda t, f, a, b: f(a, b[:1])
        yield lambda t, f, a, b: f(a, [1, 2, 3])
        yield lambda t, f, a, b: f(a, "x")
        if plain.rstrip("_") in ("add", "sub"):
            yield lambda t, f, a, b: f(a, b, alpha=2)
    elif plain in THREE:
        yield lambda t, f, a, b: f(a, b, b)
        yield lambda t, f, a, b: f(a, b, b, value=2)
        yield lambda t, f, a, b: f(a, b, b, [2, 0.5])
        yield lambda t, f, a, b: f(a, b, b, scalars=[2, 0.5])
        yield lambda t, f, a, b: f(a, b, b, t.tensor([2, 0.5]))
        yield lambda t, f, a, b: f(a, b, b, t.tensor([2.0]))
        yield lambda t, f, a, b: f(a, b, b[:1])
    elif plain.startswith("lerp"):
        yield lambda t, f, a, b: f(a, b, 0.25)
        yield lambda t, f, a, b: f(a, b, [0.25, 0.75])
        yield lambda t, f, a, b: f(a, b, b)
    elif plain in ("norm", "powsum"):
        yield lambda t, f, a, b: f(a)
        yield lambda t, f, a, b: f(a, 1)
        yield lambda t, f, a, b: f(a, ord=3, dtype=t.float64)
    elif plain == "mm":
        yield lambda t, f, a, b: f(a[1:], b[1:])
    elif plain == "copy_":
        yield lambda t, f, a, b: f(a, b)
    else:
        yield lambda t, f, a, b: f(a)
        yield lambda t, f, a, b: f([])
        yield lambda t, f, a, b: f(a[0])


@pytest.mark.parametrize("name", NAMES)
def test_each_tensor_gets_what_torch_gives_it(name, rng):
    values = [rng.random(shape, "float32") * 0.8 + 0.1 for shape in ((3,), (2, 2), (3,), (2, 2))]

    def call(t, form):
        a, b = lists(t, values[:2]), lists(t, values[2:])
        result = form(t, getattr(t, name), a, b)
        assert (result is a) == name.endswith("_")
        return result

    for form in calls(name):
        ours, theirs = (outcome(call, t, form) for t in (minitorch, torch))
        assert_same_outcome(ours, theirs)


def test_powers_of_one_number():
    for t in (minitorch, torch):
        (result,) = t._foreach_pow(2, [t.tensor([1.0, 3.0])])
        assert result.tolist() == [2.0, 8.0]


def test_gradients_pass():
    for t in (minitorch, torch):
        x, y = t.ones(2, requires_grad=True), t.ones(3, requires_grad=True)
        a, b = t._foreach_mul([x, y], [2.0, 3.0])
        (a.sum() + b.sum()).backward()
        assert x.grad.tolist() + y.grad.tolist() == [2.0, 2.0, 3.0, 3.0, 3.0]


def test_a_name_that_torch_lacks_is_missing():
    assert not hasattr(minitorch, "_foreach_relu")
