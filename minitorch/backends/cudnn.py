"""Same as torch.backends.cudnn, where there is no cuDNN: settings that nothing reads."""

from contextlib import AbstractContextManager
from typing import Any

from minitorch._switches import replaced

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def version() -> int | None:
    """The version of cuDNN: None."""
    return None


def is_available() -> bool:
    """Whether there is a cuDNN: no."""
    return False


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN would compute with this tensor: no."""
    return False


def set_flags(**flags: Any) -> None:
    """Set several settings."""
    globals().update(flags)


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> AbstractContextManager[Any]:
    """A context with other settings."""
    return replaced(
        globals(),
        enabled=enabled,
        benchmark=benchmark,
        benchmark_limit=benchmark_limit,
        deterministic=deterministic,
        allow_tf32=allow_tf32,
        fp32_precision=fp32_precision,
    )
