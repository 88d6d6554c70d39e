"""torch.range, which torch deprecates in favour of arange."""

import builtins
from typing import Any

import numpy as np

from minitorch.autograd._warnings import warn

from . import _dtype as dtypes
from ._factory import factory, number
from ._ops.check import check

__all__ = ["range"]


@factory
def range(to: Any, start: Any = 0, end: Any = None, step: Any = 1) -> Any:
    """Deprecated: start, start + step, ... up to `end`, which it includes; `arange` does not."""
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
    )
    given = zip(("start", "end", "step"), builtins.range(1, 4), (start, end, step), strict=True)
    start, end, step = [number("range", name, at, value) for name, at, value in given]
    if to.dtype is not None and to.numpy not in dtypes.FLOATS:
        start, end, step = int(start), int(end), int(step)
    check(step > 0 or step < 0, "step must be nonzero")
    check(np.isfinite(start) and np.isfinite(end), f"unsupported range: {start} -> {end}")
    check((end - start) * step >= 0, "upper bound and lower bound inconsistent with step sign")
    to.refuse_uncommon("range_cpu")
    count = int((end - start) / step) + 1
    if to.where.type != "cpu":
        return to.empty((count,))
    if to.numpy in dtypes.FLOATS:
        return to.holding(np.arange(count) * np.float64(step) + start)
    return to.holding(int(start) + int(step) * np.arange(count))
