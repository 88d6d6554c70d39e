"""The names of torch.cuda.comm, which sends tensors among GPUs: refused, as minitorch computes on one."""

from minitorch._no_accelerator import refusing

globals().update(
    refusing(
        "broadcast broadcast_coalesced gather reduce_add reduce_add_coalesced scatter",
        NotImplementedError,
        "torch.cuda.comm.{name} is not supported by minitorch, which computes on one GPU",
    )
)
