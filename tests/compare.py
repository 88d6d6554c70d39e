"""The same call in minitorch and in torch, and what must be equal afterwards."""

import inspect
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch

import minitorch

PAIR = minitorch, torch
FLOATS = "float64", "float32"
INTEGERS = "int64", "int32", "int16", "int8", "uint8"
ALL = (*FLOATS, *INTEGERS, "bool")
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


class Outcome(NamedTuple):
    """What a call gave: a value, or an error."""

    value: Any
    error: Exception | None


def outcome(function, *args, **kwargs):
    try:
        return Outcome(function(*args, **kwargs), None)
    except Exception as error:
        return Outcome(None, error)


def first_line(error):
    """The first line, without the place in torch's sources that its warnings name."""
    return str(error).split("\n")[0].split(" (Triggered internally")[0]


def resolve(ns, name):
    """`nn.functional.relu` in a namespace; `Tensor.view` and operators such as `Tensor.__mul__` as functions."""
    return reduce(getattr, name.split("."), ns)


def array_of(t):
    return t.detach().numpy(force=True)


def strides(t):
    """The strides that mean something: those of dimensions longer than 1."""
    return [s for n, s in zip(t.shape, t.stride()) if n > 1] if t.numel() else None


def assert_same(ours, theirs, tolerance=None, *, check_strides=False, zeros=False):
    """Equal values, dtypes and shapes, through tuples and lists; with `zeros` the signs of zeros too."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, minitorch.Tensor), f"{type(ours)} instead of a Tensor"
        assert str(ours.dtype) == str(theirs.dtype)
        assert tuple(ours.shape) == tuple(theirs.shape)
        assert str(ours.device) == str(theirs.device)
        if check_strides:
            assert strides(ours) == strides(theirs)
        if not theirs.is_meta:
            assert_close(array_of(ours), array_of(theirs), tolerance, zeros)
    elif isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        assert type(ours).__name__ == type(theirs).__name__
        for a, b in zip(ours, theirs):
            assert_same(a, b, tolerance, check_strides=check_strides, zeros=zeros)
    elif isinstance(theirs, (torch.dtype, torch.device)):
        assert str(ours) == str(theirs)
    else:
        assert type(ours) is type(theirs), f"{ours!r} instead of {theirs!r}"
        assert ours == theirs or (ours != ours and theirs != theirs)


def assert_close(ours, theirs, tolerance=None, zeros=False):
    if theirs.dtype.kind != "f":
        np.testing.assert_array_equal(ours, theirs)
        return
    tolerance = TOLERANCE[theirs.dtype.name] if tolerance is None else tolerance
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
    zero = (theirs == 0) & (ours == 0) & zeros
    np.testing.assert_array_equal(np.signbit(ours[zero]), np.signbit(theirs[zero]), "sign of zero")


def assert_same_error(ours, theirs):
    """One class, and the same first line but where torch prints a table of its signatures."""
    assert ours is not None, f"no error, where torch says {theirs!r}"
    if theirs is None:
        raise ours
    assert type(ours).__mro__[0].__name__ == type(theirs).__name__, f"{ours!r} instead of {theirs!r}"
    if "invalid combination of arguments" not in str(theirs):
        assert first_line(ours) == first_line(theirs)


def assert_same_mistake(program, own_words=False):
    """A program that torch refuses: ours is of that class, or derived from it, in the same words unless `own_words`."""
    ours, theirs = [result.error for result in both(program)]
    assert theirs is not None, "torch refuses nothing here"
    assert ours is not None, f"no error, where torch says {theirs!r}"
    mine, wanted = [{c.__name__.lstrip("_") for c in type(e).__mro__} for e in (ours, theirs)]
    assert mine >= wanted, f"{ours!r} instead of {theirs!r}"
    if not own_words and "invalid combination of arguments" not in str(theirs):
        assert first_line(ours) == first_line(theirs)


def assert_same_outcome(ours, theirs, tolerance=None, **options):
    if ours.error is not None or theirs.error is not None:
        assert_same_error(ours.error, theirs.error)
    else:
        assert_same(ours.value, theirs.value, tolerance, **options)


def both(function, *args):
    """function(namespace, *args) in both frameworks: (ours, theirs)."""
    return outcome(function, minitorch, *args), outcome(function, torch, *args)


def programs(names):
    """The functions of one argument `ns` among a module's names, to be run in both frameworks."""
    functions = [f for f in names.values() if inspect.isfunction(f)]
    return [f for f in functions if list(inspect.signature(f).parameters) == ["ns"]]


class EverySample:
    """Runs all samples of a test and fails at its end, with what went wrong in each.

    with EverySample() as sample:
        for dtype in dtypes:
            with sample(dtype):
                assert ...
    """

    def __init__(self):
        self.failures = []

    def __call__(self, *what):
        return _Sample(self.failures, " ".join(map(str, what)))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is None and self.failures:
            raise AssertionError(f"{len(self.failures)} samples fail:\n" + "\n".join(self.failures[:40]))


class _Sample:
    def __init__(self, failures, what):
        self.failures, self.what = failures, what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is None or not issubclass(kind, Exception):
            return False
        self.failures.append(f"{self.what}: {kind.__name__}: {' '.join(str(error).split())[:400]}")
        return True


# ---------------------------------------------------------------------- layouts in memory
def contiguous(a):
    return a.copy()


def transposed(a):
    return np.array(a.T, order="C").T


def sliced(a):
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]) if a.ndim else (2,), a.dtype)
    part = wide[..., ::2] if a.ndim else wide[1]
    part = np.lib.stride_tricks.as_strided(wide[1:], (), ()) if not a.ndim else part
    part[...] = a
    return part


def expanded(a):
    if not a.ndim or not a.size:
        return a.copy()
    return np.lib.stride_tricks.as_strided(a[:1].copy(), a.shape, (0, *a[:1].copy().strides[1:]))


LAYOUTS = {f.__name__: f for f in (contiguous, transposed, sliced, expanded)}


def tensor(ns, array, requires_grad=False):
    """A tensor over an array's own memory, so that its layout is the array's."""
    t = ns.from_numpy(array)
    return t.requires_grad_() if requires_grad else t


# ---------------------------------------------------------------------- what programs are written with
def f(ns):
    return ns.nn.functional


def leaf(ns, *shape):
    return ns.ones(*shape, requires_grad=True)


def leaf_of(ns, *values):
    return ns.tensor([float(v) for v in values], dtype=ns.float64, requires_grad=True)


def longs(ns, *values):
    return ns.tensor(values, dtype=ns.int64)
