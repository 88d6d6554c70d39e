"""Same as torch.special: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from typing import TYPE_CHECKING, Any

from minitorch._ops.namespaces import MODULES

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


globals().update(MODULES["special"])
__all__ = sorted(MODULES["special"])
