"""Convolution in one to three dimensions and its gradients, which are convolutions again."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.layout import channels_second, is_channels_last
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn_once

from .check import c_name, check, cpp_name, integer, no_kernel, type_name
from .nodes import titled
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .public import FUNCTIONS, op, public

empty = np.empty
MOST = 2**62 - 1  # what torch takes as padding


def cropped(a: Any, shape: Any) -> Any:
    """`a` without what an output_padding beyond the stride adds at the ends."""
    return a if tuple(a.shape) == tuple(shape) else a[tuple([slice(n) for n in shape])]


ARRAY_NAMES["cropped"] = TENSOR_NAMES["cropped"] = cropped


def _kernels(dtype: Any) -> Any:
    if dtype in dtypes.FLOATS:
        return cache.load_file("cpu.conv")
    from minitorch._kernels.cpu import conv_integers

    return conv_integers


def _uninitialised(shape: tuple[int, ...], dtype: Any, input: Any, weight: Any) -> Any:
    """A result, its channels beside each other if those of images or filters are."""
    if is_channels_last(input) or is_channels_last(weight):
        n, channels, *space = shape
        return channels_second(empty((n, *space, channels), dtype))
    return empty(shape, dtype)


# ---------------------------------------------------------------------- the three records
@structured(title="Convolution", tensors="input weight bias?")
def convolution_forward(input, weight, bias, stride, padding, dilation, groups):
    outputs, inputs, *taps = weight.shape
    _check(input, weight, bias, stride, padding, dilation, groups, outputs, inputs * groups)
    padded = [n + 2 * p for n, p in zip(input.shape[2:], padding, strict=True)]
    kernel = [d * (k - 1) + 1 for d, k in zip(dilation, taps, strict=True)]
    if not all(n >= k for n, k in zip(padded, kernel, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_by(padded)}). Kernel size: ({_by(kernel)}). "
            "Kernel size can't be greater than actual input size"
        )
    if not (0 not in input.shape[2:] or 0 in input.shape[:2]):
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(input.shape)}"
        )
    _check_dtypes(input, weight, "compute_columns3d" if input.ndim == 5 else "slow_conv2d_cpu")
    size = [(n - k) // s + 1 for n, k, s in zip(padded, kernel, stride, strict=True)]
    return (input.shape[0], outputs, *size), input.dtype


@convolution_forward.cpu
def convolution_cpu(input, weight, bias, stride, padding, dilation, groups):
    shape, dtype = convolution_forward.infer(input, weight, bias, stride, padding, dilation, groups)
    out = _uninitialised(shape, dtype, input, weight)
    _kernels(out.dtype).convolution(input, weight, bias, stride, padding, dilation, groups, out)
    return out


@convolution_forward.grad("input")
def convolution_grad_input(g, weight, input_shape, stride, padding, dilation, groups):
    return convolution_transpose(g, weight, None, input_shape[2:], stride, padding, dilation, groups)


@convolution_forward.grad("weight")
def convolution_grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(g, input, weight_shape, stride, padding, dilation, groups)


@convolution_forward.grad("bias")
def convolution_grad_bias(g):
    return sum_but_channels(g)  # noqa: F821


@structured(title="Convolution", tensors="input weight bias?")
def convolution_transpose(input, weight, bias, size, stride, padding, dilation, groups):
    """The gradient of a convolution for its input of this size, which stands here as a sum of its own."""
    outputs = weight.shape[1] * groups
    _check(input, weight, bias, stride, padding, dilation, groups, outputs, weight.shape[0], "transposed=1")
    if min(size) <= 0 and 0 not in input.shape:
        line = (1,) * (len(size) == 1)
        raise RuntimeError(
            f"Given input size per channel: ({_by(line + input.shape[2:])}). Calculated output size per channel: "
            f"({_by(line + tuple(size))}). Output size is too small"
        )
    for i, n in enumerate(size, 2):
        shape = [input.shape[0], outputs, *size]
        if not n >= 0:
            raise RuntimeError(f"invalid shape dimension {n} at index {i} of shape {shape}")
    _check_dtypes(input, weight, f"slow_conv_transpose{max(2, input.ndim - 2)}d_out_cpu")
    if bias is not None:
        if bias.dtype != input.dtype:
            raise RuntimeError(f"expected scalar type {c_name(input)} but found {c_name(bias)}")
    return (input.shape[0], outputs, *size), input.dtype


@convolution_transpose.cpu
def convolution_transpose_cpu(input, weight, bias, size, stride, padding, dilation, groups):
    shape, dtype = convolution_transpose.infer(input, weight, bias, size, stride, padding, dilation, groups)
    out = _uninitialised(shape, dtype, input, weight)
    _kernels(out.dtype).convolution_transpose(input, weight, bias, stride, padding, dilation, groups, out)
    return out


@convolution_transpose.grad("input")
def convolution_transpose_grad_input(g, weight, input_shape, stride, padding, dilation, groups):
    return cropped(convolution_forward(g, weight, None, stride, padding, dilation, groups), input_shape)


@convolution_transpose.grad("weight")
def convolution_transpose_grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(input, g, weight_shape, stride, padding, dilation, groups)


@convolution_transpose.grad("bias")
def convolution_transpose_grad_bias(g):
    return sum_but_channels(g)  # noqa: F821


@structured(tensors="grad_output input")
def convolution_backward_weight(grad_output, input, shape, stride, padding, dilation, groups):
    return shape, grad_output.dtype


@convolution_backward_weight.cpu
def convolution_backward_weight_cpu(grad_output, input, shape, stride, padding, dilation, groups):
    dw = empty(shape, grad_output.dtype)
    _kernels(dw.dtype).convolution_backward_weight(grad_output, input, stride, padding, dilation, groups, dw)
    return dw


@convolution_backward_weight.grad("grad_output")
def convolution_backward_weight_grad_output(g, input, grad_output_shape, stride, padding, dilation, groups):
    return cropped(convolution_forward(input, g, None, stride, padding, dilation, groups), grad_output_shape)


@convolution_backward_weight.grad("input")
def convolution_backward_weight_grad_input(g, grad_output, input_shape, stride, padding, dilation, groups):
    return convolution_transpose(grad_output, g, None, input_shape[2:], stride, padding, dilation, groups)


# ---------------------------------------------------------------------- checks
def _by(sizes: Any) -> str:
    return " x ".join(map(str, sizes))


def _axes(values: Any, name: str, height: int = 1) -> list[str]:
    """Values by axis as torch's messages list them, where a line counts as a plane of some height."""
    values = (height,) * (len(values) == 1) + tuple(values)
    words = ("depth", "height", "width")[-len(values) :]
    return [f"{name}_{word}: {value}" for word, value in zip(words, values, strict=True)]


def _check(
    input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int,
    outputs: int, inputs: int, given: str = "",
) -> None:  # fmt: skip
    """What convolution and its transpose ask of shapes and arguments; `inputs`, `outputs`: channels by the weight."""
    shape, k = list(weight.shape), weight.shape[0]
    check(min(padding) >= 0, "negative padding is not supported")
    check(min(stride) > 0, "non-positive stride is not supported")
    check(min(dilation) >= 0, "dilation should be greater than zero")
    if 0 in dilation:
        got = ", ".join(_axes(dilation, "dilation")) if given else [1] * (len(dilation) == 1) + list(dilation)
        raise RuntimeError(f"dilation should be greater than zero, but got {got}")
    check(groups > 0, "non-positive groups is not supported")
    _check_ranks(input, weight, " ")
    if not k >= groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{shape} instead"
        )
    if k % groups != 0:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{shape}] instead"
        )
    if input.shape[1] != inputs:
        raise RuntimeError(
            f"Given {given or f'groups={groups}'}, weight of size {shape}, expected input{list(input.shape)} to have "
            f"{inputs} channels, but got {input.shape[1]} channels instead"
        )
    if not (bias is None or bias.shape == (outputs,)):
        raise RuntimeError(
            f"Given {given and given + ', '}weight of size {shape}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {None if bias is None else list(bias.shape)} instead"
        )
    if 0 in shape[2:]:
        got = " ".join(_axes(shape[2:], "kernel"))
        if len(shape) == 5:
            if given:
                raise RuntimeError(
                    "non-empty 5D (n_output_plane x n_input_plane x kernel_depth x kernel_height x kernel_width) "
                    f"tensor expected for weight, but got: {shape}"
                )
            got = f": {_by(shape[2:])} (TxHxW)"
        raise RuntimeError(f"kernel size should be greater than zero, but got{got if got[0] == ':' else ' ' + got}")


def _check_ranks(input: Any, weight: Any, gap: str) -> None:
    n, shape = weight.ndim, list(weight.shape)
    if n != input.ndim:
        raise RuntimeError(
            f"Expected {n}-dimensional input for {n}-dimensional weight{gap}{shape}, but got {input.ndim}-dimensional "
            f"input of size {list(input.shape)} instead"
        )


def _check_dtypes(input: Any, weight: Any, kernel: str) -> None:
    if input.dtype == np.bool_ or (
        "transpose" in kernel and input.dtype not in dtypes.FLOATS and input.dtype != np.int64
    ):
        no_kernel(kernel, input)
    if weight.dtype != input.dtype:
        raise RuntimeError(f"expected scalar type {c_name(input)} but found {c_name(weight)}")


# ---------------------------------------------------------------------- public functions
def _per_axis(value: Any, name: str, n: int, function: str, axes: int) -> tuple[int, ...]:
    """An int, or a list of one, or of as many as the weight has axes: the function's n, unless the call is wrong."""
    if not isinstance(value, (tuple, list)):
        kind = "tuple of ints" if "transpose" in function else "int"
        if not (hasattr(value, "__index__") and not isinstance(value, bool)):
            raise TypeError(f"{function}(): argument '{name}' must be {kind}, not {type_name(value)}")
        value = (value.__index__(),) * n
    if len(value) not in (1, axes):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {axes} values to match the convolution "
            f"dimensions, but got {name}={list(value)}"
        )
    value = tuple([integer(v, name, function) for v in value])
    if name == "padding":
        for d, p in enumerate(value):
            if not p <= MOST:
                raise RuntimeError(f"Given padding={p} at dimension {d} , expected padding to be at most {MOST}")
    return value * (axes if len(value) == 1 else 1)


def _prepared(function: str, n: int, input: Any, weight: Any, bias: Any) -> tuple[Tensor, bool]:
    """The input as a batch, and whether it was one."""
    for position, (name, value) in enumerate((("input", input), ("weight", weight), ("bias", bias)), 1):
        if not isinstance(value, Tensor) and (name != "bias" or value is not None):
            raise TypeError(
                f"{function}() received an invalid combination of arguments: argument '{name}' (position {position}) "
                f"must be Tensor, not {type_name(value)}"
            )
    check(weight.ndim > 2, "weight should have at least three dimensions")
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {function}, but got input of size: "
            f"{list(input.shape)}"
        )
    return (input, True) if input.ndim == n + 2 else (op("unsqueeze")(input, 0), False)


def _convolve(
    n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Tensor:
    function, axes = f"conv{n}d", weight.ndim - 2 if isinstance(weight, Tensor) else n
    input, batched = _prepared(function, n, input, weight, bias)
    if bias is not None and bias.dtype != input.dtype:
        names = cpp_name(input.array), cpp_name(bias.array)
        raise RuntimeError("Input type ({}) and bias type ({}) should be the same".format(*names))
    if isinstance(padding, str):
        _check_ranks(input, weight, "")
    stride, dilation = (_per_axis(v, w, n, function, axes) for v, w in ((stride, "stride"), (dilation, "dilation")))
    if isinstance(padding, str):
        input, padding = _string_padding(input, padding, weight.shape[2:], stride, dilation)
    padding, groups = _per_axis(padding, "padding", n, function, axes), integer(groups, "groups", function)
    out = FUNCTIONS["convolution_forward"](input, weight, bias, stride, padding, dilation, groups)
    if not input.shape[1]:
        # torch's result of no input channels has none itself
        out = titled(FUNCTIONS["narrow"](out, 1, 0, 0), "ConvolutionBackward0", through=True)
    return out if batched else op("squeeze_dims")(out, (0,))


def _string_padding(input: Tensor, padding: str, kernel: Any, stride: Any, dilation: Any) -> tuple[Tensor, Any]:
    """ "valid" pads nothing, "same" what keeps the size; an odd total goes to the end."""
    if padding == "valid":
        return input, (0,) * len(stride)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    check(set(stride) == {1}, "padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if any(t % 2 for t in total):
        warn_once(
            "Using padding='same' with even kernel lengths and odd dilation may require a zero-padded copy of the "
            "input be created"
        )
        odd = [end for t in reversed(total) for end in (0, t % 2)]
        input = FUNCTIONS["constant_pad"](input, tuple(odd), 0)
    return input, tuple([t // 2 for t in total])


def _convolve_transposed(
    n: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: Any,
    dilation: Any,
) -> Tensor:  # fmt: skip
    function = f"conv_transpose{n}d"
    input, batched = _prepared(function, n, input, weight, bias)
    words = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    axes = weight.ndim - 2
    stride, padding, surplus, dilation = (_per_axis(v, w, n, function, axes) for w, v in words.items())
    check(min(surplus) >= 0, "negative output_padding is not supported")
    if axes == n:
        values = zip(input.shape[2:], stride, padding, dilation, weight.shape[2:], surplus, strict=True)
        size = [(m - 1) * s - 2 * p + d * (k - 1) + 1 + more for m, s, p, d, k, more in values]
        fits = all(more < max(s, d) for more, s, d in zip(surplus, stride, dilation, strict=True))
        if not fits and input.shape[0] and min(stride) > 0 and min(dilation) > 0:
            got = *_axes(surplus, "output_padding", 0), *_axes(stride, "stride"), *_axes(dilation, "dilation")
            raise RuntimeError(
                f"output padding must be smaller than either stride or dilation, but got {' '.join(got)}"
            )
        if not (0 not in input.shape[2:] or 0 in input.shape[:2]):
            raise RuntimeError(
                "Only zero batch or zero channel inputs are supported, but got input shape: "
                f"{[*input.shape[:2], *[1] * (n == 1), *input.shape[2:]]}"
            )
    else:
        size = [0] * n
    groups = integer(groups, "groups", function)
    if bias is not None and n < 3:
        bias = bias.to(input.dtype)
    out = FUNCTIONS["convolution_transpose"](input, weight, bias, tuple(size), stride, padding, dilation, groups)
    return out if batched else op("squeeze_dims")(out, (0,))


@public("torch nn.functional")
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """1-D convolution of (N, C, L) or (C, L) with weight (K, C / groups, R)."""
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


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
    """2-D convolution of (N, C, H, W) or (C, H, W) with weight (K, C / groups, R, S).

    padding may be "same" or "valid".

    >>> import minitorch as torch
    >>> x, edges = torch.eye(3).reshape(1, 1, 3, 3), torch.tensor([[[[-1.0, 1.0]]]])
    >>> torch.nn.functional.conv2d(x, edges)
    tensor([[[[-1.,  0.],
              [ 1., -1.],
              [ 0.,  1.]]]])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@public("torch nn.functional")
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """3-D convolution of (N, C, D, H, W) or (C, D, H, W) with weight (K, C / groups, Q, R, S)."""
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


@public("torch nn.functional")
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The gradient of conv1d for its input, as a layer: (N, K, L) with weight (K, C / groups, R)."""
    return _convolve_transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public("torch nn.functional")
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The gradient of conv2d for its input, as a layer: (N, K, H, W) with weight (K, C / groups, R, S)."""
    return _convolve_transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public("torch nn.functional")
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The gradient of conv3d for its input, as a layer: (N, K, D, H, W) with weight (K, C / groups, Q, R, S)."""
    return _convolve_transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public("torch")
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Tensor:
    """Convolution, or its transpose, of a batch, in as many dimensions as the weight has after its first two."""
    n = weight.ndim - 2
    if transposed:
        return _convolve_transposed(n, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(n, input, weight, bias, stride, padding, dilation, groups)


@public("torch nn.functional")
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """conv1d of (time, batch, channel) with weight (time, input channel, output channel)."""
    check(input.ndim == 3, "Input must have 3 dims: time, batch, in_channel")
    check(weight.ndim == 3, "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    check(bias.ndim == 1, "Bias must be 1-D")
    check(
        input.shape[2] == weight.shape[1],
        "Input dim 2 (input channels) is not == dim 1 in the weight tensor",
    )
    check(weight.shape[2] == bias.shape[0], "Bias size must equal dim 2 in the weight tensor (output channels).")
    permute = op("permute_dims")
    out = conv1d(permute(input, (1, 2, 0)), permute(weight, (2, 1, 0)), bias, padding=pad)
    return permute(out, (2, 0, 1))
