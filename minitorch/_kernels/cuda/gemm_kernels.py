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

GROUP = 8  # rows of tiles that run close in time, so that what they share stays in the L2 cache

# sizes; each matrix with its leading dimension and the distance of its batches; bias, whether there is one; alpha, beta
PARAMETERS = "i4 i4 i4 {0}* i8 i8 {0}* i8 i8 {0}* i8 i8 {0}* i4 {1} {1}"


def tile_of(number, rows, columns):
    """Row and column of a block's tile: down GROUP rows, then to the next column."""
    group = number // (GROUP * columns)
    first = group * GROUP
    height = min(rows - first, GROUP)
    inside = number - group * (GROUP * columns)
    column = inside // height
    return first + inside - column * height, column


@functools.cache
def ffma(code: str, deep_a: bool, deep_b: bool, vector: bool, tile: int) -> Kernel:
    """The product of float32 ("f4") or float64 ("f8") matrices; tiles are 128x128 or 64x64, 8x8 to a thread.

    A thread's 64 numbers are four 4x4 squares, half a tile apart, so that a warp's reads of shared memory do not meet
    in a bank.
    """
    T = WORDS[code]
    slice_depth = 16 if code == "f4" else 8  # of K; registers hold the next one meanwhile
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

    def gemm(m, n, k, a, lda, batch_a, b, ldb, batch_b, c, ldc, batch_c, bias, biased, alpha, beta):
        left = shared_array(2 * slice_depth * row_a, T)
        right = shared_array(2 * slice_depth * row_b, T)
        tile_row, tile_column = tile_of(blockIdx.x, (m + tile - 1) // tile, (n + tile - 1) // tile)
        top = tile_row * tile
        first = tile_column * tile
        a = advance(a, i8(blockIdx.z) * batch_a + (i8(top) * lda if deep_a else i8(top)))
        b = advance(b, i8(blockIdx.z) * batch_b + (i8(first) * ldb if deep_b else i8(first)))
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
    return Kernel(
        gemm, types, threads, blocks_per_sm=2 if tile == 128 and code == "f4" else 1, vector=vector, name=name
    )


STAGES = 4  # slices of K in shared memory at once: three are on their way while one is used
HALVES = {"bf16": (mma_bf16, from_bf16, to_bf16), "f16": (mma_f16, from_half, to_half)}
PROMOTE = 8  # slices after which sums leave the tensor cores, which round towards zero, for full precision


def split(x):
    """A float32 as the sum of two tf32, which hold 22 of its 24 bits; of an infinity the first is all."""
    high = to_tf32(x)
    rest = x - from_bits(high)
    return high, to_tf32(rest if absolute(x) < inf else 0.0)


inf = float("inf")


@functools.cache
def mma(kind: str, deep_a: bool, deep_b: bool, vector: bool, tile: int) -> Kernel:
    """The product on tensor cores, summed in float32.

    `kind` is "bf16" or "f16"; or for float32 matrices "tf32" (rounded to 11 bits), or "tf32x3": each number as two of
    tf32 and three products, as exact as float32 (relative error 4e-7 of the norm at K = 4096, FP32 units 1e-6). Tiles
    are 128x128 for 8 warps of 64x32 each, or 64x64 for 4 warps of 32x32.

    Rows in shared memory are padded such that neither a fragment's reads nor `ldmatrix` meet in a bank.
    """
    halves = kind in HALVES
    code, size, k_step, slice_depth = ("u2", 2, 16, 32) if halves else ("f4", 4, 8, 16)
    multiply, widen, narrow = HALVES.get(kind, (mma_tf32, None, None))
    twice = kind == "tf32x3"
    T = WORDS[code]
    warps_n = 4 if tile == 128 else 2
    warp_m = tile // 2
    threads = 64 * warps_n
    rows, pairs = warp_m // 16, 2  # patches of 16 to a warp along M, along N
    per = 16 // size if vector else 1  # elements to a copy
    passes = tile * slice_depth // per // threads
    row_a = slice_depth + 16 // size if deep_a else tile + 8
    row_b = slice_depth + 16 // size if deep_b else tile + 8
    size_a = row_a * (tile if deep_a else slice_depth)
    size_b = row_b * (tile if deep_b else slice_depth)

    def fetch(s, start, x, step, room, depth, deep, row):
        """Start to copy this thread's part of a slice to shared memory; zeros beyond the edges."""
        for q in static(passes):
            chunk = threadIdx.x + q * threads
            if deep:
                o = chunk // (slice_depth // per)
                d = chunk % (slice_depth // per) * per
                at = o * step + d
                to = start + o * row + d
            else:
                d = chunk // (tile // per)
                o = chunk % (tile // per) * per
                at = d * step + o
                to = start + d * row + o
            inside = o < room and d < depth
            if vector or not halves:
                cp_async_fill(s, to, x, at if inside else 0, per * size, inside)
            else:
                s[to] = x[at] if inside else 0

    def patch(s, start, o, d, deep, row):
        """The fragment of 16 rows along M or N and `k_step` along K: four words, rows 0-7, 8-15 of each half of K."""
        lane = threadIdx.x % 32
        g = lane // 4
        t = lane % 4
        w = regs(4)
        if halves:
            if deep:
                w[:] = ldmatrix_x4(s, start + (o + lane % 16) * row + d + lane // 16 * 8)
            else:
                w[:] = ldmatrix_x4_trans(s, start + (d + lane // 16 * 8 + lane % 8) * row + o + lane // 8 % 2 * 8)
        else:
            for q in static(4):
                if deep:
                    w[q] = bits(s[start + (o + g + q % 2 * 8) * row + d + t + q // 2 * 4])
                else:
                    w[q] = bits(s[start + (d + t + q // 2 * 4) * row + o + g + q % 2 * 8])
        return w[0], w[1], w[2], w[3]

    def add(sums, fa, fb):
        """One step of K for all patches of the warp."""
        for i in static(rows):
            for j in static(2 * pairs):
                sums[i, j, :] = multiply(*fa[i, :], fb[j // 2, j % 2], fb[j // 2, j % 2 + 2], *sums[i, j, :])

    def finish(c, at, bias, column, biased, alpha, beta, value):
        out = alpha * value
        if biased != 0:
            out += widen(bias[column]) if halves else bias[column]
        if beta != 0.0:
            out += beta * (widen(c[at]) if halves else c[at])
        c[at] = narrow(out) if halves else out

    def gemm(m, n, k, a, lda, batch_a, b, ldb, batch_b, c, ldc, batch_c, bias, biased, alpha, beta):
        s = dynamic_shared(0, T)
        tile_row, tile_column = tile_of(blockIdx.x, (m + tile - 1) // tile, (n + tile - 1) // tile)
        top = tile_row * tile
        first = tile_column * tile
        a = advance(a, i8(blockIdx.z) * batch_a + (i8(top) * lda if deep_a else i8(top)))
        b = advance(b, i8(blockIdx.z) * batch_b + (i8(first) * ldb if deep_b else i8(first)))
        next_a = i8(slice_depth) if deep_a else slice_depth * lda
        next_b = i8(slice_depth) if deep_b else slice_depth * ldb
        warp = threadIdx.x // 32
        wm = warp // warps_n * warp_m
        wn = warp % warps_n * 32
        sums = regs(rows, 2 * pairs, 4, fill=0.0)
        part = regs(rows, 2 * pairs, 4, fill=0.0)
        for ahead in static(STAGES - 1):
            start = ahead * (size_a + size_b)
            fetch(s, start, a, i4(lda), m - top, k - ahead * slice_depth, deep_a, row_a)
            fetch(s, start + size_a, b, i4(ldb), n - first, k - ahead * slice_depth, deep_b, row_b)
            cp_async_commit()
            a = advance(a, next_a)
            b = advance(b, next_b)
        slices = (k + slice_depth - 1) // slice_depth
        for number in range(slices):
            cp_async_wait(STAGES - 2)
            syncthreads()
            start = number % STAGES * (size_a + size_b)
            for step in static(slice_depth // k_step):
                fa = regs(rows, 4)
                fb = regs(pairs, 4)
                for i in static(rows):
                    fa[i, :] = patch(s, start, wm + i * 16, step * k_step, deep_a, row_a)
                for j in static(pairs):
                    fb[j, :] = patch(s, start + size_a, wn + j * 16, step * k_step, deep_b, row_b)
                if twice:
                    rest_a = regs(rows, 4)
                    rest_b = regs(pairs, 4)
                    for q in static(4):
                        for i in static(rows):
                            fa[i, q], rest_a[i, q] = split(from_bits(fa[i, q]))
                        for j in static(pairs):
                            fb[j, q], rest_b[j, q] = split(from_bits(fb[j, q]))
                    add(part, rest_a, fb)
                    add(part, fa, rest_b)
                    add(part, fa, fb)
                else:
                    if not halves:
                        for q in static(4):
                            for i in static(rows):
                                fa[i, q] = to_tf32(from_bits(fa[i, q]))
                            for j in static(pairs):
                                fb[j, q] = to_tf32(from_bits(fb[j, q]))
                    add(sums, fa, fb)
            if twice:
                if number % PROMOTE == PROMOTE - 1 or number == slices - 1:
                    for i in static(rows):
                        for j in static(2 * pairs):
                            for q in static(4):
                                sums[i, j, q] += part[i, j, q]
                                part[i, j, q] = 0.0
            coming = number + STAGES - 1
            if coming < slices:
                start = coming % STAGES * (size_a + size_b)
                fetch(s, start, a, i4(lda), m - top, k - coming * slice_depth, deep_a, row_a)
                fetch(s, start + size_a, b, i4(ldb), n - first, k - coming * slice_depth, deep_b, row_b)
                a = advance(a, next_a)
                b = advance(b, next_b)
            cp_async_commit()
        c = advance(c, i8(blockIdx.z) * batch_c + i8(top) * ldc + first)
        g = threadIdx.x % 32 // 4
        t = threadIdx.x % 4 * 2
        for i in static(rows):
            for q in static(2):
                row = wm + i * 16 + q * 8 + g
                if top + row < m:
                    for j in static(2 * pairs):
                        for h in static(2):
                            column = wn + j * 8 + t + h
                            if first + column < n:
                                at = row * i4(ldc) + column
                                finish(c, at, bias, first + column, biased, alpha, beta, sums[i, j, 2 * q + h])

    name = f"gemm_{kind}_{'n' if deep_a else 't'}{'t' if deep_b else 'n'}_{tile}{'v' if vector else ''}"
    shared = STAGES * (size_a + size_b) * size
    resident = 1 if twice or tile == 64 else 2
    types = PARAMETERS.format(code, "f4")
    return Kernel(gemm, types, threads, shared=shared, blocks_per_sm=resident, tensor_cores=True, name=name)
