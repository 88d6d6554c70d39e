"""`nn.functional.pad` in all its modes."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._kernels.borders import MODES, outside
from minitorch._kernels.copies import contiguous
from minitorch._kernels.layout import channels_second, channels_to_end, is_channels_last
from minitorch._tensor import Tensor, wrap

from .check import check, integers, no_kernel, text, type_name
from .nodes import titled
from .op import structured
from .positions import bits_of
from .public import op, public


# ---------------------------------------------------------------------- constant
@structured(name="constant_pad", title="ConstantPadNd", tensors="input")
def constant_pad(input, pads, value):
    return padded_shape(input.shape, pads), input.dtype


def padded_shape(shape: tuple[int, ...], pads: Any) -> tuple[int, ...]:
    """The shape with `pads` more elements (before, after) per dimension, counted from the last dimension."""
    if len(pads) % 2 != 0:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pads)}")
    if not len(pads) // 2 <= len(shape):
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
            f"{len(pads)}while the input has {len(shape)}dimensions."
        )
    made = list(shape)
    for i in range(len(pads) // 2):
        d = len(shape) - 1 - i
        before, after = pads[2 * i : 2 * i + 2]
        check(shape[d] + min(before, 0) + min(after, 0) >= 0, "narrow(): length must be non-negative.")
        made[d] += before + after
    return tuple(made)


@constant_pad.cpu
def constant_pad_cpu(input, pads, value):
    return framed_alike(input, pads, outside, value)


def framed_alike(input: np.ndarray, pads: Any, places: Any, value: Any = 0) -> np.ndarray:
    """`framed`, channels beside each other in memory if they are in the input."""
    if not is_channels_last(input):
        return framed(input, pads, places, value)
    inner = 2 * (input.ndim - 2)
    pads = (*pads, *(0,) * (2 * input.ndim - len(pads)))
    pads = (*pads[inner : inner + 2], *pads[:inner], *pads[inner + 2 :])
    return channels_second(framed(channels_to_end(input), pads, places, value))


def framed(input: np.ndarray, pads: Any, places: Any, value: Any = 0) -> np.ndarray:
    """The array with `pads`, which may be negative: elements at `places`, or the value, around those that are left."""
    out = np.empty(padded_shape(input.shape, pads), input.dtype)
    if not out.ndim:
        out[()] = input
    elif out.size:
        count = max(len(pads) // 2, 1)
        planes = prod(out.shape[:-count])
        frame = _frame(input.shape[-count:], tuple(pads) or (0, 0), places)
        fill, x = np.full(1, value, input.dtype), contiguous(input)
        kernel = cache.load_file("cpu.padding").framed
        kernel(bits_of(x).reshape(-1), planes, *frame, bits_of(fill), bits_of(out).reshape(-1))
    return out


@lru_cache(256)
def _frame(shape: tuple[int, ...], pads: tuple[int, ...], places: Any) -> tuple[np.ndarray, np.ndarray, int, int]:
    """`lines`, `columns`, `first` and `taken` of the kernel, of a plane of this shape."""
    lines = np.zeros(1, np.int64)
    for i in range(len(shape) - 1, 0, -1):
        n = shape[-1 - i]
        at = places(n, *pads[2 * i : 2 * i + 2])
        lines = np.where((lines[:, None] < 0) | (at < 0), -1, lines[:, None] * n + at).reshape(-1)
    n, (before, after) = shape[-1], pads[:2]
    columns = np.asarray(places(n, before, after), np.int64)
    return np.where(lines > 0, lines * n, lines), columns, max(before, 0), n + min(before, 0) + min(after, 0)


@constant_pad.grad("input")
def constant_pad_grad(g, pads):
    return constant_pad(g, tuple([-p for p in pads]), 0)


@public("torch")
def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """A border of one value: `pad` holds (before, after) for the last dimension, then for the one before it."""
    return op("constant_pad")(input, integers(pad, "pad", "constant_pad_nd", 2), _number(input, value))


def _number(input: Tensor, value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"constant_pad_nd(): argument 'value' (position 3) must be Number, not {type_name(value)}")
    return value if input.is_floating_point() else bool(value) if input.array.dtype == np.bool_ else int(value)


# ---------------------------------------------------------------------- the input's own elements
_KERNEL_NAMES = {"reflect": "reflection", "replicate": "replication", "circular": ""}


# ---------------------------------------------------------------------- without negative padding
def _borders(shape: tuple[int, ...], pads: tuple[int, ...], how: str) -> Any:
    """(dimension, position, the position that it repeats), dimension by dimension."""
    for i in range(len(pads) // 2):
        dim, (before, after) = len(shape) - 1 - i, pads[2 * i : 2 * i + 2]
        n = shape[dim]
        places = (MODES[how](n, before, after) + before).tolist()
        for at in (*range(before), *range(before + n, before + n + after)):
            yield dim, at, places[at]


def _inside(shape: tuple[int, ...], pads: tuple[int, ...]) -> tuple[slice, ...]:
    lead = len(shape) - len(pads) // 2
    firsts = (0,) * lead + pads[-2::-2]
    return tuple([slice(first, first + n) for first, n in zip(firsts, shape, strict=True)])


def _at(dim: int, position: int) -> tuple[Any, ...]:
    return (*(slice(None),) * dim, position)


@structured(tensors="input", title="Pad", halves="bits")
def bordered(input, pads, how):
    return padded_shape(input.shape, pads), input.dtype


@bordered.cpu
def bordered_cpu(input, pads, how):
    return (framed if how == "circular" else framed_alike)(input, pads, MODES[how])


@bordered.grad("input")
def bordered_grad(g, input_shape, pads, how):
    return bordered_backward(g, input_shape, pads, how)


@structured(tensors="g")
def bordered_backward(g, input_shape, pads, how):
    return input_shape, g.dtype


@bordered_backward.cpu
def bordered_backward_cpu(g, input_shape, pads, how):
    """What lies in the borders is added to where it was taken from, in the opposite order."""
    g = np.array(g, order="C")
    for dim, at, repeated in reversed(list(_borders(input_shape, pads, how))):
        g[_at(dim, repeated)] += g[_at(dim, at)]
    return np.ascontiguousarray(g[_inside(input_shape, pads)])


@bordered_backward.grad("g")
def bordered_backward_grad(g, pads, how):
    return bordered(g, pads, how)


@public("nn.functional")
def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """`pad` elements before and after, from the last dimension on: (left, right, top, bottom, ...).

    mode: "constant" (`value`, 0 if None), or the input's elements: "reflect", "replicate", "circular". These take
    inputs with one or two dimensions more than are padded.

    >>> import minitorch as torch
    >>> torch.nn.functional.pad(torch.arange(3).reshape(1, 3), (2, 1), "reflect")
    tensor([[2, 1, 0, 1, 2, 1]])
    """
    pads = integers(pad, "pad", "pad", 2)
    check(len(pads) % 2 == 0, "Padding length must be divisible by 2")
    if not len(pads) <= 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pads)} and input of dimension {input.ndim}"
        )
    if mode == "constant":
        return constant_pad_nd(input, pads, 0 if value is None else value)
    if text(mode, "mode", "pad") not in MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if not (value is None or value == 0):
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    spatial = len(pads) // 2
    if spatial not in (1, 2, 3) or input.ndim not in (spatial + 1, spatial + 2):
        raise NotImplementedError(f"Padding size {len(pads)} is not supported for {input.ndim}D input tensor.")
    places, kernel = MODES[mode], _KERNEL_NAMES[mode]
    if kernel:
        _check_filled(input, spatial)
    if kernel and input.array.dtype == np.bool_:
        no_kernel(f"{kernel}_pad{spatial}d", input.array)
    _check_pads(mode, input, pads)
    if min(pads) >= 0 and input.numel():
        result = op("bordered")(input, pads, mode)
    else:
        result = input
        for i in range(spatial):
            dim, (before, after) = input.ndim - 1 - i, pads[2 * i : 2 * i + 2]
            if before or after:
                rows = places(input.shape[dim], before, after)
                result = op("index_select")(result, dim, wrap(rows.astype(np.int64)).to(input.device))
        if result is input:
            result = input.clone()
    return titled(result, f"{kernel.title()}Pad{spatial}DBackward0") if kernel else result


def _check_filled(input: Tensor, spatial: int) -> None:
    counted = input.shape[1:] if input.ndim == spatial + 2 else input.shape
    if 0 in counted:
        raise RuntimeError(
            f"Expected {spatial + 1}D or {spatial + 2}D (batch mode) tensor with possibly 0 batch size and other "
            f"non-zero dimensions for input, but got: {list(input.shape)}"
        )


def _check_pads(mode: str, input: Tensor, pads: tuple[int, ...]) -> None:
    for i in range(len(pads) // 2):
        dim, (before, after) = input.ndim - 1 - i, pads[2 * i : 2 * i + 2]
        n = input.shape[dim]
        if mode == "circular":
            check(before <= n and after <= n, "Padding value causes wrapping around more than once.")
            check(n + before + after >= 0, "Negative padding value is resulting in an empty dimension")
        elif mode == "reflect":
            if not (before < n and after < n):
                raise RuntimeError(
                    f"Argument #{2 * i + 4}: Padding size should be less than the corresponding input dimension, but "
                    f"got: padding ({before}, {after}) at dimension {dim} of input {list(input.shape)}"
                )
        if mode != "circular":
            made = n + before + after
            if not made >= 1:
                raise RuntimeError(f"input ({'WHD'[i]}: {n}) is too small. Calculated output {'WHD'[i]}: {made}")
