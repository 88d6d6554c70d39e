"""What `make_graphed_callables` gives: each call replays one graph, and its backward pass another.

Static tensors stand for inputs, outputs and their gradients: a call copies its arguments into the static inputs and
replays, backward copies the gradients into the static ones of the outputs.
"""

import functools
from typing import Any

import minitorch
from minitorch._tensor import Tensor
from minitorch.autograd.function import Function
from minitorch.utils._pytree import tree_flatten, tree_unflatten

from .graphs import CUDAGraph, graph
from .streams import Stream, current_stream, stream


class _Graphed:
    """One callable, captured."""

    def __init__(self, function: Any, arguments: tuple[Any, ...]):
        self.function, self.arguments = function, arguments
        flat, self.in_spec = tree_flatten(arguments)
        if not all(isinstance(a, Tensor) for a in flat):
            raise AssertionError("In the beta API, sample_args for each callable must contain only Tensors.")
        self.inputs = flat
        self.parameters = tuple(function.parameters()) if isinstance(function, minitorch.nn.Module) else ()
        self.surface = (*flat, *self.parameters)
        self.forward_graph, self.backward_graph = CUDAGraph(), CUDAGraph()

    def warm_up(self, times: int, allow_unused: bool) -> None:
        """Run it some times, so that kernels are loaded and nothing is compiled while a graph is captured."""
        for _ in range(times):
            outputs = self._tracked(tree_flatten(self.function(*self.arguments))[0])
            self._gradients(outputs, [minitorch.empty_like(o) for o in outputs], allow_unused)

    def _tracked(self, outputs: Any) -> list[Tensor]:
        return [o for o in outputs if o.requires_grad]

    def _gradients(self, outputs: list[Tensor], given: Any, allow_unused: bool) -> Any:
        wanted = [t for t in self.surface if t.requires_grad]
        if not outputs or not wanted:
            return ()
        return minitorch.autograd.grad(outputs, wanted, given, only_inputs=True, allow_unused=allow_unused)

    def capture_forward(self, pool: Any) -> None:
        with graph(self.forward_graph, pool=pool):
            outputs = self.function(*self.arguments)
        self.outputs, self.out_spec = tree_flatten(outputs)

    def capture_backward(self, pool: Any, allow_unused: bool) -> None:
        outputs = self._tracked(self.outputs)
        self.given = [minitorch.empty_like(o) for o in outputs]
        with graph(self.backward_graph, pool=pool):
            made = iter(self._gradients(outputs, self.given, allow_unused))
        self.gradients = [next(made, None) if t.requires_grad else None for t in self.surface]
        self.tracked = [o.requires_grad for o in self.outputs]
        self.outputs = [o.detach() for o in self.outputs]

    def replayed(self) -> Any:
        """The callable that replays."""
        owner = self

        class Graphed(Function):
            @staticmethod
            def forward(ctx: Any, *surface: Tensor) -> Any:
                for static, given in zip(owner.inputs, surface):
                    if static.data_ptr() != given.data_ptr():
                        static.detach().copy_(given.detach())
                owner.forward_graph.replay()
                outputs = tuple([o.detach() for o in owner.outputs])
                ctx.mark_non_differentiable(*[o for o, tracked in zip(outputs, owner.tracked) if not tracked])
                return outputs

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                wanted = [g for g, tracked in zip(grads, owner.tracked) if tracked]
                for static, g in zip(owner.given, wanted, strict=True):
                    if g is not None and g.data_ptr() != static.data_ptr():
                        static.copy_(g)
                owner.backward_graph.replay()
                return tuple([g if g is None else g.detach().clone() for g in owner.gradients])

        def call(*arguments: Any) -> Any:
            flat = tree_flatten(arguments)[0]
            made = Graphed.apply(*flat, *owner.parameters)
            return tree_unflatten(list(made), owner.out_spec)

        return call


def graphed(functions: tuple[Any, ...], arguments: Any, warmups: int, allow_unused: bool, pool: Any) -> list[Any]:
    """The callables, captured in order, their backward passes in the opposite order, as they will be replayed."""
    made = [_Graphed(f, tuple(a)) for f, a in zip(functions, arguments, strict=True)]
    side = Stream()
    side.wait_stream(current_stream())
    with stream(side):
        for g in made:
            g.warm_up(warmups, allow_unused)
    current_stream().wait_stream(side)
    minitorch.cuda.synchronize()
    for g in made:
        g.capture_forward(pool)
    for g in reversed(made):
        g.capture_backward(pool, allow_unused)
    return [_as_given(f, g.replayed()) for f, g in zip(functions, made, strict=True)]


def _as_given(function: Any, call: Any) -> Any:
    """A module keeps being one: in the mode that it was captured in its forward replays, in the other it computes."""
    if not isinstance(function, minitorch.nn.Module):
        return call
    mode, forward = function.training, function.forward

    @functools.wraps(forward)
    def replaying(*arguments: Any) -> Any:
        return call(*arguments) if function.training == mode else forward(*arguments)

    function.forward = replaying
    return function
