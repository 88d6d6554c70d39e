"""Kernels of matrix products: C = alpha A B + beta C + bias, for any sizes, layouts and batches.

A tile of C belongs to a block. Both operands pass through shared memory in slices of K, the next one on its way while
this one is multiplied. An operand is "deep" if K is its contiguous dimension, "wide" if M or N is; with `vector` it is
moved in 16 bytes, which asks its contiguous size, leading dimension and address to allow that, else by element.

`ffma` computes on the FP32 (or FP64) units, `mma` on tensor cores.
"""

# ruff: noqa: F405 - the words of kernels

import functools

from .device import *  # noqa: F403
from .device import WORDS
from .kernel import Kernel
from .tensor_cores import engine, fetcher, sum_slices

GROUP = 8  # rows of tiles that run close in time, so that what they share stays in the L2 cache

# sizes; `chunk` of K for each batch, which then is a part of one product (0: the batches are products);
# each matrix with its leading dimension and the distance of its batches; bias, whether there is one; alpha, beta
PARAMETERS = "i4 i4 i4 i4 {0}* i8 i8 {0}* i8 i8 {0}* i8 i8 {0}* i4 {1} {1}"


def corner_of(number, m, n, tile, width):
    """First row and column of a block's tile of `tile` rows: down GROUP tiles, then to the next column of tiles."""
    columns = (n + width - 1) // width
    group = number // (GROUP * columns)
    first = group * GROUP
    height = min((m + tile - 1) // tile - first, GROUP)
    inside = number - group * (GROUP * columns)
    column = inside // height
    return (first + inside - column * height) * tile, column * width


def from_corner(x, leading, batch, first, deep):
    """An operand from this block's batch and its first row (column) on."""
    return advance(x, i8(blockIdx.z) * batch + (i8(first) * leading if deep else i8(first)))


def finish_pair(sums, c, ldc, rows, columns, row, column, bias, first, biased, alpha, beta, widen, narrow, vector):
    """Two neighbouring results to device memory; `c` is the tile's corner, behind it are `rows` and `columns`."""
    at = row * i4(ldc) + column
    out = regs(2)
    for h in static(2):
        if row < rows and column + h < columns:
            out[h] = alpha * sums[h]
            if biased != 0:
                out[h] += widen(bias[first + column + h])
            if beta != 0.0:
                out[h] += beta * widen(c[at + h])
            if not vector:
                c[at + h] = narrow(out[h])
    if vector:  # the number of columns is even then, and so is the column
        if row < rows and column < columns:
            store(c, at, narrow(out[0]), narrow(out[1]))


@functools.cache
def ffma(code: str, deep_a: bool, deep_b: bool, vector: bool, tile: int) -> Kernel:
    """The product of float32 ("f4") or float64 ("f8") matrices; tiles are 128x128 or 64x64, 8x8 to a thread.

    A thread's 64 numbers are four 4x4 squares, half a tile apart, so that a warp's reads of shared memory do not meet
    in a bank.
    """
    T = WORDS[code]
    slice_depth = 8  # of K; registers hold the next one meanwhile
    threads = tile * tile // 64
    half = tile // 2
    quads = slice_depth // 4  # threads along K of a deep operand
    passes = tile * slice_depth // 4 // threads
    # a deep operand is turned on its way into shared memory: the padding spreads its columns over the banks
    row_a = tile + 4 if deep_a else tile
    row_b = tile + 4 if deep_b else tile

    def two_pairs(p, i):
        low = load(p, i, 2)
        high = load(p, i + 2, 2)
        return low[0], low[1], high[0], high[1]

    def one_four(p, i):
        return load(p, i, 4)

    four = one_four if code == "f4" else two_pairs  # 16 bytes at once

    def fetch(v, x, step, room, depth, deep):
        """This thread's part of a slice, from device memory into registers; zeros beyond the edges."""
        for q in static(passes):
            if deep:
                o = threadIdx.x // quads + q * (threads // quads)
                d = threadIdx.x % quads * 4
                at = o * step + d
            else:
                d = threadIdx.x // (tile // 4) + q * (threads // (tile // 4))
                o = threadIdx.x % (tile // 4) * 4
                at = d * step + o
            if vector:
                if o < room and d < depth:
                    v[q, :] = load(x, at, 4)
                else:
                    for j in static(4):
                        v[q, j] = T(0)
            else:
                for j in static(4):
                    if deep:
                        v[q, j] = x[at + j] if o < room and d + j < depth else T(0)
                    else:
                        v[q, j] = x[at + j] if o + j < room and d < depth else T(0)

    def put(v, s, start, row, deep):
        """The same part into shared memory, where K is the slow dimension."""
        for q in static(passes):
            if deep:
                o = threadIdx.x // quads + q * (threads // quads)
                d = threadIdx.x % quads * 4
                for j in static(4):
                    s[start + (d + j) * row + o] = v[q, j]
            else:
                d = threadIdx.x // (tile // 4) + q * (threads // (tile // 4))
                o = threadIdx.x % (tile // 4) * 4
                if code == "f4":
                    store(s, start + d * row + o, *v[q, :])
                else:
                    store(s, start + d * row + o, *v[q, :2])
                    store(s, start + d * row + o + 2, *v[q, 2:])

    def finish(c, at, column, n, bias, biased, alpha, beta, values):
        """Four results of a row to device memory."""
        out = regs(4)
        for j in static(4):
            out[j] = values[j] if vector or column + j < n else T(0)
            out[j] = T(alpha) * out[j]
        if biased != 0:
            for j in static(4):
                if vector or column + j < n:
                    out[j] += bias[column + j]
        if beta != 0.0:
            for j in static(4):
                if vector or column + j < n:
                    out[j] += T(beta) * c[at + j]
        if vector:
            store(c, at, *out[:])
        else:
            for j in static(4):
                if column + j < n:
                    c[at + j] = out[j]

    def gemm(m, n, k, chunk, a, lda, batch_a, b, ldb, batch_b, c, ldc, batch_c, bias, biased, alpha, beta):
        left = shared_array(2 * slice_depth * row_a, T)
        right = shared_array(2 * slice_depth * row_b, T)
        top, first = corner_of(blockIdx.x, m, n, tile, tile)
        if chunk > 0:
            k = min(chunk, k - blockIdx.z * chunk)
        a = from_corner(a, lda, batch_a, top, deep_a)
        b = from_corner(b, ldb, batch_b, first, deep_b)
        next_a = i8(slice_depth) if deep_a else slice_depth * lda
        next_b = i8(slice_depth) if deep_b else slice_depth * ldb
        step_a = i4(lda)
        step_b = i4(ldb)
        ty = threadIdx.x // (tile // 8) * 4
        tx = threadIdx.x % (tile // 8) * 4
        va = regs(passes, 4)
        vb = regs(passes, 4)
        sums = regs(8, 8, fill=T(0))
        fetch(va, a, step_a, m - top, k, deep_a)
        fetch(vb, b, step_b, n - first, k, deep_b)
        put(va, left, 0, row_a, deep_a)
        put(vb, right, 0, row_b, deep_b)
        syncthreads()
        buffer = 0
        for done in range(0, k, slice_depth):
            rest = k - done - slice_depth
            if rest > 0:
                a = advance(a, next_a)
                b = advance(b, next_b)
                fetch(va, a, step_a, m - top, rest, deep_a)
                fetch(vb, b, step_b, n - first, rest, deep_b)
            at_a = buffer * (slice_depth * row_a) + ty
            at_b = buffer * (slice_depth * row_b) + tx
            for _ in range(slice_depth // 4):
                for u in static(4):
                    p0 = four(left, at_a + u * row_a)
                    p1 = four(left, at_a + u * row_a + half)
                    q0 = four(right, at_b + u * row_b)
                    q1 = four(right, at_b + u * row_b + half)
                    for i in static(4):
                        for j in static(4):
                            sums[i, j] += p0[i] * q0[j]
                            sums[i, j + 4] += p0[i] * q1[j]
                            sums[i + 4, j] += p1[i] * q0[j]
                            sums[i + 4, j + 4] += p1[i] * q1[j]
                at_a += 4 * row_a
                at_b += 4 * row_b
            if rest > 0:
                buffer = 1 - buffer
                put(va, left, buffer * (slice_depth * row_a), row_a, deep_a)
                put(vb, right, buffer * (slice_depth * row_b), row_b, deep_b)
            syncthreads()
        c = advance(c, i8(blockIdx.z) * batch_c + i8(top) * ldc + first)
        for i in static(8):
            row = ty + i % 4 + i // 4 * half
            if top + row < m:
                for j in static(2):
                    column = tx + j * half
                    if first + column < n:
                        at = row * i4(ldc) + column
                        values = sums[i, :][4 * j : 4 * j + 4]
                        finish(c, at, first + column, n, bias, biased, alpha, beta, values)

    name = f"gemm_ffma_{code}_{'n' if deep_a else 't'}{'t' if deep_b else 'n'}_{tile}{'v' if vector else ''}"
    types = PARAMETERS.format(code, code)
    # two blocks leave 128 registers to a thread, which is enough for the addresses of these layouts alone
    resident = 2 if tile == 128 and deep_a and vector else 1
    return Kernel(gemm, types, threads, blocks_per_sm=resident, vector=vector, name=name)


@functools.cache
def mma(kind: str, deep_a: bool, deep_b: bool, vector: bool, tile: int) -> Kernel:
    """The product on tensor cores, summed in float32; `kind` and `tile` are those of `tensor_cores.engine`."""
    e = engine(kind, deep_a, deep_b, tile)
    fetch = fetcher(e, vector)

    def bring(s, start, number, at, step_a, next_a, rows, step_b, next_b, columns, k):
        rest = k - number * e.depth
        fetch(s, start, at[0], step_a, rows, rest, deep_a, e.row_a)
        fetch(s, start + e.size_a, at[1], step_b, columns, rest, deep_b, e.row_b)
        at[0] = advance(at[0], next_a)
        at[1] = advance(at[1], next_b)

    def gemm(m, n, k, chunk, a, lda, batch_a, b, ldb, batch_b, c, ldc, batch_c, bias, biased, alpha, beta):
        s = dynamic_shared(0, e.word)
        top, first = corner_of(blockIdx.x, m, n, tile, tile)
        if chunk > 0:
            k = min(chunk, k - blockIdx.z * chunk)
        at = regs(2)
        at[0] = from_corner(a, lda, batch_a, top, deep_a)
        at[1] = from_corner(b, ldb, batch_b, first, deep_b)
        next_a = i8(e.depth) if deep_a else e.depth * lda
        next_b = i8(e.depth) if deep_b else e.depth * ldb
        sums = regs(e.rows, 4, 4, fill=0.0)
        part = regs(e.rows, 4, 4, fill=0.0)
        slices = (k + e.depth - 1) // e.depth
        sum_slices(e, s, slices, sums, part, bring, (at, i4(lda), next_a, m - top, i4(ldb), next_b, n - first, k))
        c = advance(c, i8(blockIdx.z) * batch_c + i8(top) * ldc + first)
        for i in static(e.rows):
            for q in static(2):
                for j in static(4):
                    row, column = e.to_place(i, q, j, 0)
                    finish_pair(
                        sums[i, j, 2 * q : 2 * q + 2], c, ldc, m - top, n - first, row, column,
                        bias, first, biased, alpha, beta, e.widen, e.narrow, vector
                    )  # fmt: skip

    name = f"gemm_{kind}_{'n' if deep_a else 't'}{'t' if deep_b else 'n'}_{tile}{'v' if vector else ''}"
    types = PARAMETERS.format(e.code, "f4")
    return Kernel(gemm, types, e.threads, shared=e.shared, blocks_per_sm=e.resident, tensor_cores=True, name=name)


@functools.cache
def add_parts(code: str) -> Kernel:
    """out[i] = alpha * sum over parts of parts[p, i] + bias[i % columns] + beta * out[i], the parts in order."""
    T = WORDS[code]

    def add_parts(n, columns, count, parts, out, bias, biased, alpha, beta):
        for i in range(blockIdx.x * 256 + threadIdx.x, n, gridDim.x * 256):
            total = T(0)
            for p in range(count):
                total += parts[i8(p) * n + i]
            total = alpha * total
            if biased != 0:
                total += bias[i % columns]
            if beta != 0.0:
                total += beta * out[i]
            out[i] = total

    return Kernel(add_parts, f"i4 i4 i4 {code}* {code}* {code}* i4 {code} {code}", 256, name=f"add_parts_{code}")


REPRESENTATIVE = {
    **{f"ffma {row}": functools.partial(ffma, *row) for row in (
        ("f4", True, True, True, 128), ("f4", True, False, True, 128), ("f4", False, False, True, 128),
        ("f4", True, False, False, 128), ("f4", False, True, True, 64), ("f8", True, False, False, 64))},
    **{f"mma {row}": functools.partial(mma, *row) for row in (
        ("tf32", True, True, True, 128), ("tf32x3", True, True, True, 128), ("tf32x3", False, False, True, 128),
        ("tf32x3", True, False, False, 128), ("tf32x3", True, False, False, 64), ("bf16", True, True, True, 128),
        ("bf16", False, False, True, 128), ("f16", True, False, True, 64), ("bf16", True, True, False, 64))},
    "add_parts": functools.partial(add_parts, "f4"),
}  # fmt: skip
"""What the tests compile of the templates above."""
