"""What the names inside gradient functions stand for: kernels on arrays, or ops on Tensors.

A structured or view op's gradient is written once with op names. In an ordinary pass these are the CPU kernels (the
first table); under `create_graph` and on other devices they are the ops themselves (the second), so that the
gradient has a gradient.
"""

import builtins
import math
from typing import Any

import numpy as np

from minitorch._creation import zeros_like
from minitorch._kernels import scalar
from minitorch._kernels.half import converted
from minitorch._tensor import Tensor

from . import reductions, shapes, special
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES
from .public import FUNCTIONS


def inverse_order(dims: Any) -> tuple[int, ...]:
    """The permutation that undoes `dims`."""
    n = len(dims)
    return tuple(np.argsort([d % n for d in dims]).tolist())


def _tensor_keep_dims(t: Tensor, like: Tensor, dim: Any, keepdim: bool) -> Tensor:
    if keepdim:
        return t
    dims = reductions.reduced_dims(dim, like.ndim)
    return shapes.reshape(t, reductions.reduced_shape(tuple(like.shape), dims, True))


def _array_where(c: Any, x: Any, y: Any) -> Any:
    return np.where(c, x, y)


def _array_sum(a: Any, *args: Any, **kwargs: Any) -> Any:
    return reductions.sum_cpu(np.asarray(a), *args, **kwargs)  # the product of 0-dim arrays is a number


def _tensor_where(c: Any, x: Any, y: Any) -> Any:
    """`where` on Tensors; a condition on numbers alone (`exponent == 0.0`) is a bool."""
    return FUNCTIONS["where"](c, x, y) if isinstance(c, Tensor) else x if c else y


def _array_to_dtype(a: Any, dtype: Any) -> Any:
    """The array itself where it has the dtype."""
    return a if a.dtype is dtype else converted(a, dtype)


def _tensor_to_dtype(t: Tensor, dtype: Any) -> Tensor:
    """`to_dtype(x, g.dtype)`, where a Tensor's dtype is not NumPy's."""
    dtype = getattr(dtype, "numpy", dtype)
    return t if t.dtype.numpy is dtype else OPS["to_copy"].function(t, dtype)


def fill() -> None:
    """Complete both tables; called once all ops are recorded."""
    either = {
        "__builtins__": builtins,
        "__name__": None,
        "count_reduced": reductions.count_reduced,
        "inverse_order": inverse_order,
        "inf": math.inf,
        "nan": math.nan,
    }
    arrays: dict[str, Any] = {
        **{name: getattr(scalar, name) for name in vars(scalar) if not name.startswith("_")},
        "reshape": lambda a, shape: a.reshape(shape),
        "permute_dims": np.transpose,
        "keep_dims": reductions.keep_dims_array,
        "mul": np.multiply,
        "sign": np.sign,
        "zeros_like": np.zeros_like,
        "flip": OPS["flip_dims"].forward,
    }
    for name, value in {**either, **arrays}.items():
        ARRAY_NAMES.setdefault(name, value)
    ARRAY_NAMES.update(where=_array_where, expand_to=expanded_array, sum=_array_sum, to_dtype=_array_to_dtype)
    TENSOR_NAMES.update({name: op.function for name, op in OPS.items()})
    TENSOR_NAMES.update(FUNCTIONS)
    TENSOR_NAMES.update(either)
    TENSOR_NAMES.update(
        where=_tensor_where,
        to_dtype=_tensor_to_dtype,
        arcsin=OPS["asin"].function,
        arccos=OPS["acos"].function,
        arctan=OPS["atan"].function,
        arctan2=OPS["atan2"].function,
        absolute=OPS["abs"].function,
        keep_dims=_tensor_keep_dims,
        muladd=lambda x, y, z: x * y + z,
        reshape=shapes.reshape,
        clone=OPS["clone"].function,
        sum_to_size=OPS["sum_to_size"].function,
        zeros_like=zeros_like,
        sum=OPS["sum"].function,
        flip=OPS["flip_dims"].function,
        polygamma=special.polygamma_of,
    )


def expanded_array(a: np.ndarray, shape: Any) -> np.ndarray:
    """expand_to for a gradient: a dense array, since what flows back may be added to."""
    out = np.empty(shape, a.dtype)
    out[...] = a
    return out
