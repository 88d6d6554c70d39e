"""Activations."""

from typing import Any, ClassVar

import minitorch
from minitorch._tensor import Tensor
from minitorch.nn import functional as F

from .module import Module

__all__ = ["LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Softmax2d", "Tanh"]


class ReLU(Module):
    """Same as torch.nn.ReLU.

    >>> import minitorch
    >>> ReLU()(minitorch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    __constants__: ClassVar[list[str]] = ["inplace"]
    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, inplace=self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """Same as torch.nn.Sigmoid.

    >>> import minitorch
    >>> Sigmoid()(minitorch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return minitorch.sigmoid(input)


class Tanh(Module):
    """Same as torch.nn.Tanh.

    >>> import minitorch
    >>> Tanh()(minitorch.zeros(2))
    tensor([0., 0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return minitorch.tanh(input)


class _Softmax(Module):
    __constants__: ClassVar[list[str]] = ["dim"]
    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # pickles older than the argument lack it
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_Softmax):
    """Same as torch.nn.Softmax.

    >>> import minitorch
    >>> Softmax(dim=0)(minitorch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_Softmax):
    """Same as torch.nn.LogSoftmax.

    >>> import minitorch
    >>> LogSoftmax(dim=0)(minitorch.zeros(2))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """Same as torch.nn.Softmax2d: softmax over the channels of (N, C, H, W) or (C, H, W).

    >>> import minitorch
    >>> Softmax2d()(minitorch.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
