"""Dropout and its relatives: random masks, drawn as torch draws them.

Formulas: Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html; alpha dropout, which keeps mean and
variance of SELU's outputs: Klambauer et al., https://arxiv.org/abs/1706.02515.
"""

from math import sqrt
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn
from minitorch.autograd.grad_mode import NO_GRAD, state

from .check import check
from .public import PUBLIC, public
from .sampling import draw

ndarray = np.ndarray

# -scale * alpha of SELU: what a dropped unit becomes
ALPHA = 1.7580993408473766


def _dropped(input: Tensor, p: float, train: bool, feature: bool, alpha: bool, inplace: bool) -> Tensor:
    """With probability p each element (with `feature`: each channel) becomes 0, or with `alpha` SELU's lower limit."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")
    if p == 0 or not train or not input.numel():
        return input
    if p == 1:
        zero = input.new_zeros(())
        return input.mul_(zero) if inplace else input * zero
    a = input.array
    plain = a.__class__ is ndarray and a.flags.c_contiguous and a.dtype in FLOATS
    if plain and not (feature or alpha) and state.mode in (None, NO_GRAD):
        kind = a.dtype.type
        kept = draw("bernoulli", np.empty(a.shape, a.dtype), None, (1 - p, kind(1) / kind(1 - p)))
        return input.mul_(wrap(kept)) if inplace else input * wrap(kept)
    noise = _noise(input, feature)
    noise.bernoulli_(1 - p)
    if not alpha:
        noise.div_(1 - p)
        return input.mul_(noise) if inplace else input * noise
    scale = 1.0 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    shift = noise.add(-1).mul_(ALPHA * scale).add_(ALPHA * scale * p)
    noise.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def _noise(input: Tensor, feature: bool) -> Tensor:
    from minitorch._creation import empty_like

    if not feature:
        return empty_like(input.detach())
    check(input.ndim >= 2, "Feature dropout requires at least 2 dimensions in the input")
    return input.new_empty((*input.shape[:2], *[1] * (input.ndim - 2)))


# ---------------------------------------------------------------------- torch.dropout and its kin
@public("torch")
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and the mask of what is kept; without `train` given it drops."""
    from minitorch._creation import ones_like

    if p == 0 or train is False or not input.numel():
        return input.clone(), ones_like(input, dtype=dtypes.bool)
    kept = _noise(input, False).bernoulli_(1 - p)
    return input * (kept / (1 - p) if p != 1 else kept), kept.bool()


def _in_torch(name: str, feature: bool, alpha: bool) -> None:
    def run(input: Tensor, p: float, train: bool) -> Tensor:
        return _dropped(input, p, train, feature, alpha, False)

    def run_in_place(input: Tensor, p: float, train: bool) -> Tensor:
        return _dropped(input, p, train, feature, alpha, True)

    for function, suffix, what in ((run, "", "a copy"), (run_in_place, "_", "in place")):
        function.__name__ = function.__qualname__ = name + suffix
        function.__doc__ = f"torch.nn.functional's {name} of the same name, {what}, with every argument given."
        PUBLIC[f"torch.{name}{suffix}"] = function, ["torch"]


_in_torch("dropout", False, False)
_in_torch("feature_dropout", True, False)
_in_torch("alpha_dropout", False, True)
_in_torch("feature_alpha_dropout", True, True)


# ---------------------------------------------------------------------- torch.nn.functional
def _check_probability(p: Any) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


@public("nn.functional")
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element becomes 0 with probability p, the others are divided by 1 - p; nothing happens unless training.

    >>> import minitorch as torch
    >>> torch.nn.functional.dropout(torch.ones(2), 0.5, training=False)
    tensor([1., 1.])
    """
    _check_probability(p)
    return _dropped(input, p, training, False, False, inplace)


@public("nn.functional")
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout to SELU's lower limit, scaled and shifted so that mean and variance stay."""
    _check_probability(p)
    return _dropped(input, p, training, False, True, inplace)


@public("nn.functional")
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels (dimension 1)."""
    _check_probability(p)
    return _dropped(input, p, training, True, True, inplace)


@public("nn.functional")
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (N, C, L) or (C, L) become 0 with probability p."""
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that dropout1d exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channels(input, p, training, inplace, batched=input.ndim == 3)


@public("nn.functional")
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels (dimension 1) of (N, C, H, W) become 0 with probability p."""
    _check_probability(p)
    if input.ndim not in (3, 4):
        _warn_dimensions("dropout2d", input.ndim, 2, "3D or 4D")
    if input.ndim == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a "
            "future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
            UserWarning,
        )
    return _channels(input, p, training, inplace, batched=True)


@public("nn.functional")
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels of (N, C, D, H, W) or (C, D, H, W) become 0 with probability p."""
    _check_probability(p)
    if input.ndim not in (4, 5):
        _warn_dimensions("dropout3d", input.ndim, 3, "4D or 5D")
    return _channels(input, p, training, inplace, batched=input.ndim == 5)


def _warn_dimensions(name: str, ndim: int, spatial: int, wanted: str) -> None:
    warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
        "release. To retain the behavior and silence this warning, please use dropout instead. Note that "
        f"{name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a channel "
        f"dimension, and an optional batch dimension (i.e. {wanted} inputs).",
        UserWarning,
    )


def _channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if batched:
        return _dropped(input, p, training, True, False, inplace)
    wide = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _dropped(wide, p, training, True, False, inplace)
    return result.squeeze_(0) if inplace else result.squeeze(0)
