"""Types of a flat kernel: every expression gets one, and conversions where operands differ.

Arithmetic is C's, not NumPy's, which makes int64 of int32 + int32 and float64 of float32 + int32: the type of each name
follows from the kernel's parameters, and each operand is converted to the type of its result.
"""

import ast
import math
from typing import Any

from .device import PLACES, WORDS

# literals have the weak types "int" and "float" until they meet another type
_INTEGERS = ("b1", "int", "i4", "u4", "i8", "u8")
_FLOATS = ("float", "f4", "f8")
_NARROW = {"i1": "i4", "u1": "i4", "i2": "i4", "u2": "i4"}
Type = Any  # a code, "f4*", a tuple of codes, "" for nothing, None while unknown


def annotate(function: ast.FunctionDef, parameters: dict[str, str]) -> dict[str, Type]:
    """Rewrites the body so that every operation's operands have the type of its result; the types of its names."""
    real = "f8" if any(code.startswith("f8") for code in parameters.values()) else "f4"
    types: dict[str, Type] = {name: _NARROW.get(code, code) for name, code in parameters.items()}
    while True:
        before = dict(types)
        body = _Annotate(types, real).block(function.body)
        if types == before:
            weak = {"int": "i4", "float": real}
            resolved = {name: weak.get(code, code) if isinstance(code, str) else code for name, code in types.items()}
            if resolved == types:
                break
            types.update(resolved)
    function.body = body
    unknown = sorted(name for name, code in types.items() if code is None)
    if unknown:
        raise SyntaxError(f"kernel {function.name}: no type can be found for {', '.join(unknown)}")
    return types


class _Annotate:
    """One pass over the body: builds new nodes and widens `types` by what is assigned."""

    def __init__(self, types: dict[str, Type], real: str) -> None:
        self.types = types
        self.real = real

    # Statements

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [ast.copy_location(self.statement(node), node) for node in body]

    def statement(self, node: Any) -> ast.stmt:
        if isinstance(node, ast.Assign):
            value, code = self.expr(node.value)
            target, value = self.assign(node.targets[0], value, code)
            return ast.Assign([target], value)
        if isinstance(node, ast.Expr):
            return ast.Expr(self.expr(node.value)[0])
        if isinstance(node, ast.If):
            return ast.If(self.condition(node.test), self.block(node.body), self.block(node.orelse))
        if isinstance(node, ast.While):
            return ast.While(self.condition(node.test), self.block(node.body), [])
        if isinstance(node, ast.For):
            limits = [self.expr(argument) for argument in node.iter.args]
            code = self.join(node, *(code for _, code in limits))
            self.widen(node.target, code)
            wide = self.types[node.target.id]
            loop = ast.Call(node.iter.func, [self.cast(value, code, wide) for value, code in limits], [])
            return ast.For(node.target, loop, self.block(node.body), [], None)
        return node

    def assign(self, target: Any, value: Any, code: Type) -> tuple[Any, Any]:
        if isinstance(target, ast.Name):
            self.widen(target, code)
            return target, self.cast(value, code, self.types[target.id])
        if isinstance(target, ast.Subscript):
            element, wide = self.expr(target)
            stored = self.expr(target.value)[1]
            exact = stored[:-1] if isinstance(stored, str) else wide
            return ast.Subscript(element.value, element.slice, ast.Store()), self.cast(value, code, exact)
        codes = code if isinstance(code, tuple) else [None] * len(target.elts)
        if len(codes) != len(target.elts):
            raise _error(target, f"{len(codes)} values for {len(target.elts)} targets")
        if isinstance(value, ast.Tuple):
            pairs = [self.assign(t, v, c) for t, v, c in zip(target.elts, value.elts, codes)]
            return ast.Tuple([t for t, _ in pairs], ast.Store()), ast.Tuple([v for _, v in pairs], ast.Load())
        for part, each in zip(target.elts, codes):
            self.widen(part, each)
            if each is not None and self.types[part.id] != each:
                raise _error(target, f"{part.id} is {self.types[part.id]} elsewhere and cannot hold {each} too")
        return target, value

    def widen(self, target: Any, code: Type) -> None:
        if not isinstance(target, ast.Name):
            raise _error(target, "several values at once go to names only")
        self.types[target.id] = self.join(target, self.types.get(target.id), code)

    # Types

    def join(self, node: ast.AST, *codes: Type) -> Type:
        """The type that holds all of these, as C's arithmetic has it."""
        known = [code for code in codes if code is not None]
        if not known:
            return None
        if all(code == known[0] for code in known):
            return known[0]
        for ladder in (_INTEGERS, _FLOATS):
            if all(code in ladder for code in known):
                return max(known, key=ladder.index)
        if all(code in _INTEGERS + _FLOATS for code in known):
            best = max((code for code in known if code in _FLOATS), key=_FLOATS.index)
            return self.real if best == "float" and any(c not in ("int", "float") for c in known) else best
        raise _error(node, f"no type holds all of {', '.join(map(str, known))}")

    def cast(self, node: Any, code: Type, to: Type) -> Any:
        if code == to or code is None or to is None or to in ("int", "float"):
            return node
        if isinstance(to, tuple) or to.endswith("*") or isinstance(code, tuple) or code.endswith("*"):
            raise _error(node, f"{code} where {to} is expected")
        if isinstance(node, ast.Constant):
            if code == "int" and to == "i4":
                return node
            if to in ("f4", "f8"):
                return _call(to, [_float(float(node.value))], node)
        return _call(to, [node], node)

    def condition(self, node: Any) -> Any:
        value, code = self.expr(node)
        if code not in ("b1", None):
            return ast.copy_location(ast.Compare(value, [ast.NotEq()], [self.cast(ast.Constant(0), "int", code)]), node)
        return value

    # Expressions: each method gives the new node and its type

    def expr(self, node: Any) -> tuple[Any, Type]:
        new, code = getattr(self, f"on_{type(node).__name__}")(node)
        return ast.copy_location(new, node), code

    def on_Constant(self, node: ast.Constant) -> tuple[Any, Type]:
        value: Any = node.value
        if hasattr(value, "item"):  # a NumPy number is its value: its type follows from what it meets
            value = value.item()
        if isinstance(value, bool):
            return ast.Constant(value), "b1"
        if isinstance(value, int):
            return ast.Constant(value), "int" if -(2**31) <= value < 2**32 else "i8" if value < 2**63 else "u8"
        if isinstance(value, float):
            return _float(value), "float"
        if value is None or value in WORDS.values():
            return node, ""
        raise _error(node, f"{value!r} is left where a number is expected")

    def on_Name(self, node: ast.Name) -> tuple[Any, Type]:
        return node, self.types.get(node.id)

    def on_Attribute(self, node: Any) -> tuple[Any, Type]:
        assert node.value.id in PLACES
        return _call("i4", [node], node), "i4"

    def on_Tuple(self, node: ast.Tuple) -> tuple[Any, Type]:
        parts = [self.expr(part) for part in node.elts]
        return ast.Tuple([part for part, _ in parts], ast.Load()), tuple(code for _, code in parts)

    def on_Subscript(self, node: ast.Subscript) -> tuple[Any, Type]:
        value, code = self.expr(node.value)
        index, kind = self.expr(node.slice)
        if isinstance(code, tuple):
            if not isinstance(index, ast.Constant):
                raise _error(node, "the index into a tuple must be known before the kernel runs")
            return ast.Subscript(value, index, ast.Load()), code[index.value]
        if code is None:
            return ast.Subscript(value, index, ast.Load()), None
        if not code.endswith("*"):
            raise _error(node, f"{ast.unparse(node.value)} is {code} and has no elements")
        if kind not in ("int", "i4", "i8", "u4", "u8", "b1", None):
            raise _error(node, f"an index of type {kind}")
        element = code[:-1]
        new: Any = ast.copy_location(ast.Subscript(value, index, ast.Load()), node)
        wide = _NARROW.get(element, element)
        converted = isinstance(node.ctx, ast.Load) and (wide != element or element == "b1")
        return (_call(wide, [new], node) if converted else new), wide

    def on_BinOp(self, node: ast.BinOp) -> tuple[Any, Type]:
        (left, a), (right, b) = self.expr(node.left), self.expr(node.right)
        if isinstance(node.op, (ast.LShift, ast.RShift)):
            code = "i4" if a in ("int", "b1") else a
            self.only_integers(node, a, b)
            return self.narrowed(ast.BinOp(self.cast(left, a, code), node.op, right), code, node)
        code = self.join(node, a, b)
        if isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
            self.only_integers(node, a, b)
        elif code == "b1":
            code = "i4"
        if isinstance(node.op, ast.Div) and code in _INTEGERS:
            code = self.real
        left, right = self.cast(left, a, code), self.cast(right, b, code)
        if isinstance(node.op, (ast.FloorDiv, ast.Mod)):
            if code in _FLOATS:
                raise _error(node, "// and % are for integers: use floor or fmod")
            return self.divided(node, left, right, code)
        return self.narrowed(ast.BinOp(left, node.op, right), code, node)

    def divided(self, node: ast.BinOp, left: Any, right: Any, code: Type) -> tuple[Any, Type]:
        """Division by a power of two is a shift, `%` by one a mask, which round down as Python does."""
        value = right.value if isinstance(right, ast.Constant) else 0
        if value > 0 and value & (value - 1) == 0:
            if isinstance(node.op, ast.Mod):
                return self.narrowed(ast.BinOp(left, ast.BitAnd(), ast.Constant(value - 1)), code, node)
            return self.narrowed(ast.BinOp(left, ast.RShift(), ast.Constant(value.bit_length() - 1)), code, node)
        name = "floor_divide" if isinstance(node.op, ast.FloorDiv) else "remainder"
        return _call(f"{name}_{code or 'i4'}", [left, right], node), code

    def only_integers(self, node: ast.BinOp, *codes: Type) -> None:
        if any(code in _FLOATS for code in codes):
            raise _error(node, "an operation on bits of a float: use bits()")

    def narrowed(self, node: Any, code: Type, at: ast.AST) -> tuple[Any, Type]:
        """Integer arithmetic in its width, which the emulator, whose integers have none, must be told of."""
        ast.copy_location(node, at)
        if code not in ("i4", "u4", "i8", "u8"):
            return node, code
        narrow = _call(code, [node], at)
        narrow.implied = True
        return narrow, code

    def on_UnaryOp(self, node: ast.UnaryOp) -> tuple[Any, Type]:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self.condition(node.operand)), "b1"
        operand, code = self.expr(node.operand)
        code = "i4" if code == "b1" else code
        return self.narrowed(ast.UnaryOp(node.op, operand), code, node)

    def on_Compare(self, node: ast.Compare) -> tuple[Any, Type]:
        (left, a), (right, b) = self.expr(node.left), self.expr(node.comparators[0])
        code = self.join(node, a, b)
        return ast.Compare(self.cast(left, a, code), node.ops, [self.cast(right, b, code)]), "b1"

    def on_BoolOp(self, node: ast.BoolOp) -> tuple[Any, Type]:
        return ast.BoolOp(node.op, [self.condition(part) for part in node.values]), "b1"

    def on_IfExp(self, node: ast.IfExp) -> tuple[Any, Type]:
        (body, a), (orelse, b) = self.expr(node.body), self.expr(node.orelse)
        code = self.join(node, a, b)
        return ast.IfExp(self.condition(node.test), self.cast(body, a, code), self.cast(orelse, b, code)), code

    def on_Call(self, node: Any) -> tuple[Any, Type]:
        word = WORDS[node.func.id]
        takes = list(word.takes)
        if takes and takes[-1].endswith("..."):
            takes[-1:] = [takes[-1][:-3]] * (len(node.args) - len(takes) + 1)
        if len(takes) != len(node.args):
            raise _error(node, f"{word.name} takes {len(takes)} arguments ({' '.join(word.takes)})")
        parts = [self.argument(part, scheme, node) for part, scheme in zip(node.args, takes)]
        codes = {"E": next((code[:-1] for (_, code), s in zip(parts, takes) if s == "P" and code), None)}
        for letter in "TR":
            met = [code for (_, code), scheme in zip(parts, takes) if scheme == letter]
            codes[letter] = self.join(node, *met)
        if "R" in takes and codes["R"] in _INTEGERS + ("float",):
            codes["R"] = self.real
        if codes["T"] in ("int", "float"):
            codes["T"] = {"int": "i4", "float": self.real}[codes["T"]]
        if isinstance(word.gives, str) and word.takes == ["T"] and word.gives != "T":  # a conversion
            return _call(word.name, [self.literal(*parts[0], word.gives)], node), _NARROW.get(word.gives, word.gives)
        arguments = []
        for (value, code), scheme in zip(parts, takes):
            to = codes.get(scheme, scheme) if scheme not in "PIND" else None
            arguments.append(self.cast(value, code, to))
        return _call(word.name, arguments, node), self.result(word.gives, parts, takes, codes)

    def literal(self, value: Any, code: Type, to: str) -> Any:
        if isinstance(value, ast.Constant) and to in ("f4", "f8"):
            return _float(float(value.value))
        return value

    def argument(self, node: Any, scheme: str, call: Any) -> tuple[Any, Type]:
        if scheme == "D":
            if not isinstance(node, ast.Constant) or node.value.name not in WORDS:
                raise _error(call, "a type code is expected")
            return ast.Name(node.value.name, ast.Load()), node.value.name
        value, code = self.expr(node)
        if scheme == "N" and not isinstance(value, ast.Constant):
            raise _error(call, f"{ast.unparse(node)} must be known before the kernel runs")
        if scheme == "P" and code is not None and not (isinstance(code, str) and code.endswith("*")):
            raise _error(call, f"{ast.unparse(node)} is {code} and no pointer")
        if scheme == "I" and code not in ("int", "i4", "i8", "u4", "u8", None):
            raise _error(call, f"an index of type {code}")
        return value, code

    def result(self, gives: str, parts: Any, takes: list[str], codes: dict[str, Type]) -> Type:
        by = dict(zip(takes, (code for _, code in parts)))
        if gives == "P":
            return by["P"]
        if gives == "D*":
            return by["D"] + "*"
        kind, _, count = gives.partition("*")
        code = codes.get(kind, kind)
        code = "i4" if code == "b1" and kind == "E" else _NARROW.get(code, code)
        if count:
            number = parts[takes.index("N")][0].value if count == "N" else int(count)
            return (code,) * number
        return code


def _call(name: str, arguments: list[Any], at: ast.AST) -> Any:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), at)


def _float(value: float) -> Any:
    """A literal; source text has no other way to write the last three."""
    if math.isfinite(value):
        return ast.Constant(value)
    if math.isnan(value):
        return ast.Name("nan", ast.Load())
    return ast.Name("inf", ast.Load()) if value > 0 else ast.UnaryOp(ast.USub(), ast.Name("inf", ast.Load()))


def _error(node: Any, message: str) -> SyntaxError:
    return SyntaxError(f"{message} (line {getattr(node, 'lineno', '?')} of a kernel: {ast.unparse(node)[:80]})")
