"""Same as torch.cpu: what a program written for devices asks of the CPU."""

from typing import Any


def is_available() -> bool:
    """True: there is always a CPU."""
    return True


def device_count() -> int:
    """1: the CPU is one device."""
    return 1


def current_device() -> str:
    """The name of the device: "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Nothing: there is one CPU."""


def synchronize(device: Any = None) -> None:
    """Nothing: operations on the CPU are done when they return."""


def __getattr__(name: str) -> Any:
    """`amp` is imported when first named."""
    if name == "amp":
        import importlib

        return importlib.import_module("minitorch.cpu.amp")
    raise AttributeError(f"module 'minitorch.cpu' has no attribute {name!r}")
