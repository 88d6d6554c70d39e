"""Attention in blocks: softmax(q k' scale) v, the scores never stored (Dao et al., "FlashAttention", arXiv:2205.14135).

A block serves 32 queries (in the gradient of key and value, 32 keys), each of them by four threads that share its E
numbers: of every 16 a thread has four next to each other. Keys and values come by tiles of 32 through shared memory.
The gradient works the weights out anew from the logarithm of each row's sum, which is kept. No atomics: sums repeat.

A mask is read where its strides say, so that one for all heads is never spread. Which weights are dropped is drawn
anew in each kernel: by Philox from the generator's seed and count, the row of queries and a group of eight keys, each
of which has 16 of the 128 bits. So a probability is rounded to a multiple of 2^-16.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.cpu.loops import merged
from minitorch._kernels.strided import contiguous_strides

from . import attention_tensor_cores as tensor_cores
from . import copy, philox
from .array import CudaArray, empty
from .attention_variants import BOOL, Variant, scored
from .block import LOWEST
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    exp,
    fma,
    i4,
    i8,
    load,
    log,
    regs,
    shared_array,
    shfl_xor,
    static,
    syncthreads,
    threadIdx,
    u4,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel
from .pointwise import broadcast
from .rng import philox_words, stream_of

TILE, PARTS, THREADS = 32, 4, 128
CHUNK = 8  # keys for which the running sums are rescaled once, and that share one draw of random words
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


def draw(draws, seed, offset, state, row, group):
    """This thread's four random words into shared memory: for a row of queries, and eight keys of it."""
    random, count = stream_of(seed, offset, state)
    words = regs(4)
    words[:] = philox_words(random, u4(count), u4(count >> 32), u4(row), u4(group))
    for i in static(4):
        draws[4 * threadIdx.x + i] = words[i]


def kept(draws, thread, key, limit, factor):
    """What a weight is multiplied by: `factor`, or 0 if it is dropped. The words are those that `thread` drew."""
    word = draws[4 * thread + key // 2]
    return where(i4(word >> u4(16 * (key % 2))) & 0xFFFF >= limit, factor, 0.0)


@cache
def forward_kernel(v: Variant) -> Kernel:
    """kernel(q, k, v, out, sums, queries, keys, scale, mask and dropout): q (B, queries, E), sums (B, queries).

    sums are the logarithms of what the rows' weights are divided by, 0 for a row that may look nowhere.
    """
    width, is_causal, drops, masks, read_mask = v.width, v.is_causal, v.drops, v.masks, v.read_mask
    code, kind, others = v.types
    read, write = element_functions(v.dtype, kind)
    number, lowest, mine = WORDS[kind], LOWEST[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {kind}* {others}", block=THREADS)
    def attention(
        q, k, v, out, sums, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row, mask_key,
        seed, offset, state, limit, factor,
    ):  # fmt: skip
        k_tile = shared_array(TILE * width, number)
        v_tile = shared_array(TILE * width, number)
        draws = shared_array(4 * THREADS if drops else 4, u4)
        b, first, row, part = place_of(queries)
        q_b = advance(q, i8(b) * queries * width)
        k_b = advance(k, i8(b) * keys * width)
        v_b = advance(v, i8(b) * keys * width)
        at = min(row, queries - 1)
        mask_at = i8(b // heads) * mask_batch + i8(b % heads) * mask_head + at * mask_row
        own = regs(mine)
        total = regs(mine, fill=0.0)
        load_own(own, q_b, at, part, width, read)
        last = min(keys, first + TILE) if is_causal else keys
        m = number(lowest)
        z = number(0.0)
        for start in range(0, last, TILE):
            load_tiles(k_tile, k_b, v_tile, v_b, start, keys, width, read)
            if drops:
                draw(draws, seed, offset, state, b * queries + row, start // CHUNK + part)
            syncthreads()
            for c in range(0, min(TILE, last - start), CHUNK):
                score = regs(CHUNK)
                top = m
                for j in static(CHUNK):
                    key = start + c + j
                    place = mask_at + min(key, keys - 1) * mask_key
                    score[j] = dot(own, k_tile, c + j, part, width) * scale
                    score[j] = scored(score[j], masks, mask, place, row, key, keys, is_causal, read_mask)
                    top = max(top, score[j])
                shrink = exp(m - top)
                z = z * shrink
                for i in static(mine):
                    total[i] = total[i] * shrink
                for j in static(CHUNK):
                    p = exp(score[j] - top)
                    z += p
                    if drops:
                        p = p * kept(draws, threadIdx.x - part + c // CHUNK, j, limit, factor)
                    add_row(total, p, v_tile, c + j, part, width)
                m = top
        if row < queries:
            divisor = where(z == 0.0, 1.0, z)
            for i in static(mine):
                total[i] = total[i] / divisor
            store_own(total, advance(out, i8(b) * queries * width), row, part, width, write)
            if part == 0:
                sums[i8(b) * queries + row] = where(z == 0.0, 0.0, m + log(divisor))

    return attention


@cache
def query_gradient_kernel(v: Variant) -> Kernel:
    """kernel(g, q, k, v, out, sums, dq, products, queries, keys, scale, mask and dropout).

    products (B, queries) are of g and out.
    """
    width, is_causal, drops, masks, read_mask = v.width, v.is_causal, v.drops, v.masks, v.read_mask
    code, kind, others = v.types
    read, write = element_functions(v.dtype, kind)
    number, mine = WORDS[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {code}* {kind}* {code}* {kind}* {others}", block=THREADS)
    def attention_query_gradient(
        g, q, k, v, out, sums, dq, products, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row,
        mask_key, seed, offset, state, limit, factor,
    ):  # fmt: skip
        k_tile = shared_array(TILE * width, number)
        v_tile = shared_array(TILE * width, number)
        draws = shared_array(4 * THREADS if drops else 4, u4)
        b, first, row, part = place_of(queries)
        at = min(row, queries - 1)
        mask_at = i8(b // heads) * mask_batch + i8(b % heads) * mask_head + at * mask_row
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
        last = min(keys, first + TILE) if is_causal else keys
        for start in range(0, last, TILE):
            load_tiles(k_tile, k_b, v_tile, v_b, start, keys, width, read)
            if drops:
                draw(draws, seed, offset, state, b * queries + row, start // CHUNK + part)
            syncthreads()
            for j in range(min(TILE, last - start)):
                key = start + j
                score = dot(own_q, k_tile, j, part, width) * scale
                score = scored(score, masks, mask, mask_at + key * mask_key, row, key, keys, is_causal, read_mask)
                slope = dot(own_g, v_tile, j, part, width)
                if drops:
                    slope = slope * kept(draws, threadIdx.x - part + j // CHUNK, j % CHUNK, limit, factor)
                slope = exp(score - log_sum) * (slope - product) * scale
                add_row(d, slope, k_tile, j, part, width)
        if row < queries:
            store_own(d, advance(dq, i8(b) * queries * width), row, part, width, write)
            if part == 0:
                products[i8(b) * queries + row] = product

    return attention_query_gradient


@cache
def key_gradient_kernel(v: Variant) -> Kernel:
    """kernel(g, q, k, v, sums, products, dk, dv, queries, keys, scale, mask and dropout)"""
    width, is_causal, drops, masks, read_mask = v.width, v.is_causal, v.drops, v.masks, v.read_mask
    code, kind, others = v.types
    read, write = element_functions(v.dtype, kind)
    number, mine = WORDS[kind], width // PARTS

    @kernel(f"{code}* {code}* {code}* {code}* {kind}* {kind}* {code}* {code}* {others}", block=THREADS)
    def attention_key_gradient(
        g, q, k, v, sums, products, dk, dv, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row,
        mask_key, seed, offset, state, limit, factor,
    ):  # fmt: skip
        q_tile = shared_array(TILE * width, number)
        g_tile = shared_array(TILE * width, number)
        log_sums = shared_array(TILE, number)
        product = shared_array(TILE, number)
        draws = shared_array(4 * THREADS if drops else 4, u4)
        b, first, row, part = place_of(keys)
        at = min(row, keys - 1)
        mask_at = i8(b // heads) * mask_batch + i8(b % heads) * mask_head + at * mask_key
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
        warp = threadIdx.x // 32  # whose rows are the eight keys of one draw: each of its threads draws for one query
        for start in range(begin, queries, TILE):
            load_tiles(q_tile, q_b, g_tile, g_b, start, queries, width, read)
            if threadIdx.x < TILE:
                if start + threadIdx.x < queries:
                    log_sums[threadIdx.x] = sums[i8(b) * queries + start + threadIdx.x]
                    product[threadIdx.x] = products[i8(b) * queries + start + threadIdx.x]
            if drops:
                draw(draws, seed, offset, state, b * queries + start + threadIdx.x % 32, first // CHUNK + warp)
            syncthreads()
            for j in range(min(TILE, queries - start)):
                query = start + j
                score = dot(own_k, q_tile, j, part, width) * scale
                score = scored(score, masks, mask, mask_at + query * mask_row, query, row, keys, is_causal, read_mask)
                p = exp(score - log_sums[j])
                slope = dot(own_v, g_tile, j, part, width)
                weight = p
                if drops:
                    keep = kept(draws, 32 * warp + j, row % CHUNK, limit, factor)
                    slope = slope * keep
                    weight = p * keep
                slope = p * (slope - product[j]) * scale
                add_row(d_v, weight, g_tile, j, part, width)
                add_row(d_k, slope, q_tile, j, part, width)
        if row < keys:
            store_own(d_k, advance(dk, i8(b) * keys * width), row, part, width, write)
            store_own(d_v, advance(dv, i8(b) * keys * width), row, part, width, write)

    return attention_key_gradient


@kernel("f4* i4 i4 u8 u8 u8 i4 f4", block=THREADS)
def attention_kept(out, rows, keys, seed, offset, state, limit, factor):
    """What each weight of (rows, keys) is multiplied by under dropout: a thread has eight of a row."""
    draws = shared_array(4 * THREADS, u4)
    groups = (keys + (CHUNK - 1)) // CHUNK
    at = i8(blockIdx.x) * THREADS + threadIdx.x
    row = at // groups
    group = i4(at - row * groups)
    draw(draws, seed, offset, state, row, group)
    if row < rows:
        for i in range(min(CHUNK, keys - CHUNK * group)):
            out[row * keys + CHUNK * group + i] = kept(draws, threadIdx.x, i, limit, factor)


# ---------------------------------------------------------------------- ops
def drawn(p: float, index: int) -> tuple[float, int, int, int]:
    """What says which weights a call drops: the probability p, the generator's seed and count, where they lie."""
    return p, *philox.state_of(None, index).take(4)


def _dropped(dropout: Any) -> tuple[Any, ...]:
    """The kernels' arguments for what `drawn` gave: seed, count, their place, what is dropped below, the factor."""
    if dropout is None:
        return 0, 0, 0, 0, 1.0
    p, seed, offset, state = dropout
    return seed, offset, state, round(p * 65536), 1.0 / (1.0 - p) if p < 1 else 0.0


def kept_weights(query: CudaArray, key: CudaArray, dropout: Any) -> CudaArray:
    """What each weight (..., L, S) was multiplied by."""
    out = empty((*query.shape[:-1], key.shape[-2]), np.dtype(np.float32))
    rows, keys = prod(out.shape[:-1]), out.shape[-1]
    attention_kept.launch(-(-rows * -(-keys // CHUNK) // THREADS), out, rows, keys, *_dropped(dropout))
    return out


def _masked(mask: CudaArray | None, query: CudaArray, key: CudaArray) -> tuple[Any, ...]:
    """The kernels' arguments for a mask: where it begins, the heads of a batch, its steps in each direction."""
    if mask is None:
        return 0, 1, 0, 0, 0, 0
    lead = query.shape[:-2]
    strides = broadcast(mask, (*query.shape[:-1], key.shape[-2]))
    shape, steps = merged(lead, [strides[:-2], contiguous_strides(lead, 1)])
    if len(shape) > 2:
        whole = mask.restrided((*query.shape[:-1], key.shape[-2]), strides)
        return _masked(copy.contiguous(whole), query, key)
    heads = shape[-1] if shape else 1
    size, (batch, head) = mask.dtype.itemsize, (0, 0, *steps[0])[-2:]
    return mask, heads, *[s // size for s in (batch, head, *strides[-2:])]


def _variant(query: CudaArray, mask: CudaArray | None, is_causal: bool, dropout: Any) -> Variant:
    return Variant(query.dtype, query.shape[-1], is_causal, None if mask is None else mask.dtype, dropout is not None)


def _sizes(query: CudaArray, key: CudaArray) -> tuple[int, int, int]:
    return prod(query.shape[:-2]), query.shape[-2], key.shape[-2]


def _aligned(a: CudaArray) -> CudaArray:
    """The array in index order, from an address on at which 16 bytes can be moved at once."""
    a = copy.contiguous(a)
    return copy.copied(a) if a.pointer % 16 else a


def _kernel(name: str, v: Variant, keys: int) -> tuple[Kernel, int]:
    """A kernel, and how many rows a block of it serves: halves go to tensor cores."""
    if v.dtype != np.float32 and keys:
        return getattr(tensor_cores, name)(v), tensor_cores.ROWS
    return globals()[name](v), TILE


def attention_in_blocks(
    inferred: Any, query: CudaArray, key: CudaArray, value: CudaArray, mask: CudaArray | None, is_causal: bool,
    scale: float, dropout: Any,
) -> tuple[CudaArray, CudaArray]:  # fmt: skip
    """(softmax(query @ key.T * scale + mask) @ value, the logarithms of the rows' sums); `dropout` is from `drawn`."""
    (shape, dtype), (sums_shape, kind) = inferred
    batch, queries, keys = _sizes(query, key)
    q, k, v = map(_aligned, (query, key, value))
    out, sums = empty(shape, dtype), empty(sums_shape, kind)
    if out.size:
        made, rows = _kernel("forward_kernel", _variant(q, mask, is_causal, dropout), keys)
        others = queries, keys, float(scale), *_masked(mask, query, key), *_dropped(dropout)
        made.launch(batch * -(-queries // rows), q, k, v, out, sums, *others)
    return out, sums


def attention_gradients(
    inferred: Any,
    g: CudaArray,
    query: CudaArray,
    key: CudaArray,
    value: CudaArray,
    mask: CudaArray | None,
    out: CudaArray,
    sums: CudaArray,
    is_causal: bool,
    scale: float,
    dropout: Any,
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """The gradients of query, key and value."""
    batch, queries, keys = _sizes(query, key)
    q, k, v, out = map(_aligned, (query, key, value, out))
    g, sums = _aligned(copy.contiguous(g, q.dtype)), copy.contiguous(sums)
    dq, dk, dv = (empty(a.shape, a.dtype) for a in (query, key, value))
    if q.size and k.size:
        variant = _variant(q, mask, is_causal, dropout)
        others = queries, keys, float(scale), *_masked(mask, query, key), *_dropped(dropout)
        products = empty(sums.shape, sums.dtype)
        made, rows = _kernel("query_gradient_kernel", variant, keys)
        made.launch(batch * -(-queries // rows), g, q, k, v, out, sums, dq, products, *others)
        made, rows = _kernel("key_gradient_kernel", variant, keys)
        made.launch(batch * -(-keys // rows), g, q, k, v, sums, products, dk, dv, *others)
    return dq, dk, dv


FLOAT = np.dtype(np.float32)
PLAIN, WIDE = Variant(FLOAT, 64, True), Variant(FLOAT, 128, False)
MASKED = Variant(FLOAT, 64, False, FLOAT, True)
REPRESENTATIVE = {
    "attention": lambda: forward_kernel(PLAIN),
    "attention_wide": lambda: forward_kernel(WIDE),
    "attention_masked": lambda: forward_kernel(MASKED),
    "attention_hidden_wide": lambda: forward_kernel(Variant(FLOAT, 128, False, BOOL, True)),
    "attention_query_gradient": lambda: query_gradient_kernel(PLAIN),
    "attention_query_gradient_masked": lambda: query_gradient_kernel(MASKED),
    "attention_key_gradient": lambda: key_gradient_kernel(PLAIN),
    "attention_key_gradient_wide": lambda: key_gradient_kernel(WIDE),
    "attention_key_gradient_masked": lambda: key_gradient_kernel(MASKED),
}
