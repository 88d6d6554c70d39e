"""Sums of a tensor and a product: addmm, addmv, baddbmm, addbmm, addr; and outer, the product of two vectors."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS, HALVES
from minitorch._kernels.cpu import products
from minitorch._kernels.half import rounded, widened
from minitorch._kernels.silence import silent
from minitorch._tensor import Tensor

from .arithmetic import write_result
from .check import c_name, check, cpp_name, no_kernel, wrap_dim
from .linalg import bmm, mm, mv, same_dtypes_to_add
from .number_first import in_new_order
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import common_dtype, number_argument, tensors_only
from .public import FUNCTIONS, into, op, public
from .views import expand_to


@silent
def _sum_of(name: str, input: Any, product: np.ndarray, beta: Any, alpha: Any) -> np.ndarray:
    beta, alpha = number_argument(name, "beta", None, beta), number_argument(name, "alpha", None, alpha)
    if product.dtype not in FLOATS:
        alpha, beta = int(alpha), int(beta)  # as torch does
    if alpha != 1:
        product = product * product.dtype.type(alpha)
    if beta == 0:  # then nan in the input do not count
        return np.asarray(product)
    return np.asarray(np.add(input if beta == 1 else input * input.dtype.type(beta), product))


def _expanded_shape(input: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if input.shape != shape:
        expand_to.forward(input, shape)  # type: ignore[misc]  # for its errors
    return shape


def _scaled(x: Any, alpha: Any) -> Any:
    return x if alpha == 1 else x * alpha


ARRAY_NAMES["scaled"] = TENSOR_NAMES["scaled"] = _scaled


@structured(tensors="input mat1 mat2", on="torch Tensor")
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    if mat1.ndim != 2:
        raise RuntimeError(f"mat1 must be a matrix, got {mat1.ndim}-D tensor")
    if mat2.ndim != 2:
        raise RuntimeError(f"mat2 must be a matrix, got {mat2.ndim}-D tensor")
    same_dtypes_to_add(input, mat1, mat2)
    shape, dtype = mm.infer(mat1, mat2)
    return _expanded_shape(input, shape), dtype


@addmm.cpu
def addmm_cpu(input, mat1, mat2, beta=1, alpha=1):
    addmm.infer(input, mat1, mat2)
    return _sum_of("addmm", input, products.dot(mat1, mat2), beta, alpha)


@structured(tensors="input mat vec", on="torch Tensor")
def addmv(input, mat, vec, *, beta=1, alpha=1):
    if not (mat.ndim == 2 and vec.ndim == 1 and input.ndim <= 1):
        raise RuntimeError(f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}")
    n, k = mat.shape
    if not (k == vec.size and input.size in (1, n)):
        raise RuntimeError(f"size mismatch, got input ({input.size}), mat ({n}x{k}), vec ({vec.size})")
    if not input.dtype == mat.dtype == vec.dtype:
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {c_name(input)}, {c_name(mat)}, and {c_name(vec)}"
        )
    return mv.infer(mat, vec)


@addmv.cpu
def addmv_cpu(input, mat, vec, beta=1, alpha=1):
    addmv.infer(input, mat, vec)
    return _sum_of("addmv", input, products.dot(mat, vec), beta, alpha)


@structured(tensors="input batch1 batch2", on="torch Tensor")
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    wrap_dim(0, batch1.ndim, scalar=False)
    check(batch1.ndim == 3, "batch1 must be a 3D tensor")
    wrap_dim(2, batch2.ndim)
    if input.dtype != batch1.dtype:
        names = [cpp_name(a) for a in (input, batch1, batch2)]
        raise RuntimeError("Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}".format(*names))
    if input.dtype == np.bool_:
        no_kernel("baddbmm", input)
    shape, dtype = bmm.infer(batch1, batch2)
    return _expanded_shape(input, shape), dtype


@baddbmm.cpu
def baddbmm_cpu(input, batch1, batch2, beta=1, alpha=1):
    baddbmm.infer(input, batch1, batch2)
    return _sum_of("baddbmm", input, products.matmul(batch1, batch2), beta, alpha)


@structured(tensors="input batch1 batch2", on="torch Tensor", halves="own")
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    wrap_dim(1, batch1.ndim, scalar=False)
    check(batch1.ndim == 3, "batch1 must be a 3D tensor")
    wrap_dim(2, batch2.ndim)
    check(batch2.ndim == 3, "batch2 must be a 3D tensor")
    (b, n, k), (b2, k2, m) = batch1.shape, batch2.shape
    if b != b2:
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {b} and {b2}")
    if k != k2:
        raise RuntimeError(f"Incompatible matrix sizes for bmm ({n}x{k} and {k2}x{m})")
    _expanded_shape(input, (n, m))
    same_dtypes_to_add(input, batch1, batch2)
    if input.dtype == np.bool_:
        no_kernel("addmm_impl_cpu_", input)
    return (n, m), input.dtype


@addbmm.cpu
def addbmm_cpu(input, batch1, batch2, beta=1, alpha=1):
    (n, m), dtype = addbmm.infer(input, batch1, batch2)
    if dtype in HALVES:  # torch adds one product after the other, and rounds each sum
        total = widened(input)
        for a, b in zip(widened(batch1), widened(batch2), strict=True):
            total, beta = widened(rounded(_sum_of("addbmm", total, products.dot(a, b), beta, alpha), dtype)), 1
        return _sum_of("addbmm", total, np.zeros((n, m), np.float32), beta, alpha)
    rows = batch1.transpose(1, 0, 2).reshape(n, -1) if batch1.size else np.zeros((n, 0), batch1.dtype)
    columns = batch2.reshape(-1, m) if rows.shape[1] else np.zeros((0, m), batch2.dtype)
    return _sum_of("addbmm", input, products.dot(rows, columns), beta, alpha)


@addmm.grad("input")
@addmv.grad("input")
@baddbmm.grad("input")
@addbmm.grad("input")
def addmm_grad_input(g, input_shape, beta):
    return scaled(sum_to_size(g, input_shape), beta)  # noqa: F821


@addmm.grad("mat1")
def addmm_grad_mat1(g, mat2, alpha):
    return scaled(product_nt(g, mat2), alpha)  # noqa: F821


@addmm.grad("mat2")
def addmm_grad_mat2(g, mat1, alpha):
    return scaled(product_tn(mat1, g), alpha)  # noqa: F821


@addmv.grad("mat")
def addmv_grad_mat(g, vec, alpha):
    return scaled(outer(g, vec), alpha)  # noqa: F821


@addmv.grad("vec")
def addmv_grad_vec(g, mat, alpha):
    return scaled(mv(t(mat), g), alpha)  # noqa: F821


@baddbmm.grad("batch1")
def baddbmm_grad_batch1(g, batch2, alpha):
    return scaled(batch(g, swap(batch2)), alpha)  # noqa: F821


@baddbmm.grad("batch2")
def baddbmm_grad_batch2(g, batch1, alpha):
    return scaled(batch(swap(batch1), g), alpha)  # noqa: F821


@addbmm.grad("batch1")
def addbmm_grad_batch1(g, batch1_shape, batch2, alpha):
    return scaled(batch(expand_to(g, (batch1_shape[0], *g.shape)), swap(batch2)), alpha)  # noqa: F821


@addbmm.grad("batch2")
def addbmm_grad_batch2(g, batch1, batch2_shape, alpha):
    return scaled(batch(swap(batch1), expand_to(g, (batch2_shape[0], *g.shape))), alpha)  # noqa: F821


@public("torch Tensor", "ger")
def outer(input: Tensor, vec2: Tensor, *, out: Any = None) -> Tensor:
    """The product of every element of one vector with every element of the other."""
    if input.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument self, but got {input.ndim}-D")
    if vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected 1-D argument vec2, but got {vec2.ndim}-D")
    return into(out, "outer", op("mul")(op("unsqueeze")(input, 1), vec2))


ARRAY_NAMES["outer"] = np.outer


@public("torch Tensor")
def addr(input: Any, vec1: Any, vec2: Any, *old: Any, beta: Any = 1, alpha: Any = 1, out: Any = None) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2), in the dtype that the three have in common."""
    if old:
        return in_new_order("addr", (input, vec1, vec2, *old), out=out)
    tensors_only("addr", input=input, vec1=vec1, vec2=vec2)
    if vec1.ndim != 1:
        raise RuntimeError(f"addr: Expected 1-D argument vec1, but got {vec1.ndim}-D")
    if vec2.ndim != 1:
        raise RuntimeError(f"addr: Expected 1-D argument vec2, but got {vec2.ndim}-D")
    dtype = common_dtype([input.array, vec1.array, vec2.array])
    for name, number in (("beta", beta), ("alpha", alpha)):
        if dtype not in FLOATS:
            if isinstance(number, float):
                raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
        if dtype != np.bool_:
            if isinstance(number, bool):
                raise RuntimeError(f"Boolean {name} only supported for Boolean results.")
    input = op("expand_to")(input, (*vec1.shape, *vec2.shape))
    product = FUNCTIONS["outer"](vec1, vec2)
    if dtype == np.bool_:
        product, kept = product & bool(alpha), input & bool(beta)
        return into(out, "addr", product | kept if beta else product)
    product = _scaled(product, alpha)
    result = product.to(dtypes.OF_NUMPY[dtype]) if beta == 0 else op("add")(_scaled(input, beta), product)
    return into(out, "addr", result)


def _bad_inplace(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    have, made = list(x.shape), list(shape)
    if not (name != "addr" or x.ndim == 2):
        raise RuntimeError(f"2D tensor expected, got {x.ndim}D tensor for input")
    if have != made:
        raise RuntimeError(f"Bad in-place call: input tensor size {have} and output tensor size {made} should match")


def _make_inplace(name: str, first: str, second: str) -> None:
    def twin(self, a, b, *old, beta=1, alpha=1):
        if old:
            return in_new_order(f"{name}_", (self, a, b, *old))
        if not isinstance(a, Tensor) or not isinstance(b, Tensor):
            tensors_only(f"{name}_", **{first: a, second: b})
        if name == "addmm" and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
            _bad_inplace(name, self, (a.shape[0], b.shape[1]))
        result = FUNCTIONS[name](self, a, b, beta=beta, alpha=alpha)
        _bad_inplace(name, self, result.shape)
        return write_result(self, result)

    code = twin.__code__
    words = ("self", first, second, *code.co_varnames[3:])  # which callers may use
    twin.__code__ = code.replace(co_name=name + "_", co_varnames=words)
    twin.__name__ = twin.__qualname__ = name + "_"
    twin.__doc__ = f"In-place form of {name}."
    public("torch Tensor" if name == "addmv" else "Tensor")(twin)


_make_inplace("addmm", "mat1", "mat2")
_make_inplace("addmv", "mat", "vec")
_make_inplace("addr", "vec1", "vec2")
_make_inplace("baddbmm", "batch1", "batch2")
_make_inplace("addbmm", "batch1", "batch2")
