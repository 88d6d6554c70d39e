"""Same as torch.nn.functional: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from typing import TYPE_CHECKING, Any

from minitorch._ops.namespaces import FUNCTIONAL

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


globals().update(FUNCTIONAL)
__all__ = sorted(FUNCTIONAL)
