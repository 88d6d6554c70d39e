"""Images within a border of zeros, for kernels that read past their edges."""

import numpy as np

from .inlined import flat, smaller
from .inner import inner
from .parallel import share_of, split
from .plane_vectors import copy_line

# What the padded images are: x itself, room for one in each part, or for all.
ITSELF, OWN, SHARED = 0, 1, 2
# Bytes of padded images, and what goes with them, that threads work on at a time: they stay in L2 and L3.
ROOM = 2**20


@inner()
def pad(x, n, padded, image, corner, c0, c1, first):
    """Copy channels c0 to c1 of x[n] into the interior of padded[image]; its border becomes zero for the first one."""
    source, dest = flat(x), flat(padded)
    (channels, deep, high, wide), (_, all_deep, all_high, all_wide) = x.shape[1:], padded.shape[1:]
    plane = all_deep * all_high * all_wide
    for c in range(c0, c1):
        if first:
            for i in range((image * channels + c) * plane, (image * channels + c + 1) * plane):
                dest[i] = 0
        for d in range(deep):
            row = ((n * channels + c) * deep + d) * high * wide
            to = ((image * channels + c) * all_deep + corner[0] + d) * all_high + corner[1]
            for h in range(high):
                copy_line(source, row + h * wide, dest, (to + h) * all_wide + corner[2], wide)


@inner()
def pad_part(part, parts, x, n, images, padded, corner):
    """This part of the channels of images n to n + images; what they go to holds anything before n = 0."""
    channels = x.shape[1]
    at, end = share_of(images * channels, part, parts)
    while at < end:
        image, c = at // channels, at % channels
        many = smaller(channels - c, end - at)
        pad(x, n + image, padded, image, corner, c, c + many, n == 0)
        at += many


@inner()
def first_of(crew, parts, x, n, many, padded, copies, corner):
    """The place of x[n] among the padded images, once they are copies of x[n] to x[n + many], unless they are x."""
    if not copies:
        return n
    split(crew, pad_part, parts, (parts, x, n, many, padded, corner))
    return np.intp(0)


@inner()
def image_for(part, x, n, previous, padded, room, corner):
    """The place of x[n] among the padded images; a part's own is filled anew unless it has that of `previous`."""
    if room != OWN:
        return n
    if n != previous:
        pad(x, n, padded, part, corner, np.intp(0), x.shape[1], previous < 0)
    return part


def workspace(x, images, size):
    """Room for `images` padded images, or x itself where nothing is to be padded.

    Threads make the zeros: those of one take longer than a member of the crew waits for what is shared.
    """
    return x if x.shape[2:] == size else np.empty((images, x.shape[1], *size), x.dtype)


def room_for(x, parts, size):
    """Which of the three serves for x in so many parts, and the room."""
    room = ITSELF if x.shape[2:] == size else OWN if len(x) >= parts else SHARED
    return room, workspace(x, parts if room == OWN else len(x), size)
