"""Generator: a stream of random numbers, torch's own numbers for the same seed."""

from functools import cached_property
from typing import Any

import numpy as np

from . import _device
from ._fork import fork_safe_lock

_SEED = np.dtype(np.int64)


class Generator:
    """A stream of random numbers of its own.

    >>> import minitorch as torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.randint(10, (3,), generator=g)
    tensor([4, 9, 3])
    """

    def __init__(self, device: Any = "cpu"):
        where = _device.settled(_device.device(device))
        if where.type not in ("cpu", "cuda"):
            raise NotImplementedError(
                f"Generator(): minitorch has no random numbers for device '{where}'; available: cpu, cuda"
            )
        if where.type == "cuda":
            _device.backend(where).empty((), _SEED)  # raises, with the reason, if there is no such GPU
        self.device = where

    # one for all generators: a sampler takes its numbers in several steps, and threads that
    # share a generator take turns
    lock = fork_safe_lock()

    @cached_property
    def stream(self) -> Any:
        """The engine; made at the first use: NumPy's random module takes 15 ms to import."""
        if self.device.type == "cuda":
            from ._kernels.cuda.philox import State

            return State(self.device.index or 0)
        from ._kernels.cpu.rng import TorchStream

        return TorchStream()

    def manual_seed(self, seed: int) -> "Generator":
        """Start anew from a seed; a negative one counts from 2**64 down."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = seed.__index__()
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        with self.lock:
            self.stream.seed(seed)
        return self

    def seed(self) -> int:
        """Start anew from a seed that the system draws, and return it."""
        import secrets

        seed = secrets.randbits(53)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that the numbers began from."""
        return self.stream.initial_seed

    def get_state(self) -> Any:
        """The state as bytes in torch's own format: either library continues from the other's."""
        from ._creation import from_numpy

        with self.lock:
            return from_numpy(self.stream.state_bytes())

    def set_state(self, new_state: Any) -> "Generator":
        """Continue from what `get_state` gave, or torch's `get_state`."""
        from ._dtype import uint8
        from ._tensor import Tensor

        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state.dtype is not uint8 or new_state.device.type != "cpu":
            raise TypeError("RNG state must be a torch.ByteTensor")
        with self.lock:
            self.stream.set_state_bytes(new_state.numpy())
        return self

    def clone_state(self) -> "Generator":
        """Another generator in the same state."""
        return Generator(self.device).set_state(self.get_state())

    def __deepcopy__(self, memo: dict[int, Any]) -> "Generator":
        return self.clone_state()

    def __reduce__(self) -> Any:
        return _restored, (self.get_state(), str(self.device))

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"


def _restored(state: Any, device: str = "cpu") -> Generator:
    return Generator(device).set_state(state)


default_generator = Generator()

_of_gpus: dict[int, Generator] = {}
_given_seed: int | None = None  # for the generators of GPUs not used so far


def default_generator_of(index: int) -> Generator:
    """The generator of a GPU, made when its first number is drawn."""
    found = _of_gpus.get(index)
    if found is None:
        found = _of_gpus[index] = Generator(_device.device("cuda", index))
        if _given_seed is not None:
            found.manual_seed(_given_seed)
    return found


def seed_gpus(seed: int) -> None:
    """Start the generators of all GPUs anew, those not used so far as well."""
    global _given_seed
    _given_seed = seed
    for generator in _of_gpus.values():
        generator.manual_seed(seed)
