"""The state of a GPU's random numbers: a seed and how many numbers each thread has drawn so far.

Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) needs no more: the numbers of a
thread are a function of the seed, the thread and the count. A kernel that draws gets the count of before, and the
state moves on by what its busiest thread draws, in fours, as torch counts.

Within a CUDA graph the count must differ at each replay, so kernels read seed and count from memory of the device:
`State.argument` is the address of two 64-bit integers there.
"""

from typing import Any

import numpy as np

from . import runtime

DEFAULT_SEED = 67280421310721  # torch's, for a generator that nobody seeded


class State:
    """Seed and count of one generator. `recording` are the graphs that are being captured with it."""

    def __init__(self, index: int):
        self.index, self.initial_seed, self.offset = index, DEFAULT_SEED, 0
        self.capture: Capture | None = None

    def seed(self, seed: int) -> None:
        """Begin anew."""
        self.initial_seed, self.offset = seed % 2**64, 0

    def take(self, count: int) -> tuple[int, int, int]:
        """(seed, count so far, address), and move on by `count` numbers of each thread, rounded up to fours.

        The address is 0 outside of a capture. Within one it is of (seed, count) on the device, to which the count
        returned here, that of the numbers drawn so far in the graph, is added.
        """
        count = -(-count // 4) * 4
        if self.capture is not None:
            before, self.capture.drawn = self.capture.drawn, self.capture.drawn + count
            return 0, before, self.capture.place.pointer
        before, self.offset = self.offset, self.offset + count
        return self.initial_seed, before, 0

    def state_bytes(self) -> np.ndarray:
        """Seed and count, 16 bytes, as torch has them."""
        return np.array([self.initial_seed, self.offset], np.uint64).view(np.uint8)

    def set_state_bytes(self, state: np.ndarray) -> None:
        """Go on from what `state_bytes` gave."""
        if state.size != 16:
            raise RuntimeError("RNG state is wrong size")
        if self.capture is not None:
            raise RuntimeError("Cannot set the state of a generator during CUDA graph capture.")
        seed, offset = np.ascontiguousarray(state).view(np.uint64)
        self.initial_seed, self.offset = int(seed), int(offset)


class Capture:
    """A generator's part in a graph: the memory that its kernels read, and how many numbers a replay draws."""

    def __init__(self, state: State):
        from .array import empty

        self.state, self.drawn = state, 0
        self.place = empty((2,), np.dtype(np.uint64), state.index)

    def before_replay(self) -> None:
        """Put seed and count where the graph's kernels read them, and count what they will draw."""
        gpu = runtime.gpu(self.state.index)
        stream = runtime.current_stream(gpu.index)
        for i, value in enumerate((self.state.initial_seed, self.state.offset)):
            gpu.driver.fill(self.place.pointer + 8 * i, value, 8, 1, stream)
        self.state.offset += self.drawn


def state_of(generator: Any, index: int) -> State:
    """The state of the generator that a kernel on this device draws from; None: the device's own."""
    from minitorch._generator import default_generator_of

    return (default_generator_of(index) if generator is None else generator).stream


def permutation(generator: Any, index: int | None, n: int) -> np.ndarray:
    """The integers below n in an order that the generator's state decides, drawn on the host."""
    state = state_of(generator, runtime.gpu(index).index)
    if state.capture is not None:
        raise RuntimeError("randperm cannot be captured: its numbers are drawn on the host")
    seed, offset, _ = state.take(4)
    return np.random.Generator(np.random.Philox(key=seed, counter=offset)).permutation(n)
