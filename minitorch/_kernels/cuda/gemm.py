"""Matrix products on a GPU: which kernel of `gemm_kernels.py` serves which operands.

| operands | kernel | why |
|---|---|---|
| float32 with `torch.backends.cuda.matmul.allow_tf32` | tf32 | what torch does |
| float32 of 256 rows and columns or more | tf32x3 | exact as float32, on units with several times the rate |
| other float32 | FP32 units | three products and their splitting cost more than they save |
| float64 | FP64 units | |
| bfloat16, float16 | tensor cores, float32 sums | |

On Hopper the kernels of `gemm_hopper.py` serve bfloat16, float16 and tf32 from `WGMMA_FROM` on.

Tiles are 128x128 where that makes a block for each multiprocessor, else 64x64. Where even those are too few and K is
long, K is cut into parts, which are added in order: results never depend on timing.
"""

import sys
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from minitorch._kernels import half
from minitorch._kernels.codegen import Formula
from minitorch._kernels.scalar import maximum, sqrt

from . import array, copy, gemm_hopper, gemm_kernels, pointwise, reduce, runtime
from .array import CudaArray
from .tensor_cores import HALVES

LARGE = 256  # rows and columns from which float32 is worth splitting
CHUNK = 256  # at least so much of K to a part
TILE = 128  # rows and columns of the largest tile
WGMMA_FROM = inf
"""Tiles to a multiprocessor from which products run on `gemm_hopper.py`: none, since no GPU has run it yet. Once the
items of `benchmarks/gpu.py` with "wgmma" in their names hold, it should be 1."""
MOST_BATCHES = 65535  # to a launch: blocks along the third dimension of a grid


_C_NAMES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}


class Operand(NamedTuple):
    """A batch of matrices as kernels take them: `deep` if columns are contiguous (for A; for B if rows are)."""

    array: CudaArray
    inner_last: bool
    leading: int
    batch: int


def product(
    a: CudaArray, b: CudaArray, out: CudaArray, alpha: float = 1.0, beta: float = 0.0, bias: CudaArray | None = None
) -> CudaArray:
    """out = alpha a @ b + beta out + bias for a (..., M, K), b (..., K, N), out (..., M, N) contiguous, bias (N,).

    `a` and `b` may have any strides; two or three dimensions; one dtype.
    """
    (m, k), n = a.shape[-2:], b.shape[-1]
    batches = a.shape[0] if a.ndim == 3 else 1
    if not out.size:
        return out
    if batches > MOST_BATCHES:
        for first in range(0, batches, MOST_BATCHES):
            some = slice(first, first + MOST_BATCHES)
            product(a[some], b[some], out[some], alpha, beta, bias)
        return out
    left, right = _operand(a), _operand(b)
    _check_reach((left.leading, (k, m)[left.inner_last]), (right.leading, (n, k)[right.inner_last]), (n, m))
    kind = kind_of(a.dtype, m, n)
    sms, blocks = multiprocessors(), _tiles(m, n, TILE) * batches
    ends = _for_wgmma(kind, left, right, k) if blocks >= WGMMA_FROM * sms else None
    if ends is not None:
        gemm_hopper.product(kind, *ends, (m, n, k), batches, out, bias, float(alpha), float(beta))
        return out
    wide = _vectors(left, (k, m)[not left.inner_last]) and _vectors(right, (n, k)[not right.inner_last])
    wide = wide and n % (16 // out.dtype.itemsize) == 0 and out.pointer % 16 == 0 and kind != "f8"
    tile = TILE if kind != "f8" and blocks >= sms else 64
    tiles = _tiles(m, n, tile)
    kernel = (gemm_kernels.ffma if kind in ("f4", "f8") else gemm_kernels.mma)(
        kind, left.inner_last, not right.inner_last, wide, tile
    )
    operands = (left.array, left.leading, left.batch, right.array, right.leading, right.batch)
    given = (0 if bias is None else bias.pointer, int(bias is not None))
    parts = min(sms // tiles, k // CHUNK) if batches == 1 and kind not in HALVES else 1
    if parts < 2:
        sizes = (m, n, k, 0)
        kernel.launch((tiles, 1, batches), *sizes, *operands, out, n, m * n, *given, float(alpha), float(beta))
        return out
    chunk = -(-k // (parts * 32)) * 32
    parts = -(-k // chunk)
    sums = array.empty((parts, m, n), out.dtype)
    step_a = chunk if left.inner_last else chunk * left.leading
    step_b = chunk * right.leading if right.inner_last else chunk
    operands = (left.array, left.leading, step_a, right.array, right.leading, step_b)
    kernel.launch((tiles, 1, parts), m, n, k, chunk, *operands, sums, n, m * n, 0, 0, 1.0, 0.0)
    add = gemm_kernels.add_parts("f8" if kind == "f8" else "f4")
    add.launch(min(-(-m * n // 256), 4096), m * n, n, parts, sums, out, *given, float(alpha), float(beta))
    return out


def _for_wgmma(kind: str, left: Operand, right: Operand, k: int) -> tuple[Operand, Operand] | None:
    """Both operands as `gemm_hopper` takes them; None where it has no kernel for them, or for this GPU."""
    if kind not in gemm_hopper.MULTIPLY or runtime.gpu().capability != gemm_hopper.CAPABILITY:
        return None
    if kind == "tf32":  # which wgmma multiplies with K contiguous only; a copy takes little beside the product
        left = left if left.inner_last else _operand(left.array.copy())
        right = _operand(_turned(_turned(right.array).copy())) if right.inner_last else right
    return (left, right) if gemm_hopper.takes(kind, k, left, right) else None


def _turned(a: CudaArray) -> CudaArray:
    return a.transpose(*range(a.ndim - 2), -1, -2)


def room_for_parts(parts: int, whole: CudaArray, kind: np.dtype) -> CudaArray:
    """Where a kernel puts the parts, of dtype `kind`, of the sums in an array: itself where there is but one."""
    return whole if parts == 1 and whole.dtype == kind else array.empty((parts, *whole.shape), kind)


def parts_added(sums: CudaArray, whole: CudaArray) -> CudaArray:
    """The array whose parts are in what `room_for_parts` gave, added in order."""
    if sums is whole:
        return whole
    out = whole if whole.dtype == sums.dtype else array.empty(whole.shape, sums.dtype)
    add = gemm_kernels.add_parts(sums.dtype.str[1:])
    n = out.size
    add.launch(min(-(-n // 256), 4096), n, n, sums.shape[0], sums, out, 0, 0, 1.0, 0.0)
    return out if out is whole else out.astype(whole.dtype)


def _check_reach(*matrices: tuple[int, int]) -> None:
    """Refuse (distance of lines, lines) by which a tile's last place, counted in 32 bits, would overflow."""
    for leading, lines in matrices:
        if min(lines, TILE) * leading >= 1 << 31:
            raise NotImplementedError(
                f"a product of matrices of {lines} lines that lie {leading} elements apart is not implemented for "
                "device 'cuda' by minitorch: within a tile its kernel counts in 32 bits; multiply parts of them"
            )


def kind_of(dtype: np.dtype, m: int, n: int) -> str:
    """The kernel for matrices of a dtype; raises NotImplementedError, in torch's words, where there is none."""
    if dtype == half.BFLOAT16:
        return "bf16"
    if dtype == half.FLOAT16:
        return "f16"
    if dtype == np.float64:
        return "f8"
    if dtype != np.float32:
        raise NotImplementedError(f"\"addmm_cuda\" not implemented for '{_C_NAMES.get(dtype.name, dtype.name)}'")
    settings = sys.modules.get("minitorch.backends.cuda")  # above kernels; nobody has changed what is not imported
    if settings is not None and settings.matmul.allow_tf32:
        return "tf32"
    return "tf32x3" if min(m, n) >= LARGE else "f4"


def multiprocessors() -> int:
    """How many multiprocessors the current GPU has."""
    return runtime.gpu().multiprocessors


def _tiles(m: int, n: int, tile: int) -> int:
    return -(-m // tile) * -(-n // tile)


def _operand(a: CudaArray) -> Operand:
    """The array itself if one of its last two dimensions is contiguous, else a copy."""
    size = a.dtype.itemsize
    rows, columns = a.shape[-2:]
    row_step, column_step = (step // size for step in a.strides[-2:])
    batch = a.strides[0] // size if a.ndim == 3 else 0
    if (column_step == 1 or columns == 1) and (row_step >= columns or rows == 1):
        return Operand(a, True, row_step if rows > 1 else columns, batch)
    if (row_step == 1 or rows == 1) and (column_step >= rows or columns == 1):
        return Operand(a, False, column_step if columns > 1 else rows, batch)
    return _operand(a.copy())


def _vectors(operand: Operand, contiguous: int) -> bool:
    """Whether all of it can be moved in 16 bytes."""
    per = 16 // operand.array.dtype.itemsize
    return not (contiguous % per or operand.leading % per or operand.batch % per or operand.array.pointer % 16)


# Ops, by the names of their records (`_ops/linalg.py`)


def mm(inferred: Any, a: CudaArray, b: CudaArray) -> CudaArray:
    """a @ b for matrices (N, K) and (K, M)."""
    return product(a, b, array.empty(*inferred))


bmm = mm


def mv(inferred: Any, a: CudaArray, v: CudaArray) -> CudaArray:
    """a @ v for a matrix (N, K) and a vector (K,)."""
    out = array.empty(*inferred)
    product(a, v[:, None], out[:, None])
    return out


def dot(inferred: Any, a: CudaArray, b: CudaArray) -> CudaArray:
    """The sum of the products of two vectors."""
    out = array.empty(*inferred)
    product(a[None, :], b[:, None], out[None, None])
    return out


def _weighted(x, y, *, alpha, beta):
    return alpha * x + beta * y


WEIGHTED = Formula(_weighted)


def _added(inferred: Any, input: CudaArray, product: CudaArray, beta: Any, alpha: Any) -> CudaArray:
    """alpha product + beta input; with beta 0 nan in the input do not count."""
    alpha, beta = float(alpha), float(beta)
    if beta == 0.0:
        return product if alpha == 1.0 else pointwise.compute(SCALED, [product], (alpha,), *inferred)
    return pointwise.compute(WEIGHTED, [product, input], (alpha, beta), *inferred)


def _scaled(x, *, alpha):
    return alpha * x


SCALED = Formula(_scaled)


def addmm(inferred: Any, input: CudaArray, a: CudaArray, b: CudaArray, beta: Any, alpha: Any) -> CudaArray:
    """beta input + alpha a @ b, input broadcast; a row, contiguous, is added by the product's own kernel."""
    shape, dtype = inferred
    if input.ndim == 1 and input.shape == shape[1:] and beta == alpha == 1 and input.flags.c_contiguous:
        return product(a, b, array.empty(shape, dtype), bias=input)
    return _added(inferred, input, mm(inferred, a, b), beta, alpha)


baddbmm = addmm


def addmv(inferred: Any, input: CudaArray, a: CudaArray, v: CudaArray, beta: Any, alpha: Any) -> CudaArray:
    """beta input + alpha a @ v."""
    return _added(inferred, input, mv(inferred, a, v), beta, alpha)


def addbmm(inferred: Any, input: CudaArray, a: CudaArray, b: CudaArray, beta: Any, alpha: Any) -> CudaArray:
    """beta input + alpha times the sum of the products of two batches: one product of matrices side by side."""
    (batch, n, k), m = a.shape, b.shape[2]
    rows, columns = copy.reshaped(a.transpose(1, 0, 2), n, batch * k), copy.reshaped(b, batch * k, m)
    return _added(inferred, input, mm(inferred, rows, columns), beta, alpha)


def _square(x):
    return x * x


def _distance(product, x, y):
    return sqrt(maximum(x + y - 2.0 * product, 0.0))


SQUARE, DISTANCE = Formula(_square), Formula(_distance)


def euclidean_distances(inferred: Any, x1: CudaArray, x2: CudaArray) -> CudaArray:
    """|a - b|^2 = |a|^2 - 2ab + |b|^2 for rows of x1 (..., P, M) and x2 (..., R, M): one product of matrices."""
    shape, dtype = inferred
    (p, m), r = x1.shape[-2:], x2.shape[-2]
    batch = prod(shape[:-2])
    rows, columns = copy.reshaped(x1, batch, p, m), copy.reshaped(x2, batch, r, m)
    products = product(rows, columns.transpose(0, 2, 1), array.empty((batch, p, r), dtype))
    squares = [
        reduce.sum((x.shape[:2], dtype), pointwise.compute(SQUARE, [x], (), x.shape, dtype), 2) for x in (rows, columns)
    ]
    terms = [products, squares[0][:, :, None], squares[1][:, None]]
    return copy.reshaped(pointwise.compute(DISTANCE, terms, (), products.shape, dtype), *shape)


def linear_2d(inferred: Any, x: CudaArray, w: CudaArray, bias: CudaArray) -> CudaArray:
    """x @ w.T + bias for x (N, K), w (M, K) and a bias that broadcasts to the result."""
    if bias.ndim > 1:
        return _added(inferred, bias, mm(inferred, x, w.transpose(1, 0)), 1, 1)
    out = array.empty(*inferred)
    columns = out.shape[1]
    if bias.shape != (columns,):
        spread = array.empty((columns,), bias.dtype)
        copy.write(spread, bias)
        bias = spread
    return product(x, w.transpose(1, 0), out, bias=bias if bias.flags.c_contiguous else bias.copy())
