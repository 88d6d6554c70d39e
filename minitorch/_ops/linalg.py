"""Matrix products: BLAS through NumPy, or plain loops where the call would cost more than the arithmetic."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu.loops import for_contiguous
from minitorch._kernels.cpu.products import dot
from minitorch._kernels.cpu.products import matmul as array_matmul
from minitorch._tensor import Tensor

from .check import c_name, check, check_inplace_shape, cpp_name, no_kernel, wrap_dim
from .nodes import titled
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, structured
from .operands import tensors_only
from .public import FUNCTIONS, not_tensors, op, public
from .reductions import SUM
from .shapes import reshape

empty = np.empty
FEW = 64  # rows that are added up in their own dtype: about as exact as torch's sum
TINY = 2048  # multiply-adds up to which a compiled loop is faster than the way to BLAS


class _SmallKernels:
    """The kernels of `_kernels/cpu/linear.py`, each loaded by its first call."""

    linear: Callable[..., None]
    rows_times_matrix: Callable[..., None]
    columns_times_matrix: Callable[..., None]
    column_sums: Callable[..., None]
    squared_error: Callable[..., None]
    squared_error_gradient: Callable[..., None]

    def __init__(self) -> None:
        for name in self.__annotations__:
            setattr(self, name, partial(self._first_call, name))

    def _first_call(self, name: str, *args: Any) -> None:
        kernel = getattr(cache.load_file("cpu.linear"), name)

        def through_copies(*args: Any) -> Any:
            return kernel(*[contiguous(a) if isinstance(a, np.ndarray) and a.ndim else a for a in args])

        kernel = for_contiguous(kernel, through_copies)
        setattr(self, name, kernel)
        kernel(*args)


small = _SmallKernels()


def product_shape(mat1: tuple[int, int], mat2: tuple[int, int]) -> tuple[int, int]:
    """The shape of the product of matrices of these shapes, with torch's error for those that do not fit."""
    (n, k), (k2, m) = mat1, mat2
    if k != k2:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({n}x{k} and {k2}x{m})")
    return n, m


def same_dtypes_to_add(input: Any, mat1: Any, mat2: Any) -> None:
    """A product that is added to `input` promotes nothing either, and torch looks at `input` first."""
    for a, name in ((input, "self"), (mat1, "mat1")):
        if a.dtype != mat2.dtype:
            raise RuntimeError(f"{name} and mat2 must have the same dtype, but got {c_name(a)} and {c_name(mat2)}")


def same_dtype(name: str, a: Any, b: Any) -> None:
    """Products do not promote, and take no bools."""
    if a.dtype == np.bool_ and (a.dtype == b.dtype or name == "bmm") and a.size and b.size:
        no_kernel({"mm": "addmm_impl_cpu_", "mv": "addmv_impl_cpu"}.get(name, name), a)
    if a.dtype != b.dtype and name == "bmm" and a.dtype == np.bool_:
        no_kernel("bmm", a)
    if a.dtype != b.dtype and name == "mv":
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {c_name(b)}, {c_name(a)}, and {c_name(b)}"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {cpp_name(a)} != {cpp_name(b)}"
            if name == "mm"
            else f"expected scalar type {c_name(a)} but found {c_name(b)}"
        )


# ---------------------------------------------------------------------- products of arrays, as gradients name them
def product_nn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b."""
    m, dtype = b.shape[1], a.dtype
    if a.size * m > TINY or dtype.kind != "f":
        return dot(a, b)
    d = empty((a.shape[0], m), dtype)
    small.rows_times_matrix(a, b, d)
    return d


def product_tn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a.T @ b."""
    m, dtype = b.shape[1], a.dtype
    if a.size * m > TINY or dtype.kind != "f":
        return dot(a.T, b)
    d = empty((a.shape[1], m), dtype)
    small.columns_times_matrix(a, b, d)
    return d


def column_sums(g: np.ndarray) -> np.ndarray:
    """The sum over rows; of more than a few in float64, as `sum` adds."""
    if len(g) > FEW:
        return SUM(g, 0, False)
    d = empty(g.shape[1], g.dtype)
    small.column_sums(g, d)
    return d


ARRAY_NAMES.update(
    product_nn=product_nn,
    product_tn=product_tn,
    column_sums=column_sums,
    product_nt=lambda a, b: dot(a, b.T),
    batch=array_matmul,
    matmul=array_matmul,
    swap=lambda a: a.swapaxes(-1, -2),
)
TENSOR_NAMES.update(
    product_nn=lambda a, b: op("mm")(a, b),
    product_tn=lambda a, b: op("mm")(op("t")(a), b),
    product_nt=lambda a, b: op("mm")(a, op("t")(b)),
    column_sums=lambda g: op("sum")(g, 0),
    batch=lambda a, b: op("bmm")(a, b),
    swap=lambda a: op("transpose")(a, -1, -2),
)


# ---------------------------------------------------------------------- matrix times matrix
@structured(tensors="input mat2", on="torch Tensor")
def mm(input, mat2):
    check(input.ndim == 2, "self must be a matrix")
    check(mat2.ndim == 2, "mat2 must be a matrix")
    shape = product_shape(input.shape, mat2.shape)
    same_dtype("mm", input, mat2)
    return shape, input.dtype


@mm.cpu
def mm_cpu(input, mat2):
    fits = input.ndim == mat2.ndim == 2 and input.shape[1] == mat2.shape[0]
    if not fits or input.dtype is not mat2.dtype or input.dtype not in FLOATS:
        mm.infer(input, mat2)
    return dot(input, mat2)


@mm.grad("input")
def mm_grad_input(g, mat2):
    return product_nt(g, mat2)  # noqa: F821


@mm.grad("mat2")
def mm_grad_mat2(g, input):
    return product_tn(input, g)


@structured(tensors="input mat2", on="torch Tensor")
def bmm(input, mat2):
    check(input.ndim == 3, "batch1 must be a 3D tensor")
    check(mat2.ndim == 3, "batch2 must be a 3D tensor")
    (b, n, k), (b2, k2, m) = input.shape, mat2.shape
    if not (b == b2 and k == k2):
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{b}, {k}] but got: [{b2}, {k2}]."
        )
    same_dtype("bmm", input, mat2)
    return (b, n, m), input.dtype


@bmm.cpu
def bmm_cpu(input, mat2):
    bmm.infer(input, mat2)
    return array_matmul(input, mat2)


@bmm.grad("input")
def bmm_grad_input(g, mat2):
    return batch(g, swap(mat2))  # noqa: F821


@bmm.grad("mat2")
def bmm_grad_mat2(g, input):
    return batch(swap(input), g)  # noqa: F821


@structured(tensors="input vec", on="torch Tensor")
def mv(input, vec):
    if not (input.ndim == 2 and vec.ndim == 1):
        wrap_dim(0, input.ndim, scalar=False)
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x{input.shape[1]}), vec "
            f"({vec.shape[0]})"
        )
    same_dtype("mv", input, vec)
    return (input.shape[0],), input.dtype


@mv.cpu
def mv_cpu(input, vec):
    mv.infer(input, vec)
    return dot(input, vec)


@mv.grad("input")
def mv_grad_input(g, vec):
    return outer(g, vec)  # noqa: F821


@mv.grad("vec")
def mv_grad_vec(g, input):
    return mv(t(input), g)  # noqa: F821


@structured(name="dot", title="Dot", tensors="input tensor", on="torch Tensor")
def dot_product(input, tensor):
    if not (input.ndim == 1 and tensor.ndim == 1):
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.dtype != tensor.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {c_name(input)} and {c_name(tensor)}"
        )
    if input.shape != tensor.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{input.shape[0]}] and src [{tensor.shape[0]}] to have the "
            f"same number of elements, but got {input.shape[0]} and {tensor.shape[0]} elements respectively"
        )
    if input.dtype == np.bool_:
        no_kernel("dot", input)
    return (), input.dtype


@dot_product.cpu
def dot_cpu(input, tensor):
    alike = input.ndim == tensor.ndim == 1 and input.shape == tensor.shape and input.dtype is tensor.dtype
    if not alike or input.dtype == np.bool_:
        dot_product.infer(input, tensor)
    return np.asarray(dot(input, tensor))


@dot_product.grad("input")
def dot_grad_input(g, tensor):
    return mul(g, tensor)  # noqa: F821


@dot_product.grad("tensor")
def dot_grad_tensor(g, input):
    return mul(g, input)  # noqa: F821


@public("torch Tensor", bare=True)
def matmul(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The product of vectors, matrices or batches of matrices.

    >>> import minitorch as torch
    >>> torch.matmul(torch.ones(2, 3), torch.ones(3))
    tensor([3., 3.])
    """
    try:
        result = _matmul(input, other)
    except AttributeError:
        tensors_only("matmul", input=input, other=other)
        raise
    if out is None:
        return result
    from .inplace import into

    vectors = input.ndim == 1, other.ndim == 1
    return into(out, OPS["dot" if all(vectors) else "mv" if vectors[1] else "mm"], result)


def _matmul(x: Tensor, y: Tensor) -> Tensor:
    a, b = x.array, y.array
    if a.ndim == 2 and b.ndim == 2:
        return op("mm")(x, y)
    if not (a.ndim and b.ndim):
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D")
    if a.ndim == 1 and b.ndim == 1:
        return op("dot")(x, y)
    if a.ndim == 2 and b.ndim == 1:
        return op("mv")(x, y)
    if a.ndim == 1:
        return op("squeeze_dims")(_matmul(op("unsqueeze")(x, 0), y), (-2,))
    if b.ndim == 1:
        return op("squeeze_dims")(_matmul(x, op("unsqueeze")(y, 1)), (-1,))
    if b.ndim == 2:  # a batch of rows for one matrix: one large product
        folded = op("mm")(reshape(x, -1, a.shape[-1]) if a.size else x.view(prod(a.shape[:-1]), a.shape[-1]), y)
        return titled(op("view_as_shape")(folded, (*a.shape[:-1], b.shape[1])), "UnsafeViewBackward0")
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        from .check import broadcast_error

        raise broadcast_error([a.shape[:-2], b.shape[:-2]]) from None
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{prod(lead)}, {a.shape[-1]}] "
            "but got: "
            f"[{prod(lead)}, {b.shape[-2]}]."
        )
    count = prod(lead)
    left = op("expand_to")(x, (*lead, *a.shape[-2:])).reshape(count, *a.shape[-2:])
    right = op("expand_to")(y, (*lead, *b.shape[-2:])).reshape(count, *b.shape[-2:])
    made = op("view_as_shape")(op("bmm")(left, right), (*lead, a.shape[-2], b.shape[-1]))
    return titled(made, "UnsafeViewBackward0")


@public("Tensor")
def __matmul__(self: Tensor, other: Any) -> Any:
    return matmul(self, other) if isinstance(other, Tensor) else NotImplemented


@public("Tensor")
def __rmatmul__(self: Tensor, other: Any) -> Any:
    return matmul(other, self) if isinstance(other, Tensor) else NotImplemented


# ---------------------------------------------------------------------- the layer
@structured(name="linear_2d", title="Addmm", tensors="input weight bias")
def linear_2d(input, weight, bias):
    same_dtypes_to_add(bias, input, weight)
    n, m = product_shape(input.shape, weight.shape[::-1])
    same_dtype("mm", input, weight)
    OPS["expand_to"].forward(bias, (n, m))  # its checks
    return (n, m), input.dtype


@linear_2d.cpu
def linear_cpu(input, weight, bias):
    (n, k), (m, k2), dtype = input.shape, weight.shape, input.dtype
    usual = k == k2 and bias.shape == (m,) and dtype is weight.dtype is bias.dtype
    if not usual:
        linear_2d.infer(input, weight, bias)
    elif n * k * m <= TINY and dtype.kind == "f":
        o = empty((n, m), dtype)
        small.linear(input, weight, bias, o)
        return o
    elif dtype.kind == "b":
        linear_2d.infer(input, weight, bias)
    return dot(input, weight.T, bias)


@linear_2d.grad("input")
def linear_grad_input(g, weight):
    return product_nn(g, weight)


@linear_2d.grad("weight")
def linear_grad_weight(g, input):
    return product_tn(g, input)


@linear_2d.grad("bias")
def linear_grad_bias(g, bias_shape):
    return column_sums(g) if bias_shape == (g.shape[1],) else sum_to_size(g, bias_shape)  # noqa: F821


@public("nn.functional", bare=True)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias."""
    try:
        a, w = input.array, weight.array
    except AttributeError:
        return not_tensors(linear, "linear", TypeError, {"input": input, "weight": weight}, bias)
    if a.ndim == 2 and w.ndim == 2:
        return op("mm")(input, op("t")(weight)) if bias is None else FUNCTIONS["linear_2d"](input, weight, bias)
    if not a.ndim:
        raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are {a.ndim}D and {w.ndim}D")
    if w.ndim == 1:
        check(bias is None or (a.ndim != 2 and not bias.ndim), "mat2 must be a matrix, got 1-D tensor")
        out = matmul(input, weight)
        return out if bias is None else out + bias
    if w.ndim != 2:
        raise RuntimeError(f"linear(): weight must be 1-D or 2-D, got {list(w.shape)}")
    if bias is not None:
        tensors_only("linear", 3, bias=bias)
        if bias.ndim != 1 and not (bias.ndim == 2 and 1 in bias.array.shape):
            product = matmul(input, op("t")(weight))
            check_inplace_shape([product.array.shape, bias.array.shape])
            return op("add")(product, bias)
    flat = reshape(input, -1, a.shape[-1]) if a.size else op("view_as_shape")(input, (prod(a.shape[:-1]), a.shape[-1]))
    shape = (*a.shape[:-1], w.shape[0])
    if bias is None:
        return titled(op("view_as_shape")(op("mm")(flat, op("t")(weight)), shape), "UnsafeViewBackward0")
    return op("view_as_shape")(FUNCTIONS["linear_2d"](flat, weight, bias), shape)
