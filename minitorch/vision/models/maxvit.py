"""MaxViT: "Multi-Axis Vision Transformer" (https://arxiv.org/abs/2204.01697)."""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import _ovewrite_named_param, build_model, builder, initialize, relative_position_index
from ._weights import imagenet

__all__ = ["MaxVit", "MaxVit_T_Weights", "maxvit_t"]

Layer = Callable[..., nn.Module]
Size = tuple[int, int]


def _halved(size: Size) -> Size:
    """What a 3x3 convolution with stride 2 makes of a size."""
    return (size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1


def _check_sizes(sizes: list[Size], partition_size: int) -> None:
    for i, size in enumerate(sizes):
        if size[0] % partition_size != 0 or size[1] % partition_size != 0:
            raise ValueError(
                f"Input size {size} of block {i} is not divisible by partition size {partition_size}. "
                "Consider changing the partition size or the input size.\n"
                f"Current configuration yields the following block input sizes: {sizes}."
            )


class MBConv(nn.Module):
    """More channels, a convolution of each by itself, squeeze-and-excitation, few channels; added to the input."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion_ratio: float,
        squeeze_ratio: float,
        stride: int,
        activation_layer: Layer,
        norm_layer: Layer,
        p_stochastic_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            smaller = [nn.AvgPool2d(kernel_size=3, stride=stride, padding=1)] if stride == 2 else []
            self.proj = nn.Sequential(*smaller, nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=True))
        self.stochastic_depth: nn.Module = nn.Identity()
        if p_stochastic_dropout:
            self.stochastic_depth = StochasticDepth(p_stochastic_dropout, mode="row")
        mid = int(out_channels * expansion_ratio)
        common: dict[str, Any] = dict(activation_layer=activation_layer, norm_layer=norm_layer, inplace=None)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["pre_norm"] = norm_layer(in_channels)
        layers["conv_a"] = Conv2dNormActivation(in_channels, mid, kernel_size=1, **common)
        layers["conv_b"] = Conv2dNormActivation(mid, mid, kernel_size=3, stride=stride, groups=mid, **common)
        layers["squeeze_excitation"] = SqueezeExcitation(mid, int(out_channels * squeeze_ratio), activation=nn.SiLU)
        layers["conv_c"] = nn.Conv2d(mid, out_channels, kernel_size=1, bias=True)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention among the P places of each group of (N, G, P, D), with a learned bias for each distance."""

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim != 0:
            raise ValueError(f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}")
        self.n_heads = feat_dim // head_dim
        self.head_dim = head_dim
        self.size = math.isqrt(max_seq_len)
        self.max_seq_len = max_seq_len
        self.to_qkv = nn.Linear(feat_dim, self.n_heads * self.head_dim * 3)
        self.scale_factor = feat_dim**-0.5
        self.merge = nn.Linear(self.head_dim * self.n_heads, feat_dim)
        distances = (2 * self.size - 1) ** 2
        self.relative_position_bias_table = nn.Parameter(torch.empty(distances, self.n_heads, dtype=torch.float32))
        self.register_buffer("relative_position_index", relative_position_index(self.size, self.size))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_positional_bias(self) -> Tensor:
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        bias = bias.view(self.max_seq_len, self.max_seq_len, -1)
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Tensor:
        n, g, p, d = x.shape
        qkv = self.to_qkv(x).reshape(n, g, p, 3, self.n_heads, self.head_dim)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)
        attention = q @ (k * self.scale_factor).transpose(-2, -1)
        attention = F.softmax(attention + self.get_relative_positional_bias(), dim=-1)
        return self.merge((attention @ v).permute(0, 1, 3, 2, 4).reshape(n, g, p, d))


class SwapAxes(nn.Module):
    """Two dimensions change places."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.a = a
        self.b = b

    def forward(self, x: Tensor) -> Tensor:
        return torch.swapaxes(x, self.a, self.b)


class WindowPartition(nn.Module):
    """(N, C, H, W) cut into windows of p x p: (N, HW / p^2, p^2, C)."""

    def forward(self, x: Tensor, p: int) -> Tensor:
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
        return x.reshape(n, (h // p) * (w // p), p * p, c)


class WindowDepartition(nn.Module):
    """The inverse of `WindowPartition`."""

    def forward(self, x: Tensor, p: int, h_partitions: int, w_partitions: int) -> Tensor:
        n, _, _, c = x.shape
        x = x.reshape(n, h_partitions, w_partitions, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(n, c, h_partitions * p, w_partitions * p)


class PartitionAttentionLayer(nn.Module):
    """Attention and an MLP, within windows, or within grids of places that lie windows apart."""

    def __init__(
        self,
        in_channels: int,
        head_dim: int,
        partition_size: int,
        partition_type: str,
        grid_size: Size,
        mlp_ratio: int,
        activation_layer: Layer,
        norm_layer: Layer,
        attention_dropout: float,
        mlp_dropout: float,
        p_stochastic_dropout: float,
    ) -> None:
        super().__init__()
        self.n_heads = in_channels // head_dim
        self.head_dim = head_dim
        self.n_partitions = grid_size[0] // partition_size
        self.partition_type = partition_type
        self.grid_size = grid_size
        if partition_type not in ("grid", "window"):
            raise ValueError("partition_type must be either 'grid' or 'window'")
        grid = partition_type == "grid"
        self.p, self.g = (self.n_partitions, partition_size) if grid else (partition_size, self.n_partitions)
        self.partition_op = WindowPartition()
        self.departition_op = WindowDepartition()
        self.partition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.departition_swap = SwapAxes(-2, -3) if grid else nn.Identity()
        self.attn_layer = nn.Sequential(
            norm_layer(in_channels),
            RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size**2),
            nn.Dropout(attention_dropout),
        )
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, in_channels * mlp_ratio),
            activation_layer(),
            nn.Linear(in_channels * mlp_ratio, in_channels),
            nn.Dropout(mlp_dropout),
        )
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, mode="row")

    def forward(self, x: Tensor) -> Tensor:
        if self.grid_size[0] % self.p != 0 or self.grid_size[1] % self.p != 0:
            raise AssertionError(
                "Grid size must be divisible by partition size. Got grid size of "
                f"{self.grid_size} and partition size of {self.p}"
            )
        x = self.partition_swap(self.partition_op(x, self.p))
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        x = self.departition_swap(x)
        return self.departition_op(x, self.p, self.grid_size[0] // self.p, self.grid_size[1] // self.p)


class MaxVitLayer(nn.Module):
    """A convolution block, attention within windows, attention within grids."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        p_stochastic_dropout: float,
        partition_size: int,
        grid_size: Size,
    ) -> None:
        super().__init__()
        ratios = (expansion_ratio, squeeze_ratio)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["MBconv"] = MBConv(
            in_channels, out_channels, *ratios, stride, activation_layer, norm_layer, p_stochastic_dropout
        )
        for kind in ("window", "grid"):
            layers[f"{kind}_attention"] = PartitionAttentionLayer(
                *(out_channels, head_dim, partition_size, kind, grid_size, mlp_ratio, activation_layer, nn.LayerNorm),
                *(attention_dropout, mlp_dropout, p_stochastic_dropout),
            )
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVitBlock(nn.Module):
    """`n_layers` layers, the first of which halves the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        partition_size: int,
        input_grid_size: Size,
        n_layers: int,
        p_stochastic: list[float],
    ) -> None:
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ValueError(f"p_stochastic must have length n_layers={n_layers}, got p_stochastic={p_stochastic}.")
        self.grid_size = _halved(input_grid_size)
        ratios = (squeeze_ratio, expansion_ratio)
        layers: Any = (norm_layer, activation_layer, head_dim, mlp_ratio, mlp_dropout, attention_dropout)
        self.layers = nn.ModuleList(
            MaxVitLayer(
                *(out_channels if i else in_channels, out_channels, *ratios, 1 if i else 2),
                *(*layers, p, partition_size, self.grid_size),
            )
            for i, p in enumerate(p_stochastic)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxVit(nn.Module):
    """Blocks whose windows and grids must divide their size; input (N, 3, *input_size)."""

    def __init__(
        self,
        input_size: Size,
        stem_channels: int,
        partition_size: int,
        block_channels: list[int],
        block_layers: list[int],
        head_dim: int,
        stochastic_depth_prob: float,
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.GELU,
        squeeze_ratio: float = 0.25,
        expansion_ratio: float = 4,
        mlp_ratio: int = 4,
        mlp_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        sizes = [_halved(input_size)]
        for _ in block_channels:
            sizes.append(_halved(sizes[-1]))
        _check_sizes(sizes[1:], partition_size)
        common: dict[str, Any] = dict(norm_layer=norm, activation_layer=activation_layer, bias=False, inplace=None)
        self.stem = nn.Sequential(
            Conv2dNormActivation(3, stem_channels, 3, stride=2, **common),
            Conv2dNormActivation(stem_channels, stem_channels, 3, norm_layer=None, activation_layer=None, bias=True),
        )
        self.partition_size = partition_size
        self.blocks = nn.ModuleList()
        step, done = stochastic_depth_prob / max(sum(block_layers) - 1, 1), 0
        for before, after, size, layers in zip([stem_channels, *block_channels], block_channels, sizes, block_layers):
            depths = [i * step for i in range(done, done + layers)]
            done += layers
            block = MaxVitBlock(
                *(before, after, squeeze_ratio, expansion_ratio, norm, activation_layer, head_dim, mlp_ratio),
                *(mlp_dropout, attention_dropout, partition_size, size, layers, depths),
            )
            self.blocks.append(block)
        last = block_channels[-1]
        self.classifier = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(last)),
            *(nn.Linear(last, last), nn.Tanh(), nn.Linear(last, num_classes, bias=False)),
        )
        normal = partial(nn.init.normal_, std=0.02)
        initialize(self, conv=normal, linear=normal)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)


class MaxVit_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "maxvit_t-bc5ab103.pth",
        30919624,
        (83.7, 96.722),
        5.558,
        118.769,
        resize_size=224,
        interpolation="bicubic",
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


@builder
def maxvit_t(*, weights: MaxVit_T_Weights | None = None, progress: bool = True, **kwargs: Any) -> MaxVit:
    """MaxViT, tiny."""
    if weights is not None:
        _ovewrite_named_param(kwargs, "input_size", weights.meta["min_size"])
    size = kwargs.pop("input_size", (224, 224))
    made = partial(MaxVit, head_dim=32, stochastic_depth_prob=0.2)
    return build_model(made, weights, progress, kwargs, size, 64, 7, [64, 128, 256, 512], [2, 2, 5, 2])
