"""User-defined operations: a forward and a backward of one's own, as one node.

`forward` and `backward` share a `ctx`. The graph's node holds the ctx and stands beside it, so that whatever name a
user gives to an attribute of ctx, the engine's own are safe; `grad_fn.name` finds what `ctx.name` would.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any
from weakref import ref

from . import engine
from ._function_saved import Saved
from .engine import deliver, without_recording
from .grad_mode import NO_GRAD, state
from .node import FREED, MultiNode, Node, OutputEdge, next_key, remember_line

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "once_differentiable"]

FUNCTION = "function"  # `created` of a view that a user-defined function returned


class FunctionCtx:
    """What `forward` leaves for `backward`; any attribute may be set on it."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    to_save: tuple[Any, ...] = ()
    saved_for_forward: tuple[Any, ...] | None = None
    dirty_tensors: tuple[Any, ...] = ()
    non_differentiable: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for backward, where `saved_tensors` gives them back if nobody wrote to them since."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`, where `saved_tensors` gives them back."""
        for tensor in tensors:
            if not (_is_tensor(tensor) or tensor is None):
                raise AssertionError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes "
                    "on ctx."
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs forward wrote to."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros, rather than None, for outputs that were not used."""
        self.materialize_grads = value


class BackwardCFunction(FunctionCtx):
    """The ctx of one call of a Function; each Function has a class of its own, named `<Function>Backward`."""

    _forward_cls: type["Function"]
    _node: Any = None  # a weak reference to the node, once there is one
    _saved: "list[Saved | None] | None" = None

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What save_for_backward kept; within `jvp`, what save_for_forward kept."""
        if self.saved_for_forward is not None:
            return self.saved_for_forward
        if self._saved is None:
            raise RuntimeError(FREED)
        kept = tuple([s if s is None else s.unpack(self._node) for s in self._saved])
        if self._forward_cls.clear_saved_tensors_on_access:
            self._saved = None
        return kept

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The former name of `saved_tensors`."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[Any, ...]:
        if self._saved is None:
            raise RuntimeError(FREED)
        return tuple(self._saved)

    def name(self) -> str:
        """The name of the call's node."""
        return type(self).__name__

    def apply(self, *args: Any) -> Any:
        """Call the user's backward, or vjp."""
        cls = self._forward_cls
        own_backward = cls.backward is not Function.backward
        if own_backward and cls.vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
                "implement one of them."
            )
        given = (list(args),) if cls.boxed_grads_call else args
        return (cls.backward if own_backward else cls.vjp)(self, *given)

    def apply_jvp(self, *args: Any) -> Any:
        """Call the user's jvp with the tangents of the inputs; forward-mode AD does, right after forward."""
        try:
            return self._forward_cls.jvp(self, *args)
        finally:
            self.saved_for_forward = None


def _is_tensor(value: Any) -> bool:
    from minitorch._tensor import Tensor

    return isinstance(value, Tensor)


class FunctionNode(MultiNode):
    """The node of a call of a user-defined Function."""

    __slots__ = ("_output_edges", "ctx", "edges", "inputs", "outputs_like")
    edges: tuple[str, ...]  # names of attributes edge0, edge1, ...: one per argument of forward
    _output_edges: dict[int, "ref[OutputEdge]"]
    outputs_like: list[Any]

    def __init__(self, ctx: BackwardCFunction, edges: list[Any], args: tuple[Any, ...]):
        self.key, self.grad, self.owned, self.hooks = next_key(), None, False, None
        self.ctx, self._output_edges = ctx, {}
        self.edges = tuple([f"edge{i}" for i in range(len(edges))])
        self.__dict__.update(zip(self.edges, edges, strict=True))
        self.inputs = [(tuple(a.shape), a.dtype) if _is_tensor(a) else None for a in args]
        self.outputs, self.outputs_like = 0, []
        remember_line(self)

    def __getattr__(self, name: str) -> Any:
        if name in ("at", "code", "ctx"):  # a slot that is empty
            raise AttributeError(name)
        return getattr(self.ctx, name)

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        of_tensors = [e for e, like in zip(super().next_functions, self.inputs, strict=True) if like is not None]
        return tuple(of_tensors)

    def output_edge(self, i: int) -> OutputEdge:
        """The edge of output i; held weakly, since the edge holds the node."""
        found = self._output_edges.get(i)
        edge = found() if found is not None else None
        if edge is None:
            edge = OutputEdge(self, i)
            self._output_edges[i] = ref(edge)
        return edge

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        grads = [x if x is None else engine.wrap(x) for x in g]
        for edge, d in without_recording(self._gradients, grads):
            deliver(edge, d.array, False, heap)
        if not keep:
            self.ctx._saved = None

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        for edge, d in self._gradients(g):
            deliver(edge, d, False, heap)
        if not keep:
            self.ctx._saved = None

    def _gradients(self, grads: list[Any]) -> list[tuple[Node, Any]]:
        """(edge, gradient) for each input that wants one, with torch's checks of what backward returned."""
        from minitorch._creation import zeros

        if self.ctx.materialize_grads:
            grads = [
                zeros(like[0], dtype=like[1]) if g is None and like is not None else g
                for g, like in zip(grads, self.outputs_like, strict=True)
            ]
        found = self.ctx.apply(*grads)
        found = found if isinstance(found, tuple) else (found,)
        wanted = len(self.inputs)
        if all(f is None for f in found[wanted:]):
            found = found[:wanted]
        if len(found) != wanted:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {wanted}, got "
                f"{len(found)})"
            )
        checked = [self._checked(i, d) for i, d in enumerate(found)]
        edges = [getattr(self, e) for e in self.edges]
        return [(e, d) for e, d in zip(edges, checked, strict=True) if e is not None and d is not None]

    def _checked(self, i: int, d: Any) -> Any:
        """The gradient for input i in the input's shape and dtype."""
        like = self.inputs[i]
        if d is None:
            return None
        if like is None:
            raise RuntimeError(
                f"function {self.name()} returned a gradient different than None at position {i + 1}, but the "
                "corresponding forward input was not a Variable"
            )
        if not _is_tensor(d):
            raise RuntimeError(f"expected Variable or None (got {type(d).__name__})")
        shape, dtype = like
        have = tuple(d.shape)
        if getattr(self, self.edges[i]) is None:
            return d
        if have != shape:
            padded = (1,) * (len(have) - len(shape)) + shape
            if len(padded) != len(have) or any(n != 1 and n != m for n, m in zip(padded, have, strict=True)):
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {i} - got {list(have)} but "
                    f"expected shape compatible with {list(shape)}"
                )
            d = d.sum_to_size(*shape)
        return d if d.dtype is dtype else d.to(dtype)


class FunctionMeta(type):
    """Gives each Function the class of its ctx, `_backward_cls`, and that of its nodes."""

    _backward_cls: type[BackwardCFunction]
    _node_cls: type[FunctionNode]

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]):
        super().__init__(name, bases, attributes)
        cls._backward_cls = type(f"{name}Backward", (BackwardCFunction,), {"_forward_cls": cls})
        cls._node_cls = type(f"{name}Backward", (FunctionNode,), {"__slots__": ()})


class Function(metaclass=FunctionMeta):
    """Base of user-defined operations: static `forward(ctx, ...)` and `backward(ctx, *grads)`, called by `apply`.

    In place of `forward(ctx, ...)` there may be `forward(...)` and `setup_context(ctx, inputs, output)`.

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

    generate_vmap_rule = False
    clear_saved_tensors_on_access = False  # whether reading ctx.saved_tensors lets go of them
    boxed_grads_call = False  # whether backward takes one list of gradients

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future "
            "version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save for backward, where forward takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs from those of the outputs: one for each argument of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Compute the tangents of the outputs from those of the inputs, None where there is none."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """Compute (output, out_dims) for inputs with a further dimension at in_dims."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward, recorded as one node."""
        if cls.setup_context is not Function.setup_context:
            import inspect

            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        mode = state.mode
        if mode is not None and mode is not NO_GRAD and hasattr(mode, "call_function"):
            return mode.call_function(cls, args, kwargs)
        return call(cls, args, kwargs)[1]


def call(cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[BackwardCFunction, Any]:
    """(ctx, outputs) of one call of a Function, recorded if grad mode is on and an input requires grad."""
    from minitorch._tensor import current_edge

    ctx = cls._backward_cls()
    inputs = (*args, *kwargs.values())
    edges = [(a.edge if a.base is None else current_edge(a)) if _is_tensor(a) else None for a in inputs]
    recording = state.grad and not state.inference and any(e is not None for e in edges)
    ctx.needs_input_grad = tuple([e is not None for e in edges])
    if cls.setup_context is not Function.setup_context:
        result = without_recording(cls.forward, *args, **kwargs)
        without_recording(cls.setup_context, ctx, inputs, result)
    else:
        result = without_recording(cls.forward, ctx, *args, **kwargs)
    node = cls._node_cls(ctx, edges, inputs) if recording else None
    given = result if isinstance(result, tuple) else (result,)
    _check_marks(ctx, given)
    made = [_output(o, i, len(given), node, ctx, inputs) for i, o in enumerate(given)]
    _save(ctx, node)
    if node is not None:
        ctx._node = ref(node)
    ctx.to_save = ctx.dirty_tensors = ctx.non_differentiable = ()
    return ctx, tuple(made) if isinstance(result, tuple) else made[0]


def _check_marks(ctx: BackwardCFunction, outputs: tuple[Any, ...]) -> None:
    """torch's errors for what mark_dirty and mark_non_differentiable were told."""
    if not all(map(_is_tensor, ctx.dirty_tensors)):
        raise RuntimeError("mark_dirty can only accept variables, but argument ")
    if not all(map(_is_tensor, ctx.non_differentiable)):
        raise RuntimeError("mark_non_differentiable only accepts variable arguments, but got ")
    for t in ctx.dirty_tensors:
        t.version[0] += 1
        if not _among(t, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs "
                "that are modified inplace must all be outputs of the Function."
            )


def _among(t: Any, tensors: tuple[Any, ...]) -> bool:
    return any(t is other for other in tensors)


def _output(o: Any, i: int, n: int, node: FunctionNode | None, ctx: BackwardCFunction, inputs: tuple[Any, ...]) -> Any:
    """Output i as the caller gets it: in its place in the graph, an input that came back unchanged as a view of it."""
    from minitorch import _dtype

    if node is not None:
        node.outputs_like.append((tuple(o.shape), o.dtype) if _is_tensor(o) else None)
        node.outputs = n
    if not _is_tensor(o):
        return o
    dirty = _among(o, ctx.dirty_tensors)
    unchanged = _among(o, inputs) and not dirty
    if node is None or o.array.dtype not in _dtype.FLOATS or _among(o, ctx.non_differentiable):
        return o.detach() if unchanged or (o.requires_grad and not (dirty and node is None)) else o
    if dirty:
        return _written(o, i, n, node)
    if unchanged:
        o = without_recording(o.view_as, o)
    if o.base is not None:
        from minitorch._ops.inplace import MULTI

        o.created = FUNCTION if n == 1 else MULTI
        o.view_version = o.version[0]
    o.edge = node.output_edge(i)
    return o


def _written(o: Any, i: int, n: int, node: FunctionNode) -> Any:
    """An input that forward wrote to, as an output."""
    if o.base is None:
        if o.edge is not None and o.edge.is_leaf:
            raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
        o.edge = node.output_edge(i)
        return o
    from minitorch._ops.inplace import check_inplace, rebase

    if n > 1:
        raise RuntimeError(
            "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return "
            "more than one Tensor. This is not supported by the current autograd engine. You should either make sure "
            "the input is not a view (using .clone() for example) or make your Function only return one Tensor "
            "(potentially splitting it into two Functions: one doing the inplace that returns a single Tensor and a "
            "second one that does the other operations). You can ask on the forum https://discuss.pytorch.org/ if you "
            "need help to do this change."
        )
    check_inplace(o)
    rebase(o, node, o.edge)
    return o


def _save(ctx: BackwardCFunction, node: FunctionNode | None) -> None:
    from .graph import current_hooks

    kept: list[Saved | None] = []
    for i, t in enumerate(ctx.to_save):
        if t is not None and not _is_tensor(t):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
            )
        own = t is not None and t.edge.__class__ is OutputEdge and t.edge.parent is node
        kept.append(None if t is None else Saved(t, t.edge.index if own else None))
    hooks = current_hooks()
    if node is not None and hooks is not None:
        for s in kept:
            if s is not None:
                s.register_hooks(hooks.pack_hook, hooks.unpack_hook)
    ctx._saved = kept


class InplaceFunction(Function):
    """A Function whose instances remember whether they work in place: kept for old code only."""

    def __init__(self, inplace: bool = False):
        super().__init__()
        self.inplace = inplace


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for `backward`: its result has no graph, and differentiating it is an error."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        recording = state.grad
        found = without_recording(fn, ctx, *args, **kwargs)
        if not recording or not any(_is_tensor(a) and a.requires_grad for a in args):
            return found
        several = found if isinstance(found, tuple) else (found,)
        blocked = tuple([f if f is None else _blocked(f) for f in several])
        return blocked if isinstance(found, tuple) else blocked[0]

    return wrapper


class DelayedError(Node):
    """The node of a gradient that must not be differentiated again."""

    __slots__ = ()

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    run_tensors = run


def _blocked(t: Any) -> Any:
    made = t.detach()
    node = DelayedError()
    node.key, node.grad, node.owned, node.hooks = next_key(), None, False, None
    made.edge = node
    return made
