"""`apply(op, *args)`: what calling an op means, in general form.

The functions that `generate_forward.py` writes do the same for NumPy arrays, faster; this one serves every other device
and float16 and bfloat16, and is what the tests compare the generated functions with.

Halves are widened to float32 for the op's kernel and rounded once. Their gradients likewise: see `OpNode.run_general`.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._device import backend
from minitorch._dtype import FLOATS, HALVES
from minitorch._kernels.half import HALF_CLASSES, conversion, empty, floor_divide, rounded, tagged, widened
from minitorch._kernels.strided import StridedArray
from minitorch._tensor import Tensor, current_edge, new, wrap
from minitorch.autograd._lines import count_write
from minitorch.autograd.grad_mode import NO_GRAD, state
from minitorch.autograd.node import DeadEnd, next_key, remember_line

from .check import broadcast_error, no_kernel
from .generate_backward import node_class
from .inplace import check_inplace, rebase
from .intercepted import Positional
from .nodes import OpNode, aliased, geometry, without_recording
from .op import Op
from .operands import (
    NUMBER_DTYPE,
    NUMBERS,
    constant,
    constant_like,
    operand_error,
    promote,
    refuse_bool,
    refuse_cast,
    same_device,
    to_float,
)  # fmt: skip
from .scope import SCOPE

ndarray = np.ndarray


def apply(op: Op, *args: Any) -> Any:
    """Compute, and record if grad mode is on and an input requires grad."""
    return _applied(op, args, None)


def _applied(op: Op, args: tuple[Any, ...], dest: Any) -> Any:
    """`apply`; a GPU's pointwise op may write its result to the array `dest`."""
    if op.kind == "pointwise" and (known := _known_on_gpu(op, args, dest)) is not None:
        return known
    for a in args:
        if isinstance(a, Tensor) and a.is_sparse:
            from .sparse_ops import sparse_call

            return sparse_call(op, args)
    values = dict(zip(op.params, args, strict=True))
    first = values[op.tensors[0]]
    for t in op.tensors:
        if values[t].__class__ in NUMBERS:
            values[t] = constant_like(first, values[t])
    device = same_device(op, [values[t] for t in op.tensors])
    on_cpu, inferred = device.type == "cpu", None
    if device.type == "cuda":
        for t in op.tensors:  # what is brought over by a copy gets its gradient back by one
            if (v := values[t]) is not None and v.array.__class__ is ndarray and v.requires_grad:
                values[t] = v.to(device)
    if op.kind == "pointwise":
        inferred = None if on_cpu else _inferred.get(_key(op, values))
        if inferred is None:
            bring_together(op, values)
    halves = on_cpu and _has_halves(values)
    if halves and op.halves == "none":
        no_kernel(op.kernel, values[op.tensors[0]].array)
    if on_cpu and not halves:  # as after `half + float`
        return (Positional(op) if op.keyword_only else op).function(*[values[p] for p in op.params])
    edges = {t: None if (v := values[t]) is None else v.edge if v.base is None else current_edge(v) for t in op.edges}
    by_value = device.type == "cuda" and op.kind == "pointwise"
    arrays = {t: None if (v := values[t]) is None else v.array if by_value else _on(v, device) for t in op.tensors}
    o, *outputs = _in_float32(op, values, arrays) if halves else _compute(op, values, arrays, device, inferred, dest)
    out = new(Tensor)
    out.array, out._grad, out.edge, out.version, out.base = o, None, None, [0], None
    if op.kind == "view":
        out.version = first.version
        if first.version.__class__ is list:
            out.base, out.view_version = first if first.base is None else first.base, first.version[0]
        inherited = None if first.base is None else first.created
        out.created = inherited if state.mode is None else NO_GRAD
    tracked = edges and any(e is not None for e in edges.values())
    if state.mode is None and tracked:
        out.edge = _record(op, values, arrays, edges, out, outputs, halves)
    elif op.kind == "view" and tracked:
        out.edge = DeadEnd()
    return op.returns(out, *map(wrap, outputs)) if outputs else out


def _known_on_gpu(op: Op, args: tuple[Any, ...], dest: Any) -> Tensor | None:
    """What `_applied` gives for a pointwise op on a GPU whose operands' dtypes and shapes came before; else None.

    An op of a step takes the processor as long as its kernel takes the GPU, if not longer: nothing is asked twice here.
    """
    device, count, is_recorded = None, len(op.tensors), False
    tensors: list[Tensor] = []
    arrays: list[Any] = []
    key: list[Any] = [op]
    for a in args[:count]:
        if a.__class__ in NUMBERS:
            if device is None:
                return None
            a = constant(a, NUMBER_DTYPE[a.__class__, arrays[0].dtype])
        elif not isinstance(a, Tensor):
            return None
        array = a.array
        if array.__class__ is ndarray:
            if array.shape or device is None or a.edge is not None or a.base is not None:
                return None
        elif not isinstance(array, StridedArray) or a.device is not (device := device or a.device):
            return None
        if a.edge is not None or a.base is not None:
            is_recorded = True
        tensors.append(a)
        arrays.append(array)
        key += array.dtype, array.shape
    if device is None or device.type != "cuda":
        return None
    others = args[count:]
    for v in others:
        if v.__class__ not in _PLAIN:
            return None
        key += v.__class__, v
    inferred = _inferred.get(tuple(key))
    if inferred is None:
        return None
    out = new(Tensor)
    into = {} if dest is None else {"dest": dest}
    out.array = backend(device).run(op, inferred, arrays, others, **into)
    out._grad, out.edge, out.version, out.base = None, None, [0], None
    if is_recorded and state.mode is None:
        values = dict(zip(op.params, (*tensors, *others), strict=True))
        edges = {t: _edge(values[t]) for t in op.edges}
        if any(e is not None for e in edges.values()):
            out.edge = _record(op, values, dict(zip(op.tensors, arrays, strict=True)), edges, out, (), False)
    return out


def apply_inplace(op: Op, *args: Any) -> Tensor:
    """The in-place twin in general form: the op's result goes to the first tensor's memory, its node to that tensor."""
    x = args[0]
    if x.is_sparse:
        from .sparse_ops import sparse_inplace

        return sparse_inplace(op, args)
    edge = _edge(x)
    tracked = state.mode is None and any(isinstance(a, Tensor) and a.requires_grad for a in args)
    if tracked:
        check_inplace(x)
        is_kept = any(op.tensors[0] in op.kept(t) for t in op.edges)  # and about to be overwritten
        before = aliased(x.array.copy() if is_kept else x.array, [0], edge)
        args = tuple([before if a is x else a for a in args])
    # what is recorded may keep its result, which x's next change would overwrite
    dest = x.array if x.is_cuda and op.kind == "pointwise" and not tracked else None
    out = _applied(op, args, dest)
    if out.array.shape != x.array.shape:
        raise broadcast_error([x.array.shape, out.array.shape])
    refuse_cast(op, out.array.dtype, x.array.dtype)
    if out.array is not x.array:  # to which a structured op's kernel has written itself
        backend(x.device).write(x.array, out.array)
    count_write(x.version, f"{op.public_name}_")
    if out.edge is not None:
        rebase(x, out.edge, edge)
    return x


def _edge(t: Tensor) -> Any:
    return t.edge if t.base is None else current_edge(t)


def bring_together(op: Op, values: dict[str, Any]) -> None:
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
    return backend(device).from_host(a) if isinstance(a, ndarray) and device.type != "cpu" else a


def _has_halves(values: dict[str, Any]) -> bool:
    """Whether an operand is a half, or the dtype asked for."""
    return any(
        v.array.__class__ in HALF_CLASSES if isinstance(v, Tensor) else isinstance(v, DTYPES) and v in HALVES
        for v in values.values()
    )


def _in_float32(op: Op, values: dict[str, Any], arrays: dict[str, Any]) -> tuple[Any, ...]:
    """The CPU kernel between a widening and a rounding; views take the memory as it is."""
    full = {**values, **arrays}
    if op.kind == "view":
        assert op.forward is not None
        plain = {p: np.asarray(a) if a.__class__ in HALF_CLASSES else a for p, a in full.items()}
        return (tagged(op.forward(*[plain[p] for p in op.params])),)
    if op.kind == "pointwise":
        return (_pointwise_in_float32(op, [arrays[t] for t in op.tensors], {p: full[p] for p in op.others}),)
    named = {p: full[p] for p in op.keyword_only}
    inferred = op.infer(*[full[p] for p in op.params if p not in named], **named)
    assert op.forward is not None
    taken = _taken(op, full)
    with np.errstate(all="ignore"):
        o = op.forward(*[taken[p] for p in op.params])
    if not op.outputs:
        return (_rounded(o, inferred[1]),)
    dtypes_of_all = [d for _, d in inferred] if isinstance(inferred, list) else [inferred[1]] * len(o)
    return tuple(map(_rounded, o, dtypes_of_all))


BLOCK = 1 << 16  # elements whose float32 copies stay in the cache, and over which Python takes no time


def _pointwise_in_float32(op: Op, arrays: list[Any], numbers: dict[str, Any]) -> Any:
    """The op's own function on widened operands: block by block where all lie alike in memory."""
    first, exact = arrays[0], op.name in EXACT_NUMBERS
    if op.name in FLOOR_DIVISIONS and arrays[1].size != 1:
        return floor_divide(*arrays)
    shape = next((a.shape for a in arrays if a.shape), ())
    alike = all(a.flags.c_contiguous and a.shape in (shape, ()) for a in arrays)
    if not alike or prod(shape) < 2 * BLOCK:
        result = without_recording(op.function, *[wrap(_widened(a, exact)) for a in arrays], **numbers)
        return _rounded(result.array, first.dtype)
    is_half = op.result != "bool"
    out = empty(shape, first.dtype if is_half else dtypes.BOOL_NUMPY)
    flat, dest = [a.reshape(-1) if a.shape else a for a in arrays], np.asarray(out).reshape(-1)
    narrow = conversion("narrow", out.__class__) if is_half else None  # type: ignore[arg-type]
    for i in range(0, dest.size, BLOCK):
        part = [wrap(_widened(a[i : i + BLOCK] if a.shape else a, exact)) for a in flat]
        made = without_recording(op.function, *part, **numbers).array
        if narrow and made.dtype == np.float32:
            narrow(made, dest[i : i + BLOCK].view(np.uint16))
        else:
            dest[i : i + BLOCK] = np.asarray(_rounded(made, first.dtype))
    return out


def _taken(op: Op, full: dict[str, Any]) -> dict[str, Any]:
    """A structured op's arguments as its kernel takes them: see `Op.halves`."""
    if op.halves == "own":
        return full
    if op.halves == "bits":
        return {p: a.view(np.int16) if a.__class__ in HALF_CLASSES else a for p, a in full.items()}
    wide = {p: _widened(a, False) for p, a in full.items()}
    if full.get("dtype") in HALVES:  # torch casts first, then sums
        dtype = getattr(full["dtype"], "numpy", full["dtype"])
        wide |= {t: widened(rounded(wide[t], dtype)) for t in op.tensors if wide[t].dtype in FLOATS}
    return wide


DTYPES = (dtypes.dtype, np.dtype)
# with a number as operand, torch rounds the result of these only, not the number
EXACT_NUMBERS = frozenset("mul div div_trunc div_floor floor_divide lerp".split())
FLOOR_DIVISIONS = frozenset(("div_floor", "floor_divide"))  # in steps, but by one number in float32


def _widened(value: Any, exact: bool) -> Any:
    if isinstance(value, DTYPES) and value in HALVES:
        return dtypes.float32.numpy if isinstance(value, np.dtype) else dtypes.float32
    if value.__class__ not in HALF_CLASSES:
        return value
    return value.exact if exact and value.exact is not None else widened(value)


def _rounded(a: Any, dtype: np.dtype) -> Any:
    """A kernel's result in the dtype of its op, if that is a half: floats rounded, moved bits named again."""
    a = np.asanyarray(a)
    if dtype not in HALVES or a.dtype == dtype:
        return tagged(a)
    return rounded(a, dtype) if a.dtype in FLOATS else tagged(a.view(dtype)) if a.dtype == np.int16 else a


def _compute(
    op: Op, values: dict[str, Any], arrays: dict[str, Any], device: Any, inferred: Any, dest: Any
) -> tuple[Any, ...]:
    full = {**values, **arrays}
    if op.kind == "view":
        assert op.forward is not None
        return (op.forward(*[full[p] for p in op.params]),)
    others = [full[p] for p in op.others]
    if op.kind == "pointwise":
        operands = [arrays[t] for t in op.tensors]
        inferred = inferred or _infer(op, values, operands, others)
        into = {} if dest is None else {"dest": dest}
        return (backend(device).run(op, inferred, operands, others, **into),)
    named = {p: full[p] for p in op.keyword_only}
    inferred = op.infer(*[full[p] for p in op.params if p not in named], **named)
    o = backend(device).run(op, inferred, [arrays[t] for t in op.tensors], others)
    return o if op.outputs else (o,)


def _infer(op: Op, values: dict[str, Any], arrays: list[Any], others: list[Any]) -> Any:
    """(shape, dtype) of a pointwise op's result, all checks made."""
    shapes = [a.shape for a in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise broadcast_error(shapes) from None
    dtype = dtypes.BOOL_NUMPY if op.result == "bool" else arrays[0].dtype
    _refuse_dtypes(op, [np.empty(0, np.float32 if a.dtype in HALVES else a.dtype) for a in arrays], others)
    key = _key(op, values)
    if key is not None:
        if len(_inferred) >= KEPT:
            _inferred.clear()
        _inferred[key] = shape, dtype
    return shape, dtype


KEPT = 4096
_inferred: dict[Any, Any] = {}
"""What `_infer` found, by `_key`. Operands that are keys here are in the dtype that their op computes in."""
_PLAIN = frozenset((int, float, bool, str, type(None)))


def _key(op: Op, values: dict[str, Any]) -> Any:
    """All that decides what a pointwise op makes of its operands; None where that cannot be a key."""
    key: list[Any] = [op]
    for t in op.tensors:
        a = values[t].array
        key += a.dtype, a.shape
    for p in op.others:
        v = values[p]
        if v.__class__ not in _PLAIN:
            return None
        key += v.__class__, v
    return tuple(key)


def _refuse_dtypes(op: Op, empties: list[np.ndarray], others: list[Any]) -> None:
    """What the formula refuses on NumPy arrays, it refuses on every device."""
    assert op.formula is not None
    if op.result == "float_only":
        if empties[0].dtype not in FLOATS:
            no_kernel(op.kernel, empties[0])
    if not op.bools:
        refuse_bool(op, *empties)
    try:
        op.formula.function(*empties, **dict(zip(op.others, others, strict=True)))
    except (TypeError, ValueError) as e:
        raise operand_error(op, e, False, *empties) from None


def _record(op: Op, values: Any, arrays: Any, edges: Any, out: Tensor, outputs: Any, halves: bool) -> Any:
    SCOPE[f"{op.name}_node"] = kind = node_class(op)
    n: Any = (_half_node(kind) if halves else kind)()  # type: ignore[arg-type]
    n.key, n.grad, n.hooks = next_key(), None, None
    remember_line(n)
    for t, name, kept in _kept(op):
        setattr(n, name, edges[t])
        if edges[t] is None:
            continue
        for k, what, version in kept:
            if what == "result":
                n.out, n.out_cell, n.out_version = out.array, out.version, out.version[0]
            elif what == "output":
                setattr(n, k, outputs[op.outputs.index(k)])
            elif what == "number":
                setattr(n, k, values[k])
            elif what == "geometry":
                setattr(n, k, _plain_value(arrays, k))
            else:
                setattr(n, k, values[k])
                setattr(n, version, None if values[k] is None else values[k].version[0])
    return n


@cache
def _kept(op: Op) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Of each differentiable tensor its name, its edge's, and what its gradient keeps: name, kind, version's name."""

    def kind(k: str) -> str:
        if k == "out":
            return "result"
        if k in op.outputs:
            return "output"
        return "tensor" if not op.is_plain(k) else "number" if k in op.others else "geometry"

    names = {t: [*op.kept(t), *[f"{t}_shape"] * op.broadcasts] for t in op.edges}
    return [(t, f"{t}_edge", [(k, kind(k), f"{k}_version") for k in kept]) for t, kept in names.items()]


@cache
def _half_node(kind: Any) -> type[Any]:
    """The op's node, running the general form of its gradients whatever the dtype of what flows back."""
    made = type(kind.__name__, (kind,), {"__slots__": (), "run": OpNode.run_general})
    made.__module__ = kind.__module__
    return made


def _plain_value(arrays: dict[str, Any], k: str) -> Any:
    tensor, _, what = k.rpartition("_")
    return geometry(arrays[tensor]) if what == "geometry" else getattr(arrays[tensor], what)
