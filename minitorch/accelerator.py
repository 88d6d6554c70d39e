"""Same as torch.accelerator: the GPUs, if there are any, by names that say nothing of CUDA."""

from typing import Any

from . import cuda
from ._device import device as Device
from ._no_accelerator import NO_ACCELERATOR


def is_available() -> bool:
    """Whether there is a GPU that can be used."""
    return cuda.is_available()


def device_count() -> int:
    """The number of usable GPUs."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Any:
    """The device "cuda" if a GPU can be used, else None."""
    return Device("cuda") if cuda.is_available() else None


def _on_gpu(name: str, of_cuda: str = "") -> Any:
    """The function of torch.cuda of this name, or `of_cuda`; a RuntimeError without a GPU."""

    def function(*args: Any, **kwargs: Any) -> Any:
        if not cuda.is_available():
            raise RuntimeError(NO_ACCELERATOR)
        return getattr(cuda, of_cuda or name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Same as torch.cuda.{of_cuda or name}; a RuntimeError without a GPU."
    return function


_SAME = (
    "current_stream empty_cache max_memory_allocated max_memory_reserved memory_allocated memory_reserved memory_stats "
    "reset_accumulated_memory_stats reset_peak_memory_stats set_stream synchronize get_device_capability"
)
_OTHERS = {
    "current_device_idx": "current_device", "current_device_index": "current_device", "set_device_idx": "set_device",
    "set_device_index": "set_device", "get_memory_info": "mem_get_info",
}  # fmt: skip
globals().update({name: _on_gpu(name) for name in _SAME.split()})
globals().update({name: _on_gpu(name, of_cuda) for name, of_cuda in _OTHERS.items()})


class device_index:
    """A context with another device chosen: None chooses none."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is None:
            return
        if not cuda.is_available():
            raise RuntimeError(NO_ACCELERATOR)
        self.before = cuda.current_device()
        cuda.set_device(self.idx)

    def __exit__(self, *_: object) -> None:
        if self.idx is not None:
            cuda.set_device(self.before)
