"""Which GPU an argument means, and the doors to the runtime: with a GPU they open, without one they say why not."""

from typing import Any

from minitorch._device import device as Device


def runtime() -> Any:
    """The runtime, its driver found and its first GPU ready; raises, with the reason, where there is none."""
    from minitorch._kernels.cuda import runtime as module

    module.gpu()
    return module


def available() -> Any:
    """The runtime if a GPU can be used, else None."""
    from minitorch._kernels.cuda import runtime as module

    return module if module.is_available() else None


def index_of(device: Any = None) -> int:
    """The number of a GPU, given as that, as "cuda:1", as a device, or not at all: then the current one's."""
    if isinstance(device, int) and not isinstance(device, bool):
        if device < 0:
            return runtime().current_index()
        return device
    if device is None:
        return runtime().current_index()
    d = Device(device)
    if d.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {d}")
    return runtime().current_index() if d.index is None else d.index


def gpu(device: Any = None) -> Any:
    """A GPU in use."""
    return runtime().gpu(index_of(device))
