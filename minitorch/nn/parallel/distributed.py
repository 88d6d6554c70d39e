"""Same path as torch.nn.parallel.distributed."""

from typing import Any, NoReturn

from minitorch.nn.modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """torch.nn.parallel.DistributedDataParallel, which needs a process group: minitorch runs in one process."""

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> NoReturn:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call init_process_group.\n"
            "minitorch does not support torch.distributed: train the module itself, in one process"
        )
