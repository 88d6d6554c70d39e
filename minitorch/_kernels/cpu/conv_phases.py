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
from .tables import filled, grid
from .tiles import TILE

MOVES = 2  # of an element, by one thread in a nanosecond


@lru_cache(maxsize=64)
def phases(channels, taps, outputs, inputs, stride, padding, dilation):
    """Size and corner of the padded gradient, (shape, plan) of each phase that has taps, and an order.

    The plan is `conv._correlate`'s. The order says which element of a plane, as the plans leave it, belongs in each
    place; it is None without stride, where all stand there already.
    """
    axes = zip(taps, outputs, inputs, stride, padding, dilation, strict=True)
    size, corner, of_axes = zip(*(_phases_of_axis(*axis) for axis in axes), strict=True)
    plans, order, begin = [], np.empty(prod(inputs), np.uint32), 0
    for phase in product(*of_axes):
        places, bases, filter_taps, offsets = zip(*phase, strict=True)
        shape = tuple(len(p) for p in places)
        where = np.arange(begin, begin + prod(shape), dtype=np.uint32)
        order[grid(places, inputs)] = where
        begin += where.size
        if all(t.size for t in filter_taps):
            base, filter_taps = (a.astype(np.uint32) for a in (grid(bases, size), grid(filter_taps, taps)))
            reach = np.arange(channels)[:, None] * prod(size) + grid(offsets, size)
            plans.append((shape, (filled(base, TILE), reach.ravel().astype(np.uint32), where, filter_taps)))
    return size, corner, plans, order if max(stride) > 1 else None


def _phases_of_axis(taps, outputs, inputs, stride, padding, dilation):
    """Along one axis: padded length, zeros before, and (inputs, bases, taps, offsets) of each phase.

    Input i meets tap r at output (i + padding - r * dilation) / stride where that is whole, which
    is the difference of the two floors.
    """
    position = np.arange(inputs) + padding
    reach = np.arange(taps) * dilation
    most = reach[-1] // stride
    before = max(0, most - padding // stride)
    length = before + max(outputs, position[-1] // stride + 1)
    found = []
    for phase in np.unique(position % stride):  # far fewer than the stride may be
        i = np.flatnonzero(position % stride == phase)
        r = np.flatnonzero(reach % stride == phase)
        bases = position[i] // stride + before - most
        found.append((i, bases, r, most - reach[r] // stride))
    return int(length), int(before), found


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
