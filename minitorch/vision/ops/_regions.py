"""Pooling over regions: what each bin takes from each row and column, as matrices, and their products with images."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor


def region_rows(boxes: Any) -> Tensor:
    """Regions (K, 5), the image's number before each box, of such a tensor or of a list of boxes (L, 4) per image."""
    if isinstance(boxes, (list, tuple)):
        for each in boxes:
            if each.size(1) != 4:
                raise AssertionError("The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]")
        return torch.cat([torch.cat([torch.full_like(b[:, :1], i), b], 1) for i, b in enumerate(boxes)])
    if not isinstance(boxes, Tensor):
        raise AssertionError("boxes is expected to be a Tensor[L, 5] or a List[Tensor[K, 4]]")
    if boxes.size(1) != 5:
        raise AssertionError("The boxes tensor shape is not correct as Tensor[K, 5]")
    return boxes


def output_pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def sampled_bins(start: Any, length: Any, bins: int, ratio: int, size: int) -> Any:
    """Weights (bins, size) of the means of samples between pixels: `ratio` to a bin, or about one to a pixel."""
    dtype = start.dtype
    count = ratio if ratio > 0 else int(np.ceil(length / bins))
    weights = np.zeros((bins, size), dtype)
    if count == 0:
        return weights
    step = length / dtype.type(bins)
    samples = (np.arange(count, dtype=dtype) + dtype.type(0.5)) * (step / dtype.type(count))
    place = start + np.arange(bins, dtype=dtype)[:, None] * step + samples
    outside = (place < -1) | (place > size)
    place = np.clip(place, 0, size - 1)
    low = np.minimum(place.astype(np.int64), max(size - 2, 0))
    part = np.where(outside, 0, place - low)
    rows = np.broadcast_to(np.arange(bins)[:, None], low.shape)
    np.add.at(weights, (rows, low), np.where(outside, 0, 1 - part) / count)
    np.add.at(weights, (rows, np.minimum(low + 1, size - 1)), part / count)
    return weights


def whole_bins(start: float, length: int, bins: int, limit: int) -> list[tuple[int, int]]:
    """From where to where each bin reaches, in whole pixels below the limit."""
    step = np.float32(length) / np.float32(bins)
    ends = [(int(np.floor(i * step)), int(np.ceil((i + 1) * step))) for i in range(bins)]
    return [(min(max(int(a + start), 0), limit), min(max(int(b + start), 0), limit)) for a, b in ends]


def rounded_region(row: Any, scale: float) -> tuple[float, float, float, float]:
    """The region's corners in whole pixels of the feature map, halves away from zero."""
    x1, y1, x2, y2 = [float(np.floor(abs(v) + 0.5) * np.sign(v)) for v in row[1:] * scale]
    return x1, y1, x2, y2


def _reach(weights: Any) -> slice:
    used = np.flatnonzero(weights.any(axis=0))
    return slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)


def pooled(
    input: Tensor, rois: Tensor, tables: Iterator[tuple[Any, Any]], size: tuple[int, int], apart: bool
) -> Tensor:
    """For each region its matrix of rows times the image times its matrix of columns, (K, C, PH, PW).

    `apart`: every bin has channels of its own, C * PH * PW in all.
    """
    results = []
    for number, (down, across) in zip(rois[:, 0].tolist(), tables):
        ys, xs = _reach(down), _reach(across)
        part = input[int(number), :, ys, xs]
        rows, columns = torch.from_numpy(down[:, ys].copy()), torch.from_numpy(across[:, xs].copy())
        if apart:
            parts = part.reshape(-1, *size, *part.shape[-2:])
            results.append(((rows[:, None, :, None] * columns[None, :, None, :]) * parts).sum((-1, -2)))
        else:
            results.append(torch.matmul(torch.matmul(rows, part), columns.T))
    channels = input.shape[1] // (size[0] * size[1] if apart else 1)
    return torch.stack(results) if results else input.new_zeros((0, channels, *size))
