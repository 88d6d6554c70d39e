"""Linear maps along the last dimensions, one after the other: average pooling and interpolation.

Each is a table that says of which inputs an output is the weighted sum. The adjoint is such a table too, so one record
is its own gradient.
"""

from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared
from minitorch._kernels.layout import channels_last_like, channels_second, channels_to_end, has_vectors_of_channels

from .op import Op, structured

FLOAT64 = np.dtype(np.float64)


class AxisMap:
    """out[i] = sum over q from starts[i] to starts[i + 1] of weights[q] * x[index[q]].

    Where `divisors` are given, the weights of output i are 1 / divisors[i], and integers are summed and divided.
    """

    def __init__(self, inputs: int, starts: Any, index: Any, weights: Any, divisors: Any = None):
        self.inputs, self.outputs = inputs, len(starts) - 1
        self.starts, self.index, self.divisors = np.asarray(starts, np.int64), np.asarray(index, np.uint32), divisors
        self.weights: dict[np.dtype, np.ndarray] = {
            np.dtype(kind): np.asarray(weights, kind) for kind in (np.float32, np.float64)
        }

    @cached_property
    def transposed(self) -> "AxisMap":
        """The adjoint: what each input contributes, and where."""
        rows = np.repeat(np.arange(self.outputs), np.diff(self.starts))
        order = np.argsort(self.index, kind="stable")
        starts = np.searchsorted(self.index[order], np.arange(self.inputs + 1))
        return AxisMap(self.outputs, starts, rows[order], self.weights[FLOAT64][order])

    @cached_property
    def copies(self) -> bool:
        """Whether every output is one of the inputs."""
        return len(self.index) == self.outputs and bool((self.weights[FLOAT64] == 1).all())

    @cached_property
    def taps(self) -> tuple[Any, dict[np.dtype, Any]] | None:
        """index and weights as (terms, outputs) if all outputs have as many terms, but for plain copies."""
        if self.copies or not self.outputs:
            return None
        terms = int(self.starts[1])
        if not terms or (np.diff(self.starts) != terms).any():
            return None
        by_term = [np.ascontiguousarray(a.reshape(-1, terms).T) for a in (self.index, *self.weights.values())]
        return by_term[0], dict(zip(self.weights, by_term[1:], strict=True))

    def __call__(self, x: Any, axis: int) -> Any:
        """The map along one dimension of an array."""
        shape = *x.shape[:axis], self.outputs, *x.shape[axis + 1 :]
        if self.copies:
            return x.take(self.index, axis, mode="clip")  # the mode saves a buffer, and the index is in range
        if x.dtype not in dtypes.FLOATS:
            return self._of_bytes(x, axis) if self.divisors is None else self._summed(x, axis)
        out = np.empty(shape, x.dtype)
        if out.size:
            inner = prod(x.shape[axis + 1 :])
            source = contiguous(x).reshape(-1, x.shape[axis], inner)
            tables = self.starts, self.index, self.weights[x.dtype]
            cache.load_file("cpu.resample").map_axis(source, *tables, out.reshape(-1, self.outputs, inner))
        return out

    @cached_property
    def quantized(self) -> tuple[Any, Any, Any, int]:
        """starts, first, weights, bits: output i is the sum of weights[starts[i] : starts[i + 1]] times the inputs
        from first[i] on, over 2**bits; for maps of neighbours. The weights have 16 bits, as in Pillow.
        """
        places = np.repeat(np.arange(self.outputs), np.diff(self.starts)) * self.inputs + self.index
        places, where = np.unique(places, return_inverse=True)  # at the edges an input may stand twice
        weights = np.bincount(where, self.weights[FLOAT64])
        bits = next(b for b in range(23) if b == 22 or int(0.5 + weights.max() * 2 ** (b + 1)) >= 1 << 15)
        rounded = np.trunc(weights * 2**bits + np.copysign(0.5, weights)).astype(np.int16)
        starts = np.searchsorted(places // self.inputs, np.arange(self.outputs + 1))
        return starts, places[starts[:-1]] % self.inputs, rounded, bits

    def _of_bytes(self, x: Any, axis: int) -> Any:
        """The map of 8-bit values, rounded: sums of integers of 32 bits."""
        out = np.empty((*x.shape[:axis], self.outputs, *x.shape[axis + 1 :]), np.uint8)
        if out.size:
            kernels, inner = cache.load_file("cpu.resample_bytes"), prod(x.shape[axis + 1 :])
            source, dest = contiguous(x).reshape(-1), out.reshape(-1)
            if inner == 1:
                room = [np.empty(n * kernels.LANES, np.uint8) for n in (self.inputs, self.outputs)]
                kernels.along_rows(source, self.inputs, *self.quantized, *room, dest)
            else:
                kernels.across_rows(source, self.inputs, inner, *self.quantized, dest)
        return out

    def _summed(self, x: Any, axis: int) -> Any:
        """The sums of integers, not yet divided."""
        members = np.zeros((self.inputs, self.outputs), x.dtype)
        np.add.at(members, (self.index, np.repeat(np.arange(self.outputs), np.diff(self.starts))), 1)
        return np.moveaxis(np.moveaxis(x, axis, -1) @ members, -1, axis)


def from_ranges(inputs: int, first: Any, last: Any, divisors: Any) -> AxisMap:
    """The map whose output i is the sum of inputs first[i] to last[i], the latter left out, divided by divisors[i]."""
    lengths = np.maximum(last - first, 0)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    index = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, lengths)
    return AxisMap(inputs, starts, index, np.repeat(1.0 / divisors, lengths), divisors)


def from_taps(inputs: int, index: Any, weights: Any) -> AxisMap:
    """The map whose output i is the sum over t of weights[i, t] * x[index[i, t]]."""
    outputs, taps = index.shape
    return AxisMap(inputs, np.arange(outputs + 1) * taps, index.ravel(), weights.ravel())


class Maps(tuple):
    """An AxisMap for each of the last dimensions."""

    @property
    def transposed(self) -> "Maps":
        return Maps([m.transposed for m in self])


class _PlaneMaps:
    """Two AxisMaps of as many terms for each output, in one kernel."""

    def __init__(self, down: AxisMap, along: AxisMap, dtype: np.dtype):
        kernels, (rows, columns) = cache.load_file("cpu.resample"), (down.taps, along.taps)
        assert rows is not None and columns is not None
        self.tables = rows[0], rows[1][dtype], columns[0], columns[1][dtype]
        self.given, self.outputs = (-1, down.inputs, along.inputs), (down.outputs, along.outputs)
        shrinks = _cheapest((down, along))[0] == 0
        self.kernel = kernels.shrink_planes if shrinks else kernels.enlarge_planes
        self.room: Any = along.inputs if shrinks else (down.inputs, along.outputs)
        self.no_room = np.empty(0, dtype) if shrinks and along.outputs < kernels.NARROW else None

    def __call__(self, x: Any) -> Any:
        out = np.empty(x.shape[:-2] + self.outputs, x.dtype)
        if out.size:
            source = contiguous(x).reshape(self.given)
            room = np.empty(self.room, x.dtype) if self.no_room is None else self.no_room
            self.kernel(source, *self.tables, room, out.reshape((-1, *self.outputs)))
        return out


@lru_cache(maxsize=256)
def _plane_maps(maps: Maps, dtype: np.dtype) -> _PlaneMaps | None:
    """None where the maps' outputs have terms of different number."""
    return None if maps[0].taps is None or maps[1].taps is None else _PlaneMaps(maps[0], maps[1], dtype)


def _infer(input, maps):
    return (*input.shape[: input.ndim - len(maps)], *[m.outputs for m in maps]), input.dtype


def _cpu(input, maps):
    lead = input.ndim - len(maps)
    integers = input.dtype not in dtypes.FLOATS
    if len(maps) == 2 and not integers:
        planes = _plane_maps(maps, input.dtype)
        if planes is not None:
            return planes(input)
    order = list(reversed(range(len(maps))))
    if input.dtype != np.uint8:  # which is rounded after each dimension, so that the order shows
        order = _cheapest(maps)
    for d in order:
        input = maps[d](input, lead + d)
    if integers and maps[0].divisors is not None:
        divisor = maps[0].divisors
        for m in maps[1:]:
            divisor = np.multiply.outer(divisor, m.divisors)
        input = np.sign(input) * np.sign(divisor) * (np.abs(input) // np.abs(divisor))  # rounds toward zero
    return input


def _of_channels(x, down, along):
    """The two maps of images (N, H, W, C)."""
    out = np.empty((len(x), down.outputs, along.outputs, x.shape[3]), x.dtype)
    if out.size:
        tables = [a for m in (down, along) for a in (m.starts, m.index, m.weights[x.dtype])]
        lines = len(x) * down.outputs
        shared.resample(np.arange(lines), x, *tables, out.reshape(lines, *out.shape[2:]))
    return out


def _cheapest(maps):
    """What makes the array smaller first; the last dimension, which is the slowest, when there are fewest elements."""
    ratios = [m.outputs / max(1, m.inputs) for m in maps]
    return sorted(range(len(maps)), key=lambda d: (ratios[d], d if ratios[d] < 1 else -d))


def _grad(g, maps):
    return map_axes(g, maps.transposed)


def axis_map_op(name: str, title: str, *, laid_out: bool = True) -> Op:
    """A record of maps along dimensions: op(input, maps). laid_out: a channels-last input makes such a result."""

    def cpu(input, maps):
        if has_vectors_of_channels(input):
            return channels_second(_of_channels(channels_to_end(input), *maps))
        return channels_last_like(input, _cpu(input, maps))

    op = structured(name=name, title=title, tensors="input")(_infer)
    op.cpu(cpu if laid_out else _cpu)
    op.grad("input")(_grad)
    return op


map_axes = axis_map_op("map_axes", "MapAxes")
