"""Attention by blocks of queries and keys: softmax(q k' scale + mask) v, no more scores at a time than a block's.

Forward (Dao et al., "FlashAttention", arXiv:2205.14135): a block of queries meets all blocks of keys, with the largest
score and the sum of exponentials so far; when a larger score comes, what was added up is scaled down. Backward (Dao,
"FlashAttention-2", arXiv:2307.08691, algorithm 2): a block's weights are computed anew from the logarithm of each row's
sum, which the forward pass has left. Products are BLAS's or, where those are faster, of tiles (`gemm.py`): small ones
take longer to be asked of BLAS than to compute, and threads wait for each other inside it.

A batch of matrices is given as (address, step of the batch, of the head, of the row), in bytes, the numbers of a row
one after the other; the mask's address is 0 if there is none. Sizes are (heads, queries, keys, width of queries and
keys, width of values). `work` has memory for each part: a block's scores twice, and its rows' sums. `function` is the
address of what multiplies, as `products.product_function` has it.
"""

import math

from numba import njit

from .at_address import row_at
from .blas import gemm_at
from .gemm import BETTER_THAN_BLAS, product_at
from .inlined import smaller
from .inner import inner
from .parallel import share_of, split
from .vector import exp, exp_below_zero, larger, log

QUERIES, KEYS = 128, 256  # in a block, whose scores stay in the second cache


@inner(_nrt=False)
def head_of(matrices, pair, heads):
    """The address of one head's matrix."""
    return matrices[0] + pair // heads * matrices[1] + pair % heads * matrices[2]


# ---------------------------------------------------------------------- rows
@inner(_nrt=False)
def add_to(row, mask):
    for j in range(row.size):
        row[j] += mask[j]


@inner(_nrt=False)
def scale_and_add(row, scale, mask):
    for j in range(row.size):
        row[j] = row[j] * scale + mask[j]


@inner(_nrt=False)
def clear(row):
    for j in range(row.size):
        row[j] = 0


@inner(_nrt=False)
def add_logarithms(row, totals):
    for j in range(row.size):
        row[j] += log(totals[j])


@inner(_nrt=False)
def scale_by(row, factor):
    for j in range(row.size):
        row[j] *= factor


@inner(_nrt=False, fastmath={"nnan", "nsz", "reassoc"})
def largest(row, scale, m):
    """The largest of m and scale * row; whatever if one is nan, which the sum of exponentials is then."""
    for j in range(row.size):
        m = larger(row[j] * scale, m)
    return m


@inner(_nrt=False, fastmath={"reassoc", "contract"})
def exponentials(row, scale, m, total):
    """row = exp(scale * row - m), no more than 1; total + their sum."""
    for j in range(row.size):
        e = exp_below_zero(row[j] * scale - m)
        row[j] = e
        total += e
    return total


@inner(_nrt=False, fastmath={"reassoc", "contract"})
def product(x, y, total):
    """total + the sum of x * y."""
    for j in range(x.size):
        total += x[j] * y[j]
    return total


@inner(_nrt=False)
def slopes(row, weights, mean, scale):
    """row = weights * (row - mean) * scale: the way back through softmax."""
    for j in range(row.size):
        row[j] = weights[j] * (row[j] - mean) * scale


# ---------------------------------------------------------------------- products
@inner(_nrt=False)
def by_blas(function, one, a_t, b_t, m, n, count, a, lda, b, ldb, add, c, ldc):
    """`gemm.product_at`, by a function of BLAS's; `one` is a number like those of the matrices."""
    gemm_at(function, a_t, b_t, m, n, count, one, a, lda, b, ldb, one if add else one - one, c, ldc)


product_of = product_at if BETTER_THAN_BLAS else by_blas


# ---------------------------------------------------------------------- forward
@inner(_nrt=False)
def forward_part(part, parts, function, q, k, v, mask, out, sums, work, sizes, is_causal, scale):
    """Blocks of queries of all heads: this part's rows of out, and of sums (heads of the batch, queries)."""
    heads, queries, keys, width, wide = sizes
    T, size = sums.dtype.type, sums.itemsize
    one, zero, lowest, scale = T(1), T(0), T(-math.inf), T(scale)
    most = smaller(QUERIES, queries) * smaller(KEYS, keys)
    scores, totals = work[part, :most], work[part, 2 * most :]
    at = scores.ctypes.data
    blocks = -(-queries // QUERIES)
    begin, end = share_of(sums.shape[0] * blocks, part, parts)
    for item in range(begin, end):
        pair, first = item // blocks, item % blocks * QUERIES
        rows = smaller(QUERIES, queries - first)
        q_at, out_at = head_of(q, pair, heads) + first * q[3], head_of(out, pair, heads) + first * out[3]
        k_at, v_at = head_of(k, pair, heads), head_of(v, pair, heads)
        mask_at = head_of(mask, pair, heads) + first * mask[3]
        tops = sums[pair, first : first + rows]
        for i in range(rows):
            tops[i], totals[i] = lowest, zero
        stop = smaller(keys, first + rows) if is_causal else keys
        for start in range(0, stop, KEYS):
            n = smaller(KEYS, stop - start)
            product_of(function, one, False, True, rows, n, width, q_at, q[3] // size,
                       k_at + start * k[3], k[3] // size, False, at, n)  # fmt: skip
            for i in range(rows):
                seen = smaller(n, -smaller(0, start - first - i - 1)) if is_causal else n
                row = scores[i * n : i * n + seen]
                if is_causal:
                    clear(scores[i * n + seen : i * n + n])
                factor = scale
                if mask[0]:
                    scale_and_add(row, scale, row_at(mask_at + i * mask[3] + start * size, row.size, zero))
                    factor = one
                top = largest(row, factor, tops[i])
                base = zero if top == lowest else top  # -inf - -inf would be nan
                total = exponentials(row, factor, base, zero)
                if start and top != tops[i]:
                    less = exp(tops[i] - base)
                    totals[i] *= less
                    scale_by(row_at(out_at + i * out[3], wide, zero), less)
                tops[i] = top
                totals[i] += total
            product_of(function, one, False, False, rows, wide, n, at, n, v_at + start * v[3], v[3] // size,
                       start > 0, out_at, out[3] // size)  # fmt: skip
        for i in range(rows):
            if totals[i] == zero:  # every score was -inf: the row is zeros, and so are its weights in the gradient
                tops[i], totals[i] = T(math.inf), one
            scale_by(row_at(out_at + i * out[3], wide, zero), one / totals[i])
        add_logarithms(tops, totals)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def forward(crew, parts, function, q, k, v, mask, out, sums, work, sizes, is_causal, scale):
    split(crew, forward_part, parts, (parts, function, q, k, v, mask, out, sums, work, sizes, is_causal, scale))


# ---------------------------------------------------------------------- backward
@inner(_nrt=False)
def backward_part(
    part, parts, function, g, q, k, v, mask, out, sums, d_q, d_k, d_v, work, sizes, groups, is_causal, scale
):
    """Adds to the gradients, those of the queries a sum for each of the groups that a head's blocks of keys are in.

    d_q has the step of the group as its last.
    """
    heads, queries, keys, width, wide = sizes
    T, size = sums.dtype.type, sums.itemsize
    one, zero, scale = T(1), T(0), T(scale)
    most = smaller(QUERIES, queries) * smaller(KEYS, keys)
    weights, changes = work[part, :most], work[part, most : 2 * most]
    at, changes_at = weights.ctypes.data, changes.ctypes.data
    begin, end = share_of(sums.shape[0] * groups, part, parts)
    for item in range(begin, end):
        pair, group = item // groups, item % groups
        q_0, g_0, out_0, mask_0 = (
            head_of(q, pair, heads), head_of(g, pair, heads), head_of(out, pair, heads), head_of(mask, pair, heads)
        )  # fmt: skip
        d_q_0 = head_of(d_q, pair, heads) + group * d_q[4]
        blocks = share_of(-(-keys // KEYS), group, groups)
        for start in range(blocks[0] * KEYS, smaller(keys, blocks[1] * KEYS), KEYS):
            k_at, v_at = head_of(k, pair, heads) + start * k[3], head_of(v, pair, heads) + start * v[3]
            d_k_at, d_v_at = head_of(d_k, pair, heads) + start * d_k[3], head_of(d_v, pair, heads) + start * d_v[3]
            for first in range(start if is_causal else 0, queries, QUERIES):
                rows = smaller(QUERIES, queries - first)
                n = smaller(KEYS, (smaller(keys, first + rows) if is_causal else keys) - start)
                q_at, g_at, out_at = q_0 + first * q[3], g_0 + first * g[3], out_0 + first * out[3]
                product_of(
                    function, one, False, True, rows, n, width, q_at, q[3] // size, k_at, k[3] // size, False, at, n
                )
                product_of(function, one, False, True, rows, n, wide, g_at, g[3] // size, v_at, v[3] // size,
                           False, changes_at, n)  # fmt: skip
                for i in range(rows):
                    seen = smaller(n, -smaller(0, start - first - i - 1)) if is_causal else n
                    row, change = weights[i * n : i * n + seen], changes[i * n : i * n + seen]
                    if is_causal:
                        clear(weights[i * n + seen : i * n + n])
                        clear(changes[i * n + seen : i * n + n])
                    factor = scale
                    if mask[0]:
                        scale_and_add(row, scale, row_at(mask_0 + (first + i) * mask[3] + start * size, row.size, zero))
                        factor = one
                    exponentials(row, factor, sums[pair, first + i], zero)
                    mean = product(row_at(g_at + i * g[3], wide, zero), row_at(out_at + i * out[3], wide, zero), zero)
                    slopes(change, row, mean, scale)
                product_of(function, one, True, False, n, wide, rows, at, n, g_at, g[3] // size,
                           True, d_v_at, d_v[3] // size)  # fmt: skip
                product_of(function, one, True, False, n, width, rows, changes_at, n, q_at, q[3] // size,
                           True, d_k_at, d_k[3] // size)  # fmt: skip
                product_of(function, one, False, False, rows, width, n, changes_at, n, k_at, k[3] // size,
                           True, d_q_0 + first * d_q[3], d_q[3] // size)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def backward(crew, parts, function, g, q, k, v, mask, out, sums, d_q, d_k, d_v, work, sizes, groups, is_causal, scale):
    args = (parts, function, g, q, k, v, mask, out, sums, d_q, d_k, d_v, work, sizes, groups, is_causal, scale)
    split(crew, backward_part, parts, args)
