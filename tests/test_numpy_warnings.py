"""NumPy's warnings of overflow, division by zero and nan reach nobody, whatever filters a program sets."""

import warnings

import numpy as np
import opinfo
import pytest
import torch
from torch.utils._pytree import tree_map

import minitorch
from minitorch._kernels.silence import silent

SPECIAL = torch.tensor([0.0, torch.inf, -torch.inf, torch.nan, 3e38, -1.0, 1e-45, 1.0, -3e38])
NAMES = [
    name
    for name, op in opinfo.OPS.items()
    if torch.float32 in op.dtypes and op.name not in opinfo.RANDOM and not name.startswith("signal.windows")
]


def special(x):
    """Zeros, infinities, nan and what overflows in place of a tensor's floats."""
    if not (isinstance(x, torch.Tensor) and x.dtype is torch.float32 and x.layout is torch.strided):
        return x
    return SPECIAL.repeat(x.numel() // SPECIAL.numel() + 1)[: x.numel()].reshape(x.shape)


def check_silence(name, limit):
    op = opinfo.OPS[name]
    function = opinfo.ours(op, op.op)
    for sample in opinfo.samples(op, torch.float32, limit):
        given = sample.input, sample.args, sample.kwargs
        for theirs in (given, tree_map(special, given)):
            x, args, kwargs = map(opinfo.converted, theirs)
            for t in opinfo.leaves((x, args, kwargs), minitorch.Tensor):
                t.requires_grad_(t.is_floating_point())
            with warnings.catch_warnings():
                warnings.resetwarnings()
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", RuntimeWarning)
                try:
                    found = opinfo.leaves(function(x, *args, **kwargs), minitorch.Tensor)
                    for t in found:
                        if t.requires_grad:
                            t.sum().backward(retain_graph=True)
                except RuntimeWarning:
                    raise
                except Exception:
                    continue


@pytest.mark.parametrize("name", NAMES[::7])  # the slow run takes all
def test_special_values_give_no_warnings(name):
    check_silence(name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_special_values_give_no_warnings_in_any_op(name):
    check_silence(name, 8)


def test_filters_set_after_the_import_show_none():
    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        warnings.simplefilter("always")
        x = minitorch.tensor([0.0, -1.0, 3e38], requires_grad=True)
        ((x.log() + x.sqrt() + x / 0 + x * x + x.exp()) @ x + x @ x).backward()
    assert not shown


def test_a_silent_function_is_the_function_without_its_warnings():
    def quotient(x, y=0.0, *, scale=1.0):
        """x / y"""
        return np.divide(x, y) * scale

    made = silent(quotient)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(np.ones(2), scale=-1.0).tolist() == [-np.inf] * 2
        with pytest.raises(RuntimeWarning, match="divide by zero"):
            quotient(np.ones(2))
    assert (made.__name__, made.__doc__, made.__module__) == ("quotient", "x / y", __name__)
    assert silent(np.divide) is np.divide
