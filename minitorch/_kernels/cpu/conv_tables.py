"""The tables by which `conv.py` goes through padded images: where windows begin, and which of their taps are needed.

Taps beyond an image's edge multiply zeros. Of a 5x5 filter over 8x8 pixels these are more than a quarter, over 28x28 a
twelfth. So what misses the same is summed in one tile, and each tile has a list of what not all of it misses.

Axes are given as ranges: `starts` of the pixels' windows in a padded image, and `reach` of the taps from there.
"""

from functools import lru_cache
from math import prod

import numpy as np

from .tables import filled, grid
from .tiles import TILE

# Results of this many pixels (a multiple of TILE) stay in L2 between the microkernel and the transpose that follows
# it, and so do the gradient's before it; several small images are so many, of which more pixels miss the same.
BLOCK = 600
# Packed weights of this many taps stay in L1 while a block of pixels is done.
TAPS = 256
# Where more than this share of the products is needed, the others do not pay for the trouble.
NEEDED = 0.97


@lru_cache(maxsize=64)
def windows(starts, reach, channels, size):
    """Offsets in a padded image of the windows' corners, and of the taps of all channels from a corner."""
    return grid(starts, size).astype(np.uint32), _repeated(grid(reach, size), channels, prod(size))


def channels_at_once(area):
    """Of how many channels the taps, so many of each, make up TAPS."""
    return max(1, TAPS // area)


@lru_cache(maxsize=256)
def needed(starts, reach, corner, inside):
    """The share of the products that are not with zeros of the padding; 1 where it is near enough."""
    axes = zip(starts, reach, corner, inside, strict=True)
    shares = [np.diff(_inside(*axis), axis=0).mean() / len(axis[1]) for axis in axes]
    return prod(shares) if prod(shares) < NEEDED else 1.0


@lru_cache(maxsize=64)
def tiles_of_pixels(starts, reach, channels, size, corner, inside, begin, together, outputs):
    """(bases, offsets, where, rows, lists, ends) for tiles of pixels; so many images lie side by side.

    A tile's rows are pixels, of which `bases` has the windows' corners. Pixel i of a block is row rows[i] of its
    tiles, and belongs where[i] in the result, in which planes of images are `outputs` apart and the first pixel is at
    `begin`. Tile j sums over the taps lists[ends[j, 0] : ends[j, 1]] of a channel, which are repeated for
    `channels_at_once`.
    """
    corners, offsets = windows(starts, reach, channels, size)
    boxes = np.tile(_boxes(starts, reach, corner, inside), together)
    order, rows, unions = _in_tiles(boxes, BLOCK)
    bases = _repeated(corners, together, channels * prod(size))[order]
    where = _repeated(np.arange(begin, begin + corners.size), together, outputs)
    shape = [len(r) for r in reach]
    return bases, offsets, where, rows, *_lists(unions, shape, prod(shape), channels_at_once(prod(shape)))


@lru_cache(maxsize=64)
def tiles_of_taps(starts, reach, channels, size, corner, inside, together, inputs):
    """(bases, offsets, rows, lists, ends) for tiles of taps; so many images, of so many inputs, are summed together.

    A tile's rows are taps, of which `bases` has the offsets; tap i is row rows[i]. Tile j sums over the pixels
    lists[ends[j, s] : ends[j, s + 1]] of the s-th span of an image, or of the whole image, and then they are repeated
    for all images.
    """
    corners, taps = windows(starts, reach, channels, size)
    order, rows, unions = _in_tiles(np.tile(_boxes(reach, starts, corner, inside), channels), taps.size)
    span = corners.size if together > 1 else BLOCK
    lists, ends = _lists(unions, [len(s) for s in starts], span, together)
    return taps[order], _repeated(corners, together, inputs), rows, lists, ends


def _inside(starts, reach, corner, inside):
    """Along an axis, for each start: the first place of `reach` that is inside the image, and the one after the last.

    Where none is, the first place stands for them: a sum needs something to go over.
    """
    at = np.add.outer(starts, reach)
    met = (corner <= at) & (at < corner + inside)
    met[:, 0] |= ~met.any(1)
    return np.stack([met.argmax(1), len(reach) - met[:, ::-1].argmax(1)])


def _boxes(starts, reach, corner, inside):
    """Of each point of the grid of starts, first and end along each axis of what it needs: (2 * axes, points)."""
    shape = [len(s) for s in starts]
    whole = needed(starts, reach, corner, inside) == 1
    bounds = []
    for axis, ends in enumerate(zip(starts, reach, corner, inside, strict=True)):
        found = np.array([[0], [len(reach[axis])]]).repeat(shape[axis], 1) if whole else _inside(*ends)
        found = found.reshape(2, *(n if k == axis else 1 for k, n in enumerate(shape)))
        bounds.append(np.broadcast_to(found, (2, *shape)).reshape(2, -1))
    return np.concatenate(bounds)


def _in_tiles(boxes, block):
    """(items in tiles, the row of each item, the box of each tile): in each block of items like ones come together."""
    count = boxes.shape[1]
    order = np.lexsort((*boxes[::-1], np.arange(count) // block))
    rows = np.empty(count, np.uint32)
    rows[order] = np.arange(count)
    order = filled(order, TILE)
    tiles = boxes[:, order].reshape(len(boxes), -1, TILE)
    unions = np.empty(tiles.shape[:2], np.int64)
    unions[::2], unions[1::2] = tiles[::2].min(2), tiles[1::2].max(2)
    return order, rows, unions


def _lists(boxes, shape, span, repeats):
    """Each tile's points of its box in a grid of this shape, span after span, and where each span's list ends."""
    different, which = np.unique(boxes, axis=1, return_inverse=True)
    bounds = np.append(np.arange(0, prod(shape), span), prod(shape))
    lists, ends, begin = [], [], 0
    for box in different.T:
        points = grid([np.arange(*ends) for ends in box.reshape(-1, 2)], shape)
        ends.append(begin + np.searchsorted(points, bounds))
        lists.append(_repeated(points, repeats, prod(shape)))
        begin += lists[-1].size
    return np.concatenate(lists), np.stack(ends)[which.reshape(-1)]


def _repeated(offsets, count, step):
    """The offsets repeated for each of `count` planes that lie `step` apart."""
    return (np.arange(count)[:, None] * step + np.asarray(offsets, np.int64)).ravel().astype(np.uint32)
