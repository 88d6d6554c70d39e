"""einsum: sums of products written as an equation of letters, by products of pairs from left to right."""

from functools import lru_cache
from math import prod
from typing import Any

from minitorch._tensor import Tensor

from .check import c_name, check, type_name
from .public import op, public
from .shapes import reshape

ELLIPSIS = "..."
Labels = tuple[
    Any, ...
]  # of one operand: letters (or integers); ellipsis dimensions are (-1,), (-2,), ... from the end


_TOO_FEW = (
    "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
    "subscripts list"
)


_TOO_FEW = (
    "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
    "subscripts list"
)


@public("torch")
def einsum(*args: Any) -> Tensor:
    """The sum of products of the operands' elements that the equation describes.

    A letter names a dimension. One that the output does not have is summed over; one that an operand has twice is its
    diagonal. Without "->" the output has the letters that occur once, in alphabetical order. `...` stands for further
    dimensions, which broadcast. Instead of an equation, a list of integers 0 to 51 may follow each operand, and one for
    the output may come last.

    >>> import minitorch as torch
    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2))
    tensor([[3., 3.],
            [3., 3.]])
    """
    if len(args) < 2:
        raise ValueError(_TOO_FEW)
    inputs, output, operands = _from_lists(args) if isinstance(args[0], Tensor) else _from_equation(args[0], args[1:])
    labels, wanted = _resolved(inputs, output, tuple([tuple(t.shape) for t in operands]))
    operands = [_diagonals(t, names) for t, names in zip(operands, labels, strict=True)]
    return _contract(operands, [tuple(dict.fromkeys(n)) for n in labels], wanted)


@lru_cache(maxsize=1024)
def _resolved(
    inputs: tuple[Labels, ...], output: Labels | None, shapes: tuple[tuple[int, ...], ...]
) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result, checked, those of an ellipsis among them."""
    spans = _ellipsis_lengths(inputs, shapes)
    labels = [_expanded(i, n) for i, n in zip(inputs, spans, strict=True)]
    longest = _expanded((ELLIPSIS,), max(spans, default=0))
    wanted = _output_labels(output, longest, labels)
    _check_sizes(labels, shapes)
    return labels, wanted


# ---------------------------------------------------------------------- reading the equation
def _from_equation(equation: Any, operands: tuple[Any, ...]) -> tuple[tuple[Labels, ...], Labels | None, list[Tensor]]:
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    for i, t in enumerate(operands):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 1, but got {type_name(t)}")
    if not isinstance(equation, str):
        raise TypeError(f"einsum(): argument 'equation' (position 1) must be str, not {type_name(equation)}")
    check(operands, _TOO_FEW, ValueError)
    return *_read(equation, len(operands)), list(operands)


@lru_cache(maxsize=1024)
def _read(equation: str, count: int) -> tuple[tuple[Labels, ...], Labels | None]:
    """The labels of so many operands, and of the output if it is given."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    starts = [sum(len(p) + 1 for p in parts[:i]) for i in range(len(parts))]
    inputs = tuple([_subscripts(p, i, start) for i, (p, start) in enumerate(zip(parts, starts, strict=True))])
    check(
        len(inputs) <= count,
        "einsum(): fewer operands were provided than specified in the equation",
    )
    check(
        len(inputs) >= count,
        "einsum(): more operands were provided than specified in the equation",
    )
    return inputs, _subscripts(right, None, len(left) + 2) if arrow else None


def _subscripts(text: str, operand: int | None, start: int) -> Labels:
    """The letters of one operand, or of the output, with ELLIPSIS for "..."; the text begins at `start`."""
    names: list[Any] = []
    i = 0
    while i < len(text):
        c = text[i]
        if c == ".":
            _check_ellipsis(text[i : i + 3] == ELLIPSIS, ELLIPSIS in names, operand)
            names.append(ELLIPSIS)
            i += 2
        elif c != " ":
            if not (c.isascii() and c.isalpha()):
                raise RuntimeError(
                    f"einsum(): invalid subscript given at index {start + i} in the equation string, subscripts must "
                    "be in [a-zA-Z]"
                )
            names.append(c)
        i += 1
    return tuple(names)


def _check_ellipsis(complete: bool, again: bool, operand: int | None) -> None:
    if operand is None:
        check(not again, "einsum(): found '.' for output but an ellipsis (...) was already found")
        check(complete, "einsum(): found '.' for output that is not part of any ellipsis (...)")
    else:
        if again:
            raise RuntimeError(f"einsum(): found '.' for operand {operand} for which an ellipsis was already found")
        if not complete:
            raise RuntimeError(f"einsum(): found '.' for operand {operand} that is not part of any ellipsis")


def _from_lists(args: tuple[Any, ...]) -> tuple[tuple[Labels, ...], Labels | None, list[Tensor]]:
    """The form with a list of integers after each operand; integers become letters, A to Z and then a to z."""
    count = len(args) // 2

    def letters(numbers: Any) -> Labels:
        for n in numbers:
            if n is not Ellipsis and not 0 <= n < 52:
                raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
        return tuple(ELLIPSIS if n is Ellipsis else chr(ord("A") + n if n < 26 else ord("a") + n - 26) for n in numbers)

    inputs = tuple([letters(args[2 * i + 1]) for i in range(count)])
    return inputs, letters(args[-1]) if len(args) % 2 else None, list(args[: 2 * count : 2])


def _ellipsis_lengths(inputs: tuple[Labels, ...], shapes: tuple[tuple[int, ...], ...]) -> list[int]:
    lengths = []
    for i, (names, shape) in enumerate(zip(inputs, shapes, strict=True)):
        named = len([n for n in names if n != ELLIPSIS])
        has = ELLIPSIS in names
        if not (named <= len(shape) if has else named == len(shape)):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) "
                + ("is more than the number of dimensions" if has else "does not match the number of dimensions")
                + f" ({len(shape)}) for operand {i}"
                + ("" if has else " and no ellipsis was given")
            )
        lengths.append(len(shape) - named)
    return lengths


def _expanded(names: Labels, length: int) -> Labels:
    """The labels with those of the ellipsis' dimensions, which count from the last."""
    return tuple(m for n in names for m in ([(i,) for i in range(-length, 0)] if n == ELLIPSIS else [n]))


def _output_labels(output: Labels | None, longest: Labels, labels: list[Labels]) -> Labels:
    given = [n for names in labels for n in names]
    if output is None:
        once = sorted(n for n in set(given) if isinstance(n, str) and given.count(n) == 1)
        return (*longest, *once)
    for n in output:
        if not (n == ELLIPSIS or n in given):
            raise RuntimeError(f"einsum(): output subscript {n} does not appear in the equation for any input operand")
        if output.count(n) != 1:
            raise RuntimeError(f"einsum(): output subscript {n} appears more than once in the output")
    return tuple(m for n in output for m in (longest if n == ELLIPSIS else (n,)))


def _check_sizes(labels: list[Labels], shapes: tuple[tuple[int, ...], ...]) -> None:
    """Refuse lengths that differ under one label; dimensions of length 1 broadcast."""
    sizes: dict[Any, int] = {}
    for i, (names, shape) in enumerate(zip(labels, shapes, strict=True)):
        own: dict[Any, int] = {}
        for name, n in zip(names, shape, strict=True):
            if own.setdefault(name, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated for operand {i} but the sizes don't match, {n} != "
                    f"{own[name]}"
                )
            have = sizes.get(name, 1)
            if not (1 in (n, have) or have == n):
                raise RuntimeError(
                    f"einsum(): subscript {name} has size {n} for operand {i} which does not broadcast with previously "
                    f"seen size {have}"
                )
            if sizes.get(name, 1) == 1:
                sizes[name] = n


# ---------------------------------------------------------------------- computing
def _diagonals(t: Tensor, names: Labels) -> Tensor:
    """The operand with every label once: the diagonal of the dimensions that share one."""
    if len(set(names)) == len(names):
        return t
    left = list(names)
    for name in dict.fromkeys(names):
        while left.count(name) > 1:
            first = left.index(name)
            second = left.index(name, first + 1)
            t = op("diagonal")(t, 0, first, second)
            del left[second], left[first]
            left.append(name)
    order = [left.index(n) for n in dict.fromkeys(names)]
    return t if order == list(range(len(order))) else op("permute_dims")(t, tuple(order))


def _contract(operands: list[Tensor], labels: list[Labels], wanted: Labels) -> Tensor:
    result, names = operands[0], labels[0]
    for i in range(1, len(operands)):
        later = {n for rest in labels[i + 1 :] for n in rest} | set(wanted)
        result, names = _product(result, names, operands[i], labels[i], later)
    summed = [i for i, n in enumerate(names) if n not in wanted]
    if summed:
        result = op("sum")(result, tuple(summed))
        names = tuple(n for n in names if n in wanted)
    order = tuple(names.index(n) for n in wanted)
    return result if order == tuple(range(len(order))) else op("permute_dims")(result, order)


def _product(a: Tensor, a_names: Labels, b: Tensor, b_names: Labels, later: set[Any]) -> tuple[Tensor, Labels]:
    """One bmm of two operands over the labels that nobody needs later; a plain product where there are none."""
    a, a_names = _without_lonely(a, a_names, b, b_names, later)
    b, b_names = _without_lonely(b, b_names, a, a_names, later)
    shared = [n for n in a_names if n in b_names]
    batch = [n for n in shared if n in later]
    inner = [n for n in shared if n not in later]
    only_a, only_b = [n for n in a_names if n not in shared], [n for n in b_names if n not in shared]
    names = (*batch, *only_a, *only_b)
    if not inner:
        return _beside(a, a_names, names) * _beside(b, b_names, names), names
    sizes = dict(zip(a_names, a.shape, strict=True))
    for n, length in zip(b_names, b.shape, strict=True):
        sizes[n] = length if sizes.get(n, 1) == 1 else sizes[n]
    a = _arranged(a, a_names, [batch, only_a, inner], sizes)
    b = _arranged(b, b_names, [batch, inner, only_b], sizes)
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected scalar type {c_name(a.array)} but found {c_name(b.array)}")
    product = op("bmm")(a, b)
    return reshape(product, [sizes[n] for n in names]), names


def _without_lonely(t: Tensor, names: Labels, other: Tensor, others: Labels, later: set[Any]) -> tuple[Tensor, Labels]:
    """t summed over the labels that nothing else has, or has with length 1: they need not enter the product."""

    def lonely(i: int, n: Any) -> bool:
        return n not in later and (n not in others or (other.shape[others.index(n)] == 1 and t.shape[i] != 1))

    dims = [i for i, n in enumerate(names) if lonely(i, n)]
    if not dims:
        return t, names
    alone = [i for i in dims if names[i] not in others]
    kept = [i for i in dims if i not in alone]
    if kept:  # the other's length of 1 is met by a length of 1
        t = op("sum")(t, tuple(kept), True)
    return (op("sum")(t, tuple(alone)) if alone else t), tuple(n for i, n in enumerate(names) if i not in alone)


def _beside(t: Tensor, names: Labels, wanted: Labels) -> Tensor:
    """The operand with its dimensions in the wanted order, and ones for those that it lacks."""
    t = op("permute_dims")(t, tuple(names.index(n) for n in wanted if n in names))
    for i, n in enumerate(wanted):
        if n not in names:
            t = op("unsqueeze")(t, i)
    return t


def _arranged(t: Tensor, names: Labels, groups: list[list[Any]], sizes: dict[Any, int]) -> Tensor:
    """The operand as a batch of matrices: its dimensions in three groups, broadcast to the labels' lengths."""
    order = tuple([n for group in groups for n in group])
    if order != names:
        t = op("permute_dims")(t, tuple([names.index(n) for n in order]))
    full = tuple([sizes[n] for n in order])
    if tuple(t.shape) != full:
        t = op("expand_to")(t, full)
    return reshape(t, [prod([sizes[n] for n in group]) for group in groups])
