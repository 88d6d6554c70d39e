"""Same as torch.version: what this was built as."""

from typing import Any

import minitorch

__all__ = ["cuda", "debug", "git_version", "hip", "xpu"]  # noqa: F822

debug = False
hip: str | None = None
xpu: str | None = None
git_version = "unknown"


def __getattr__(name: str) -> Any:
    """`__version__` is the package's own, or torch's where minitorch stands in for it; `cuda` asks for a GPU."""
    if name == "__version__":
        return minitorch.__version__
    if name == "cuda":  # the version that kernels are compiled for, where there is a GPU to run them
        return "13.0" if minitorch.cuda.is_available() else None
    raise AttributeError(f"module 'minitorch.version' has no attribute {name!r}")
