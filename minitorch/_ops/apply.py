"""`apply(op, *args)`: what calling an op means, in general form.

The functions that `generate.py` writes do the same for NumPy arrays, faster; this one serves every other device and
is what the tests compare the generated functions with.
"""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._device import backend
from minitorch._tensor import Tensor, current_edge, new, wrap
from minitorch.autograd.grad_mode import NO_GRAD, state
from minitorch.autograd.node import DeadEnd, next_key

from .check import broadcast_error, float_required
from .generate import SCOPE, node_class
from .inplace import check_inplace, rebase
from .nodes import aliased, geometry
from .op import Op
from .operands import (
    NUMBERS,
    constant_like,
    operand_error,
    promote,
    refuse_bool,
    refuse_cast,
    same_device,
    to_float,
)  # fmt: skip

ndarray = np.ndarray


def apply(op: Op, *args: Any) -> Any:
    """Compute, and record if grad mode is on and an input requires grad."""
    values = dict(zip(op.params, args, strict=True))
    first = values[op.tensors[0]]
    for t in op.tensors:
        if values[t].__class__ in NUMBERS:
            values[t] = constant_like(first, values[t])
    device = same_device(op, tuple(values[t] for t in op.tensors))
    if op.kind == "pointwise":
        _bring_together(op, values)
    edges = {t: None if values[t] is None else _edge(values[t]) for t in op.edges}
    arrays = {t: None if values[t] is None else _on(values[t], device) for t in op.tensors}
    o, *outputs = _compute(op, values, arrays, device)
    out = new(Tensor)
    out.array, out._grad, out.edge, out.version, out.base = o, None, None, [0], None
    if op.kind == "view":
        out.version, out.view_version = first.version, first.version[0]
        out.base = first if first.base is None else first.base
        inherited = None if first.base is None else first.created
        out.created = inherited if state.mode is None else NO_GRAD
    tracked = any(e is not None for e in edges.values())
    if state.mode is None and tracked:
        out.edge = _record(op, values, arrays, edges, out, outputs)
    elif op.kind == "view" and tracked:
        out.edge = DeadEnd()
    return op.returns(out, *map(wrap, outputs)) if outputs else out


def apply_inplace(op: Op, *args: Any) -> Tensor:
    """The in-place twin in general form: the op's result goes to the first tensor's memory, its node to that tensor."""
    x = args[0]
    edge = _edge(x)
    if state.mode is None and any(isinstance(a, Tensor) and a.requires_grad for a in args):
        check_inplace(x)
        before = aliased(x.array.copy(), [0], edge)  # what is kept for gradients is about to be overwritten
        args = tuple([before if a is x else a for a in args])
    out = apply(op, *args)
    if out.array.shape != x.array.shape:
        raise broadcast_error([x.array.shape, out.array.shape])
    refuse_cast(op, out.array.dtype, x.array.dtype)
    backend(x.device).write(x.array, out.array)
    x.version[0] += 1
    x.version[1:] = (f"{op.name}_",)
    if out.edge is not None:
        rebase(x, out.edge, edge)
    return x


def _edge(t: Tensor) -> Any:
    return t.edge if t.base is None else current_edge(t)


def _bring_together(op: Op, values: dict[str, Any]) -> None:
    """Operands of a pointwise op in the dtype that it computes in."""
    tensors = [values[t] for t in op.tensors]
    if len(tensors) > 1:
        tensors = list(promote(op, *tensors))
    if op.result == "float":
        tensors = [to_float(t) for t in tensors]
    values.update(zip(op.tensors, tensors, strict=True))


def _on(t: Tensor, device: Any) -> Any:
    """The operand's array on the op's device: 0-dim CPU tensors follow the others."""
    a = t.array
    return backend(device).from_host(a) if a.__class__ is ndarray and device.type != "cpu" else a


def _compute(op: Op, values: dict[str, Any], arrays: dict[str, Any], device: Any) -> tuple[Any, ...]:
    full = {**values, **arrays}
    if op.kind == "view":
        assert op.forward is not None
        return (op.forward(*[full[p] for p in op.params]),)
    others = [full[p] for p in op.others]
    if op.kind == "pointwise":
        return (_pointwise(op, [arrays[t] for t in op.tensors], others, device),)
    if device.type == "cpu":
        assert op.forward is not None
        o = op.forward(*[full[p] for p in op.params])
    else:
        named = {p: full[p] for p in op.keyword_only}
        inferred = op.infer(*[full[p] for p in op.params if p not in named], **named)
        o = backend(device).run(op, inferred, [arrays[t] for t in op.tensors], others)
    return o if op.outputs else (o,)


def _pointwise(op: Op, arrays: list[Any], others: list[Any], device: Any) -> Any:
    shapes = [a.shape for a in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise broadcast_error(shapes) from None
    dtype = dtypes.BOOL_NUMPY if op.result == "bool" else arrays[0].dtype
    if device.type != "cpu":
        _refuse_dtypes(op, [np.empty(0, a.dtype) for a in arrays], others)
    return backend(device).run(op, (shape, dtype), arrays, others)


def _refuse_dtypes(op: Op, empties: list[np.ndarray], others: list[Any]) -> None:
    """What the formula refuses on NumPy arrays, it refuses on every device."""
    assert op.formula is not None
    if op.result == "float_only":
        float_required(op.name, empties[0])
    if not op.bools:
        refuse_bool(op, *empties)
    try:
        op.formula.function(*empties, **dict(zip(op.others, others, strict=True)))
    except (TypeError, ValueError) as e:
        raise operand_error(op, e, False, *empties) from None


def _record(op: Op, values: Any, arrays: Any, edges: Any, out: Tensor, outputs: Any) -> Any:
    n: Any = node_class(op)()
    SCOPE[f"{op.name}_node"] = type(n)
    n.key, n.grad, n.hooks = next_key(), None, None
    for t in op.edges:
        setattr(n, f"{t}_edge", edges[t])
        if edges[t] is None:
            continue
        for k in op.kept(t) + [f"{t}_shape"] * op.broadcasts:
            if k == "out":
                n.out, n.out_cell, n.out_version = out.array, out.version, out.version[0]
            elif k in op.outputs:
                setattr(n, k, outputs[op.outputs.index(k)])
            elif op.is_plain(k):
                setattr(n, k, values[k] if k in op.others else _plain_value(arrays, k))
            else:
                setattr(n, k, values[k])
                setattr(n, f"{k}_version", None if values[k] is None else values[k].version[0])
    return n


def _plain_value(arrays: dict[str, Any], k: str) -> Any:
    tensor, _, what = k.rpartition("_")
    return geometry(arrays[tensor]) if what == "geometry" else getattr(arrays[tensor], what)
