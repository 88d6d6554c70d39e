"""Same as torch.cuda.random: the random numbers of each GPU. Without one there is nothing to be seeded."""

from collections.abc import Iterable
from typing import Any

from minitorch._generator import default_generator_of, seed_gpus

from ._devices import available, index_of, runtime

__all__ = [
    "get_rng_state",
    "get_rng_state_all",
    "initial_seed",
    "manual_seed",
    "manual_seed_all",
    "seed",
    "seed_all",
    "set_rng_state",
    "set_rng_state_all",
]


def _generator(device: Any = None) -> Any:
    runtime()
    return default_generator_of(index_of(device))


def _count() -> int:
    module = available()
    return module.gpu().driver.device_count() if module else 0


def manual_seed(seed: int) -> None:
    """Start the numbers of the current GPU anew."""
    if available():
        _generator().manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    """Start the numbers of all GPUs anew."""
    seed_gpus(int(seed))


def seed() -> None:
    """Start the numbers of the current GPU anew from a seed that the system draws."""
    if available():
        _generator().seed()


def seed_all() -> None:
    """Start the numbers of all GPUs anew from one seed that the system draws."""
    if available():
        seed_gpus(_generator(0).seed())


def initial_seed() -> int:
    """The seed from which the current GPU's numbers began."""
    return _generator().initial_seed()


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of a GPU's numbers, 16 bytes: the seed and how far they have come."""
    return _generator(device).get_state()


def get_rng_state_all() -> list[Any]:
    """The states of all GPUs."""
    return [get_rng_state(i) for i in range(_count())]


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Go on from what `get_rng_state` gave, here or in torch."""
    if available():
        _generator(device).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Go on from what `get_rng_state_all` gave."""
    for i, state in enumerate(new_states):
        set_rng_state(state, i)
