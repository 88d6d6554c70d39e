"""Max pooling with torch's indices, and its gradient, which every input element gathers: no atomics, so sums repeat."""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy, index
from .array import CudaArray, empty
from .block import BLOCK
from .device import WORDS, blockIdx, i8, threadIdx
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

SPACE = 3
SIZES = " ".join(["i4"] * 18)  # of x, out, kernel, stride, padding, dilation


@cache
def max_pool_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, out, indices, count, sizes of x, sizes of out, kernel, stride, padding, dilation), three of each.

    The first of equals wins, and the last nan over everything.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* i8* i4 {SIZES}", block=BLOCK)
    def max_pool(
        x, out, indices, count, depth, height, width, out_depth, out_height, out_width, kd, kh, kw, sd, sh, sw, pd, ph,
        pw, dd, dh, dw,
    ):  # fmt: skip
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            line = i // out_width
            w = (i - line * out_width) * sw - pw
            sheet = line // out_height
            h = (line - sheet * out_height) * sh - ph
            plane = sheet // out_depth
            d = (sheet - plane * out_depth) * sd - pd
            start = i8(plane) * (depth * height * width)
            # the first place of the window that lies within x, and so for the other dimensions
            d0 = d + (max(-d, 0) + dd - 1) // dd * dd
            h0 = h + (max(-h, 0) + dh - 1) // dh * dh
            w0 = w + (max(-w, 0) + dw - 1) // dw * dw
            place = (d0 * height + h0) * width + w0
            best = number(read(x[start + place]))
            for a in range(d0, min(d + kd * dd, depth), dd):
                for b in range(h0, min(h + kh * dh, height), dh):
                    for c in range(w0, min(w + kw * dw, width), dw):
                        at = (a * height + b) * width + c
                        value = read(x[start + at])
                        if value > best or value != value:
                            best = value
                            place = at
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
            line = i // out_width
            w = i - line * out_width
            sheet = line // out_height
            h = line - sheet * out_height
            plane = sheet // out_depth
            d = sheet - plane * out_depth
            start = i8(plane) * (depth * height * width)
            d0 = d * depth // out_depth
            h0 = h * height // out_height
            w0 = w * width // out_width
            place = (d0 * height + h0) * width + w0
            best = read(x[start + place])
            for a in range(d0, ((d + 1) * depth + out_depth - 1) // out_depth):
                for b in range(h0, ((h + 1) * height + out_height - 1) // out_height):
                    for c in range(w0, ((w + 1) * width + out_width - 1) // out_width):
                        at = (a * height + b) * width + c
                        value = read(x[start + at])
                        if value > best or value != value:
                            best = value
                            place = at
            out[i] = x[start + place]
            indices[i] = place

    return adaptive_max


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
            size = depth * height * width
            plane = i // size
            place = i - plane * size
            line = place // width
            w = place - line * width + pw
            d = line // height
            h = line - d * height + ph
            d = d + pd
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
    "max_pool": lambda: max_pool_kernel(FLOAT),
    "max_pool_gradient": lambda: gradient_kernel(FLOAT),
}
