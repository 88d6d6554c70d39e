"""Softmax and log-softmax."""

from typing import Any

import numpy as np

from minitorch._tensor import Tensor

from .check import float_required, wrap_dim
from .op import structured
from .public import PUBLIC, op
from .reductions import AMAX, SUM

empty = np.empty


@structured(name="softmax_dim", title="Softmax", tensors="input")
def softmax_dim(input, dim):
    wrap_dim(dim, input.ndim)
    float_required("softmax_lastdim_kernel_impl", input)
    return input.shape, input.dtype


def _shifted(input: np.ndarray, dim: int) -> np.ndarray:
    """input less its maximum along dim, so that exp does not overflow."""
    return input - AMAX(input, (wrap_dim(dim, input.ndim),), True)


@softmax_dim.cpu
def softmax_cpu(input, dim):
    softmax_dim.infer(input, dim)
    if not input.size or not input.ndim:
        return np.ones_like(input)
    with np.errstate(all="ignore"):
        e = _shifted(input, dim)
        np.exp(e, e)
        e /= SUM(e, (wrap_dim(dim, input.ndim),), True)
    return e


@softmax_dim.grad("input")
def softmax_grad(g, out, dim):
    return (g - sum(mul(g, out), dim, True)) * out  # noqa: F821


@structured(name="log_softmax_dim", title="LogSoftmax", tensors="input")
def log_softmax_dim(input, dim):
    wrap_dim(dim, input.ndim)
    float_required("log_softmax_lastdim_kernel_impl", input)
    return input.shape, input.dtype


@log_softmax_dim.cpu
def log_softmax_cpu(input, dim):
    log_softmax_dim.infer(input, dim)
    if not input.size or not input.ndim:
        return np.zeros_like(input)
    with np.errstate(all="ignore"):
        x = _shifted(input, dim)
        x -= np.log(SUM(np.exp(x), (wrap_dim(dim, input.ndim),), True))
    return x


@log_softmax_dim.grad("input")
def log_softmax_grad(g, out, dim):
    return g - exp(out) * sum(g, dim, True)  # noqa: F821


def _in_dtype(input: Tensor, dtype: Any) -> Tensor:
    return input if dtype is None else input.to(dtype)


def _softmax_default_dim(name: str, ndim: int) -> int:
    import warnings

    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=4,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _softmax_functions(name: str) -> None:
    def on_torch(input: Tensor, dim: int, dtype: Any = None, *, out: Any = None) -> Tensor:
        result = op(f"{name}_dim")(_in_dtype(input, dtype), dim)
        if out is None:
            return result
        from .inplace import into
        from .op import OPS

        return into(out, OPS[f"{name}_dim"], result)

    def functional(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
        if dim is None:
            dim = _softmax_default_dim(name, input.ndim)
        return op(f"{name}_dim")(_in_dtype(input, dtype), dim)

    for function in (on_torch, functional):
        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"Same as torch.nn.functional.{name}."
    PUBLIC[name] = on_torch, ["torch", "Tensor"]
    PUBLIC[f"functional.{name}"] = functional, ["nn.functional"]


_softmax_functions("softmax")
_softmax_functions("log_softmax")
