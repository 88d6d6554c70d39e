"""Clipping gradients."""

import math
import types
import warnings
from typing import Any

import numpy as np

import minitorch
from minitorch._data import tensor
from minitorch._ops.norms import LOOPS
from minitorch._tensor import Tensor, wrap
from minitorch.autograd.grad_mode import no_grad

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _gradients(parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    is_generator = isinstance(parameters, types.GeneratorType)
    parameters = list(parameters)
    if is_generator and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    return [p.grad for p in parameters if p.grad is not None]


def _arrays(tensors: list[Tensor]) -> list[Any] | None:
    """The arrays of tensors of one dtype in this process's memory, to be computed with at once; else None."""
    arrays = [t.array for t in tensors]
    dtype = arrays[0].dtype if arrays else None
    if all(a.__class__ is np.ndarray and a.dtype is dtype and a.size and a.flags.writeable for a in arrays):
        return arrays if dtype in (np.float32, np.float64) else None
    return None


@no_grad()
def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """Same as torch.nn.utils.get_total_norm: the norm of all tensors as if they were one vector.

    >>> import minitorch
    >>> get_total_norm([minitorch.ones(2), minitorch.ones(2)])
    tensor(2.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return tensor(0.0)
    arrays = _arrays(tensors)
    if arrays is not None and norm_type in LOOPS:
        loop = LOOPS[norm_type].of_floats
        each, result = np.empty(len(arrays), arrays[0].dtype), np.empty((), arrays[0].dtype)
        for i, a in enumerate(arrays):
            loop(a, result)
            each[i] = result
        loop(each, result)
        total = wrap(result)
    else:
        device = tensors[0].device
        norms = [minitorch.linalg.vector_norm(t, norm_type).to(device) for t in tensors]
        total = minitorch.linalg.vector_norm(minitorch.stack(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def _scale(gradients: list[Tensor], max_norm: float, total_norm: Tensor) -> None:
    # not "if total_norm > max_norm": on a GPU the question would wait for the answer
    factor = minitorch.clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
    arrays = _arrays([*gradients, factor])
    if arrays is not None:
        number = arrays.pop()
        for g, a in zip(gradients, arrays, strict=True):
            np.multiply(a, number, a)
            g.version[0] += 1
        return
    for g in gradients:
        g.mul_(factor.to(g.device))


@no_grad()
def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Same as torch.nn.utils.clip_grads_with_norm_: scale gradients of a known norm down to max_norm, in place."""
    _scale(_gradients(parameters), max_norm, total_norm)


@no_grad()
def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Same as torch.nn.utils.clip_grad_norm_: scale the gradients in place so that their norm is at most max_norm.

    Returns the norm before. RuntimeError with error_if_nonfinite if that is infinite or nan.

    >>> import minitorch
    >>> x = minitorch.zeros(4, requires_grad=True)
    >>> x.sum().backward()
    >>> clip_grad_norm_(x, 1.0), x.grad
    (tensor(2.), tensor([0.5000, 0.5000, 0.5000, 0.5000]))
    """
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite, foreach)
    _scale(gradients, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The deprecated name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Same as torch.nn.utils.clip_grad_value_: clamp every gradient between -clip_value and clip_value, in place."""
    clip_value = float(clip_value)
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    for g in [p.grad for p in parameters if p.grad is not None]:
        g.clamp_(-clip_value, clip_value)
