"""Same as torch.accelerator, the devices other than the CPU: there are none."""

from ._no_accelerator import NO_ACCELERATOR, Nothing, answering, refusing

globals().update(answering("is_available", False), **answering("device_count", 0))
globals().update(answering("current_accelerator", None))
globals().update(
    refusing(
        "current_device_idx current_device_index current_stream empty_cache get_device_capability get_memory_info "
        "max_memory_allocated max_memory_reserved memory_allocated memory_reserved memory_stats "
        "reset_accumulated_memory_stats reset_peak_memory_stats set_device_idx set_device_index set_stream synchronize",
        RuntimeError,
        NO_ACCELERATOR,
    )
)


class device_index(Nothing):
    """A context with another device chosen: None chooses none."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            raise RuntimeError(NO_ACCELERATOR)
