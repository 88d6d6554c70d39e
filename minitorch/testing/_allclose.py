"""The assertion that torch deprecates in favour of assert_close."""

import warnings
from typing import Any

from minitorch import _dtype as dtypes
from minitorch._creation import tensor
from minitorch._tensor import Tensor

from ._comparison import assert_close

# dtype -> (rtol, atol); those of any other are 0
_TOLERANCES = {dtypes.float16: (1e-3, 1e-3), dtypes.float32: (1e-4, 1e-5), dtypes.float64: (1e-5, 1e-8)}


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere; deprecated in torch."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. "
        "Please use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    a = actual if isinstance(actual, Tensor) else tensor(actual)
    b = expected if isinstance(expected, Tensor) else tensor(expected, dtype=a.dtype)
    if rtol is None and atol is None:
        rtol, atol = map(max, zip(*(_TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (a, b))))
    assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)
