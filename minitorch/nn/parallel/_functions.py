"""Same path as torch.nn.parallel._functions: operations between GPUs, which layers synchronised by hand import."""

from typing import Any, NoReturn

from minitorch.autograd.function import Function

__all__ = ["Broadcast", "Gather", "ReduceAddCoalesced", "Scatter"]


class _BetweenDevices(Function):
    """Refused when applied: a layer that imports it may never do so, as on the CPU."""

    @classmethod
    def apply(cls, *args: Any) -> NoReturn:
        raise NotImplementedError(f"nn.parallel._functions.{cls.__name__} is not supported by minitorch")


class Broadcast(_BetweenDevices):
    """Same name as torch.nn.parallel._functions.Broadcast."""


class Gather(_BetweenDevices):
    """Same name as torch.nn.parallel._functions.Gather."""


class ReduceAddCoalesced(_BetweenDevices):
    """Same name as torch.nn.parallel._functions.ReduceAddCoalesced."""


class Scatter(_BetweenDevices):
    """Same name as torch.nn.parallel._functions.Scatter."""
