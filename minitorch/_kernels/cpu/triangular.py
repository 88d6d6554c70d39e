"""The innermost blocks of LU decompositions and of triangular systems: a column, or a row, after the other.

What lies outside the blocks is left to matrix products, in `lapack.py`.
"""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(x, pivots, start, stop):
    """LU with pivoting of the columns start..stop of each matrix; rows are exchanged over their whole length."""
    m, n = x.shape[1:]
    for b in range(x.shape[0]):
        a = x[b]
        for j in range(start, stop):
            row = j
            for i in range(j + 1, m):
                if abs(a[i, j]) > abs(a[row, j]):
                    row = i
            pivots[b, j] = row + 1
            if a[row, j] == 0:
                continue
            if row != j:
                for q in range(n):
                    a[j, q], a[row, q] = a[row, q], a[j, q]
            for i in range(j + 1, m):
                factor = a[i, j] / a[j, j]
                a[i, j] = factor
                for q in range(j + 1, stop):
                    a[i, q] -= factor * a[j, q]


@njit(cache=True, nogil=True, error_model="numpy")
def substitute(blocks, x, start, column, upper, unit):
    """Solve for the rows of x from `start` on, in place, its columns from `column` on: a triangular block for each."""
    n, columns = blocks.shape[1], x.shape[2]
    for b in range(blocks.shape[0]):
        for step in range(n):
            i = n - 1 - step if upper else step
            for before in range(step):
                j = n - 1 - before if upper else before
                factor = blocks[b, i, j]
                for q in range(column, columns):
                    x[b, start + i, q] -= factor * x[b, start + j, q]
            if not unit:
                for q in range(column, columns):
                    x[b, start + i, q] /= blocks[b, i, i]
