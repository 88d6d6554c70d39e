"""Orders of dimensions in memory: `channels_last` and `channels_last_3d` have dimension 1 as the innermost."""

from functools import lru_cache
from typing import Any

import numpy as np

from minitorch._kernels.copies import copy
from minitorch._kernels.strided import channels_last_strides, restrided
from minitorch._layout import channels_last, channels_last_3d, contiguous_format

from .op import structured

RANK = {channels_last: 4, channels_last_3d: 5}
OF_RANK = {rank: memory_format for memory_format, rank in RANK.items()}


def check_rank(shape: tuple[int, ...], memory_format: Any) -> None:
    rank = RANK[memory_format]
    if len(shape) != rank:
        raise RuntimeError(f"required rank {rank} tensor to use {memory_format.name} format")


def in_format(a: Any, memory_format: Any) -> Any:
    """A contiguous array nobody else holds in torch's memory format: the elements are equal, or of no account."""
    if memory_format not in RANK:
        return a
    check_rank(a.shape, memory_format)
    return restrided(a, a.shape, channels_last_strides(a.shape, a.dtype.itemsize))


def suggested(a: Any) -> Any:
    """The format that torch takes these strides for: dimension 1 innermost and the others in order, gaps or not."""
    return _suggested(a.shape, a.strides) if a.ndim in OF_RANK else contiguous_format


@lru_cache(4096)
def _suggested(shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    if not strides[1]:  # expanded along dimension 1
        return contiguous_format
    least = 0
    for d in (1, *range(len(shape) - 1, 1, -1), 0):
        # the last condition: where only N exceeds 1 the strides tell nothing
        if not shape[d] or strides[d] < least or (d == 0 and least == strides[1]):
            return contiguous_format
        least = strides[d] * max(shape[d], 1)
    return OF_RANK[len(shape)]


@structured(tensors="input", title="Clone", halves="bits")
def clone_channels_last(input):
    """A copy in which dimension 1 is innermost."""
    return input.shape, input.dtype


@clone_channels_last.cpu
def clone_channels_last_cpu(input):
    made = restrided(
        np.empty(input.shape, input.dtype), input.shape, channels_last_strides(input.shape, input.itemsize)
    )
    copy(made, input)
    return made


@clone_channels_last.grad("input")
def clone_channels_last_grad(g):
    return g
