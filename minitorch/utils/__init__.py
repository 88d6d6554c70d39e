"""Same paths as torch.utils."""

from typing import Any

from minitorch.utils import hooks

__all__ = ["benchmark", "checkpoint", "data", "dlpack", "hooks", "model_zoo", "tensorboard"]


def __getattr__(name: str) -> Any:
    """Submodules are imported when first named."""
    if name in ("benchmark", "checkpoint", "data", "dlpack", "model_zoo", "tensorboard"):
        import importlib

        return importlib.import_module(f"minitorch.utils.{name}")
    raise AttributeError(f"module 'minitorch.utils' has no attribute {name!r}")
