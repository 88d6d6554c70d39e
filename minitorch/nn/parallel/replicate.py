"""Same path as torch.nn.parallel.replicate: a module's copies for several GPUs."""

from collections.abc import Sequence
from typing import Any

from minitorch._tensor import Tensor
from minitorch.nn.modules.module import Module

from .scatter_gather import gpu_index

__all__ = ["replicate"]


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """Same as torch.nn.parallel.replicate: one module for each GPU, whose parameters are copies of the network's.

    A copy's gradient flows back to the network's parameter, unless `detach`. Parameters on the CPU are refused:
    AssertionError.

    >>> import minitorch as torch
    >>> replicate(torch.nn.ReLU(), [0, 1])
    [ReLU(), ReLU()]
    """
    indices = [gpu_index(d) for d in devices]
    tensors = [*network.parameters(), *network.buffers()]
    if indices and any(t.device.type == "cpu" for t in tensors):
        raise AssertionError("Broadcast function not implemented for CPU tensors")
    return [_replica(network, index, detach, {}) for index in indices]


def _replica(module: Module, index: int, detach: bool, made: dict[Any, Any]) -> Module:
    """The module with all tensors on one GPU; what it has in two places is one thing in the replica too."""
    if module in made:
        return made[module]
    made[module] = replica = module.__new__(type(module))
    replica.__dict__ = {**module.__dict__, "_parameters": {}, "_buffers": {}, "_modules": {}, "_is_replica": True}

    def copied(t: Tensor) -> Tensor:
        if t not in made:
            made[t] = (t.detach() if detach else t).to(f"cuda:{index}", copy=True)
        return made[t]

    for name, parameter in module._parameters.items():
        # not a Parameter, so no parameter of the replica: its gradient is the network's
        replica.__dict__[name] = None if parameter is None else copied(parameter)
    for name, buffer in module._buffers.items():
        replica._buffers[name] = None if buffer is None else copied(buffer)
    for name, child in module._modules.items():
        replica._modules[name] = None if child is None else _replica(child, index, detach, made)
    return replica
