"""Same as torch.mps on a machine without Apple's GPU, for which minitorch has no backend."""

from ._no_accelerator import answering, refusing

# what torch's functions say that they could not do -> their names
_REFUSED = {
    "deviceSynchronize": "synchronize",
    "emptyCache": "empty_cache",
    "getCurrentAllocatedMemory": "current_allocated_memory",
    "getDefaultGenerator": "get_rng_state seed set_rng_state",
    "getDriverAllocatedMemory": "driver_allocated_memory",
    "getRecommendedMaxMemory": "recommended_max_memory",
    "setMemoryFraction": "set_per_process_memory_fraction",
}
globals().update(answering("is_available", False), **answering("device_count", 0), **answering("manual_seed", None))
for _call, _names in _REFUSED.items():
    globals().update(refusing(_names, RuntimeError, f"Cannot execute {_call}() without MPS backend."))
