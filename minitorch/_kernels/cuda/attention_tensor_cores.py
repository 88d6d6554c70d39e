"""Attention of float16 and bfloat16 on tensor cores (Dao, "FlashAttention-2", arXiv:2307.08691).

A block serves 64 queries (in the gradient of key and value, 64 keys), a warp 16 of them. Keys and values come by tiles
through shared memory, two of them at once: one is on its way while the other is used. Scores stay in the registers that
`mma` leaves them in, which are those that it takes its left operand from, so that weights go from one product to the
next without shared memory. Sums are of float32; weights and their slopes are rounded to halves between two products.

Parameters are those of `attention.py`, whose kernels serve float32, and so are the random words by which weights are
dropped: one draw for a query and eight keys, made by one lane and shared by four.
"""

# ruff: noqa: F405 - the words of kernels

from functools import cache
from typing import Any, NamedTuple

from minitorch._kernels.half import BFLOAT16, FLOAT16

from .attention_variants import BOOL, Variant, scored
from .block import LOWEST
from .device import *  # noqa: F403
from .kernel import Kernel
from .rng import philox_words, stream_of
from .tensor_cores import HALVES, copy_or_zero

ROWS, THREADS = 64, 128  # queries, or keys, of a block: 16 to each of four warps


class Plan(NamedTuple):
    """What the kernels of one width and dtype share: `tile` rows come at a time, `row` is the distance of two.

    Registers hold a tile's scores beside the sums: 64 rows of scores beside sums of 128 numbers would spill.
    """

    width: int
    tile: int
    row: int
    multiply: Any
    pack: Any

    @property
    def pieces(self) -> int:
        """Copies of 16 bytes to a row."""
        return self.width // 8

    @property
    def size(self) -> int:
        """Elements of a tile in shared memory."""
        return self.tile * self.row


@cache
def plan(width: int, is_bfloat16: bool, tile: int) -> Plan:
    """The plan of kernels whose tiles have so many rows."""
    multiply, _, narrow = HALVES["bf16" if is_bfloat16 else "f16"]

    def pack(x, y):
        """Two numbers as the halves of one word."""
        return narrow(x) | (narrow(y) << u4(16))

    return Plan(width, tile, width + 8, multiply, pack)  # padded: rows of 16 bytes do not meet in a bank


# ---------------------------------------------------------------------- fragments
def deep_patch(s, start, o, d, row):
    """16 rows from o on and 16 columns from d on, to be multiplied along the columns."""
    lane = threadIdx.x % 32
    w = regs(4)
    w[:] = ldmatrix_x4(s, start + (o + lane % 16) * row + d + lane // 16 * 8)
    return w[0], w[1], w[2], w[3]


def wide_patch(s, start, o, d, row):
    """16 columns from o on and 16 rows from d on, to be multiplied along the rows."""
    lane = threadIdx.x % 32
    w = regs(4)
    w[:] = ldmatrix_x4_trans(s, start + (d + lane // 16 * 8 + lane % 8) * row + o + lane // 8 % 2 * 8)
    return w[0], w[1], w[2], w[3]


def load_own(own, x, first, count, width):
    """A warp's 16 rows from device memory as left operands, four words of each 16 columns."""
    lane = threadIdx.x % 32
    for t in static(width // 16):
        for h in static(4):
            at = min(first + lane // 4 + h % 2 * 8, count - 1)
            pair = regs(2)
            pair[:] = load(x, i8(at) * width + 16 * t + h // 2 * 8 + lane % 4 * 2, 2)
            own[t, h] = u4(pair[0]) | (u4(pair[1]) << u4(16))


def rows_times_rows(p, sums, own, s, start):
    """sums += a warp's rows, in registers, times the rows of a tile."""
    for t in static(p.width // 16):
        for j in static(p.tile // 16):
            f = regs(4)
            f[:] = deep_patch(s, start, 16 * j, 16 * t, p.row)
            sums[2 * j, :] = p.multiply(*own[t, :], f[0], f[2], *sums[2 * j, :])
            sums[2 * j + 1, :] = p.multiply(*own[t, :], f[1], f[3], *sums[2 * j + 1, :])


def weights_times_tile(p, sums, weights, s, start):
    """sums += a warp's weights of a tile's rows, as products left them, times these rows."""
    for j in static(p.tile // 16):
        a = regs(4)
        for h in static(4):
            part = weights[2 * j + h // 2, :]
            a[h] = p.pack(part[h % 2 * 2], part[h % 2 * 2 + 1])
        for i in static(p.width // 16):
            f = regs(4)
            f[:] = wide_patch(s, start, 16 * i, 16 * j, p.row)
            sums[2 * i, :] = p.multiply(*a[:], f[0], f[2], *sums[2 * i, :])
            sums[2 * i + 1, :] = p.multiply(*a[:], f[1], f[3], *sums[2 * i + 1, :])


def bring(p, s, start, one, other, rows, first, count):
    """Start to copy so many rows of two arrays from row `first` on, the second's behind the first's."""
    for q in static((rows * p.pieces + THREADS - 1) // THREADS):
        chunk = threadIdx.x + q * THREADS
        if rows * p.pieces % THREADS == 0 or chunk < rows * p.pieces:
            r = chunk // p.pieces
            d = chunk % p.pieces * 8
            at = i8(first + r) * p.width + d
            to = start + r * p.row + d
            copy_or_zero(s, to, one, at, first + r < count, 16)
            copy_or_zero(s, to + rows * p.row, other, at, first + r < count, 16)


def store_rows(p, dest, sums, first, count, factors):
    """A warp's sums to its rows in device memory, each of a row's two halves times its factor."""
    lane = threadIdx.x % 32
    for h in static(2):
        row = first + lane // 4 + 8 * h
        if row < count:
            for i in static(p.width // 8):
                word = p.pack(sums[i, 2 * h] * factors[h], sums[i, 2 * h + 1] * factors[h])
                at = i8(row) * p.width + 8 * i + lane % 4 * 2
                store(dest, at, i4(word & u4(0xFFFF)), i4(word >> u4(16)))


def quad_sum(value):
    """Of the four lanes that share a row."""
    total = value + shfl_xor(value, 1)
    return total + shfl_xor(total, 2)


def quad_largest(value):
    top = max(value, shfl_xor(value, 1))
    return max(top, shfl_xor(top, 2))


def quad_words(random, count, row, group):
    """Four random words of a row, for the groups of eight keys from `group` on: each has the two keys of this lane.

    Lane q of the four that share the row draws for group q; then they turn the square of their words.
    """
    odd = threadIdx.x % 2 == 1
    high = threadIdx.x // 2 % 2 == 1
    w = regs(4)
    w[:] = philox_words(random, u4(count), u4(count >> 32), u4(row), u4(group + threadIdx.x % 4))
    for i in (0, 2):
        other = shfl_xor(where(odd, w[i], w[i + 1]), 1)
        w[i] = where(odd, other, w[i])
        w[i + 1] = where(odd, w[i + 1], other)
    for i in (0, 1):
        other = shfl_xor(where(high, w[i], w[i + 2]), 2)
        w[i] = where(high, other, w[i])
        w[i + 2] = where(high, w[i + 2], other)
    return w[0], w[1], w[2], w[3]


def kept(word, place, limit, factor):
    """What a weight is multiplied by: `factor`, or 0 if it is dropped; `place` is which half of the word is its own."""
    return where(i4(word >> u4(16 * place)) & 0xFFFF >= limit, factor, 0.0)


def place_of(count):
    """This block's batch and the first of its rows, of `count` in each batch."""
    tiles = (count + (ROWS - 1)) // ROWS
    b = blockIdx.x // tiles
    return b, (blockIdx.x - b * tiles) * ROWS


def queries_of_block(queries, size, k, v, heads, mask_batch, mask_head):
    """This block's batch, its first query and this warp's; where mask, keys and values of the batch begin."""
    b, first = place_of(queries)
    mask_at = i8(b // heads) * mask_batch + i8(b % heads) * mask_head
    return b, first, first + threadIdx.x // 32 * 16, mask_at, advance(k, b * size), advance(v, b * size)


def tile_of_keys(p, s, k, v, start, last, keys):
    """Wait for the tile of keys and values from `start` on while the next one comes; where it lies in shared memory."""
    here = start // p.tile % 2 * (2 * p.size)
    if start + p.tile < last:
        bring(p, s, 2 * p.size - here, k, v, p.tile, start + p.tile, keys)
    cp_async_commit()
    cp_async_wait(1)
    syncthreads()
    return here


# ---------------------------------------------------------------------- kernels
@cache
def forward_kernel(v: Variant) -> Kernel:
    """kernel(q, k, v, out, sums, queries, keys, scale, mask and dropout) as `attention.forward_kernel`."""
    is_causal, drops, masks, read_mask, width = v.is_causal, v.drops, v.masks, v.read_mask, v.width
    code, _, others = v.types
    p = plan(width, v.dtype == BFLOAT16, 64 if width <= 64 and not drops else 32)
    tile, stage, lowest = p.tile, 2 * p.size, LOWEST["f4"]

    def attention_mma(
        q, k, v, out, sums, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row, mask_key,
        seed, offset, state, limit, factor,
    ):  # fmt: skip
        s = dynamic_shared(0, u2)
        lane = threadIdx.x % 32
        b, first, mine, mask_at, k_b, v_b = queries_of_block(
            queries, keys * i8(width), k, v, heads, mask_batch, mask_head
        )
        random, count = stream_of(seed, offset, state)
        own = regs(width // 16, 4)
        words = regs(4)
        load_own(own, advance(q, i8(b) * queries * width), mine, queries, width)
        total = regs(width // 8, 4, fill=0.0)
        m = regs(2, fill=f4(lowest))
        z = regs(2, fill=f4(0.0))
        last = min(keys, first + ROWS) if is_causal else keys
        bring(p, s, 0, k_b, v_b, tile, 0, keys)
        cp_async_commit()
        for start in range(0, last, tile):
            here = tile_of_keys(p, s, k_b, v_b, start, last, keys)
            score = regs(tile // 8, 4, fill=0.0)
            rows_times_rows(p, score, own, s, here)
            for h in static(2):
                row = mine + lane // 4 + 8 * h
                at = mask_at + min(row, queries - 1) * mask_row
                top = m[h]
                for j in static(tile // 8):
                    for c in static(2):
                        key = start + 8 * j + lane % 4 * 2 + c
                        place = at + min(key, keys - 1) * mask_key
                        score[j, 2 * h + c] = scored(
                            score[j, 2 * h + c] * scale, masks, mask, place, row, key, keys, is_causal, read_mask
                        )
                        top = max(top, score[j, 2 * h + c])
                top = quad_largest(top)
                shrink = fast_exp(m[h] - top)
                m[h] = top
                z[h] = z[h] * shrink
                for i in static(width // 8):
                    for c in static(2):
                        total[i, 2 * h + c] = total[i, 2 * h + c] * shrink
                for j in static(tile // 8):
                    if drops and j % 4 == 0:
                        words[:] = quad_words(random, count, b * queries + row, start // 8 + j)
                    for c in static(2):
                        weight = fast_exp(score[j, 2 * h + c] - top)
                        z[h] = z[h] + weight
                        if drops:
                            weight = weight * kept(words[j % 4], c, limit, factor)
                        score[j, 2 * h + c] = weight
            weights_times_tile(p, total, score, s, here + p.size)
            syncthreads()
        shares = regs(2)
        for h in static(2):
            z[h] = quad_sum(z[h])
            divisor = where(z[h] == 0.0, 1.0, z[h])
            shares[h] = 1.0 / divisor
            row = mine + lane // 4 + 8 * h
            if row < queries and lane % 4 == 0:
                sums[i8(b) * queries + row] = where(z[h] == 0.0, 0.0, m[h] + log(divisor))
        store_rows(p, advance(out, i8(b) * queries * width), total, mine, queries, shares)

    types = f"{code}* {code}* {code}* {code}* f4* {others}"
    return Kernel(attention_mma, types, THREADS, shared=2 * stage * 2, tensor_cores=True)


@cache
def query_gradient_kernel(v: Variant) -> Kernel:
    """kernel(g, q, k, v, out, sums, dq, products, queries, keys, scale, mask and dropout) as that of `attention.py`."""
    is_causal, drops, masks, read_mask, width = v.is_causal, v.drops, v.masks, v.read_mask, v.width
    code, _, others = v.types
    p = plan(width, v.dtype == BFLOAT16, 32)
    widen = HALVES["bf16" if v.dtype == BFLOAT16 else "f16"][1]
    tile, stage = p.tile, 2 * p.size

    def attention_mma_query_gradient(
        g, q, k, v, out, sums, dq, products, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row,
        mask_key, seed, offset, state, limit, factor,
    ):  # fmt: skip
        s = dynamic_shared(0, u2)
        lane = threadIdx.x % 32
        b, first, mine, mask_at, k_b, v_b = queries_of_block(
            queries, keys * i8(width), k, v, heads, mask_batch, mask_head
        )
        random, count = stream_of(seed, offset, state)
        words = regs(4)
        own_q = regs(width // 16, 4)
        own_g = regs(width // 16, 4)
        own_out = regs(width // 16, 4)
        load_own(own_q, advance(q, i8(b) * queries * width), mine, queries, width)
        load_own(own_g, advance(g, i8(b) * queries * width), mine, queries, width)
        load_own(own_out, advance(out, i8(b) * queries * width), mine, queries, width)
        product = regs(2, fill=f4(0.0))
        log_sum = regs(2)
        for t in static(width // 16):
            for h in static(4):
                x = own_g[t, h]
                y = own_out[t, h]
                both = widen(x & u4(0xFFFF)) * widen(y & u4(0xFFFF)) + widen(x >> u4(16)) * widen(y >> u4(16))
                product[h % 2] = product[h % 2] + both
        for h in static(2):
            product[h] = quad_sum(product[h])
            row = mine + lane // 4 + 8 * h
            log_sum[h] = sums[i8(b) * queries + min(row, queries - 1)]
            if row < queries and lane % 4 == 0:
                products[i8(b) * queries + row] = product[h]
        d = regs(width // 8, 4, fill=0.0)
        last = min(keys, first + ROWS) if is_causal else keys
        bring(p, s, 0, k_b, v_b, tile, 0, keys)
        cp_async_commit()
        for start in range(0, last, tile):
            here = tile_of_keys(p, s, k_b, v_b, start, last, keys)
            score = regs(tile // 8, 4, fill=0.0)
            slope = regs(tile // 8, 4, fill=0.0)
            rows_times_rows(p, score, own_q, s, here)
            rows_times_rows(p, slope, own_g, s, here + p.size)
            for h in static(2):
                row = mine + lane // 4 + 8 * h
                at = mask_at + min(row, queries - 1) * mask_row
                for j in static(tile // 8):
                    if drops and j % 4 == 0:
                        words[:] = quad_words(random, count, b * queries + row, start // 8 + j)
                    for c in static(2):
                        key = start + 8 * j + lane % 4 * 2 + c
                        place = at + min(key, keys - 1) * mask_key
                        value = scored(
                            score[j, 2 * h + c] * scale, masks, mask, place, row, key, keys, is_causal, read_mask
                        )
                        inner = slope[j, 2 * h + c]
                        if drops:
                            inner = inner * kept(words[j % 4], c, limit, factor)
                        slope[j, 2 * h + c] = fast_exp(value - log_sum[h]) * (inner - product[h])
            weights_times_tile(p, d, slope, s, here)
            syncthreads()
        scales = regs(2, fill=scale)
        store_rows(p, advance(dq, i8(b) * queries * width), d, mine, queries, scales)

    types = f"{code}* {code}* {code}* {code}* {code}* f4* {code}* f4* {others}"
    return Kernel(attention_mma_query_gradient, types, THREADS, shared=2 * stage * 2, tensor_cores=True)


@cache
def key_gradient_kernel(v: Variant) -> Kernel:
    """kernel(g, q, k, v, sums, products, dk, dv, queries, keys, scale, mask and dropout) as that of `attention.py`.

    Keys and values of the block stay in shared memory, queries and slopes come by tiles.
    """
    is_causal, drops, masks, read_mask, width = v.is_causal, v.drops, v.masks, v.read_mask, v.width
    code, _, others = v.types
    p = plan(width, v.dtype == BFLOAT16, 32)
    tile, stage, own_size = p.tile, 2 * p.size, 2 * ROWS * p.row
    statistics = 2 * (own_size + 2 * stage)  # bytes before the rows' sums and products
    random_words = statistics + 8 * tile  # and before the words that were drawn: four for a query and eight keys

    def own_rows(own, s, start):
        """This warp's rows of what stays in shared memory, as left operands."""
        for t in static(width // 16):
            own[t, :] = deep_patch(s, start, threadIdx.x // 32 * 16, 16 * t, p.row)

    def attention_mma_key_gradient(
        g, q, k, v, sums, products, dk, dv, queries, keys, scale, mask, heads, mask_batch, mask_head, mask_row,
        mask_key, seed, offset, state, limit, factor,
    ):  # fmt: skip
        s = dynamic_shared(0, u2)
        log_sums = dynamic_shared(statistics, f4)
        product = dynamic_shared(statistics + 4 * tile, f4)
        draws = dynamic_shared(random_words, u4)
        random, count = stream_of(seed, offset, state)
        lane = threadIdx.x % 32
        b, first = place_of(keys)
        mine = first + threadIdx.x // 32 * 16
        q_b = advance(q, i8(b) * queries * width)
        g_b = advance(g, i8(b) * queries * width)
        mask_at = i8(b // heads) * mask_batch + i8(b % heads) * mask_head
        bring(p, s, 0, advance(k, i8(b) * keys * width), advance(v, i8(b) * keys * width), ROWS, first, keys)
        d_k = regs(width // 8, 4, fill=0.0)
        d_v = regs(width // 8, 4, fill=0.0)
        begin = 0
        if is_causal:
            begin = first  # a multiple of the tile: no query before it looks at these keys
        if begin < queries:
            bring(p, s, own_size, q_b, g_b, tile, begin, queries)
        cp_async_commit()
        for start in range(begin, queries, tile):
            here = (start - begin) // tile % 2 * stage
            if start + tile < queries:
                bring(p, s, own_size + stage - here, q_b, g_b, tile, start + tile, queries)
            cp_async_commit()
            if threadIdx.x < tile:
                is_inside = start + threadIdx.x < queries
                at = i8(b) * queries + min(start + threadIdx.x, queries - 1)
                log_sums[threadIdx.x] = where(is_inside, sums[at], 0.0)
                product[threadIdx.x] = where(is_inside, products[at], 0.0)
            if drops:
                for h in static(2):
                    words = regs(4)
                    words[:] = philox_words(
                        random, u4(count), u4(count >> 32), u4(b * queries + start + lane), u4(mine // 8 + h)
                    )
                    store(draws, (threadIdx.x // 32 * 64 + 32 * h + lane) * 4, *words[:])
            cp_async_wait(1)
            syncthreads()
            score = regs(tile // 8, 4, fill=0.0)
            slope = regs(tile // 8, 4, fill=0.0)
            own = regs(width // 16, 4)
            own_rows(own, s, 0)
            rows_times_rows(p, score, own, s, own_size + here)
            own_rows(own, s, ROWS * p.row)
            rows_times_rows(p, slope, own, s, own_size + here + p.size)
            for j in static(tile // 8):
                for c in static(2):
                    column = 8 * j + lane % 4 * 2 + c
                    query = start + column
                    at = mask_at + min(query, queries - 1) * mask_row
                    for h in static(2):
                        key = mine + lane // 4 + 8 * h
                        place = at + min(key, keys - 1) * mask_key
                        value = scored(
                            score[j, 2 * h + c] * scale, masks, mask, place, query, key, keys, is_causal, read_mask
                        )
                        weight = fast_exp(value - log_sums[column])
                        inner = slope[j, 2 * h + c]
                        if drops:
                            word = draws[(threadIdx.x // 32 * 64 + 32 * h + column) * 4 + lane // 8]
                            keep = kept(word, lane // 4 % 2, limit, factor)
                            inner = inner * keep
                            score[j, 2 * h + c] = weight * keep
                        else:
                            score[j, 2 * h + c] = weight
                        slope[j, 2 * h + c] = weight * (inner - product[column])
            weights_times_tile(p, d_v, score, s, own_size + here + p.size)
            weights_times_tile(p, d_k, slope, s, own_size + here)
            syncthreads()
        scales = regs(2, fill=scale)
        ones = regs(2, fill=f4(1.0))
        store_rows(p, advance(dk, i8(b) * keys * width), d_k, mine, keys, scales)
        store_rows(p, advance(dv, i8(b) * keys * width), d_v, mine, keys, ones)

    types = f"{code}* {code}* {code}* {code}* f4* f4* {code}* {code}* {others}"
    size = random_words + (16 * 2 * THREADS if drops else 0)
    return Kernel(attention_mma_key_gradient, types, THREADS, shared=size, tensor_cores=True)


_VARIANTS = {
    "causal": Variant(BFLOAT16, 64, True),
    "wide": Variant(BFLOAT16, 128, True),
    "hidden": Variant(FLOAT16, 128, False, BOOL),
    "masked": Variant(FLOAT16, 64, False, FLOAT16),
    "dropping": Variant(BFLOAT16, 64, True, None, True),
    "dropping, wide": Variant(BFLOAT16, 128, False, BOOL, True),
}
REPRESENTATIVE = {
    f"{make.__name__}, {title}": lambda make=make, v=v: make(v)
    for make in (forward_kernel, query_gradient_kernel, key_gradient_kernel)
    for title, v in _VARIANTS.items()
}
