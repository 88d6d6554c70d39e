"""Same as torch.backends.mkldnn: oneDNN, a library that minitorch does not use; the settings change nothing."""

from contextlib import AbstractContextManager
from typing import Any

from minitorch._switches import replaced

enabled = False
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available() -> bool:
    """Whether oneDNN computes here: no."""
    return False


def flags(
    enabled: bool = False, deterministic: bool = False, allow_tf32: bool = True, fp32_precision: str = "none"
) -> AbstractContextManager[Any]:
    """A context with other settings."""
    values = {"deterministic": deterministic, "allow_tf32": allow_tf32, "fp32_precision": fp32_precision}
    return replaced(globals(), enabled=enabled, **values)
