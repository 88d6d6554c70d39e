"""Reductions as expressions, from which `reduce.py` generates kernels: those of `_kernels/folds.py`, and some with more
than one state: extremes with their places, moments, logarithms of sums of exponentials.
"""

from typing import NamedTuple

from minitorch._kernels.folds import FOLDS


class Formulas(NamedTuple):
    """A reduction: expressions for its states' first values, next, joined and last; several are separated by ";".

    `x` is an element, `i` its place, `n` how many there are, `number` what the op was given; `first` is the first
    element. Of two arrays `y` is the second one's, and `number` the row's own. The other part's states have the letter
    `b`, and `c` and `d` behind it. `holds` are the states' types, A the type to accumulate in, I that of places.
    """

    states: str
    holds: str
    begin: str
    step: str
    merge: str
    finish: str
    prepare: str = "x"  # of an element
    arrays: int = 1


def _of_fold(name: str, prepare: str = "x") -> Formulas:
    fold = FOLDS[name]
    return Formulas("a", "A", fold.init, fold.step, fold.merge, fold.finish, prepare)


_BETTER = "(({0} {2} {1}) | (({0} != {0}) & ({1} == {1})))"
_EQUAL = "((b == a) | ((b != b) & (a != a)))"


def _extreme(sign: str) -> Formulas:
    """The extreme and its place; a nan is one, and of equals the first."""
    step, part = _BETTER.format("x", "a", sign), _BETTER.format("b", "a", sign)
    part = f"({part} | ({_EQUAL} & (c < k)))"
    return Formulas(
        "a k", "A I", "first; 0", f"where({step}, x, a); where({step}, i, k)",
        f"where({part}, b, a); where({part}, c, k)", "a; k",
    )  # fmt: skip


_TOP, _LARGER = "where(isinf({0}), 0.0, {0})", "maximum(m, {0})"


def _log_sum_exp() -> Formulas:
    """The maximum so far and the sum of exponentials relative to it."""
    step, part = (_TOP.format(_LARGER.format(other)) for other in ("x", "b"))
    return Formulas(
        "m s", "A A", "-1e999; 0", f"{_LARGER.format('x')}; s * exp(m - {step}) + exp(x - {step})",
        f"{_LARGER.format('b')}; s * exp(m - {part}) + c * exp(b - {part})", f"log(s) + {_TOP.format('m')}",
    )  # fmt: skip


def _moments(finish: str) -> Formulas:
    """Welford; Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances"."""
    share = "(d / maximum(w + d, 1.0))"
    return Formulas(
        "m q w", "A A A", "0; 0; 0",
        "m + (x - m) / (w + 1.0); q + (x - m) * (x - m) * (w / (w + 1.0)); w + 1.0",
        f"m + (b - m) * {share}; q + c + (b - m) * (b - m) * (w * {share}); w + d", finish,
    )  # fmt: skip


_ANY = "where(x != 0, 1, 0)"
REDUCTIONS = {
    **{name: _of_fold(name) for name in FOLDS},
    "any": _of_fold("amax", _ANY),
    "all": _of_fold("amin", _ANY),
    "count": _of_fold("sum", _ANY),
    "argmax": _extreme(">"),
    "argmin": _extreme("<"),
    "log_sum_exp": _log_sum_exp(),
    "centred_products": Formulas("a s", "A A", "0; 0", "a + x; s + x * (y - number)", "a + b; s + c", "a; s", arrays=2),
    "power_sum": Formulas("a", "A", "0", "a + pow(absolute(x), number)", "a + b", "pow(a, 1.0 / number)"),
    "variance": _moments("q / maximum(n - number, 0.0)"),
    "moments": _moments("m; q / n"),
}  # fmt: skip
