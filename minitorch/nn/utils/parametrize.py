"""Parametrizations: a parameter computed from another one each time it is read.

Registering one on `module.weight` moves the parameter to `module.parametrizations.weight.original` and gives the module
a class of its own, derived from its old one, in which `weight` is a property.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad
from minitorch.nn.modules.container import ModuleDict, ModuleList
from minitorch.nn.modules.module import Module
from minitorch.nn.parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache: dict[tuple[int, str], Tensor] = {}
_cached_depth = 0


@contextmanager
def cached() -> Iterator[None]:
    """Same as torch.nn.utils.parametrize.cached: within it each parametrized tensor is computed once."""
    global _cached_depth
    _cached_depth += 1
    try:
        yield
    finally:
        _cached_depth -= 1
        if not _cached_depth:
            _cache.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _refuse_change(what: str, before: Any, after: Any) -> None:
    if before != after:
        raise ValueError(
            f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is enabled.\n"
            f"unparametrized {what}: {before}\nparametrized {what}: {after}"
        )


class ParametrizationList(ModuleList):
    """Same as torch.nn.utils.parametrize.ParametrizationList: the parametrizations of one tensor and its originals.

    Called, it gives the tensor. There are several originals where the first `right_inverse` returns several tensors.
    """

    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        inverted = self._inverted(original)
        self.is_tensor = isinstance(inverted, Tensor)
        if self.is_tensor:
            self.ntensors = 1
            _register(self, "original", self._as_original(original, inverted))
        else:
            self.ntensors = len(inverted)
            for i, part in enumerate(inverted):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(part).__name__}."
                    )
                made = Parameter(part, part.requires_grad) if isinstance(original, Parameter) else part
                made.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", made)
        if not unsafe:
            result = self()
            if not isinstance(result, Tensor):
                raise ValueError(f"A parametrization must return a tensor. Got {type(result).__name__}.")
            _refuse_change("dtype", dtype, result.dtype)
            _refuse_change("shape", shape, result.shape)

    def _inverted(self, value: Tensor) -> Any:
        """What the parametrizations make `value` of; a module without right_inverse takes it as it is."""
        found: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    break
                found = module.right_inverse(found)
        if not isinstance(found, Tensor) and not isinstance(found, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(found).__name__}"
            )
        return found

    @staticmethod
    def _as_original(original: Tensor, inverted: Tensor) -> Tensor:
        """The tensor of the user, holding the inverted numbers: optimizers that know it go on knowing it."""
        if inverted is not original:
            original.data = inverted.data
        return original

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor becomes `value`, as far as it can."""
        with no_grad():
            found: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                found = module.right_inverse(found)
            originals = (
                [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(len(found))]
            )
            for original, part in zip(originals, [found] if self.is_tensor else found, strict=True):
                if not isinstance(part, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor. Got {type(part).__name__}")
                if part.dtype != original.dtype:
                    raise ValueError(
                        f"The tensor returned by `right_inverse` has dtype {part.dtype} while `original` has dtype "
                        f"{original.dtype}"
                    )
                original.data = part.data if self.unsafe else original.data.copy_(part)

    def forward(self) -> Tensor:
        if self.is_tensor:
            x = self[0](self.original)
        else:
            x = self[0](*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for module in list(self)[1:]:
            x = module(x)
        return x


def _inject_new_class(module: Module) -> None:
    """Give the module a class of its own, so that a property on it is on no other module."""
    cls = type(module)

    def refuse_state(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    def deepcopy(self: Any, memo: dict) -> Any:
        if id(self) not in memo:
            twin = self.__new__(type(self))
            memo[id(self)] = twin
            twin.__setstate__(copy.deepcopy(Module.__getstate__(self), memo))
        return memo[id(self)]

    names: dict[str, Any] = {"__getstate__": refuse_state}
    if not hasattr(cls, "__deepcopy__"):
        names["__deepcopy__"] = deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), names)


def _inject_property(module: Module, tensor_name: str) -> None:
    def get(self: Any) -> Tensor:
        if not _cached_depth:
            return self.parametrizations[tensor_name]()
        key = (id(self), tensor_name)
        if key not in _cache:
            _cache[key] = self.parametrizations[tensor_name]()
        return _cache[key]

    def assign(self: Any, value: Tensor) -> None:
        self.parametrizations[tensor_name].right_inverse(value)

    setattr(type(module), tensor_name, property(get, assign))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Same as torch.nn.utils.parametrize.register_parametrization: `module.tensor_name` becomes parametrization(it).

    >>> import minitorch
    >>> class Symmetric(Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = register_parametrization(minitorch.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_further(getattr(module, tensor_name), parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _check_further(tensor: Tensor, parametrization: Module) -> None:
    """A parametrization after others changes neither dtype nor shape, and nor does its inverse."""
    result = parametrization(tensor)
    if not isinstance(result, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(result).__name__}.")
    for what in ("dtype", "shape"):
        before, after = getattr(tensor, what), getattr(result, what)
        if before != after:
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless the `unsafe` flag is "
                f"enabled.\nmodule.weight.{what}: {before}\nparametrization(module.weight).{what}: {after}"
            )
    if hasattr(parametrization, "right_inverse"):
        back = parametrization.right_inverse(result)
        if not isinstance(back, Tensor):
            raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
        for what in ("dtype", "shape"):
            before, after = getattr(tensor, what), getattr(back, what)
            if before != after:
                raise ValueError(
                    f"The tensor returned by parametrization.right_inverse must have the same {what} as "
                    "module.weight, unless the `unsafe` flag is enabled.\n"
                    f"module.weight.{what}: {before}\nreturned {what}: {after}"
                )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Same as torch.nn.utils.parametrize.is_parametrized: whether the module, or its tensor, is."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Same as torch.nn.utils.parametrize.remove_parametrizations: the tensor is a plain parameter or buffer again.

    It keeps the parametrized numbers, or with leave_parametrized=False the original ones.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach().clone()
    else:
        if not leave_parametrized:
            raise ValueError(
                "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
                "sequence of tensors."
            )
        tensor = getattr(module, tensor_name)
        original = Parameter(tensor.detach()) if tensor.requires_grad else tensor
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Same as torch.nn.utils.parametrize.type_before_parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Same as torch.nn.utils.parametrize.transfer_parametrizations_and_params: to_module gets them and originals."""
    if not is_parametrized(from_module):
        return to_module
    for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        for key, value in source._parameters.items():
            to_module.parametrizations[name]._parameters[key] = value
    return to_module
