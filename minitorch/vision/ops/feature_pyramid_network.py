"""Feature pyramids (https://arxiv.org/abs/1612.03144)."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import minitorch.nn.functional as F
from minitorch import Tensor, nn

from .misc import Conv2dNormActivation


class ExtraFPNBlock(nn.Module):
    """Base of blocks that add levels to a pyramid."""

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        """More results with their names, from the pyramid's, from its inputs `x`, and from the names so far."""
        raise NotImplementedError


class FeaturePyramidNetwork(nn.Module):
    """Features of several sizes with `out_channels` each, every one told of those coarser than it.

    >>> import minitorch as torch
    >>> fpn = FeaturePyramidNetwork([4, 8], 3)
    >>> out = fpn({"fine": torch.rand(1, 4, 8, 8), "coarse": torch.rand(1, 8, 4, 4)})
    >>> [(name, tuple(x.shape)) for name, x in out.items()]
    [('fine', (1, 3, 8, 8)), ('coarse', (1, 3, 4, 4))]
    """

    _version = 2

    def __init__(
        self,
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList()
        self.layer_blocks = nn.ModuleList()
        plain: dict[str, Any] = dict(norm_layer=norm_layer, activation_layer=None)
        for in_channels in in_channels_list:
            if in_channels == 0:
                raise ValueError("in_channels=0 is currently not supported")
            self.inner_blocks.append(Conv2dNormActivation(in_channels, out_channels, 1, padding=0, **plain))
            self.layer_blocks.append(Conv2dNormActivation(out_channels, out_channels, 3, **plain))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _start(module)
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeError(f"extra_blocks should be of type ExtraFPNBlock not {type(extra_blocks)}")
        self.extra_blocks = extra_blocks

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *args: Any
    ) -> None:
        if local_metadata.get("version", 1) < 2:  # then the convolutions were the blocks themselves
            for block in ("inner_blocks", "layer_blocks"):
                for i in range(len(self.inner_blocks)):
                    for name in ("weight", "bias"):
                        old = f"{prefix}{block}.{i}.{name}"
                        if old in state_dict:
                            state_dict[f"{prefix}{block}.{i}.0.{name}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        names, inputs = list(x), list(x.values())
        results: list[Tensor] = []
        coarser: Tensor | None = None
        for i in range(len(inputs) - 1, -1, -1):
            inner = self.inner_blocks[i](inputs[i])
            if coarser is not None:
                inner = inner + F.interpolate(coarser, size=inner.shape[-2:], mode="nearest")
            coarser = inner
            results.insert(0, self.layer_blocks[i](inner))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, inputs, names)
        return OrderedDict(zip(names, results))


def _start(module: Any) -> None:
    nn.init.kaiming_uniform_(module.weight, a=1)
    if module.bias is not None:
        nn.init.constant_(module.bias, 0)


class LastLevelMaxPool(ExtraFPNBlock):
    """One more level, every second pixel of the coarsest."""

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        names.append("pool")
        results.append(F.max_pool2d(results[-1], kernel_size=1, stride=2, padding=0))
        return results, names


class LastLevelP6P7(ExtraFPNBlock):
    """Two more levels by convolutions, as RetinaNet has them."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, 1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for module in (self.p6, self.p7):
            _start(module)
        self.use_P5 = in_channels == out_channels

    def forward(self, results: list[Tensor], x: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        p6 = self.p6(results[-1] if self.use_P5 else x[-1])
        results.extend([p6, self.p7(F.relu(p6))])
        names.extend(["p6", "p7"])
        return results, names
