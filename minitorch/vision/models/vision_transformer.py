"""Vision transformers: "An Image is Worth 16x16 Words" (https://arxiv.org/abs/2010.11929)."""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ..ops.misc import MLP, Conv2dNormActivation
from ._api import WeightsEnum
from ._utils import _ovewrite_named_param, build_model, builder
from ._weights import SWAG, imagenet

__all__ = [
    "VisionTransformer",
    "vit_b_16",
    "vit_b_32",
    "vit_l_16",
    "vit_l_32",
    "vit_h_14",
    "ViT_B_16_Weights",
    "ViT_B_32_Weights",
    "ViT_L_16_Weights",
    "ViT_L_32_Weights",
    "ViT_H_14_Weights",
]

_layer_norm = partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """A convolution of those that may stand before the transformer (https://arxiv.org/abs/2106.14881)."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d
    activation_layer: Callable[..., nn.Module] = nn.ReLU


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


class MLPBlock(MLP):
    """Two linear layers with GELU between them."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: Any, *args: Any) -> None:
        if (local_metadata.get("version") or 1) < 2:  # the layers had names then
            for old, new in (("linear_1", "0"), ("linear_2", "3")):
                for kind in ("weight", "bias"):
                    if f"{prefix}{old}.{kind}" in state_dict:
                        state_dict[f"{prefix}{new}.{kind}"] = state_dict.pop(f"{prefix}{old}.{kind}")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class EncoderBlock(nn.Module):
    """Attention, then an MLP, each after a layer norm and added to its input; (N, S, hidden_dim) both ways."""

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Callable[..., nn.Module] = _layer_norm,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        _check(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The sequence with its learned positions added, through all blocks."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Callable[..., nn.Module] = _layer_norm,
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(num_layers):
            layers[f"encoder_layer_{i}"] = EncoderBlock(
                num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
            )
        self.layers = nn.Sequential(layers)
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        _check(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches of a picture as a sequence, a class token before them; input (N, 3, image_size, image_size).

    >>> tiny = VisionTransformer(32, 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=10)
    >>> tiny(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Callable[..., nn.Module] = _layer_norm,
        conv_stem_configs: list[ConvStemConfig] | None = None,
    ) -> None:
        super().__init__()
        _check(image_size % patch_size == 0, "Input shape indivisible by patch size!")
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.mlp_dim = mlp_dim
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.num_classes = num_classes
        self.representation_size = representation_size
        self.norm_layer = norm_layer
        self.conv_proj: nn.Module
        if conv_stem_configs is None:
            self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        else:
            self.conv_proj = _stem(conv_stem_configs, hidden_dim)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
        )
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is None:
            heads["head"] = nn.Linear(hidden_dim, num_classes)
        else:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
            heads["head"] = nn.Linear(representation_size, num_classes)
        self.heads = nn.Sequential(heads)
        self._init_weights()

    def _init_weights(self) -> None:
        proj = self.conv_proj
        if isinstance(proj, nn.Conv2d):
            nn.init.trunc_normal_(proj.weight, std=math.sqrt(1 / (3 * self.patch_size**2)))
        else:
            proj = proj.conv_last
            nn.init.normal_(proj.weight, mean=0.0, std=math.sqrt(2.0 / self.hidden_dim))
        nn.init.zeros_(proj.bias)
        if self.representation_size is not None:
            pre_logits = self.heads.pre_logits
            nn.init.trunc_normal_(pre_logits.weight, std=math.sqrt(1 / self.hidden_dim))
            nn.init.zeros_(pre_logits.bias)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        _check(h == self.image_size, f"Wrong image height! Expected {self.image_size} but got {h}!")
        _check(w == self.image_size, f"Wrong image width! Expected {self.image_size} but got {w}!")
        return self.conv_proj(x).reshape(n, self.hidden_dim, -1).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _stem(configs: list[ConvStemConfig], hidden_dim: int) -> nn.Sequential:
    stem, channels = nn.Sequential(), 3
    for i, c in enumerate(configs):
        block = Conv2dNormActivation(
            channels,
            c.out_channels,
            c.kernel_size,
            c.stride,
            norm_layer=c.norm_layer,
            activation_layer=c.activation_layer,
        )
        stem.add_module(f"conv_bn_relu_{i}", block)
        channels = c.out_channels
    stem.add_module("conv_last", nn.Conv2d(channels, hidden_dim, kernel_size=1))
    return stem


def _vision_transformer(
    patch_size: int,
    size: tuple[int, int, int, int],
    weights: WeightsEnum | None,
    progress: bool,
    kwargs: dict[str, Any],
) -> VisionTransformer:
    """`size` is the number of layers, of heads, of hidden features, and of features within an MLP."""
    if weights is not None:
        _ovewrite_named_param(kwargs, "image_size", weights.meta["min_size"][0])
    image_size = kwargs.pop("image_size", 224)
    return build_model(VisionTransformer, weights, progress, kwargs, image_size, patch_size, *size)


class ViT_B_16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vit_b_16-c867db91.pth", 86567656, (81.072, 95.318), 17.564, 330.285, min_size=(224, 224))
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_b_16_swag-9ac1b537.pth",
        86859496,
        (85.304, 97.65),
        55.484,
        331.398,
        crop_size=384,
        resize_size=384,
        interpolation="bicubic",
        license=SWAG,
        min_size=(384, 384),
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_b_16_lc_swag-4e70ced5.pth",
        86567656,
        (81.886, 96.18),
        17.564,
        330.285,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


class ViT_B_32_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vit_b_32-d86f8d99.pth", 88224232, (75.912, 92.466), 4.409, 336.604, min_size=(224, 224))
    DEFAULT = IMAGENET1K_V1


class ViT_L_16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "vit_l_16-852ce7e3.pth", 304326632, (79.662, 94.638), 61.555, 1161.023, resize_size=242, min_size=(224, 224)
    )
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_l_16_swag-4f3808c9.pth",
        305174504,
        (88.064, 98.512),
        361.986,
        1164.258,
        crop_size=512,
        resize_size=512,
        interpolation="bicubic",
        license=SWAG,
        min_size=(512, 512),
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_l_16_lc_swag-4d563306.pth",
        304326632,
        (85.146, 97.422),
        61.555,
        1161.023,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_V1


class ViT_L_32_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vit_l_32-c7638314.pth", 306535400, (76.972, 93.07), 15.378, 1169.449, min_size=(224, 224))
    DEFAULT = IMAGENET1K_V1


class ViT_H_14_Weights(WeightsEnum):
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "vit_h_14_swag-80465313.pth",
        633470440,
        (88.552, 98.694),
        1016.717,
        2416.643,
        crop_size=518,
        resize_size=518,
        interpolation="bicubic",
        license=SWAG,
        min_size=(518, 518),
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "vit_h_14_lc_swag-c1eb923e.pth",
        632045800,
        (85.708, 97.73),
        167.295,
        2411.209,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
        min_size=(224, 224),
    )
    DEFAULT = IMAGENET1K_SWAG_E2E_V1


_BASE, _LARGE, _HUGE = (12, 12, 768, 3072), (24, 16, 1024, 4096), (32, 16, 1280, 5120)


@builder
def vit_b_16(*, weights: ViT_B_16_Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """The base transformer on patches of 16x16."""
    return _vision_transformer(16, _BASE, weights, progress, kwargs)


@builder
def vit_b_32(*, weights: ViT_B_32_Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """The base transformer on patches of 32x32."""
    return _vision_transformer(32, _BASE, weights, progress, kwargs)


@builder
def vit_l_16(*, weights: ViT_L_16_Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """The large transformer on patches of 16x16."""
    return _vision_transformer(16, _LARGE, weights, progress, kwargs)


@builder
def vit_l_32(*, weights: ViT_L_32_Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """The large transformer on patches of 32x32."""
    return _vision_transformer(32, _LARGE, weights, progress, kwargs)


@builder
def vit_h_14(*, weights: ViT_H_14_Weights | None = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
    """The huge transformer on patches of 14x14."""
    return _vision_transformer(14, _HUGE, weights, progress, kwargs)


def interpolate_embeddings(
    image_size: int,
    patch_size: int,
    model_state: "OrderedDict[str, Tensor]",
    interpolation_mode: str = "bicubic",
    reset_heads: bool = False,
) -> "OrderedDict[str, Tensor]":
    """A state_dict for pictures of another size: the learned positions are resized as a picture is.

    The dict is changed in place; `reset_heads` returns one without the classifier instead.
    """
    embedding = model_state["encoder.pos_embedding"]
    n, seq_length, hidden_dim = embedding.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {embedding.shape}")
    side, new_side = math.isqrt(seq_length - 1), image_size // patch_size
    if new_side**2 + 1 == seq_length:
        return model_state
    if side * side != seq_length - 1:
        raise ValueError(
            f"seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = {side * side} and "
            f"seq_length = {seq_length - 1}"
        )
    token, grid = embedding[:, :1, :], embedding[:, 1:, :].permute(0, 2, 1).reshape(1, hidden_dim, side, side)
    grid = F.interpolate(grid, size=new_side, mode=interpolation_mode, align_corners=True)
    grid = grid.reshape(1, hidden_dim, new_side**2).permute(0, 2, 1)
    model_state["encoder.pos_embedding"] = torch.cat([token, grid], dim=1)
    if reset_heads:
        return OrderedDict((k, v) for k, v in model_state.items() if not k.startswith("heads"))
    return model_state
