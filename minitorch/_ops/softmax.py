"""Softmax and log-softmax."""

import functools
from math import prod
from types import FunctionType
from typing import Any

import numpy as np

from minitorch._creation import FACTORIES, zeros_like
from minitorch._dtype import FLOATS, bfloat16, dtype, float16, float32
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu.loops import LARGE
from minitorch._kernels.cpu.shared import Rows
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn

from .check import C_NAMES, missing_argument, no_kernel, type_name, wrap_dim
from .gradient_kernels import by_kernel
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, structured
from .public import PUBLIC, op, public

# over so many elements threads may share the rows
SHARED = {
    name: Rows("softmax", name, params, params)
    for name, params in {
        "softmax": "x dest", "softmax_gradient": "g out dest",
        "log_softmax": "x dest", "log_softmax_gradient": "g out dest",
    }.items()
}  # fmt: skip

empty = np.empty
empty_like = FACTORIES["empty_like"]


def _checked_dim(name: str, input: Any, dim: int) -> int:
    """The dimension from the front; integers are refused, by the name that torch's kernel for it has."""
    dim = wrap_dim(dim, input.ndim)
    if input.dtype not in FLOATS and input.size:
        no_kernel(f"{name}_lastdim_kernel_impl" if dim >= input.ndim - 1 else f"{name}_kernel_impl", input)
    return dim


@structured(name="softmax_dim", title="Softmax", tensors="input")
def softmax_dim(input, dim):
    _checked_dim("softmax", input, dim)
    return input.shape, input.dtype


def kernels() -> Any:
    """The compiled loops."""
    return cache.load_file("cpu.softmax")


@functools.cache
def _loop(name: str) -> Any:
    return getattr(kernels(), name)


def _along(name: str, dim: int, first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The kernel `name` along `dim`, counted from the front: over rows if it is the last, else over columns."""
    shape = first.shape
    dest = empty(shape, first.dtype)
    if dim < len(shape) - 1:
        three = prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :])
        scratch = empty((2, kernels().LANES), dest.dtype)
        _loop(f"{name}_columns")(*_reshaped((first, *others, dest), three), scratch)
        return dest
    kernel = SHARED[name] if dest.size >= LARGE else _loop(name)
    if dim == 1 and not others and first.flags.c_contiguous:  # the same in less time
        kernel(first, dest)
    else:
        kernel(*_reshaped((first, *others, dest), (-1, shape[-1])))
    return dest


def _reshaped(arrays: tuple[np.ndarray, ...], shape: tuple[int, ...]) -> list[np.ndarray]:
    return [contiguous(a).reshape(shape) for a in arrays]


def _gradient_by_rows(name: str, formula: Any) -> None:
    """The gradient `name`(g, out, dim): a compiled loop, in ops where there is nothing to loop over."""

    def on_arrays(g: np.ndarray, out: np.ndarray, dim: int) -> np.ndarray:
        if not out.size or not out.ndim or g.dtype is not out.dtype:
            return of_arrays(g, out, dim)
        return _along(name, wrap_dim(dim, out.ndim), g, out)

    of_arrays = FunctionType(formula.__code__, ARRAY_NAMES)
    ARRAY_NAMES[name] = on_arrays
    TENSOR_NAMES[name] = by_kernel(name, FunctionType(formula.__code__, TENSOR_NAMES))


@softmax_dim.cpu
def softmax_cpu(input, dim):
    dim = _checked_dim("softmax", input, dim)
    if not input.size or not input.ndim:
        return np.ones_like(input)
    return _along("softmax", dim, input)


@softmax_dim.grad("input")
def softmax_grad(g, out, dim):
    return softmax_gradient(g, out, dim)  # noqa: F821


def _softmax_formula(g, out, dim):
    return (g - sum(mul(g, out), dim, True)) * out  # noqa: F821


_gradient_by_rows("softmax_gradient", _softmax_formula)


@structured(tensors="input")
def causal_softmax(input):
    return input.shape, input.dtype


@causal_softmax.cpu
def causal_softmax_cpu(input):
    """Softmax of the rows of matrices, where row i has only its elements up to i, and zeros after them."""
    if not input.size:
        return np.zeros_like(input)
    dest, rows = empty(input.shape, input.dtype), (-1, input.shape[-1])
    kernels().causal_softmax(*_reshaped((input, dest), rows), input.shape[-2])
    return dest


@causal_softmax.grad("input")
def causal_softmax_grad(g, out):
    return softmax_gradient(g, out, -1)  # noqa: F821


@structured(name="log_softmax_dim", title="LogSoftmax", tensors="input")
def log_softmax_dim(input, dim):
    _checked_dim("log_softmax", input, dim)
    return input.shape, input.dtype


@log_softmax_dim.cpu
def log_softmax_cpu(input, dim):
    dim = _checked_dim("log_softmax", input, dim)
    if not input.size or not input.ndim:
        return np.zeros_like(input)
    return _along("log_softmax", dim, input)


@log_softmax_dim.grad("input")
def log_softmax_grad(g, out, dim):
    return log_softmax_gradient(g, out, dim)  # noqa: F821


def _log_softmax_formula(g, out, dim):
    return g - exp(out) * sum(g, dim, True)  # noqa: F821


_gradient_by_rows("log_softmax_gradient", _log_softmax_formula)


@public("torch")
def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: dtype) -> Tensor:
    """The gradient of softmax by its input, from that by its output and the output."""
    return _backward_data("softmax", grad_output, output, dim, input_dtype)


@public("torch")
def _log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: dtype) -> Tensor:
    """The gradient of log_softmax by its input, from that by its output and the output."""
    return _backward_data("log_softmax", grad_output, output, dim, input_dtype)


def _backward_data(name: str, g: Tensor, out: Tensor, dim: int, input_dtype: dtype) -> Tensor:
    if not g.is_floating_point():
        no_kernel(f"{name}_backward_lastdim_kernel_impl", g.array)
    if out.dtype is not g.dtype:
        raise RuntimeError(f"expected scalar type {C_NAMES[g.dtype.name]} but found {C_NAMES[out.dtype.name]}")
    if g.shape != out.shape:
        raise RuntimeError(
            "Expected tensor for argument #1 'grad' to have same size as tensor for argument #2 'output'; but "
            f"{list(g.shape)} does not equal {list(out.shape)} (while checking arguments for {name}_backward)"
        )
    wrap_dim(dim, g.ndim)
    if input_dtype is not g.dtype and input_dtype in (float16, bfloat16):
        wanted, found = (C_NAMES[d.name] for d in (g.dtype, input_dtype))
        raise RuntimeError(f"expected scalar type {wanted} but found {found}")
    if not isinstance(input_dtype, dtype):
        raise TypeError(
            f"_{name}_backward_data(): argument 'input_dtype' must be torch.dtype, not {type_name(input_dtype)}"
        )
    wide = float32 if g.dtype in (float16, bfloat16) else g.dtype
    return TENSOR_NAMES[f"{name}_gradient"](g.to(wide), out.to(wide), dim).to(g.dtype)


def _in_dtype(input: Tensor, dtype: Any) -> Tensor:
    return input.to(dtype=dtype) if dtype is not None and isinstance(input, Tensor) else input


def _softmax_default_dim(name: str, ndim: int) -> int:
    warn(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.")
    return 0 if ndim in (0, 1, 3) else 1


def _softmax_functions(name: str) -> None:
    record = OPS[f"{name}_dim"]

    def on_torch(input: Tensor, dim: Any = None, dtype: Any = None, *, out: Any = None, axis: Any = None) -> Tensor:
        if dim is None:
            dim = missing_argument(name, "dim") if axis is None else axis
        result = record.function(input if dtype is None else _in_dtype(input, dtype), dim)
        if out is None:
            return result
        from .inplace import into

        return into(out, record, result)

    def functional(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
        if dim is None:
            dim = _softmax_default_dim(name, input.ndim)
        return record.function(input if dtype is None else _in_dtype(input, dtype), dim)

    for function in (on_torch, functional):
        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"Same as torch.nn.functional.{name}."
    PUBLIC[name] = on_torch, ["torch", "Tensor"]
    PUBLIC[f"functional.{name}"] = functional, ["nn.functional"]


_softmax_functions("softmax")
_softmax_functions("log_softmax")


@public("nn.functional")
def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax of -input."""
    if dim is None:
        dim = _softmax_default_dim("softmin", input.ndim)
    return op("softmax_dim")(_in_dtype(-input, dtype), dim)


@public("nn.functional")
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + Gumbel noise) / tau); with hard one-hot, with the gradient of the soft values."""
    if eps != 1e-10:
        warn("`eps` parameter is deprecated and has no effect.")
    noise = -empty_like(logits).exponential_().log()
    soft = op("softmax_dim")((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.argmax(dim, True)
    return zeros_like(logits).scatter_(dim, index, 1.0) - soft.detach() + soft
