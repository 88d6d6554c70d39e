"""make_tensor: tensors of random values to test with."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from minitorch._creation import empty
from minitorch._dtype import bool as bool_dtype
from minitorch._dtype import int64
from minitorch._ops.random_creation import FACTORIES
from minitorch._tensor import Tensor
from minitorch._type_info import finfo, iinfo

__all__ = ["make_tensor"]


def _bounds(low: Any, high: Any, dtype: Any) -> tuple[Any, Any]:
    """The interval of the values, within what the dtype holds."""
    lowest: float
    highest: float
    if dtype is bool_dtype:
        lowest, highest, defaults = 0, 2, (0, 2)
    elif dtype.is_floating_point:
        lowest, highest, defaults = finfo(dtype).min, finfo(dtype).max, (-9, 9)
    else:
        lowest, highest = iinfo(dtype).min, iinfo(dtype).max + (dtype is not int64)
        defaults = (-9, 10)
    low, high = defaults[0] if low is None else low, defaults[1] if high is None else high
    if any(isinstance(v, float) and math.isnan(v) for v in (low, high)):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low == high and dtype.is_floating_point:
        warnings.warn(
            "Passing `low==high` to `torch.testing.make_tensor` for floating or complex types is deprecated since 2.1 "
            "and will be removed in 2.3. Use `torch.full(...)` instead.",
            FutureWarning,
            stacklevel=3,
        )
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    elif high < lowest or low >= highest:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
            f"[{lowest}, {highest})"
        )
    low, high = min(max(low, lowest), highest), min(max(high, lowest), highest)
    return (low, high) if dtype.is_floating_point else (math.ceil(low), math.ceil(high))


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Uniform random values in [low, high), by default in [-9, 9), or of integers up to 9.

    noncontiguous: every second element of a larger tensor. exclude_zero: zeros become 1, or a float's smallest value.

    >>> import minitorch as torch
    >>> t = torch.testing.make_tensor(2, 3, dtype=torch.float32, device="cpu", noncontiguous=True)
    >>> t.shape, t.is_contiguous()
    (torch.Size([2, 3]), False)
    """
    if len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = tuple(shape[0])
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"{noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not dtype.is_floating_point:
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    spread = noncontiguous and math.prod(shape) > 1
    low, high = _bounds(low, high, dtype)
    made = _random((*shape[:-1], 2 * shape[-1]) if spread else shape, low, high, dtype, device)
    if spread:
        made = made[..., 1::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = finfo(dtype).tiny if dtype.is_floating_point else 1
    return made.requires_grad_(requires_grad)


def _random(shape: tuple[int, ...], low: Any, high: Any, dtype: Any, device: Any) -> Tensor:
    if not dtype.is_floating_point:
        randint: Any = FACTORIES["randint"]
        return randint(low, high, shape, device=device, dtype=dtype)
    made = empty(shape, device=device, dtype=dtype)
    if high - low >= finfo(dtype).max:  # too wide an interval for the generator
        return made.uniform_(low / 2, high / 2).mul_(2)
    return made.uniform_(low, high)
