"""Functions that transform functions: grad, vjp, jvp, Jacobians, vmap, and modules called as functions."""

from collections.abc import Callable
from typing import Any

from minitorch._transforms.jacobians import hessian, jacfwd, jacrev, jvp, linearize
from minitorch._transforms.reverse import grad, grad_and_value, vjp
from minitorch._transforms.stateless import functional_call, stack_module_state
from minitorch._transforms.vmap import debug_unwrap, vmap

__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "linearize", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """The module, its batch norms, in place, without running statistics: vmap refuses to update those."""
    from minitorch.nn.modules.batchnorm import _BatchNorm

    for module in root.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """Not supported: minitorch has no tracer that would need a function without in-place ops."""
    raise NotImplementedError("functionalize() is not supported by minitorch")
