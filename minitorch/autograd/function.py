"""User-defined operations: a forward and a backward of one's own, as one node."""

import functools
from collections.abc import Callable
from typing import Any

from .engine import deliver, without_recording
from .grad_mode import state
from .node import FREED, MultiNode, Node, OutputEdge, next_key


class FunctionCtx:
    """What `forward` leaves for `backward`; any attribute may be set on it."""

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize_grads = True
        self.to_save: tuple[Any, ...] = ()
        self.dirty: tuple[Any, ...] = ()
        self.non_differentiable: tuple[Any, ...] = ()
        self.saved: list[Any] | None = []

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward, where `saved_tensors` gives them back if nobody wrote to them since."""
        self.to_save = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs forward wrote to."""
        self.dirty = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros, rather than None, for outputs that were not used."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What save_for_backward kept."""
        if self.saved is None:
            raise RuntimeError(FREED)
        return tuple(s if s is None else s.unpack() for s in self.saved)


class _Saved:
    """One tensor that forward saved: an output without its wrapper, which would make a cycle through the node."""

    def __init__(self, t: Any, output: int | None, node: Any):
        from weakref import ref

        self.tensor = None if output is not None else t
        self.array, self.cell, self.version, self.output = t.array, t.version, t.version[0], output
        self.node = ref(node) if node is not None else lambda: None

    def unpack(self) -> Any:
        if self.cell[0] != self.version:
            writer = self.cell[1] if len(self.cell) > 1 else "an in-place write"
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"[torch.Tensor {list(self.array.shape)}] is at version {self.cell[0]}; expected version "
                f"{self.version} instead. "
                f"Hint: save_for_backward kept it, then {writer} wrote to it."
            )
        if self.tensor is not None:
            return self.tensor
        from .engine import wrap

        t = wrap(self.array)
        t.version = self.cell
        node = self.node()
        if node is not None:
            t.edge = node.output_edge(self.output)
        return t


class BackwardFunction(MultiNode, FunctionCtx):
    """The node of a user-defined Function, which is also its `ctx`."""

    function: type["Function"]

    def __init__(self) -> None:
        FunctionCtx.__init__(self)
        self.key, self.grad, self.owned, self.hooks = next_key(), None, False, None
        self.outputs = 0
        self.shapes: list[Any] = []
        self.input_shapes: list[Any] = []
        self.output_edges: dict[int, Any] = {}

    @property
    def edges(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"edge{i}" for i in range(len(self.needs_input_grad)))

    def output_edge(self, i: int) -> Any:
        """The edge of output i; held weakly, since the edge holds the node."""
        from weakref import ref

        found = self.output_edges.get(i)
        edge = found() if found is not None else None
        if edge is None:
            edge = OutputEdge(self, i)
            self.output_edges[i] = ref(edge)
        return edge

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        from .engine import wrap

        grads = [x if x is None else wrap(x) for x in g]
        for edge, d in without_recording(self._backward, grads):
            deliver(edge, d.array, False, heap)
        if not keep:
            self.saved = None

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        for edge, d in self._backward(g):
            deliver(edge, d, False, heap)
        if not keep:
            self.saved = None

    def _backward(self, grads: list[Any]) -> list[Any]:
        """(edge, gradient) for each input that wants one, with torch's checks of what backward returned."""
        from minitorch._creation import zeros

        if self.materialize_grads:
            grads = [
                zeros(shape, dtype=dtype) if g is None and shape is not None else g
                for g, (shape, dtype) in zip(grads, self.shapes, strict=True)
            ]
        found = self.function.backward(self, *grads)
        found = found if isinstance(found, tuple) else (found,)
        name, wanted = self.name(), len(self.needs_input_grad)
        if len(found) > wanted and all(f is None for f in found[wanted:]):
            found = found[:wanted]
        if len(found) != wanted:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected {wanted}, got {len(found)})"
            )
        delivered = []
        for i, (edge_name, d) in enumerate(zip(self.edges, found, strict=True)):
            edge = getattr(self, edge_name)
            if edge is None or d is None:
                continue
            shape, dtype = self.input_shapes[i]
            if tuple(d.shape) != shape:
                try:
                    d = d.sum_to_size(*shape)
                except (RuntimeError, IndexError):
                    raise RuntimeError(
                        f"Function {name} returned an invalid gradient at index {i} - got {list(d.shape)} but "
                        "expected shape "
                        f"compatible with {list(shape)}"
                    ) from None
            delivered.append((edge, d if d.dtype is dtype else d.to(dtype)))
        return delivered


class Function:
    """Base of user-defined operations: static `forward(ctx, ...)` and `backward(ctx, *grads)`, called by `apply`.

    >>> import minitorch as torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = torch.ones(2, requires_grad=True)
    >>> Double.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    _node_type: type[BackwardFunction] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "Function instances are not callable: define static forward and backward methods and call .apply() "
            "on the class"
        )

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs from those of the outputs: one for each argument of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it "
            "with backward "
            "mode AD."
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, recorded as one node."""
        from minitorch._tensor import Tensor, current_edge

        if cls.__dict__.get("_node_type") is None:
            cls._node_type = type(f"{cls.__name__}Backward", (BackwardFunction,), {"function": cls})
        node = cls._node_type()  # type: ignore[misc]
        edges = [(a.edge if a.base is None else current_edge(a)) if isinstance(a, Tensor) else None for a in args]
        recording = state.grad and any(e is not None for e in edges)
        node.needs_input_grad = tuple(e is not None for e in edges)
        separate = "setup_context" in vars(cls) or any(
            "setup_context" in vars(b) for b in cls.__mro__ if b is not Function
        )
        result = without_recording(cls.forward, *(args if separate else (node, *args)))
        if separate:
            without_recording(cls.setup_context, node, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        outputs = tuple(_as_output(node, o, args) for o in outputs)
        if recording:
            node.__dict__.update({f"edge{i}": e for i, e in enumerate(edges)})
            node.input_shapes = [(tuple(a.shape), a.dtype) if isinstance(a, Tensor) else None for a in args]
            _attach(node, outputs)
        made = [id(o) for o in outputs]
        node.saved = [
            None
            if t is None
            else _Saved(t, made.index(id(t)) if recording and id(t) in made else None, node if recording else None)
            for t in node.to_save
        ]
        node.to_save = ()
        return outputs if isinstance(result, tuple) else outputs[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save for backward, where forward takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")


def _as_output(node: Any, o: Any, args: tuple[Any, ...]) -> Any:
    """An input that forward returned unchanged comes out as a view of it, unless it was marked dirty."""
    if any(o is a for a in args) and not any(o is d for d in node.dirty) and hasattr(o, "view_as"):
        return o.detach() if not o.requires_grad else without_recording(o.view_as, o)
    return o


def _attach(node: Any, outputs: tuple[Any, ...]) -> None:
    from minitorch import _dtype
    from minitorch._tensor import Tensor

    node.outputs = len(outputs)
    for i, o in enumerate(outputs):
        differentiable = (
            isinstance(o, Tensor)
            and o.array.dtype in _dtype.FLOATS
            and not any(o is n for n in node.non_differentiable)
        )
        node.shapes.append((tuple(o.shape), o.dtype) if differentiable else (None, None))
        if not differentiable:
            continue
        if o.edge is not None and o.edge.is_leaf and any(o is d for d in node.dirty):
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        o.base = None
        o.edge = node.output_edge(i)
    node.dirty = node.non_differentiable = ()


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for `backward`: its result has no graph, and asking for one is an error."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        recording = state.grad
        found = without_recording(fn, ctx, *args)
        if not recording or not any(getattr(a, "requires_grad", False) for a in args):
            return found
        several = found if isinstance(found, tuple) else (found,)
        blocked = tuple(f if f is None else _blocked(f, args) for f in several)
        return blocked if isinstance(found, tuple) else blocked[0]

    return wrapper


class _Error(Node):
    """The node of a gradient that must not be differentiated again."""

    __slots__ = ()

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    run_tensors = run


def _blocked(t: Any, args: tuple[Any, ...]) -> Any:
    made = t.detach()
    node = _Error()
    node.key, node.grad, node.owned, node.hooks = next_key(), None, False, None
    made.edge = node
    return made
