"""Deformable convolution (https://arxiv.org/abs/1703.06211, with a mask https://arxiv.org/abs/1811.11168)."""

import math
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ._regions import output_pair as _pair


def _places(offset: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Tensor, Tensor]:
    """Rows and columns that are read, each (N * groups, kh * kw, oh, ow); offsets have y before x."""
    kh, kw = kernel
    oh, ow = offset.shape[-2:]
    y, x = offset.reshape(-1, kh * kw, 2, oh, ow).unbind(2)
    taps_y = torch.arange(kh).repeat_interleave(kw) * dilation[0]
    taps_x = torch.arange(kw).repeat(kh) * dilation[1]
    rows = torch.arange(oh)[:, None] * stride[0] - padding[0]
    columns = torch.arange(ow)[None, :] * stride[1] - padding[1]
    return y + (taps_y[:, None, None] + rows), x + (taps_x[:, None, None] + columns)


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """A convolution of (N, C, H, W) whose taps `offset` (N, 2 * G * kh * kw, oh, ow) moves, for each of G groups.

    `mask` (N, G * kh * kw, oh, ow) weighs the taps. Between pixels values are interpolated; outside they are 0.

    >>> import minitorch as torch
    >>> deform_conv2d(torch.ones(1, 2, 5, 5), torch.zeros(1, 18, 3, 3), torch.ones(4, 2, 3, 3))[0, 0, 0]
    tensor([18., 18., 18.])
    """
    kernel = weight.shape[-2:]
    taps = kernel[0] * kernel[1]
    n, channels, height, width = input.shape
    groups = offset.shape[1] // (2 * taps)
    if groups == 0:
        raise RuntimeError(
            "the shape of the offset tensor at dimension 1 is not valid. It should be a multiple of 2 * "
            f"weight.size[2] * weight.size[3].\nGot offset.shape[1]={offset.shape[1]}, while 2 * weight.size[2] * "
            f"weight.size[3]={2 * taps}"
        )
    size = offset.shape[-2:]
    y, x = _places(offset, kernel, _pair(stride), _pair(padding), _pair(dilation))
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).reshape(n * groups, -1, size[1], 2)
    images = input.reshape(n * groups, channels // groups, height, width)
    read = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    read = read.reshape(n, groups, channels // groups, taps, -1)
    if mask is not None:
        read = read * mask.reshape(n, groups, 1, taps, -1)
    parts = channels // weight.shape[1]  # the weight's own groups
    out = weight.reshape(parts, -1, weight.shape[1] * taps) @ read.reshape(n, parts, weight.shape[1] * taps, -1)
    out = out.reshape(n, weight.shape[0], *size)
    return out if bias is None else out + bias[:, None, None]


class DeformConv2d(nn.Module):
    """`deform_conv2d` as a layer with weight and bias."""

    bias: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(stride)
        self.padding = _pair(padding)
        self.dilation = _pair(dilation)
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel_size))
        if bias:
            self.bias = nn.Parameter(torch.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias as those of a Conv2d."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        geometry = dict(stride=self.stride, padding=self.padding, dilation=self.dilation)
        return deform_conv2d(input, offset, self.weight, self.bias, mask=mask, **geometry)

    def __repr__(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, plain in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            value = getattr(self, name)
            text += f", {name}={value}" if value != plain else ""
        return f"{type(self).__name__}({text}{', bias=False' if self.bias is None else ''})"
