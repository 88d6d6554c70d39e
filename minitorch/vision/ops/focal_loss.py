"""The loss of RetinaNet."""

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor

from ._losses import reduced


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """Cross entropy of logits with targets 0 or 1, less for what is easily told (https://arxiv.org/abs/1708.02002).

    >>> import minitorch as torch
    >>> sigmoid_focal_loss(torch.tensor([0.0, 3.0]), torch.tensor([1.0, 0.0]))
    tensor([0.0433, 2.0747])
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = torch.sigmoid(inputs)
    right = p * targets + (1 - p) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * ((1 - right) ** gamma)
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return reduced(loss, reduction)
