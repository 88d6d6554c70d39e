"""Modules that take a size from their first input."""

import itertools
from typing import Any

from minitorch.autograd.grad_mode import no_grad
from minitorch.nn.parameter import UninitializedTensorMixin, is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Same as torch.nn.modules.lazy.LazyModuleMixin: parameters get their shapes when the first input comes.

    A lazy module derives from this and from the class that it is to become, makes UninitializedParameters, and has an
    `initialize_parameters` that takes what forward takes. After the first call it is of `cls_to_become`.

    >>> import minitorch
    >>> layer = minitorch.nn.LazyLinear(3)
    >>> _ = layer(minitorch.zeros(2, 5))
    >>> layer
    Linear(in_features=5, out_features=3, bias=True)
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)  # type: ignore[attr-defined]
        self._initialize_hook = self.register_forward_pre_hook(  # type: ignore[attr-defined]
            self._infer_parameters, with_kwargs=True
        )

    def _lazy_tensors(self: Any) -> Any:
        return itertools.chain(self._parameters.items(), self._buffers.items())

    def _save_to_state_dict(self: Any, destination: dict, prefix: str, keep_vars: bool) -> None:
        # an uninitialized tensor cannot be detached
        for name, tensor in self._persistent_state().items():
            destination[prefix + name] = tensor if is_lazy(tensor) or keep_vars else tensor.detach()

    def _lazy_load_hook(self, state_dict: dict, prefix: str, *_: Any) -> None:
        """Take the shapes of what is about to be loaded."""
        for name, tensor in self._lazy_tensors():
            loaded = state_dict.get(prefix + name)
            if isinstance(tensor, UninitializedTensorMixin) and loaded is not None and not is_lazy(loaded):
                with no_grad():
                    tensor.materialize(loaded.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give every uninitialized tensor its shape; takes what forward takes."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer waits for its shape."""
        return any(is_lazy(tensor) for _, tensor in self._lazy_tensors())

    def _infer_parameters(self: Any, module: Any, args: Any, kwargs: Any = None) -> None:
        """The hook before the first forward."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become
