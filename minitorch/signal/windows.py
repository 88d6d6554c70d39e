"""Window functions of M points: same as torch.signal.windows.

They are symmetric; with `sym=False` they are the first M points of the symmetric window of M + 1, whose period is M.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import minitorch
from minitorch import _dtype as dtypes
from minitorch._layout import strided
from minitorch._ops.check import integer
from minitorch._tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming",
    "hann", "kaiser", "nuttall",
]  # fmt: skip

_OPTIONS = inspect.signature(
    lambda *, dtype=None, layout=strided, device=None, requires_grad=False: None
).parameters.values()

_GENERAL = ("general_hamming", "hamming", "hann", "nuttall")  # of which torch's errors speak as general_cosine


def _window(values: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    """`values(n, M, ...)` for n = 0 ... M - 1 as a tensor, with torch's checks and options of a factory."""
    name = "general_cosine" if values.__name__ in _GENERAL else values.__name__

    @functools.wraps(values)
    def window(
        M: int,
        *,
        dtype: Any = None,
        layout: Any = strided,
        device: Any = None,
        requires_grad: bool = False,
        **shape: Any,
    ) -> Tensor:
        requires_grad = False if requires_grad is None else requires_grad
        M, dtype = integer(M, "M", name), minitorch.get_default_dtype() if dtype is None else dtype
        _check(M >= 0, f"{name} requires non-negative window length, got M={M}")
        _check(layout is strided, f"{name} is implemented for strided tensors only, got: {layout}")
        _check(dtype in (dtypes.float32, dtypes.float64), f"{name} expects float32 or float64 dtypes, got: {dtype}")
        found = values(np.arange(M, dtype=np.float64), M, **shape)
        return minitorch.tensor(found, dtype=dtype, device=device, requires_grad=requires_grad)

    _, length, *own = inspect.signature(values).parameters.values()
    window.__signature__ = inspect.Signature([length, *own, *_OPTIONS], return_annotation=Tensor)  # type: ignore[attr-defined]
    return window


def _check(true: bool, message: str) -> None:
    if not true:
        raise ValueError(message)


def _period(M: int, sym: bool) -> int:
    return M - 1 if sym and M > 1 else M


@_window
def exponential(n: Any, M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True) -> Any:
    """exp(-|n - center| / tau), about the middle if no center is given."""
    _check(tau > 0, f"Tau must be positive, got: {tau} instead.")
    _check(not sym or center is None, "Center must be None for symmetric windows")
    if center is None:
        center = (M if not sym and M > 1 else M - 1) / 2
    return np.exp(-np.abs(n - center) / tau)


@_window
def cosine(n: Any, M: int, *, sym: bool = True) -> Any:
    """sin(pi (n + 1/2) / M)."""
    return np.sin(np.pi * (n + 0.5) / (M + 1 if not sym and M > 1 else M or 1))


@_window
def gaussian(n: Any, M: int, *, std: float = 1.0, sym: bool = True) -> Any:
    """exp(-((n - middle) / std)^2 / 2)."""
    _check(std > 0, f"Standard deviation must be positive, got: {std} instead.")
    middle = (M if not sym and M > 1 else M - 1) / 2
    return np.exp(-(((n - middle) / std) ** 2) / 2)


@_window
def kaiser(n: Any, M: int, *, beta: float = 12.0, sym: bool = True) -> Any:
    """I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta), N the window's period."""
    _check(beta >= 0, f"beta must be non-negative, got: {beta} instead.")
    if M == 1:
        return np.ones(1)
    return np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * n / (_period(M, sym) or 1) - 1) ** 2))) / np.i0(beta)


@_window
def bartlett(n: Any, M: int, *, sym: bool = True) -> Any:
    """The triangle 1 - |2 n / N - 1|, N the window's period."""
    return np.ones(1) if M == 1 else 1 - np.abs(2 * n / (_period(M, sym) or 1) - 1)


def _cosines(n: Any, M: int, sym: bool, *weights: float) -> Any:
    """weights[0] - weights[1] cos(2 pi n / N) + weights[2] cos(4 pi n / N) - ..., N the window's period."""
    if M < 2:
        return np.ones(M)
    angle = 2 * np.pi * n / _period(M, sym)
    return sum((-1) ** k * w * np.cos(k * angle) for k, w in enumerate(weights))


@_window
def general_cosine(n: Any, M: int, *, a: Iterable[float], sym: bool = True) -> Any:
    """a[0] - a[1] cos(2 pi n / N) + a[2] cos(4 pi n / N) - ..., N the window's period."""
    if M > 1 and not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    _check(M < 2 or bool(a), "Coefficients cannot be empty")
    return _cosines(n, M, sym, *(a if M > 1 else ()))


@_window
def general_hamming(n: Any, M: int, *, alpha: float = 0.54, sym: bool = True) -> Any:
    """alpha - (1 - alpha) cos(2 pi n / N), N the window's period."""
    return _cosines(n, M, sym, alpha, 1 - alpha)


@_window
def hamming(n: Any, M: int, *, sym: bool = True) -> Any:
    """0.54 - 0.46 cos(2 pi n / N), N the window's period.

    >>> import minitorch as torch
    >>> torch.signal.windows.hamming(5)
    tensor([0.0800, 0.5400, 1.0000, 0.5400, 0.0800])
    """
    return _cosines(n, M, sym, 0.54, 0.46)


@_window
def hann(n: Any, M: int, *, sym: bool = True) -> Any:
    """1/2 - 1/2 cos(2 pi n / N), N the window's period."""
    return _cosines(n, M, sym, 0.5, 0.5)


@_window
def blackman(n: Any, M: int, *, sym: bool = True) -> Any:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N), N the window's period."""
    return _cosines(n, M, sym, 0.42, 0.5, 0.08)


@_window
def nuttall(n: Any, M: int, *, sym: bool = True) -> Any:
    """The four cosines with Nuttall's weights 0.3635819, 0.4891775, 0.1365995, 0.0106411."""
    return _cosines(n, M, sym, 0.3635819, 0.4891775, 0.1365995, 0.0106411)
