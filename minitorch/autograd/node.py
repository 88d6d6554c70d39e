"""The nodes of the graph: one per recorded call, and one where each leaf's gradient ends.

An edge of the graph is always just a node: the one a gradient goes to next. An op with several outputs makes one
`OutputEdge` per output, which files its gradient with the op's node.
"""

from collections import OrderedDict  # unlike dict, it can be referred to weakly, as handles do
from collections.abc import Callable
from heapq import heappush
from itertools import count
from typing import Any, ClassVar
from weakref import ref

import numpy as np

from minitorch._dtype import C_NAMES

from . import _lines
from .grad_mode import state

# falls, so that the heap's smallest entry is the newest node: creation order is a topological order
next_key = count(-1, -1).__next__
# positive: leaves are served after every other node, once each, in order of creation
next_leaf_key = count(1).__next__

add, ndarray = np.add, np.ndarray
new = object.__new__
tensor_class: Any = None  # given by _tensor.py, which imports this module

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)
MODIFIED = (
    "one of the variables needed for gradient computation has been modified by an inplace operation: "
    "[{type} {shape}]{which} is at version {now}; expected version {then} instead. "
    "Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
    "torch.autograd.set_detect_anomaly(True, check_nan=False)."
)


def modified_error(array: Any, which: str, cell: list[Any], then: int, saver: str, node: "Node | None") -> str:
    """torch's error for a kept value that was written to since, then who saved it, who wrote, where, and the remedy."""
    writer, wrote_at = _lines.of_write(cell)
    saved_at = _lines.of_node(node)
    kind = f"torch.{C_NAMES[array.dtype.name]}Tensor"
    text = MODIFIED.format(type=kind, shape=list(array.shape), which=which, now=cell[0], then=then)
    text += f"\n{saver}, then {writer} wrote to it."
    text += f"\n  saved at {saved_at}" * bool(saved_at) + f"\n  written at {wrote_at}" * bool(wrote_at)
    return text + f"\nWrite to a copy instead (x = x.clone()), or use the out-of-place form of {writer}."


class Node:
    """One recorded call. `_ops/generate_backward.py` makes a subclass per op, with a slot for all that it keeps.

    `grad` is the gradient that has arrived so far during a backward pass, `owned` says that nothing else refers to its
    memory, `key` orders the pass, `hooks` is None or the hooks that run on the gradient before the node does. `code`
    and `at` say on which line of the user's it was made (`_lines.py`); only recorded calls have them.
    """

    __slots__ = ("__dict__", "__weakref__", "at", "code", "grad", "hooks", "key", "owned")
    is_leaf: ClassVar[bool] = False
    edges: tuple[str, ...] = ()
    at: int
    code: Any
    grad: Any
    hooks: Any
    key: int
    owned: bool

    def __init_subclass__(cls) -> None:
        if not cls.__qualname__.endswith("Backward"):  # those of a user's Functions
            cls.__module__ = "builtins"  # as torch's, which are written in C++

    def name(self) -> str:
        """The node's class as torch names it, such as MulBackward0."""
        return type(self.shown()).__name__

    def shown(self) -> "Node":
        """The node as users get to see it."""
        return self

    def __repr__(self) -> str:
        return f"<{self.name().rpartition('::')[2]} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple["Node | None", int], ...]:
        """(node, which of its outputs) for each input of the call; (None, 0) where no gradient is wanted."""
        return tuple(shown_edge(getattr(self, e)) for e in self.edges)

    def successors(self) -> "list[Node | None]":
        """The nodes that this one passes gradients to."""
        return [getattr(self, e) for e in self.edges]

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's own notes."""
        return self.__dict__.setdefault("metadata_", {})

    def register_hook(self, fn: Callable[..., Any]) -> Any:
        """Call fn(grad_inputs, grad_outputs) after the node has run; what it returns replaces grad_inputs."""
        from minitorch.utils.hooks import RemovableHandle

        hooks = self.__dict__.setdefault("post_hooks", OrderedDict())
        handle = RemovableHandle(hooks)
        hooks[handle.id] = fn
        if self.hooks is None:
            self.hooks = OrderedDict()
        return handle

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        """Call fn(grad_outputs) before the node runs; what it returns replaces them."""
        return add_hook(self, lambda g: only(fn((g,))))

    def __call__(self, *grads: Any) -> Any:
        """The gradients of the inputs for those of the outputs, without the rest of the graph.

        >>> import minitorch as torch
        >>> node = (torch.ones(2, requires_grad=True) * 3).grad_fn
        >>> with torch.no_grad():
        ...     node(torch.ones(2))
        (tensor([3., 3.]), None)
        """
        from .engine import call_node

        return call_node(self, grads)

    def _sequence_nr(self) -> int:
        """Later calls have greater numbers."""
        return -self.key

    def run(self, g: Any, heap: list[Any], keep: bool) -> None:
        """Turn the gradient array of the output into those of the inputs and deliver them to the edges."""
        raise NotImplementedError(self.name())

    def run_tensors(self, g: Any, heap: list[Any], keep: bool) -> None:
        """The same on Tensors, recorded: what `create_graph=True` runs."""
        raise NotImplementedError(f"{self.name()} has no double backward")


def remember_line(node: Node) -> None:
    """Note on which line of the user's program the node is made; generated functions do it in line."""
    if node.key > _lines.noted.key:
        node.code, node.at = _lines.here()


def only(result: Any) -> Any:
    """The single gradient a hook returned, as it is or in a tuple."""
    return result[0] if isinstance(result, tuple) else result


def shown_edge(edge: Node | None) -> tuple[Node | None, int]:
    """(node, output number) as torch's next_functions shows an edge."""
    if edge is None:
        return None, 0
    return (edge.parent.shown(), edge.index) if isinstance(edge, OutputEdge) else (edge.shown(), 0)


def like_parameter(parameter: Any, g: Any) -> Any:
    """A copy of a gradient, laid out as its parameter."""
    if not isinstance(g, ndarray):
        return g.copy()
    copy = np.empty_like(parameter, g.dtype)
    copy[...] = g
    return copy


def add_hook(node: Node, fn: Callable[..., Any]) -> Any:
    """Run fn on the gradient (a Tensor) that reaches `node`, before the node does."""
    from minitorch.utils.hooks import RemovableHandle

    if node.hooks is None:
        node.hooks = OrderedDict()
    handle = RemovableHandle(node.hooks)
    node.hooks[handle.id] = fn
    return handle


class AccumulateGrad(Node):
    """Where a leaf's gradient ends: in its tensor's `grad`.

    Holds its tensor weakly: the tensor holds this node, and a cycle would keep memory until the garbage collector runs.
    The tensor's array it holds as it is, so that a leaf which the program has let go of can be made once more.
    """

    __slots__ = ("array", "post_hooks", "tensor")
    is_leaf = True
    post_hooks: Any
    tensor: Callable[[], Any]

    def __init__(self, tensor: Any):
        self.key, self.grad, self.owned, self.hooks = next_leaf_key(), None, False, None
        self.tensor, self.array, self.post_hooks = ref(tensor), tensor.array, None

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Any:
        """The leaf tensor; where the program has let go of it, another over the same memory, from then on the leaf."""
        t = self.tensor()
        if t is None:
            t = new(tensor_class)
            t.array, t.version, t.edge, t._grad, t.base = self.array, [0], self, None, None
            self.tensor = lambda: t
        return t

    def receiver(self) -> Any:
        """The leaf that the gradient goes to; None if nobody would see it."""
        t = self.variable if self.post_hooks else self.tensor()
        return None if t is None or t.edge is None else t

    def run(self, g: Any, heap: list[Any], keep: bool) -> None:
        t = self.tensor()
        if t is None or t.edge is None:
            t = self.receiver()
            if t is None:
                return
        grad = t._grad
        if grad is None:
            a = t.array
            # only what nothing else refers to, and what is laid out as the leaf, becomes its gradient as it is
            if not self.owned or (g.ndim > 1 and g.strides != a.strides):
                g = like_parameter(a, g)
            t._grad = grad = new(tensor_class)
            grad.array = g
            grad.version = [0]
            grad.edge = grad._grad = grad.base = None
        elif grad.edge is None and grad.array.__class__ is ndarray:
            a = grad.array
            add(a, g, a)
            grad.version[0] += 1
        else:
            t._add_to_grad(g)
        if self.post_hooks:
            self._run_post_hooks(t)

    def run_tensors(self, g: Any, heap: list[Any], keep: bool) -> None:
        t = self.receiver()
        if t is None:
            return
        t._accumulate_tensor(g)
        if self.post_hooks:
            self._run_post_hooks(t)

    def _run_post_hooks(self, t: Any) -> None:
        before = state.grad
        state.grad = False
        state.refresh()
        try:
            for hook in tuple(self.post_hooks.values()):
                hook(t)
        finally:
            state.grad = before
            state.refresh()


class DeadEnd(Node):
    """The edge of a view made under no_grad of a tensor that requires grad.

    Like torch's, such a view says that it requires grad, but what flows to it is lost.
    """

    __slots__ = ()
    is_leaf = True

    def __init__(self) -> None:
        self.key, self.grad, self.owned, self.hooks = next_leaf_key(), None, False, None

    def run(self, g: Any, heap: list[Any], keep: bool) -> None:
        pass

    run_tensors = run


class PartOfNode(Node):
    """A node of torch's that an op here computes within its own: `next_functions` shows it, no pass meets it."""

    __slots__ = ("next", "whole")
    edges = ("next",)

    def __init__(self, next: Node | None, whole: Node):
        self.key, self.grad, self.owned, self.hooks = whole.key, None, False, None
        self.next, self.whole = next, whole.name()

    def _refuse(self, *args: Any) -> Any:
        raise NotImplementedError(
            f"{self.name()} is computed within {self.whole}, the node before it: it has no hooks and cannot be called"
        )

    register_hook = register_prehook = __call__ = _refuse  # type: ignore[assignment]


class OutputEdge(Node):
    """Stands for one output of an op with several: it files its gradient with the op's node."""

    __slots__ = ("index", "parent")
    edges = ("parent",)

    def __init__(self, parent: "MultiNode", index: int):
        self.key, self.grad, self.owned, self.hooks = next_key(), None, False, None
        self.parent, self.index = parent, index

    def name(self) -> str:
        return self.parent.name()

    def run(self, g: Any, heap: list[Any], keep: bool) -> None:
        p = self.parent
        if p.grad is None:
            p.grad = [None] * p.outputs
            heappush(heap, (p.key, p))
        p.grad[self.index] = g

    run_tensors = run


class MultiNode(Node):
    """A node of an op with several outputs: its `grad` is a list, one entry per output, None where none arrived."""

    __slots__ = ("outputs",)
    outputs: int

    def register_prehook(self, fn: Callable[..., Any]) -> Any:
        return add_hook(self, fn)
