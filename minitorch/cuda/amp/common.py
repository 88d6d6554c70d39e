"""Same as torch.cuda.amp.common."""

from minitorch.cuda import is_available

__all__ = ["amp_definitely_not_available"]


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU to run a region of autocast."""
    return not is_available()
