"""Activations: formulas as in `pointwise.py`, and those that other ops express."""

from typing import Any

from minitorch._creation import zeros_like
from minitorch._dtype import FLOATS
from minitorch._kernels.half import FLOAT_INFO
from minitorch._kernels.scalar import (  # type: ignore[attr-defined]
    absolute,
    erf,
    exp,
    expm1,
    log1p,
    maximum,
    minimum,
    tanh,
    where,
)
from minitorch._tensor import Tensor

from .check import c_name, check, full_float_required, no_kernel, not_implemented_for, text, wrap_dim
from .nodes import titled
from .op import pointwise
from .operands import number_argument
from .public import FUNCTIONS, into, op, public

# torch's argument `inplace`
_INPLACE = "if inplace: return functions['{name}_']({call})"


@pointwise(
    on="torch Tensor nn.functional", inplace="torch Tensor nn.functional", bools=False, extra="inplace=False",
    before=_INPLACE, takes_out=False,
)  # fmt: skip
def relu(x):
    return where(x < 0.0, 0.0, x)  # this way round: relu(nan) is nan, relu(-0.0) is -0.0


@relu.grad("x")
def relu_grad_x(g, out):
    return where(out <= 0.0, 0.0, g)  # reads `out`, so relu_ is safe; the gradient at 0 is 0


@pointwise(on="torch Tensor nn.functional", inplace="torch Tensor", result="float")
def sigmoid(x):
    return 1.0 / (1.0 + exp(-x))


@pointwise(title="SigmoidBackwardBackward0", result="float", letters={"x": "grad_output", "y": "result"})
def sigmoid_backward(x, y):
    return x * ((1.0 - y) * y)


sigmoid.grad_by("x", sigmoid_backward, "g out")
sigmoid_backward.grad_by("x", sigmoid_backward, "g y")


@sigmoid_backward.grad("y")
def sigmoid_backward_grad_y(g, x, y):
    return g * x * (1.0 - 2.0 * y)


@pointwise(on="nn.functional", result="float_only", kernel="log_sigmoid_cpu", title="LogSigmoid")
def logsigmoid(x):
    return minimum(x, 0.0) - log1p(exp(-absolute(x)))


@logsigmoid.grad("x")
def logsigmoid_grad_x(g, x):
    z = exp(where(x < 0.0, x, -x))
    return g * (where(x < 0.0, 1.0, z) / (1.0 + z))


@pointwise(on="nn.functional", result="float_only", inplace=True, extra="inplace=False", before=_INPLACE)
def silu(x):
    return x / (1.0 + exp(-x))


@silu.grad("x")
def silu_grad_x(g, x):
    s = 1.0 / (1.0 + exp(-x))
    return g * (s * (1.0 + x * (1.0 - s)))


@pointwise(title="Glu", result="float_only", kernel="glu")
def gated(x, y):
    return x / (1.0 + exp(-y))


@gated.grad("x")
def gated_grad_x(g, y):
    return g / (1.0 + exp(-y))


@gated.grad("y")
def gated_grad_y(g, x, y):
    s = 1.0 / (1.0 + exp(-y))
    return g * x * (s * (1.0 - s))


@pointwise(on="nn.functional", result="float_only", inplace=True, extra="inplace=False", before=_INPLACE)
def mish(x):
    return x * tanh(maximum(x, 0.0) + log1p(exp(-absolute(x))))


@mish.grad("x")
def mish_grad_x(g, x):
    z = exp(where(x < 0.0, x, -x))
    s = where(x < 0.0, z, 1.0) / (1.0 + z)
    t = tanh(where(x < 0.0, 0.0, x) + log1p(z))
    return g * (t + x * s * (1.0 - t * t))


# x times the normal distribution function
@pointwise(title="Gelu", result="float_only", kernel="GeluKernelImpl")
def gelu_by_erf(x):
    return 0.5 * x * (1.0 + erf(x * 0.7071067811865476))


@gelu_by_erf.grad("x")
def gelu_by_erf_grad_x(g, x):
    return g * (0.5 * (1.0 + erf(x * 0.7071067811865476)) + x * 0.3989422804014327 * exp(-0.5 * x * x))


# the same, nearly: Hendrycks and Gimpel, "Gaussian Error Linear Units"
@pointwise(title="Gelu", result="float_only", kernel="GeluKernelImpl")
def gelu_by_tanh(x):
    return 0.5 * x * (1.0 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


@gelu_by_tanh.grad("x")
def gelu_by_tanh_grad_x(g, x):
    t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (0.7978845608028654 * (1.0 + 0.134145 * x * x)))


@public("nn.functional")
def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x Phi(x), with approximate="tanh" by a formula with tanh.

    >>> import minitorch as torch
    >>> torch.nn.functional.gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    known = text(approximate, "approximate", "gelu") in ("none", "tanh")
    check(known, "approximate argument must be either none or tanh.")
    return op("gelu_by_erf" if approximate == "none" else "gelu_by_tanh")(input)


# ---------------------------------------------------------------------- pieces of lines and exponentials
# torch's gradients at nan differ between its vectors of several elements and the elements left over: here as the latter
@pointwise(
    on="nn.functional", inplace="nn.functional", result="float_only", extra="inplace=False", before=_INPLACE,
)  # fmt: skip
def leaky_relu(x, *, negative_slope=0.01):
    return where(x > 0.0, x, x * negative_slope)


@leaky_relu.grad("x")
def leaky_relu_grad_x(g, x, *, negative_slope):
    return where(x > 0.0, g, g * negative_slope)


# elu with the slope of its linear part and the scale of the exponent's argument: celu and selu too
@pointwise(title="Elu", result="float_only", inplace=True, kernel="elu_cpu")
def scaled_elu(x, *, alpha, scale, input_scale):
    return where(x > 0.0, x * scale, alpha * scale * expm1(where(x > 0.0, 0.0, x) * input_scale))


@scaled_elu.grad("x")
def scaled_elu_grad_x(g, x, *, alpha, scale, input_scale):
    e = exp(where(x < 0.0, x, 0.0) * input_scale)
    return where(x <= 0.0, g * (alpha * scale * input_scale * e), g * scale)


def _elu(input: Tensor, numbers: tuple[float, float, float], inplace: bool) -> Tensor:
    function = FUNCTIONS["scaled_elu_"] if inplace else op("scaled_elu")
    return function(input, *map(float, numbers))


@public("nn.functional")
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, alpha (exp(x) - 1) below."""
    return _elu(input, (number_argument("elu", "alpha", 2, alpha), 1.0, 1.0), inplace)


@public("nn.functional")
def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """elu, in place."""
    return elu(input, alpha, True)


@public("torch nn.functional")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x above 0, alpha (exp(x / alpha) - 1) below."""
    alpha = number_argument("celu", "alpha", 2, alpha)
    check(alpha != 0, "ZeroDivisionError: alpha cannot be 0 for CELU")
    return titled(_elu(input, (alpha, 1.0, 1.0 / alpha), inplace), "CeluBackward0")


@public("torch nn.functional")
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu, in place."""
    return celu(input, alpha, True)


# Klambauer et al., "Self-Normalizing Neural Networks", equation 2
_SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0


@public("torch nn.functional")
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale (x above 0, alpha (exp(x) - 1) below), with the numbers that keep mean 0 and variance 1."""
    return _elu(input, _SELU, inplace)


@public("torch nn.functional")
def selu_(input: Tensor) -> Tensor:
    """selu, in place."""
    return _elu(input, _SELU, True)


@pointwise(on="nn.functional", result="float_only")
def softplus(x, *, beta=1.0, threshold=20.0):
    return where(x * beta > threshold, x, log1p(exp(where(x * beta > threshold, 0.0, x * beta))) / beta)


@softplus.grad("x")
def softplus_grad_x(g, x, *, beta, threshold):
    return where(x * beta > threshold, g, g / (1.0 + exp(-(x * beta))))


@pointwise(
    on="nn.functional", inplace="nn.functional", bools=False, extra="inplace=False", before=_INPLACE,
    guard="check_hardtanh(input, min_val, max_val)",
)  # fmt: skip
def hardtanh(x, *, min_val=-1.0, max_val=1.0):
    return where(x < min_val, min_val, where(x > max_val, max_val, x))


@hardtanh.grad("x")
def hardtanh_grad_x(g, x, *, min_val, max_val):
    return where((x > min_val) & (x < max_val), g, 0.0)  # at nan 0: torch's vectors; its loop over the rest has g


def check_hardtanh(input: Tensor, low: float, high: float) -> None:
    """torch's refusals of hardtanh."""
    if not isinstance(input, Tensor):
        return
    check(input.dtype.name != "bool", "Bool inputs not supported for hardtanh")
    if input.dtype.name == "uint8":
        check(low >= 0 and high >= 0, "cannot do hardtanh on an unsigned type with negative limits")
    if low > high:
        raise ValueError("min_val cannot be greater than max_val")


@public("nn.functional")
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return (FUNCTIONS["hardtanh_"] if inplace else op("hardtanh"))(input, 0.0, 6.0)


@pointwise(on="nn.functional", result="float_only", inplace=True, extra="inplace=False", before=_INPLACE)
def hardsigmoid(x):
    return minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0


@hardsigmoid.grad("x")
def hardsigmoid_grad_x(g, x):
    return where((x > -3.0) & (x < 3.0), g / 6.0, 0.0)


@pointwise(on="nn.functional", result="float_only", inplace=True, extra="inplace=False", before=_INPLACE)
def hardswish(x):
    return x * minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0


@hardswish.grad("x")
def hardswish_grad_x(g, x):
    return where(x <= -3.0, 0.0, where(x < 3.0, g * (x / 3.0 + 0.5), g))


@pointwise(on="nn.functional torch Tensor", result="float_only")
def hardshrink(x, *, lambd=0.5):
    return where((x >= -lambd) & (x <= lambd), 0.0, x)


@hardshrink.grad("x")
def hardshrink_grad_x(g, x, *, lambd):
    return where((x > lambd) | (x < -lambd), g, 0.0)  # at nan as hardtanh


@pointwise(on="nn.functional", result="float_only", kernel="softshrink_check", guard="check_lambd(input, lambd)")
def softshrink(x, *, lambd=0.5):
    return where(x > lambd, x - lambd, where(x < -lambd, x + lambd, x * 0.0))


@softshrink.grad("x")
def softshrink_grad_x(g, x, *, lambd):
    return where((x > lambd) | (x < -lambd), g, 0.0)  # at nan as hardtanh


def check_lambd(input: Tensor, lambd: float) -> None:
    """softshrink's bound is a number of the input's dtype, and not negative."""
    if isinstance(input, Tensor) and input.is_floating_point():
        lambd = number_argument("softshrink", "lambd", 2, lambd)
        largest = FLOAT_INFO[input.array.dtype].max
        if not 0 <= lambd <= largest:
            raise RuntimeError(
                f"lambda must be in range [0, {largest:g}] for input dtype {c_name(input.array)}, but found {lambd:g}"
            )


@pointwise(title="Threshold", inplace=True, bools=False, kernel="threshold_cpu")
def above_threshold(x, *, threshold, value):
    return where(x <= threshold, value, x)


@above_threshold.grad("x")
def above_threshold_grad_x(g, x, *, threshold):
    return where(x <= threshold, 0.0, g)


@public("torch", name="threshold")
def torch_threshold(input: Tensor, threshold: float, value: float, *, out: Any = None) -> Tensor:
    """Same as nn.functional.threshold."""
    return into(out, "threshold", op("above_threshold")(input, threshold, value), input)


@public("nn.functional")
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above the threshold, else the value."""
    return (FUNCTIONS["above_threshold_"] if inplace else op("above_threshold"))(input, threshold, value)


@public("torch nn.functional")
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold, in place."""
    return FUNCTIONS["above_threshold_"](input, threshold, value)


@pointwise(title="Div", result="float_only")
def softsign_of_floats(x):
    return x / (absolute(x) + 1.0)


@softsign_of_floats.grad("x")
def softsign_of_floats_grad_x(g, x):
    s = absolute(x) + 1.0
    return g / s * (1.0 - absolute(x) / s)  # at infinity nan, as torch's, which has no formula for it


@public("nn.functional")
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    if input.array.dtype in FLOATS:
        return op("softsign_of_floats")(input)
    return input / (input.abs() + 1)


@public("nn.functional")
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


# ---------------------------------------------------------------------- more than one tensor
@pointwise(title="PreluKernel", result="float_only", kernel="prelu_cpu", letters={"y": "weight"})
def prelu_kernel(x, y):
    return where(x > 0.0, x, y * x)


@prelu_kernel.grad("x")
def prelu_kernel_grad_x(g, x, y):
    return where(x > 0.0, g, y * g)


@prelu_kernel.grad("y")
def prelu_kernel_grad_y(g, x):
    return where(x > 0.0, 0.0, x * g)


@public("torch Tensor nn.functional")
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above 0, weight x below; a weight with n elements goes along dimension 1."""
    if input.array.dtype != weight.array.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {c_name(input.array)} and {c_name(weight.array)}")
    if weight.array.size != 1:
        check(input.ndim > 0, "Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != weight.array.size:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.array.size} "
                f"and channel size = {channels}."
            )
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.ndim == 1 and input.ndim > 1:
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    elif weight.ndim == 1 and not input.ndim:
        weight = weight.reshape(())
    return op("prelu_kernel")(input, weight)


@public("nn.functional")
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along dim times the sigmoid of the second."""
    if not input.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors because halving size must be even")
    dim = wrap_dim(dim, input.ndim)
    n = input.shape[dim]
    if n % 2 != 0:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {n}")
    if not input.is_floating_point():
        not_implemented_for("glu", input.array)
    part = op("slice_dim")
    return op("gated")(part(input, dim, 0, n // 2, 1), part(input, dim, n // 2, n, 1))


_RRELU = "RreluWithNoiseBackward0"


@public("nn.functional")
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu with a random slope between lower and upper for each element, their mean outside training."""
    check(lower <= upper, "Lower bound should be less than or equal to the upper bound")
    if not training:
        slope = (lower + upper) / 2
        return FUNCTIONS["leaky_relu_"](input, slope) if inplace else titled(op("leaky_relu")(input, slope), _RRELU)
    if not input.is_floating_point():
        no_kernel("rrelu_with_noise_out_cpu", input.array)
    if input.array.dtype == "float16":  # which torch's kernel lacks, unlike bfloat16
        full_float_required("rrelu_with_noise_out_cpu", input.array)
    slopes = FUNCTIONS["where"](input <= 0, zeros_like(input).uniform_(lower, upper), 1.0)
    return input.mul_(slopes) if inplace else titled(input * slopes, _RRELU, ("input_edge",))


@public("torch", name="rrelu")
def torch_rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, generator: Any = None
) -> Tensor:
    """Same as torch.nn.functional.rrelu."""
    if generator is not None:
        raise NotImplementedError("rrelu: generator is not supported by minitorch")
    return rrelu(input, lower, upper, training)


@public("torch nn.functional")
def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """rrelu, in place."""
    return rrelu(input, lower, upper, training, True)
