"""Same as torch.cuda.memory: how much memory of a GPU tensors take, and the cache of what they gave back.

Amounts are bytes. Without a GPU no memory of one is in use.
"""

from collections import OrderedDict
from typing import Any

from ._devices import available, gpu, runtime

__all__ = [
    "empty_cache",
    "get_allocator_backend",
    "get_per_process_memory_fraction",
    "max_memory_allocated",
    "max_memory_cached",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_cached",
    "memory_reserved",
    "memory_stats",
    "memory_stats_as_nested_dict",
    "memory_summary",
    "reset_accumulated_memory_stats",
    "reset_max_memory_allocated",
    "reset_max_memory_cached",
    "reset_peak_memory_stats",
    "set_per_process_memory_fraction",
]


def memory_stats(device: Any = None) -> "OrderedDict[str, int]":
    """Counts under torch's names, such as "allocated_bytes.all.peak"."""
    return gpu(device).allocator.memory_stats() if available() else OrderedDict()


def memory_stats_as_nested_dict(device: Any = None) -> dict[str, Any]:
    """`memory_stats` as dictionaries of dictionaries."""
    nested: dict[str, Any] = {}
    for name, value in memory_stats(device).items():
        *folders, last = name.split(".")
        inner = nested
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = value
    return nested


def memory_allocated(device: Any = None) -> int:
    """The memory that tensors take now."""
    return memory_stats(device).get("allocated_bytes.all.current", 0)


def max_memory_allocated(device: Any = None) -> int:
    """The most memory that tensors took at once, since the start or `reset_peak_memory_stats`."""
    return memory_stats(device).get("allocated_bytes.all.peak", 0)


def memory_reserved(device: Any = None) -> int:
    """The memory that the cache has from the driver, in use or not."""
    return memory_stats(device).get("reserved_bytes.all.current", 0)


def max_memory_reserved(device: Any = None) -> int:
    """The most memory that the cache had from the driver at once."""
    return memory_stats(device).get("reserved_bytes.all.peak", 0)


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def empty_cache() -> None:
    """Give back to the driver what no tensor uses, so that other programs can have it."""
    if module := available():
        for opened in module.opened():
            module.gpu(opened.index)
            opened.allocator.empty_cache()


def reset_peak_memory_stats(device: Any = None) -> None:
    """Let the largest amounts be the present ones."""
    gpu(device).allocator.reset_peaks()


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def reset_accumulated_memory_stats(device: Any = None) -> None:
    """Count what is allocated and given back from zero."""
    gpu(device).allocator.reset_totals()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) memory of the GPU, whoever uses it."""
    return gpu(device).driver.memory_info()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Let tensors have at most this part of the GPU's memory."""
    found = gpu(device)
    if not isinstance(fraction, float):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    found.allocator.limit = int(fraction * found.driver.total_memory(found.index))


def get_per_process_memory_fraction(device: Any = None) -> float:
    """The part of the GPU's memory that tensors may have."""
    found = gpu(device)
    limit = found.allocator.limit
    return 1.0 if limit is None else limit / found.driver.total_memory(found.index)


def get_allocator_backend() -> str:
    """ "native": the allocator of this library."""
    return "native"


_ROW = "| {:<21} | {:>10} | {:>10} | {:>10} | {:>10} |"
_ROWS = (
    ("Allocated memory", "allocated_bytes"), ("Requested memory", "requested_bytes"), ("Active memory", "active_bytes"),
    ("GPU reserved memory", "reserved_bytes"), ("Allocations", "allocation"), ("GPU reserved segments", "segment"),
)  # fmt: skip


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """A table of the present, largest and total amounts."""
    from minitorch._kernels.cuda.allocator import in_units

    stats, index = memory_stats(device), runtime().gpu().index if device is None else gpu(device).index
    line = "|" + "=" * 75 + "|"
    text = [line, f"|{f'PyTorch CUDA memory summary, device ID {index}':^75}|"]
    failures = f"CUDA OOMs: {stats['num_ooms']}", f"cudaMalloc retries: {stats['num_alloc_retries']}"
    text += ["|" + "-" * 75 + "|", f"|{failures[0]:^37}|{failures[1]:^37}|", line]
    text += [_ROW.format("Metric", "Cur Usage", "Peak Usage", "Tot Alloc", "Tot Freed")]
    text += ["|" + "-" * 75 + "|"]
    for title, name in _ROWS:
        numbers = [stats[f"{name}.all.{kind}"] for kind in ("current", "peak", "allocated", "freed")]
        shown = [in_units(n) if "bytes" in name else str(n) for n in numbers]
        text.append(_ROW.format(title, *shown))
    return "\n".join([*text, line, ""])
