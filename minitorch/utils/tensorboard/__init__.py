"""Same paths as torch.utils.tensorboard: event files for TensorBoard, through the `tensorboard` package."""

try:
    import tensorboard
except ImportError as e:
    raise ImportError(
        "torch.utils.tensorboard needs the package tensorboard, which is not installed: pip install tensorboard"
    ) from e

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
