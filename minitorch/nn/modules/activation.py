"""Activations."""

import warnings
from typing import Any, ClassVar

import minitorch
from minitorch._creation import empty
from minitorch._tensor import Tensor
from minitorch.nn import functional as F
from minitorch.nn import init
from minitorch.nn.parameter import Parameter
from minitorch.utils._own_names import subclasses_own_names

from .module import Module
from .multihead_attention import MultiheadAttention

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "MultiheadAttention",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class _InPlace(Module):
    """Activations that may overwrite their input; `extra_repr` shows `_shown`, and inplace where it is set."""

    _shown: ClassVar[tuple[str, ...]] = ()
    inplace: bool

    def extra_repr(self) -> str:
        parts = [f"{name}={getattr(self, name)}" for name in self._shown]
        return ", ".join(parts + ["inplace=True"] * self.inplace)


@subclasses_own_names("__init__", "forward")
class _Plain(_InPlace):
    """Activations without other options; `_function` computes."""

    __constants__: ClassVar[list[str]] = ["inplace"]
    _function: ClassVar[Any]

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, inplace=self.inplace)


class Threshold(_InPlace):
    """Same as torch.nn.Threshold: x where x > threshold, else value.

    >>> import minitorch
    >>> Threshold(0.5, 9.0)(minitorch.tensor([0.0, 1.0]))
    tensor([9., 1.])
    """

    __constants__: ClassVar[list[str]] = ["threshold", "value", "inplace"]
    _shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)


class ReLU(_Plain):
    """Same as torch.nn.ReLU.

    >>> import minitorch
    >>> ReLU()(minitorch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    _function = staticmethod(F.relu)


class RReLU(_InPlace):
    """Same as torch.nn.RReLU: leaky, with slopes drawn between lower and upper while training."""

    __constants__: ClassVar[list[str]] = ["lower", "upper", "inplace"]
    _shown = ("lower", "upper")

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Hardtanh(_InPlace):
    """Same as torch.nn.Hardtanh: x clamped between min_val and max_val."""

    __constants__: ClassVar[list[str]] = ["min_val", "max_val", "inplace"]
    _shown: ClassVar[tuple[str, ...]] = ("min_val", "max_val")

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and renamed to `{new}`", FutureWarning, stacklevel=2
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        assert self.max_val > self.min_val, f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """Same as torch.nn.ReLU6: x clamped between 0 and 6."""

    _shown = ()

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class SiLU(_Plain):
    """Same as torch.nn.SiLU: x * sigmoid(x)."""

    _function = staticmethod(F.silu)


class Mish(_Plain):
    """Same as torch.nn.Mish: x * tanh(softplus(x))."""

    _function = staticmethod(F.mish)


class SELU(_Plain):
    """Same as torch.nn.SELU: a scaled ELU that keeps mean 0 and variance 1."""

    _function = staticmethod(F.selu)


class Hardsigmoid(_Plain):
    """Same as torch.nn.Hardsigmoid: relu6(x + 3) / 6."""

    _function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        return ""  # torch does not show inplace here


class Hardswish(_Plain):
    """Same as torch.nn.Hardswish: x * relu6(x + 3) / 6."""

    _function = staticmethod(F.hardswish)

    def extra_repr(self) -> str:
        return ""  # torch does not show inplace here


class ELU(_InPlace):
    """Same as torch.nn.ELU: x above 0, alpha * (exp(x) - 1) below."""

    __constants__: ClassVar[list[str]] = ["alpha", "inplace"]
    _shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(_InPlace):
    """Same as torch.nn.CELU: x above 0, alpha * (exp(x / alpha) - 1) below."""

    __constants__: ClassVar[list[str]] = ["alpha", "inplace"]
    _shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class LeakyReLU(_InPlace):
    """Same as torch.nn.LeakyReLU: x above 0, negative_slope * x below.

    >>> import minitorch
    >>> LeakyReLU(0.1)(minitorch.tensor([-1.0, 2.0]))
    tensor([-0.1000,  2.0000])
    """

    __constants__: ClassVar[list[str]] = ["inplace", "negative_slope"]
    _shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class GELU(Module):
    """Same as torch.nn.GELU: x times the normal distribution's Phi(x), or its tanh approximation.

    >>> import minitorch
    >>> GELU()(minitorch.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    __constants__: ClassVar[list[str]] = ["approximate"]

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """Same as torch.nn.GLU: the first half of `dim` times the sigmoid of the second."""

    __constants__: ClassVar[list[str]] = ["dim"]

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Hardshrink(Module):
    """Same as torch.nn.Hardshrink: x where abs(x) > lambd, else 0."""

    __constants__: ClassVar[list[str]] = ["lambd"]

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Module):
    """Same as torch.nn.Softshrink: x moved by lambd towards 0, and 0 within."""

    __constants__: ClassVar[list[str]] = ["lambd"]

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softplus(Module):
    """Same as torch.nn.Softplus: log(1 + exp(beta * x)) / beta, and x where beta * x > threshold."""

    __constants__: ClassVar[list[str]] = ["beta", "threshold"]

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class PReLU(Module):
    """Same as torch.nn.PReLU: leaky, with the slope learned, one or one per channel."""

    __constants__: ClassVar[list[str]] = ["num_parameters"]
    num_parameters: int

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew from the slope `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Sigmoid(Module):
    """Same as torch.nn.Sigmoid: 1 / (1 + exp(-x)).

    >>> import minitorch
    >>> Sigmoid()(minitorch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return minitorch.sigmoid(input)


class Tanh(Module):
    """Same as torch.nn.Tanh: the hyperbolic tangent.

    >>> import minitorch
    >>> Tanh()(minitorch.zeros(2))
    tensor([0., 0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return minitorch.tanh(input)


class LogSigmoid(Module):
    """Same as torch.nn.LogSigmoid: log(sigmoid(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(Module):
    """Same as torch.nn.Softsign: x / (1 + abs(x))."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """Same as torch.nn.Tanhshrink: x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


@subclasses_own_names("__init__")
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


class Softmin(_Softmax):
    """Same as torch.nn.Softmin: softmax(-x)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim, _stacklevel=5)


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
