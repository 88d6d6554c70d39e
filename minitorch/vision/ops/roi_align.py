"""RoIAlign (https://arxiv.org/abs/1703.06870), and its position-sensitive relative."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch import Tensor, nn

from ._regions import output_pair, pooled, region_rows, sampled_bins


def _tables(
    input: Tensor, rois: Tensor, size: tuple[int, int], scale: float, ratio: int, offset: float, least: float
) -> Iterator[tuple[Any, Any]]:
    height, width = input.shape[-2:]
    places = rois.detach().numpy()[:, 1:].astype(input.numpy(force=True).dtype)
    kind = places.dtype.type
    for x1, y1, x2, y2 in places * kind(scale) - kind(offset):
        h, w = np.maximum(y2 - y1, kind(least)), np.maximum(x2 - x1, kind(least))
        yield sampled_bins(y1, h, size[0], ratio, height), sampled_bins(x1, w, size[1], ratio, width)


def roi_align(
    input: Tensor,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Means over bins of each region, sampled between pixels: features (N, C, H, W) to (K, C, *output_size).

    `boxes` are (K, 5), with the image's number first, or a list of boxes (L, 4) per image.

    >>> import minitorch as torch
    >>> image = torch.arange(16.0).view(1, 1, 4, 4)
    >>> roi_align(image, [torch.tensor([[0.0, 0.0, 2.0, 2.0]])], 1, aligned=True)
    tensor([[[[2.5000]]]])
    """
    rois, size = region_rows(boxes), output_pair(output_size)
    offset, least = (0.5, -np.inf) if aligned else (0.0, 1.0)
    tables = _tables(input, rois, size, spatial_scale, sampling_ratio, offset, least)
    return pooled(input, rois, tables, size, apart=False)


def ps_roi_align(
    input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0, sampling_ratio: int = -1
) -> Tensor:
    """`roi_align` where each bin has its own channels (https://arxiv.org/abs/1711.07264): C * PH * PW of them to C."""
    rois, size = region_rows(boxes), output_pair(output_size)
    tables = _tables(input, rois, size, spatial_scale, sampling_ratio, 0.5, -np.inf)
    return pooled(input, rois, tables, size, apart=True)


class RoIAlign(nn.Module):
    """`roi_align` as a layer."""

    def __init__(self, output_size: Any, spatial_scale: float, sampling_ratio: int, aligned: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned})"
        )


class PSRoIAlign(nn.Module):
    """`ps_roi_align` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio

    def forward(self, input: Tensor, rois: Any) -> Tensor:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio})"
        )
