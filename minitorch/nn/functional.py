"""Same as torch.nn.functional: the names that ops declare for it, see `minitorch/_ops/namespaces.py`."""

from minitorch._ops.namespaces import FUNCTIONAL

globals().update(FUNCTIONAL)
__all__ = sorted(FUNCTIONAL)
