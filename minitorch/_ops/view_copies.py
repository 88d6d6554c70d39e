"""What torch makes of each view op: a copy (`select_copy`), and a write to the part (`select_scatter`)."""

from typing import Any

import numpy as np

from minitorch._kernels.layout import copied
from minitorch._kernels.strided import repeats
from minitorch._storage import copy_with_storage
from minitorch._tensor import Tensor

from .check import check, wrap_dim
from .copies import check_array_not_overlapping
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, Op, structured
from .operands import cast
from .public import FUNCTIONS, into, op, public


# ---------------------------------------------------------------------- copies
def _copied(name: str, view: Tensor, out: Any) -> Tensor:
    return into(out, name, op("dense")(view))


def _all_copied(name: str, views: Any, out: Any) -> Any:
    copies = tuple([op("dense")(v) for v in views])
    if out is None:
        return copies
    if len(out) != len(copies):
        raise RuntimeError(f"{name}_out() expected an out= argument of size {len(copies)}, got size {len(out)}")
    for o, copy in zip(out, copies, strict=True):
        into(o, name, copy)
    return None


@public("torch")
def alias_copy(input: Tensor, *, out: Any = None) -> Tensor:
    """A copy."""
    return _copied("alias_copy", input, out)


@public("torch")
def detach_copy(input: Tensor, *, out: Any = None) -> Tensor:
    """A copy without history."""
    return _copied("detach_copy", input.detach(), out)


@public("torch")
def as_strided_copy(input: Tensor, size: Any, stride: Any, storage_offset: Any = None, *, out: Any = None) -> Tensor:
    """as_strided, copied."""
    return _copied("as_strided_copy", op("as_strided")(input, size, stride, storage_offset), out)


@public("torch")
def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Any = None) -> Tensor:
    """diagonal, copied."""
    return _copied("diagonal_copy", op("diagonal")(input, offset, dim1, dim2), out)


@public("torch")
def expand_copy(input: Tensor, size: Any, *, implicit: bool = False, out: Any = None) -> Tensor:
    """expand, copied."""
    return _copied("expand_copy", FUNCTIONS["expand"](input, size), out)


@public("torch Tensor")
def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Any = None) -> Tensor:
    """narrow, copied."""
    check(input.ndim, "narrow() cannot be applied to a 0-dim tensor.")
    check(
        dim < input.ndim,
        "Expected dim < static_cast<int64_t>(self_sizes.size()) to be true, but got false.  (Could this error message "
        "be improved?  If so, please report an enhancement request to PyTorch.)",
    )
    wrapped, first = wrap_dim(dim, input.ndim), start + input.shape[dim] if start < 0 else start
    if not (length >= 0 or not 0 <= first <= input.shape[wrapped]):
        raise RuntimeError(f"start ({first}) + length ({length}) exceeds dimension size ({input.shape[wrapped]}).")
    return _copied("narrow_copy", FUNCTIONS["narrow"](input, dim, start, length), out)


@public("torch")
def permute_copy(input: Tensor, dims: Any, *, out: Any = None) -> Tensor:
    """permute, copied."""
    return _copied("permute_copy", FUNCTIONS["permute"](input, dims), out)


@public("torch")
def select_copy(input: Tensor, dim: int, index: int, *, out: Any = None) -> Tensor:
    """select, copied."""
    return _copied("select_copy", op("select")(input, dim, index), out)


@public("torch")
def slice_copy(
    input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1, *, out: Any = None
) -> Tensor:
    """The slice start:end:step along dim, copied."""
    return _copied("slice_copy", op("slice_dim")(input, *_slice(input, dim, start, end, step)), out)


@public("torch")
def split_copy(input: Tensor, split_size: int, dim: int = 0, *, out: Any = None) -> Any:
    """split, copied."""
    return _all_copied("split_copy", FUNCTIONS["split"](input, split_size, dim), out)


@public("torch")
def split_with_sizes_copy(input: Tensor, split_sizes: Any, dim: int = 0, *, out: Any = None) -> Any:
    """split_with_sizes, copied."""
    return _all_copied("split_with_sizes_copy", FUNCTIONS["split_with_sizes"](input, split_sizes, dim), out)


@public("torch")
def squeeze_copy(input: Tensor, dim: Any = ..., *, out: Any = None) -> Tensor:
    """squeeze, copied."""
    return _copied("squeeze_copy", FUNCTIONS["squeeze"](input, dim), out)


@public("torch")
def t_copy(input: Tensor, *, out: Any = None) -> Tensor:
    """t, copied."""
    return _copied("t_copy", op("t")(input), out)


@public("torch")
def transpose_copy(input: Tensor, dim0: int, dim1: int, *, out: Any = None) -> Tensor:
    """transpose, copied."""
    return _copied("transpose_copy", op("transpose")(input, dim0, dim1), out)


@public("torch")
def unbind_copy(input: Tensor, dim: int = 0, *, out: Any = None) -> Any:
    """unbind, copied."""
    return _all_copied("unbind_copy", FUNCTIONS["unbind"](input, dim), out)


@public("torch")
def unfold_copy(input: Tensor, dimension: int, size: int, step: int, *, out: Any = None) -> Tensor:
    """Tensor.unfold, copied."""
    return _copied("unfold_copy", op("unfold_view")(input, dimension, size, step), out)


@public("torch")
def unsqueeze_copy(input: Tensor, dim: int, *, out: Any = None) -> Tensor:
    """unsqueeze, copied."""
    return _copied("unsqueeze_copy", op("unsqueeze")(input, dim), out)


@public("torch")
def view_copy(input: Tensor, size: Any = None, *, dtype: Any = None, out: Any = None) -> Tensor:
    """Tensor.view, copied."""
    return _copied("view_copy", FUNCTIONS["view"](input, size if dtype is None else dtype), out)


# ---------------------------------------------------------------------- writes to a part
@structured(tensors="input src", title="Scatter")
def part_written(input, src, view, args):
    """A copy of the input with src in the place of the part that the view op names."""
    return input.shape, input.dtype


@part_written.cpu
def part_written_cpu(input, src, view, args):
    """Into a copy of all the memory under the input, as in torch, unless several of its elements lie in one place."""
    made = copied(input) if repeats(input.shape, input.strides) else copy_with_storage(input, {})
    view.forward(made, *args)[...] = src
    return made


@part_written.grad("input")
def part_written_grad_input(g, src_shape, view, args):
    return part_zeroed(g, view, args)


@part_written.grad("src")
def part_written_grad_src(g, view, args):
    return part_of(g, view, args)  # noqa: F821


@structured(tensors="input src", title="AsStridedScatter")
def strided_part_written(input, src, view, args):
    return input.shape, input.dtype


strided_part_written.cpu(part_written_cpu)


@strided_part_written.grad("input")
def strided_part_written_grad_input(g, src_shape, view, args):
    return part_kept(g, view, args)


@strided_part_written.grad("src")
def strided_part_written_grad_src(g, view, args):
    return part_of(g, view, args)  # noqa: F821


@structured(tensors="g")
def part_kept(g, view, args):
    return g.shape, g.dtype


@part_kept.cpu
def part_kept_cpu(g, view, args):
    made = np.zeros(g.shape, g.dtype)
    view.forward(made, *args)[...] = view.forward(np.ascontiguousarray(g).reshape(g.shape), *args)
    return made


@part_kept.grad("g")
def part_kept_grad(g, view, args):
    return part_kept(g, view, args)


@structured(tensors="g")
def part_zeroed(g, view, args):
    return g.shape, g.dtype


@part_zeroed.cpu
def part_zeroed_cpu(g, view, args):
    made = np.array(g, order="C")
    view.forward(made, *args)[...] = 0
    return made


@part_zeroed.grad("g")
def part_zeroed_grad(g, view, args):
    return part_zeroed(g, view, args)


def _array_part(g: Any, view: Op, args: tuple[Any, ...]) -> Any:
    assert view.forward is not None
    return view.forward(np.ascontiguousarray(g).reshape(g.shape), *args).copy()


def _tensor_part(g: Tensor, view: Op, args: tuple[Any, ...]) -> Tensor:
    return op("dense")(view.function(op("dense")(g), *args))


ARRAY_NAMES["part_of"], TENSOR_NAMES["part_of"] = _array_part, _tensor_part


def _scatter(input: Tensor, src: Tensor, view: str, args: tuple[Any, ...]) -> Tensor:
    assert OPS[view].forward is not None
    part = OPS[view].forward(input.array, *args)  # type: ignore[misc]  # its shape, and the checks of the arguments
    if not repeats(input.array.shape, input.array.strides):  # of such an input the copy is a plain one
        check_array_not_overlapping(part)
    if part.shape != src.array.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(part.shape)}"
        )
    if src.array.dtype is not input.array.dtype:
        src = cast(src, input.array.dtype)
    write = op("strided_part_written" if view == "as_strided" else "part_written")
    return write(input, src, OPS[view], args)


@public("torch Tensor")
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with src in the place of select(dim, index).

    >>> import minitorch as torch
    >>> torch.zeros(2, 2).select_scatter(torch.ones(2), 0, 0)
    tensor([[1., 1.],
            [0., 0.]])
    """
    return _scatter(input, src, "select", (dim, index))


def _slice(x: Tensor, dim: int, start: Any, end: Any, step: int) -> tuple[int, int, int, int]:
    check(x.ndim, "slice() cannot be applied to a 0-dim tensor.", IndexError)
    check(step > 0, "slice step must be positive")
    dim = wrap_dim(dim, x.ndim)
    first, last, _ = slice(start, end).indices(x.shape[dim])
    return dim, first, max(first, last), step


@public("torch Tensor")
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Any = None,
) -> Tensor:
    """A copy with src in the place of the slice start:end:step along dim."""
    return into(out, "slice_scatter", _scatter(input, src, "slice_dim", _slice(input, dim, start, end, step)))


@public("torch Tensor")
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with src in the place of the diagonal."""
    return _scatter(input, src, "diagonal", (offset, dim1, dim2))


@public("torch Tensor")
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: Any = None) -> Tensor:
    """A copy with src in the place of as_strided(size, stride, storage_offset).

    The gradient by input is torch's, which is no derivative: it keeps what belongs to the places written over, and is
    zero elsewhere, so that `gradcheck` fails in both.
    """
    if input.requires_grad and not input.is_contiguous():
        raise RuntimeError("as_strided_scatter is currently only supported for contiguous inputs")
    return _scatter(input, src, "as_strided", (tuple(size), tuple(stride), storage_offset))
