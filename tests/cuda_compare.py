"""Ops on an emulated GPU, by the kernels' very source, against PyTorch's on the CPU."""

import numpy as np
import pytest
import torch

import minitorch
from tests.emulated_gpu import emulated


@pytest.fixture
def gpu():
    """A GPU made of host memory, for a test."""
    with emulated() as device:
        yield device


def same(function, *arrays, error=2e-6):
    """`function(torch, *tensors)` gives on the emulated GPU what it gives in PyTorch, to within a relative error.

    Arrays of float32 reach PyTorch as float64, so that the error is the kernel's own; `error` 0 is for exact results.
    """
    wide = [a.astype(np.float64) if a.dtype == np.float32 and error else a for a in arrays]
    expected = function(torch, *map(torch.from_numpy, wide))
    found = function(minitorch, *[minitorch.from_numpy(a).cuda() for a in arrays])
    pairs = zip(found, expected, strict=True) if isinstance(found, (tuple, list)) else [(found, expected)]
    for ours, theirs in pairs:
        assert ours.is_cuda and ours.shape == theirs.shape
        widened = {"float32": ("float32", "float64")}.get(str(ours.dtype).removeprefix("torch."))
        assert str(theirs.dtype).removeprefix("torch.") in (widened or (str(ours.dtype).removeprefix("torch."),))
        a, b = (t.double() if t.is_floating_point() else t for t in (ours.cpu(), theirs))
        np.testing.assert_allclose(a.numpy(), b.numpy(), error, error * max(1.0, _size(b)))


def _size(t):
    finite = t[torch.isfinite(t) & t.is_floating_point()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def gradients(torch, function, *tensors):
    """The gradients of a function's sum."""
    given = [t.clone().requires_grad_() for t in tensors]
    function(*given).sum().backward()
    return [t.grad for t in given]


def normal(*shape, seed=0):
    """float32 numbers of a normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def mostly_slow(values, quick):
    """Parameters of a test, all marked slow but the quick ones, which are words of one string."""
    return [v if str(v) in quick.split() else pytest.param(v, marks=pytest.mark.slow) for v in values]
