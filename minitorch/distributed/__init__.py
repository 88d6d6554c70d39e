"""Same as torch.distributed in a program of one process, which is all that minitorch has: nothing is sent anywhere."""

from types import SimpleNamespace

from minitorch._no_accelerator import answering, refusing, refusing_classes

_AVAILABLE = (
    "is_available is_gloo_available is_initialized is_mpi_available is_nccl_available is_torchelastic_launched "
    "is_ucc_available is_xccl_available"
)
globals().update(answering(_AVAILABLE, False))
_UNINITIALISED = "Default process group has not been initialized, please make sure to call init_process_group."
globals().update(
    refusing(
        "all_gather all_gather_into_tensor all_gather_object all_reduce all_to_all all_to_all_single barrier broadcast "
        "broadcast_object_list destroy_process_group gather get_backend get_rank get_world_size irecv isend "
        "monitored_barrier new_group recv reduce reduce_scatter reduce_scatter_tensor scatter send",
        ValueError,
        _UNINITIALISED,
    )
)
_ALONE = (
    "torch.distributed.{name} is not supported by minitorch, which trains in one process: "
    "torch.distributed.is_available() is False"
)
globals().update(refusing("init_process_group init_device_mesh", NotImplementedError, _ALONE))
# for `isinstance` and annotations
_CLASSES = "FileStore HashStore P2POp PrefixStore ProcessGroup Store TCPStore Work"
globals().update(
    refusing_classes(
        "torch.distributed", {name: _ALONE.format(name=name) for name in _CLASSES.split()}, NotImplementedError
    )
)


# the collectives with gradients
nn = SimpleNamespace(
    **refusing(
        "all_gather all_reduce all_to_all all_to_all_single broadcast gather reduce reduce_scatter scatter",
        ValueError,
        _UNINITIALISED,
    )
)


class ReduceOp:
    """How the processes' tensors would be combined."""

    SUM, PRODUCT, MIN, MAX, BAND, BOR, BXOR, AVG = "SUM", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR", "AVG"


class group:
    """The group of all processes: None, as there is one."""

    WORLD = None
