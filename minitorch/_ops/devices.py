"""Tensors from one device to another, with the gradient that goes the way back."""

from typing import Any

import numpy as np

from minitorch._device import backend, settled
from minitorch._tensor import Tensor, current_edge, wrap
from minitorch.autograd.engine import deliver, without_recording
from minitorch.autograd.grad_mode import NO_GRAD, state
from minitorch.autograd.node import Node, next_key, remember_line

ndarray = np.ndarray


def moved(t: Tensor, device: Any, non_blocking: bool = False) -> Tensor:
    """A copy of the tensor on another device, in its own order of dimensions in memory where the copy can have it.

    `non_blocking`: a copy from pinned memory to a GPU, or back, may still be under way on return.
    """
    device = settled(device)
    mode = state.mode
    if mode is not None and mode is not NO_GRAD:
        return mode.call(MOVED, (t, device, non_blocking))
    if t.is_meta:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    result = wrap(_copied(t.array, device, non_blocking))
    edge = t.edge if t.base is None else current_edge(t)
    if edge is not None and mode is None:
        result.edge = ToCopyBackward0(edge, t.device)
    return result


def _copied(a: Any, device: Any, non_blocking: bool) -> Any:
    if device.type == "cpu":
        return a.to_host(wait=not non_blocking)
    if not isinstance(a, ndarray):
        return backend(device).from_device(a)
    return backend(device).from_host(a, non_blocking) if device.type == "cuda" else backend(device).from_host(a)


class ToCopyBackward0(Node):
    """The gradient goes back to the device that its tensor came from."""

    __slots__ = ("device", "input_edge")
    edges = ("input_edge",)
    input_edge: Any
    device: Any

    def __init__(self, edge: Any, device: Any):
        self.key, self.grad, self.owned, self.hooks = next_key(), None, False, None
        self.input_edge, self.device = edge, device
        remember_line(self)

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        deliver(self.input_edge, without_recording(moved, wrap(g), self.device).array, True, heap)

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        deliver(self.input_edge, moved(g, self.device), False, heap)


class _Moved:
    """`moved` in the form an interceptor calls."""

    name = public_name = "to"
    function = staticmethod(moved)


MOVED = _Moved()
