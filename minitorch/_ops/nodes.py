"""What all generated nodes share: unpacking what was kept, and the gradient on Tensors."""

import re
from typing import Any

from numpy import broadcast_shapes

from minitorch._device import backend
from minitorch._dtype import HALVES
from minitorch._kernels.half import FLOAT32
from minitorch._kernels.strided import element_strides
from minitorch._storage import offset
from minitorch._tensor import Tensor, new, wrap
from minitorch.autograd import _lines
from minitorch.autograd.engine import deliver, without_recording
from minitorch.autograd.node import FREED, Node, OutputEdge, PartOfNode, modified_error, shown_edge

from .op import OPS, Gradient, Op

# The number in a node's name tells which of torch's overloads was called: 1 where this argument was given
_OVERLOADED_BY = {"sum": "dim", "mean": "dim", "prod_dim": "dim", "squeeze_dims": "dims"}

FREED_VALUE = type("Freed", (), {"__repr__": lambda self: "<freed>"})()


class OpNode(Node):
    """A node made by an op's record. Subclasses have slots for edges, kept values, their versions and shapes."""

    __slots__ = ("out", "out_cell", "out_version")
    op: Op
    out: Any
    out_cell: Any
    out_version: int

    def shown(self) -> Node:
        argument = _OVERLOADED_BY.get(self.op.name)
        given = None if argument is None else getattr(self, argument, None)
        if given is not None and type(self).__name__.startswith(self.op.title):  # else a composite named it
            several = argument == "dims" and isinstance(given, (tuple, list)) and len(given) != 1
            self.__class__ = _class_like(type(self), f"{self.op.title}Backward{1 + several}")
        return self

    def run_general(self, g: Any, heap: Any, keep: bool) -> None:
        """`run` for halves and for other devices: the gradient formulas on Tensors, without recording."""
        without_recording(self._run, wrap(g), heap, keep, True)

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        self._run(g, heap, keep, False)

    def _run(self, g: Tensor, heap: Any, keep: bool, as_arrays: bool) -> None:
        op = self.op
        parts: dict[str, Any] = {}
        given: dict[str, Any] = {"g": g, "last": False}
        if op.asks_what_is_wanted:
            given["wanted"] = tuple([getattr(self, f"{t}_edge") is not None for t in op.edges])
        for t in op.edges:
            edge = getattr(self, f"{t}_edge")
            if edge is None:
                continue
            gradient = op.gradients[t]
            values = {**given, **{k: self.unpack(k) for k in op.kept(t)}}
            if as_arrays and gradient.is_kernel and not g.is_cpu:
                d = _by_kernel(gradient, values)
                if op.broadcasts and d.array.shape != getattr(self, f"{t}_shape"):
                    d = OPS["sum_to_size"].function(d, getattr(self, f"{t}_shape"))
                deliver(edge, d.array, True, heap)
                continue
            halves = [v.array.dtype for v in values.values() if isinstance(v, Tensor) and v.array.dtype in HALVES]
            if op.name == "to_copy" or (as_arrays and _keeps_halves(op, values)):  # the former's says the dtype
                halves = []
            if halves:
                values = {p: _wide(v) for p, v in values.items()}
            for part in set(gradient.params).intersection(op.parts):
                if part not in parts:
                    shared = op.parts[part]
                    parts[part] = shared.on_tensors()(*[values[p] for p in shared.params])
                values[part] = parts[part]
            positional = [values[p] for p in gradient.params if p not in gradient.kwonly]
            d = gradient.on_tensors()(*positional, **{k: values[k] for k in gradient.kwonly})
            if op.broadcasts and d.array.shape != getattr(self, f"{t}_shape"):
                d = OPS["sum_to_size"].function(d, getattr(self, f"{t}_shape"))
            if halves and d.array.dtype == FLOAT32:
                d = OPS["to_copy"].function(d, halves[-1])
            deliver(edge, d.array if as_arrays else d, as_arrays and _is_fresh(d, values), heap)
        if not keep:
            for k in {k for t in op.edges for k in op.kept(t) if op.is_freed(k)}:
                if hasattr(self, k):
                    setattr(self, k, FREED_VALUE)

    def unpack(self, k: str) -> Any:
        """A kept value as the gradient formula on Tensors wants it, with the edge it had when it was kept."""
        op, value = self.op, getattr(self, k)
        if value is FREED_VALUE:
            stale(self, k)
        if op.is_plain(k) or value is None:
            return value
        if k in op.outputs:
            return wrap(value)
        if k == "out":
            if self.out_cell[0] != self.out_version:
                stale(self, k)
            within = self.__dict__.get("within")
            edge = self if within is None else within().written_edge(value)
            return _with_tangents(aliased(value, self.out_cell, edge), self)
        if value.version[0] != getattr(self, f"{k}_version"):
            stale(self, k)
        edge = getattr(self, f"{k}_edge", None) or self.__dict__.get("unwanted_edges", {}).get(f"{k}_edge")
        edge = getattr(edge, "stands_for", edge)
        return value if value.edge is edge else _with_tangents(aliased(value.array, value.version, edge), value)


# Ops that compute several of torch's nodes at once: in which order torch has the edges, and what it has behind one
_PARTS = {
    "linear_2d": (("bias_edge", "input_edge", "weight_edge"), "weight_edge", "TBackward0"),
    "cross_entropy_rows": (("input_edge",), "input_edge", "LogSoftmaxBackward0"),
    "cross_entropy_with_slopes": (("input_edge",), "input_edge", "LogSoftmaxBackward0"),
}


def shown_edges(op: Any) -> dict[str, Any]:
    """The members by which an op's nodes show torch's edges where the op stands for several nodes of torch's."""
    if op.name not in _PARTS:
        return {}
    edges, at, title = _PARTS[op.name]
    part = type(title, (PartOfNode,), {"__slots__": ()})

    def next_functions(node: Any) -> tuple[Any, ...]:
        if getattr(node, at) is not None and "part" not in node.__dict__:
            node.__dict__["part"] = part(getattr(node, at), node)
        between = {at: node.__dict__.get("part")}
        return tuple([shown_edge(between.get(e) or getattr(node, e)) for e in edges])

    return {"edges": edges, "next_functions": property(next_functions)}


def _is_fresh(d: Tensor, values: dict[str, Any]) -> bool:
    """Whether a gradient on a GPU has memory that nothing else refers to."""
    return d.is_cuda and all(d.array.memory is not v.array.memory for v in values.values() if isinstance(v, Tensor))


# Ops whose gradients on a GPU are one kernel each, which computes halves in float32 and rounds its result once
KEEP_HALVES = frozenset(
    "addmm attention_in_blocks baddbmm bmm cat causal_softmax clone constant_pad convolution_forward "
    "convolution_transpose cross_entropy_rows dense embedding_rows index_select layer_norm_rows linear_2d "
    "log_softmax_dim max_pool_planes max_pool_volumes mean mm mv softmax_dim sum".split()
)


def _keeps_halves(op: Op, values: dict[str, Any]) -> bool:
    """Whether a gradient's operands need no widening: a GPU's kernels do it, of operands of one dtype."""
    g = values["g"]
    if not g.is_cuda or not (op.name in KEEP_HALVES or op.kind == "view"):
        return False
    if values.get("alpha", 1) != 1 or values.get("beta", 1) != 1:
        return False  # which a product is multiplied by after it was rounded
    given = [v for k, v in values.items() if isinstance(v, Tensor) and k not in op.outputs]
    return all(v.dtype is g.dtype for v in given if v.is_floating_point())


def _by_kernel(gradient: Gradient, values: dict[str, Any]) -> Tensor:
    """A pointwise op's gradient as one kernel of its formula, on a device other than the CPU."""
    g = values["g"]
    arrays = [values[p].array for p in gradient.tensors]
    shape = broadcast_shapes(*[a.shape for a in arrays])
    numbers = [values[k] for k in gradient.kwonly]
    return wrap(backend(g.device).run(gradient, (shape, g.array.dtype), arrays, numbers))


def titled(result: Any, title: str, edges: tuple[str, ...] = (), through: bool = False) -> Any:
    """The result of a composite, whose node gets torch's name, and the edges that torch shows, if fewer.

    `through`: torch has one node where the composite has two, one behind the other; the inner ones are not shown.
    """
    node = result.edge
    if node is not None and not node.is_leaf:
        node.__class__ = _class_like(type(node), title, edges, through)
    return result


_titled_classes: dict[tuple[Any, ...], type] = {}


def _class_like(cls: type, title: str, edges: tuple[str, ...] = (), through: bool = False) -> type:
    """A class of nodes that differs in its name, and perhaps in the edges that it shows."""
    if cls.__name__ == title:
        return cls
    key = cls, title, edges, through
    if key in _titled_classes:
        return _titled_classes[key]
    members: dict[str, Any] = {"__slots__": ()}
    if edges:  # gradients go along all of them
        members["next_functions"] = property(lambda node: tuple([shown_edge(getattr(node, e)) for e in edges]))
    if through:
        members["next_functions"] = property(_edges_of_inner)
    made = _titled_classes[key] = type(title, (cls,), members)
    return made


def _edges_of_inner(node: Node) -> tuple[Any, ...]:
    inner = [getattr(node, e) for e in node.edges]
    return tuple([f for n in inner for f in (((None, 0),) if n is None else n.next_functions)])


def _with_tangents(t: Tensor, holder: Any) -> Tensor:
    """t with the tangents that forward mode (`_transforms/forward.py`) left with the tensor or its node."""
    tangents = holder.__dict__.get("tangents")
    if tangents is not None:
        t.__dict__["tangents"] = tangents
    return t


def _wide(value: Any) -> Any:
    """A half as float32: gradients are computed in it and rounded once."""
    if not isinstance(value, Tensor) or value.array.dtype not in HALVES:
        return value
    return OPS["to_copy"].function(value, FLOAT32)


def aliased(array: Any, version: list[int], edge: Any) -> Tensor:
    """A tensor over the same memory and version, in another place of the graph."""
    t = new(Tensor)
    t.array, t.version, t.edge, t._grad, t.base = array, version, edge, None, None
    return t


def kept_copy(t: Tensor) -> Tensor:
    """What an in-place op keeps of the values that it overwrites, in their present place in the graph."""
    return aliased(t.array.copy(), [0], t.edge)


def as_it_was(t: Tensor) -> Tensor:
    """What an in-place op keeps of the tensor that it changes: its present place in the graph."""
    return aliased(t.array, t.version, t.edge)


def plain_name(node: Any) -> str:
    """A node's name as torch's messages show it: MulBackward0 is Mul."""
    return re.sub(r"Backward\d*$", "", node.name())


def stale(node: Any, k: str) -> None:
    """Raise torch's error for a kept value that was freed or written to."""
    value = getattr(node, k)
    if value is FREED_VALUE:
        made_at = _lines.of_node(node)
        raise RuntimeError(FREED + f"\n{node.name()} was made at {made_at}" * bool(made_at))
    array, cell, then = (
        (value, node.out_cell, node.out_version) if k == "out"
        else (value.array, value.version, getattr(node, f"{k}_version"))
    )  # fmt: skip
    made_by = node if k == "out" else value.edge
    which = ""
    if node.op.name == "linear_2d" and k == "weight":  # of which torch saves a view
        array, which = array.T, ", which is output 0 of AsStrided,"
    elif k != "out" and value.base is not None and value.edge is not None:
        which = ", which is output 0 of AsStrided,"  # as which a view's edge is renewed after the write
    elif made_by is not None and not made_by.is_leaf:
        number = made_by.index if made_by.__class__ is OutputEdge else 0
        which = f", which is output {number} of {plain_name(made_by)},"
    saver = f"{node.op.name} saved {'its result' if k == 'out' else repr(k)} for its gradient ({node.name()})"
    raise RuntimeError(modified_error(array, which, cell, then, saver, node))


def geometry(a: Any) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """(shape, strides, offset in the storage), counted in elements."""
    return a.shape, element_strides(a), offset(a)
