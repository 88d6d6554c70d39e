"""Same as torch.version: what this was built as, which is for the CPU."""

from typing import Any

import minitorch

__all__ = ["cuda", "debug", "git_version", "hip", "xpu"]

debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = "unknown"


def __getattr__(name: str) -> Any:
    """`__version__` is the package's own, or torch's where minitorch stands in for it."""
    if name == "__version__":
        return minitorch.__version__
    raise AttributeError(f"module 'minitorch.version' has no attribute {name!r}")
