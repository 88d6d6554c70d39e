"""The text of an op's public function: what `apply.py` does for any op, settled for one from its record.

A method here writes the lines of one stage: arguments, arrays, edges, the result, the node that remembers. The text of
the node's `run` is `generate_backward.py`'s.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch._kernels.codegen import VECTORISED, Formula
from minitorch.autograd._lines import known_callers

from .generate_backward import loop_for_many, node_class, unless_many, when_slow
from .intercepted import InPlace, Positional
from .number_first import WITH_OLD_ORDER
from .op import APART, Op
from .scope import SCOPE, SMALL, Lazy, indent

PLACES_WITH_OUT = frozenset(("torch", "linalg", "special"))  # namespaces whose functions take out=

NUMPY_SPELLING = {"dim": "axis", "keepdim": "keepdims"}  # torch takes both words

# where the user made the call, for messages: the code and the instruction of the caller, past minitorch's own frames
# Every frame looked at costs 100 ns or more, so an op without a public name starts at its caller's caller.
CALLERS_FRAME = ("f = getframe(1)",)
FURTHER_FRAME = ("try: f = getframe(2)", "except ValueError: f = getframe(1)")


class FunctionText:
    """Writes one function of an op: the function itself, its in-place twin, or an operator method."""

    def __init__(self, op: Op, name: str):
        self.op, self.name = op, name
        self.inplace = name == op.name + "_" or (name in op.operator and name.startswith("__i") and op.inplace)
        self.is_operator = name in op.operator
        self.first = op.tensors[0]
        self.extra = "" if self.inplace and op.extra.startswith("inplace") else op.extra
        SCOPE[f"{op.name}_op"] = op

    def text(self) -> str:
        op = self.op
        if self.inplace and op.result == "bool":  # computed in the operands' dtype, not in that of what is written to
            params = ", ".join(op.params)
            lines = [f"return write_result({self.first}, {op.name}_op.function({params}))"]
        else:
            lines = [*self.arguments(), *self.arrays(), *self.edges_read(), *self.body()]
        if "overridden" in SCOPE:
            lines = [*self.override(), *lines]
        return f"def generated({self.signature()}):\n" + "\n".join(indent(lines)) + "\n"

    # ---------------------------------------------------------------- the head
    def override(self) -> Iterator[str]:
        """Lines that ask the classes of the arguments, once a class with `__torch_function__` exists."""
        scope: dict[str, Any] = {}
        exec(f"def head({self.signature()}): pass", scope)
        code = scope["head"].__code__
        positional = code.co_varnames[: code.co_argcount]
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        asked = [p for p in (*positional, *named) if p in self.op.tensors or p == "out"]
        yield f"if {' or '.join(f'{p}.__class__ not in PLAIN' for p in asked)}:"
        given = ", ".join(f"{p!r}: {p}" for p in named)
        old = " *old," * ("*old" in self.signature())
        yield f"    r = overridden({self.name!r}, ({', '.join(positional)},{old}), {{{given}}})"
        yield "    if r is not NOT_TAKEN: return r"

    def signature(self) -> str:
        op = self.op
        if self.is_operator:
            return ", ".join(op.params)
        spelled = dict(self.numpy_spelling())
        defaults = {**dict.fromkeys(self.required_later()), **op.defaults}
        parts = [
            ("*, " if op.keyword_only[:1] == (p,) else "") + (p if p not in defaults else f"{p}={defaults[p]!r}")
            for p in op.params
        ]
        parts += [self.extra] * bool(self.extra)
        named = [f"{numpy}=None" for numpy in spelled.values()]
        if op.takes_out and PLACES_WITH_OUT.intersection(op.on) and op.kind != "view" and not self.inplace:
            named.insert(0, "out=None")
        text = ", ".join(parts + ["*"] * bool(named and "*, " not in ", ".join(parts)) + named)
        return text.replace("*, ", "*old, ", 1) if op.name in WITH_OLD_ORDER else text

    def numpy_spelling(self) -> Iterator[tuple[str, str]]:
        """(torch's word, NumPy's) for the arguments of a public function that have two names."""
        op = self.op
        for ours, numpy in NUMPY_SPELLING.items():
            if ours in op.params and op.on and not self.is_operator:
                yield ours, numpy

    def required_later(self) -> Iterator[str]:
        """The required arguments that need not be the first ones: those with two names, and all after them."""
        op = self.op
        for ours, _ in self.numpy_spelling():
            if ours not in op.defaults:
                yield from (p for p in op.params[op.params.index(ours) :] if p not in op.defaults)

    def named(self) -> str:
        """The arguments of a call of the op by itself."""
        return ", ".join(f"{p}={p}" if p in self.op.keyword_only else p for p in self.op.params)

    def arguments(self) -> Iterator[str]:
        op = self.op
        call = ", ".join(op.params)
        if "*old" in self.signature():
            out = ", out=out" * ("out=None" in self.signature())
            yield f"if old: return in_new_order({self.name!r}, ({', '.join(op.tensors)}, *old){out})"
        for ours, numpy in self.numpy_spelling():
            yield f"if {numpy} is not None: {ours} = {numpy}"
        for p in self.required_later():
            yield f"if {p} is None: missing_argument({op.name!r}, {p!r})"
        if "out=None" in self.signature():
            extras = "".join(
                f", {w}={w}" for w in (p.split("=")[0].strip() for p in self.extra.split(",")) if w and w != "*"
            )
            beside = op.tensors if op.kind == "pointwise" else op.tensors * (op.name in APART)
            operands = "".join(f", {t}" for t in beside)
            made = f"for_out({op.name}_op, out)({self.named()}{extras})"
            yield f"if out is not None: return into(out, {op.name}_op, {made}{operands})"
        if op.before and not self.is_operator and self.extra == op.extra:
            yield op.before.format(name=op.name, twin=op.name + "_" * self.inplace, call=call)
        if op.guard:
            yield op.guard.format(name=op.name)
        by_position = self.signature().partition("*")[0]
        for place, p in enumerate(op.params, 1):
            if op.kind == "pointwise" and p in op.others:
                given = f"{op.public_name!r}, {p!r}, {place if p in by_position else None}, {p}"
                yield f"if {p}.__class__ not in NUMBERS: {p} = number_argument({given})"
        yield "mode = state.mode if UNUSUAL else None"
        target = f"{op.name}_inplace" if self.inplace else f"{op.name}_op"
        if self.inplace:
            SCOPE[f"{op.name}_inplace"] = InPlace(op)
        elif op.keyword_only:
            target = f"{op.name}_positional"
            SCOPE[target] = Positional(op)
        yield f"if mode is not None and mode is not NO_GRAD: return mode.call({target}, ({call},))"

    def arrays(self) -> Iterator[str]:
        """From arguments to arrays: numbers become 0-dim tensors, what the lines below do not serve goes to `apply`."""
        op, x = self.op, self.first
        yield "try:"
        inner = [f"{x}_array = {x}.array"]
        for y in op.tensors[1:]:
            if op.broadcasts and op.numbers:
                both = f"{x}, {y} = number_operand({op.name}_op, {x}, {y}); {x}_array = {x}.array"
                one = f"{y} = inplace_number({op.name}_op, {x}, {y})"
                inner += [
                    f"if {y}.__class__ is not Tensor and {y}.__class__ in NUMBERS:",
                    f"    try: {y} = CONSTANTS[{y}, {x}_array.dtype]",
                    f"    except KeyError: {one if self.inplace else both}",
                ]
            inner.append(
                f"{y}_array = None if {y} is None else {y}.array" if y in op.optional else f"{y}_array = {y}.array"
            )
        yield from indent(inner)
        call = f"{self.name!r}, {op.name}_op, ({', '.join(op.params)},), {self.is_operator}"
        yield f"except AttributeError: return unusual_operands({call})"
        unusual = " or ".join(
            f"({t} is not None and {t}_array.__class__ is not ndarray)"
            if t in op.optional
            else f"{t}_array.__class__ is not ndarray"
            for t in op.tensors
        )
        general = "apply_inplace" if self.inplace else "apply"
        if "dtype" in op.others:
            unusual += " or dtype in HALVES"
        yield f"if {unusual}: return {general}({op.name}_op, {', '.join(op.params)})"
        if op.kind == "pointwise":
            yield from self.one_dtype()

    def one_dtype(self) -> Iterator[str]:
        """Operands of a pointwise op in the dtype that it computes in, or torch's refusal of theirs."""
        op, x = self.op, self.first
        if op.broadcasts:
            differ = " or ".join(f"{x}_array.dtype is not {y}_array.dtype" for y in op.tensors[1:])
            joined = ", ".join(op.tensors)
            yield f"if {differ}:"
            if self.inplace:
                yield f"    {', '.join(op.tensors[1:])} = inplace_operands({op.name}_op, {joined})"
            else:
                yield f"    {joined} = promote({op.name}_op, {joined})"
            yield "    " + "; ".join(f"{t}_array = {t}.array" for t in op.tensors)
        if not op.bools:
            arrays = ", ".join(f"{t}_array" for t in op.tensors)
            yield f"if {x}_array.dtype is BOOL_NUMPY: refuse_bool({op.name}_op, {arrays})"
        if op.result == "float_only":
            yield f"if {x}_array.dtype not in FLOATS: no_kernel({op.kernel!r}, {x}_array)"
        if op.result == "float":
            yield f"if {x}_array.dtype not in FLOATS:"
            if self.inplace:
                yield f"    refuse_float_result({op.name}_op, {', '.join(op.tensors)})"
            else:
                yield "    " + "; ".join(f"{t} = to_float({t}); {t}_array = {t}.array" for t in op.tensors)
                yield f"    if {x}_array.__class__ is not ndarray: return apply({op.name}_op, {', '.join(op.params)})"

    def edges_read(self) -> Iterator[str]:
        for t in self.op.edges:
            present = f"None if {t} is None else " if t in self.op.optional else ""
            # as `current_edge` does, without its call
            is_current = f"{t}.base is None or {t}.version[0] == {t}.view_version"
            yield f"{t}_edge = {present}{t}.edge if {is_current} else renewed_edge({t})"

    # ---------------------------------------------------------------- computing
    def compute(self) -> list[str]:
        op = self.op
        array = {t: f"{t}_array" for t in op.tensors}
        if op.kind != "pointwise":
            SCOPE[f"{op.name}_forward"] = op.forward
            args = ", ".join(array.get(p, p) for p in op.params)
            return [f"o = {op.name}_forward({args})"]
        formula = op.formula
        assert formula is not None
        arrays = [array[op.argument(a)] for a in formula.arrays]
        lone = formula.lone_call()
        if lone is None:
            return self._loop_call(formula, arrays)
        lines = self._numpy_call(lone, array)
        if lone[0] not in VECTORISED or self.inplace:
            return lines
        loops = functools.cache(lambda: SCOPE["Loops"](formula, SMALL))
        kernel, large = f"{op.name}_kernel", f"{op.name}_large"
        SCOPE[kernel], SCOPE[large] = Lazy(kernel, lambda: loops().flat), Lazy(large, lambda: loops().large)
        x = arrays[0]
        out = f"empty({x}.shape, {x}.dtype) if {x}.flags.c_contiguous else empty_result({x}.dtype, {', '.join(arrays)})"
        fast = f"{x}.size > SMALL" if lone[0] == "exp" else f"{x}.size > FEW and {x}.dtype is FLOAT32_NUMPY"
        fast += "".join(f" and {x}.shape == {a}.shape" for a in arrays[1:])
        call = f"({kernel} if o.size < LARGE else {large})({', '.join(arrays)}, o)"
        return [f"if {fast}: o = {out}; {call}", "else:", *indent(lines)]

    def _numpy_call(self, lone: tuple[str, tuple[str, ...]], array: dict[str, str]) -> list[str]:
        op, x = self.op, f"{self.first}_array"
        SCOPE["np_" + lone[0]] = getattr(np, lone[0])
        args = ", ".join(array[op.argument(a)] for a in lone[1])
        tensors = ", ".join(f"{t}_array" for t in op.tensors)
        function = f"np_{lone[0]}"
        assert op.formula is not None
        arrays = [array[op.argument(a)] for a in op.formula.arrays]
        refused = (
            f"except (ValueError, TypeError) as e: raise operand_error({op.name}_op, e, {self.inplace}, "
            f"{tensors}) from None"
        )
        if self.inplace:
            lines = [f"try: o = {function}({args}, {x})", refused]
            own = arrays[0] == x
            return unless_many("o", f"{op.name}_into_many", op.formula, arrays, lines, True) if own else lines
        # in what order NumPy would put the elements of its own result, it chooses by other rules than torch;
        # of two functions it wants to be told which argument is the output
        laid_out = f"empty_result({self._result_dtype()}, {tensors})"
        into = f"{function}({args}, {'out=' * (lone[0] in ('maximum', 'minimum'))}{laid_out})"
        loop = loop_for_many("o", f"{op.name}_of_many", op.formula, arrays)
        few = f"{x}.ndim < 2 and {x}.size < LARGE" if loop else f"{x}.ndim < 2"
        choice = [
            f"if {few}: o = {function}({args})",
            *([f"elif {loop[0]}: {loop[1]}"] if loop else []),
            f"else: o = {function}({args}) if {x}.flags.c_contiguous else {into}",
        ]
        return ["try:", *indent(choice), refused, "if o.__class__ is not ndarray: o = asarray(o)"]

    def _result_dtype(self) -> str:
        return "BOOL_NUMPY" if self.op.result == "bool" else f"{self.first}_array.dtype"

    def _loop_call(self, formula: Formula, arrays: list[str]) -> list[str]:
        op = self.op
        x = f"{self.first}_array"
        inplace = self.inplace and arrays[0] == x
        name = op.name + "_inplace" * inplace
        SCOPE[f"{name}_loops"] = loops = SCOPE["Loops"](formula, SMALL, inplace)
        SCOPE[f"{name}_kernel"], SCOPE[f"{name}_large"] = loops.flat, loops.large
        dtype = self._result_dtype()
        out = "o = " + (x if self.inplace else f"empty({x}.shape, {dtype})")
        call = ", ".join([*arrays, *formula.scalars, "o"])
        plain = [out, f"({name}_kernel if o.size < LARGE else {name}_large)({call})"]
        general = f"{name}_loops.general(({', '.join(arrays)},), ({''.join(s + ', ' for s in formula.scalars)}), "
        general += f"{x if self.inplace else 'None'}, {dtype})"
        checks = [f"{x}.shape != {a}.shape" for a in arrays if a != x]
        checks += when_slow(formula, x)
        if not self.inplace:
            checks.append(f"not {x}.flags.c_contiguous")
        if not checks:
            return plain
        if len(arrays) == 1:
            return [f"if {' or '.join(checks)}: o = {general}", f"else: {'; '.join(plain)}"]
        tensors = ", ".join(f"{t}_array" for t in op.tensors)
        return [
            f"if {' or '.join(checks)}:",
            f"    try: o = {general}",
            f"    except ValueError as e: raise operand_error({op.name}_op, e, {self.inplace}, {tensors}) from None",
            f"else: {'; '.join(plain)}",
        ]

    # ---------------------------------------------------------------- recording
    def record(self) -> tuple[list[str], list[str]]:
        """The lines that make the node: before the result exists, and after. Asking each edge costs 4 ns."""
        op = self.op
        SCOPE[f"{op.name}_node"] = node_class(op)
        first = [f"n = {op.name}_node()", "n.key = nth = next_key()", "n.grad = n.hooks = None"]
        first += ["if nth > noted.key:", *indent([*self.user_frame(), "n.code = c; n.at = f.f_lasti"])]
        last: list[str] = []
        for t in op.edges:
            lines = []
            kept = op.kept(t) + [f"{t}_shape"] * op.broadcasts
            for k in kept:
                if k == "out":  # without its Tensor: tensor -> node -> tensor would be a cycle
                    last += ["n.out = o; n.out_cell = t.version; n.out_version = t.version[0]"]
                elif k in op.outputs:
                    last += [f"n.{k} = {k}"]
                elif op.is_plain(k):
                    lines.append(f"n.{k} = {k}" if k in op.others else f"n.{k} = {_plain_value(k)}")
                else:
                    lines += self._save(k)
            first += [f"n.{t}_edge = {t}_edge"]
            if lines:
                first += [f"if {t}_edge is not None:", *indent(lines)]
        return first, sorted(set(last))

    def only_from_within(self) -> bool:
        """Whether it is only other functions of minitorch's that call this one."""
        has_public_twin = self.inplace and isinstance(self.op.inplace, str)
        return not (self.op.on or self.op.operator or has_public_twin)

    def user_frame(self) -> tuple[str, ...]:
        """Lines that find the user's frame, f, and its code, c."""
        known = f"{self.op.name}_caller"
        SCOPE[known] = known_callers[self.op.name]
        frame = FURTHER_FRAME if self.only_from_within() else CALLERS_FRAME
        return *frame, "c = f.f_code", f"if c is not {known}[0]: f = noted_frame(f, {known}); c = f.f_code"

    def _save(self, k: str) -> list[str]:
        """Keep tensor k: with its version. What an in-place op is about to overwrite it keeps a copy of."""
        if k in self.op.optional:
            return [f"n.{k} = {k}; n.{k}_version = None if {k} is None else {k}.version[0]"]
        if not self.inplace:
            return [f"n.{k} = {k}; n.{k}_version = {k}.version[0]"]
        if k == self.first:
            return [f"n.{k} = kept_copy({k}); n.{k}_version = 0"]
        return [f"n.{k} = as_it_was({k}) if {k} is {self.first} else {k}; n.{k}_version = {k}.version[0]"]

    def body(self) -> Iterator[str]:
        op, x = self.op, self.first
        tracked = " or ".join(f"{t}_edge is not None" for t in op.edges)
        if self.inplace:
            yield from self._inplace_body(tracked)
            return
        yield from self.compute()
        yield from self._unpack_outputs()
        yield "t = new(Tensor); t.array = o; t._grad = None"
        if op.kind == "view":
            yield f"t.version = v = {x}.version"
            yield f"if v.__class__ is list: t.base = {x} if {x}.base is None else {x}.base; t.view_version = v[0]"
            yield "else: t.base = None"  # an inference tensor's, which never gets an edge to renew
            yield f"t.created = (None if {x}.base is None else {x}.created) if mode is None else NO_GRAD"
        else:
            yield "t.version = [0]; t.base = None"
        if op.edges:
            first, last = self.record()
            yield f"if mode is None and ({tracked}):"
            yield from indent([*first, *last, "t.edge = n"])
            unrecorded = f"None if mode is None or {x}_edge is None else DeadEnd()" if op.kind == "view" else "None"
            yield f"else: t.edge = {unrecorded}"
        else:
            yield "t.edge = None"
        yield from self._result()

    def _unpack_outputs(self) -> Iterator[str]:
        if self.op.outputs:
            yield f"o, {', '.join(self.op.outputs)} = o"

    def _result(self) -> Iterator[str]:
        op = self.op
        if not op.outputs:
            yield "return t"
            return
        SCOPE[f"{op.name}_returns"] = op.returns
        yield f"return {op.name}_returns(t, {', '.join(f'wrap({k})' for k in op.outputs)})"

    def _inplace_body(self, tracked: str) -> Iterator[str]:
        op, x = self.op, self.first
        yield f"if {x}.version.__class__ is not list: check_inference()"
        if op.kind == "pointwise":
            others = "".join(f" or {y}.version is {x}.version" for y in op.tensors[1:])
            # the detached view of an expanded tensor has no base, and elements that share memory all the same
            strided = f"({x}_array.base is not None and not {x}_array.flags.forc)"
            yield f"if {x}.base is not None or {strided}{others}: check_overlap({', '.join(op.tensors)})"
        if not op.edges:
            yield f"if mode is None and ({x}.edge is not None or {x}.base is not None and {x}.base.edge is not None):"
            yield f"    return functions['copy_']({x}, {op.name}_op.function({self.named()}))"
            yield from self.compute()
            yield from (*self._written(), f"return {x}")
            return
        first, last = self.record()
        yield f"tracked = mode is None and ({tracked} or {x}.base is not None and {x}.base.edge is not None)"
        yield "if tracked:"
        yield f"    check_inplace({x})"
        yield from indent(first)
        yield from self.compute()
        yield from self._written()
        yield "if tracked:"
        yield f"    t = {x}"
        yield from indent(last)
        yield f"    rebase({x}, n, {x + '_edge' if x in op.edges else 'None'})"
        yield f"return {x}"

    def _written(self) -> Iterator[str]:
        """Count the write, and leave the writer's name for the error of whoever saved the old value."""
        yield f"v = {self.first}.version; v[0] = now = v[0] + 1"
        yield "if now < noted.version:"
        yield from indent([*self.user_frame(), f"v[1:] = {self.op.public_name + '_'!r}, c, f.f_lasti, now"])


def _plain_value(k: str) -> str:
    """The expression for a kept `<tensor>_shape`, `_dtype` or `_geometry`."""
    tensor, _, what = k.rpartition("_")
    return f"geometry({tensor}_array)" if what == "geometry" else f"{tensor}_array.{what}"
