"""Same as torch.cuda.amp.grad_scaler."""

from minitorch.amp.grad_scaler import OptState
from minitorch.cuda.amp import GradScaler

__all__ = ["GradScaler", "OptState"]
