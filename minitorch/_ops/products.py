"""Products made of the matrix product: of vectors, of many matrices, of tensors over any dimensions."""

from math import prod
from typing import Any

import numpy as np

from minitorch._creation import ones_like
from minitorch._dtype import FLOATS
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn_once

from .check import c_name, check, cpp_name, integer, integers, no_kernel, wrap_dim, wrap_dims
from .deprecated import warn_deprecated
from .joining import tensor_list
from .linalg import matmul
from .nodes import titled
from .public import FUNCTIONS, into, op, public
from .shapes import reshape


# ---------------------------------------------------------------------- products of vectors
@public("torch Tensor")
def vdot(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """dot, which conjugates complex numbers."""
    return op("dot")(input, other, out=out)


@public("linalg")
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The dot products of the vectors along a dimension."""
    float_needed("linalg.vecdot", x)
    if x.dtype != y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of type "
            f"{c_name(x.array)} and y of type {c_name(y.array)} instead"
        )
    if x.ndim == y.ndim == 1:
        return into(out, "linalg_vecdot", op("dot")(x, y))
    return into(out, "linalg_vecdot", op("sum")(x * y, dim))


def float_needed(name: str, x: Tensor) -> None:
    """torch.linalg's error for integers."""
    if x.array.dtype not in FLOATS:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {c_name(x.array)}")


@public("torch Tensor")
def inner(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The dot products over the last dimension of both."""
    if not input.ndim or not other.ndim:
        return into(out, "inner", op("mul")(input, other))
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]), out=out)


@public("linalg")
def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Any = None) -> Tensor:
    """The cross products of the vectors of length 3 along a dimension."""
    check(input.ndim == other.ndim, "linalg.cross: inputs must have the same number of dimensions.")
    at = wrap_dim(dim, input.ndim)
    have = (input.shape[at], other.shape[at]) if input.ndim else (1, 1)
    if have != (3, 3):
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {have[0]} and {have[1]}")
    if input.dtype != other.dtype:
        if input.array.dtype == bool:
            no_kernel("cross", input.array)
        raise RuntimeError(f"expected scalar type {c_name(input.array)} but found {c_name(other.array)}")
    if input.array.dtype == np.bool_:
        no_kernel("cross", input.array)
    roll = FUNCTIONS["roll"]
    result = roll(input, -1, at) * roll(other, -2, at) - roll(input, -2, at) * roll(other, -1, at)
    return into(out, "linalg_cross", titled(result, "LinalgCrossBackward0"))


@public("torch Tensor", name="cross")
def torch_cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Any = None) -> Tensor:
    """The cross products of the vectors along a dimension: without `dim`, along the first of length 3."""
    if dim is None:
        warn_once(
            "Using torch.cross without specifying the dim arg is deprecated.\n"
            "Please either pass the dim explicitly or simply use torch.linalg.cross.\n"
            "The default value of dim will change to agree with that of linalg.cross in a future release."
        )
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        check(dim is not None, "no dimension of size 3 in input")
    return cross(input, other, dim=dim, out=out)


@public("torch Tensor")
def kron(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The Kronecker product: every element of the first times all of the second."""
    n = max(input.ndim, other.ndim)
    a, b = (1,) * (n - input.ndim) + tuple(input.shape), (1,) * (n - other.ndim) + tuple(other.shape)
    left = reshape(input, [k for m in a for k in (m, 1)])
    right = reshape(other, [k for m in b for k in (1, m)])
    if n:  # a short last dimension would be a slow loop
        left, right = (_last_two_as_one(t, a[-1], b[-1]) for t in (left, right))
    product = op("mul")(left, right)
    return into(out, "kron", reshape(product, [i * j for i, j in zip(a, b, strict=True)]))


def _last_two_as_one(t: Tensor, m: int, n: int) -> Tensor:
    """t, whose last dimensions broadcast to (m, n), with one of m * n in their place."""
    lead = tuple(t.shape[:-2])
    return reshape(op("expand_to")(t, (*lead, m, n)), *lead, m * n)


@public("torch Tensor")
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if input.array.dtype == np.bool_:
        no_kernel("trace", input.array)
    return titled(op("sum")(op("diagonal")(input)), "TraceBackward0", through=True)


@public("torch")
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements, one row each, the highest first unless `increasing`."""
    check(x.ndim == 1, "x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else integer(N, "N", "vander")
    check(n >= 0, "N must be non-negative.")
    if x.array.dtype not in FLOATS:
        x = x.long()
    result = _powers(x, n)
    return result if increasing else op("flip_dims")(result, (1,))


@public("linalg", name="vander")
def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of every element, in a new last dimension."""
    low = x.array.dtype == np.bool_ or (x.array.dtype in FLOATS and x.array.dtype.itemsize == 2)
    if low:
        raise RuntimeError(
            f"linalg.vander supports floating point, complex, and integer tensors, but got {c_name(x.array)}"
        )
    x = x if x.ndim else op("unsqueeze")(x, 0)
    n = x.shape[-1] if N is None else integer(N, "N", "linalg_vander")
    check(n > 1, "N must be greater than 1.")
    if x.array.dtype not in FLOATS:
        x = x.long()
    return _powers(x, n)


def _powers(x: Tensor, n: int) -> Tensor:
    x = op("unsqueeze")(x, -1)
    if n < 2:
        return ones_like(x)[..., :n]
    powers = FUNCTIONS["cumprod"](op("expand_to")(x, (*x.shape[:-1], n - 1)), -1)
    return FUNCTIONS["cat"]([ones_like(x), powers], -1)


@public("linalg", name="matmul")
def linalg_matmul(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Same as torch.matmul."""
    return matmul(input, other, out=out)


@public("linalg", name="diagonal")
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of a batch of matrices."""
    return op("diagonal")(A, offset, dim1, dim2)


# ---------------------------------------------------------------------- sums over any dimensions
@public("torch")
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
    """The products of two tensors summed over pairs of dimensions.

    `dims` is how many (the last of `a` with the first of `b`), or two lists that name them.

    >>> import minitorch as torch
    >>> torch.tensordot(torch.ones(2, 3, 4), torch.ones(3, 4, 5)).shape
    torch.Size([2, 5])
    """
    left, right = _contracted(a, b, dims)
    check(len(left) == len(right), "both dimension lists should have same length")
    check(a.dtype == b.dtype, "both inputs should have same dtype")
    for i, j in zip(left, right, strict=True):
        n, m = a.shape[wrap_dim(i, a.ndim)], b.shape[wrap_dim(j, b.ndim)]
        if n != m and 1 in (n, m):  # the other's sum is the product with a dimension of length 1
            a = op("sum")(a, i, True, dtype=a.dtype) if m == 1 else a
            b = b if m == 1 else op("sum")(b, j, True, dtype=b.dtype)
            continue
        if n != m:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {i} and second has size {m} in "
                f"dim {j}"
            )
    left, right = wrap_dims(left, a.ndim), wrap_dims(right, b.ndim)
    free_a = [i for i in range(a.ndim) if i not in left]
    free_b = [i for i in range(b.ndim) if i not in right]
    shape = [a.shape[i] for i in free_a] + [b.shape[i] for i in free_b]
    n, k, m = prod([a.shape[i] for i in free_a]), prod([a.shape[i] for i in left]), prod([b.shape[i] for i in free_b])
    rows = reshape(op("permute_dims")(a, (*free_a, *left)), n, k)
    columns = reshape(op("permute_dims")(b, (*right, *free_b)), k, m)
    return into(out, "tensordot", reshape(op("mm")(rows, columns), shape))


def _contracted(a: Tensor, b: Tensor, dims: Any) -> tuple[Any, Any]:
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims.numel() > 1 else int(dims.item())
    if isinstance(dims, (tuple, list)):
        left, right = dims
        return integers(left, "dims_self", "tensordot", 3), integers(right, "dims_other", "tensordot", 4)
    if not isinstance(dims, int):
        raise RuntimeError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, "
            f"but got dims={dims}"
        )
    if not dims >= 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if not dims <= min(a.ndim, b.ndim):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    return tuple(range(-dims, 0)), tuple(range(dims))


# ---------------------------------------------------------------------- products of many matrices
@public("torch")
def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of several matrices, in the cheapest order."""
    warn_deprecated("chain_matmul")
    check(matrices, "chain_matmul(): Expected one or more matrices")
    for m in matrices:
        if m.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {m.ndim}, expected 2 instead.")
    return into(out, "chain_matmul", matrices[0] if len(matrices) == 1 else multi_dot(matrices))


@public("linalg")
def multi_dot(tensors: Any, *, out: Any = None) -> Tensor:
    """The product of two or more matrices, in the cheapest order; the first and the last may be vectors."""
    ts = tensor_list("linalg_multi_dot", tensors)
    if len(ts) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(ts)}")
    first, last = ts[0].ndim, ts[-1].ndim
    if first not in (1, 2):
        raise RuntimeError(f"multi_dot(): the first tensor must be 1D or 2D but got {first}D")
    if last not in (1, 2):
        raise RuntimeError(f"multi_dot(): the last tensor must be 1D or 2D but got {last}D")
    if first == 1:
        ts[0] = op("unsqueeze")(ts[0], 0)
    if last == 1:
        ts[-1] = op("unsqueeze")(ts[-1], -1)
    for i, (t, given) in enumerate(zip(ts, tensors, strict=True)):
        if t.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {t.ndim}D")
        if t.dtype != ts[0].dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {cpp_name(ts[0].array)} and "
                f"tensor {i} {cpp_name(t.array)}"
            )
        if not (i == 0 or ts[i - 1].shape[1] == t.shape[0]):
            raise RuntimeError(
                f"multi_dot(): tensors {i - 1} and {i} with shapes {list(tensors[i - 1].shape)} and "
                f"{list(given.shape)} "
                "cannot be multiplied"
            )
    product = _in_order(ts, _cheapest_splits([t.shape[0] for t in ts] + [ts[-1].shape[1]]), 0, len(ts) - 1)
    ends = (0,) * (first == 1) + (-1,) * (last == 1)
    return into(out, "linalg_multi_dot", op("squeeze_dims")(product, ends) if ends else product)


def _cheapest_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of matrices i..j, by dynamic programming (Cormen et al., chapter 15.2)."""
    n = len(sizes) - 1
    cost: dict[tuple[int, int], int] = {(i, i): 0 for i in range(n)}
    splits = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            costs = [cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)]
            cost[i, j] = min(costs)
            splits[i, j] = i + costs.index(cost[i, j])
    return splits


def _in_order(ts: list[Tensor], splits: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return ts[i]
    k = splits[i, j]
    return op("mm")(_in_order(ts, splits, i, k), _in_order(ts, splits, k + 1, j))


# ---------------------------------------------------------------------- the layer of two inputs
@public("torch nn.functional")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of input1[..., i] * weight[k, i, j] * input2[..., j], plus bias[k]."""
    _check_bilinear(input1, input2, weight, bias)
    n, i, j = weight.shape
    lead = tuple(input1.shape[:-1])
    left = reshape(input1, prod(lead), i)
    right = reshape(input2, prod(lead), 1, j)
    by_output = reshape(op("mm")(left, reshape(op("permute_dims")(weight, (1, 0, 2)), i, n * j)), prod(lead), n, j)
    out = reshape(op("sum")(op("mul")(by_output, right), -1, dtype=input1.dtype), *lead, n)
    return out if bias is None else out + bias


def _check_bilinear(a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    given = {"input1": a, "input2": b, "weight": weight} | ({} if bias is None else {"bias": bias})
    if any(t.dtype != a.dtype for t in given.values()):
        found = ", ".join(f"{name}: {cpp_name(t.array)}" for name, t in given.items())
        raise RuntimeError(f"All tensors must have the same dtype, got {found}")
    if a.array.dtype == np.bool_:
        no_kernel("bmm", a.array)
    if a.ndim != b.ndim:
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {a.ndim} and {b.ndim}")
    given = {"input1": a, "input2": b, "weight": weight} | ({} if bias is None else {"bias": bias})
    if any(t.dtype is not a.dtype for t in given.values()):
        seen = ", ".join(f"{name}: {cpp_name(t.array)}" for name, t in given.items())
        raise RuntimeError(f"All tensors must have the same dtype, got {seen}")
    for i, (n, m) in enumerate(zip(a.shape[:-1], b.shape[:-1], strict=True)):
        if n != m:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {i}: got {n} and {m}")
    for name, t, at in (("input1", a, 1), ("input2", b, 2)):
        have, wanted = t.shape[-1], weight.shape[wrap_dim(at, weight.ndim)]
        if have != wanted:
            raise RuntimeError(f"bilinear(): {name} size does not match weight size: got {have} but expected {wanted}")
    if bias is not None:
        have, wanted = bias.shape[0], weight.shape[0]
        if have != wanted:
            raise RuntimeError(f"bilinear(): bias size does not match weight size: got {have} but expected {wanted}")
