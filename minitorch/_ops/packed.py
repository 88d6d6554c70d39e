"""Nodes whose kept tensors were handed to saved-tensor hooks.

Packing a node replaces what it keeps by what the user's pack hook returned and moves the node to a subclass of its
class, which unpacks for the length of `run`. Nodes without hooks know nothing of this.
"""

from typing import Any

from minitorch._tensor import Tensor, wrap
from minitorch.autograd.engine import without_recording
from minitorch.autograd.graph import Packed
from minitorch.autograd.node import FREED

from .nodes import FREED_VALUE, OpNode, aliased

_classes: dict[type, type] = {}


def kept_names(node: OpNode) -> list[str]:
    """The names of the tensors that a node keeps for its gradients."""
    op = node.op
    names = dict.fromkeys(k for t in op.edges for k in op.kept(t) if not op.is_plain(k))
    return [k for k in names if getattr(node, k, None) is not None]


class SavedTensor:
    """One kept tensor of a node, as `grad_fn._raw_saved_<name>` gives it."""

    def __init__(self, node: OpNode, name: str):
        self._node, self._name = node, name

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        """Keep pack_hook(tensor) instead of the tensor; unpack_hook makes a tensor of it again."""
        node, name = self._node, self._name
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError(f"register_hooks(): a hook must be callable, not {type(hook).__name__}")
        if getattr(node, name, FREED_VALUE) is FREED_VALUE:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of "
                "hooks is allowed at a time."
                if name in (node.__dict__.get("packed") or ())
                else "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of "
                "the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you "
                "need to backward through the graph a second time or if you need to access saved variables after "
                "calling backward."
            )
        pack(node, [name], pack_hook, unpack_hook)


def pack(node: OpNode, names: list[str], pack_hook: Any, unpack_hook: Any) -> None:
    """Hand these kept tensors to the hooks."""
    for name in names:
        kept = node.unpack(name)
        packed = Packed(kept if isinstance(kept, Tensor) else wrap(kept), pack_hook, unpack_hook)
        node.__dict__.setdefault("packed", {})[name] = packed
        setattr(node, name, FREED_VALUE)
    if names and not isinstance(node, _Unpacking):
        node.__class__ = _packed_class(type(node))


def _packed_class(cls: type) -> type:
    if cls not in _classes:
        _classes[cls] = type(cls.__name__, (_Unpacking, cls), {"__slots__": ()})
    return _classes[cls]


class _Unpacking:
    """What a node of any op does with packed tensors."""

    __slots__ = ()

    def run(self: Any, g: Any, heap: Any, keep: bool) -> None:
        without_recording(self._unpack_all)
        try:
            super().run(g, heap, keep)  # type: ignore[misc]
        finally:
            self._forget(keep)

    def run_tensors(self: Any, g: Any, heap: Any, keep: bool) -> None:
        self._unpack_all()
        try:
            super().run_tensors(g, heap, keep)  # type: ignore[misc]
        finally:
            self._forget(keep)

    def _unpack_all(self: Any) -> None:
        if self.packed is None:
            raise RuntimeError(FREED)
        for name, packed in self.packed.items():
            self._put(name, packed.unpack())

    def _forget(self: Any, keep: bool) -> None:
        for name in self.packed:
            setattr(self, name, FREED_VALUE)
        if not keep:
            self.packed = None

    def _put(self: Any, name: str, t: Tensor) -> None:
        """Back to where `run` looks for it, at the version it has now: nobody knows what a hook kept."""
        if name == "out":
            self.out, self.out_cell, self.out_version = t.array, t.version, t.version[0]
        elif name in self.op.outputs:
            setattr(self, name, t.array)
        else:
            setattr(self, name, t)
            setattr(self, f"{name}_version", t.version[0])

    def unpack(self: Any, name: str) -> Any:
        if getattr(self, name, None) is not FREED_VALUE or name not in (self.packed or ()):
            return super().unpack(name)  # type: ignore[misc]
        t = self.packed[name].unpack()
        if name == "out":
            return aliased(t.array, t.version, self)
        edge = getattr(self, f"{name}_edge", None)
        return t if t.edge is edge else aliased(t.array, t.version, edge)
