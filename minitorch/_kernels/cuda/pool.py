"""Max pooling with torch's indices, and its gradient, which every input element gathers: no atomics, so sums repeat."""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy, index
from .array import CudaArray, empty
from .block import BLOCK
from .device import WORDS, advance, blockIdx, i4, i8, threadIdx, where  # type: ignore[attr-defined]
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

SPACE = 3
SIZES = " ".join(["i4"] * 18)  # of x, out, kernel, stride, padding, dilation


def place_in_volume(i, depth, height, width):
    """(plane, depth, row, column) of element i."""
    line = i // width
    sheet = line // height
    plane = sheet // depth
    return plane, sheet - plane * depth, line - sheet * height, i - line * width


def window(i, inputs, outputs):
    """The first input of window i of those that cover a dimension evenly, and the first behind it."""
    return i * inputs // outputs, ((i + 1) * inputs + outputs - 1) // outputs


def largest(x, d0, d1, dd, h0, h1, dh, w0, w1, dw, height, width, read):
    """Where in a window the largest element lies: the first of equals, and the last nan before all."""
    place = (d0 * height + h0) * width + w0
    best = read(x[place])
    for a in range(d0, d1, dd):
        for b in range(h0, h1, dh):
            for c in range(w0, w1, dw):
                at = (a * height + b) * width + c
                value = read(x[at])
                if value > best or value != value:
                    best = value
                    place = at
    return place


@cache
def max_pool_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, out, indices, count, sizes of x, sizes of out, kernel, stride, padding, dilation), three of each."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)

    @kernel(f"{code}* {code}* i8* i4 {SIZES}", block=BLOCK)
    def max_pool(
        x, out, indices, count, depth, height, width, out_depth, out_height, out_width, kd, kh, kw, sd, sh, sw, pd, ph,
        pw, dd, dh, dw,
    ):  # fmt: skip
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            plane, d, h, w = place_in_volume(i, out_depth, out_height, out_width)
            d = d * sd - pd
            h = h * sh - ph
            w = w * sw - pw
            start = i8(plane) * (depth * height * width)
            # the first place of the window that lies within x, and so for the other dimensions
            d0 = d + (max(-d, 0) + dd - 1) // dd * dd
            h0 = h + (max(-h, 0) + dh - 1) // dh * dh
            w0 = w + (max(-w, 0) + dw - 1) // dw * dw
            d1 = min(d + kd * dd, depth)
            h1 = min(h + kh * dh, height)
            w1 = min(w + kw * dw, width)
            place = largest(advance(x, start), d0, d1, dd, h0, h1, dh, w0, w1, dw, height, width, read)
            out[i] = x[start + place]
            indices[i] = place

    return max_pool


@cache
def adaptive_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, out, indices, count, sizes of x, sizes of out): windows that cover x evenly, and may overlap."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)

    @kernel(f"{code}* {code}* i8* i4 i4 i4 i4 i4 i4 i4", block=BLOCK)
    def adaptive_max(x, out, indices, count, depth, height, width, out_depth, out_height, out_width):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            plane, d, h, w = place_in_volume(i, out_depth, out_height, out_width)
            start = i8(plane) * (depth * height * width)
            d0, d1 = window(d, depth, out_depth)
            h0, h1 = window(h, height, out_height)
            w0, w1 = window(w, width, out_width)
            place = largest(advance(x, start), d0, d1, 1, h0, h1, 1, w0, w1, 1, height, width, read)
            out[i] = x[start + place]
            indices[i] = place

    return adaptive_max


def fractional_start(i, sample, inputs, size, outputs):
    """Where window i begins: at steps of a fraction, shifted by the plane's sample, the last at the end."""
    step = (inputs - size) / (sample * 0.0 + max(outputs - 1, 1))
    return where(i == outputs - 1, inputs - size, i4((i + sample) * step) - i4(sample * step))


@cache
def fractional_kernel(dtype: np.dtype, space: int) -> Kernel:
    """kernel(x, samples, out, indices, count, sizes of x, sizes of out, kernel): windows at random steps.

    A plane's samples are those of width and height, a volume's those of depth, height and width.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    of_height, of_width = (1, 0) if space == 2 else (1, 2)

    @kernel(f"{code}* {code}* {code}* i8* i4 i4 i4 i4 i4 i4 i4 i4 i4 i4", block=BLOCK)
    def fractional_max(
        x, samples, out, indices, count, depth, height, width, out_depth, out_height, out_width, kd, kh, kw
    ):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            plane, d, h, w = place_in_volume(i, out_depth, out_height, out_width)
            start = i8(plane) * (depth * height * width)
            own = advance(samples, i8(plane) * space)
            d0 = fractional_start(d, read(own[0]), depth, kd, out_depth)
            h0 = fractional_start(h, read(own[of_height]), height, kh, out_height)
            w0 = fractional_start(w, read(own[of_width]), width, kw, out_width)
            place = largest(
                advance(x, start), d0, d0 + kd, 1, h0, h0 + kh, 1, w0, w0 + kw, 1, height, width, read
            )  # fmt: skip
            out[i] = x[start + place]
            indices[i] = place

    return fractional_max


@cache
def gradient_kernel(dtype: np.dtype) -> Kernel:
    """kernel(g, indices, dx, count, sizes of dx, sizes of g, kernel, stride, padding, dilation), three of each.

    dx is the sum of g over the windows that chose the element.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* i8* {code}* i4 {SIZES}", block=BLOCK)
    def max_pool_gradient(
        g, indices, dx, count, depth, height, width, out_depth, out_height, out_width, kd, kh, kw, sd, sh, sw, pd, ph,
        pw, dd, dh, dw,
    ):  # fmt: skip
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            plane, d, h, w = place_in_volume(i, depth, height, width)
            place = (d * height + h) * width + w
            d = d + pd
            h = h + ph
            w = w + pw
            start = i8(plane) * (out_depth * out_height * out_width)
            total = number(0.0)
            for a in range(max(d - (kd - 1) * dd + sd - 1, 0) // sd, min(d // sd + 1, out_depth)):
                for b in range(max(h - (kh - 1) * dh + sh - 1, 0) // sh, min(h // sh + 1, out_height)):
                    for c in range(max(w - (kw - 1) * dw + sw - 1, 0) // sw, min(w // sw + 1, out_width)):
                        at = start + (a * out_height + b) * out_width + c
                        if indices[at] == place:
                            total += read(g[at])
            dx[i] = write(total)

    return max_pool_gradient


@cache
def scatter_kernel(dtype: np.dtype) -> Kernel:
    """kernel(g, indices, dx, planes, size of a plane of dx, size of one of g): one thread to a plane, in order."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)

    @kernel(f"{code}* i8* {code}* i4 i4 i4", block=BLOCK)
    def unpooled_planes(g, indices, dx, planes, size, taken):
        plane = blockIdx.x * BLOCK + threadIdx.x
        if plane < planes:
            for k in range(taken):
                at = i8(plane) * taken + k
                place = i8(plane) * size + indices[at]
                dx[place] = write(read(dx[place]) + read(g[at]))

    return unpooled_planes


# ---------------------------------------------------------------------- ops
def _volume(values: Any, unit: int) -> tuple[int, ...]:
    return (unit,) * (SPACE - len(values)) + tuple(values)


def _windows(windows: Any) -> list[int]:
    return [v for values, unit in zip(windows, (1, 1, 0, 1), strict=True) for v in _volume(values, unit)]


def max_pool_planes(
    inferred: Any, input: CudaArray, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[CudaArray, CudaArray]:
    (shape, dtype), (_, places) = inferred
    out, indices = empty(shape, dtype), empty(shape, places)
    if out.size:
        sizes = (*_volume(input.shape[2:], 1), *_volume(shape[2:], 1), *_windows((kernel, stride, padding, dilation)))
        x = copy.contiguous(input)
        max_pool_kernel(dtype).launch(-(-out.size // BLOCK), x, out, indices, out.size, *sizes)
    return out, indices


max_pool_volumes = max_pool_planes


def max_pool_backward(
    inferred: Any, grad_output: CudaArray, indices: CudaArray, shape: Any, windows: Any = None
) -> CudaArray:
    shape, dtype = inferred
    if windows is None or not grad_output.size:
        return _scattered(grad_output, indices, shape, dtype)
    dx = empty(shape, dtype)
    if dx.size:
        sizes = (*_volume(shape[2:], 1), *_volume(grad_output.shape[2:], 1), *_windows(windows))
        g, at = copy.contiguous(grad_output), copy.contiguous(indices)
        gradient_kernel(dtype).launch(-(-dx.size // BLOCK), g, at, dx, dx.size, *sizes)
    return dx


def _scattered(g: CudaArray, indices: CudaArray, shape: Any, dtype: np.dtype) -> CudaArray:
    dx = copy.full(shape, 0, dtype)
    if g.size:
        planes = prod(shape[:2])
        sizes = planes, prod(shape[2:]), prod(g.shape[2:])
        scatter_kernel(dtype).launch(-(-planes // BLOCK), copy.contiguous(g), copy.contiguous(indices), dx, *sizes)
    return dx


FLOAT = np.dtype(np.float32)


def adaptive_max_planes(inferred: Any, input: CudaArray, output_size: Any) -> tuple[CudaArray, CudaArray]:
    """The maxima of windows that cover planes, or volumes, evenly, and where in them they lie."""
    (shape, dtype), (_, place) = inferred
    out, indices = empty(shape, dtype), empty(shape, place)
    if out.size:
        sizes = [(1,) * (SPACE + 2 - len(s)) + tuple(s[2:]) for s in (input.shape, shape)]
        made = adaptive_kernel(dtype)
        made.launch(-(-out.size // BLOCK), copy.contiguous(input), out, indices, out.size, *sizes[0], *sizes[1])
    return out, indices


adaptive_max_volumes = adaptive_max_planes


def fractional_max_planes(
    inferred: Any, input: CudaArray, samples: CudaArray, kernel: Any, size: Any
) -> tuple[CudaArray, CudaArray]:
    """The maxima of windows at random steps, and where they lie."""
    (shape, dtype), (_, place) = inferred
    out, indices = empty(shape, dtype), empty(shape, place)
    if out.size:
        sizes = (*_volume(input.shape[2:], 1), *_volume(shape[2:], 1), *_volume(kernel, 1))
        made, given = fractional_kernel(dtype, len(kernel)), [copy.contiguous(a) for a in (input, samples)]
        made.launch(-(-out.size // BLOCK), *given, out, indices, out.size, *sizes)
    return out, indices


fractional_max_volumes = fractional_max_planes


def unpool_planes(inferred: Any, input: CudaArray, indices: CudaArray, size: Any) -> CudaArray:
    """Zeros with the elements at their places in each plane."""
    shape, dtype = inferred
    planes, made = prod(shape[:2]), copy.full(shape, 0, dtype)
    flat, at = (copy.reshaped(a, planes, prod(a.shape[2:])) for a in (input, indices))
    index.scatter_into(None, copy.reshaped(made, planes, prod(shape[2:])), flat, at, 1)
    return made


unpool_volumes = unpool_planes


REPRESENTATIVE = {
    "adaptive_max": lambda: adaptive_kernel(np.dtype(np.float32)),
    "fractional_max": lambda: fractional_kernel(FLOAT, 3),
    "max_pool": lambda: max_pool_kernel(FLOAT),
    "max_pool_gradient": lambda: gradient_kernel(FLOAT),
}
