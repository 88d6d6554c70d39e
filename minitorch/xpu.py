"""Same as torch.xpu on a machine without Intel's GPUs, for which minitorch has no backend."""

from ._no_accelerator import answering, refusing, refusing_classes

globals().update(answering("is_available is_initialized is_bf16_supported", False), **answering("device_count", 0))
globals().update(answering("manual_seed manual_seed_all seed seed_all empty_cache", None))
globals().update(answering("memory_allocated memory_reserved max_memory_allocated max_memory_reserved", 0))
globals().update(
    refusing(
        "current_device current_stream get_device_capability get_device_name get_device_properties get_rng_state init "
        "initial_seed mem_get_info memory_stats set_device set_stream synchronize",
        AssertionError,
        "Torch not compiled with XPU enabled",
    )
)
globals().update(
    refusing_classes(
        "minitorch.xpu",
        {
            "Event": "Tried to instantiate dummy base class Event",
            "Stream": "Tried to instantiate dummy base class Stream",
        },
    )
)
