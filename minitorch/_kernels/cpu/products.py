"""Matrix products: NumPy's, or above a size by compiled code that threads share, on tiles of ours or blocks by BLAS.

By tiles (`gemm.py`) a product has the same bits at any number of threads. How it is cut into blocks for BLAS depends on
its shape alone, so it has the same bits at any number above one; under `use_deterministic_algorithms` it is cut for one
thread as well: BLAS may round a block and the whole differently.
"""

import ctypes
import functools
from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._kernels.silence import silent

from . import threads
from .tables import whole

# Multiply-adds that one thread is taken to do in a nanosecond, where it is asked whether sharing pays: 64 GFLOP/s for
# matrices, 8 GB/s for a float32 matrix that is read once.
MATRIX, VECTOR = 32, 2
LEAST = 2**18  # multiply-adds below which the question is not worth asking
TILED = 2**20  # from which on tiles pay: the way to them takes as long as BLAS for a few
BLOCK, BLOCKS = 64, 16  # the longer side is cut into blocks of at least so many, and at most so many blocks
ROWS, COLUMNS = 4, 8  # with fewer, tiles are mostly empty


def _compiled(a: Any, b: Any, out: Any = None, row: Any = None) -> Any:
    """row + the product of a (m, k) or (batch, m, k) and b (k, n) or (batch, k, n), or None if it is left to NumPy."""
    (m, k), n, batch = a.shape[-2:], b.shape[-1], len(b) if b.ndim == 3 else 1
    fits = k == b.shape[-2] and (a.ndim == 2 or (b.ndim == 3 and len(a) == batch))
    if a.dtype is not b.dtype or not fits:
        return None
    sizes = m, n, k, batch
    kernels = tiles(m, n, a.dtype) if batch * m * n * k >= TILED else None
    count = threads.count()
    if not kernels and count == 1 and not threads.deterministic:
        return None
    work, blocks = _blocks(sizes, count, kernels is not None)
    if not kernels and not (blas_function(a.dtype.char, "gemm") and threads.cuts(work, batch * blocks)):
        return None
    if out is None:
        out = np.empty((batch, m, n) if b.ndim == 3 else (m, n), a.dtype)
    crew, parts = threads.share(work, batch * blocks)
    operands = flat(a), flat(b), out.reshape(-1), sizes, 0 if a.size == m * k else m * k
    if kernels:
        by_tiles(
            kernels, crew, parts, *operands, blocks if crew else 1, row, kernels.transpose_pays(m, n, k, a.itemsize)
        )
        return out
    _by_blas(crew, parts, *operands, blocks)
    if row is not None:
        with np.errstate(all="ignore"):
            out += row
    return out


@functools.lru_cache(1024)
def _blocks(sizes: tuple[int, int, int, int], count: int, by_tiles: bool) -> tuple[int, int]:
    """The nanoseconds that one thread takes, and the blocks that `count` threads share each matrix in."""
    m, n, k, batch = sizes
    work = batch * m * n * k // (VECTOR if batch == 1 and min(m, n) == 1 else MATRIX)
    blocks = max(1, min(BLOCKS, max(m, n) // BLOCK))
    if by_tiles:  # each block packs all of b if it is cut into rows: no more of them than there is need for
        blocks = min(blocks, max(count, max(m, n) // (2 * BLOCK)))
    return work, blocks


def by_tiles(
    kernels: Any, crew: int, parts: int, a: Any, b: Any, c: Any, sizes: Any, a_step: int, blocks: int, row: Any,
    transpose_pays: bool,
) -> None:  # fmt: skip
    """Flat c = row + a @ b for a and b as `flat` gives them; sizes are m, n, k, batch.

    Matrices of a are a_step apart: 0 if one serves all of b. If `gemm.transpose_pays`, which is for m < n alone, c.T is
    computed where b would have to be transposed.
    """
    (a, a_t), (b, b_t) = a, b
    m, n, k, batch = sizes
    a_steps, b_steps = (a_step, *((1, m) if a_t else (k, 1))), (k * n, *((1, k) if b_t else (n, 1)))
    transposed = transpose_pays and b_t and not a_t
    if transposed:
        a, b, sizes = b, a, (n, m, k, batch)
        a_steps, b_steps = (k * n, k, 1), (a_step, 1, k)
    added = np.zeros(kernels.lanes(c.dtype), c.dtype) if row is None else whole(row)
    sums = np.empty(c.size, c.dtype) if transposed else c
    kernels.matrices(
        crew, parts, a, b, c, a_steps, b_steps, sizes, blocks, added, int(row is not None), transposed, sums
    )


def _by_blas(crew: int, parts: int, a: Any, b: Any, c: Any, sizes: Any, a_step: int, blocks: int) -> None:
    (a, a_t), (b, b_t) = a, b
    m, n, k, batch = sizes
    kernels = cache.load_file("cpu.blas")
    if batch > 1 or min(m, n) > 1:
        function = blas_function(c.dtype.char, "gemm")
        kernels.matrices(crew, parts, function, a, b, c, (a_t, b_t), sizes, (a_step, k * n), blocks)
        return
    function = blas_function(c.dtype.char, "gemv")
    if n == 1:
        kernels.vector(crew, parts, function, a, b, c, a_t, (m, k), blocks)
    else:
        kernels.vector(crew, parts, function, b, a, c, not b_t, (n, k), blocks)


def tiles(m: int, n: int, dtype: Any) -> Any:
    """The kernels of `gemm.py`, if they are the faster ones on this processor for results of m rows and n columns."""
    return _tiles() if m >= ROWS and n >= COLUMNS and dtype.char in "fd" else None


@functools.cache
def _tiles() -> Any:
    kernels = cache.load_file("cpu.gemm")
    return kernels if kernels.BETTER_THAN_BLAS else None


@functools.cache
def product_function(dtype: Any) -> int:
    """The address of `gemm.product_at`'s function or, where BLAS is as fast, cblas_sgemm or its like; 0 for neither."""
    kernels = _tiles() if dtype.char in "fd" else None
    return kernels.product_address(dtype) if kernels else blas_function(dtype.char, "gemm")


def flat(a: Any) -> tuple[Any, bool]:
    """The elements of matrices in memory's order, and whether that is the order of their transposes.

    Always of an array that can be written to: for Numba one that cannot is another type, and another compilation.
    """
    if a.flags.carray:
        return a.reshape(-1), False
    transpose = a.swapaxes(-1, -2)
    if transpose.flags.carray:
        return transpose.reshape(-1), True
    return np.require(a, requirements="CAW").reshape(-1), False


@functools.cache
def blas_function(dtype: str, kind: str) -> int:
    """The address of cblas_sgemm or its like, with integers of 64 bits; 0 if there is none."""
    found = threads.blas(f"cblas_{dict(f='s', d='d').get(dtype)}{kind}") if dtype in "fd" else None
    return ctypes.cast(found, ctypes.c_void_p).value or 0 if found and found.__name__.endswith("64_") else 0


@silent
def dot(a: Any, b: Any, row: Any = None, out: Any = None) -> Any:
    """numpy.dot, large matrices by compiled code, plus a row of the same dtype for each row of the product.

    Into `out`, in order, if given.
    """
    if a.ndim == 2 == b.ndim and a.size * b.shape[1] >= LEAST:
        made = _compiled(a, b, out, row)
        if made is not None:
            return made
    out = np.dot(a, b, out)
    return out if row is None else np.add(out, row, out)


@silent
def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """numpy.matmul, large matrices and batches of them by compiled code; `out` in order."""
    if b.ndim == 3 and a.ndim in (2, 3) and a.size * b.shape[2] >= LEAST // (max(len(b), 1) if a.ndim == 2 else 1):
        made = _compiled(a, b, out)
        if made is not None:
            return made
    return np.matmul(a, b) if out is None else np.matmul(a, b, out=out)
