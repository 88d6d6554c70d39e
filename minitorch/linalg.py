"""Same as torch.linalg: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from minitorch._ops.matrices import LinAlgError
from minitorch._ops.namespaces import MODULES as _MODULES

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Any: ...


globals().update(_MODULES["linalg"])
__all__ = ["LinAlgError", *sorted(_MODULES["linalg"])]
