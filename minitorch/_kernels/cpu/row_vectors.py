"""Passes over a row as vectors, of a formula on `Number`s; what is left after whole vectors is one more, under a mask.

Left to LLVM, a row went by 64 elements, then by 8, by 4 and one by one: half of a softmax of 100 columns went into the
last 36.
"""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .tiles import VECTOR_BYTES, WIDE, data_of, first_lanes, load_vector, splat, store_vector
from .vector import KINDS, Number, where

KIND_OF = {types.float32: "f4", types.float64: "f8"}
TYPE_OF = {kind: numba_type for numba_type, kind in KIND_OF.items()}
_I32 = ir.IntType(32)


class Fold(NamedTuple):
    """How two vectors become one, and so a row one number. `start` changes nothing; `kind`: if not the arrays'."""

    start: float
    step: Callable[[Any, Any], Any]
    kind: str = ""


SUM = Fold(0.0, operator.add)
SUM_IN_DOUBLE = Fold(0.0, operator.add, "f8")
LARGEST = Fold(-math.inf, lambda x, y: where(x > y, x, y))  # of numbers of which none is nan


def over_row(*folds, stores=0, parts=None):
    """Makes of a formula what kernels call as f(*arrays, i, stop, *numbers), for the first `stop` elements of row i.

    The formula gets a vector of each array, then the numbers. It returns the vectors for the last `stores` arrays, then
    one for each of the folds, whose results f returns. An array of one dimension is every row's. Elements of a
    row are neighbours in memory. `parts` says of how many stretches of `stop` elements a row of each array consists, as
    one of gates does: each stretch stands for an array.
    """

    def decorate(formula):
        @intrinsic
        def function(typing_context, *args):
            found = [TYPE_OF[fold.kind or KIND_OF[args[0].dtype]] for fold in folds]
            result = types.Tuple(found) if len(found) > 1 else found[0] if found else types.void

            def generate(context, builder, signature, values):
                values = cgutils.unpack_tuple(builder, values[0], len(args))
                totals = _Pass(formula, folds, stores, parts, context, builder, args, values).totals()
                if len(folds) > 1:
                    return context.make_tuple(builder, result, totals)
                return totals[0] if totals else context.get_dummy_value()

            return result(types.StarArgTuple(args)), generate

        return function

    return decorate


class _Pass:
    """The code of one pass over a row, written where `builder` is."""

    def __init__(self, formula, folds, stores, parts, context, builder, kinds, values):
        self.formula, self.folds, self.stores, self.builder = formula, folds, stores, builder
        arrays = [kind for kind in kinds if isinstance(kind, types.Array)]
        i, self.stop, *numbers = values[len(arrays) :]
        rows = [_row(context, builder, *array, i) for array in zip(arrays, values, strict=False)]
        parts = parts or (1,) * len(rows)
        self.kinds = [KIND_OF[kind.dtype] for kind, many in zip(arrays, parts, strict=True) for _ in range(many)]
        self.size = VECTOR_BYTES // int(self.kinds[0][1])
        self.rows = [
            builder.gep(row, [builder.mul(self.stop, WIDE(k))])
            for row, many in zip(rows, parts, strict=True)
            for k in range(many)
        ]
        self.numbers = [
            Number(builder, splat(builder, number, self.size), KIND_OF[kind])
            for number, kind in zip(numbers, kinds[len(arrays) + 2 :], strict=True)
        ]

    def totals(self):
        """The results of the folds, after the loop over whole vectors and what the mask leaves of another."""
        builder, size = self.builder, self.size
        kinds = [fold.kind or self.kinds[0] for fold in self.folds]
        totals = [
            cgutils.alloca_once_value(builder, ir.Constant(ir.VectorType(KINDS[kind], size), [fold.start] * size))
            for fold, kind in zip(self.folds, kinds, strict=True)
        ]
        whole = builder.and_(self.stop, WIDE(-size))
        with cgutils.for_range_slice(builder, WIDE(0), whole, WIDE(size)) as (place, _):
            self._step(place, totals)
        with builder.if_then(builder.icmp_signed("<", whole, self.stop)):
            self._step(whole, totals, first_lanes(builder, builder.sub(self.stop, whole), size))
        found = [Number(builder, builder.load(total), kind) for total, kind in zip(totals, kinds, strict=True)]
        return [folded(fold, vector) for fold, vector in zip(self.folds, found, strict=True)]

    def _step(self, place, totals, mask=None):
        """The formula for the vectors that begin at `place`, or for their lanes under the mask."""
        builder = self.builder
        vectors = [load_vector(builder, row, place, self.size, mask) for row in self.rows]
        vectors = [Number(builder, vector, kind) for vector, kind in zip(vectors, self.kinds, strict=True)]
        made = self.formula(*vectors, *self.numbers)
        made = made if isinstance(made, tuple) else (made,)
        for vector, row in zip(made, self.rows[len(self.rows) - self.stores :], strict=False):
            store_vector(builder, vector.value, row, place, mask)
        for fold, vector, total in zip(self.folds, made[self.stores :], totals, strict=True):
            vector = vector.to(fold.kind or vector.kind)
            before = vector.made(builder.load(total))
            after = fold.step(vector, before).value
            builder.store(after if mask is None else builder.select(mask, after, before.value), total)


def folded(fold, vector):
    """The one number of a vector's lanes: its halves come together until a lane is left."""
    builder, lanes = vector.builder, vector.value.type.count
    while lanes > 1:
        lanes //= 2
        halves = [ir.Constant(ir.VectorType(_I32, lanes), list(range(k, k + lanes))) for k in (0, lanes)]
        vector = fold.step(*(vector.made(builder.shuffle_vector(vector.value, vector.value, half)) for half in halves))
    return builder.extract_element(vector.value, _I32(0))


def _row(context, builder, kind, array, i):
    """The pointer to where row i begins."""
    start = data_of(context, builder, kind, array)
    if kind.ndim == 1:
        return start
    _, columns = cgutils.unpack_tuple(builder, context.make_array(kind)(context, builder, array).shape)
    return builder.gep(start, [builder.mul(i, columns)])
