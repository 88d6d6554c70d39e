"""The same data in both frameworks, and what indexing must leave equal."""

import warnings

import numpy as np
import torch

import minitorch

BOTH = (minitorch, torch)


def pair(array, grad=False):
    """The same data as a tensor of each framework."""
    made = []
    for lib in BOTH:
        t = lib.tensor(array)
        made.append(t.requires_grad_() if grad else t)
    return made


def numbers(shape, dtype=np.float64, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * 4).astype(dtype)


def outcome(function, *args):
    """("ok", result), or ("error", class, first line)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return "ok", function(*args)
        except Exception as e:
            return "error", type(e), str(e).split("\n")[0]


def assert_same(ours, theirs):
    """Values, dtype and shape of tensors, or of tuples of them."""
    if isinstance(theirs, (tuple, list)) and not isinstance(theirs, torch.Size):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert_same(a, b)
        return
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs
        return
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad
    np.testing.assert_allclose(
        ours.detach().numpy(),
        theirs.detach().numpy(),
        rtol=1e-6 if ours.dtype.itemsize < 8 else 1e-12,
    )


def assert_same_outcome(ours, theirs):
    assert ours[0] == theirs[0], f"minitorch: {ours[:3]}, torch: {theirs[:3]}"
    if ours[0] == "ok":
        assert_same(ours[1], theirs[1])
    else:
        assert ours[1:] == theirs[1:]
