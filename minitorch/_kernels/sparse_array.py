"""What a sparse tensor has where a dense one has its array: a shape and a dtype, and no memory."""

from math import prod
from typing import Any

import numpy as np

from minitorch._device import device

CPU = device("cpu")


class SparseArray:
    """Shape and dtype of a sparse tensor. Whatever else of an array is asked for is not implemented."""

    __slots__ = ("dtype", "shape")
    device = CPU

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape, self.dtype = shape, dtype

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: prod(self.shape))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("indexing is not supported for sparse tensors")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(f"this operation is not supported for sparse tensors (it needs an array's {name})")
