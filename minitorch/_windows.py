"""Window functions of signal processing: factories like those of `_creation.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._factory import factory_without_out
from ._ops.check import check, integer


def _window(to: Any, window_length: Any, periodic: Any, value: Callable[[np.ndarray, int], np.ndarray]) -> Any:
    """`value(n, last)` for n = 0 ... last; a periodic window is the symmetric one of one more point without its end."""
    name = to.name
    length = integer(window_length, "window_length", name)
    check(length >= 0, f"{name} requires non-negative window_length, got window_length={length}")
    check(to.numpy in dtypes.FLOATS, f"{name} expects floating point dtypes, got: {dtypes.OF_NUMPY[to.numpy]}")
    if to.where.type != "cpu":
        return to.empty((length,))
    if length < 2:
        return to.filled((length,), 1)
    return to.holding(value(np.arange(length), length if periodic else length - 1))


def _cosines(to: Any, window_length: Any, periodic: Any, *weights: float) -> Any:
    """The window weights[0] - weights[1] cos(2 pi n / last) + weights[2] cos(4 pi n / last) - ..."""
    return _window(
        to,
        window_length,
        periodic,
        lambda n, last: sum((-1) ** k * a * np.cos(2 * np.pi * k * n / last) for k, a in enumerate(weights)),
    )


@factory_without_out
def hann_window(to: Any, window_length: int, periodic: bool = True) -> Any:
    """The window 1/2 - 1/2 cos(2 pi n / N).

    >>> import minitorch as torch
    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _cosines(to, window_length, periodic, 0.5, 0.5)


@factory_without_out
def hamming_window(to: Any, window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46) -> Any:
    """The window alpha - beta cos(2 pi n / N)."""
    return _cosines(to, window_length, periodic, alpha, beta)


@factory_without_out
def blackman_window(to: Any, window_length: int, periodic: bool = True) -> Any:
    """The window 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""
    return _cosines(to, window_length, periodic, 0.42, 0.5, 0.08)


@factory_without_out
def bartlett_window(to: Any, window_length: int, periodic: bool = True) -> Any:
    """The triangle 1 - |2 n / N - 1|."""
    return _window(to, window_length, periodic, lambda n, last: 1 - np.abs(2 * n / last - 1))


@factory_without_out
def kaiser_window(to: Any, window_length: int, periodic: bool = True, beta: float = 12.0) -> Any:
    """The window I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta)."""
    return _window(
        to,
        window_length,
        periodic,
        lambda n, last: np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * n / last - 1) ** 2))) / np.i0(beta),
    )


FACTORIES = {f.__name__: f for f in (hann_window, hamming_window, blackman_window, bartlett_window, kaiser_window)}
