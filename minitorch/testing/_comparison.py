"""assert_close: equality up to rounding of numbers, tensors, and containers of them."""

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import as_tensor
from minitorch._tensor import Tensor

__all__ = ["assert_close"]

# dtype -> (rtol, atol); all others must be equal
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
}


class _Options(NamedTuple):
    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, *kinds: Any) -> tuple[float, float]:
        """(rtol, atol): as given, else the larger of the dtypes'."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [TOLERANCES.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(r for r, _ in pairs), max(a for _, a in pairs)


class _Mismatch(AssertionError):
    """What differs, and where in the containers."""


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, arrays and numbers, and sequences and mappings of them; without tolerances those of the dtype hold.
    `msg` replaces the message, or makes one of it.

    >>> import minitorch as torch
    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.000001]))
    >>> torch.testing.assert_close([torch.tensor([1, 2])], [torch.tensor([1, 3])])
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not equal!
    ...
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    options = _Options(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    text = None
    try:
        for compare, a, b, path in list(_pairs(actual, expected, options, "")):
            text = compare(a, b, options)
            if text is not None:
                text += f"\n\nThe failure occurred for item {path}" if path else ""
                break
    except _Mismatch as e:
        text = str(e)
    if text is not None:
        raise AssertionError(text if msg is None else msg(text) if callable(msg) else msg)


# ---------------------------------------------------------------------- containers
def _pairs(actual: Any, expected: Any, options: _Options, path: str) -> Iterator[tuple[Any, Any, Any, str]]:
    """(how to compare, two values, where they are) for each two values in the containers."""
    at = f"\n\nThe failure occurred for item {path}" if path else ""
    if all(isinstance(v, Sequence) and not isinstance(v, str) for v in (actual, expected)):
        if len(actual) != len(expected):
            raise _Mismatch(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}" + at)
        for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
            yield from _pairs(a, b, options, f"{path}[{i}]")
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing, additional = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        if missing or additional:
            raise _Mismatch(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing, key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(additional, key=str)}" + at
            )
        for key in _in_order(expected):
            yield from _pairs(actual[key], expected[key], options, f"{path}[{key!r}]")
    else:
        yield _comparison(actual, expected, options), actual, expected, path


def _in_order(mapping: Mapping) -> list[Any]:
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def _comparison(actual: Any, expected: Any, options: _Options) -> Callable[[Any, Any, _Options], str | None]:
    """How two values are compared."""
    both = (actual, expected)
    if actual is None or expected is None:
        return _compare_none
    if all(isinstance(v, (bool, np.bool_)) for v in both):
        return _compare_bools
    if all(isinstance(v, (numbers.Number, np.number)) for v in both):
        return _compare_numbers
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if related and (options.allow_subclasses or type(actual) is type(expected)):
        if all(isinstance(v, (Tensor, np.ndarray)) for v in both):
            return _compare_tensors
    raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")


# ---------------------------------------------------------------------- two values
def _compare_none(actual: Any, expected: Any, options: _Options) -> str | None:
    return None if actual is expected else f"None mismatch: {actual} is not {expected}"


def _compare_bools(actual: Any, expected: Any, options: _Options) -> str | None:
    return None if actual == expected else f"Booleans mismatch: {bool(actual)} is not {bool(expected)}"


def _compare_numbers(actual: Any, expected: Any, options: _Options) -> str | None:
    if options.check_dtype and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    kinds = [dtypes.float64 if isinstance(v, (float, np.floating)) else dtypes.int64 for v in (actual, expected)]
    rtol, atol = options.tolerances(*kinds)
    difference = abs(actual - expected)
    if actual == expected or (options.equal_nan and actual != actual and expected != expected):
        return None
    if np.isfinite(difference) and difference <= atol + rtol * abs(expected):
        return None
    relative = float("inf") if expected == 0 else difference / abs(expected)
    return _scalars(actual, expected, difference, relative, rtol, atol)


def _compare_tensors(actual: Any, expected: Any, options: _Options) -> str | None:
    a, b = as_tensor(actual).detach(), as_tensor(expected).detach()
    text = _compare_attributes(a, b, options)
    if text is not None:
        return text
    if a.is_meta or b.is_meta:
        raise NotImplementedError("Comparing meta tensors is currently not supported")
    if a.is_sparse or b.is_sparse:
        raise NotImplementedError("assert_close: sparse tensors are not supported by minitorch")
    rtol, atol = options.tolerances(a.dtype, b.dtype)
    common = dtypes.promote_types(a.dtype, b.dtype)
    a, b = a.to(common), b.to(common)
    if not common.is_floating_point:
        a, b = a.to(dtypes.int64), b.to(dtypes.int64)
    close = a.isclose(b, rtol=rtol, atol=atol, equal_nan=options.equal_nan)
    if bool(close.all()):
        return None
    difference = (a - b).abs()
    difference = difference.masked_fill(close, 0)
    relative = (difference / b.abs()).masked_fill(close, 0)
    if not a.shape:
        return _scalars(a.item(), b.item(), difference.item(), relative.item(), rtol, atol)
    wrong, total = int(close.logical_not().sum().item()), close.numel()
    return "\n".join(
        [
            f"Tensor-likes are not {_relation(rtol, atol)}!\n",
            f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})",
            _greatest("absolute", difference, atol, rtol, atol),
            _greatest("relative", relative, rtol, rtol, atol),
        ]
    )


def _compare_attributes(a: Tensor, b: Tensor, options: _Options) -> str | None:
    checked = {
        "shape": (True, a.shape, b.shape),
        "layout": (options.check_layout, a.layout, b.layout),
        "device": (options.check_device, a.device, b.device),
        "dtype": (options.check_dtype, a.dtype, b.dtype),
        "stride()": (options.check_stride, a.stride(), b.stride()),
    }
    for name, (wanted, mine, theirs) in checked.items():
        if wanted and mine != theirs:
            return f"The values for attribute {name!r} do not match: {mine} != {theirs}."
    return None


# ---------------------------------------------------------------------- messages
def _relation(rtol: float, atol: float) -> str:
    return "equal" if rtol == atol == 0 else "close"


def _allowed(limit: float, rtol: float, atol: float) -> str:
    return "" if rtol == atol == 0 else f" (up to {limit} allowed)"


def _scalars(actual: Any, expected: Any, difference: Any, relative: Any, rtol: float, atol: float) -> str:
    return (
        f"Scalars are not {_relation(rtol, atol)}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {difference}{_allowed(atol, rtol, atol)}\n"
        f"Relative difference: {relative}{_allowed(rtol, rtol, atol)}"
    )


def _greatest(kind: str, differences: Tensor, limit: float, rtol: float, atol: float) -> str:
    value, at = differences.flatten().max(0)
    index = tuple(int(i) for i in np.unravel_index(int(at.item()), tuple(differences.shape)))
    return f"Greatest {kind} difference: {value.item()} at index {index}{_allowed(limit, rtol, atol)}"
