"""Kernels over rows as kernels that threads share: a part is the serial kernel on some of the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch._kernels import cache

from . import threads

TEXT = """from minitorch._kernels.cpu.inner import inner
from minitorch._kernels.cpu.parallel import share_of, split
{source}
@inner()
def part_(part, parts, {params}):
    begin, end = share_of({first}.shape[0], part, parts)
    serial({arguments})
@njit(cache=True, nogil=True, error_model='numpy', _nrt=False)
def kernel(crew, parts, {params}):
    split(crew, part_, parts, (parts, {params}))
"""
# Bytes that one thread passes in a nanosecond if the kernel computes much, and if it does little but read and write:
# from a cache; from main memory it is less, of arrays that are shared anyhow.
BYTES, BYTES_MOVED = 10, 60
BLOCKS = 16  # of rows, at most, whose sums are kept apart


def over_rows(name: str, source: str, params: str, rows: str, own: str = "") -> Callable[..., None]:
    """kernel(crew, parts, *params): what the text `source` defines with these parameters, on parts of rows.

    It defines `serial`, or `kernel` as a generated file does. Of the arrays named in `rows` each part gets some rows,
    of those in `own` the row with its number, and of all else the whole.
    """
    windows = {**dict.fromkeys(rows.split(), "[begin:end]"), **dict.fromkeys(own.split(), "[part]")}
    source = source.replace("def kernel(", "def serial(").replace("@njit(cache=True, ", "@inner(")
    text = TEXT.format(
        source=source, params=", ".join(params.split()), first=rows.split()[0],
        arguments=", ".join(p + windows.get(p, "") for p in params.split()),
    )  # fmt: skip
    return cache.load(f"{name}_shared", text).kernel


class Rows:
    """A kernel of a file in `_kernels/cpu/`, called as it is there, and shared among threads where that pays.

    With `own`, arrays of one row for each block of rows, the blocks depend on the number of rows alone.
    """

    def __init__(self, file: str, function: str, params: str, rows: str, own: str = "", speed: int = BYTES):
        self.file, self.function, self.names, self.speed = file, function, (params, rows, own), speed
        self.sliced = [i for i, p in enumerate(params.split()) if p in rows.split()]
        self._shared: Any = None

    def work(self, *args: Any) -> int:
        """About how many nanoseconds one thread takes."""
        return sum([args[i].nbytes for i in self.sliced]) // self.speed

    def __call__(self, *args: Any) -> None:
        crew, parts = threads.share(self.work(*args), len(args[self.sliced[0]]))
        if crew:
            self.in_parts(crew, parts, *args)
        else:
            self._serial()(*args)

    def _serial(self) -> Any:
        return getattr(cache.load_file(f"cpu.{self.file}"), self.function)

    def is_cut(self, *args: Any) -> bool:
        """Whether `with_sums` adds up blocks of rows, and not all of them in order."""
        most = args[0].nbytes * len(self.sliced) // self.speed  # no array of rows is larger than the first
        return most >= threads.SERIAL and threads.cuts(self.work(*args), min(BLOCKS, len(args[0])))

    def with_sums(self, width: int, *args: Any) -> tuple[Any, Any]:
        """The kernel, and the two rows of so many sums over all rows that are its last parameters, of float64."""
        if not self.is_cut(*args):
            total, product = np.zeros(width), np.zeros(width)
            self._serial()(*args, total, product)
            return total, product
        blocks = min(BLOCKS, len(args[0]))
        crew, _ = threads.share(self.work(*args), blocks)
        sums = np.zeros((2, blocks, width))
        self.in_parts(crew, blocks, *args, *sums)
        return tuple(sums.sum(1))

    def in_parts(self, crew: int, parts: int, *args: Any) -> None:
        """The kernel on so many parts."""
        if self._shared is None:
            source = f"from numba import njit\nfrom minitorch._kernels.cpu.{self.file} import {self.function} as serial"
            self._shared = over_rows(self.function, source, *self.names)
        self._shared(crew, parts, *args)


channel_affine = Rows("normalization", "channel_affine", "x mean scale offset out", "x out", speed=BYTES_MOVED)
channel_gradient = Rows(
    "normalization", "channel_gradient", "g x mean scale slope offset dx", "g x dx", speed=BYTES_MOVED
)
group_norm = Rows(
    "normalization", "group_norm", "x weight bias eps sums factors mean rstd out", "x sums factors mean rstd out"
)
group_norm_sums = Rows("normalization", "group_norm_sums", "g x mean sums", "g x mean sums")
group_norm_gradient = Rows(
    "normalization", "group_norm_gradient", "g x weight rstd sums factors dx", "g x rstd sums factors dx"
)
layer_norm = Rows("normalization", "layer_norm", "x w b eps out mean rstd", "x out mean rstd")
resample = Rows(
    "channels_last", "resample", "lines x down rows down_weights along columns along_weights out", "lines out"
)
max_pool = Rows("channels_last", "max_pool", "lines x down along apart out indices", "lines out indices")
max_pool_backward = Rows("channels_last", "max_pool_backward", "g indices dx", "g indices dx")
_channel_sums = Rows("normalization", "channel_sums", "g x origin s q", "g x", "s q", speed=BYTES_MOVED)
_layer_norm_gradients = Rows(
    "normalization", "layer_norm_gradients", "g x w mean rstd dx dw db", "g x mean rstd dx", "dw db"
)


def batch_norm(x: Any, weight: Any, bias: Any, eps: float, mean: Any, var: Any, out: Any) -> None:
    """Fills mean and variance of the channels of x (N, C, L), and out, which is x normalised by them."""
    channels = x.shape[1]
    if not _channel_sums.is_cut(x, x):
        kernel = cache.load_file("cpu.normalization").batch_norm
        kernel(x, weight, bias, eps, np.empty((3, channels)), np.empty(channels, mean.dtype), mean, var, out)
        return
    mean[...], exact = channel_moments(x)
    var[...] = exact
    with np.errstate(all="ignore"):
        scale = weight / np.sqrt(exact + eps)
    channel_affine(x, mean, scale.astype(x.dtype), bias, out)


def channel_moments(x: Any) -> tuple[Any, Any]:
    """(mean, variance) of each channel of (N, C, L), of float64."""
    origin = x[0, :, 0].astype(np.float64)
    with np.errstate(all="ignore"):
        total, product = channel_sums(x, x, origin)
        n = x.size // x.shape[1]
        mean = total / n
        return mean, np.maximum(product / n - mean * (mean - origin), 0.0)


def channel_sums(g: Any, x: Any, origin: Any) -> tuple[Any, Any]:
    """The sums over n and l of g[n, c, l] and of g[n, c, l] * (x[n, c, l] - origin[c]), of float64."""
    return _channel_sums.with_sums(x.shape[1], g, x, origin)


def layer_norm_gradients(width: int, g: Any, x: Any, w: Any, mean: Any, rstd: Any, dx: Any) -> tuple[Any, Any]:
    """Fills dx; returns dw and db, of float64 and that width: see `normalization.layer_norm_gradients`."""
    return _layer_norm_gradients.with_sums(width, g, x, w, mean, rstd, dx)
