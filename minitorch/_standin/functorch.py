"""What `import functorch` finds: torch.func under its first name, and modules split from their state."""

import copy
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import minitorch
from minitorch import nn

__version__ = minitorch.__version__
_Tensors = tuple[Any, ...]


def _deprecated(name: str, new: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            "We've integrated functorch into PyTorch. As the final step of the integration, "
            f"`functorch.{name}` is deprecated as of PyTorch 2.0 and will be deleted in a future version of PyTorch "
            f">= 2.3. Please use `{new}` instead; see the PyTorch 2.0 release notes and/or the `torch.func` migration "
            "guide for more details https://pytorch.org/docs/main/func.migrating.html",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    return call


class FunctionalModuleWithBuffers(nn.Module):
    """A module as a function of its parameters and buffers."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.stateless_model = module
        self.param_names = tuple(name for name, _ in module.named_parameters())
        self.buffer_names = tuple(name for name, _ in module.named_buffers())

    def forward(self, params: Sequence[Any], buffers: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """module(*args, **kwargs) with these parameters and buffers, in the order of their names."""
        given = dict(zip(self.param_names, params)) | dict(zip(self.buffer_names, buffers))
        return minitorch.func.functional_call(self.stateless_model, given, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """A module without buffers as a function of its parameters."""

    def forward(self, params: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """module(*args, **kwargs) with these parameters, in the order of their names."""
        return super().forward(params, (), *args, **kwargs)


def _split(kind: type, model: nn.Module, disable_autograd_tracking: bool) -> tuple[Any, _Tensors, _Tensors]:
    module = copy.deepcopy(model)
    params = tuple(module.parameters())
    if disable_autograd_tracking:
        for param in params:
            param.requires_grad_(False)
    return kind(module), params, tuple(module.buffers())


def _make_functional(model: nn.Module, disable_autograd_tracking: bool = False) -> tuple[FunctionalModule, _Tensors]:
    """The function of a module without buffers, and the module's parameters."""
    if any(True for _ in model.buffers()):
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use make_functional_with_buffers(model) instead."
        )
    return _split(FunctionalModule, model, disable_autograd_tracking)[:2]


def _make_functional_with_buffers(
    model: nn.Module, disable_autograd_tracking: bool = False
) -> tuple[FunctionalModuleWithBuffers, _Tensors, _Tensors]:
    """The function of a module, and the module's parameters and buffers."""
    return _split(FunctionalModuleWithBuffers, model, disable_autograd_tracking)


def _combine_state_for_ensemble(models: list[nn.Module]) -> tuple[FunctionalModuleWithBuffers, _Tensors, _Tensors]:
    """The function of modules of one class, and their parameters and buffers stacked, for vmap."""
    params, buffers = minitorch.func.stack_module_state(models)
    return FunctionalModuleWithBuffers(copy.deepcopy(models[0])), tuple(params.values()), tuple(buffers.values())


_SAME = "functionalize grad grad_and_value hessian jacfwd jacrev jvp vjp".split()
globals().update({name: _deprecated(name, f"torch.func.{name}", getattr(minitorch.func, name)) for name in _SAME})
vmap = _deprecated("vmap", "torch.vmap", minitorch.func.vmap)
make_functional = _deprecated("make_functional", "torch.func.functional_call", _make_functional)
make_functional_with_buffers = _deprecated(
    "make_functional_with_buffers", "torch.func.functional_call", _make_functional_with_buffers
)
combine_state_for_ensemble = _deprecated(
    "combine_state_for_ensemble", "torch.func.stack_module_state", _combine_state_for_ensemble
)
