"""RoIPool (https://arxiv.org/abs/1504.08083), and its position-sensitive relative (https://arxiv.org/abs/1605.06409)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor, nn

from ._regions import output_pair, pooled, region_rows, rounded_region, whole_bins


def roi_pool(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """Maxima over bins of each region, in whole pixels: (N, C, H, W) to (K, C, *output_size); 0 for an empty bin."""
    rois, size = region_rows(boxes), output_pair(output_size)
    height, width = input.shape[-2:]
    results = []
    for row in rois.detach().numpy():
        x1, y1, x2, y2 = rounded_region(row, spatial_scale)
        down = whole_bins(y1, max(int(y2 - y1) + 1, 1), size[0], height)
        across = whole_bins(x1, max(int(x2 - x1) + 1, 1), size[1], width)
        image = input[int(row[0])]
        bins = [_maximum(image[:, a:b, c:d]) for a, b in down for c, d in across]
        results.append(torch.stack(bins, 1).reshape(-1, *size))
    return torch.stack(results) if results else input.new_zeros((0, input.shape[1], *size))


def _maximum(part: Tensor) -> Tensor:
    flat = part.reshape(part.shape[0], -1)
    return flat.max(dim=1).values if flat.shape[1] else part.new_zeros(part.shape[0])


def ps_roi_pool(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """Means over bins in whole pixels, each bin with its own channels: C * PH * PW of them to C.

    As torchvision's kernel for the CPU does, bins end before the last row and column.
    """
    rois, size = region_rows(boxes), output_pair(output_size)
    if input.shape[1] % (size[0] * size[1]):
        raise RuntimeError("input channels must be a multiple of pooling height * pooling width")
    return pooled(input, rois, _mean_tables(input, rois, size, spatial_scale), size, apart=True)


def _mean_tables(input: Tensor, rois: Tensor, size: tuple[int, int], scale: float) -> Iterator[tuple[Any, Any]]:
    dtype = input.numpy(force=True).dtype
    for row in rois.detach().numpy():
        x1, y1, x2, y2 = rounded_region(row, scale)
        tables = []
        for start, end, bins, length in ((y1, y2, size[0], input.shape[-2]), (x1, x2, size[1], input.shape[-1])):
            weights = np.zeros((bins, length), dtype)
            for i, (a, b) in enumerate(whole_bins(start, max(int(end - start), 1), bins, length - 1)):
                weights[i, a:b] = 1 / max(b - a, 1)
            tables.append(weights)
        yield tables[0], tables[1]


class RoIPool(nn.Module):
    """`roi_pool` as a layer."""

    _pool = staticmethod(roi_pool)

    def __init__(self, output_size: Any, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return self._pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"


class PSRoIPool(RoIPool):
    """`ps_roi_pool` as a layer."""

    _pool = staticmethod(ps_roi_pool)
