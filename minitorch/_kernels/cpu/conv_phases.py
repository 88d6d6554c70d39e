"""Phases of a transposed convolution: places of its result that lie alike within the stride, and meet the same taps.

Each phase is a correlation without stride. Its results would be stored one by one, each in a line of memory of its
own, which took longer than to compute them. So a plane holds its phases one after the other first, and is put into
order in the end.
"""

from functools import lru_cache
from itertools import product
from math import prod

import numpy as np
from numba import njit

from . import threads
from .inlined import flat
from .inner import inner
from .parallel import share_of, split
from .tables import grid

MOVES = 2  # of an element, by one thread in a nanosecond


@lru_cache(maxsize=64)
def phases(taps, outputs, inputs, stride, padding, dilation):
    """Size and corner of the padded gradient, (axes, begin, filter taps) of each phase that has taps, and an order.

    The axes are those of `conv_tables.py`, `begin` is where the phase begins in a plane. The order says which element
    of a plane, as it then is, belongs in each place; it is None without stride, where all stand there already.
    """
    axes = zip(taps, outputs, inputs, stride, padding, dilation, strict=True)
    size, corner, of_axes = zip(*(_phases_of_axis(*axis) for axis in axes), strict=True)
    plans, order, begin = [], np.empty(prod(inputs), np.uint32), 0
    for phase in product(*of_axes):
        places, starts, filter_taps, reach = zip(*phase, strict=True)
        after = begin + prod(map(len, places))
        order[grid(places, inputs)] = np.arange(begin, after)
        if all(reach):
            plans.append(((starts, reach), begin, grid(filter_taps, taps).astype(np.uint32)))
        begin = after
    return size, corner, plans, order if max(stride) > 1 else None


def _phases_of_axis(taps, outputs, inputs, stride, padding, dilation):
    """Along one axis: padded length, zeros before, and (inputs, starts, taps, reach) of each phase.

    Input i meets tap r at output (i + padding - r * dilation) / stride where that is whole, which
    is the difference of the two floors.
    """
    position = np.arange(inputs) + padding
    distance = np.arange(taps) * dilation
    most = distance[-1] // stride
    before = max(0, most - padding // stride)
    length = before + max(outputs, position[-1] // stride + 1)
    found = []
    for phase in np.unique(position % stride):  # far fewer than the stride may be
        i = np.flatnonzero(position % stride == phase)
        r = np.flatnonzero(distance % stride == phase)
        starts, reach = position[i] // stride + before - most, most - distance[r] // stride
        found.append((i, _as_range(starts), r, _as_range(reach)))
    return int(length), int(before), found


def _as_range(numbers):
    """Evenly spaced numbers as what a cache can have for a key."""
    if len(numbers) == 0:
        return range(0)
    first, step = int(numbers[0]), int(numbers[1] - numbers[0]) if len(numbers) > 1 else 1
    return range(first, first + len(numbers) * step, step)


@inner()
def _arrange_part(part, parts, planes, order, room):
    """This part of the planes."""
    begin, end = share_of(planes.shape[0], part, parts)
    plane, area = room[part], order.size
    elements = flat(planes)
    for at in range(begin * area, end * area, area):
        for i in range(area):
            plane[i] = elements[at + i]
        for i in range(area):
            elements[at + i] = plane[order[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def _arrange(crew, parts, planes, order, room):
    split(crew, _arrange_part, parts, (parts, planes, order, room))


def arrange(out, order):
    """Each plane of a contiguous array by an order of its elements."""
    planes = out.reshape(-1, order.size)
    crew, parts = threads.share(out.size // MOVES, len(planes))
    _arrange(crew, parts, planes, order, np.empty((parts, order.size), out.dtype))
