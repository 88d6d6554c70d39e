"""Convolutions' weights in another order of dimensions in memory."""

from typing import Any, TypeVar

from minitorch.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from minitorch.nn.modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)


def _convert(module: M, memory_format: Any, kinds: tuple[type[Module], ...]) -> M:
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.weight.data = layer.weight.detach().clone().contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Same as torch's: weights of Conv2d and ConvTranspose2d within the module to this memory format."""
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """Same as torch's: weights of Conv3d and ConvTranspose3d within the module to this memory format."""
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
