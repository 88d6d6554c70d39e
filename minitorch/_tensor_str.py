"""The text of a tensor, as torch writes it, and the options that shape it.

Only the values that will be seen are ever read: a large tensor is first cut down to its corners,
and column widths and the choice of notation come from those alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch._kernels.half import tagged

if TYPE_CHECKING:
    from minitorch._tensor import Tensor


@dataclasses.dataclass
class _PrinterOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PRINT_OPTS = _PrinterOptions()

_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Same as torch.set_printoptions.

    As in torch, every call sets `sci_mode` (None lets the values decide), an unknown `profile`
    is ignored, and an unusable value raises at the first tensor printed, not here.

    >>> set_printoptions(profile="short", precision=3)
    >>> get_printoptions()["precision"], get_printoptions()["edgeitems"]
    (3, 2)
    >>> set_printoptions(profile="default")
    """
    chosen: dict[str, Any] = dict(_PROFILES.get(profile, {})) if isinstance(profile, str) else {}
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen.update({name: value for name, value in given.items() if value is not None})
    for name, value in chosen.items():
        setattr(PRINT_OPTS, name, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Same as torch._tensor_str.get_printoptions: the options in force, as a new dict.

    >>> get_printoptions()["linewidth"]
    80
    """
    return dataclasses.asdict(PRINT_OPTS)


@contextlib.contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Same as torch._tensor_str.printoptions: `set_printoptions(**kwargs)` inside a `with` block.

    >>> with printoptions(precision=2):
    ...     get_printoptions()["precision"]
    2
    >>> get_printoptions()["precision"]
    4
    """
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_repr(t: Tensor) -> str:
    """The text of `t`, character for character what torch prints.

    A subclass shows its own name in place of `tensor`; `Parameter containing:` is left to
    Parameter. The values of a meta tensor are never asked for.

    >>> import minitorch
    >>> tensor_repr(minitorch.tensor([1.0, 2.5]))
    'tensor([1.0000, 2.5000])'
    """
    kind = type(t).__name__
    opening = "tensor(" if kind in ("Tensor", "Parameter") else f"{kind}("
    is_meta, is_empty = t.device.type == "meta", 0 in t.shape
    notes = []
    if t.device.type != "cpu":
        notes.append(f"device='{t.device}'")

    if is_meta:
        values, show_size = "...", True
    elif is_empty:
        values, show_size = "[]", len(t.shape) != 1
    else:
        values, show_size = _values_text(t, len(opening)), PRINT_OPTS.edgeitems == 0

    if show_size:
        notes.append(f"size={tuple(t.shape)}")
    if not _dtype_goes_without_saying(t.dtype, values_are_shown=not (is_meta or is_empty)):
        notes.append(f"dtype={t.dtype}")
    notes += _autograd_note(t)
    if "tangents" in t.__dict__:
        from minitorch.autograd.forward_ad import unpack_dual

        tangent = unpack_dual(t).tangent
        notes += [] if tangent is None else [f"tangent={tangent}"]
    return _append_notes(opening + values, notes, len(opening)) + ")"


def sparse_repr(t: Any) -> str:
    """The text of a sparse tensor: its indices and values as they lie."""

    def part(name: str, values: Tensor) -> str:
        opening = f"{name}=tensor("
        text = _values_text(values, indent + len(opening)) if values.numel() else f"[], size={tuple(values.shape)}"
        return f"{opening}{text})"

    indent = len("tensor(")
    separator = ",\n" + " " * indent
    parts = [part("indices", t._indices()), part("values", t._values()), f"size={tuple(t.shape)}"]
    notes = [f"nnz={t._nnz()}"]
    if not _dtype_goes_without_saying(t.dtype, values_are_shown=True):
        notes.append(f"dtype={t.dtype}")
    notes += [f"layout={t.layout}", *_autograd_note(t)]
    return _append_notes("tensor(" + separator.join(parts), notes, indent) + ")"


def _dtype_goes_without_saying(dtype: Any, values_are_shown: bool) -> bool:
    from minitorch._dtype import get_default_dtype

    if dtype == get_default_dtype():
        return True
    return values_are_shown and str(dtype) in ("torch.int64", "torch.bool")


def _autograd_note(t: Tensor) -> list[str]:
    try:
        grad_fn = t.grad_fn
    except RuntimeError:
        # A view whose base was overwritten behind its back has no node to show; the error belongs
        # to whoever differentiates it, not to whoever prints it.
        return ["grad_fn=<Invalid>"]
    if grad_fn is not None:
        return [f"grad_fn=<{type(grad_fn).__name__}>"]
    return ["requires_grad=True"] if t.requires_grad else []


def _append_notes(text: str, notes: list[str], indent: int) -> str:
    line_length = len(text) - text.rfind("\n") + 1
    for note in notes:
        if line_length + len(note) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + note
            line_length = indent + len(note)
        else:
            text += ", " + note
            line_length += len(note) + 2
    return text


def _values_text(t: Tensor, indent: int) -> str:
    edge = PRINT_OPTS.edgeitems
    summarise = math.prod(t.shape) > PRINT_OPTS.threshold
    cut = [summarise and size > 2 * edge for size in t.shape]
    if edge == 0 and any(cut):
        return "[...]"
    array = t.array
    if hasattr(array, "to_host"):
        array = _corners(array, cut)
    elif any(cut):
        array = array[np.ix_(*map(_kept_indices, t.shape, cut))]
    numbers = _python_numbers(array)
    texts, width = _float_texts(numbers) if t.dtype.is_floating_point else _plain_texts(numbers)
    cells = np.array([text.rjust(width) for text in texts], dtype=object).reshape(array.shape)
    return _bracketed(cells, cut, indent, width)


def _corners(array: Any, cut: list[bool]) -> Any:
    """The part of a GPU's array that is shown, brought to the host piece by piece."""
    edge = PRINT_OPTS.edgeitems
    if True not in cut:
        return array.to_host()
    dim = cut.index(True)
    rest = [*cut[:dim], False, *cut[dim + 1 :]]
    lead = (slice(None),) * dim
    places = [(*lead, slice(edge)), (*lead, slice(-edge, None))]
    halves = [_corners(array[place], rest) for place in places]
    return tagged(np.concatenate(halves, dim))


def _kept_indices(size: int, is_cut: bool) -> Sequence[int]:
    indices, edge = range(size), PRINT_OPTS.edgeitems
    return [*indices[:edge], *indices[-edge:]] if is_cut else indices


def _python_numbers(array: Any) -> list[Any]:
    """All elements in row-major order; the only place where stored values become Python's."""
    return array.ravel().tolist()


def _plain_texts(numbers: list[Any]) -> tuple[list[str], int]:
    texts = [str(number) for number in numbers]
    return texts, max(map(len, texts))


def _float_texts(numbers: list[float]) -> tuple[list[str], int]:
    telling = [number for number in numbers if _is_telling(number)]
    if _use_sci_mode(telling):
        form, ending = f".{PRINT_OPTS.precision}e", ""
    elif all(number.is_integer() for number in telling):
        form, ending = ".0f", "."
    else:
        form, ending = f".{PRINT_OPTS.precision}f", ""

    def write(number: float) -> str:
        return format(number, form) + (ending if math.isfinite(number) else "")

    width = max((len(write(number)) for number in telling), default=1)
    return [write(number) for number in numbers], width


def _is_telling(number: float) -> bool:
    """Whether torch lets this number decide on notation and column width."""
    return number != 0 and math.isfinite(number)


def _use_sci_mode(telling: list[float]) -> bool:
    if not telling:
        return False
    if PRINT_OPTS.sci_mode is not None:
        return PRINT_OPTS.sci_mode
    low, high = min(map(abs, telling)), max(map(abs, telling))
    return high / low > 1000 or high > 1e8 or low < 1e-4


def _bracketed(cells: np.ndarray, cut: list[bool], indent: int, width: int) -> str:
    if cells.ndim == 0:
        return cells.item()
    edge = PRINT_OPTS.edgeitems
    if cells.ndim == 1:
        items = cells.tolist()
        if cut[0]:
            items.insert(edge, " ...")
        per_line = max(1, math.floor((PRINT_OPTS.linewidth - indent) / (width + 2)))
        starts = range(0, len(items), per_line)
        rows = [", ".join(items[start : start + per_line]) for start in starts]
    else:
        rows = [_bracketed(row, cut[1:], indent + 1, width) for row in cells]
        if cut[0]:
            rows.insert(edge, "...")
    separator = "," + "\n" * max(1, cells.ndim - 1) + " " * (indent + 1)
    return "[" + separator.join(rows) + "]"
