"""Losses of boxes (..., 4) as xmin, ymin, xmax, ymax against others of the same shape."""

import minitorch as torch
from minitorch import Tensor

from .boxes import unlike_aspects


def reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', 'mean', 'sum'"
    )


def _reduced_boxes(loss: Tensor, reduction: str) -> Tensor:
    """Also for no boxes, whose mean is 0."""
    return reduced(loss, "sum" if reduction == "mean" and loss.numel() == 0 else reduction)


def _floats(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection, union, and the size (..., 2) of the enclosing box."""
    size = torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2])
    inter = torch.where((size > 0).all(-1), size[..., 0] * size[..., 1], 0.0)
    areas = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b)]
    around = torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])
    return inter, areas[0] + areas[1] - inter, around


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 less the generalized IoU (https://arxiv.org/abs/1902.09630)."""
    inter, union, around = _overlap(_floats(boxes1), _floats(boxes2))
    area = around[..., 0] * around[..., 1]
    return _reduced_boxes(1 - (inter / (union + eps) - (area - union) / (area + eps)), reduction)


def _distance_loss(a: Tensor, b: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    inter, union, around = _overlap(a, b)
    iou = inter / (union + eps)
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).pow(2).sum(-1)
    return 1 - iou + apart / (around.pow(2).sum(-1) + eps), iou


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 less the IoU, plus the centers' squared distance over the enclosing diagonal's (https://arxiv.org/abs/1911.08287)."""
    loss, _ = _distance_loss(_floats(boxes1), _floats(boxes2), eps)
    return _reduced_boxes(loss, reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """The distance loss plus a term for unlike aspects (https://arxiv.org/abs/1911.08287)."""
    a, b = _floats(boxes1), _floats(boxes2)
    loss, iou = _distance_loss(a, b, 1e-7)
    v = unlike_aspects(b, a)
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return _reduced_boxes(loss + alpha * v, reduction)
