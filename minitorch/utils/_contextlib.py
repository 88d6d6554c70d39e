"""Where programs find the base of context managers that are decorators."""

from minitorch.autograd.grad_mode import _DecoratorContextManager

__all__ = ["_DecoratorContextManager"]
