"""Functions that transform functions: grad, vjp, jvp, Jacobians, vmap, and modules called as functions."""

from collections.abc import Callable
from typing import Any

from minitorch._transforms.jacobians import hessian, jacfwd, jacrev, jvp, linearize
from minitorch._transforms.reverse import grad, grad_and_value, vjp
from minitorch._transforms.stateless import functional_call, stack_module_state
from minitorch._transforms.vmap import debug_unwrap, vmap

__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "linearize", "stack_module_state", "vjp", "vmap",
]  # fmt: skip


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Not supported: minitorch has no tracer that would need a function without in-place ops."""
    raise NotImplementedError("functionalize() is not supported by minitorch")
