"""RoIAlign over the levels of a feature pyramid."""

import math
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ._regions import region_rows
from .boxes import box_area
from .roi_align import roi_align


class LevelMapper:
    """The level for each box by its size, equation 1 of https://arxiv.org/abs/1612.03144."""

    def __init__(
        self, k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4, eps: float = 1e-6
    ) -> None:
        self.k_min = k_min
        self.k_max = k_max
        self.s0 = canonical_scale
        self.lvl0 = canonical_level
        self.eps = eps

    def __call__(self, boxlists: list[Tensor]) -> Tensor:
        size = torch.sqrt(torch.cat([box_area(boxes) for boxes in boxlists]))
        level = torch.floor(self.lvl0 + torch.log2(size / self.s0) + self.eps)
        return level.clamp(min=self.k_min, max=self.k_max).to(torch.int64) - self.k_min


class MultiScaleRoIAlign(nn.Module):
    """`roi_align` of each box on the level of features that fits its size.

    >>> import minitorch as torch
    >>> pool = MultiScaleRoIAlign(["0", "1"], 3, 2)
    >>> features = {"0": torch.ones(1, 5, 64, 64), "1": torch.ones(1, 5, 32, 32)}
    >>> pool(features, [torch.tensor([[10.0, 10.0, 100.0, 90.0]])], [(256, 256)]).shape
    torch.Size([1, 5, 3, 3])
    """

    def __init__(
        self,
        featmap_names: list[str],
        output_size: Any,
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names = featmap_names
        self.sampling_ratio = sampling_ratio
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        self.scales: list[float] | None = None
        self.map_levels: LevelMapper | None = None
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def _levels(self, features: list[Tensor], image_shapes: list[tuple[int, int]]) -> tuple[list[float], LevelMapper]:
        """The powers of two that the features are smaller by than the largest image."""
        if not image_shapes:
            raise ValueError("images list should not be empty")
        height = max([shape[0] for shape in image_shapes])
        scales = [2.0 ** round(math.log2(f.shape[-2] / height)) for f in features]
        ends = [int(-math.log2(scale)) for scale in (scales[0], scales[-1])]
        return scales, LevelMapper(ends[0], ends[1], self.canonical_scale, self.canonical_level)

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        features = [value for name, value in x.items() if name in self.featmap_names]
        if self.scales is None or self.map_levels is None:
            self.scales, self.map_levels = self._levels(features, image_shapes)
        rois = region_rows(boxes)
        if len(features) == 1:
            return roi_align(features[0], rois, self.output_size, self.scales[0], self.sampling_ratio)
        levels = self.map_levels(boxes)
        result = torch.zeros((len(rois), features[0].shape[1], *self.output_size), dtype=features[0].dtype)
        for level, (feature, scale) in enumerate(zip(features, self.scales)):
            chosen = torch.where(levels == level)[0]
            result[chosen] = roi_align(feature, rois[chosen], self.output_size, scale, self.sampling_ratio)
        return result

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(featmap_names={self.featmap_names}, output_size={self.output_size}, "
            f"sampling_ratio={self.sampling_ratio})"
        )
