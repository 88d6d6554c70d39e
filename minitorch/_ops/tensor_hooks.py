"""Hooks of a tensor, which see and may replace its gradient, and the gradient that a non-leaf keeps."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import ref

from minitorch._tensor import Tensor, current_edge, wrap
from minitorch.autograd.grad_mode import state
from minitorch.autograd.node import add_hook

from .public import PROPERTIES, public


@public("Tensor")
def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this non-leaf in its `grad`."""
    if self.retains_grad and self.edge is not None:
        return
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self.is_leaf:
        return
    me = ref(self)

    def keep(g: Tensor) -> None:
        t = me()
        if t is not None:
            g = g if state.grad else wrap(g.array.copy())
            t._grad = g if t._grad is None else t._grad + g

    self.__dict__["_retains"] = add_hook(self.edge, keep)


@public("Tensor")
def register_hook(self: Tensor, hook: Callable[[Tensor], Any]) -> Any:
    """Call `hook(grad)` whenever this tensor's gradient has been computed; what it returns replaces the gradient.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> (x * 2).sum().backward()
    >>> x.grad
    tensor([20., 20.])
    """
    edge = self.edge if self.base is None else current_edge(self)
    if edge is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    handle = add_hook(edge, hook)
    # what is retained is the gradient that other hooks have left; a write in place leaves it with the node before
    if self.retains_grad and self.__dict__["_retains"].id in edge.hooks:
        edge.hooks.move_to_end(self.__dict__["_retains"].id)
    return handle


@public("Tensor")
def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> Any:
    """Call `hook(tensor)` after a gradient was added to this leaf's `grad`."""
    if self.edge is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not self.edge.is_leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    from minitorch.utils.hooks import RemovableHandle

    if self.edge.post_hooks is None:
        self.edge.post_hooks = OrderedDict()
    handle = RemovableHandle(self.edge.post_hooks)
    self.edge.post_hooks[handle.id] = hook
    return handle


def _backward_hooks(self: Tensor) -> Any:
    """The hooks on this tensor's gradient by their handles' ids, as they are; None before the first."""
    edge = self.edge if self.base is None else current_edge(self)
    hooks = None if edge is None else edge.hooks
    if hooks is None or not self.retains_grad:
        return hooks
    own = self.__dict__["_retains"].id
    return OrderedDict((i, hook) for i, hook in hooks.items() if i != own) or None


def _set_backward_hooks(self: Tensor, hooks: Any) -> None:
    edge = self.edge if self.base is None else current_edge(self)
    if edge is not None:
        edge.hooks = hooks
    elif hooks:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")


def _post_accumulate_grad_hooks(self: Tensor) -> Any:
    """The hooks after accumulation in this leaf's `grad`; None before the first."""
    return getattr(self.edge, "post_hooks", None) if self.is_leaf else None


PROPERTIES["_backward_hooks"] = property(_backward_hooks, _set_backward_hooks)
PROPERTIES["_post_accumulate_grad_hooks"] = property(_post_accumulate_grad_hooks)
