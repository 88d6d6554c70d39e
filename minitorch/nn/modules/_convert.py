"""The part of Module that moves its tensors to another device or dtype."""

from collections.abc import Callable
from typing import Any, TypeVar

import minitorch
from minitorch import __future__ as future
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad
from minitorch.nn.parameter import Parameter, UninitializedTensorMixin

T = TypeVar("T", bound="Conversions")
# between these torch keeps the tensor object and changes what it holds
_DENSE_DEVICES = frozenset(("cpu", "cuda"))


class Conversions:
    """`to` and its relatives. Parameters keep their identity, so optimizers go on knowing them."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    children: Callable

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if isinstance(parameter, UninitializedTensorMixin):
                parameter.become_like(fn(parameter.stand_in()))
            elif parameter is not None:
                self._parameters[name] = _converted(parameter, fn)
        for name, buffer in self._buffers.items():
            if isinstance(buffer, UninitializedTensorMixin):
                buffer.become_like(fn(buffer.stand_in()))
            elif buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Same as torch.nn.Module.to: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`.

        Only floating point dtypes are taken; integer parameters and buffers keep theirs.

        >>> import minitorch
        >>> minitorch.nn.Linear(2, 1).to(minitorch.float64).weight.dtype
        torch.float64
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(t: Tensor) -> Tensor:
            own_dtype = dtype if t.is_floating_point() or t.is_complex() else None
            layout = {}
            if memory_format is not None and t.dim() in (4, 5):
                layout["memory_format"] = memory_format
            try:
                return t.to(device, own_dtype, non_blocking, **layout)
            except NotImplementedError as error:
                if str(error) != "Cannot copy out of meta tensor; no data!":
                    raise
                raise NotImplementedError(
                    f"{error} Please use torch.nn.Module.to_empty() instead of "
                    "torch.nn.Module.to() when moving module from meta to a different device."
                ) from None

        return self._apply(convert)

    def to_empty(self: T, *, device: Any, recurse: bool = True) -> T:
        """Same as torch.nn.Module.to_empty: to `device`, with contents undefined."""
        return self._apply(lambda t: minitorch.empty_like(t, device=device), recurse)

    def cuda(self: T, device: Any = None) -> T:
        """Same as torch.nn.Module.cuda."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self: T) -> T:
        """Same as torch.nn.Module.cpu."""
        return self._apply(lambda t: t.cpu())

    def type(self: T, dst_type: Any) -> T:
        """Same as torch.nn.Module.type: every parameter and buffer, integer ones too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self: T) -> T:
        """Same as torch.nn.Module.float."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: T) -> T:
        """Same as torch.nn.Module.double."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: T) -> T:
        """Same as torch.nn.Module.half."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self: T) -> T:
        """Same as torch.nn.Module.bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def share_memory(self: T) -> T:
        """Same as torch.nn.Module.share_memory."""
        from minitorch._sharing import share_memory

        module: Any = self
        tensors = [*module.parameters(), *module.buffers()]
        for t in tensors:
            if isinstance(t, UninitializedTensorMixin):
                t.share_memory_()  # which says why not
        share_memory(tensors)
        return self


def _converted(parameter: Parameter, fn: Callable[[Tensor], Tensor]) -> Parameter:
    """`parameter` holding what `fn` makes of it, or a new one where the device rules that out."""
    grad = parameter.grad
    with no_grad():
        new_data = fn(parameter)
    if _can_take(parameter, new_data):
        if new_data is not parameter:
            parameter.data = new_data
    else:
        parameter = Parameter(new_data, parameter.requires_grad)
    if grad is not None:
        with no_grad():
            new_grad = fn(grad)
        if parameter.grad is grad and _can_take(grad, new_grad):
            grad.data = new_grad
        else:
            parameter.grad = new_grad.requires_grad_(grad.requires_grad)
    return parameter


def _can_take(tensor: Tensor, other: Tensor) -> bool:
    """Whether a tensor stays itself and takes the other's elements."""
    if future.get_swap_module_params_on_conversion():
        return True
    if future.get_overwrite_module_params_on_conversion():
        return False
    kinds = {tensor.device.type, other.device.type}
    return len(kinds) == 1 or kinds <= _DENSE_DEVICES


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """The arguments of `to` as (device, dtype, non_blocking, memory_format)."""
    rest = list(args)
    given = dict(kwargs)
    device = dtype = None
    if rest and isinstance(rest[0], Tensor):
        given["tensor"] = rest.pop(0)
    if "tensor" in given:
        other = given.pop("tensor")
        device, dtype = other.device, other.dtype
    else:
        if rest and not isinstance(rest[0], (minitorch.dtype, bool)):
            device = rest.pop(0)
        device = given.pop("device", device)
        if rest and (rest[0] is None or isinstance(rest[0], minitorch.dtype)):
            dtype = rest.pop(0)
        dtype = given.pop("dtype", dtype)
    non_blocking = given.pop("non_blocking", rest.pop(0) if rest else False)
    memory_format = given.pop("memory_format", None)
    # Tensor.to also has `copy`; on a module it would change nothing, and torch takes it in silence
    given.pop("copy", rest.pop(0) if rest else None)
    if rest or given:
        raise TypeError(f"to() received an invalid combination of arguments: {args}, {kwargs}")
    return None if device is None else minitorch.device(device), dtype, non_blocking, memory_format
