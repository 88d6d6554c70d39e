"""Same path as torch.nn.parallel.data_parallel where there is one device: a wrapped module is the module."""

from collections.abc import Sequence
from typing import Any, NoReturn

from minitorch.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """Same as torch.nn.DataParallel without GPUs: calls `module`, under which name its parameters are found.

    >>> import minitorch as torch
    >>> list(torch.nn.DataParallel(torch.nn.Linear(1, 1)).state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> NoReturn:
    """torch.nn.parallel.data_parallel, which needs GPUs."""
    raise RuntimeError("device type could not be determined\ndata_parallel needs several GPUs: call the module itself")
