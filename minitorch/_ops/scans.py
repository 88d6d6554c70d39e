"""Running results along a dimension: cumsum and its kin, and what neighbours make: diff, trapezoid."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache, codegen
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import c_word, check, integer, no_kernel, wrap_dim
from .op import OPS, structured
from .public import FUNCTIONS, into, op, public
from .reductions import reduction_of, result_dtype

FLOATS = dtypes.FLOATS


class Scan:
    """The loop of a running result, compiled at its first use: see `codegen.scan`."""

    def __init__(self, name: str, params: str, init: str, step: str):
        self.formulas = name, params, init, step
        self._kernel: Any = None

    def __call__(self, arrays: tuple[np.ndarray, ...], dim: int, dtype: np.dtype, reverse: bool = False) -> np.ndarray:
        if self._kernel is None:
            self._kernel = codegen.scan(*self.formulas)
        shape = arrays[0].shape
        if shape and wrap_dim(dim, len(shape)) == len(shape) - 1:
            n, inner = shape[-1], 1
        else:
            _, n, inner = reduction_of(shape, dim, False)[2]
        out = np.empty(shape, dtype)
        if out.size:
            for a in arrays:
                if a.dtype is not dtype or not a.flags.carray:
                    arrays = tuple([np.array(a, dtype, order="C") for a in arrays])
                    break
            scratch = _UNUSED[dtype.kind] if inner == 1 else np.empty(inner, _UNUSED[dtype.kind].dtype)
            self._kernel(*arrays, n, reverse, out, scratch)
        return out


# the kernels' scratch where nothing comes after the dimension, by the kind of dtype: only its dtype is looked at
_UNUSED = {"f": np.empty(1, np.float64), "i": np.empty(1, np.int64), "u": np.empty(1, np.int64)}

SUM = Scan("sum", "x", "0", "a + x")
PROD = Scan("prod", "x", "1", "a * x")
LINEAR = Scan("linear", "x f", "0", "x + f * a")
# log(exp(a) + exp(x)); equal infinities would give nan
LOG_SUM_EXP = Scan(
    "log_sum_exp",
    "x",
    "-np.inf",
    "a if a != a else x if x != x or a == -np.inf else a if x == -np.inf or a == np.inf "
    "else maximum(a, x) + log1p(exp(-abs(a - x)))",
)


def along(name: str, dim: Any, ndim: int) -> int:
    """The dimension of a scan, counted from the front."""
    if dim.__class__ is not int:
        dim = integer(dim, "dim", name)
    return wrap_dim(dim, ndim)


# ---------------------------------------------------------------------- sums and products
def _scan_shape(name: str, input: Any, dim: Any, dtype: Any) -> tuple[tuple[int, ...], np.dtype]:
    along(name, dim, input.ndim)
    return input.shape, _scan_dtype(name, input, dim, dtype)


def _scan_dtype(name: str, input: Any, dim: Any, dtype: Any) -> np.dtype:
    """The result's dtype, with all checks but that of the dimension's range, which `Scan` makes where it is called."""
    if dim.__class__ is not int:
        integer(dim, "dim", name)
    if dtype is None and input.dtype in FLOATS:
        return input.dtype
    to = result_dtype(input, dtype)
    if to is dtypes.BOOL_NUMPY:
        along(name, dim, input.ndim)
        no_kernel(f"{name}_out_cpu", np.empty(0, to))
    return to


@structured(tensors="input", on="torch Tensor")
def cumsum(input, dim, *, dtype=None):
    return _scan_shape("cumsum", input, dim, dtype)


@cumsum.cpu
def cumsum_cpu(input, dim, dtype=None):
    return SUM((input,), dim, _scan_dtype("cumsum", input, dim, dtype))


@cumsum.grad("input")
def cumsum_grad(g, input_dtype, dim):
    return to_dtype(cumsum_from_end(g, dim), input_dtype)  # noqa: F821


@structured(tensors="input", title="Cumsum")
def cumsum_from_end(input, dim):
    return input.shape, input.dtype


@cumsum_from_end.cpu
def cumsum_from_end_cpu(input, dim):
    return SUM((input,), dim, input.dtype, True)


@cumsum_from_end.grad("input")
def cumsum_from_end_grad(g, dim):
    return cumsum(g, dim)


@structured(tensors="input", on="torch Tensor")
def cumprod(input, dim, *, dtype=None):
    return _scan_shape("cumprod", input, dim, dtype)


@cumprod.cpu
def cumprod_cpu(input, dim, dtype=None):
    return PROD((input,), dim, _scan_dtype("cumprod", input, dim, dtype))


@cumprod.grad("input")
def cumprod_grad(g, input, out, input_dtype, dim):
    """What came before, times sum over i >= k of g[i] * x[k + 1] * ... * x[i]: no division, so zeros do no harm."""
    following = shifted(to_dtype(input, g.dtype), dim, -1, 0.0)  # noqa: F821
    return to_dtype(shifted(out, dim, 1, 1.0) * linear_scan(g, following, dim, True), input_dtype)  # noqa: F821


@structured(tensors="input factor")
def linear_scan(input, factor, dim, reverse):
    return input.shape, input.dtype


@linear_scan.cpu
def linear_scan_cpu(input, factor, dim, reverse):
    """out[k] = input[k] + factor[k] * out[k - 1], or out[k + 1] in reverse."""
    return LINEAR((input, factor), dim, input.dtype, reverse)


@linear_scan.grad("input")
def linear_scan_grad_input(g, factor, dim, reverse):
    return linear_scan(g, shifted(factor, dim, 1 if reverse else -1, 0.0), dim, not reverse)


@linear_scan.grad("factor")
def linear_scan_grad_factor(g, factor, out, dim, reverse):
    reached = linear_scan(g, shifted(factor, dim, 1 if reverse else -1, 0.0), dim, not reverse)
    return reached * shifted(out, dim, -1 if reverse else 1, 0.0)


@structured(tensors="input")
def shifted(input, dim, by, fill):
    return input.shape, input.dtype


@shifted.cpu
def shifted_cpu(input, dim, by, fill):
    """The elements moved by one place, 1 or -1, along dim; `fill` where none comes from."""
    out = np.full(input.shape, fill, input.dtype)
    if input.ndim:
        lead = (slice(None),) * wrap_dim(dim, input.ndim)
        first, last = lead + (slice(1, None),), lead + (slice(None, -1),)
        out[first if by > 0 else last] = input[last if by > 0 else first]
    return out


@shifted.grad("input")
def shifted_grad(g, dim, by):
    return shifted(g, dim, -by, 0.0)


def _in_place(name: str) -> None:
    def twin(self: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
        dtype = self.dtype if dtype is None else dtypes.OF_NUMPY[dtypes.numpy_dtype(dtype)]
        if dtype is not self.dtype:
            raise RuntimeError(
                f"Bad in-place call: input tensor dtype {c_word(self.dtype)} and output tensor dtype {c_word(dtype)} "
                "should match"
            )
        if dtype is dtypes.bool and (not self.ndim or not self.numel()):  # torch's bools fail in the loop only
            along(name, dim, self.ndim)
            return FUNCTIONS["copy_"](self, op("clone")(self))
        return FUNCTIONS["copy_"](self, op(name)(self, dim, dtype=dtype))

    twin.__name__ = twin.__qualname__ = f"{name}_"
    twin.__doc__ = f"The tensor overwritten by its {name}."
    public("Tensor")(twin)


_in_place("cumsum")
_in_place("cumprod")


# ---------------------------------------------------------------------- logcumsumexp
@structured(tensors="input", on="torch Tensor")
def logcumsumexp(input, dim):
    along("logcumsumexp", dim, input.ndim)
    if input.dtype not in FLOATS:
        no_kernel("logcumsumexp_out_cpu", input)
    return input.shape, input.dtype


@logcumsumexp.cpu
def logcumsumexp_cpu(input, dim):
    logcumsumexp.infer(input, dim)
    return LOG_SUM_EXP((input,), dim, input.dtype)


@logcumsumexp.grad("input")
def logcumsumexp_grad(g, input, out, dim):
    share = exp(out - shifted(out, dim, -1, inf))  # noqa: F821 - of each sum in the next; of the last, none
    return exp(input - out) * linear_scan(g, where(out == -inf, 0.0, share), dim, True)  # noqa: F821


# ---------------------------------------------------------------------- running extremes
def _make_running_extreme(name: str, largest: bool) -> Any:
    returns = return_type(name)

    @structured(name=f"{name}_dim", tensors="input", outputs=("indices",), returns=returns, title=name.title())
    def record(input, dim):
        along(name, dim, input.ndim)
        return [(input.shape, input.dtype), (input.shape, dtypes.INT64_NUMPY)]

    @record.cpu
    def cpu(input, dim):
        along(name, dim, input.ndim)
        values, indices = np.empty(input.shape, input.dtype), np.empty(input.shape, np.int64)
        if input.size:
            x = input.reshape(reduction_of(input.shape, dim, False)[2])
            cache.load_file("cpu.scan").extremes(x, largest, values.reshape(x.shape), indices.reshape(x.shape))
        return values, indices

    @record.grad("input")
    def grad(g, indices, input_shape, dim):
        return gather_backward(g, indices, input_shape, dim)  # noqa: F821

    def function(input: Tensor, dim: int, *, out: Any = None) -> Any:
        return into(out, f"{name}_dim", OPS[f"{name}_dim"].function(input, dim))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"(values, indices) of the {'largest' if largest else 'smallest'} element so far; of ties the last."
    )
    return public("torch Tensor")(function)


cummax = _make_running_extreme("cummax", True)
cummin = _make_running_extreme("cummin", False)


# ---------------------------------------------------------------------- neighbours
@public("torch Tensor")
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None, *, out: Any = None
) -> Tensor:
    """The differences of neighbours along dim, n times; of bools where they differ.

    >>> import minitorch as torch
    >>> torch.tensor([1, 4, 9]).diff()
    tensor([3, 5])
    """
    check(input.ndim, "diff expects input to be at least one-dimensional")
    dim = wrap_dim(dim, input.ndim)
    if not n >= 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    ends = [t for t in (prepend, append) if t is not None]
    for t in ends:
        check(t.ndim == input.ndim, "diff expects prepend or append to be the same dimension as input")
        for i in range(input.ndim):
            if not (i == dim or t.shape[i] == input.shape[i]):
                raise RuntimeError(
                    "diff expects the shape of tensor to prepend or append to match that of input except along the "
                    f"differencing dimension; input.size({i}) = {input.shape[i]}, but got tensor.size({i}) = "
                    f"{t.shape[i]}"
                )
    if not n:
        return into(out, "diff", op("clone")(input))
    if ends:
        input = FUNCTIONS["cat"]([t for t in (prepend, input, append) if t is not None], dim)
    for _ in range(min(n, input.shape[dim])):
        left, right = _neighbours(input, dim)
        input = right ^ left if input.dtype is dtypes.bool else right - left
    return into(out, "diff", input)


def _neighbours(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All along dim but the last, and all but the first."""
    n = x.shape[dim]
    last = n - 1 if n else 0
    return op("slice_dim")(x, dim, 0, last, 1), op("slice_dim")(x, dim, min(n, 1), n, 1)


def _areas(name: str, y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    """The trapezoids' areas under y, each between two samples."""
    dim = wrap_dim(dim, y.ndim, scalar=False)
    for letter, t in (("y", y), ("x", x)):
        if not (t is None or t.dtype is not dtypes.bool):
            raise RuntimeError(f"{name}: received a bool input for `{letter}`, but bool is not supported")
    if x is None:
        if not (isinstance(dx, (int, float)) and not isinstance(dx, bool)):
            raise RuntimeError(f"{name}: Currently, we only support dx as a real number.")
        left, right = _neighbours(y, dim)
        return (left + right) * (dx / 2.0)
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        x = FUNCTIONS["reshape"](x, [-1 if i == dim else 1 for i in range(y.ndim)])
    elif x.ndim < y.ndim:
        x = FUNCTIONS["reshape"](x, (*(1,) * (y.ndim - x.ndim), *x.shape))
    x_left, x_right = _neighbours(x, dim)
    left, right = _neighbours(y, dim)
    return (x_right - x_left) * (left + right) / 2.0


@public("torch", "trapz", given="x")
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y over x (or over steps of dx) along dim, by the trapezoidal rule.

    >>> import minitorch as torch
    >>> torch.trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    if dim < y.ndim and y.ndim and not y.shape[dim]:
        return FUNCTIONS["sum"](y * 1.0, dim)
    return FUNCTIONS["sum"](_areas("trapezoid", y, x, 1 if dx is None else dx, dim), dim)


@public("torch", given="x")
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integrals of trapezoid up to each sample but the first."""
    return op("cumsum")(_areas("cumulative_trapezoid", y, x, 1 if dx is None else dx, dim), dim)
