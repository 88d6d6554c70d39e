"""What the convolution and pooling kernels share: offsets into arrays of one to three dimensions."""

import numpy as np

from minitorch._kernels.copies import in_order


def whole(array):
    """The array itself if C-contiguous, aligned and writeable: other flags would compile anew."""
    return array if array.flags.carray else in_order(array)


def volumes(array, lead):
    """A contiguous array as one of `lead` dimensions and three of space, the first of them of length 1."""
    return array.reshape(*array.shape[:lead], *(1,) * (lead + 3 - array.ndim), *array.shape[lead:])


def in_volume(place):
    """A place in a plane or line as one in the volume that `volumes` makes of it."""
    return (0,) * (3 - len(place)) + tuple(int(p) for p in place)


def rounded_up(n, unit):
    """n up to a whole number of units."""
    return -(-n // unit) * unit


def groups_of(size, count):
    """(first, last, how many at a time) of what of `count` things goes in groups of this size, and of what is left."""
    even = count // size * size
    return [(first, last, min(size, last - first)) for first, last in ((0, even), (even, count)) if first < last]


def grid(axes, sizes):
    """Offsets, in an array of these sizes, of all points whose coordinates are on the axes."""
    total = np.asarray(axes[0], np.int64)
    for axis, n in zip(axes[1:], sizes[1:], strict=True):
        total = (total[:, None] * n + axis).ravel()
    return total


def filled(table, unit):
    """A table up to a whole number of units: the surplus repeats the last entry, and what it leads to is never read."""
    return np.concatenate([table, np.full(-table.size % unit, table[-1])])
