"""Sorting rows of up to 2048 elements, by a bitonic network in shared memory (Batcher, 1968), stable by their places.

A nan is larger than every number, as in torch. Of longer rows NotImplementedError says so.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK
from .device import WORDS, blockIdx, i4, i8, shared_array, syncthreads, threadIdx
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

LONGEST = 2048


@cache
def sort_kernel(dtype: np.dtype, size: int, descending: bool) -> Kernel:
    """kernel(x, values, positions, n, kept): the first `kept` of each row of n, sorted, and where they were.

    `size` is the power of two from n on; places from n on stand behind all others.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number, steps = WORDS[kind], size.bit_length() - 1

    @kernel(f"{code}* {code}* i8* i4 i4", block=BLOCK, name="sort_descending" if descending else "sort_ascending")
    def sort_rows(x, values, positions, n, kept):
        keys = shared_array(size, number)
        order = shared_array(size, i4)
        base = i8(blockIdx.x) * n
        for i in range(threadIdx.x, size, BLOCK):
            order[i] = i
            if i < n:
                keys[i] = read(x[base + i])
            else:
                keys[i] = 0
        syncthreads()
        for step in range(1, steps + 1):
            for back in range(step):
                shift = step - 1 - back
                for pair in range(threadIdx.x, size // 2, BLOCK):
                    i = ((pair >> shift) << (shift + 1)) + (pair & ((1 << shift) - 1))
                    j = i + (1 << shift)
                    a = keys[i]
                    b = keys[j]
                    p = order[i]
                    q = order[j]
                    a_is_nan = a != a
                    b_is_nan = b != b
                    if descending:
                        first = (b < a) | (a_is_nan & (b == b))
                        later = (a < b) | (b_is_nan & (a == a))
                    else:
                        first = (a < b) | (b_is_nan & (a == a))
                        later = (b < a) | (a_is_nan & (b == b))
                    in_order = first | ((first == later) & (p < q))
                    if p >= n or q >= n:
                        in_order = p < q
                    if in_order != ((i >> step) & 1 == 0):
                        keys[i] = b
                        keys[j] = a
                        order[i] = q
                        order[j] = p
                syncthreads()
        to = i8(blockIdx.x) * kept
        for i in range(threadIdx.x, kept, BLOCK):
            values[to + i] = x[base + order[i]]
            positions[to + i] = order[i]

    return sort_rows


def _sorted(inferred: Any, input: CudaArray, dim: int, descending: bool) -> tuple[CudaArray, CudaArray]:
    (shape, dtype), (_, place) = inferred
    values, places = empty(shape, dtype), empty(shape, place)
    if not input.ndim:
        copy.write(values, input)
        copy.fill(places, 0)
        return values, places
    dim %= input.ndim
    n, kept = input.shape[dim], shape[dim]
    if n > LONGEST:
        raise NotImplementedError(
            f"sort() and topk() of {n} elements are not implemented for device 'cuda' by minitorch, whose rows have at "
            f"most {LONGEST}: sort on the CPU, x.cpu()"
        )
    if values.size:
        order = [*[d for d in range(input.ndim) if d != dim], dim]
        back = [order.index(d) for d in range(input.ndim)]
        x = copy.contiguous(input.transpose(order))
        rows = prod(x.shape[:-1])
        found = [empty((*x.shape[:-1], kept), d) for d in (dtype, place)]
        made = sort_kernel(dtype, max(2, 1 << (n - 1).bit_length()), descending)
        made.launch(rows, x, *found, n, kept)
        values, places = (a.transpose(back) for a in found)
    return values, places


def sort_dim(inferred: Any, input: CudaArray, dim: int, descending: bool, stable: Any) -> tuple[CudaArray, CudaArray]:
    return _sorted(inferred, input, dim, descending)


def topk_dim(
    inferred: Any, input: CudaArray, k: int, dim: int, largest: bool, sorted: bool
) -> tuple[CudaArray, CudaArray]:
    return _sorted(inferred, input, dim, largest)


REPRESENTATIVE = {"sort": lambda: sort_kernel(np.dtype(np.float32), 1024, False)}
