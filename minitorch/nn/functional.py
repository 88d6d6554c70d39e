"""Same as torch.nn.functional: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from minitorch._ops.namespaces import FUNCTIONAL as _FUNCTIONAL
from minitorch.nn import _reduction as _Reduction  # noqa: F401

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Any: ...


globals().update(_FUNCTIONAL)
__all__ = sorted(_FUNCTIONAL)
