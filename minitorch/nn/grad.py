"""Same as torch.nn.grad: the gradients of convolutions by themselves, for sizes and cotangents that are given."""

from collections.abc import Callable
from typing import Any

from minitorch._creation import zeros
from minitorch._tensor import Tensor
from minitorch.autograd import grad
from minitorch.autograd.grad_mode import enable_grad
from minitorch.nn import functional as F


def _make(dims: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    convolution = getattr(F, f"conv{dims}d")

    def of_input(
        input_size: Any,
        weight: Tensor,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        options = stride, padding, dilation, groups
        return _gradient(lambda x: convolution(x, weight.detach(), None, *options), input_size, grad_output)

    def of_weight(
        input: Tensor,
        weight_size: Any,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        options = stride, padding, dilation, groups
        return _gradient(lambda w: convolution(input.detach(), w, None, *options), weight_size, grad_output)

    of_input.__doc__ = f"The gradient of conv{dims}d for an input of `input_size`."
    of_weight.__doc__ = f"The gradient of conv{dims}d for a weight of `weight_size`."
    for name, function in (("input", of_input), ("weight", of_weight)):
        function.__name__ = function.__qualname__ = f"conv{dims}d_{name}"
    return of_input, of_weight


def _gradient(function: Callable[[Tensor], Tensor], size: Any, cotangent: Tensor) -> Tensor:
    """The gradient of a function that is linear in a tensor of this size."""
    with enable_grad():
        x = zeros(size, dtype=cotangent.dtype, requires_grad=True)
        return grad(function(x), x, cotangent)[0]


conv1d_input, conv1d_weight = _make(1)
conv2d_input, conv2d_weight = _make(2)
conv3d_input, conv3d_weight = _make(3)
