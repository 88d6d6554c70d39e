"""Boxes: how much they overlap, which of them to keep, and their formats."""

import math

import numpy as np

import minitorch as torch
from minitorch import Tensor


def upcast(t: Tensor) -> Tensor:
    """In a dtype in which products of coordinates do not overflow."""
    if t.is_floating_point():
        return t if t.dtype in (torch.float32, torch.float64) else t.float()
    return t if t.dtype in (torch.int32, torch.int64) else t.int()


# ---------------------------------------------------------------------- suppression
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Which boxes (N, 4) to keep, best scores first: those that overlap no better one by more than the threshold.

    >>> import minitorch as torch
    >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
    >>> nms(boxes, torch.tensor([0.7, 0.9, 0.8]), 0.5)
    tensor([1, 2])
    """
    _check_nms(boxes, scores)
    order = np.argsort(-scores.detach().numpy(), kind="stable")
    x1, y1, x2, y2 = boxes.detach().numpy()[order].T
    area = (x2 - x1) * (y2 - y1)
    left, kept = np.arange(len(order)), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left])
        height = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore", divide="ignore"):  # boxes without an area overlap by nan, which is kept
            left = left[~(inter / (area[best] + area[left] - inter) > iou_threshold)]
    return torch.from_numpy(order[np.array(kept, dtype=np.int64)])


def _check_nms(boxes: Tensor, scores: Tensor) -> None:
    if boxes.dim() != 2:
        raise RuntimeError(f"boxes should be a 2d tensor, got {boxes.dim()}D")
    if boxes.size(1) != 4:
        raise RuntimeError(f"boxes should have 4 elements in dimension 1, got {boxes.size(1)}")
    if scores.dim() != 1:
        raise RuntimeError(f"scores should be a 1d tensor, got {scores.dim()}D")
    if boxes.size(0) != scores.size(0):
        raise RuntimeError(
            "boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.size(0)} and {scores.size(0)}"
        )


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` within each category of `idxs` (N); all that is kept, best scores first."""
    if boxes.numel() == 0:
        return torch.empty((0,), dtype=torch.int64)
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for category in torch.unique(idxs):
        members = torch.where(idxs == category)[0]
        kept[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    indices = torch.where(kept)[0]
    return indices[scores[indices].sort(descending=True, stable=True)[1]]


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Which boxes (..., 4) have both sides of at least `min_size`."""
    size = boxes[..., 2:] - boxes[..., :2]
    return torch.where((size >= min_size).all(-1))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) within an image of size (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return torch.stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


# ---------------------------------------------------------------------- formats
_UPRIGHT, _TURNED = ("xyxy", "xywh", "cxcywh"), ("xywhr", "cxcywhr", "xyxyxyxy")


def _to_corners(boxes: Tensor, fmt: str) -> Tensor:
    a, b, c, d = boxes.unbind(-1)
    if fmt == "xywh":
        return torch.stack((a, b, a + c, b + d), dim=-1)
    return torch.stack((a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d), dim=-1)


def _from_corners(boxes: Tensor, fmt: str) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    first = (x1, y1) if fmt == "xywh" else ((x1 + x2) / 2, (y1 + y2) / 2)
    return torch.stack((*first, x2 - x1, y2 - y1), dim=-1)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes (..., 4) from one format to another: "xyxy", "xywh" or "cxcywh".

    >>> import minitorch as torch
    >>> box_convert(torch.tensor([[1.0, 2.0, 5.0, 10.0]]), "xyxy", "cxcywh")
    tensor([[3., 6., 4., 8.]])
    """
    known = (*_UPRIGHT, *_TURNED)
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    if in_fmt == out_fmt:
        return boxes.clone()
    if in_fmt in _TURNED or out_fmt in _TURNED:
        raise NotImplementedError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    corners = boxes if in_fmt == "xyxy" else _to_corners(boxes, in_fmt)
    return corners if out_fmt == "xyxy" else _from_corners(corners, out_fmt)


# ---------------------------------------------------------------------- areas and overlaps
def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """The areas of boxes (..., 4)."""
    if fmt not in _UPRIGHT:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    boxes = upcast(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return boxes[..., 2] * boxes[..., 3]


def _ends(boxes: Tensor, fmt: str) -> tuple[Tensor, Tensor]:
    first, second = boxes[..., :2], boxes[..., 2:]
    if fmt == "xyxy":
        return first, second
    return (first, first + second) if fmt == "xywh" else (first - second / 2, first + second / 2)


def _pairs(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Views that broadcast to every pair: (..., N, 1, 4) and (..., 1, M, 4)."""
    return boxes1[..., None, :], boxes2[..., None, :, :]


def _inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    area1, area2 = box_area(boxes1, fmt), box_area(boxes2, fmt)
    (low1, high1), (low2, high2) = [_ends(boxes, fmt) for boxes in _pairs(boxes1, boxes2)]
    size = upcast(torch.min(high1, high2) - torch.max(low1, low2)).clamp(min=0)
    inter = size[..., 0] * size[..., 1]
    return inter, area1[..., None] + area2[..., None, :] - inter


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union of every box (N, 4) with every other (M, 4): (N, M).

    >>> import minitorch as torch
    >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
    tensor([[0.3333]])
    """
    if fmt in _TURNED:
        raise NotImplementedError(f"box_iou: boxes of the format {fmt}, which may be turned, are not supported")
    if fmt not in _UPRIGHT:
        raise ValueError(
            f"Unsupported format '{fmt}'. Supported axis-aligned formats: {_UPRIGHT}. "
            f"Supported rotated formats: {('cxcywhr', 'xywhr', 'xyxyxyxy')}."
        )
    inter, union = _inter_union(boxes1, boxes2, fmt)
    return inter / union


def _enclosing(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Width and height of the smallest box around each pair."""
    a, b = _pairs(boxes1, boxes2)
    return upcast(torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])).clamp(min=0)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU less the share of the enclosing box that neither covers (https://arxiv.org/abs/1902.09630): (N, M)."""
    inter, union = _inter_union(boxes1, boxes2)
    size = _enclosing(boxes1, boxes2)
    around = size[..., 0] * size[..., 1]
    return inter / union - (around - union) / around


def _centers(boxes: Tensor) -> Tensor:
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """IoU less the centers' squared distance over the enclosing diagonal's (https://arxiv.org/abs/1911.08287)."""
    boxes1, boxes2 = upcast(boxes1), upcast(boxes2)
    diagonal = (_enclosing(boxes1, boxes2) ** 2).sum(-1) + eps
    a, b = _pairs(_centers(boxes1), _centers(boxes2))
    return box_iou(boxes1, boxes2) - (upcast(a - b) ** 2).sum(-1) / diagonal


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """The distance IoU less a term for unlike aspects (https://arxiv.org/abs/1911.08287): (N, M)."""
    boxes1, boxes2 = upcast(boxes1), upcast(boxes2)
    a, b = _pairs(boxes1, boxes2)
    v = unlike_aspects(a, b)
    with torch.no_grad():
        alpha = v / (1 - box_iou(boxes1, boxes2) + v + eps)
    return distance_box_iou(boxes1, boxes2, eps) - alpha * v


def unlike_aspects(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """The squared difference of the angles of two boxes' diagonals, at most 1."""
    angles = [torch.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (boxes1, boxes2)]
    return (4 / math.pi**2) * (angles[0] - angles[1]) ** 2


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The boxes (N, 4) around masks (N, H, W), to the last pixel's index; zeros for an empty mask."""
    if masks.numel() == 0:
        return torch.zeros((0, 4), device=masks.device, dtype=torch.float32)
    filled = masks.bool()
    ends = []
    for dim in (1, 2):  # columns, then rows
        used = filled.any(dim=dim).float()
        ends.append((used.argmax(dim=1), used.shape[1] - 1 - used.flip(dims=[1]).argmax(dim=1)))
    (x1, x2), (y1, y2) = ends
    boxes = torch.stack([x1, y1, x2, y2], dim=1).float()
    return torch.where(filled.any(dim=2).any(dim=1)[:, None], boxes, 0.0)
