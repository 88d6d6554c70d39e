"""Padding."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor
from minitorch.nn import functional as F
from minitorch.utils._own_names import own_names, subclasses_own_names

from .module import Module
from .utils import _ntuple

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


@subclasses_own_names("__init__")
class _PadNd(Module):
    """Padding of the last `_sides / 2` dimensions, last dimension first, in one mode of `functional.pad`."""

    __constants__: ClassVar[list[str]] = ["padding"]
    _sides: ClassVar[int]
    _mode: ClassVar[str]
    padding: Any

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(self._sides, "padding")(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


@subclasses_own_names("__init__")
class _ConstantPadNd(_PadNd):
    __constants__: ClassVar[list[str]] = ["padding", "value"]
    _mode = "constant"
    value: float

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


@subclasses_own_names("__init__")
class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        n = self._sides // 2
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


@own_names("forward")
class _ReflectionPadNd(_PadNd):
    _mode = "reflect"


@own_names("forward")
class _ReplicationPadNd(_PadNd):
    _mode = "replicate"


class CircularPad1d(_CircularPadNd):
    """Same as torch.nn.CircularPad1d: pads with what lies at the other end."""

    _sides = 2


class CircularPad2d(_CircularPadNd):
    """Same as torch.nn.CircularPad2d: pads with what lies at the other end."""

    _sides = 4


class CircularPad3d(_CircularPadNd):
    """Same as torch.nn.CircularPad3d: pads with what lies at the other end."""

    _sides = 6


class ConstantPad1d(_ConstantPadNd):
    """Same as torch.nn.ConstantPad1d: pads with `value`."""

    _sides = 2


class ConstantPad2d(_ConstantPadNd):
    """Same as torch.nn.ConstantPad2d: pads with `value`."""

    _sides = 4


class ConstantPad3d(_ConstantPadNd):
    """Same as torch.nn.ConstantPad3d: pads with `value`."""

    _sides = 6


class ZeroPad1d(_ZeroPadNd, ConstantPad1d):
    """Same as torch.nn.ZeroPad1d: pads with zeros."""

    _sides = 2


class ZeroPad2d(_ZeroPadNd, ConstantPad2d):
    """Same as torch.nn.ZeroPad2d: pads with zeros."""

    _sides = 4


class ZeroPad3d(_ZeroPadNd, ConstantPad3d):
    """Same as torch.nn.ZeroPad3d: pads with zeros."""

    _sides = 6


class ReflectionPad1d(_ReflectionPadNd):
    """Same as torch.nn.ReflectionPad1d: pads with the mirror image, the edge not repeated."""

    _sides = 2


class ReflectionPad2d(_ReflectionPadNd):
    """Same as torch.nn.ReflectionPad2d: pads with the mirror image, the edge not repeated."""

    _sides = 4


class ReflectionPad3d(_ReflectionPadNd):
    """Same as torch.nn.ReflectionPad3d: pads with the mirror image, the edge not repeated."""

    _sides = 6


class ReplicationPad1d(_ReplicationPadNd):
    """Same as torch.nn.ReplicationPad1d: pads with the value at the edge."""

    _sides = 2


class ReplicationPad2d(_ReplicationPadNd):
    """Same as torch.nn.ReplicationPad2d: pads with the value at the edge."""

    _sides = 4


class ReplicationPad3d(_ReplicationPadNd):
    """Same as torch.nn.ReplicationPad3d: pads with the value at the edge."""

    _sides = 6
