"""Tensors as Python objects: given another class, copied by `copy.deepcopy`, pickled."""

from copy import deepcopy
from typing import Any

from minitorch._storage import copy_with_storage, kept, restored
from minitorch._tensor import Tensor, new, wrap

from .op import OPS
from .public import public


@public("Tensor")
def as_subclass(self: Tensor, cls: type) -> Any:
    """The same memory as an instance of `cls`, in the same graph."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise RuntimeError("as_subclass(): cls must be a subclass of Tensor")
    return with_class(self if self.edge is None else OPS["alias"].function(self), cls)


def with_class(t: Tensor, cls: type) -> Any:
    """A copy of this object, as an instance of `cls`; a leaf that requires grad becomes a view of itself."""
    source = t
    if t.edge is not None and t.edge.is_leaf:
        source = OPS["alias"].function(t)
    made: Any = new(cls)
    for name in ("array", "version", "edge", "base", "created", "view_version"):
        if hasattr(source, name):
            setattr(made, name, getattr(source, name))
    made._grad = None
    return made


@public("Tensor")
def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment.  If you were attempting to deepcopy a module, this may be because of a "
            "torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]
    t = Tensor._make_subclass(type(self), wrap(copy_with_storage(self.array, memo)), self.requires_grad)
    memo[id(self)] = t
    t._grad = deepcopy(self._grad, memo)
    t.__dict__.update(deepcopy(self.__dict__, memo))
    return t


@public("Tensor")
def __reduce_ex__(self: Tensor, protocol: Any) -> Any:
    return _rebuild, (type(self), kept(self.array), self.requires_grad, self.__dict__)


def _rebuild(cls: type, array: Any, requires_grad: bool, attributes: dict[str, Any]) -> Any:
    t = Tensor._make_subclass(cls, wrap(restored(array)), requires_grad)
    t.__dict__.update(attributes)
    return t
