"""Same as torch.cuda, on a machine without a usable GPU: minitorch has no CUDA backend yet."""

from typing import Any, NoReturn


def is_available() -> bool:
    """Whether tensors can live on a GPU: not so far.

    >>> import minitorch as torch
    >>> torch.cuda.is_available()
    False
    """
    return False


def device_count() -> int:
    """The number of usable GPUs."""
    return 0


def is_initialized() -> bool:
    """Whether the CUDA backend is in use."""
    return False


def manual_seed(seed: int) -> None:
    """Seed the GPU's generator; without a GPU there is nothing to seed."""


def manual_seed_all(seed: int) -> None:
    """Seed all GPUs' generators; without a GPU there is nothing to seed."""


def empty_cache() -> None:
    """Free cached GPU memory; without a GPU there is none."""


def synchronize(device: Any = None) -> NoReturn:
    """Wait for a GPU; RuntimeError without one."""
    raise RuntimeError("minitorch has no CUDA backend yet: torch.cuda.is_available() is False")


def __getattr__(name: str) -> Any:
    """`amp` is imported when first named."""
    if name == "amp":
        import importlib

        return importlib.import_module("minitorch.cuda.amp")
    raise AttributeError(f"module 'minitorch.cuda' has no attribute {name!r}")
