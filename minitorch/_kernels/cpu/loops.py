"""Compiled formulas on NumPy arrays: which loop serves which arrays.

The flat loop is compiled for contiguous arrays only, and Numba's own dispatch (in C) finds out whether they are:
checking costs contiguous calls nothing. Arrays of other layouts, and broadcasting, go through the strided loop; a
formula with a function that `vector.py` has not for the dtype runs as NumPy calls above SMALL elements, where NumPy's
vectorised functions win. Which route is taken depends on dtype, shapes and strides only: same call, same bits.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import product
from math import prod
from operator import is_, mul
from typing import Any, NamedTuple

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.copies import alike, contiguous, line_across
from minitorch._kernels.layout import empty_result
from minitorch._kernels.strided import contiguous_strides, is_dense, restrided

from . import shared, threads

ndarray, empty = np.ndarray, np.empty
LARGE = 2**15  # elements from which threads may share a loop
WIDE = 2**17  # elements of contiguous arrays from which a compiled loop may pay where NumPy has a function
CHUNK = 2**13  # the least that a part has
FEW = 2**12  # elements up to which a copy takes less time than a loop over strides takes to begin
MOST = 1024  # layouts whose ways are kept
BLOCKS_OF_LINES = 64  # at most, of which a thread takes some
CALLS = 5  # of a function, such as exp, that one thread makes in a nanosecond


def broadcast_shape(arrays: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that the arrays have together; ValueError if none."""
    shapes = {a.shape for a in arrays if a.shape}
    return shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)


def _layouts(dtype: np.dtype, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the way of a loop over these arrays depends on."""
    return dtype.itemsize, *[(a.shape, a.strides, a.itemsize) for a in arrays]


class Loops:
    """A formula's loops; `flat(*arrays, *numbers, dest)` is the one for contiguous arrays of one shape.

    With `inplace` dest is the first of the arrays, always.
    """

    def __init__(self, formula: Formula, small: int, inplace: bool = False):
        self.formula, self.small, self.variant = formula, small, "inplace" if inplace else "flat"
        self.flat = for_contiguous(formula.inplace() if inplace else formula.flat(), self._any_layout)
        self._shared: Any = None
        self._scalar_kernels: dict[int, Any] = {}  # by which operands are 0-dim, a bit for each
        self._line_kernels: dict[tuple[str, ...], Any] = {}  # that threads share, by which operands do not change along
        self._ways: dict[Any, _Way] = {}  # by the layouts of the operands and of the result

    def _any_layout(self, *args: Any) -> None:
        count = len(self.formula.arrays)
        arrays, numbers, dest = args[:count], args[count:-1], args[-1]
        key = _layouts(dest.dtype, (*arrays, dest))
        way = self._ways.get(key)
        if way is None:
            self._keep(key, self.strided(arrays, numbers, dest))
        else:
            way(arrays, numbers, dest)

    def large(self, *args: Any) -> None:
        """`flat` for many elements: shared among threads where that pays."""
        count = len(self.formula.arrays)
        arrays = *args[:count], args[-1]
        crew = parts = 0
        if not any(map(is_strided, arrays)):
            moved = sum([a.nbytes for a in arrays]) // shared.BYTES_MOVED
            work = moved + arrays[-1].size * self.formula.functions // CALLS
            crew, parts = threads.share(work, arrays[-1].size // CHUNK)
        if not crew:
            self.flat(*args)
            return
        if self._shared is None:
            source = self.formula.source(self.variant)
            params, rows = ([f"{p}_" for p in names] + ["dest"] for names in (self.formula.params, self.formula.arrays))
            name = f"{self.formula.name}_{self.variant}"
            self._shared = shared.over_rows(name, source, " ".join(params), " ".join(rows))
        flat = [a.reshape(-1) for a in arrays]
        self._shared(crew, parts, *flat[:-1], *args[count:-1], flat[-1])

    def general(self, arrays: tuple[Any, ...], numbers: tuple[Any, ...], out: Any, dtype: Any) -> np.ndarray:
        """Broadcasting, any layout, any size; into `out` if given. ValueError where the shapes do not fit."""
        kernel, shape = self._contiguous_loop(arrays)
        if kernel is not None and (out is None or (out.shape == shape and out.flags.c_contiguous)):
            dest = np.empty(shape, dtype) if out is None else out
            kernel(*arrays, *numbers, dest)
            return dest
        key = _layouts(dtype, arrays if out is None else (*arrays, out))
        way = self._ways.get(key)
        if way is not None:
            dest = ndarray(way.shape, dtype, None, 0, way.strides) if out is None else out
            way(arrays, numbers, dest)
            return dest
        shape = broadcast_shape(arrays) if out is None or not out.size else out.shape
        if prod(shape) > self.small and self.formula.slow_in_loops(arrays[0].dtype):
            arrays = tuple([a if a.shape == shape else np.broadcast_to(a, shape) for a in arrays])
            with np.errstate(all="ignore"):
                result = self.formula.function(*arrays, **dict(zip(self.formula.scalars, numbers, strict=True)))
            if out is None:
                return np.asarray(result, dtype)
            out[...] = result
            return out
        dest = empty_result(dtype, *arrays) if out is None else out
        self._keep(key, self.strided(arrays, numbers, dest))
        return dest

    def _keep(self, key: Any, way: "_Way | _Few | None") -> None:
        if way is not None and len(self._ways) < MOST:
            self._ways[key] = way

    def _contiguous_loop(self, arrays: tuple[Any, ...]) -> tuple[Any, tuple[int, ...]]:
        """The loop for contiguous arrays in which 0-dim operands are numbers, and the shape; None if there is none."""
        shape, scalars = (), 0
        for i, a in enumerate(arrays):
            if not a.shape:
                scalars |= 1 << i
            elif a.flags.c_contiguous and (not shape or shape == a.shape):
                shape = a.shape
            else:
                return None, ()
        if not shape or (prod(shape) > self.small and self.formula.slow_in_loops(arrays[0].dtype)):
            return None, ()
        if not scalars:
            return (self.large if prod(shape) >= LARGE else self.flat), shape
        kernel = self._scalar_kernels.get(scalars)
        if kernel is None:
            names = tuple([name for i, name in enumerate(self.formula.arrays) if scalars >> i & 1])
            make = self.formula.inplace if self.variant == "inplace" and not scalars & 1 else self.formula.flat
            kernel = self._scalar_kernels[scalars] = make(names)
        return kernel, shape

    def strided(self, arrays: tuple[Any, ...], numbers: tuple[Any, ...], dest: Any) -> "_Way | _Few | None":
        """The loop over merged dimensions, more than four of them in blocks; the way it took if there are no more."""
        if not dest.size:
            return None
        if dest.size <= FEW:
            few = _Few((*arrays, dest), self.flat, self.variant == "inplace")
            few(arrays, numbers, dest)
            return few
        given = arrays
        if dest.size >= LARGE:
            arrays = tuple([alike(a, dest) for a in arrays])
        every = (*arrays, dest)
        plan = _plan(dest.shape, tuple([(a.shape, a.strides, a.itemsize) for a in every]))
        if plan.order:
            *arrays, dest = [a.transpose(plan.order).reshape(-1) for a in every]
            (self.large if dest.size >= LARGE else self.flat)(*arrays, *numbers, dest)
            return None
        names = tuple([self.formula.arrays[i] for i in plan.constant])
        inplace = self.variant == "inplace"
        kernel = self.formula.lines(names, inplace) if plan.lines else self.formula.strided()
        if not plan.outer:
            way = _Way(plan, every, kernel, partial(self._shared_lines, names, inplace), self.formula.functions)
            way(arrays, numbers, dest)
            return way if all(map(is_, arrays, given)) else None
        for index in product(*map(range, plan.outer)):
            offsets = [sum(map(mul, index, steps)) for steps in plan.outer_steps]
            windows = [
                restrided(a, (length,), (a.itemsize,), offset)
                for a, length, offset in zip(every, plan.lengths, offsets, strict=True)
            ]
            kernel(*windows[:-1], *numbers, windows[-1], plan.sizes, plan.steps)
        return None

    def _shared_lines(self, scalars: tuple[str, ...], inplace: bool) -> Any:
        """`Formula.lines` as a kernel that threads share."""
        kernel = self._line_kernels.get(scalars)
        if kernel is None:
            text = self.formula.lines_between(scalars, inplace)
            params = " ".join([*[f"{p}_" for p in self.formula.params], "dest sizes_ steps_ bounds_"])
            name = f"{self.formula.name}{'_inplace' * inplace}_lines_{'_'.join(scalars)}"
            kernel = self._line_kernels[scalars] = shared.over_rows(name, text, params, "bounds_")
        return kernel


class _Way:
    """How a loop goes over arrays of certain layouts, all of it found out."""

    __slots__ = ("bounds", "kernel", "plan", "shape", "shared", "strides", "whole", "work")

    def __init__(self, plan: "_Plan", arrays: tuple[Any, ...], kernel: Any, shared_lines: Any, functions: int):
        self.plan, self.kernel, self.shared = plan, kernel, shared_lines
        dest = arrays[-1]
        self.shape, self.strides = dest.shape, dest.strides
        self.whole = [a.flags.c_contiguous for a in arrays]
        self.work, self.bounds = 0, None  # only whole lines are shared
        if plan.lines:
            lines = int(plan.sizes[:3].prod())
            self.work = len(arrays) * dest.nbytes // shared.BYTES_MOVED + dest.size * functions // CALLS
            edges = np.linspace(0, lines, min(lines, BLOCKS_OF_LINES) + 1).astype(np.int64)
            self.bounds = np.stack([edges[:-1], edges[1:]], 1)

    def __call__(self, arrays: tuple[Any, ...], numbers: tuple[Any, ...], dest: Any) -> None:
        plan = self.plan
        windows = [
            a.reshape(-1) if whole else restrided(a, (length,), (a.itemsize,))
            for a, whole, length in zip((*arrays, dest), self.whole, plan.lengths)
        ]
        if self.bounds is not None and self.work >= threads.SERIAL:
            crew, parts = threads.share(self.work, len(self.bounds))
            if crew:
                self.shared()(crew, parts, *windows[:-1], *numbers, windows[-1], plan.sizes, plan.steps, self.bounds)
                return
        self.kernel(*windows[:-1], *numbers, windows[-1], plan.sizes, plan.steps)


class _Few:
    """How the loop for contiguous arrays goes over few elements: a copy of what does not lie as the result does."""

    __slots__ = ("back", "in_order", "inplace", "kernel", "lies_so", "order", "shape", "strides")

    def __init__(self, arrays: tuple[Any, ...], kernel: Any, inplace: bool):
        self.kernel, self.inplace = kernel, inplace
        dest = arrays[-1]
        self.shape = dest.shape
        order = sorted(range(dest.ndim), key=lambda i: -dest.strides[i])
        self.order, self.back = (None, None) if order == sorted(order) else (order, np.argsort(order).tolist())
        self.in_order = tuple([dest.shape[i] for i in order])
        steps = dict(zip(order, contiguous_strides(self.in_order, dest.itemsize), strict=True))
        self.strides = tuple([steps[i] for i in range(dest.ndim)])
        self.lies_so = [a.shape == dest.shape and a.transpose(order).flags.c_contiguous for a in arrays]

    def __call__(self, arrays: tuple[Any, ...], numbers: tuple[Any, ...], dest: Any) -> None:
        *read, written = [a if so else self._copied(a) for a, so in zip((*arrays, dest), self.lies_so, strict=True)]
        if self.inplace:
            read[0] = written
        if self.order is None:
            self.kernel(*read, *numbers, written)
        else:
            self.kernel(*[a.transpose(self.order) for a in read], *numbers, written.transpose(self.order))
        if written is not dest:
            dest[...] = written

    def _copied(self, a: Any) -> Any:
        copy = empty(self.in_order, a.dtype)
        if self.order is not None:
            copy = copy.transpose(self.back)
        copy[...] = a
        return copy


class _Plan(NamedTuple):
    """How a strided loop goes over arrays, the last of which is written to."""

    sizes: np.ndarray  # of the four merged dimensions
    steps: np.ndarray  # of each array along these, in elements
    lengths: list[int]  # of memory that each array spans, in elements
    outer: tuple[int, ...]  # sizes of further dimensions
    outer_steps: list[tuple[int, ...]]  # of each array along these, in bytes
    lines: bool  # whether all arrays are contiguous along the innermost dimension, or `constant`
    constant: list[int]
    order: list[int]  # of the dimensions, in which all arrays fill their memory; none if they do not


@lru_cache(maxsize=4096)
def _plan(shape: tuple[int, ...], layouts: tuple[tuple[Any, ...], ...]) -> _Plan:
    """The plan for arrays of these (shape, strides, itemsize), which are broadcast to the shape: found out once."""
    order = _common_order(layouts)
    shape, strides = merged(shape, [_broadcast_strides(shape, *layout[:2]) for layout in layouts])
    outer, inner, pad = shape[:-4], shape[-4:], 4 - len(shape[-4:])
    sizes = np.array((1,) * pad + inner, np.int64)
    steps = np.array(
        [(0,) * pad + tuple(s // layout[2] for s in st[len(outer) :]) for st, layout in zip(strides, layouts)], np.int64
    )
    lengths = (1 + steps @ (sizes - 1)).tolist()
    outer_steps = [st[: len(outer)] for st in strides]
    *read, written = steps[:, 3].tolist()
    constant = [i for i, step in enumerate(read) if not step]
    return _Plan(sizes, steps, lengths, outer, outer_steps, written == 1 and set(read) <= {0, 1}, constant, order)


def _common_order(layouts: tuple[tuple[Any, ...], ...]) -> list[int]:
    """The dimensions in the order in which every array, all of one shape, fills its memory; [] if there is none."""
    shape, strides, _ = layouts[-1]
    order = sorted(range(len(shape)), key=lambda i: -strides[i])
    for own, strides, step in layouts:
        if own != shape:
            return []
        for i in reversed(order):
            if shape[i] != 1 and strides[i] != step:
                return []
            step *= shape[i]
    return order


def beats_numpy(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a compiled loop over many floats takes less time than NumPy's.

    It does where threads may share it, where one operand lies across the other, and where floats that are broadcast, or
    parts of larger arrays, make many contiguous lines of the result: NumPy begins anew at each, in 100 ns.
    """
    if x.dtype.kind != "f":
        return False
    if x.shape == y.shape:
        if x.flags.c_contiguous and y.flags.c_contiguous:
            return x.size > WIDE and threads.count() > 1
        if line_across(x.shape, x.strides, y.strides) is not None:
            return True
    return _makes_lines(x.shape, x.strides, y.shape, y.strides, x.itemsize)


def beats_numpy_in_place(x: np.ndarray, y: np.ndarray) -> bool:
    """`beats_numpy` where x is written to: not if that changes what is read from y, or if y does not fit."""
    if not beats_numpy(x, y) or (y is not x and np.may_share_memory(x, y)):
        return False
    return x.shape == y.shape or broadcast_shape((x, y)) == x.shape


@lru_cache(maxsize=4096)
def _makes_lines(
    x: tuple[int, ...], x_strides: tuple[int, ...], y: tuple[int, ...], y_strides: tuple[int, ...], itemsize: int
) -> bool:
    try:
        shape = np.broadcast_shapes(x, y)
    except ValueError:
        return False  # and NumPy says so
    made = x_strides if x == shape and is_dense(x, x_strides, itemsize) else contiguous_strides(shape, itemsize)
    plan = _plan(shape, ((x, x_strides, itemsize), (y, y_strides, itemsize), (shape, made, itemsize)))
    return plan.lines and not plan.outer and prod(shape) > max(plan.sizes[3], LARGE)


def _broadcast_strides(to: tuple[int, ...], shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    missing = len(to) - len(shape)
    if missing < 0 or any(n not in (1, wanted) for n, wanted in zip(shape, to[missing:])):
        raise ValueError(f"an array of shape {shape} is not broadcast to {to}")
    return (0,) * missing + tuple([0 if n == 1 else s for n, s in zip(shape, strides)])


def merged(shape: tuple[int, ...], strides: list[tuple[int, ...]]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Shape and strides with dimensions of size 1 dropped and neighbours that step alike joined.

    They are taken in the order that the last array has in memory: of a transposed one, one dimension is left.
    """
    dims = [(n, [s[i] for s in strides]) for i, n in enumerate(shape) if n != 1]
    dims.sort(key=lambda dim: -dim[1][-1])
    joined: list[tuple[int, list[int]]] = []
    for n, step in dims:
        if joined and all(outer == inner * n for outer, inner in zip(joined[-1][1], step, strict=True)):
            joined[-1] = joined[-1][0] * n, step
        else:
            joined.append((n, step))
    return tuple(n for n, _ in joined), [tuple(s[k] for _, s in joined) for k in range(len(strides))]


def for_contiguous(kernel: Any, otherwise: Callable[..., None]) -> Any:
    """The dispatcher, sending arrays that are not contiguous to `otherwise`.

    Numba asks `_compile_for_args` what to call for types that it has not met, which all strided arrays are as long as
    none is compiled. That method is not documented: where it is missing, each call is checked instead, for 100 ns.
    """
    compile_for_args = getattr(kernel, "_compile_for_args", None)
    if compile_for_args is None:
        return lambda *args: (otherwise if any(map(is_strided, args)) else kernel)(*args)

    def unmet_types(*args: Any, **kwargs: Any) -> Any:
        return otherwise if any(map(is_strided, args)) else compile_for_args(*args, **kwargs)

    kernel._compile_for_args = unmet_types
    return kernel


def is_strided(a: Any) -> bool:
    return a.__class__ is ndarray and not a.flags.c_contiguous


def total(formula: Formula) -> Any:
    """The compiled loop kernel(*arrays, *numbers, dest): the formula summed over all elements into a 0-dim dest."""

    def through_copies(*args: Any) -> None:
        kernel(*[contiguous(a) if is_strided(a) else a for a in args])

    kernel = for_contiguous(formula.total(), through_copies)
    return kernel
