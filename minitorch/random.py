"""Same as torch.random: the state of the generator that functions use when they are given none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._generator import Generator, default_generator, seed_gpus

__all__ = [
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
    generator = default_generator.manual_seed(int(seed))
    seed_gpus(int(seed))
    return generator


def seed() -> int:
    """Start the default generator anew from a seed that the system draws, and return it."""
    seed = default_generator.seed()
    seed_gpus(seed)
    return seed


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
    """Afterwards the default generator, and those of all GPUs or of `devices`, go on as if nothing had been drawn.

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     _ = torch.rand(100)
    >>> torch.randint(10, (3,))
    tensor([4, 9, 3])
    """
    if not enabled:
        yield
        return
    from . import cuda

    gpus = list(range(cuda.device_count()) if devices is None else devices)
    before, on_gpus = get_rng_state(), [cuda.get_rng_state(d) for d in gpus]
    try:
        yield
    finally:
        set_rng_state(before)
        for device, state in zip(gpus, on_gpus, strict=True):
            cuda.set_rng_state(state, device)
