"""Copies whose neighbours in memory are not the source's: squares are turned within registers.

A loop along either side reads or writes numbers far apart, one from each line of the cache, and where rows lie a power
of two apart the lines push each other out before the next number of theirs is wanted: 1024 by 1024 took 30 times as
long as a plain copy. A square is read and written in whole lines.
"""

import numpy as np
from numba import njit

from .at_address import row_at
from .inlined import smaller
from .inner import inner
from .parallel import share_of, split
from .tiles import SQUARE, VECTOR_BYTES, transpose

BLOCK = 64  # lines of the result that are written side by side


def side(itemsize):
    """How many numbers of that many bytes a square has to a side."""
    return min(VECTOR_BYTES // itemsize, SQUARE)


@inner()
def _part(part, parts, source, dest, like, outer, n, m, step, dest_step):
    x, out = row_at(source, np.intp(0), like), row_at(dest, np.intp(0), like)
    side, blocks = smaller(SQUARE, np.intp(VECTOR_BYTES // x.itemsize)), (n + BLOCK - 1) // BLOCK
    batch = 1
    for k in range(outer.shape[0]):
        batch *= outer[k, 0]
    begin, end = share_of(batch * blocks, part, parts)
    for item in range(begin, end):
        rest, block = item // blocks, item % blocks
        x0, out0 = np.intp(0), np.intp(0)
        for k in range(outer.shape[0]):
            x0 += rest % outer[k, 0] * outer[k, 1]
            out0 += rest % outer[k, 0] * outer[k, 2]
            rest //= outer[k, 0]
        for j in range(0, m, side):
            j = smaller(j, m - side)  # the last squares overlap with those before them
            for i in range(block * BLOCK, smaller(n, (block + 1) * BLOCK), side):
                i = smaller(i, n - side)
                transpose(x, x0 + j * step + i, step, out, out0 + i * dest_step + j, dest_step)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def transposed(crew, parts, source, dest, like, outer, n, m, step, dest_step):
    """dest[i * dest_step + j] = source[j * step + i] for i < n, j < m, both at least SQUARE, of numbers like this one.

    `source` and `dest` are addresses, steps count numbers. This is done for each place of the further dimensions, of
    which `outer` has the sizes, the steps in the source and the steps in the result.
    """
    split(crew, _part, parts, (parts, source, dest, like, outer, n, m, step, dest_step))
