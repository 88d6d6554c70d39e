"""The tangent of an op's result, from what its record says already.

- Pointwise: a gradient formula is linear in g and elementwise, so with the tangent in g's place it gives the tangent.
- Linear in an argument: the op itself, on the tangent. `LINEAR` lists them; it is an optimisation, for
- everything else: the gradient is linear in g, J^T g; the derivative of <J^T g, v> by g is J v. Two reverse passes,
  and no rule for any op (Townsend 2017, "A new trick for calculating Jacobian vector products").
"""

from typing import Any

from minitorch._creation import zeros_like
from minitorch._dtype import FLOATS, NUMBER_DTYPE
from minitorch._ops.apply import bring_together
from minitorch._ops.op import OPS, Op
from minitorch._ops.operands import NUMBERS, constant
from minitorch._tensor import DETACH, Tensor

from .levels import batch_levels, on_copy, tensors_in, writes

# op -> groups of arguments. It is linear in each group, with the others as they are; a group of several (`a+b`) varies
# together, and what is added to the result (`bias`) is zero while another group varies.
LINEAR = {
    "clone": "input", "dense": "input", "clone_channels_last": "input", "to_copy": "input",
    "unsafe_view": "input", "sum_to_size": "input",
    "sum": "input", "mean": "input", "spread": "g", "cumsum": "input", "cumsum_from_end": "input",
    "flip_dims": "input", "roll_dims": "input", "repeat_sizes": "input", "tril": "input", "triu": "input",
    "diag_embed": "input", "choose": "input+other", "index": "input", "masked_read": "input", "take_flat": "input",
    "index_backward": "g", "index_put_into": "input+values", "index_cleared": "g", "gather": "input",
    "gather_backward": "g", "scatter_into": "input+src", "scatter_add_into": "input+src", "scatter_cleared": "g",
    "masked_fill_into": "input+value", "masked_filled": "input+value", "masked_zero": "g",
    "index_select": "input", "index_select_backward": "g",
    "index_add_into": "input+source", "index_copy_into": "input+source", "index_fill_into": "input+value",
    "rows_cleared": "g", "copy_from": "input+src", "mm": "input mat2", "bmm": "input mat2", "mv": "input vec",
    "dot": "input tensor", "linear_2d": "input+bias weight", "convolution_forward": "input+bias weight",
    "convolution_transpose": "input+bias weight", "convolution_backward_weight": "grad_output input",
    "embedding_rows": "weight", "basic_backward": "g", "select_backward": "g", "slice_backward": "g",
    "diagonal_backward": "g", "unfold_backward": "g", "scatter_one": "g", "take_one": "input",
    "part_written": "input+src", "strided_part_written": "input+src",
    "max_pool_backward": "grad_output", "unpool_planes": "input", "unpool_volumes": "input", "pick_in_planes": "input",
}  # fmt: skip

# in-place ops whose result does not depend on what was there
CONSTANT = {"fill_with", "zero", *(name for name in OPS if name.startswith("fill_") and name != "fill_bernoulli_p")}


def zeros(t: Tensor | None) -> Tensor | None:
    """A zero tangent for an argument without one."""
    return None if t is None else zeros_like(t)


def tangents_of(level: Any, op: Any, args: tuple[Any, ...], outs: Any) -> list[Tensor | None]:
    """The tangents of the results, None where there is none; runs below `level`."""
    if op is DETACH:
        return [None]
    record, function = getattr(op, "op", op), op.function
    nothing = [None] * (len(outs) - 1)
    if op.name == "cat":
        tensors, dim = args
        duals = [level.tangent(t) for t in tensors]
        return [function([zeros(t) if d is None else d for t, d in zip(tensors, duals, strict=True)], dim)]
    if op.__class__ is type:  # the parts of unbind, split and chunk
        return list(function(level.tangent(args[0]), *args[1:]))
    if isinstance(record, Op):
        tangents = {p: level.tangent(a) for p, a in zip(record.params, args, strict=True) if isinstance(a, Tensor)}
        if not any(tangents.get(t) is not None for t in record.edges):
            return [None, *nothing]
        if record.kind == "pointwise":
            return [pointwise(record, args, tangents, outs[0]), *nothing]
        if record.kind == "view":
            try:
                return [view(op, record, args, tangents[record.tensors[0]])]
            except RuntimeError:  # as_strided beyond the tangent's memory
                return by_two_reverse_passes(level, function, args)
        if record.name in LINEAR:
            return [linear(op, record, args, tangents), *nothing]
    return by_two_reverse_passes(level, on_copy(function) if writes(op) else function, args)


def tangent_of_write(level: Any, op: Any, args: tuple[Any, ...], tangents: dict[str, Tensor | None]) -> Tensor:
    """The tangent of an in-place op's result, computed before the write."""
    record = op.op
    if record.kind == "pointwise":
        if not any(tangents.get(t) is not None for t in record.edges):
            return zeros_like(args[0])
        names = {p for t in record.edges for p in record.gradients[t].params}
        out = record.function(*args) if "out" in names else args[0]
        return pointwise(record, args, tangents, out)
    found = by_two_reverse_passes(level, on_copy(op.function), args)[0]
    return zeros_like(args[0]) if found is None else found


def pointwise(op: Op, args: tuple[Any, ...], tangents: dict[str, Tensor | None], out: Tensor) -> Tensor:
    """The sum over the arguments of the gradient formula, with the argument's tangent for g."""
    values = dict(zip(op.params, args, strict=True))
    first = next(values[t] for t in op.tensors if isinstance(values[t], Tensor))
    for t in op.tensors:
        if values[t].__class__ in NUMBERS:
            values[t] = constant(values[t], NUMBER_DTYPE[values[t].__class__, first.array.dtype])
    bring_together(op, values)
    values["out"] = out
    total: Any = None
    for t in op.edges:
        tangent, gradient = tangents.get(t), op.gradients[t]
        if tangent is None:
            continue
        dtype = values[t].array.dtype
        values["g"] = tangent if tangent.array.dtype is dtype else OPS["to_copy"].function(tangent, dtype)
        kept = {p: values[p] if p in values else _plain(p, values) for p in gradient.params}
        positional = [kept[p] for p in gradient.params if p not in gradient.kwonly]
        d = gradient.on_tensors()(*positional, **{k: kept[k] for k in gradient.kwonly})
        total = d if total is None else OPS["add"].function(total, d)
    if total.array.shape != out.array.shape:
        total = OPS["expand_to"].function(total, out.array.shape)
    return total


def _plain(name: str, values: dict[str, Any]) -> Any:
    """A tensor's shape or dtype, as a gradient names it."""
    tensor, _, what = name.rpartition("_")
    return getattr(values[tensor].array, what)


def view(op: Any, record: Op, args: tuple[Any, ...], tangent: Any) -> Tensor:
    """The same view of the tangent."""
    rest = list(args[1:])
    if record.name == "as_strided" and rest[2] is not None:
        rest[2] += tangent.storage_offset() - args[0].storage_offset()
    return op.function(tangent, *rest)


def linear(op: Any, record: Op, args: tuple[Any, ...], tangents: dict[str, Tensor | None]) -> Tensor:
    """The op on the tangents of one group of its arguments at a time."""
    groups = [g.split("+") for g in LINEAR[record.name].split()]
    added = {name for g in groups for name in g[1:]}
    total: Any = None
    for group in groups:
        if all(tangents.get(t) is None for t in group):
            continue
        given = dict(zip(record.params, args, strict=True))
        for t in added.union(group):
            found = tangents.get(t) if t in group else None
            given[t] = zeros(given[t]) if found is None else found
        d = (on_copy(op.function) if writes(op) else op.function)(*given.values())
        d = d[0] if isinstance(d, tuple) else d
        total = d if total is None else OPS["add"].function(total, d)
    return total


def by_two_reverse_passes(level: Any, function: Any, args: tuple[Any, ...]) -> list[Tensor | None]:
    """J v as the gradient by u of <J^T u, v>."""
    from .reverse import Tape, is_float

    duals: list[Tensor] = []
    for t in tensors_in(args):
        if t.array.dtype in FLOATS and level.tangent(t) is not None and not any(t is d for d in duals):
            duals.append(t)
    # the levels of these very tensors: a backward pass runs rules on tensors from under all batches
    tape = Tape(batch_levels(tensors_in(args)))
    with tape:
        tracked = [tape.track(t) for t in duals]
        made = function(*replaced(args, duals, tracked))
        several = list(made) if isinstance(made, (tuple, list)) else [made]
        outs = [o for o in several if is_float(o) and o.requires_grad]
        if not outs:
            return [None] * len(several)
        directions = [tape.track(zeros_like(o)) for o in outs]
        pulled = tape.pull(outs, tracked, directions, True)
        pushed = tape.pull(pulled, directions, [level.tangent(t) for t in duals], tape.outer)
    found = iter([tape.release(t) for t in pushed])
    return [next(found) if any(o is d for d in outs) else None for o in several]


def replaced(args: Any, old: list[Tensor], new: list[Tensor]) -> Any:
    """Arguments, also within lists, with other tensors for some of them."""

    def other(a: Any) -> Any:
        if isinstance(a, Tensor):
            return next((n for o, n in zip(old, new, strict=True) if o is a), a)
        return replaced(a, old, new) if a.__class__ in (list, tuple) else a

    return type(args)(other(a) for a in args)
