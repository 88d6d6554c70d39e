"""Same as torch.linalg: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from typing import TYPE_CHECKING, Any

from minitorch._ops.matrices import LinAlgError
from minitorch._ops.namespaces import MODULES

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


globals().update(MODULES["linalg"])
__all__ = ["LinAlgError", *sorted(MODULES["linalg"])]
