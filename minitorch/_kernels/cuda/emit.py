"""From a lowered kernel to LLVM: the tree has types already, so each node is one instruction or a few.

Every name is a variable on the stack, which LLVM's first pass turns into registers. Signed arithmetic is declared not
to overflow, as in C, so that LLVM may compute addresses in 64 bits once.
"""

import ast
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from . import device, intrinsics
from .intrinsics import I8, I32, MAP, MEMORY, TYPES, llvm_type
from .intrinsics_hopper import WORDS

if TYPE_CHECKING:
    from .kernel import Kernel

_LAYOUT = (
    "e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32-f64:64:64-v16:16:16-v32:32:32-"
    "v64:64:64-v128:128:128-n16:32:64"
)
_INTEGER = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
    ast.LShift: "shl",
}  # fmt: skip
_FLOAT = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def module(kernel: "Kernel") -> str:
    """The kernel as LLVM's text in NVVM's dialect; its entry has the kernel's name."""
    # this dialect is older than types of byval
    return str(_Emitter(kernel).module).replace(f"byval({MAP.pointee})", "byval")


class _Emitter:
    """Writes one function; `expr` gives a value and its code, which is "int" or "float" for a bare literal."""

    def __init__(self, kernel: "Kernel") -> None:
        lowered = kernel.lowered
        tree: Any = lowered.tree.body[0]
        self.module = ir.Module(kernel.name)
        self.module.triple, self.module.data_layout = "nvptx64-nvidia-cuda", _LAYOUT
        kinds = [I8 if code == "b1" else llvm_type(code) for code in kernel.types]
        self.function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), kernel.name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.types = lowered.types
        self.variables: dict[str, Any] = {}
        self.loops: list[tuple[Any, Any]] = []  # where continue and break go
        for name, code in self.types.items():
            self.variables[name] = self.declare(name, code)
        for argument, value, code in zip(tree.args.args, self.function.args, kernel.types):
            if code == "map":
                value.add_attribute("byval")
                value.attributes.align = 64
            value = self.cast(value, "u1" if code == "b1" else code, self.types[argument.arg])
            self.builder.store(value, self.variables[argument.arg])
        self.block(tree.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        self.annotate(kernel)

    def annotate(self, kernel: "Kernel") -> None:
        """What NVVM must know of the entry: that it is one, and its launch bounds."""
        self.module.add_named_metadata("nvvmir.version", [I32(2), I32(0), I32(3), I32(2)])
        facts = {"kernel": 1, "maxntidx": kernel.threads, "minctasm": kernel.blocks_per_sm}
        for name, value in facts.items():
            self.module.add_named_metadata("nvvm.annotations", [self.function, name, I32(value)])
        maps = [I32(place) for place, code in enumerate(kernel.types, 1) if code == "map"]
        if maps:  # read where they are: copies in local memory would be of no use to `copy_box`
            places = self.module.add_metadata(maps)
            self.module.add_named_metadata("nvvm.annotations", [self.function, "grid_constant", places])

    def declare(self, name: str, code: Any) -> Any:
        if isinstance(code, tuple):
            return [self.declare(f"{name}.{k}", part) for k, part in enumerate(code)]
        return self.builder.alloca(llvm_type(code), name=name)

    # Statements

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.builder.block.is_terminated:
                return  # after return, break or continue
            getattr(self, f"do_{type(statement).__name__}")(statement)

    def do_Pass(self, node: ast.Pass) -> None:
        pass

    def do_Return(self, node: ast.Return) -> None:
        self.builder.ret_void()

    def do_Break(self, node: ast.Break) -> None:
        self.builder.branch(self.loops[-1][1])

    def do_Continue(self, node: ast.Continue) -> None:
        self.builder.branch(self.loops[-1][0])

    def do_Expr(self, node: ast.Expr) -> None:
        self.expr(node.value)

    def do_Assign(self, node: ast.Assign) -> None:
        value, code = self.expr(node.value)
        self.assign(node.targets[0], value, code)

    def assign(self, target: Any, value: Any, code: Any) -> None:
        if isinstance(target, ast.Tuple):
            for part, each, kind in zip(target.elts, value, code):
                self.assign(part, each, kind)
        elif isinstance(target, ast.Name):
            variable, to = self.variables[target.id], self.types[target.id]
            if isinstance(variable, list):
                for place, each, kind, wide in zip(variable, value, code, to):
                    self.builder.store(self.cast(each, kind, wide), place)
            else:
                self.builder.store(self.cast(value, code, to), variable)
        else:
            place, element = self.place(target)
            stored = self.cast(value, code, element)
            self.builder.store(self.builder.zext(stored, I8) if element == "b1" else stored, place)

    def do_If(self, node: ast.If) -> None:
        test = self.condition(node.test)
        then, after = self.function.append_basic_block("then"), self.function.append_basic_block("after")
        orelse = self.function.append_basic_block("else") if node.orelse else after
        self.builder.cbranch(test, then, orelse)
        for start, body in ((then, node.body), (orelse, node.orelse)):
            if body:
                self.builder.position_at_end(start)
                self.block(body)
                self.go(after)
        self.builder.position_at_end(after)

    def go(self, target: Any) -> None:
        if not self.builder.block.is_terminated:
            self.builder.branch(target)

    def do_While(self, node: ast.While) -> None:
        test, body, after = (self.function.append_basic_block(name) for name in ("test", "body", "after"))
        self.go(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.condition(node.test), body, after)
        self.builder.position_at_end(body)
        self.loops.append((test, after))
        self.block(node.body)
        self.loops.pop()
        self.go(test)
        self.builder.position_at_end(after)

    def do_For(self, node: Any) -> None:
        """range() counts up, unless its step is a negative constant."""
        name = node.target.id
        code = self.types[name]
        limits = [self.cast(*self.expr(argument), code) for argument in node.iter.args]
        zero, one = (ir.Constant(TYPES[code], n) for n in (0, 1))
        start, stop, step = [zero, *limits, one] if len(limits) == 1 else limits if len(limits) == 3 else [*limits, one]
        down = isinstance(step, ir.Constant) and step.constant < 0
        with self.builder.goto_entry_block():  # within a loop it would be room for each round
            counter = self.builder.alloca(TYPES[code], name=f"{name}.counter")
        self.builder.store(start, counter)
        test, body, rise, after = (self.function.append_basic_block(n) for n in ("test", "body", "rise", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        now = self.builder.load(counter)
        compare = self.builder.icmp_signed if code[0] == "i" else self.builder.icmp_unsigned
        self.builder.cbranch(compare(">" if down else "<", now, stop), body, after)
        self.builder.position_at_end(body)
        self.builder.store(now, self.variables[name])
        self.loops.append((rise, after))
        self.block(node.body)
        self.loops.pop()
        self.go(rise)
        self.builder.position_at_end(rise)
        self.builder.store(self.builder.add(now, step, flags=["nsw"] if code[0] == "i" else []), counter)
        self.builder.branch(test)
        self.builder.position_at_end(after)

    # Expressions

    def expr(self, node: Any) -> tuple[Any, Any]:
        return getattr(self, f"on_{type(node).__name__}")(node)

    def condition(self, node: Any) -> Any:
        return self.cast(*self.expr(node), "b1")

    def cast(self, value: Any, code: Any, to: Any) -> Any:
        """The value converted as C does it."""
        if code in ("int", "float"):
            return ir.Constant(TYPES[to], (float if to[0] == "f" else bool if to == "b1" else int)(value))
        if code == to or isinstance(code, tuple) or code.endswith("*"):
            return value
        b, kind = self.builder, TYPES[to]
        if to == "b1":
            zero = ir.Constant(value.type, 0)
            return b.fcmp_unordered("!=", value, zero) if code[0] == "f" else b.icmp_signed("!=", value, zero)
        if code[0] == "f" and to[0] == "f":
            return b.fpext(value, kind) if to == "f8" else b.fptrunc(value, kind)
        if code[0] == "f":
            return b.fptosi(value, kind) if to[0] == "i" else b.fptoui(value, kind)
        signed = code[0] == "i"
        if to[0] == "f":
            return b.sitofp(value, kind) if signed else b.uitofp(value, kind)
        if kind.width <= value.type.width:
            return b.trunc(value, kind) if kind.width < value.type.width else value
        return b.sext(value, kind) if signed else b.zext(value, kind)

    def on_Constant(self, node: ast.Constant) -> tuple[Any, Any]:
        value = node.value
        if isinstance(value, bool):
            return ir.Constant(TYPES["b1"], value), "b1"
        return value, "float" if isinstance(value, float) else "int"

    def on_Name(self, node: ast.Name) -> tuple[Any, Any]:
        if node.id in ("nan", "inf"):
            return float(node.id), "float"
        variable, code = self.variables[node.id], self.types[node.id]
        if isinstance(variable, list):
            return [self.builder.load(part) for part in variable], code
        return self.builder.load(variable), code

    def on_Attribute(self, node: Any) -> tuple[Any, Any]:
        return intrinsics.place(self.builder, node.value.id, node.attr), "i4"

    def on_Tuple(self, node: ast.Tuple) -> tuple[Any, Any]:
        parts = [self.expr(part) for part in node.elts]
        return [value for value, _ in parts], tuple(code for _, code in parts)

    def place(self, node: Any) -> tuple[Any, str]:
        """Address and code of an element."""
        pointer, code = self.expr(node.value)
        index, kind = self.expr(node.slice)
        wide = "i4" if kind in ("int", "b1") else kind
        return intrinsics.element(self.builder, pointer, self.cast(index, kind, wide), wide), code[:-1]

    def on_Subscript(self, node: ast.Subscript) -> tuple[Any, Any]:
        if isinstance(node.slice, ast.Constant) and isinstance(node.value, ast.Name):
            variable = self.variables[node.value.id]
            if isinstance(variable, list):
                return self.builder.load(variable[node.slice.value]), self.types[node.value.id][node.slice.value]
        if isinstance(node.value, (ast.Call, ast.Tuple)):
            values, codes = self.expr(node.value)
            if isinstance(codes, tuple):
                return values[node.slice.value], codes[node.slice.value]  # type: ignore[attr-defined]
            raise SyntaxError(f"an element of {ast.unparse(node.value)}: give the pointer a name first")
        place, code = self.place(node)
        return self.builder.load(place), "u1" if code == "b1" else code

    def on_BinOp(self, node: ast.BinOp) -> tuple[Any, Any]:
        (left, a), (right, b) = self.expr(node.left), self.expr(node.right)
        code = a if a not in ("int", "float") else b
        if code in ("int", "float"):
            code = {"int": "i4", "float": "f4"}[code]
        left, right = self.cast(left, a, code), self.cast(right, b, code)
        if code[0] == "f":
            return getattr(self.builder, _FLOAT[type(node.op)])(left, right), code
        if isinstance(node.op, ast.RShift):
            return (self.builder.ashr if code[0] == "i" else self.builder.lshr)(left, right), code
        name = _INTEGER[type(node.op)]
        flags = ["nsw"] if code[0] == "i" and name in ("add", "sub", "mul") else []
        emit = getattr(self.builder, name)
        return (emit(left, right, flags=flags) if flags else emit(left, right)), code

    def on_UnaryOp(self, node: ast.UnaryOp) -> tuple[Any, Any]:
        if isinstance(node.op, ast.Not):
            return self.builder.not_(self.condition(node.operand)), "b1"
        value, code = self.expr(node.operand)
        if code in ("int", "float"):
            return -value if isinstance(node.op, ast.USub) else ~value, code
        if code == "b1":
            value, code = self.cast(value, code, "i4"), "i4"
        if isinstance(node.op, ast.UAdd):
            return value, code
        if isinstance(node.op, ast.Invert):
            return self.builder.not_(value), code
        if code[0] == "f":  # the dialect of NVVM has no fneg
            return self.builder.fsub(ir.Constant(value.type, -0.0), value), code
        return self.builder.neg(value), code

    def on_Compare(self, node: ast.Compare) -> tuple[Any, Any]:
        (left, a), (right, b) = self.expr(node.left), self.expr(node.comparators[0])
        code = a if a not in ("int", "float") else b
        left, right = self.cast(left, a, code), self.cast(right, b, code)
        operator = _COMPARE[type(node.ops[0])]
        if code[0] == "f":
            compare = self.builder.fcmp_unordered if operator == "!=" else self.builder.fcmp_ordered
        else:
            compare = self.builder.icmp_signed if code[0] == "i" else self.builder.icmp_unsigned
        return compare(operator, left, right), "b1"

    def on_BoolOp(self, node: ast.BoolOp) -> tuple[Any, Any]:
        """and, or: what is cheap and cannot fail is computed at once, else a branch guards it."""
        value = self.condition(node.values[0])
        whole = isinstance(node.op, ast.And)
        for part in node.values[1:]:
            if any(isinstance(inner, (ast.Subscript, ast.Call)) and not _pure(inner) for inner in ast.walk(part)):
                value = (
                    self.branched(value, part, ast.Constant(False), "b1")
                    if whole
                    else self.branched(value, ast.Constant(True), part, "b1")
                )
            else:
                value = (self.builder.and_ if whole else self.builder.or_)(value, self.condition(part))
        return value, "b1"

    def on_IfExp(self, node: ast.IfExp) -> tuple[Any, Any]:
        test = self.condition(node.test)
        return self.branched(test, node.body, node.orelse, None), self.code

    def branched(self, test: Any, body: Any, orelse: Any, code: Any) -> Any:
        """The value of one of two expressions, only that one evaluated; its code goes to `self.code`."""
        then, other, after = (self.function.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(test, then, other)
        ends = []
        for start, expression in ((then, body), (other, orelse)):
            self.builder.position_at_end(start)
            ends.append((*self.expr(expression), self.builder.block))
        known = [kind for _, kind, _ in ends if kind not in ("int", "float")]
        self.code = code or (known[0] if known else "f4" if "float" in (ends[0][1], ends[1][1]) else "i4")
        values = []
        for value, kind, block in ends:
            self.builder.position_at_end(block)
            values.append(self.cast(value, kind, self.code))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        phi = self.builder.phi(llvm_type(self.code))
        for value, (_, _, block) in zip(values, ends):
            phi.add_incoming(value, block)
        return phi

    def on_Call(self, node: Any) -> tuple[Any, Any]:
        name = node.func.id
        if name in MEMORY:
            value, code = self.expr(node.args[0])
            return self.cast(value, code, name), name
        word = device.WORDS.get(name)
        takes = list(word.takes) if word else ["T", "T"]
        takes += takes[-1:] * (len(node.args) - len(takes))
        constants: list[Any] = []
        values, codes = [], []
        for argument, scheme in zip(node.args, takes):
            if scheme == "N":
                constants.append(argument.value)
            elif scheme == "D":
                constants.append(argument.id)
            else:
                value, code = self.expr(argument)
                if code in ("int", "float"):
                    to = scheme if scheme in TYPES else {"int": "i4", "float": "f4"}[code]
                    value, code = self.cast(value, code, to), to
                values.append(value)
                codes.append(code)
        result = WORDS[name](self.builder, values, codes, *constants)
        return result, self.result(word, codes, constants)

    def result(self, word: Any, codes: list[Any], constants: list[Any]) -> Any:
        if word is None or word.gives in ("T", "R"):
            return codes[1] if word is not None and word.takes[0] == "b1" else codes[0]
        if word.gives == "P":
            return codes[0]
        if word.gives == "D*":
            return f"{constants[-1]}*"
        kind, _, count = word.gives.partition("*")
        if kind == "E":
            kind = codes[0][:-1]
            kind = "i4" if kind in ("i1", "u1", "i2", "u2", "b1") else kind
        return (kind,) * (constants[0] if count == "N" else int(count)) if count else kind


def _pure(node: ast.AST) -> bool:
    """A conversion, which may be computed though its value is not asked for."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MEMORY
