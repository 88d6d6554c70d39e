"""`Tensor.grad_dtype`: a leaf may keep its gradient in another dtype than its own."""

from typing import Any

from minitorch._dtype import dtype as dtype_class
from minitorch._kernels.half import converted
from minitorch._tensor import Tensor, wrap
from minitorch.autograd import engine
from minitorch.autograd.node import AccumulateGrad

from .check import check
from .public import PROPERTIES


class ConvertingAccumulateGrad(AccumulateGrad):
    """The node of a leaf that has set `grad_dtype`."""

    __slots__ = ()

    def run(self, g: Any, heap: list[Any], keep: bool) -> None:
        t = self.receiver()
        if t is not None:
            dtype = t.grad_dtype
            self._add(t, wrap(converted(g, t.array.dtype if dtype is None else dtype.numpy)), recorded=False)

    def run_tensors(self, g: Any, heap: list[Any], keep: bool) -> None:
        t = self.receiver()
        if t is not None:
            self._add(t, g if t.grad_dtype is None else g.to(t.grad_dtype), recorded=True)

    def _add(self, t: Any, g: Any, recorded: bool) -> None:
        if t._grad is None:
            t._grad = g
        elif recorded or t._grad.edge is not None:
            t._grad = engine.add_tensors(t._grad, g)
        else:
            engine.without_recording(t._grad.add_, g)
        if self.post_hooks:
            self._run_post_hooks(t)


def grad_dtype(self: Tensor) -> dtype_class | None:
    """The dtype of a leaf's `grad`, by default the leaf's; None allows any."""
    check(self.is_leaf, "grad_dtype can only be accessed on leaf tensors.")
    return self.__dict__.get("_grad_dtype", self.dtype)


def set_grad_dtype(self: Tensor, value: Any) -> None:
    check(self.is_leaf, "grad_dtype can only be set on leaf tensors.")
    if not (value is None or isinstance(value, dtype_class)):
        raise RuntimeError(f"grad_dtype must be a torch.dtype or None, but got {type(value).__name__}")
    if self._grad is not None and value not in (None, self._grad.dtype):
        raise RuntimeError(
            f"Cannot set grad_dtype to '{value.c_name}' because there is already a gradient with dtype "
            f"'{self._grad.dtype.c_name.lower()}'. Please clear the gradient (.grad = None) before changing "
            "grad_dtype, or ensure the new grad_dtype matches the existing gradient's dtype."
        )
    self.__dict__["_grad_dtype"] = value
    if self.edge is None:  # the node that serves once this leaf requires grad
        self.retired = getattr(self, "retired", None) or AccumulateGrad(self)
    (self.edge or self.retired).__class__ = ConvertingAccumulateGrad


PROPERTIES["grad_dtype"] = property(grad_dtype, set_grad_dtype)
