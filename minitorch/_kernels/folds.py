"""The formulas of reductions, from which every device generates its loops.

`a` is the accumulator, `x` an element, `n` how many there are, `A` the accumulator's type and `b` the accumulator of
another part of the elements: a GPU's threads take a part each.
"""

from typing import NamedTuple


class Fold(NamedTuple):
    """A reduction: where it begins ("first" is the first element), how it goes on, how parts meet, how it ends."""

    init: str
    step: str
    merge: str = "a + b"
    finish: str = "a"


FOLDS = {
    "sum": Fold("0", "a + x"),
    "mean": Fold("0", "a + x", finish="a / n"),
    "nansum": Fold("0", "a + (x if x == x else A(0))"),
    "prod": Fold("1", "a * x", merge="a * b"),
    "amax": Fold("first", "maximum(a, x)", merge="maximum(a, b)"),
    "amin": Fold("first", "minimum(a, x)", merge="minimum(a, b)"),
    "absolute_sum": Fold("0", "a + abs(x)"),
    "euclidean": Fold("0", "a + x * x", finish="sqrt(a)"),
    "absolute_max": Fold("0", "maximum(a, abs(x))", merge="maximum(a, b)"),
    "absolute_min": Fold("1e999", "minimum(a, abs(x))", merge="minimum(a, b)"),
}
