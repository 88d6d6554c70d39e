"""Powers by numbers, of which some have loops of their own: values, first and second gradients at the line's ends."""

import numpy as np
import pytest
import torch

import minitorch

EXPONENTS = [0, 1, 2, 3, 4, -1, -2, -3, 0.5, -0.5, 1.5, -1.5, 0.0, 1.0, -2.0, True]
ENDS = [0.3, 2.0, 0.0, -0.0, -1.5, 1e30, 1e-30, float("inf"), -float("inf"), float("nan")]


def gradients(ns, exponent, dtype):
    """The power, what its node is called and keeps, its gradient and that gradient's."""
    x = ns.tensor(ENDS, dtype=getattr(ns, dtype), requires_grad=True)
    y = x**exponent
    (first,) = ns.autograd.grad(y.sum(), x, create_graph=True)
    second = ns.autograd.grad(first.sum(), x)[0].numpy() if first.requires_grad else None
    return y.grad_fn.name(), y.grad_fn._saved_exponent, y.detach().numpy(), first.detach().numpy(), second


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_and_their_gradients_are_torchs(exponent, dtype):
    ours, theirs = (gradients(ns, exponent, dtype) for ns in (minitorch, torch))
    assert ours[:2] == theirs[:2]
    for a, b in zip(ours[2:], theirs[2:], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-6 if dtype == "float32" else 1e-14)
            np.testing.assert_array_equal(np.signbit(a[b == 0]), np.signbit(b[b == 0]))


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("dtype", ["int64", "float16", "bool"])
def test_other_dtypes_and_in_place_are_torchs(dtype, exponent):
    def outcome(ns, power):
        x = ns.tensor([0, 1, 2, 3]).to(getattr(ns, dtype))
        try:
            return power(x).tolist(), str(x.dtype)
        except RuntimeError as e:
            return str(e)

    for power in (lambda x: x**exponent, lambda x: x.pow_(exponent)):
        assert outcome(minitorch, power) == outcome(torch, power)
