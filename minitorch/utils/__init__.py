"""Same paths as torch.utils."""

from minitorch.utils import hooks

__all__ = ["hooks"]
