"""Two-dimensional convolution and its gradients, which are convolutions again; constant padding."""

from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._tensor import Tensor

from .check import c_name, check, pair
from .op import structured
from .operands import FUNCTIONS
from .public import op, public

empty = np.empty


def _conv_out(n: int, pad: int, dilation: int, k: int, stride: int) -> int:
    return (n + 2 * pad - dilation * (k - 1) - 1) // stride + 1


@structured(name="convolution_2d", title="Convolution", tensors="input weight bias?")
def convolution_2d(input, weight, bias, stride, padding, dilation, groups):
    n, c, h, w = input.shape
    k, c_group, r, s = weight.shape
    check(min(stride) > 0, "non-positive stride is not supported")
    check(min(padding) >= 0, "negative padding is not supported")
    check(min(dilation) > 0, "dilation should be greater than zero")
    check(groups > 0, "non-positive groups is not supported")
    wanted = "at least" if k < groups else "divisible by"
    check(
        k >= groups and k % groups == 0,
        f"Given groups={groups}, expected weight to be {wanted} {groups} at dimension 0, but got weight of size "
        f"{list(weight.shape)} instead",
    )
    check(
        c == c_group * groups,
        f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
        f"{c_group * groups} channels, but got {c} channels instead",
    )
    check(
        bias is None or bias.shape == (k,),
        f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {k} elements, but got "
        "bias of size "
        f"{None if bias is None else list(bias.shape)} instead",
    )
    padded = [h + 2 * padding[0], w + 2 * padding[1]]
    kernel = [dilation[0] * (r - 1) + 1, dilation[1] * (s - 1) + 1]
    check(
        padded[0] >= kernel[0] and padded[1] >= kernel[1],
        f"Calculated padded input size per channel: ({padded[0]} x {padded[1]}). Kernel size: ({kernel[0]} x "
        f"{kernel[1]}). "
        "Kernel size can't be greater than actual input size",
    )
    if input.dtype != weight.dtype or (bias is not None and bias.dtype != input.dtype):
        other = weight if input.dtype != weight.dtype else bias
        raise RuntimeError(
            f"Input type ({_cpp_type(input)}) and {'weight' if other is weight else 'bias'} type "
            f"({_cpp_type(other)}) should be "
            "the same"
        )
    size = [_conv_out(m, p, d, f, st) for m, p, d, f, st in zip((h, w), padding, dilation, (r, s), stride, strict=True)]
    return (n, k, *size), input.dtype


def _cpp_type(a: Any) -> str:
    names = {"Float": "float", "Double": "double", "Long": "long long"}
    return names.get(c_name(a), c_name(a).lower())


def _conv_kernels() -> Any:
    return cache.load_file("cpu.conv")


@convolution_2d.cpu
def convolution_cpu(input, weight, bias, stride, padding, dilation, groups):
    out = empty(*convolution_2d.infer(input, weight, bias, stride, padding, dilation, groups))
    _conv_kernels().conv2d(input, weight, bias, stride, padding, dilation, groups, out)
    return out


@convolution_2d.grad("input")
def convolution_grad_input(g, weight, input_shape, stride, padding, dilation, groups):
    return convolution_backward_input(g, weight, input_shape, stride, padding, dilation, groups)


@convolution_2d.grad("weight")
def convolution_grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(g, input, weight_shape, stride, padding, dilation, groups)


@convolution_2d.grad("bias")
def convolution_grad_bias(g):
    return sum(g, (0, 2, 3))


@structured(tensors="grad_output weight")
def convolution_backward_input(grad_output, weight, shape, stride, padding, dilation, groups):
    return shape, grad_output.dtype


@convolution_backward_input.cpu
def convolution_backward_input_cpu(grad_output, weight, shape, stride, padding, dilation, groups):
    dx = empty(shape, grad_output.dtype)
    _conv_kernels().conv2d_backward_input(grad_output, weight, stride, padding, dilation, groups, dx)
    return dx


@convolution_backward_input.grad("grad_output")
def convolution_backward_input_grad_output(g, weight, stride, padding, dilation, groups):
    return convolution_2d(g, weight, None, stride, padding, dilation, groups)


@convolution_backward_input.grad("weight")
def convolution_backward_input_grad_weight(g, grad_output, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(grad_output, g, weight_shape, stride, padding, dilation, groups)


@structured(tensors="grad_output input")
def convolution_backward_weight(grad_output, input, shape, stride, padding, dilation, groups):
    return shape, grad_output.dtype


@convolution_backward_weight.cpu
def convolution_backward_weight_cpu(grad_output, input, shape, stride, padding, dilation, groups):
    dw = empty(shape, grad_output.dtype)
    _conv_kernels().conv2d_backward_weight(grad_output, input, stride, padding, dilation, groups, dw)
    return dw


@convolution_backward_weight.grad("grad_output")
def convolution_backward_weight_grad_output(g, input, stride, padding, dilation, groups):
    return convolution_2d(input, g, None, stride, padding, dilation, groups)


@convolution_backward_weight.grad("input")
def convolution_backward_weight_grad_input(g, grad_output, input_shape, stride, padding, dilation, groups):
    return convolution_backward_input(grad_output, g, input_shape, stride, padding, dilation, groups)


@public("torch nn.functional")
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """2-D convolution of (N, C, H, W) or (C, H, W) with weight (K, C / groups, R, S)."""
    for position, (name, value) in enumerate((("input", input), ("weight", weight)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"conv2d() received an invalid combination of arguments: argument '{name}' (position {position}) "
                "must be Tensor, "
                f"not {type(value).__name__}"
            )
    x, w = input.array, weight.array
    check(
        x.ndim in (3, 4),
        f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: {list(x.shape)}",
    )
    check(
        w.ndim == 4,
        f"expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight {list(w.shape)}, but got "
        f"{x.ndim}-dimensional input of size {list(x.shape)} instead",
    )
    stride, dilation = pair(stride, "stride", "conv2d"), pair(dilation, "dilation", "conv2d")
    if isinstance(padding, str):
        input, padding = _string_padding(input, padding, w.shape[2:], stride, dilation)
    padding = pair(padding, "padding", "conv2d")
    batched = x.ndim == 4
    out = FUNCTIONS["convolution_2d"](
        input if batched else op("unsqueeze")(input, 0), weight, bias, stride, padding, dilation, groups
    )
    return out if batched else op("squeeze_dims")(out, (0,))


def _string_padding(input: Tensor, padding: str, kernel: Any, stride: Any, dilation: Any) -> tuple[Tensor, Any]:
    """ "valid" pads nothing, "same" what keeps the size; an odd total goes to the end."""
    if padding == "valid":
        return input, (0, 0)
    check(padding == "same", f"Invalid padding string: '{padding}'")
    check(stride == (1, 1), "padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if all(t % 2 == 0 for t in total):
        return input, tuple([t // 2 for t in total])
    (top, left), (bottom, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    return pad(input, (left, right, top, bottom)), (0, 0)


@structured(name="constant_pad", title="ConstantPadNd", tensors="input")
def constant_pad(input, pads, value):
    return _padded_shape(input.shape, pads), input.dtype


def _padded_shape(shape: tuple[int, ...], pads: Any) -> tuple[int, ...]:
    check(len(pads) % 2 == 0, f"Length of pad must be even but instead it equals {len(pads)}")
    check(
        len(pads) // 2 <= len(shape),
        "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
        f"{len(pads)}while the "
        f"input has {len(shape)}dimensions.",
    )
    made = list(shape)
    for i in range(len(pads) // 2):
        d = len(shape) - 1 - i
        made[d] += pads[2 * i] + pads[2 * i + 1]
        check(
            made[d] >= 0,
            f"The input size {shape[d]}, plus negative padding {pads[2 * i]} and {pads[2 * i + 1]} resulted in a "
            "negative output "
            f"size, which is invalid. Check dimension {d} of your input.",
        )
    return tuple(made)


@constant_pad.cpu
def constant_pad_cpu(input, pads, value):
    out = np.full(_padded_shape(input.shape, pads), value, input.dtype)
    source, dest = [slice(None)] * input.ndim, [slice(None)] * input.ndim
    for i in range(len(pads) // 2):
        d, (before, after) = input.ndim - 1 - i, pads[2 * i : 2 * i + 2]
        n = input.shape[d]
        source[d] = slice(max(0, -before), n - max(0, -after))
        dest[d] = slice(max(0, before), out.shape[d] - max(0, after))
    out[tuple(dest)] = input[tuple(source)]
    return out


@constant_pad.grad("input")
def constant_pad_grad(g, pads):
    return constant_pad(g, tuple([-p for p in pads]), 0)


@public("nn.functional")
def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """`pad` elements before and after, from the last dimension on: (left, right, top, bottom, ...)."""
    if mode != "constant":
        raise NotImplementedError(f"pad: mode={mode!r} is not supported by minitorch; 'constant' is")
    return FUNCTIONS["constant_pad"](input, tuple(pad), 0 if value is None else value)
