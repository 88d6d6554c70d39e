"""Swin Transformer (https://arxiv.org/abs/2103.14030) and its second version (https://arxiv.org/abs/2111.09883)."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ..ops.misc import MLP, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import build_model, builder, initialize, relative_position_index
from ._weights import imagenet

__all__ = [
    "SwinTransformer",
    "swin_t",
    "swin_s",
    "swin_b",
    "swin_v2_t",
    "swin_v2_s",
    "swin_v2_b",
    "Swin_T_Weights",
    "Swin_S_Weights",
    "Swin_B_Weights",
    "Swin_V2_T_Weights",
    "Swin_V2_S_Weights",
    "Swin_V2_B_Weights",
]

Layer = Callable[..., nn.Module]


def _patch_merging_pad(x: Tensor) -> Tensor:
    """Four neighbours each become one place: (..., H, W, C) to (..., H/2, W/2, 4C), odd sizes padded."""
    height, width, _ = x.shape[-3:]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    return torch.cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


class PatchMerging(nn.Module):
    """Half the size and twice the channels, normalised before the linear layer."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(_patch_merging_pad(x)))


class PatchMergingV2(nn.Module):
    """Half the size and twice the channels, normalised after the linear layer."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(_patch_merging_pad(x)))


def _region(size: int, window: int, shift: int) -> Tensor:
    """Numbers that differ where places of a window were not neighbours before the shift."""
    place = torch.arange(size)
    return (place >= size - window).int() + (place >= size - shift).int() if shift else 0 * place


def _windows(x: Tensor, window: list[int]) -> Tensor:
    """(N, H, W, C) cut into windows of P places: (N H W / P, P, C)."""
    n, h, w, c = x.shape
    x = x.view(n, h // window[0], window[0], w // window[1], window[1], c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window[0] * window[1], c)


def _shift_mask(size: tuple[int, int], window: list[int], shift: list[int], x: Tensor) -> Tensor:
    """What is added to the attention of each window, so that only former neighbours see each other: (windows, P, P)."""
    rows, columns = [_region(*sizes) for sizes in zip(size, window, shift)]
    regions = _windows((3 * rows.unsqueeze(1) + columns).view(1, *size, 1), window).squeeze(-1)
    differ = (regions.unsqueeze(1) != regions.unsqueeze(2)).to(x.device)
    return torch.zeros(differ.shape, dtype=x.dtype, device=x.device).masked_fill(differ, -100.0)


def shifted_window_attention(
    input: Tensor,
    qkv_weight: Tensor,
    proj_weight: Tensor,
    relative_position_bias: Tensor,
    window_size: list[int],
    num_heads: int,
    shift_size: list[int],
    attention_dropout: float = 0.0,
    dropout: float = 0.0,
    qkv_bias: Tensor | None = None,
    proj_bias: Tensor | None = None,
    logit_scale: Tensor | None = None,
    training: bool = True,
) -> Tensor:
    """Attention within windows of (N, H, W, C), shifted by `shift_size`; with `logit_scale` by cosines (version 2)."""
    n, height, width, c = input.shape
    x = F.pad(input, (0, 0, 0, -width % window_size[1], 0, -height % window_size[0]))
    h, w = x.shape[1:3]
    # A window over everything has no neighbours to look at.
    shift = [0 if window >= size else s for window, size, s in zip(window_size, (h, w), shift_size)]
    if any(shift):
        x = torch.roll(x, shifts=(-shift[0], -shift[1]), dims=(1, 2))
    x = _windows(x, window_size)
    windows, places, _ = x.shape
    if logit_scale is not None and qkv_bias is not None:
        keys = slice(c, 2 * c)
        qkv_bias = qkv_bias.clone()
        qkv_bias[keys].zero_()
    qkv = F.linear(x, qkv_weight, qkv_bias)
    q, k, v = qkv.reshape(windows, places, 3, num_heads, c // num_heads).permute(2, 0, 3, 1, 4)
    if logit_scale is not None:
        attention = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attention = attention * torch.clamp(logit_scale, max=math.log(100.0)).exp()
    else:
        attention = (q * (c // num_heads) ** -0.5) @ k.transpose(-2, -1)
    attention = attention + relative_position_bias
    if any(shift):
        mask = _shift_mask((h, w), window_size, shift, x).unsqueeze(1)
        attention = (attention.view(n, windows // n, num_heads, places, places) + mask).view_as(attention)
    attention = F.dropout(F.softmax(attention, dim=-1), p=attention_dropout, training=training)
    x = (attention @ v).transpose(1, 2).reshape(windows, places, c)
    x = F.dropout(F.linear(x, proj_weight, proj_bias), p=dropout, training=training)
    x = x.view(n, h // window_size[0], w // window_size[1], window_size[0], window_size[1], c)
    x = x.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
    if any(shift):
        x = torch.roll(x, shifts=(shift[0], shift[1]), dims=(1, 2))
    return x[:, :height, :width, :].contiguous()


class ShiftedWindowAttention(nn.Module):
    """`shifted_window_attention` with learned weights and a learned bias for each distance."""

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size = window_size
        self.shift_size = shift_size
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.register_buffer("relative_position_index", relative_position_index(*window_size).flatten())

    def define_relative_position_bias_table(self) -> None:
        distances = math.prod(2 * size - 1 for size in self.window_size)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(distances, self.num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def _bias_of(self, table: Tensor) -> Tensor:
        places = math.prod(self.window_size)
        bias = table[self.relative_position_index].view(places, places, -1)
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)

    def get_relative_position_bias(self) -> Tensor:
        return self._bias_of(self.relative_position_bias_table)

    def forward(self, x: Tensor) -> Tensor:
        return shifted_window_attention(
            x,
            self.qkv.weight,  # type: ignore[arg-type]
            self.proj.weight,  # type: ignore[arg-type]
            self.get_relative_position_bias(),
            self.window_size,
            self.num_heads,
            shift_size=self.shift_size,
            attention_dropout=self.attention_dropout,
            dropout=self.dropout,
            qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias,
            logit_scale=getattr(self, "logit_scale", None),
            training=self.training,
        )


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Attention by cosines; the bias for each distance comes from a small network of the distance's logarithm."""

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        options = (qkv_bias, proj_bias, attention_dropout, dropout)
        super().__init__(dim, window_size, shift_size, num_heads, *options)
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones((num_heads, 1, 1))))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False))
        if qkv_bias:
            self.qkv.bias[dim : 2 * dim].data.zero_()

    def define_relative_position_bias_table(self) -> None:
        axes = [torch.arange(1 - size, size, dtype=torch.float32) / (size - 1) for size in self.window_size]
        table = 8 * torch.stack(torch.meshgrid(axes, indexing="ij"), dim=-1).unsqueeze(0)
        self.register_buffer("relative_coords_table", torch.sign(table) * torch.log2(torch.abs(table) + 1.0) / 3.0)

    def get_relative_position_bias(self) -> Tensor:
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)
        return 16 * torch.sigmoid(self._bias_of(table))


class SwinTransformerBlock(nn.Module):
    """Attention, then an MLP, each after a norm, left out at random in training, and added to its input."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        dropouts: dict[str, Any] = dict(attention_dropout=attention_dropout, dropout=dropout)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, **dropouts)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for m in self.mlp.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """The block of version 2: the norms come after attention and MLP."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttentionV2,
    ) -> None:
        options = (mlp_ratio, dropout, attention_dropout, stochastic_depth_prob, norm_layer, attn_layer)
        super().__init__(dim, num_heads, window_size, shift_size, *options)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """Stages of blocks on patches, every second block with shifted windows; input (N, 3, H, W)."""

    def __init__(
        self,
        patch_size: list[int],
        embed_dim: int,
        depths: list[int],
        num_heads: list[int],
        window_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        block: Layer | None = None,
        downsample_layer: Layer = PatchMerging,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        block = block or SwinTransformerBlock
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-5)
        patches = nn.Conv2d(3, embed_dim, kernel_size=tuple(patch_size), stride=tuple(patch_size))
        layers: list[nn.Module] = [nn.Sequential(patches, Permute([0, 2, 3, 1]), norm(embed_dim))]
        common: dict[str, Any] = dict(
            mlp_ratio=mlp_ratio, dropout=dropout, attention_dropout=attention_dropout, norm_layer=norm
        )
        shifts = [[0, 0], [w // 2 for w in window_size]]
        before, total = 0, sum(depths)
        dim = embed_dim
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            dim = embed_dim * 2**i
            stage = []
            for j in range(depth):
                probability = stochastic_depth_prob * (before + j) / (total - 1)
                windows: dict[str, Any] = dict(window_size=window_size, shift_size=shifts[j % 2])
                stage.append(block(dim, heads, **windows, stochastic_depth_prob=probability, **common))
            before += depth
            layers.append(nn.Sequential(*stage))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm))
        self.features = nn.Sequential(*layers)
        self.norm = norm(dim)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        initialize(self, linear=partial(nn.init.trunc_normal_, std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        x = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(x)))


def _swin_transformer(
    size: str,
    stochastic_depth_prob: float,
    weights: WeightsEnum | None,
    progress: bool,
    kwargs: dict[str, Any],
    window_size: int = 7,
    **version: Any,
) -> SwinTransformer:
    embed_dim, depth, heads = dict(t=(96, 6, 3), s=(96, 18, 3), b=(128, 18, 4))[size]
    made = partial(SwinTransformer, stochastic_depth_prob=stochastic_depth_prob, **version)
    stages = ([2, 2, depth, 2], [heads, 2 * heads, 4 * heads, 8 * heads])
    return build_model(made, weights, progress, kwargs, [4, 4], embed_dim, *stages, [window_size] * 2)


class Swin_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_t-704ceda3.pth",
        28288354,
        (81.474, 95.776),
        4.491,
        108.19,
        resize_size=232,
        interpolation="bicubic",
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


class Swin_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_s-5e29d889.pth",
        49606258,
        (83.196, 96.36),
        8.741,
        189.786,
        resize_size=246,
        interpolation="bicubic",
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


class Swin_B_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_b-68c6b09e.pth",
        87768224,
        (83.582, 96.64),
        15.431,
        335.364,
        resize_size=238,
        interpolation="bicubic",
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


class Swin_V2_T_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_t-b137f0e2.pth",
        28351570,
        (82.072, 96.132),
        5.94,
        108.626,
        crop_size=256,
        resize_size=260,
        interpolation="bicubic",
        min_size=(256, 256),
    )
    DEFAULT = IMAGENET1K_V1


class Swin_V2_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_s-637d8ceb.pth",
        49737442,
        (83.712, 96.816),
        11.546,
        190.675,
        crop_size=256,
        resize_size=260,
        interpolation="bicubic",
        min_size=(256, 256),
    )
    DEFAULT = IMAGENET1K_V1


class Swin_V2_B_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "swin_v2_b-781e5279.pth",
        87930848,
        (84.112, 96.864),
        20.325,
        336.372,
        crop_size=256,
        resize_size=272,
        interpolation="bicubic",
        min_size=(256, 256),
    )
    DEFAULT = IMAGENET1K_V1


@builder
def swin_t(*, weights: Swin_T_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin, tiny."""
    return _swin_transformer("t", 0.2, weights, progress, kwargs)


@builder
def swin_s(*, weights: Swin_S_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin, small."""
    return _swin_transformer("s", 0.3, weights, progress, kwargs)


@builder
def swin_b(*, weights: Swin_B_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin, base."""
    return _swin_transformer("b", 0.5, weights, progress, kwargs)


_V2: dict[str, Any] = dict(window_size=8, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)


@builder
def swin_v2_t(*, weights: Swin_V2_T_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2, tiny."""
    return _swin_transformer("t", 0.2, weights, progress, kwargs, **_V2)


@builder
def swin_v2_s(*, weights: Swin_V2_S_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2, small."""
    return _swin_transformer("s", 0.3, weights, progress, kwargs, **_V2)


@builder
def swin_v2_b(*, weights: Swin_V2_B_Weights | None = None, progress: bool = True, **kwargs: Any) -> SwinTransformer:
    """Swin V2, base."""
    return _swin_transformer("b", 0.5, weights, progress, kwargs, **_V2)
