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
    "amax": Fold("first", "x if x > a or x != x else a", merge="b if b > a or b != b else a"),
    "amin": Fold("first", "x if x < a or x != x else a", merge="b if b < a or b != b else a"),
    "absolute_sum": Fold("0", "a + abs(x)"),
    "euclidean": Fold("0", "a + x * x", finish="sqrt(a)"),
    "absolute_max": Fold("0", "abs(x) if abs(x) > a or x != x else a", merge="b if b > a or b != b else a"),
    "absolute_min": Fold("1e999", "abs(x) if abs(x) < a or x != x else a", merge="b if b < a or b != b else a"),
}
