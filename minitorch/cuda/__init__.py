"""Same as torch.cuda, on a machine without a usable GPU: minitorch has no CUDA backend yet."""

from collections import OrderedDict
from typing import Any

from minitorch._dtype import COMMON
from minitorch._no_accelerator import AcceleratorError, Nothing, OutOfMemoryError, answering, refusing, refusing_classes

from . import nvtx

NOT_COMPILED = "Torch not compiled with CUDA enabled"
CudaError = AcceleratorError
default_generators: tuple[Any, ...] = ()
has_half = True
has_magma = False


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


def set_device(device: Any) -> None:
    """Choose the GPU of what follows; a negative number chooses none."""
    if not isinstance(device, int) or device >= 0:
        raise AssertionError(NOT_COMPILED)


class device:
    """A context with another GPU chosen; a negative number chooses none."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else device

    def __enter__(self) -> None:
        if self.idx != -1:
            raise RuntimeError("PyTorch was compiled without CUDA support")

    def __exit__(self, *_: object) -> None:
        pass


class device_of(Nothing):
    """A context with the GPU of a tensor chosen: none, as no tensor is on one."""


class StreamContext(Nothing):
    """A context with another stream chosen: None chooses none."""


def stream(stream: Any) -> StreamContext:
    """A context with another stream chosen; only None can be given, as no stream can be made."""
    return StreamContext(stream)


_AMOUNTS = "memory_allocated memory_cached memory_reserved max_memory_allocated max_memory_cached max_memory_reserved"
# with no GPU nothing is to be seeded, waited for or freed, and no memory of one is in use
globals().update(
    answering("manual_seed manual_seed_all seed seed_all set_rng_state set_rng_state_all empty_cache", None)
)
globals().update(answering(_AMOUNTS, 0))
globals().update(answering("is_bf16_supported is_tf32_supported", False))
globals().update(
    answering("get_rng_state_all get_arch_list", []),
    **answering("get_gencode_flags", ""),
    **answering("memory_stats", OrderedDict()),
)
globals().update(
    refusing(
        "can_device_access_peer clock_rate cudart current_blas_handle current_device current_stream default_stream "
        "get_device_capability get_device_name get_device_properties get_rng_state init initial_seed ipc_collect "
        "is_current_stream_capturing list_gpu_processes mem_get_info memory_snapshot memory_summary memory_usage "
        "power_draw reset_accumulated_memory_stats reset_max_memory_allocated reset_max_memory_cached "
        "reset_peak_memory_stats set_per_process_memory_fraction set_stream synchronize temperature utilization",
        AssertionError,
        NOT_COMPILED,
    )
)
globals().update(
    refusing_classes(
        "minitorch.cuda",
        {
            "CUDAGraph": "Tried to instantiate dummy base class CUDAGraph",
            "Event": "Tried to instantiate dummy base class Event",
            "ExternalStream": "torch.cuda.Stream requires CUDA support",
            "Stream": "torch.cuda.Stream requires CUDA support",
        },
    )
)
_TYPES = [f"{d.c_name}Tensor" for d in COMMON]
globals().update(
    refusing_classes(
        "torch.cuda",
        {name: f"type torch.cuda.{name} not available. {NOT_COMPILED}." for name in _TYPES},
        TypeError,
    )
)


def __getattr__(name: str) -> Any:
    """`amp` is imported when first named."""
    if name == "amp":
        import importlib

        return importlib.import_module("minitorch.cuda.amp")
    raise AttributeError(f"module 'minitorch.cuda' has no attribute {name!r}")
