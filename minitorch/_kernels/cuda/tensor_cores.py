"""What the kernels on tensor cores share: slices of both operands in shared memory, multiplied and summed.

A block multiplies a tile of rows (M) with one of columns (N), slice of K by slice. An operand is "deep" in shared
memory if K is its fast dimension there, "wide" if M or N is. Kernels bring the slices themselves, four at a time, by
asynchronous copies where the layout of their operands allows it.
"""

# ruff: noqa: F405 - the words of kernels

import functools
from typing import Any, NamedTuple

from .device import *  # noqa: F403
from .device import WORDS

STAGES = 4  # slices of K in shared memory at once: three are on their way while one is used
HALVES = {"bf16": (mma_bf16, from_bf16, to_bf16), "f16": (mma_f16, from_half, to_half)}
PROMOTE = 8  # slices after which sums leave the tensor cores, which round towards zero, for full precision
LIMIT = 3.4e38  # beyond this rounding to tf32 gives infinity


def split(x):
    """A float32 as the sum of two tf32, which hold 22 of its 24 bits: the first, the same for products with the rest
    of another number, the rest. An infinity is in the first alone, else its product with a rest of 0 would be NaN."""
    finite = x if absolute(x) < LIMIT else 0.0
    high = to_tf32(finite)
    return to_tf32(x), high, to_tf32(finite - from_bits(high))


class Engine(NamedTuple):
    """Sizes, and functions for kernels to call; `row_a`, `row_b` are the distances of rows in shared memory."""

    code: str
    word: Any
    size: int
    tile: int
    threads: int
    depth: int
    rows: int
    row_a: int
    row_b: int
    size_a: int
    stage: int
    shared: int
    resident: int
    consume: Any
    widen: Any
    narrow: Any
    to_place: Any


@functools.cache
def engine(kind: str, deep_a: bool, deep_b: bool, tile: int) -> Engine:
    """Tiles of 128x128 for 8 warps of 64x32 each, or 64x64 for 4 warps of 32x32.

    `kind` is "bf16" or "f16"; or for float32 "tf32" (rounded to 11 bits), or "tf32x3": each number as two of tf32 and
    three products, as exact as float32 (relative error 4e-7 of the norm at K = 4096, FP32 units 1e-6).

    Rows in shared memory are padded such that neither a fragment's reads nor `ldmatrix` meet in a bank.
    """
    halves = kind in HALVES
    code, size, k_step, depth = ("u2", 2, 16, 32) if halves else ("f4", 4, 8, 16)
    multiply, half_to_float, float_to_half = HALVES.get(kind, (mma_tf32, None, None))
    twice = kind == "tf32x3"
    warps_n = 4 if tile == 128 else 2
    warp_m = tile // 2
    rows, pairs = warp_m // 16, 2  # patches of 16 to a warp along M, along N
    row_a = depth + 16 // size if deep_a else tile + 8
    row_b = depth + 16 // size if deep_b else tile + 8
    size_a = row_a * (tile if deep_a else depth)
    stage = size_a + row_b * (tile if deep_b else depth)

    def patch(s, start, o, d, deep, row):
        """The fragment of 16 along M or N and `k_step` along K: four words, rows 0-7 and 8-15 of each half of K.

        `ldmatrix` moves rows of 16 bytes, so that a word of float32 goes where two halves would.
        """
        lane = threadIdx.x % 32
        w = regs(4)
        if deep:
            w[:] = ldmatrix_x4(s, start + (o + lane % 16) * row + d + lane // 16 * (16 // size))
        elif halves:
            w[:] = ldmatrix_x4_trans(s, start + (d + lane // 16 * 8 + lane % 8) * row + o + lane // 8 % 2 * 8)
        else:
            for q in static(4):
                w[q] = bits(s[start + (d + lane % 4 + q // 2 * 4) * row + o + lane // 4 + q % 2 * 8])
        return w[0], w[1], w[2], w[3]

    def add(sums, fa, fb):
        """One step of K for all patches of the warp."""
        for i in static(rows):
            for j in static(2 * pairs):
                sums[i, j, :] = multiply(*fa[i, :], fb[j // 2, j % 2], fb[j // 2, j % 2 + 2], *sums[i, j, :])

    def consume(s, number, slices, sums, part):
        """Multiply the slice of this number and add it to the sums of this thread's fragments."""
        start = number % STAGES * stage
        wm = threadIdx.x // 32 // warps_n * warp_m
        wn = threadIdx.x // 32 % warps_n * 32
        for step in static(depth // k_step):
            fa = regs(rows, 4)
            fb = regs(pairs, 4)
            for i in static(rows):
                fa[i, :] = patch(s, start, wm + i * 16, step * k_step, deep_a, row_a)
            for j in static(pairs):
                fb[j, :] = patch(s, start + size_a, wn + j * 16, step * k_step, deep_b, row_b)
            if twice:
                rest_a = regs(rows, 4)
                rest_b = regs(pairs, 4)
                high_a = regs(rows, 4)
                high_b = regs(pairs, 4)
                for q in static(4):
                    for i in static(rows):
                        fa[i, q], high_a[i, q], rest_a[i, q] = split(from_bits(fa[i, q]))
                    for j in static(pairs):
                        fb[j, q], high_b[j, q], rest_b[j, q] = split(from_bits(fb[j, q]))
                add(part, rest_a, high_b)
                add(part, high_a, rest_b)
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

    def widen(x):
        return half_to_float(x)

    def narrow(x):
        return float_to_half(x)

    def same(x):
        return x

    def to_place(i, q, j, h):
        """Row and column of a sum within the tile: of patch i, its half q; of column pair j, its column h."""
        row = threadIdx.x // 32 // warps_n * warp_m + i * 16 + q * 8 + threadIdx.x % 32 // 4
        return row, threadIdx.x // 32 % warps_n * 32 + j * 8 + threadIdx.x % 4 * 2 + h

    resident = 1 if twice or tile == 64 else 2
    ends = (consume, widen, narrow, to_place) if halves else (consume, same, same, to_place)
    sizes = (tile, 64 * warps_n, depth, rows, row_a, row_b, size_a, stage, STAGES * stage * size, resident)
    return Engine(code, WORDS[code], size, *sizes, *ends)


def fetcher(e: Engine, vector: bool) -> Any:
    """The function by which a kernel brings slices of a matrix; `vector`: rows can be moved in 16 bytes."""
    tile, depth_of_slice, threads, size = e.tile, e.depth, e.threads, e.size
    per = 16 // size if vector else 1  # elements to a copy
    passes = tile * depth_of_slice // per // threads

    def fetch(s, start, x, step, room, depth, deep, row):
        """Start to copy this thread's part of a slice to shared memory; zeros beyond the edges."""
        for q in static(passes):
            chunk = threadIdx.x + q * threads
            if deep:
                o = chunk // (depth_of_slice // per)
                d = chunk % (depth_of_slice // per) * per
                at = o * step + d
                to = start + o * row + d
            else:
                d = chunk // (tile // per)
                o = chunk % (tile // per) * per
                at = d * step + o
                to = start + d * row + o
            copy_or_zero(s, to, x, at, o < room and d < depth, per * size)

    return fetch


def copy_or_zero(s, to, x, at, inside, nbytes):
    """Elements of that many bytes to shared memory, zeros unless `inside`; asynchronously, if they are four or more."""
    if nbytes >= 4:
        cp_async_fill(s, to, x, at if inside else 0, nbytes, inside)
    else:
        s[to] = x[at] if inside else 0


def sum_slices(e, s, slices, sums, part, bring, operands):
    """The main loop: `bring(s, start, number, *operands)` starts to copy a slice, which is used three slices later."""
    for number in static(STAGES - 1):
        bring(s, number * e.stage, number, *operands)
        cp_async_commit()
    for number in range(slices):
        cp_async_wait(STAGES - 2)
        syncthreads()
        e.consume(s, number, slices, sums, part)
        coming = number + (STAGES - 1)
        if coming < slices:
            bring(s, coming % STAGES * e.stage, coming, *operands)
        cp_async_commit()
