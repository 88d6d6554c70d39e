"""Kernels of matrix products for Hopper: operands come by bulk copies (TMA), four warps multiply together (wgmma).

A block has a tile of 128 rows and 128 or 256 columns. Its last warp brings slices of 128 bytes of K, up to four ahead;
eight warps multiply them, each group of four 64 rows of the tile, with their sums in registers. Two barriers to a slice
say that it has come (the copies count its bytes) and that all eight warps are through with it.

In shared memory a slice is made of boxes whose rows have 128 bytes, in 16-byte pieces, of which the number is xored
with that of the row modulo 8: copies and products know this pattern by the name of 128-byte swizzle, and by addresses,
so boxes begin at multiples of 1024 bytes. A "deep" operand (K is contiguous) is one box, a row for each of the tile's
rows; a "wide" one has a box for each 64 of the tile's rows, and K along the box's rows. tf32 exists deep only.

Descriptors are those of the PTX ISA, "Matrix Descriptor Format" of wgmma: bits 0-13 the address, 16-29 the leading
and 32-45 the stride dimension's distance, all in 16 bytes, 62-63 the swizzle. With this swizzle the stride is that of
groups of 8 rows (of the tile where the operand is deep, of K where it is wide), the leading one that of a wide
operand's boxes; that of a deep one is not read.
"""

# ruff: noqa: F405 - the words of kernels

import functools
from typing import Any

from . import runtime
from .device import *  # noqa: F403
from .gemm_kernels import corner_of, finish_pair
from .kernel import Kernel
from .tensor_cores import HALVES

CAPABILITY = (9, 0)  # the one that has these instructions
ROWS = 128  # of a tile
CONSUMERS = 256  # threads that multiply; one of the 32 behind them starts copies
LINE = 128  # bytes to a row of a box
BOX = 64 * LINE  # bytes of 64 rows
MULTIPLY = {"bf16": wgmma_bf16, "f16": wgmma_f16, "tf32": wgmma_tf32}

SWIZZLE_128 = 1 << 62
EIGHT_ROWS = (8 * LINE >> 4) << 32
BOXES = (BOX >> 4) << 16

# sizes; each operand's map and whether it has batches; the result with its leading dimension and the distance of its
# batches; bias, whether there is one; alpha, beta
PARAMETERS = "i4 i4 i4 map i4 map i4 {0}* i8 i8 {0}* i4 f4 f4"


def depth_of(kind: str) -> int:
    """Numbers of K to a slice."""
    return LINE // (2 if kind in HALVES else 4)


def box_of(kind: str, deep: bool, rows: int) -> tuple[int, int, int]:
    """The box by which an operand comes, the contiguous size first; `rows` of it (columns of B) are in a tile."""
    return (depth_of(kind), rows, 1) if deep else (64, 64, 1)


def bring(s, start, source, x, number, z, barriers, stage, rows, depth, deep):
    """Start to copy an operand's slice of this number."""
    if deep:
        copy_box(s, start, source, number * depth, x, z, barriers, stage)
    else:
        for q in static(rows // 64):
            copy_box(s, start + q * BOX, source, x + 64 * q, number * depth, z, barriers, stage)


def descriptor(s, start, deep):
    """What wgmma must know of an operand."""
    fixed = SWIZZLE_128 | EIGHT_ROWS if deep else SWIZZLE_128 | EIGHT_ROWS | BOXES
    return u8((shared_address(s, start) & 0x3FFFF) >> 4) | u8(fixed)  # above are the block's bits within a cluster


@functools.cache
def wgmma(kind: str, deep_a: bool, deep_b: bool, vector: bool, columns: int) -> Kernel:
    """The product of bfloat16 ("bf16"), float16 ("f16") or float32 rounded to 11 bits ("tf32"), summed in float32.

    Tiles have 128 or 256 `columns`; with `vector` two results are stored at once. Of the smaller tiles two blocks share
    a multiprocessor, so that one multiplies while the other begins or ends.
    """
    code = "u2" if kind in HALVES else "f4"
    widen, narrow = HALVES[kind][1:] if kind in HALVES else (f4, f4)
    multiply: Any = MULTIPLY[kind]
    depth, count = depth_of(kind), columns // 2
    stages = 4 if columns == 256 else 3
    size_a = ROWS * LINE
    size = size_a + columns * LINE
    # 32 bytes of K further: within a row, or as many rows as that are numbers
    step_a, step_b = (2 if deep else 16 * LINE >> 4 for deep in (deep_a, deep_b))

    def gemm(m, n, k, map_a, several_a, map_b, several_b, c, ldc, batch_c, bias, biased, alpha, beta):
        barriers = shared_array(2 * stages, u8)  # for each stage: filled; read
        s = dynamic_shared(0, u1)
        s = advance(s, (0 - shared_address(s, 0)) % 1024)
        top, first = corner_of(blockIdx.x, m, n, ROWS, columns)
        slices = (k + depth - 1) // depth
        if threadIdx.x == 0:
            for q in static(stages):
                mbarrier_init(barriers, q, 1)
                mbarrier_init(barriers, stages + q, CONSUMERS // 32)
            mbarrier_fence()
        syncthreads()
        stage = 0
        parity = u4(0)
        if threadIdx.x >= CONSUMERS:
            if threadIdx.x == CONSUMERS:
                za = blockIdx.z if several_a != 0 else 0
                zb = blockIdx.z if several_b != 0 else 0
                for number in range(slices):
                    mbarrier_wait(barriers, stages + stage, parity ^ 1)
                    mbarrier_expect(barriers, stage, size)
                    bring(s, stage * size, map_a, top, number, za, barriers, stage, ROWS, depth, deep_a)
                    bring(s, stage * size + size_a, map_b, first, number, zb, barriers, stage, columns, depth, deep_b)
                    stage += 1
                    if stage == stages:
                        stage = 0
                        parity = parity ^ 1
        else:
            sums = regs(count, fill=0.0)
            for _ in range(slices):
                mbarrier_wait(barriers, stage, parity)
                a = descriptor(s, stage * size + threadIdx.x // 128 * BOX, deep_a)
                b = descriptor(s, stage * size + size_a, deep_b)
                wgmma_fence()
                for q in static(4):
                    sums[:] = multiply(count, not deep_a, not deep_b, a + q * step_a, b + q * step_b, *sums[:])
                wgmma_commit()
                sums[:] = wgmma_wait(count, *sums[:])  # meanwhile the other four warps multiply
                if threadIdx.x % 32 == 0:
                    mbarrier_arrive(barriers, stages + stage)
                stage += 1
                if stage == stages:
                    stage = 0
                    parity = parity ^ 1
            c = advance(c, i8(blockIdx.z) * batch_c + i8(top) * ldc + first)
            for j in static(columns // 8):
                for h in static(2):
                    row = threadIdx.x // 32 * 16 + threadIdx.x % 32 // 4 + 8 * h
                    column = 8 * j + threadIdx.x % 4 * 2
                    finish_pair(
                        sums[4 * j + 2 * h : 4 * j + 2 * h + 2], c, ldc, m - top, n - first, row, column,
                        bias, first, biased, alpha, beta, widen, narrow, vector
                    )  # fmt: skip

    name = f"gemm_wgmma_{kind}_{'n' if deep_a else 't'}{'t' if deep_b else 'n'}_{columns}{'v' if vector else ''}"
    options: dict[str, Any] = dict(shared=stages * size + 1024, blocks_per_sm=1 if columns == 256 else 2, wgmma=True)
    return Kernel(gemm, PARAMETERS.format(code), CONSUMERS + 32, name=name, **options)


def takes(kind: str, k: int, *operands: Any) -> bool:
    """Whether operands, as `gemm.Operand`s, can be copied by boxes: their lines must begin at multiples of 16 bytes."""
    per = 8 if kind in HALVES else 4
    return k > 0 and not any(o.array.pointer % 16 or o.leading % per or o.batch % per for o in operands)


def columns_for(m: int, n: int, batches: int) -> int:
    """How wide tiles are: 256 where there is one for each multiprocessor even so."""
    wide = -(-m // ROWS) * -(-n // 256) * batches
    return 256 if n > 128 and wide >= runtime.gpu().multiprocessors else 128


def product(
    kind: str, left: Any, right: Any, sizes: tuple[int, int, int], batches: int, out: Any, bias: Any, *factors: float
) -> None:
    """out = alpha a @ b + beta out + bias for `gemm.Operand`s that it `takes`; `factors` are alpha and beta."""
    m, n, k = sizes
    columns = columns_for(m, n, batches)
    deep_a, deep_b = left.inner_last, not right.inner_last
    vector = n % 2 == 0 and out.pointer % 8 == 0
    maps = [
        _map(kind, left, deep_a, m, k, batches, ROWS), int(left.batch > 0),
        _map(kind, right, deep_b, n, k, batches, columns), int(right.batch > 0),
    ]  # fmt: skip
    given = (0 if bias is None else bias.pointer, int(bias is not None))
    grid = (-(-m // ROWS) * -(-n // columns), 1, batches)
    wgmma(kind, deep_a, deep_b, vector, columns).launch(grid, m, n, k, *maps, out, n, m * n, *given, *factors)


def _map(kind: str, operand: Any, deep: bool, lines: int, k: int, batches: int, rows: int) -> bytes:
    """The operand's tensor map; one without batches of its own has a third dimension of 1."""
    size = operand.array.dtype.itemsize
    fast, slow = (k, lines) if deep else (lines, k)
    distances = (operand.leading * size, (operand.batch or operand.leading * slow) * size)
    return runtime.gpu().driver.tensor_map(
        operand.array.pointer,
        "u2" if kind in HALVES else "tf32",
        (fast, slow, batches if operand.batch else 1),
        distances,
        box_of(kind, deep, rows),
    )


REPRESENTATIVE = {
    f"wgmma {row}": functools.partial(wgmma, *row) for row in (
        ("bf16", True, True, True, 128), ("bf16", True, False, True, 256), ("bf16", False, True, False, 128),
        ("f16", True, False, True, 128), ("f16", False, False, True, 256), ("tf32", True, True, True, 128),
        ("tf32", True, True, True, 256), ("tf32", True, True, False, 256))
}  # fmt: skip
"""What the tests compile of the template above."""
