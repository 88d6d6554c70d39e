"""Attention in blocks: softmax(q k' scale) v, the scores never stored (Dao et al., "FlashAttention", arXiv:2205.14135).

A block serves 32 queries (in the gradient of key and value, 32 keys), each of them by four threads that share its E
numbers: of every 16 a thread has four next to each other. Keys and values come by tiles of 32 through shared memory.
The gradient works the weights out anew from the logarithm of each row's sum, which is kept. No atomics: sums repeat.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import LOWEST
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    exp,
    fma,
    i8,
    load,
    log,
    regs,
    shared_array,
    shfl_xor,
    static,
    syncthreads,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

TILE, PARTS, THREADS = 32, 4, 128
CHUNK = 8  # keys for which the running sums are rescaled once
LARGEST = 128  # numbers of a query for which registers suffice


def fits(e: int, v: int, dtype: np.dtype) -> bool:
    """Whether the kernels take queries of e numbers and values of v."""
    return e == v and e % 16 == 0 and 0 < e <= LARGEST and dtype in STORAGE and dtype != np.float64


def place_of(count):
    """This thread's batch, first row of its block's tile, row of `count`, and part of the row."""
    tiles = (count + (TILE - 1)) // TILE
    b = blockIdx.x // tiles
    first = (blockIdx.x - b * tiles) * TILE
    return b, first, first + threadIdx.x // PARTS, threadIdx.x % PARTS


def load_tiles(one, source, other, other_source, first, count, width, read):
    """Rows from `first` on of two arrays (count, width) into shared memory, zeros behind the last.

    Begins when no thread needs what the tiles held before.
    """
    syncthreads()
    for i in range(threadIdx.x, TILE * width, THREADS):
        at = i8(first) * width + i
        if first + i // width < count:
            one[i] = read(source[at])
            other[i] = read(other_source[at])
        else:
            one[i] = 0.0
            other[i] = 0.0


def load_own(own, source, row, part, width, read):
    """A thread's part of a row, into registers."""
    for i in static(width // 16):
        for q in static(4):
            own[4 * i + q] = read(source[i8(row) * width + 16 * i + 4 * part + q])


def store_own(own, dest, row, part, width, write):
    """A thread's part of a row, from registers."""
    for i in static(width // 16):
        for q in static(4):
            dest[i8(row) * width + 16 * i + 4 * part + q] = write(own[4 * i + q])


def dot(own, tile, row, part, width):
    """The product of a row, held in parts, with one of the tile; for all four threads."""
    total = own[0] * 0.0
    for i in static(width // 16):
        x = regs(4)
        x[:] = load(tile, row * width + 16 * i + 4 * part, 4)
        for q in static(4):
            total = fma(own[4 * i + q], x[q], total)
    total = total + shfl_xor(total, 1)
    return total + shfl_xor(total, 2)


def add_row(sums, factor, tile, row, part, width):
    """sums += factor * a row of the tile, in parts."""
    for i in static(width // 16):
        x = regs(4)
        x[:] = load(tile, row * width + 16 * i + 4 * part, 4)
        for q in static(4):
            sums[4 * i + q] = fma(factor, x[q], sums[4 * i + q])


@cache
def forward_kernel(dtype: np.dtype, width: int, is_causal: bool) -> Kernel:
    """kernel(q, k, v, out, sums, queries, keys, scale): q (B, queries, E), sums (B, queries) the rows' log-sums."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, lowest, mine = WORDS[kind], LOWEST[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {kind}* i4 i4 {kind}", block=THREADS)
    def attention(q, k, v, out, sums, queries, keys, scale):
        k_tile = shared_array(TILE * width, number)
        v_tile = shared_array(TILE * width, number)
        b, first, row, part = place_of(queries)
        q_b = advance(q, i8(b) * queries * width)
        k_b = advance(k, i8(b) * keys * width)
        v_b = advance(v, i8(b) * keys * width)
        own = regs(mine)
        total = regs(mine, fill=0.0)
        load_own(own, q_b, min(row, queries - 1), part, width, read)
        stop = min(keys, row + 1) if is_causal else keys
        last = min(keys, first + TILE) if is_causal else keys
        m = number(lowest)
        z = number(0.0)
        for start in range(0, last, TILE):
            load_tiles(k_tile, k_b, v_tile, v_b, start, keys, width, read)
            syncthreads()
            for c in range(0, min(TILE, last - start), CHUNK):
                score = regs(CHUNK)
                top = m
                for j in static(CHUNK):
                    score[j] = dot(own, k_tile, c + j, part, width) * scale
                    score[j] = where(start + c + j < stop, score[j], lowest)
                    top = max(top, score[j])
                shrink = exp(m - top)
                z = z * shrink
                for i in static(mine):
                    total[i] = total[i] * shrink
                for j in static(CHUNK):
                    p = exp(score[j] - top)
                    z += p
                    add_row(total, p, v_tile, c + j, part, width)
                m = top
        if row < queries:
            for i in static(mine):
                total[i] = total[i] / z
            store_own(total, advance(out, i8(b) * queries * width), row, part, width, write)
            if part == 0:
                sums[i8(b) * queries + row] = m + log(z)

    return attention


@cache
def query_gradient_kernel(dtype: np.dtype, width: int, is_causal: bool) -> Kernel:
    """kernel(g, q, k, v, out, sums, dq, products, queries, keys, scale); products (B, queries) are of g and out."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, mine = WORDS[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {code}* {kind}* {code}* {kind}* i4 i4 {kind}", block=THREADS)
    def attention_query_gradient(g, q, k, v, out, sums, dq, products, queries, keys, scale):
        k_tile = shared_array(TILE * width, number)
        v_tile = shared_array(TILE * width, number)
        b, first, row, part = place_of(queries)
        at = min(row, queries - 1)
        k_b = advance(k, i8(b) * keys * width)
        v_b = advance(v, i8(b) * keys * width)
        own_q = regs(mine)
        own_g = regs(mine)
        own_out = regs(mine)
        d = regs(mine, fill=0.0)
        load_own(own_q, advance(q, i8(b) * queries * width), at, part, width, read)
        load_own(own_g, advance(g, i8(b) * queries * width), at, part, width, read)
        load_own(own_out, advance(out, i8(b) * queries * width), at, part, width, read)
        product = number(0.0)
        for i in static(mine):
            product = fma(own_g[i], own_out[i], product)
        product += shfl_xor(product, 1)
        product += shfl_xor(product, 2)
        log_sum = sums[i8(b) * queries + at]
        stop = min(keys, row + 1) if is_causal else keys
        last = min(keys, first + TILE) if is_causal else keys
        for start in range(0, last, TILE):
            load_tiles(k_tile, k_b, v_tile, v_b, start, keys, width, read)
            syncthreads()
            for j in range(min(TILE, last - start)):
                p = exp(dot(own_q, k_tile, j, part, width) * scale - log_sum)
                p = where(start + j < stop, p, 0.0)
                slope = p * (dot(own_g, v_tile, j, part, width) - product) * scale
                add_row(d, slope, k_tile, j, part, width)
        if row < queries:
            store_own(d, advance(dq, i8(b) * queries * width), row, part, width, write)
            if part == 0:
                products[i8(b) * queries + row] = product

    return attention_query_gradient


@cache
def key_gradient_kernel(dtype: np.dtype, width: int, is_causal: bool) -> Kernel:
    """kernel(g, q, k, v, sums, products, dk, dv, queries, keys, scale)"""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, mine = WORDS[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {kind}* {kind}* {code}* {code}* i4 i4 {kind}", block=THREADS)
    def attention_key_gradient(g, q, k, v, sums, products, dk, dv, queries, keys, scale):
        q_tile = shared_array(TILE * width, number)
        g_tile = shared_array(TILE * width, number)
        log_sums = shared_array(TILE, number)
        product = shared_array(TILE, number)
        b, first, row, part = place_of(keys)
        at = min(row, keys - 1)
        q_b = advance(q, i8(b) * queries * width)
        g_b = advance(g, i8(b) * queries * width)
        own_k = regs(mine)
        own_v = regs(mine)
        d_k = regs(mine, fill=0.0)
        d_v = regs(mine, fill=0.0)
        load_own(own_k, advance(k, i8(b) * keys * width), at, part, width, read)
        load_own(own_v, advance(v, i8(b) * keys * width), at, part, width, read)
        begin = 0
        if is_causal:
            begin = first  # a multiple of the tile: no query before it looks at these keys
        for start in range(begin, queries, TILE):
            load_tiles(q_tile, q_b, g_tile, g_b, start, queries, width, read)
            if threadIdx.x < TILE:
                if start + threadIdx.x < queries:
                    log_sums[threadIdx.x] = sums[i8(b) * queries + start + threadIdx.x]
                    product[threadIdx.x] = products[i8(b) * queries + start + threadIdx.x]
            syncthreads()
            for j in range(min(TILE, queries - start)):
                p = exp(dot(own_k, q_tile, j, part, width) * scale - log_sums[j])
                if is_causal:
                    p = where(row <= start + j, p, 0.0)
                slope = p * (dot(own_v, g_tile, j, part, width) - product[j]) * scale
                add_row(d_v, p, g_tile, j, part, width)
                add_row(d_k, slope, q_tile, j, part, width)
        if row < keys:
            store_own(d_k, advance(dk, i8(b) * keys * width), row, part, width, write)
            store_own(d_v, advance(dv, i8(b) * keys * width), row, part, width, write)

    return attention_key_gradient


# ---------------------------------------------------------------------- ops
def _sizes(query: CudaArray, key: CudaArray) -> tuple[int, int, int, int]:
    return prod(query.shape[:-2]), query.shape[-2], key.shape[-2], query.shape[-1]


def attention_in_blocks(
    inferred: Any, query: CudaArray, key: CudaArray, value: CudaArray, mask: None, is_causal: bool, scale: float
) -> tuple[CudaArray, CudaArray]:
    """(softmax(query @ key.T * scale) @ value, the logarithms of the rows' sums)"""
    (shape, dtype), (sums_shape, kind) = inferred
    batch, queries, keys, width = _sizes(query, key)
    q, k, v = map(copy.contiguous, (query, key, value))
    out, sums = empty(shape, dtype), empty(sums_shape, kind)
    if out.size:
        made = forward_kernel(dtype, width, is_causal)
        made.launch(batch * -(-queries // TILE), q, k, v, out, sums, queries, keys, float(scale))
    return out, sums


def attention_gradients(
    inferred: Any,
    g: CudaArray,
    query: CudaArray,
    key: CudaArray,
    value: CudaArray,
    mask: None,
    out: CudaArray,
    sums: CudaArray,
    is_causal: bool,
    scale: float,
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """The gradients of query, key and value."""
    batch, queries, keys, width = _sizes(query, key)
    q, k, v, out = map(copy.contiguous, (query, key, value, out))
    g, sums = copy.contiguous(g, q.dtype), copy.contiguous(sums)
    dq, dk, dv = (empty(a.shape, a.dtype) for a in (query, key, value))
    if q.size and k.size:
        products = empty(sums.shape, sums.dtype)
        made = query_gradient_kernel(q.dtype, width, is_causal)
        blocks = batch * -(-queries // TILE)
        made.launch(blocks, g, q, k, v, out, sums, dq, products, queries, keys, float(scale))
        made = key_gradient_kernel(q.dtype, width, is_causal)
        blocks = batch * -(-keys // TILE)
        made.launch(blocks, g, q, k, v, sums, products, dk, dv, queries, keys, float(scale))
    return dq, dk, dv


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "attention": lambda: forward_kernel(FLOAT, 64, True),
    "attention_wide": lambda: forward_kernel(FLOAT, 128, False),
    "attention_query_gradient": lambda: query_gradient_kernel(FLOAT, 64, True),
    "attention_key_gradient": lambda: key_gradient_kernel(FLOAT, 64, True),
    "attention_key_gradient_wide": lambda: key_gradient_kernel(FLOAT, 128, False),
}
