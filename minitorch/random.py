"""Same as torch.random: the state of the generator that functions use when they are given none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._generator import Generator, default_generator

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


def manual_seed(seed: Any) -> Generator:
    """Start the default generator anew; the numbers after it are torch's for the same seed.

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(10, (3,))
    tensor([4, 9, 3])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator anew from a seed that the system draws, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The default generator's state: 5056 bytes in torch's own format.

    >>> import minitorch as torch
    >>> torch.get_rng_state().shape
    torch.Size([5056])
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Continue from what `get_rng_state` gave, here or in torch."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: Any = None,
) -> Iterator[None]:
    """Afterwards the default generator goes on as if nothing had been drawn inside.

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     _ = torch.rand(100)
    >>> torch.randint(10, (3,))
    tensor([4, 9, 3])
    """
    if devices:
        raise NotImplementedError(
            f"{_caller}(): {_devices_kw}={devices!r} is not supported by minitorch; the CPU's generator is"
        )
    if not enabled:
        yield
        return
    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)
