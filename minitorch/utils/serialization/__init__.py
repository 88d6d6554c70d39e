"""Same path as torch.utils.serialization."""

from . import config

__all__ = ["config"]
