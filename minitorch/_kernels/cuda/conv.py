"""Convolution on a GPU, its transpose and its gradient for the weights; volumes and float64 by `patches.py`.

float32 is computed with tf32 if `torch.backends.cudnn.allow_tf32`, as torch does by default, else with three tf32
products, as exact as float32; bfloat16 and float16 are summed in float32.

The transpose is the sum over those taps that meet a pixel: alike for all pixels that lie alike within the stride, so
each such phase is a correlation of its own, without stride (as in `_kernels/cpu/conv.py`).
"""

import itertools
import sys
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from minitorch._kernels import half

from . import array, conv_depthwise, gemm, patches, runtime
from .array import CudaArray
from .conv_kernels import correlate, correlate_weights

CHUNK = 512  # pixels at least to a part of a sum over all pixels


def convolution_forward(
    inferred: Any, x: CudaArray, w: CudaArray, bias: CudaArray | None, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> CudaArray:  # fmt: skip
    """out[n, k, p, q] = bias[k] + sum over c, r, s of w[k, c, r, s] * x[n, c, p', q'], as `cpu/conv.py` has it."""
    if conv_depthwise.fits(x, w.shape, groups):
        out = array.empty(*inferred)
        x, w, planes, stride, padding, dilation = _planes(x, w, out, stride, padding, dilation)
        conv_depthwise.convolve(x, w, bias, planes, stride, padding, dilation, (1, 1), False)
        return out
    if _by_columns(x):
        return patches.convolution(inferred, x, w, bias, stride, padding, dilation, groups)
    out = array.empty(*inferred)
    kind = _kind(x, "convolution")
    x, w, planes, stride, padding, dilation = _planes(x, w, out, stride, padding, dilation)
    if not out.size:
        return out
    taps = tuple(itertools.product(range(w.shape[2]), range(w.shape[3])))
    shifts = tuple((r * dilation[0], s * dilation[1]) for r, s in taps)
    table = _table(w.shape[1], x.shape[2] * x.shape[3], shifts, x.device.index)
    corner = tuple(-p for p in padding)
    _correlate(kind, x, w, table, bias, groups, planes, planes.shape[2:], stride, corner, (0, 0), (1, 1))
    return out


def convolution_transpose(
    inferred: Any, g: CudaArray, w: CudaArray, bias: CudaArray | None, size: Any, stride: Any, padding: Any,
    dilation: Any, groups: int,
) -> CudaArray:  # fmt: skip
    """out[n, c, p', q'] = bias[c] + sum over k, r, s of g[n, k, p, q] * w[k, c, r, s], named as in the convolution."""
    if conv_depthwise.fits(g, w.shape, groups):
        out = array.empty(*inferred)
        g, w, planes, stride, padding, dilation = _planes(g, w, out, stride, padding, dilation)
        corner = tuple((k - 1) * d - p for k, d, p in zip(w.shape[2:], dilation, padding))
        conv_depthwise.convolve(g, w, bias, planes, (1, 1), corner, dilation, stride, True)
        return out
    if _by_columns(g):
        return patches.transpose(inferred, g, w, bias, size, stride, padding, dilation, groups)
    out = array.empty(*inferred)
    kind = _kind(g, "convolution_transpose")
    g, w, planes, stride, padding, dilation = _planes(g, w, out, stride, padding, dilation)
    if not out.size:
        return out
    outer, inner = w.shape[0] // groups, w.shape[1]
    # (group, k, c, r, s) -> (group, c, k, r, s): the channels that are summed lie beside the taps
    swapped = w.restrided(
        (groups, inner, outer, *w.shape[2:]),
        (outer * w.strides[0], w.strides[1], w.strides[0], *w.strides[2:]),
    )
    for phase in itertools.product(*(range(s) for s in stride)):
        pixels = tuple(-(-(n - first) // s) for n, first, s in zip(planes.shape[2:], phase, stride))
        if 0 in pixels or min(pixels) < 0:
            continue
        # rows (columns) of taps whose pixel of g is whole: p = (p' + padding - r * dilation) / stride
        axes = [
            [(r, (first + p - r * d) // s) for r in range(n) if (first + p - r * d) % s == 0]
            for first, p, d, s, n in zip(phase, padding, dilation, stride, w.shape[2:])
        ]
        taps = list(itertools.product(*axes))
        shifts = tuple((a[1], b[1]) for a, b in taps)
        table = _table(outer, g.shape[2] * g.shape[3], shifts, g.device.index)
        weights = _taps(swapped, [(a[0], b[0]) for a, b in taps])
        _correlate(kind, g, weights, table, bias, groups, planes, pixels, (1, 1), (0, 0), phase, stride)
    return out


def convolution_backward_weight(
    inferred: Any, g: CudaArray, x: CudaArray, shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> CudaArray:
    """dw[k, c, r, s] = sum over n, p, q of g[n, k, p, q] * x[n, c, p', q'], named as in the convolution."""
    if g.size and conv_depthwise.fits(x, inferred[0], groups):
        dw = array.empty(*inferred)
        x, w, g, stride, padding, dilation = _planes(x, dw, g, stride, padding, dilation)
        g = g if g.flags.c_contiguous else g.copy()
        return conv_depthwise.backward_weight(g, x, dw, w.shape[2:], stride, padding, dilation)
    if _by_columns(g):
        return patches.backward_weight(inferred, g, x, stride, padding, dilation, groups)
    dw = array.empty(*inferred)
    kind = _kind(g, "convolution_backward_weight")
    if not dw.size:
        return dw
    if not g.size:
        array.fill(dw, 0)
        return dw
    x, w, g, stride, padding, dilation = _planes(x, dw, g, stride, padding, dilation)
    g = g if g.flags.c_contiguous else g.copy()
    m, area, pixels = w.shape[0] // groups, prod(g.shape[2:]), g.shape[0] * prod(g.shape[2:])
    shifts = tuple((r * dilation[0], s * dilation[1]) for r in range(w.shape[2]) for s in range(w.shape[3]))
    table = _table(w.shape[1], x.shape[2] * x.shape[3], shifts, x.device.index)
    n = w.shape[1] * len(shifts)
    tile = 128 if min(m, n) >= 128 else 64
    tiles = (-(-n // tile), -(-m // tile))
    parts = max(1, min(2 * gemm.multiprocessors() // (prod(tiles) * groups), pixels // CHUNK))
    chunk = -(-pixels // (parts * 32)) * 32
    parts = -(-pixels // chunk)
    sums = gemm.room_for_parts(parts, dw, np.dtype(np.float32))
    ends = (g, g.shape[1] * area, m * area, x, x.strides[0] // x.dtype.itemsize, w.shape[1] * prod(x.shape[2:]))
    correlate_weights(kind, tile).launch(
        (*tiles, groups * parts), m, n, pixels, chunk, parts, *ends, *x.shape[2:], table, *g.shape[2:],
        *stride, *(-p for p in padding), sums,
    )  # fmt: skip
    return gemm.parts_added(sums, dw)


# Parts of these


def _by_columns(x: CudaArray) -> bool:
    """Whether `correlate` has no such convolution, which then goes by way of a matrix: volumes, and float64."""
    return x.ndim > 4 or x.dtype == np.float64


def _kind(x: CudaArray, name: str) -> str:
    """The arithmetic for a dtype; NotImplementedError where there is none."""
    if x.dtype == half.BFLOAT16:
        return "bf16"
    if x.dtype == half.FLOAT16:
        return "f16"
    if x.dtype != np.float32:
        raise NotImplementedError(
            f"{name} of dtype {x.dtype} is not implemented for device 'cuda' by minitorch: "
            "compute it on the CPU, x.cpu(), and move the result back"
        )
    settings = sys.modules.get("minitorch.backends.cudnn")  # above kernels; nobody has changed what is not imported
    return "tf32" if settings is None or settings.allow_tf32 else "tf32x3"


def _planes(x: CudaArray, w: CudaArray, out: CudaArray, *places: Any) -> tuple[Any, ...]:
    """Contiguous x and w, out as it is, and stride, padding, dilation: a line becomes a plane one row high."""
    x, w = (a if a.flags.c_contiguous else a.copy() for a in (x, w))
    if x.ndim == 4:
        return (x, w, out, *places)
    x, w, out = (a[:, :, None] for a in (x, w, out))
    return (x, w, out, *((neutral, *place) for neutral, place in zip((1, 0, 1), places)))


_tables: WeakKeyDictionary[runtime.Gpu, dict[Any, CudaArray]] = WeakKeyDictionary()


def _table(channels: int, area: int, shifts: tuple[tuple[int, int], ...], index: int) -> CudaArray:
    """For each channel and tap: where the channel begins, and the tap's distance in rows and columns; kept."""
    tables = _tables.setdefault(runtime.gpu(index), {})
    key = channels, area, shifts
    if key not in tables:
        rows = [(c * area, *shift) for c in range(channels) for shift in shifts]
        tables[key] = array.from_host(np.array(rows or [(0, 0, 0)], np.int32), index)
    return tables[key]


def _taps(w: CudaArray, taps: list[tuple[int, int]]) -> CudaArray:
    """(groups, channels, k, taps): some of the taps of w, dense."""
    out = array.empty((*w.shape[:3], len(taps)), w.dtype)
    from .copy import write

    for i, (r, s) in enumerate(taps):
        write(out[..., i], w[..., r, s])
    return out


def _correlate(
    kind: str, x: CudaArray, w: CudaArray, table: CudaArray, bias: CudaArray | None, groups: int, out: CudaArray,
    pixels: Any, step: Any, corner: Any, first: Any, spacing: Any,
) -> None:  # fmt: skip
    """Launch `correlate` for a grid of pixels that lie `spacing` apart in `out`, from `first` on."""
    size = out.dtype.itemsize
    m, n, k = out.shape[1] // groups, out.shape[0] * prod(pixels), table.shape[0] if w.size else 0
    per = 16 // size
    tile = 128 if -(-m // 128) * -(-n // 128) * groups >= gemm.multiprocessors() and m > 64 else 64
    image, channel, row, column = (stride // size for stride in out.strides)
    start = out.pointer + size * (first[0] * row + first[1] * column)
    group = x.shape[1] // groups * prod(x.shape[2:])
    correlate(kind, k % per == 0 and w.pointer % 16 == 0, tile).launch(
        (-(-n // tile), -(-m // tile), groups), m, n, k, w, x, x.shape[1] * prod(x.shape[2:]), group, *x.shape[2:],
        table, *pixels, *step, *corner, start, image, channel, spacing[0] * row, spacing[1] * column,
        0 if bias is None else bias.pointer, int(bias is not None),
    )  # fmt: skip
