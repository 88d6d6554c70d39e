"""torch.fft as far as it needs no complex tensors."""

import numpy as np
import pytest
import torch
from compare import assert_same_outcome, both, tensor

import minitorch


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies_are_torchs(name, n):
    def run(ns):
        function = getattr(ns.fft, name)
        out = ns.empty(0)
        function(n, 0.3, out=out)
        return function(n), function(n, 0.25), function(n, dtype=ns.float64), out, function(n, requires_grad=True)

    assert_same_outcome(*both(run))


@pytest.mark.parametrize("shape", [(5,), (4,), (3, 4), (0,), ()])
@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts_are_torchs(name, shape):
    def run(ns):
        x = tensor(ns, np.arange(float(np.prod(shape))).reshape(shape), True)
        function = getattr(ns.fft, name)
        y = function(x)
        dims = [function(x, d) for d in ([0, -1, (0,), [-1]] if shape else [])]
        return y, dims, ns.autograd.grad((y * y).sum(), x)

    assert_same_outcome(*both(run))


@pytest.mark.parametrize("call", [lambda ns: ns.fft.fftshift(3), lambda ns: ns.fft.fftshift(ns.ones(3), 1)])
def test_wrong_arguments_are_torchs_errors(call):
    ours, theirs = both(call)
    assert type(ours.error) is type(theirs.error)


def test_transforms_say_what_they_lack():
    for name in ("fft", "rfft", "irfftn"):
        assert callable(getattr(torch.fft, name))
        with pytest.raises(NotImplementedError, match=rf"torch\.fft\.{name} .* no complex tensors"):
            getattr(minitorch.fft, name)(minitorch.ones(4))
