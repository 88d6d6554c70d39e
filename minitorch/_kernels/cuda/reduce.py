"""Sums, extremes, moments: kernels generated from the formulas in `_kernels/folds.py` and a few with several states.

An array is (outer, n, inner), the middle reduced. With `inner` 1 a warp or a block takes a row (`ROWS`), else a block
takes 32 neighbouring columns (`COLUMNS`). Where that makes few blocks the reduced dimension is split, and a second
launch folds the parts. No atomics: which elements meet in which order follows from the shape, so results repeat.
Halves are accumulated in float32, integers in the result's type.
"""

from builtins import any as any_of
from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from . import copy
from .array import CudaArray, empty
from .device import PLACES, WORDS
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel_from
from .lower import define
from .reduction_formulas import REDUCTIONS, Formulas

BLOCK, WARP, COLUMN_WARPS = 256, 32, 8
UNROLL = 4  # loads of a thread under way
SHORT_ROW = 1024  # elements up to which a warp takes a row
ENOUGH_BLOCKS = 512  # for every multiprocessor to be busy
LONGEST_PART = 2048  # elements of a row, below which splitting it does not pay

ROWS = """
def {name}({sources}, {dests}, outer, n, period, splits, count, {number}):
    lane = threadIdx.x % {threads}
    block = blockIdx.x // splits
    part = blockIdx.x - block * splits
    row = block * {rows} + threadIdx.x // {threads}
    length = where(row < outer, n, 0)
    base = {index}(where(row < outer, row, 0)) * {apart}
    {centre}
    acc = regs({lanes}, {states})
    for q in static({lanes}):
        acc[q, :] = begin({first})
    i = (part * {threads} + lane) * {lanes}
    stride = splits * {threads} * {lanes}
    while i + {ahead} * stride < length:
        x = regs({unroll}, {lanes}, {fields})
        for u in static({unroll}):
            {loads_ahead}
        for u in static({unroll}):
            for q in static({lanes}):
                acc[q, :] = step(*acc[q, :], *x[u, q, :], i + u * stride + q, number)
        i += {unroll} * stride
    while i < length:
        x = regs(1, {lanes}, {fields})
        for u in static(1):
            {loads}
        for q in static({lanes}):
            acc[q, :] = step(*acc[q, :], *x[0, q, :], i + q, number)
        i += stride
    for q in static(1, {lanes}):
        acc[0, :] = merge(*acc[0, :], *acc[q, :])
    other = regs({states})
    for k in static(5):
        for s in static({states}):
            other[s] = shfl_xor(acc[0, s], 16 >> k)
        acc[0, :] = merge(*acc[0, :], *other[:])
    if {threads} > 32:
        {shared}
        if lane % 32 == 0:
            {to_shared}
        syncthreads()
        for k in static({warps}):
            {from_shared}
            if k == 0:
                acc[0, :] = other[:]
            else:
                acc[0, :] = merge(*acc[0, :], *other[:])
    if lane == 0 and row < outer:
        results = regs({results})
        results[:] = finish(*acc[0, :], count, number)
        at = row * splits + part
        {stores}
"""

COLUMNS = """
def {name}({sources}, {dests}, outer, n, inner, splits, count, {number}):
    tiles = (inner + 31) // 32
    group = blockIdx.x // tiles
    part = group // outer
    o = group - part * outer
    k = (blockIdx.x - group * tiles) * 32 + threadIdx.x
    length = where(k < inner, n, 0)
    base = {index}(o) * n * inner + where(k < inner, k, 0)
    {centre}
    acc = regs(1, {states})
    acc[0, :] = begin({first})
    i = part * {warps} + threadIdx.y
    stride = splits * {warps}
    while i + {ahead} * stride < length:
        x = regs({unroll}, 1, {fields})
        for u in static({unroll}):
            {loads_ahead}
        for u in static({unroll}):
            acc[0, :] = step(*acc[0, :], *x[u, 0, :], i + u * stride, number)
        i += {unroll} * stride
    while i < length:
        x = regs(1, 1, {fields})
        for u in static(1):
            {loads}
        acc[0, :] = step(*acc[0, :], *x[0, 0, :], i, number)
        i += stride
    {shared}
    {to_shared}
    syncthreads()
    if threadIdx.y == 0 and k < inner:
        other = regs({states})
        for w in static(1, {warps}):
            {from_shared}
            acc[0, :] = merge(*acc[0, :], *other[:])
        results = regs({results})
        results[:] = finish(*acc[0, :], count, number)
        at = ({index}(part) * outer + o) * inner + k
        {stores}
"""


def _helper(name: str, params: str, expressions: str, names: dict[str, Any]) -> Any:
    results = ", ".join(e.strip() for e in expressions.split(";"))
    return define(f"def {name}({params}):\n    return ({results},)\n", name, {**names})


class _Parts(NamedTuple):
    """What both templates are filled with."""

    formulas: Formulas
    dtypes: tuple[np.dtype, ...]  # of the input, then of the results
    kind: str  # what A means
    partial: str  # "", "in" or "out": whether the source, or the destination, is states rather than elements
    lanes: int = 1
    threads: int = BLOCK
    is_long: bool = False
    layout: str = "rows"  # or "between": a row's elements are `period` at a time, those of the other rows between

    def made(self, template: str, name: str, block: Any, sizes: int) -> Kernel:
        f, index = self.formulas, "i8" if self.is_long else "i4"
        holds = [{"A": self.kind, "I": index}[h] for h in f.holds.split()]
        states, k = f.states.split(), len(holds)
        names = {**WORDS, **PLACES, "__name__": __name__, "abs": abs, "A": WORDS[self.kind]}
        from_states, to_states = self.partial == "in", self.partial == "out"
        others = ["b", "c", "d"][:k]
        names["prepare"] = _helper("prepare", "x", f.prepare, names)
        names["read"] = element_functions(self.dtypes[0], STORAGE[self.dtypes[0]].compute)[0]
        firsts, first = ["first"], "prepare(read(x0[base]))[0]"
        begin = f.begin.split(";")
        if "first" not in f.begin:
            first = "0"
        elif from_states:  # both the first element and where it was found are those of the first part
            firsts = begin = [f"first{s}" for s in range(k)]
            first = ", ".join(f"x{s}[base]" for s in range(k))
        names["begin"] = _helper(
            "begin", ", ".join(firsts), ";".join(f"{h}({b})" for h, b in zip(holds, begin, strict=True)), names
        )
        names["merge"] = _helper("merge", ", ".join(states + others), f.merge, names)
        names["step"] = (
            _helper("step", ", ".join([*states, *others, "i", "number"]), f.merge, names) if from_states
            else _helper("step", ", ".join([*states, *"xy"[: f.arrays], "i", "number"]), f.step, names)
        )  # fmt: skip
        names["finish"] = _helper(
            "finish", ", ".join([*states, "n", "number"]), ";".join(states) if to_states else f.finish, names
        )
        results = holds if to_states else [STORAGE[d].code for d in self.dtypes[1:]]
        sources = [f"x{s}" for s in range(k if from_states else f.arrays)]
        if not to_states:
            for s, d in enumerate(self.dtypes[1:]):
                names[f"write{s}"] = element_functions(d, self.kind)[1]
        dests = [f"d{s}" for s in range(len(results))]
        columns = template is COLUMNS
        is_between = self.layout == "between"
        place = (
            "base + (i + u * stride) * inner" if columns
            else f"base + {index}(u4(i + u * stride) // u4(period)) * outer * period + {index}(u4(i + u * stride) % "
            "u4(period))" if is_between
            else "base + i + u * stride"
        )  # fmt: skip
        centred = f.arrays > 1
        warps = COLUMN_WARPS if columns else self.threads // WARP
        slot = "threadIdx.y * 32 + threadIdx.x" if columns else "threadIdx.x // 32"
        text = template.format(
            name=name, sources=", ".join(sources), dests=", ".join(dests), index=index, threads=self.threads,
            rows=BLOCK // self.threads, lanes=self.lanes, states=k, fields=len(sources), unroll=UNROLL,
            ahead=UNROLL - 1, warps=warps, apart="period" if is_between else "n",
            number="centres" if centred else "number",
            centre=f"number = centres[{'where(k < inner, k, 0)' if columns else 'where(row < outer, row, 0)'}]"
            if centred else "pass", results=len(results), first=first,
            loads_ahead=self._loads(sources, place), loads=self._loads(sources, place),
            shared="; ".join(
                f"shared{s} = shared_array({warps * (WARP if columns else 1)}, {h})" for s, h in enumerate(holds)),
            to_shared="; ".join(f"shared{s}[{slot}] = acc[0, {s}]" for s in range(k)),
            from_shared="; ".join(
                f"other[{s}] = shared{s}[{'w * 32 + threadIdx.x' if columns else 'k'}]" for s in range(k)),
            stores="; ".join(
                f"d{s}[at] = " + (f"results[{s}]" if to_states else f"write{s}(results[{s}])")
                for s in range(len(results))),
        )  # fmt: skip
        inputs = holds if from_states else [STORAGE[self.dtypes[0]].code] * f.arrays
        number = (self.kind if self.kind[0] == "f" else "i4") + "*" * centred
        signature = " ".join([*[f"{c}*" for c in inputs + results], *[index] * sizes, number])
        return kernel_from(text, name, names, signature, block, vector=self.lanes > 1)

    def _loads(self, sources: list[str], place: str) -> str:
        if self.partial == "in":
            return "; ".join(f"x[u, 0, {s}] = {name}[{place}]" for s, name in enumerate(sources))
        if self.lanes == 1:
            return "; ".join(f"x[u, 0, {s}] = prepare(read({name}[{place}]))[0]" for s, name in enumerate(sources))
        lines = []
        for s, name in enumerate(sources):
            lines.append(f"raw{s} = regs({self.lanes}); raw{s}[:] = load({name}, {place}, {self.lanes})")
            lines += [f"x[u, {q}, {s}] = prepare(read(raw{s}[{q}]))[0]" for q in range(self.lanes)]
        return "; ".join(lines)


@cache
def rows_kernel(
    name: str,
    dtypes: tuple[np.dtype, ...],
    kind: str,
    partial: str,
    lanes: int,
    threads: int,
    is_long: bool,
    layout: str = "rows",
) -> Kernel:
    """kernel(*arrays, *results, outer, n, period, splits, count, number) over rows of n."""
    parts = _Parts(REDUCTIONS[name], dtypes, kind, partial, lanes, threads, is_long, layout)
    return parts.made(ROWS, f"{name}_{layout}", BLOCK, 5)


@cache
def columns_kernel(name: str, dtypes: tuple[np.dtype, ...], kind: str, partial: str, is_long: bool) -> Kernel:
    """kernel(*arrays, *results, outer, n, inner, splits, count, number) over the middle of (outer, n, inner)."""
    parts = _Parts(REDUCTIONS[name], dtypes, kind, partial, is_long=is_long)
    return parts.made(COLUMNS, f"{name}_columns", (WARP, COLUMN_WARPS), 5)


# ---------------------------------------------------------------------- choosing kernels
def three_parts(a: CudaArray, dims: tuple[int, ...]) -> tuple[CudaArray, int, int, int]:
    """The array as contiguous (outer, reduced, inner), and these sizes."""
    if not dims:
        return copy.contiguous(a), a.size, 1, 1
    order = sorted(dims)
    adjacent = order == list(range(order[0], order[-1] + 1))
    if not adjacent or not a.flags.c_contiguous:
        kept = [i for i in range(a.ndim) if i not in dims]
        moved = a.transpose([*kept, *order])
        if moved.flags.c_contiguous or not adjacent:
            n = prod([a.shape[i] for i in order])
            return copy.contiguous(moved), prod([a.shape[i] for i in kept]), n, 1
        a = copy.contiguous(a)
    return (
        a,
        prod(a.shape[: order[0]]),
        prod(a.shape[order[0] : order[-1] + 1]),
        prod(a.shape[order[-1] + 1 :]),
    )


def reduce(
    name: str, a: CudaArray, dims: tuple[int, ...], shape: tuple[int, ...], *dtypes: np.dtype, number: float = 0
) -> Any:
    """The reduction `name` of REDUCTIONS along dims: an array of `shape`, or a tuple of them for several dtypes.

    `number` is what its formulas call so. They accumulate in the type that the first result is computed in.
    """
    results = tuple([empty(shape, d) for d in dtypes])
    if results[0].size:
        between = _between(a, dims)
        if between is not None:
            run(name, [a], between, results, number)
        else:
            x, *sizes = three_parts(a, dims)
            run(name, [x], (*sizes, 0), results, number)
    return results if len(results) > 1 else results[0]


def _between(a: CudaArray, dims: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """(1, n, 1 and rows, period) where dims are all but some in the middle of a contiguous array, as of channels."""
    kept = [i for i in range(a.ndim) if i not in dims]
    if not kept or kept[0] == 0 or kept[-1] == a.ndim - 1 or not a.flags.c_contiguous:
        return None
    if kept != list(range(kept[0], kept[-1] + 1)):
        return None
    rows, period = prod([a.shape[i] for i in kept]), prod(a.shape[kept[-1] + 1 :])
    return (rows, a.size // rows, 1, period) if rows and period > 1 else None


def run(name: str, arrays: list[CudaArray], sizes: tuple[int, ...], results: Any, number: Any = 0) -> None:
    """Reduce contiguous arrays of sizes (outer, n, inner, period) to the results, of an element for each row.

    A period other than 0 says that a row's elements lie that many at a time, those of the other rows between.
    `number` is an array with one for each row in reductions of two arrays.
    """
    kind = STORAGE[results[0].dtype].compute
    if not isinstance(number, CudaArray):
        number = float(number) if kind[0] == "f" else int(number)
    (_rows if sizes[2] == 1 else _columns)(name, arrays, sizes, results, kind, number)


def _rows(name: str, arrays: list[CudaArray], sizes: Any, results: Any, kind: str, number: Any) -> None:
    outer, n, _, period = sizes
    x = arrays[0]
    dtypes = (x.dtype, *[r.dtype for r in results])
    lanes = min(16 // x.dtype.itemsize, 8)
    if (period or n) % lanes or any_of(a.pointer % 16 for a in arrays) or lanes * x.dtype.itemsize < 4:
        lanes = 1
    threads = WARP if n <= SHORT_ROW and outer > 1 else BLOCK
    splits = min(ENOUGH_BLOCKS // outer, n // LONGEST_PART) if threads == BLOCK else 1
    is_long, layout = x.size >= 1 << 31, "between" if period else "rows"
    if splits <= 1:
        made = rows_kernel(name, dtypes, kind, "", lanes, threads, is_long, layout)
        made.launch(-(-outer * threads // BLOCK), *arrays, *results, outer, n, period, 1, n, number)
        return
    parts = _scratch(name, outer * splits, kind, is_long)
    made = rows_kernel(name, dtypes, kind, "out", lanes, BLOCK, is_long, layout)
    made.launch(outer * splits, *arrays, *parts, outer, n, period, splits, n, number)
    made = rows_kernel(name, dtypes, kind, "in", 1, BLOCK, is_long)
    made.launch(outer, *parts, *results, outer, splits, 0, 1, n, number)


def _columns(name: str, arrays: list[CudaArray], sizes: Any, results: Any, kind: str, number: Any) -> None:
    outer, n, inner, _ = sizes
    x = arrays[0]
    dtypes = (x.dtype, *[r.dtype for r in results])
    tiles, is_long = -(-inner // WARP), x.size >= 1 << 31
    splits = min(ENOUGH_BLOCKS // (outer * tiles), n // (8 * COLUMN_WARPS))
    if splits <= 1:
        made = columns_kernel(name, dtypes, kind, "", is_long)
        made.launch(outer * tiles, *arrays, *results, outer, n, inner, 1, n, number)
        return
    parts = _scratch(name, splits * outer * inner, kind, is_long)
    made = columns_kernel(name, dtypes, kind, "out", is_long)
    made.launch(outer * tiles * splits, *arrays, *parts, outer, n, inner, splits, n, number)
    made = columns_kernel(name, dtypes, kind, "in", is_long)
    made.launch(-(-outer * inner // WARP), *parts, *results, 1, splits, outer * inner, 1, n, number)


def _scratch(name: str, size: int, kind: str, is_long: bool) -> list[CudaArray]:
    types = {"A": kind, "I": "i8" if is_long else "i4"}
    return [empty((size,), np.dtype(types[h])) for h in REDUCTIONS[name].holds.split()]


# ---------------------------------------------------------------------- ops
def dims_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim=` names: all for None and for an empty list."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    return tuple([d % ndim for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]) if ndim else ()


def _simple(name: str) -> Any:
    def op(inferred: Any, input: CudaArray, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> CudaArray:
        shape, to = inferred
        if input.dtype != to and (dtype is not None or STORAGE[to].compute[0] == "f"):
            input = copy.converted(input, to)
        return reduce(name, input, dims_of(dim, input.ndim), shape, to)

    op.__name__ = op.__qualname__ = name
    return op


sum, mean, amax, amin = map(_simple, ("sum", "mean", "amax", "amin"))
prod_dim, sum_of_valid = _simple("prod"), _simple("nansum")


def _with_places(name: str) -> Any:
    def op(inferred: Any, input: CudaArray, dim: int, keepdim: bool = False) -> Any:
        (shape, dtype), (_, place) = inferred
        if input.dtype == np.bool_:
            values, places = reduce(
                name, copy.viewed(input, np.dtype(np.uint8)), dims_of(dim, input.ndim), shape, np.dtype(np.uint8), place
            )
            return copy.viewed(values, dtype), places
        return reduce(name, input, dims_of(dim, input.ndim), shape, dtype, place)

    return op


max_dim, min_dim = _with_places("argmax"), _with_places("argmin")


def argmax(inferred: Any, input: CudaArray, dim: Any, keepdim: bool) -> CudaArray:
    return reduce("argmax", input, dims_of(dim, input.ndim), inferred[0], input.dtype, inferred[1])[1]


def argmin(inferred: Any, input: CudaArray, dim: Any, keepdim: bool) -> CudaArray:
    return reduce("argmin", input, dims_of(dim, input.ndim), inferred[0], input.dtype, inferred[1])[1]


def _truth(name: str) -> Any:
    def op(inferred: Any, input: CudaArray, dim: Any, keepdim: bool) -> CudaArray:
        shape, dtype = inferred
        dims = () if isinstance(dim, (tuple, list)) and not dim else dims_of(dim, input.ndim)
        if not input.size:
            return copy.full(shape, int(name == "all"), dtype)
        return reduce(name, input, dims, shape, dtype)

    return op


any, all = _truth("any"), _truth("all")


def count_nonzero(inferred: Any, input: CudaArray, dim: Any) -> CudaArray:
    return reduce("count", input, dims_of(dim, input.ndim), *inferred)


def logsumexp_dims(inferred: Any, input: CudaArray, dim: Any, keepdim: bool) -> CudaArray:
    return reduce("log_sum_exp", input, dims_of(dim, input.ndim), *inferred)


def variance(inferred: Any, input: CudaArray, dim: Any, correction: float, keepdim: bool) -> CudaArray:
    return reduce("variance", input, dims_of(dim, input.ndim), *inferred, number=correction)


_NORMS = {0.0: "count", 1.0: "absolute_sum", 2.0: "euclidean", np.inf: "absolute_max", -np.inf: "absolute_min"}


def norm_of_vectors(inferred: Any, input: CudaArray, ord: float, dim: Any, keepdim: bool) -> CudaArray:
    return reduce(_NORMS.get(ord, "power_sum"), input, dims_of(dim, input.ndim), *inferred, number=ord)


def sum_to_size(inferred: Any, input: CudaArray, shape: tuple[int, ...]) -> CudaArray:
    """Undo broadcasting: sum over the dimensions that were added or stretched."""
    shape, dtype = inferred
    lead = input.ndim - len(shape)
    dims = tuple([i for i in range(input.ndim) if i < lead or shape[i - lead] != input.shape[i]])
    return reduce("sum", input, dims, shape, dtype) if dims else copy.copied(input)


# instances that the checks of machine code compile
FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "sum_rows": lambda: rows_kernel("sum", (FLOAT, FLOAT), "f4", "", 4, BLOCK, False),
    "argmax_short_rows": lambda: rows_kernel("argmax", (FLOAT, FLOAT, np.dtype(np.int64)), "f4", "", 1, WARP, False),
    "variance_rows": lambda: rows_kernel("variance", (FLOAT, FLOAT), "f4", "out", 4, BLOCK, False),
    "variance_joined": lambda: rows_kernel("variance", (FLOAT, FLOAT), "f4", "in", 1, BLOCK, False),
    "log_sum_exp_columns": lambda: columns_kernel("log_sum_exp", (FLOAT, FLOAT), "f4", "", False),
}
