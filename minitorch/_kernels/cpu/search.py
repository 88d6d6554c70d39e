"""Binary search in rows."""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def insertion_points(rows, values, right, out):
    """out[r, i]: before which element of rows[r] values[r, i] goes; after its equals if `right`, nan at the end."""
    for r in range(values.shape[0]):
        for i in range(values.shape[1]):
            v = values[r, i]
            low, high = 0, rows.shape[1]
            while low < high:
                middle = (low + high) >> 1
                e = rows[r, middle]
                if not (e > v if right else e >= v):
                    low = middle + 1
                else:
                    high = middle
            out[r, i] = low
