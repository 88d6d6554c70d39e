"""Kernels of pointwise ops, generated from their formulas and from those of their gradients.

A formula has two kernels. `flat` serves operands that lie alike in memory without gaps, and numbers beside them, with
loads of 16 bytes. `strided` serves everything else: broadcasting and other layouts, over at most four merged
dimensions. Which one runs depends on dtypes, shapes, strides and alignment only: same call, same bits.
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.cpu.loops import merged
from minitorch._kernels.half import BFLOAT16
from minitorch._kernels.layout import result_strides
from minitorch._kernels.scalar import erf, exp, tanh, where  # type: ignore[attr-defined]
from minitorch._kernels.strided import is_dense

from . import runtime
from .array import CudaArray, empty
from .device import PLACES, WORDS
from .formulas import STORAGE, compute_type, element_functions, helper
from .kernel import kernel_from
from .scalar import LONG

BLOCK = 256
ROUNDS = 2  # loads of each operand that a thread has under way
LIMIT = 1 << 31  # elements from which indices need 64 bits

FLAT = """
def {name}({params}, dest, vectors, n):
    {setup}
    first = {index}(blockIdx.x) * {chunk}
    if first + {chunk} <= vectors:
        at = first + threadIdx.x * {lanes}
        {registers}
        for r in static({rounds}):
            {loads}
        for r in static({rounds}):
            results = regs({lanes})
            for q in static({lanes}):
                results[q] = {vector_element}
            {store}
    else:
        for i in range(first + threadIdx.x, min(n, first + {chunk}), {block}):
            dest[i] = {element}
"""

# i counts the elements of dest; size1 to size3 are the three inner dimensions
STRIDED = """
def {name}({params}, dest, n, size1, size2, size3, {steps}):
    {setup}
    i = {count}(blockIdx.x) * {block} + {count}(threadIdx.x)
    if i < n:
        rest = i // size3
        row = rest // size2
        block = row // size1
        at0 = {index}(block)
        at1 = {index}(row - block * size1)
        at2 = {index}(rest - row * size2)
        at3 = {index}(i - rest * size3)
        dest[{place}] = {element}
"""


class Operand(NamedTuple):
    """A parameter of a formula's kernel: elements of an array, one number in memory, or one that comes by value."""

    dtype: np.dtype
    how: str  # "each", "one" or "value"


def run(op: Any, inferred: Any, operands: Sequence[Any], numbers: Sequence[Any], dest: Any = None) -> CudaArray:
    """The kernel of a pointwise op, into `dest` if it fits and no element that is read is another one there."""
    if dest is None or inferred != (dest.shape, dest.dtype) or not _can_overwrite(dest, operands):
        return compute(op.formula, operands, numbers, *inferred)
    write(op.formula, operands, numbers, dest)
    return dest


def _can_overwrite(dest: CudaArray, operands: Sequence[Any]) -> bool:
    """Whether each operand lies elsewhere, or element by element where dest does, whose elements lie apart."""
    for a in operands:
        if a.__class__ is CudaArray and a.memory is dest.memory:
            if a.pointer != dest.pointer or a.shape != dest.shape or a.strides != dest.strides:
                return False
    return is_dense(dest.shape, dest.strides, dest.dtype.itemsize)


def compute(
    formula: Formula, operands: Sequence[Any], numbers: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype
) -> CudaArray:
    """A new array of the formula over arrays that broadcast to `shape`; NumPy arrays of one element go by value.

    `numbers` are the formula's keyword-only parameters.
    """
    given, key = _given(operands, [formula, shape, dtype])
    prepared = _prepared.get(key)
    if prepared is None:
        made = CudaArray(shape, dtype, empty(shape, dtype).memory, result_strides(dtype, *operands))
        prepared = _keep(key, (made.nbytes, made.strides, _prepare(formula, operands, made)))
    nbytes, strides, launches = prepared
    dest = CudaArray(shape, dtype, runtime.allocate(nbytes), strides)
    for each in launches:
        each.launch(given, numbers, dest.pointer)
    return dest


def write(formula: Formula, operands: Sequence[Any], numbers: Sequence[Any], dest: CudaArray) -> None:
    """The formula over arrays that broadcast to dest's shape, into dest."""
    given, key = _given(operands, [formula, dest.dtype, dest.shape, dest.strides])
    prepared = _prepared.get(key)
    if prepared is None:
        prepared = _keep(key, _prepare(formula, operands, dest))
    for each in prepared:
        each.launch(given, numbers, dest.pointer)


def _given(operands: Sequence[Any], key: list[Any]) -> tuple[list[Any], tuple[Any, ...]]:
    """What a kernel is given for each operand, its address or value; and the key with all that decides the launches."""
    given = []
    for a in operands:
        if a.__class__ is CudaArray:
            given.append(a.pointer)
            key += a.dtype, a.shape, a.strides
        else:
            given.append(a.item())
            key.append(a.dtype)
    return given, tuple(key)


def _keep(key: tuple[Any, ...], prepared: Any) -> Any:
    if len(_prepared) >= KEPT:
        _prepared.clear()
    _prepared[key] = prepared
    return prepared


KEPT = 4096
_prepared: dict[Any, Any] = {}  # what layouts decide is worked out once: a step of training has those of the last


def _prepare(formula: Formula, operands: Sequence[Any], dest: CudaArray) -> list[Any]:
    """The launches that write the formula over operands laid out like these, wherever in memory they lie."""
    if not dest.size:
        return []
    how = tuple([Operand(a.dtype, _how(a, dest)) for a in operands])
    alike = all(o.how != "each" or _alike(a, dest) for o, a in zip(how, operands, strict=True))
    if alike and is_dense(dest.shape, dest.strides, dest.dtype.itemsize):
        return [_Flat(formula, how, dest)]
    return _strided_launches(formula, how, operands, dest)


def _how(a: Any, dest: CudaArray) -> str:
    return "value" if isinstance(a, np.ndarray) else "each" if a.size > 1 or dest.size == 1 else "one"


def _alike(a: CudaArray, dest: CudaArray) -> bool:
    """Whether the elements of both lie in memory in the same order."""
    if a.shape != dest.shape:
        return False
    pairs = zip(a.shape, a.strides, dest.strides, strict=True)
    return all(n == 1 or s * dest.dtype.itemsize == t * a.dtype.itemsize for n, s, t in pairs)


class _Flat:
    """A launch over operands that lie alike."""

    def __init__(self, formula: Formula, how: Any, dest: CudaArray):
        self.n = n = dest.size
        self.kernel, chunk = flat(formula, how, dest.dtype, n >= LIMIT)
        self.grid = -(-n // chunk)
        self.each = [i for i, o in enumerate(how) if o.how == "each"]

    def launch(self, given: list[Any], numbers: Sequence[Any], dest: int) -> None:
        n, bits = self.n, dest
        for i in self.each:
            bits |= given[i]
        self.kernel.launch(self.grid, *given, *numbers, dest, 0 if bits % 16 else n, n)


class _Strided(NamedTuple):
    """A launch over four dimensions; `starts`: where its elements begin, in bytes from each operand's and dest's."""

    kernel: Any
    grid: int
    starts: tuple[int, ...]
    start: int
    layout: tuple[int, ...]

    def launch(self, given: list[Any], numbers: Sequence[Any], dest: int) -> None:
        places = [a + s if s else a for a, s in zip(given, self.starts, strict=True)]
        self.kernel.launch(self.grid, *places, *numbers, dest + self.start, *self.layout)


def _strided_launches(formula: Formula, how: Any, operands: Sequence[Any], dest: CudaArray) -> list[_Strided]:
    """Four dimensions at a time; what is more is taken in blocks."""
    moving = [(i, a, broadcast(a, dest.shape)) for i, (o, a) in enumerate(zip(how, operands)) if o.how == "each"]
    moving.append((len(how), dest, dest.strides))
    sizes = [a.dtype.itemsize for _, a, _ in moving]
    shape, strides = merged(dest.shape, [every for *_, every in moving])
    outer = max(len(shape) - 4, 0)
    inner = (1,) * (4 - len(shape[outer:])) + shape[outer:]
    steps = [tuple([s // size for s in (0, 0, 0, 0, *every[outer:])[-4:]]) for size, every in zip(sizes, strides)]
    reaches = [[(n - 1) * s for n, s in zip(inner, every, strict=True)] for every in steps]
    n, lows = prod(inner), [sum(r for r in reach if r < 0) for reach in reaches]
    is_long = max(n, *[sum(map(abs, reach)) for reach in reaches]) >= LIMIT
    layout = (n, *inner[1:], *[k for low, every in zip(lows, steps, strict=True) for k in (-low, *every)])
    made = strided(formula, how, dest.dtype, is_long)
    launches = []
    for index in product(*map(range, shape[:outer])):
        starts = [0] * (len(how) + 1)
        for (place, *_), size, every, low in zip(moving, sizes, strides, lows, strict=True):
            starts[place] = sum(i * s for i, s in zip(index, every, strict=False)) + low * size
        launches.append(_Strided(made, -(-n // BLOCK), tuple(starts[:-1]), starts[-1], layout))
    return launches


def broadcast(a: CudaArray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides under which the array's memory has this larger shape."""
    lead = len(shape) - a.ndim
    return (0,) * lead + tuple([0 if n == 1 else s for n, s in zip(a.shape, a.strides, strict=True)])


# ---------------------------------------------------------------------- the kernels
class _Text:
    """What both kernels of a formula over these operands are written from."""

    def __init__(self, formula: Formula, how: tuple[Operand, ...], dtype: np.dtype):
        kind = self.kind = compute_type(*[o.dtype for o in how])
        self.formula, self.dtype = formula, dtype
        self.named = list(zip(formula.arrays, how, strict=True))
        self.params = [f"{name}_" for name in formula.params]
        self.letters = [kind if o.how == "value" else f"{STORAGE[o.dtype].code}*" for o in how]
        self.letters += [kind] * len(formula.scalars)
        is_bool = all(o.dtype == np.bool_ for o in how)
        self.names = {**WORDS, **PLACES, "__name__": __name__, "min": min, "formula": helper(formula, kind, is_bool)}
        self.names["write"] = element_functions(dtype, kind)[1]
        self.setup = []
        for name, o in self.named:
            self.names[f"read_{name}"] = element_functions(o.dtype, kind)[0]
            if o.how == "one":
                self.setup.append(f"{name}_one = read_{name}({name}_[0])")

    def element(self, read: str, places: Any = None) -> str:
        """The result for one element, each operand of several read as `read` says of its name and place."""
        parts = []
        for name, o in self.named:
            each = read.format(name, places[f"{name}_"] if places and o.how == "each" else "")
            parts.append({"value": f"{name}_", "one": f"{name}_one"}.get(o.how) or f"read_{name}({each})")
        return f"write(formula({', '.join([*parts, *[f'{s}_' for s in self.formula.scalars]])}))"

    def made(self, variant: str, template: str, letters: str, vector: bool = False, **parts: Any) -> Any:
        """The kernel of a template."""
        name = f"{self.formula.name}_{variant}"
        params, setup = ", ".join(self.params), "; ".join(self.setup) or "pass"
        text = template.format(name=name, params=params, setup=setup, block=BLOCK, **parts)
        signature = " ".join([*self.letters, f"{STORAGE[self.dtype].code}*", letters])
        return kernel_from(text, name, dict(self.names), signature, BLOCK, vector=vector)


@cache
def flat(formula: Formula, how: tuple[Operand, ...], dtype: np.dtype, is_long: bool = False) -> tuple[Any, int]:
    """kernel(*operands, *numbers, dest, vectors, n), and how many elements each of its blocks takes.

    Blocks that lie in the first `vectors` elements use vector loads, for which all pointers must be aligned.
    """
    t = _Text(formula, how, dtype)
    sizes = [o.dtype.itemsize for o in how if o.how == "each"] + [dtype.itemsize]
    lanes = min(16 // max(sizes), 8)
    is_long_formula = not LONG.isdisjoint(formula.code.co_names)  # whose time is not that of its loads
    lanes = lanes if lanes > 1 and lanes * min(sizes) >= 4 and not is_long_formula else 1
    rounds, stride = (1 if is_long_formula else ROUNDS if lanes > 1 else 2 * ROUNDS), BLOCK * lanes
    each = [name for name, o in t.named if o.how == "each"]
    load, store = (
        ("load({0}_, at + r * {1}, {2})", "store(dest, at + r * {}, *results[:])") if lanes > 1
        else ("{0}_[at + r * {1}]", "dest[at + r * {}] = results[0]")
    )  # fmt: skip
    all_of = "{}_all[r, :]" if lanes > 1 else "{}_all[r, 0]"
    index = "i8" if is_long else "i4"
    made = t.made(
        "flat", FLAT, f"{index} {index}", lanes > 1 and max(sizes) > 2, lanes=lanes, rounds=rounds, index=index,
        chunk=stride * rounds,
        registers="; ".join(f"{a}_all = regs({rounds}, {lanes})" for a in each) or "pass",
        loads="; ".join(f"{all_of.format(a)} = {load.format(a, stride, lanes)}" for a in each) or "pass",
        vector_element=t.element("{}_all[r, q]"), element=t.element("{}_[i]"),
        store=store.format(stride),
    )  # fmt: skip
    return made, stride * rounds


@cache
def strided(formula: Formula, how: tuple[Operand, ...], dtype: np.dtype, is_long: bool = False) -> Any:
    """kernel(*operands, *numbers, dest, n, three inner sizes, of each array where it starts and four strides)."""
    t = _Text(formula, how, dtype)
    arrays = [*[f"{name}_" for name, o in t.named if o.how == "each"], "dest"]
    steps = [f"{a}{word}" for a in arrays for word in ("start", "step0", "step1", "step2", "step3")]
    places = {a: " + ".join([f"{a}start", *[f"at{d} * {a}step{d}" for d in range(4)]]) for a in arrays}
    count, index = ("u8", "i8") if is_long else ("u4", "i4")
    return t.made(
        "strided", STRIDED, " ".join([count] * 4 + [index] * len(steps)), steps=", ".join(steps), count=count,
        index=index, place=places["dest"], element=t.element("{0}_[{1}]", places),
    )  # fmt: skip


def _quotient(x, y):
    return x / y


QUOTIENT = Formula(_quotient)  # which several modules' ops end in


# ---------------------------------------------------------------------- what the checks of machine code compile
def _blend(x, y, *, weight):
    return x + weight * (y - x)


def _slope(g, x):
    return g * where(x < 0.0, exp(x), 1.0 / (1.0 + tanh(x) * erf(x)))


def _instance(formula: Any, dtype: Any, variant: Any, *how: str) -> Any:
    made = variant(Formula(formula), tuple([Operand(np.dtype(dtype), h) for h in how]), np.dtype(dtype))
    return made[0] if isinstance(made, tuple) else made


REPRESENTATIVE = {
    "blend_flat": lambda: _instance(_blend, np.float32, flat, "each", "each"),
    "blend_half": lambda: _instance(_blend, np.float16, flat, "each", "each"),
    "blend_bfloat16": lambda: _instance(_blend, BFLOAT16, flat, "each", "one"),
    "blend_int32": lambda: _instance(_blend, np.int32, flat, "each", "value"),
    "blend_strided": lambda: _instance(_blend, np.float32, strided, "each", "each"),
    "slope_flat": lambda: _instance(_slope, np.float32, flat, "each", "each"),
    "slope_strided": lambda: _instance(_slope, np.float32, strided, "each", "each"),
}
