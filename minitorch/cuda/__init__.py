"""Same as torch.cuda: GPUs, their streams, memory and random numbers.

Nothing is asked of a driver before the first tensor on a GPU or the first question here. Without a usable GPU the
functions do what torch's do in a build without CUDA, and the errors say why there is none.
"""

from typing import Any

from minitorch._device import device as Device
from minitorch._dtype import COMMON
from minitorch._no_accelerator import AcceleratorError, OutOfMemoryError, answering, refusing, refusing_classes

from . import nvtx
from ._devices import available, gpu, index_of, runtime
from ._properties import (
    can_device_access_peer,
    get_arch_list,
    get_device_capability,
    get_device_name,
    get_device_properties,
    is_bf16_supported,
    is_tf32_supported,
)
from .graphs import CUDAGraph, graph, graph_pool_handle, is_current_stream_capturing, make_graphed_callables
from .memory import (
    empty_cache,
    get_allocator_backend,
    get_per_process_memory_fraction,
    max_memory_allocated,
    max_memory_cached,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_cached,
    memory_reserved,
    memory_stats,
    memory_stats_as_nested_dict,
    memory_summary,
    reset_accumulated_memory_stats,
    reset_max_memory_allocated,
    reset_max_memory_cached,
    reset_peak_memory_stats,
    set_per_process_memory_fraction,
)
from .random import (
    get_rng_state,
    get_rng_state_all,
    initial_seed,
    manual_seed,
    manual_seed_all,
    seed,
    seed_all,
    set_rng_state,
    set_rng_state_all,
)
from .streams import (
    Event,
    ExternalStream,
    Stream,
    StreamContext,
    current_stream,
    default_stream,
    set_stream,
    stream,
)

CudaError = AcceleratorError
has_half = True
has_magma = False


def is_available() -> bool:
    """Whether tensors can live on a GPU; never raises.

    >>> import minitorch as torch
    >>> device = "cuda" if torch.cuda.is_available() else "cpu"
    """
    return available() is not None


def device_count() -> int:
    """The number of usable GPUs."""
    module = available()
    return module.drivers.current().device_count() if module else 0


def init() -> None:
    """Find the driver and make the first GPU ready, which otherwise its first use does."""
    runtime()


_lazy_init = init


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    from minitorch._kernels.cuda import runtime as module

    return bool(module.opened())


def current_device() -> int:
    """The number of the GPU that "cuda" means."""
    return runtime().current_index()


def set_device(device: Any) -> None:
    """Choose the GPU of what follows; a negative number chooses none."""
    if not isinstance(device, int) or device >= 0:
        runtime().set_index(index_of(device))


def synchronize(device: Any = None) -> None:
    """Wait for all that a GPU was given."""
    runtime().synchronize(index_of(device))


class device:
    """A context with another GPU chosen; a negative number, or None, chooses none."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else device if isinstance(device, int) else index_of(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx < 0:
            return
        if not is_available():
            raise RuntimeError("PyTorch was compiled without CUDA support")
        self.prev_idx = current_device()
        set_device(self.idx)

    def __exit__(self, *_: object) -> None:
        if self.idx >= 0:
            set_device(self.prev_idx)


class device_of(device):
    """A context with the GPU of a tensor chosen; for a tensor that is on none, nothing changes."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if getattr(obj, "is_cuda", False) else -1)


def get_sync_debug_mode() -> int:
    """0: waiting for the GPU is never remarked on."""
    return 0


def ipc_collect() -> None:
    """Nothing, as memory of GPUs is not shared with other processes; asks for a GPU, as in torch."""
    runtime()


def get_gencode_flags() -> str:
    """The flags by which torch's compiler would be told of `get_arch_list()`."""
    return " ".join(f"-gencode compute={a.replace('sm', 'compute')},code={a}" for a in get_arch_list())


globals().update(
    refusing(
        "clock_rate cudart current_blas_handle list_gpu_processes memory_snapshot memory_usage power_draw temperature "
        "utilization",
        AssertionError,
        "Torch not compiled with CUDA enabled\ntorch.cuda.{name} is not supported by minitorch",
    )
)
_TYPES = [f"{d.c_name}Tensor" for d in COMMON]
globals().update(
    refusing_classes(
        "torch.cuda",
        {name: f"type torch.cuda.{name} not available. Torch not compiled with CUDA enabled." for name in _TYPES},
        TypeError,
    )
)


def __getattr__(name: str) -> Any:
    """Submodules are imported when first named; the generators of all GPUs are made when somebody asks."""
    if name in ("amp", "comm"):
        import importlib

        return importlib.import_module(f"minitorch.cuda.{name}")
    if name == "default_generators":
        from minitorch._generator import default_generator_of

        return tuple([default_generator_of(i) for i in range(device_count())])
    raise AttributeError(f"module 'minitorch.cuda' has no attribute {name!r}")
