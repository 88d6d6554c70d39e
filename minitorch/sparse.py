"""Same as torch.sparse: what ops declare for it, see `minitorch/_ops/sparse_ops.py`, and the constructors of old."""

import warnings
from typing import TYPE_CHECKING, Any

import minitorch as torch  # noqa: F401  # programs write torch.sparse.torch.eye(10)
from minitorch import _dtype as dtypes
from minitorch._layout import Size
from minitorch._legacy_types import tensortype
from minitorch._ops.namespaces import MODULES
from minitorch._ops.sparse import sparse_coo, sparse_coo_tensor
from minitorch._tensor import Tensor

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


class _SparseType(tensortype):
    """The type of `torch.sparse.FloatTensor`, with which programs made sparse tensors before sparse_coo_tensor."""

    is_sparse = True
    layout = sparse_coo

    def __call__(cls, *args: Any, size: Any = None, device: Any = None) -> Tensor:
        of_values = len(args) > 1 and isinstance(args[0], Tensor)
        form = "indices, values, shape"[: 24 if len(args) > 2 else 15] if of_values else "shape"
        warnings.warn(
            f"torch.sparse.SparseTensor({form}, *, device=) is deprecated.  "
            f"Please use torch.sparse_coo_tensor({form}, dtype=, device=).",
            stacklevel=2,
        )
        if of_values:
            return sparse_coo_tensor(*args, dtype=args[1].dtype, device=device)
        shape = args[0] if len(args) == 1 and isinstance(args[0], (Size, tuple)) else args or (0,)
        return sparse_coo_tensor(size=Size(shape), dtype=cls.dtype, device=device)

    def __repr__(cls) -> str:
        return f"<class 'torch.sparse.{cls.__name__}'>"


_TYPES = {f"{d.c_name}Tensor": {"dtype": d, "__module__": "torch.sparse", "__doc__": str(d)} for d in dtypes.COMMON}
_TYPES.pop("BoolTensor")
globals().update({name: _SparseType(name, (), members) for name, members in _TYPES.items()})
globals().update(MODULES["sparse"])
__all__ = sorted(MODULES["sparse"])
