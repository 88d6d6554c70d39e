"""Updates of optimizers: the formula of `optim/_updates.py` over all parameters in one launch.

A table in the device's memory lists the addresses of each parameter, its gradient and its states; another says for each
block which parameter it serves and from which element on. Both are kept from step to step as long as they are the same.
"""

import ast
from collections import OrderedDict
from functools import cache
from textwrap import indent
from typing import Any

import numpy as np

from minitorch._kernels.update import Update

from . import runtime
from .array import CudaArray, from_host
from .device import PLACES, WORDS, fma, where
from .formulas import vocabulary
from .kernel import Kernel, kernel_from

BLOCK, ROUNDS = 256, 4  # a block takes as many vectors of 16 bytes of each array as it has threads, so many times
KEPT = 16  # tables

LOOP = """
def {name}(table, chunks, {numbers}):
    which = chunks[2 * blockIdx.x]
    first = chunks[2 * blockIdx.x + 1]
    size = i4(table[which * {fields}])
    {pointers}
    for r in static({rounds}):
        at = first + (r * {block} + threadIdx.x) * {lanes}
        if at + {lanes} <= size:
            {vector_loads}
            for q in static({lanes}):
                {to_vectors} = element({from_vectors})
            {vector_stores}
        else:
            for i in range(at, min(size, at + {lanes})):
                {stores} = element({loads})
"""


# ---------------------------------------------------------------------- what formulas call: see `cpu/optim.py`
def add(x, y, alpha):
    return fma(y, alpha, x)


def addcmul(x, y, z, value):
    return fma(value * y, z, x)


def addcdiv(x, y, z, value):
    return x + value * y / z


def lerp(x, y, weight):
    near = fma(weight, y - x, x)
    far = fma(weight - 1.0, y - x, y)
    return where((weight < 0.5) & (weight > -0.5), near, far)


def sign(x):
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


_CALLED = {f.__name__: f for f in (add, addcmul, addcdiv, lerp, sign)}


@cache
def update_kernel(update: Update, absent: frozenset[str], code: str) -> tuple[Kernel, int]:
    """kernel(table, chunks, *numbers) and how many elements a block takes.

    A row of the table has a size and the addresses of the arrays, in the formula's order; a chunk is (row, element).
    """
    body, results, numbers = update.parts(absent)
    arrays = [a for a in update.arrays if a not in absent]
    written = [a for a in arrays if a != "g"]
    lanes = 16 // int(code[1])
    names = {**WORDS, **PLACES, **vocabulary(code), **_CALLED, "__name__": __name__, "min": min, "abs": abs}
    element = f"def element({', '.join([*arrays, *numbers])}):\n" + indent(
        "\n".join([*map(ast.unparse, body), f"return ({', '.join(map(ast.unparse, results))},)"]), "    "
    )
    name = f"{update.name}_update"
    text = element + "\n" + LOOP.format(
        name=name, numbers=", ".join(f"{n}_" for n in numbers), fields=len(arrays) + 1, rounds=ROUNDS, block=BLOCK,
        lanes=lanes,
        pointers="; ".join(
            f"{a}_ = pointer(table[which * {len(arrays) + 1} + {k}], {code})" for k, a in enumerate(arrays, 1)),
        vector_loads="; ".join(
            f"{a}_all = regs({lanes}); {a}_all[:] = load({a}_, at, {lanes})" for a in arrays),
        to_vectors=", ".join(f"{a}_all[q]" for a in written) + ",",
        from_vectors=", ".join([*[f"{a}_all[q]" for a in arrays], *[f"{n}_" for n in numbers]]),
        vector_stores="; ".join(f"store({a}_, at, *{a}_all[:])" for a in written),
        stores=", ".join(f"{a}_[i]" for a in written) + ",",
        loads=", ".join([*[f"{a}_[i]" for a in arrays], *[f"{n}_" for n in numbers]]),
    )  # fmt: skip
    signature = " ".join(["u8*", "i4*", *[code] * len(numbers)])
    return kernel_from(text, name, names, signature, BLOCK, vector=True), BLOCK * ROUNDS * lanes


_tables: OrderedDict[Any, tuple[CudaArray, CudaArray, int]] = OrderedDict()


def _table(key: tuple[Any, ...], chunk: int) -> tuple[CudaArray, CudaArray, int]:
    """(table, chunks, how many chunks) of rows of a size and addresses, kept for the next steps."""
    found = _tables.get((key, chunk))
    if found is None:
        index, rows = key
        starts = [(k, first) for k, row in enumerate(rows) for first in range(0, row[0], chunk)]
        found = from_host(np.array(rows, np.uint64), index), from_host(np.array(starts, np.int32), index), len(starts)
        _tables[key, chunk] = found
        if len(_tables) > KEPT:
            _tables.popitem(last=False)
    _tables.move_to_end((key, chunk))
    return found


def run(update: Update, absent: frozenset[str], entries: list[tuple[CudaArray, ...]], numbers: list[float]) -> None:
    """Update parameters of one dtype in place: each entry is the parameter, its gradient and its states.

    All arrays of an entry have the same elements in the same order of memory, without gaps, aligned to 16 bytes: see
    `fits`.
    """
    entries = [e for e in entries if e[0].size]
    if entries:
        made, chunk = update_kernel(update, absent, entries[0][0].dtype.str[1:])
        rows = tuple([(e[0].size, *[a.pointer for a in e]) for e in entries])
        table, chunks, count = _table((runtime.current_index(), rows), chunk)
        made.launch(count, table, chunks, *numbers)


def fits(entry: tuple[CudaArray, ...]) -> bool:
    """Whether `run` takes the arrays of this parameter."""
    p = entry[0]
    return p.size < 1 << 31 and all(
        a.dtype == p.dtype and a.shape == p.shape and a.flags.c_contiguous and a.pointer % 16 == 0 for a in entry
    )


@Update
def _momentum(p, g, m, *, decay, rate):
    m = lerp(m, g, decay)
    return addcdiv(p, m, m * m + 1.0, rate), m


REPRESENTATIVE = {"update": lambda: update_kernel(_momentum, frozenset(), "f4")[0]}
