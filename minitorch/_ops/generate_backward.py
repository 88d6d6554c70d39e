"""The nodes of an op: their class, and as text the `run` that computes gradients, written at the first backward."""

from collections.abc import Callable
from dis import get_instructions
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch.autograd.node import Node

from .op import ARRAY_NAMES, Gradient, Op
from .scope import SCOPE, SMALL, Lazy, compiled, indent

_ARITHMETIC = frozenset("add subtract multiply divide negative absolute maximum minimum".split())


def node_class(op: Op) -> type[Node]:
    """The class of the nodes that an op records; its `run` is written at the first backward pass."""
    found = SCOPE.get(f"{op.name}_node")
    if found is not None:
        return found
    slots = dict.fromkeys(
        s
        for t in op.edges
        for k in (t, *op.kept(t))
        for s in (
            (k, f"{t}_edge", f"{t}_shape")
            if op.is_plain(k)
            else (k, f"{t}_edge", f"{t}_shape", f"{k}_version", f"{k}_cell")
        )
    )
    return type(
        op.title if "Backward" in op.title else f"{op.title}Backward0",
        (SCOPE["OpNode"],),
        {
            "__slots__": tuple(slots),
            "edges": tuple(f"{t}_edge" for t in op.edges),
            "op": op,
            "run": _first_run,
            **SCOPE["saved_attributes"](op),
            **SCOPE["shown_edges"](op),
        },
    )


def _first_run(n: Any, g: Any, heap: Any, keep: bool) -> None:
    """Replaces itself by the op's own `run`."""
    cls = SCOPE[f"{n.op.name}_node"]  # n may be of a subclass: see `packed.py`
    own: dict[str, Any] = {}  # another thread may be building another class's
    exec(compiled(run_text(cls.op), f"<minitorch {cls.__name__}>"), SCOPE, own)
    cls.run = own["run"]
    cls.run(n, g, heap, keep)


def run_text(op: Op) -> str:
    """The source of `run`: from the gradient array of the output to those of the inputs."""
    lines: list[str] = ["if g.__class__ is not ndarray: return n.run_general(g, heap, keep)"]
    lines += [f"{part} = None" for part in op.parts]
    if op.asks_what_is_wanted:
        lines.append(f"wanted = {', '.join(f'n.{t}_edge is not None' for t in op.edges)},")
    for t in op.edges:
        lines += [f"e = n.{t}_edge", "if e is not None:", *indent(gradient_lines(op, t))]
    freed = sorted({k for t in op.edges for k in op.kept(t) if op.is_freed(k)})
    if freed:
        lines.append("if not keep: " + "; ".join(f"n.{k} = FREED_VALUE" for k in freed))
    return "def run(n, g, heap, keep):\n" + "\n".join(indent(lines)) + "\n"


def gradient_lines(op: Op, t: str) -> list[str]:
    """From the kept values to `d`, the gradient for argument t, delivered to edge `e`."""
    gradient, lines = op.gradients[t], []
    for k in op.kept(t):
        lines.append(f"{k} = n.{k}")
        if not op.is_freed(k):
            continue
        if op.is_plain(k) or k in op.outputs:
            lines.append(f"if {k} is FREED_VALUE: stale(n, {k!r})")
        elif k == "out":
            lines.append(f"if {k} is FREED_VALUE or n.out_cell[0] != n.out_version: stale(n, {k!r})")
        elif k in op.optional:
            lines.append(
                f"if {k} is FREED_VALUE or ({k} is not None and {k}.version[0] != n.{k}_version): stale(n, {k!r})"
            )
            lines.append(f"if {k} is not None: {k} = {k}.array")
        else:
            lines.append(f"if {k} is FREED_VALUE or {k}.version[0] != n.{k}_version: stale(n, {k!r})")
            lines.append(f"{k} = {k}.array")
    if op.kind == "pointwise":
        lines += _pointwise_gradient(op, t, gradient)
    else:
        for part in set(gradient.params).intersection(op.parts):
            lines += [f"if {part} is None:", *indent(_called(part, f"{op.name}_{part}", op.parts[part]))]
        if "last" in gradient.params:
            lines.append("last = not keep")
        lines += _called("d", f"{op.name}_{t}_gradient", gradient)
        lines.append("if d.__class__ is not ndarray: d = asarray(d)")
    # views share their memory with g, and so may what a structured op's gradient returns
    owned = (
        gradient.params != ("g",) if op.kind == "pointwise" else op.kind != "view" and "d is not g and d.base is None"
    )
    return [
        *lines,
        "if e.grad is None:",
        f"    e.grad = d; e.owned = {owned}",
        "    heappush(heap, (e.key, e))",
        "else: accumulate(e, d)",
    ]


def _called(target: str, name: str, gradient: Gradient) -> list[str]:
    """target = the gradient's function of what it names."""
    callee, params = _forwarded(gradient.function)
    if callee in ARRAY_NAMES and set(params) <= set(gradient.params):
        SCOPE[name] = ARRAY_NAMES[callee]
    else:
        SCOPE[name], params = gradient.on_arrays(), gradient.params
    args = ", ".join(params)
    return [f"{target} = {name}({args})"]


_OF_A_LONE_CALL = frozenset("RESUME PUSH_NULL PRECALL CALL RETURN_VALUE".split())


def _forwarded(function: Callable[..., Any]) -> tuple[str, tuple[str, ...]]:
    """What a function calls and with which of its arguments, if it does nothing else: a frame less. Else ("", ())."""
    names: list[str] = []
    arguments: list[str] = []
    for instruction in get_instructions(function):
        if instruction.opname == "LOAD_GLOBAL":
            names.append(instruction.argval)
        elif instruction.opname == "LOAD_FAST":
            arguments.append(instruction.argval)
        elif instruction.opname not in _OF_A_LONE_CALL:
            return "", ()
    return (names[0], tuple(arguments)) if len(names) == 1 else ("", ())


def when_slow(formula: Formula, array: str) -> list[str]:
    """The condition on which the formula's compiled loop is slower than NumPy, if there is one."""
    if not formula.slow_in_loops(np.float64):
        return []
    always = formula.slow_in_loops(np.float32)
    return [f"{array}.size > SMALL" + ("" if always else f" and {array}.dtype is not FLOAT32_NUMPY")]


def unless_many(
    target: str, name: str, formula: Formula, arrays: list[str], lines: list[str], inplace: bool = False
) -> list[str]:
    """The lines, which compute the target by NumPy, and before them the operands that a compiled loop is better for."""
    loop = loop_for_many(target, name, formula, arrays, inplace)
    return [f"if {loop[0]}: {loop[1]}", "else:", *indent(lines)] if loop else lines


def loop_for_many(
    target: str, name: str, formula: Formula, arrays: list[str], inplace: bool = False
) -> tuple[str, str] | None:
    """The condition on which the formula's compiled loop is better than NumPy, and the call of it; None if never."""
    lone = formula.lone_call()
    if len(arrays) > 2 or lone is None or lone[0] not in _ARITHMETIC:
        return None
    SCOPE[name] = Lazy(name, lambda: SCOPE["Loops"](formula, SMALL, inplace).general)
    x, y = arrays[0], arrays[-1]
    fast = f"{target} = {name}(({', '.join(arrays)},), (), {x if inplace else None}, {x}.dtype)"
    question = "beats_numpy" + "_in_place" * inplace
    many = f"{x}.size >= LARGE"
    if y != x and not inplace:  # or a result that is larger than both operands
        many = f"({many} or {x}.ndim > 1 and 1 in {x}.shape and {x}.size * {y}.size >= LARGE)"
    return f"{many} and {question}({x}, {y})", fast


def _pointwise_gradient(op: Op, t: str, gradient: Gradient) -> list[str]:
    formula = gradient.formula
    assert formula is not None
    arrays = list(gradient.tensors)
    lone = formula.lone_call()
    body = formula.statements()
    if body == ([], "g"):
        compute = ["d = g"]
    elif lone is not None:
        SCOPE["np_" + lone[0]] = getattr(np, lone[0])
        named = dict(zip(formula.arrays, arrays, strict=True))
        args = ", ".join(named[a] for a in lone[1])
        by_numpy = [f"d = np_{lone[0]}({args})"]
        compute = [
            *unless_many("d", f"{op.name}_{t}_of_many", formula, arrays, by_numpy),
            "if d.__class__ is not ndarray: d = asarray(d)",
        ]
    else:
        name = f"{op.name}_{t}_loops"
        SCOPE[name] = loops = SCOPE["Loops"](formula, SMALL)
        SCOPE[f"{op.name}_{t}_kernel"], SCOPE[f"{op.name}_{t}_large"] = loops.flat, loops.large
        call = ", ".join([*arrays, *formula.scalars])
        checks = [f"g.shape != {a}.shape" for a in arrays if a != "g"] if op.broadcasts else []
        checks += when_slow(formula, "g")
        kernel = f"{op.name}_{t}_kernel if g.size < LARGE else {op.name}_{t}_large"
        checks.append("not g.flags.c_contiguous")
        plain = f"d = empty(g.shape, g.dtype); ({kernel})({call}, d)"
        general = (
            f"d = {name}.general(({', '.join(arrays)},), ({''.join(s + ', ' for s in formula.scalars)}), None, g.dtype)"
        )
        compute = [f"if {' or '.join(checks)}: {general}", f"else: {plain}"]
    if not op.broadcasts:
        return compute
    return _summed(op, t, formula, arrays, compute)


def _summed(op: Op, t: str, formula: Formula, arrays: list[str], compute: list[str]) -> list[str]:
    """Undo broadcasting. For a 0-dim operand, a number-like weight, multiply and sum in one loop."""
    if formula.statements() == ([], "g"):
        return [f"d = g if g.shape == n.{t}_shape else sum_to(g, n.{t}_shape)"]
    total = f"{op.name}_{t}_total"
    SCOPE[total] = Lazy(total, lambda: SCOPE["total"](formula))
    same = " and ".join([f"{a}.shape == g.shape" for a in arrays if a != "g"] + ["g.size <= SMALL"])
    call = ", ".join([*arrays, *formula.scalars])
    return [
        f"if not n.{t}_shape and g.shape and {same}: d = empty((), g.dtype); {total}({call}, d)",
        "else:",
        *indent([*compute, f"if d.shape != n.{t}_shape: d = sum_to(d, n.{t}_shape)"]),
    ]
