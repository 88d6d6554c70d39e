"""Linear maps along dimensions by tables: average pooling, interpolation, and their gradients, which are such maps."""

from functools import cache, lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._kernels.codegen import Formula

from . import copy, pointwise, reduce, runtime
from . import index as positions
from .array import CudaArray, empty, from_host
from .block import BLOCK
from .device import WORDS, blockIdx, i8, threadIdx
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

FLOAT64 = np.dtype(np.float64)  # the table that is rounded to what a kernel computes in


@cache
def map_axis_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, starts, index, weights, out, count, inputs, outputs, inner)

    out[o, i, k] = sum over q from starts[i] to starts[i + 1] of weights[q] * x[o, index[q], k]
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* i4* i4* {kind}* {code}* i4 i4 i4 i4", block=BLOCK)
    def map_axis(x, starts, index, weights, out, count, inputs, outputs, inner):
        at = blockIdx.x * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            k = at - row * inner
            o = row // outputs
            i = row - o * outputs
            base = i8(o) * inputs * inner + k
            total = number(0.0)
            for q in range(starts[i], starts[i + 1]):
                total += weights[q] * read(x[base + index[q] * inner])
            out[at] = write(total)

    return map_axis


@lru_cache(maxsize=256)
def _on_device(index: int, table: bytes, code: str) -> CudaArray:
    return from_host(np.frombuffer(table, code), index)


def _table(a: Any, code: str) -> CudaArray:
    """A table of an axis map in the device's memory, kept for the next call."""
    return _on_device(runtime.current_index(), np.ascontiguousarray(a, code).tobytes(), code)


def map_axes(inferred: Any, input: CudaArray, maps: Any) -> CudaArray:
    """The maps along the last dimensions, one after the other."""
    if input.dtype not in FLOATS:
        raise NotImplementedError(
            f"pooling and resampling of {input.dtype} is not implemented for device 'cuda' by minitorch: convert to "
            "a floating-point dtype first"
        )
    x, lead = copy.contiguous(input), input.ndim - len(maps)
    kind = STORAGE[x.dtype].compute
    for d, axis_map in enumerate(maps, lead):
        out = empty((*x.shape[:d], axis_map.outputs, *x.shape[d + 1 :]), x.dtype)
        if out.size:
            tables = [_table(axis_map.starts, "i4"), _table(axis_map.index, "i4")]
            weights = _table(axis_map.weights[FLOAT64], kind)
            inner = prod(x.shape[d + 1 :])
            made = map_axis_kernel(x.dtype)
            sizes = out.size, axis_map.inputs, axis_map.outputs, inner
            made.launch(-(-out.size // BLOCK), x, *tables, weights, out, *sizes)
        x = out
    return x


# ---------------------------------------------------------------------- weighted sums at places of an image
def _product(x, y):
    return x * y


PRODUCT = Formula(_product)


def _over_channels(index: CudaArray, channels: int) -> CudaArray:
    """index (N, T, P) as (N, C, T * P)"""
    n, terms, points = index.shape
    flat = copy.reshaped(index, n, 1, terms * points)
    return flat.restrided((n, channels, terms * points), (flat.strides[0], 0, flat.strides[2]))


def _weighted(samples: CudaArray, weight: CudaArray) -> CudaArray:
    """samples (N, C, P) or (N, C, T, P) times weight (N, T, P), as (N, C, T, P)."""
    wide = samples[:, :, None] if samples.ndim == 3 else samples
    shape = (*samples.shape[:2], *weight.shape[1:])
    return pointwise.compute(PRODUCT, [wide, weight[:, None]], (), shape, samples.dtype)


def weighted_gather(inferred: Any, image: CudaArray, index: CudaArray, weight: CudaArray) -> CudaArray:
    """Of images (N, C, S): the sum over t of weight (N, T, P) times what index (N, T, P) says, if not negative."""
    return reduce.sum(inferred, _weighted(_read(image, index), weight), 2)


def _read(image: CudaArray, index: CudaArray) -> CudaArray:
    n, channels = image.shape[:2]
    places = _over_channels(index, channels)
    return copy.reshaped(positions.gather((places.shape, image.dtype), image, places, 2), n, channels, *index.shape[1:])


def weighted_scatter(inferred: Any, samples: CudaArray, index: CudaArray, weight: CudaArray, size: int) -> CudaArray:
    """Samples (N, C, P) times the weights, added to zeros where the index says."""
    places = _over_channels(index, samples.shape[1])
    given = copy.reshaped(_weighted(samples, weight), *places.shape)
    return positions.scatter_add_into(inferred, copy.full(inferred[0], 0, inferred[1]), given, places, 2)


def products_at(inferred: Any, samples: CudaArray, image: CudaArray, index: CudaArray) -> CudaArray:
    """The sum over C of samples (N, C, P) times what the index says of the image."""
    read = _read(image, index)
    each = pointwise.compute(PRODUCT, [read, samples[:, :, None]], (), read.shape, samples.dtype)
    return reduce.sum(inferred, each, 1)


REPRESENTATIVE = {"map_axis": lambda: map_axis_kernel(np.dtype(np.float32))}
for _name in (
    "adaptive_avg_planes adaptive_avg_volumes avg_pool_planes avg_pool_volumes upsample_bicubic2d "
    "upsample_bicubic2d_aa upsample_bilinear2d upsample_bilinear2d_aa upsample_lanczos2d_aa upsample_linear1d "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d upsample_nearest_exact2d "
    "upsample_nearest_exact3d upsample_trilinear3d"
).split():
    globals()[_name] = map_axes
