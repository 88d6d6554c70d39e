"""Same path as torch.distributed.optim: optimizers of several processes, refused when made."""

from minitorch._no_accelerator import refusing

globals().update(
    refusing(
        "DistributedOptimizer PostLocalSGDOptimizer ZeroRedundancyOptimizer",
        NotImplementedError,
        "torch.distributed.optim.{name} is not supported by minitorch, which trains in one process: "
        "use an optimizer of torch.optim",
    )
)
