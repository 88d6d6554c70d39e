"""The graph as users see it: its nodes and edges, and hooks on what they keep and on the gradients that pass."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from . import _lines, engine
from .grad_mode import state
from .node import MultiNode, Node, OutputEdge, next_key

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


# ---------------------------------------------------------------------- hooks on what nodes keep
class Packed:
    """A saved tensor that a pack hook has turned into something else."""

    __slots__ = ("unpack_hook", "value")

    def __init__(self, t: Any, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]):
        version = t.version[0]
        self.unpack_hook = unpack_hook
        self.value = engine.without_recording(pack_hook, t)
        if t.version[0] != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook "
                "cannot be modified by in-place operations as this can lead to unexpected side-effects. Please open an "
                "issue if you need to perform in-place operations on the input to a pack hook."
            )

    def unpack(self) -> Any:
        from minitorch._tensor import Tensor

        t = self.unpack_hook(self.value)
        if not isinstance(t, Tensor):
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t).__name__}"
            )
        return t


class saved_tensors_hooks:
    """While it is entered, pack_hook(tensor) is kept in place of each tensor that a node saves for its gradient.

    unpack_hook makes a tensor of it again when the gradient is computed. Of nested pairs the innermost counts.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), lambda kept: torch.tensor(kept)):
    ...     y = x.exp()
    >>> y.sum().backward()
    >>> x.grad
    tensor([2.7183, 2.7183])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> Any:
        if state.hooks_disabled is not None:
            raise RuntimeError(state.hooks_disabled)
        state.interceptors = (*state.interceptors, _Saving(self))
        state.refresh()

    def __exit__(self, *_: object) -> None:
        last = max(i for i, e in enumerate(state.interceptors) if isinstance(e, _Saving) and e.hooks is self)
        state.interceptors = (*state.interceptors[:last], *state.interceptors[last + 1 :])
        state.refresh()


class _Saving:
    """The interceptor of one pair of hooks: lets the op run, then packs what its nodes keep."""

    def __init__(self, hooks: saved_tensors_hooks):
        self.hooks = hooks

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        before = next_key()
        with state.below(self):
            mode = state.mode
            while isinstance(mode, _Saving):  # the innermost pair alone counts
                with state.below(mode):
                    mode = state.mode
            state.switch(mode)
            out = op.function(*args)
        if state.grad:
            record = getattr(op, "op", op)
            numbers = [p for p, a in zip(getattr(record, "params", ()), args) if isinstance(a, (int, float))]
            _pack_new(out, before, self.hooks, record, numbers)
        return out


def _pack_new(out: Any, before: int, hooks: saved_tensors_hooks, record: Any, numbers: list[str]) -> None:
    """Pack the nodes made since the key `before` that lead to `out`.

    `numbers` are the operands of `record` that the user gave as Python numbers: no hook sees these.
    """
    from minitorch._ops.nodes import OpNode
    from minitorch._ops.packed import kept_names, pack

    tensors = [t for t in (out if isinstance(out, (tuple, list)) else (out,)) if hasattr(t, "edge")]
    stack = [e for t in tensors for e in (t.edge, None if t.base is None else t.base.edge)]
    seen = set()
    while stack:
        node = stack.pop()
        if node is None or node.key >= before or node in seen:
            continue
        seen.add(node)
        stack += node.successors()
        if isinstance(node, OpNode) and "packed" not in node.__dict__:
            names = [k for k in kept_names(node) if node.op is not record or k not in numbers]
            pack(node, names, hooks.pack_hook, hooks.unpack_hook)


def current_hooks() -> saved_tensors_hooks | None:
    """The innermost pair of hooks that this thread has entered."""
    return next((e.hooks for e in reversed(state.interceptors) if isinstance(e, _Saving)), None)


class save_on_cpu(saved_tensors_hooks):
    """While it is entered, saved tensors are kept on the CPU and brought back for the backward pass.

    pin_memory=True asks for page-locked memory where there is a GPU: without one it changes nothing.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(lambda t: (t.device, t.cpu()), lambda kept: kept[1].to(kept[0]))


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """While it is entered, entering saved-tensor hooks raises RuntimeError(error_message)."""
    if current_hooks() is not None:
        raise RuntimeError(error_message)
    before, state.hooks_disabled = state.hooks_disabled, error_message
    try:
        yield
    finally:
        state.hooks_disabled = before


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[None]:
    """While it is entered, saved tensors may be written to: nodes keep copies, made when they are saved.

    Forward and backward must run under the same context. (torch makes the copies only when a tensor is written to.)
    """
    if isinstance(current_hooks(), _Copies):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    copies = _Copies()
    with copies:
        try:
            yield
        finally:
            copies.open = False


class _Copies(saved_tensors_hooks):
    open = True

    def __init__(self) -> None:
        super().__init__(lambda t: t.detach().clone(), self._give)

    def _give(self, kept: Any) -> Any:
        if not self.open:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was "
                "originally recorded."
            )
        return kept


# ---------------------------------------------------------------------- edges
class GradientEdge(NamedTuple):
    """One edge of the graph: a node and which of its outputs. `ownership_token` keeps alive what it stands for."""

    node: Node
    output_nr: int
    ownership_token: Any = None


class _Token(NamedTuple):
    edge: Node
    tensor: Any  # an array of the tensor's shape and dtype


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The edge that the tensor's gradient goes to: `backward` and `grad` take it in place of the tensor.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.autograd.graph.get_gradient_edge(x * 2).node.name()
    'MulBackward0'
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    node = tensor.edge
    return GradientEdge(tensor.grad_fn or node, tensor.output_nr, _Token(node, tensor.array))


def edge_of(value: Any) -> Node | None:
    """The node that the gradient of a tensor, or of a GradientEdge, goes to."""
    if isinstance(value, GradientEdge):
        if isinstance(value.ownership_token, _Token):
            return value.ownership_token.edge
        node = value.node
        if hasattr(node, "output_edge"):
            return node.output_edge(value.output_nr)
        return OutputEdge(node, value.output_nr) if isinstance(node, MultiNode) else node
    if value.base is None:
        return value.edge
    from minitorch._tensor import current_edge

    return current_edge(value)


def increment_version(tensor: Any) -> None:
    """Count a write that was made behind minitorch's back to this tensor, or to each of several."""
    from minitorch._tensor import Tensor

    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        if not t.is_inference():
            _lines.count_write(t.version, "increment_version")


# ---------------------------------------------------------------------- hooks on several gradients
class _Handles:
    """One handle for the hooks on several tensors."""

    def __init__(self, handles: tuple[Any, ...]):
        self.handles = handles

    def remove(self) -> None:
        """Take all of them away."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> "_Handles":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., None], *, mode: str = "all") -> Any:
    """Call fn(gradients) once in each pass, after the last of the tensors that take part has its gradient.

    With mode="any" it is fn(gradient), after the first.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "any":
        return _Handles(_first_hooks(tensors, fn))
    edges = [edge_of(t) for t in tensors]
    arrived: dict[int, tuple[int, list[Any]]] = {}  # pass -> (how many are to come, gradients)

    def hook_for(i: int) -> Callable[[Any], None]:
        def hook(grad: Any) -> None:
            number = engine.pass_number()
            if number not in arrived:
                expected = sum(engine.takes_part(e) for e in edges if e is not None)
                arrived[number] = expected, [None] * len(tensors)
            missing, grads = arrived[number]
            grads[i] = grad
            arrived[number] = missing - 1, grads
            if missing == 1:
                del arrived[number]
                fn(grads)

        return hook

    return _Handles(tuple([t.register_hook(hook_for(i)) for i, t in enumerate(tensors)]))


def _first_hooks(tensors: Sequence[Any], fn: Callable[..., None]) -> tuple[Any, ...]:
    done: list[int] = []

    def hook(grad: Any) -> None:
        if engine.pass_number() not in done:
            done[:] = [engine.pass_number()]
            fn(grad)

    return tuple([t.register_hook(hook) for t in tensors if t.requires_grad])
