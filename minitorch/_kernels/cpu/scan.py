"""Running extremes, with where they were; products of all elements but one."""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def extremes(x, largest, values, indices):
    """values[o, i, k] = max or min of x[o, :i + 1, k], at indices; of ties the last, and nan stays."""
    outer, n, inner = x.shape
    for o in range(outer):
        if inner == 1:
            best = x[o, 0, 0]
            place = 0
            for i in range(n):
                e = x[o, i, 0]
                worse = e < best if largest else e > best  # mostly so, and then nothing waits for the comparison
                if not worse and (e != e or best == best):
                    best = e
                    place = i
                values[o, i, 0] = best
                indices[o, i, 0] = place
            continue
        for i in range(n):
            for k in range(inner):
                e = x[o, i, k]
                if i > 0:
                    best = values[o, i - 1, k]
                    beats = e >= best if largest else e <= best
                    if e == e and not (best == best and beats):
                        values[o, i, k] = best
                        indices[o, i, k] = indices[o, i - 1, k]
                        continue
                values[o, i, k] = e
                indices[o, i, k] = i


@njit(cache=True, nogil=True, error_model="numpy")
def products_of_others(x, after, out):
    """out[o, i, k] = the product of x[o, :, k] without x[o, i, k]; `after` is room for one number for each k."""
    outer, n, inner = x.shape
    for o in range(outer):
        for k in range(inner):
            out[o, 0, k] = 1
            after[k] = 1
        for i in range(1, n):
            for k in range(inner):
                out[o, i, k] = out[o, i - 1, k] * x[o, i - 1, k]
        for i in range(n - 1, -1, -1):
            for k in range(inner):
                out[o, i, k] *= after[k]
                after[k] *= x[o, i, k]
