"""The filters of PNG's rows (PNG specification, third edition, section 9), undone."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def unfilter(rows, pixel):
    """Rows (N, 1 + bytes), each its filter's number and what that left, to bytes in place; `pixel` is bytes of a pixel.

    Sums of bytes wrap around. False if a number is none of the five filters.
    """
    for i in range(rows.shape[0]):
        kind = rows[i, 0]
        if kind > 4:
            return False
        for k in range(1, rows.shape[1]):
            left = np.int32(rows[i, k - pixel]) if k > pixel else np.int32(0)
            above = np.int32(rows[i - 1, k]) if i else np.int32(0)
            corner = np.int32(rows[i - 1, k - pixel]) if i and k > pixel else np.int32(0)
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above
            elif kind == 3:
                guess = (left + above) >> np.int32(1)
            elif kind == 4:  # Paeth: the neighbour nearest to left + above - corner
                to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
                if to_left <= to_above and to_left <= to_corner:
                    guess = left
                elif to_above <= to_corner:
                    guess = above
                else:
                    guess = corner
            else:
                guess = np.int32(0)
            rows[i, k] = np.uint8((np.int32(rows[i, k]) + guess) & np.int32(255))
    return True
