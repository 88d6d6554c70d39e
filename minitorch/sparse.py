"""Same as torch.sparse: the names that ops declare for it, see `minitorch/_ops/sparse_ops.py`."""

from typing import TYPE_CHECKING, Any

from minitorch._ops.namespaces import MODULES

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


globals().update(MODULES["sparse"])
__all__ = sorted(MODULES["sparse"])
