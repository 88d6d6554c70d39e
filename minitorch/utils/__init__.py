"""Same paths as torch.utils."""

import weakref
from typing import Any

from minitorch._tensor import Tensor
from minitorch.autograd.node import AccumulateGrad
from minitorch.utils import hooks

_SUBMODULES = ["benchmark", "checkpoint", "collect_env", "data", "dlpack", "model_zoo", "serialization", "tensorboard"]
__all__ = [*_SUBMODULES, "hooks", "swap_tensors"]


def __getattr__(name: str) -> Any:
    """Submodules are imported when first named."""
    if name in _SUBMODULES or name == "_pytree":
        import importlib

        return importlib.import_module(f"minitorch.utils.{name}")
    raise AttributeError(f"module 'minitorch.utils' has no attribute {name!r}")


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Same as torch.utils.swap_tensors: both objects stay, and each becomes what the other was, class and all.

    RuntimeError if either has a weak reference.

    >>> import minitorch as torch
    >>> x, y = torch.zeros(2), torch.nn.Parameter(torch.ones(1))
    >>> swap_tensors(x, y)
    >>> x, y
    (Parameter containing:
    tensor([1.], requires_grad=True), tensor([0., 0.]))
    """
    for name, t in (("t1", t1), ("t2", t2)):
        own = t.edge.tensor if isinstance(t.edge, AccumulateGrad) else None
        if any(found is not own for found in weakref.getweakrefs(t)):
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    for slot in Tensor.__slots__:
        if slot != "__weakref__":
            first, second = getattr(t1, slot, _EMPTY), getattr(t2, slot, _EMPTY)
            _fill(t1, slot, second)
            _fill(t2, slot, first)
    for t in (t1, t2):
        if isinstance(t.edge, AccumulateGrad):
            t.edge.tensor = weakref.ref(t)


_EMPTY = object()


def _fill(t: Tensor, slot: str, content: Any) -> None:
    if content is not _EMPTY:
        setattr(t, slot, content)
    elif hasattr(t, slot):
        delattr(t, slot)
