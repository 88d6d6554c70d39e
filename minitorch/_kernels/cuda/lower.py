"""From a kernel as it is written to one flat function: static loops unrolled, register arrays made scalars, helper
functions inlined, branches over constants decided. `infer.py` then gives every expression its type.

What comes out is what is compiled and what the emulator runs, so the two differ in nothing but the words' meaning.
`device.py` says what a kernel may be written in.
"""

import ast
import builtins
import functools
import inspect
import itertools
import linecache
import operator
import textwrap
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from . import infer
from .device import PLACES, WORDS, Place, Word

_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_BUILTINS = {min: "fmin", max: "fmax", abs: "absolute", pow: "pow"}


class Lowered(NamedTuple):
    """One flat function: `tree` holds just it, `text` is the same as source, `names` the words that it uses.

    `types` are the codes of its names, tuples of codes for tuples.
    """

    tree: ast.Module
    text: str
    names: frozenset[str]
    types: dict[str, Any]


class _Registers(NamedTuple):
    name: str
    shape: tuple[int, ...]

    def element(self, index: tuple[int, ...]) -> ast.Name:
        if len(index) != len(self.shape) or not all(0 <= i < n for i, n in zip(index, self.shape)):
            raise IndexError(f"registers {self.name} of shape {self.shape} have no element {index}")
        return ast.Name("_".join((self.name, *map(str, index))), ast.Load())


class _Scope:
    """What names mean in one function: `values` is outside of it, the rest are its own."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.constants: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        self.tuples: dict[str, ast.Tuple] = {}  # several values under one name: what a helper was given


def lower(function: FunctionType, types: list[str], block: tuple[int, ...]) -> Lowered:
    """The kernel `function` flat and typed; its parameters have the type codes `types`."""
    tree, values = source(function)
    parameters = [argument.arg for argument in tree.args.args]
    if len(parameters) != len(types):
        raise TypeError(f"kernel {function.__name__} has {len(parameters)} parameters, but {len(types)} types")
    scope = _Scope(values)
    scope.names = {name: name for name in _locals(tree)}
    clash = sorted(scope.names.keys() & (WORDS.keys() | PLACES.keys()))
    if clash:
        raise SyntaxError(f"kernel {function.__name__}: {', '.join(clash)} would hide a word of kernels")
    expand = _Expand(block)
    body = expand.block(tree.body, scope) or [ast.Pass()]
    arguments = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
    flat = ast.FunctionDef(tree.name, arguments, body, [], None, None, lineno=tree.lineno, col_offset=0)
    flat.type_params = []  # asked for from Python 3.12 on
    known = infer.annotate(flat, dict(zip(parameters, types)))
    module = ast.fix_missing_locations(ast.Module([flat], []))
    names = {node.id for node in ast.walk(flat) if isinstance(node, ast.Name)}
    return Lowered(module, ast.unparse(module), frozenset(names & (WORDS.keys() | PLACES.keys())), known)


def define(text: str, name: str, values: dict[str, Any]) -> FunctionType:
    """The function `name` of generated source, which tracebacks and `lower` can read."""
    file = f"<minitorch kernel {name} {abs(hash(text)):x}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), values)
    return values[name]


@functools.cache
def source(function: FunctionType) -> tuple[ast.FunctionDef, dict[str, Any]]:
    """The function's tree, with the line numbers of its file, and what its free names mean."""
    lines, start = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise SyntaxError(f"{function.__qualname__} is no plain function, and kernels can call nothing else")
    ast.increment_lineno(tree, start - 1)
    closed = inspect.getclosurevars(function)
    # getclosurevars leaves out what only appears as an attribute's base in nested code; globals have it all
    return tree, {**vars(builtins), **function.__globals__, **closed.nonlocals}


def _locals(tree: ast.FunctionDef) -> list[str]:
    stored = (n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return list(dict.fromkeys([*(a.arg for a in tree.args.args), *stored]))


class _Expand:
    """Turns statements into flat ones. Expressions that are known become `ast.Constant`s of any Python object."""

    def __init__(self, block: tuple[int, ...]) -> None:
        self.dims = dict(zip("xyz", (*block, 1, 1)))
        self.out: list[ast.stmt] = []
        self.conditional = ""
        self.numbers = itertools.count()

    # Statements

    def block(self, statements: list[ast.stmt], scope: _Scope) -> list[ast.stmt]:
        outer, self.out = self.out, []
        for statement in statements:
            method = getattr(self, f"do_{type(statement).__name__}", None)
            if method is None:
                raise _error(statement, f"kernels have no {type(statement).__name__.lower()}")
            method(statement, scope)
        body, self.out = self.out, outer
        return body

    def emit(self, statement: ast.stmt, at: ast.AST) -> None:
        self.out.append(ast.copy_location(statement, at))

    def do_Pass(self, node: ast.Pass, scope: _Scope) -> None:
        pass

    def do_Break(self, node: ast.Break, scope: _Scope) -> None:
        self.emit(ast.Break(), node)

    def do_Continue(self, node: ast.Continue, scope: _Scope) -> None:
        self.emit(ast.Continue(), node)

    def do_Return(self, node: ast.Return, scope: _Scope) -> None:
        if node.value is not None:
            raise _error(node, "a kernel returns nothing, and a helper returns once, at its end")
        self.emit(ast.Return(), node)

    def do_Expr(self, node: ast.Expr, scope: _Scope) -> None:
        if isinstance(node.value, ast.Constant):  # a docstring
            return
        value = self.expr(node.value, scope)
        if not isinstance(value, (ast.Constant, ast.Name)):
            self.emit(ast.Expr(value), node)

    def do_Assign(self, node: ast.Assign, scope: _Scope) -> None:
        if len(node.targets) > 1:
            raise _error(node, "one target to an assignment")
        target, value = node.targets[0], node.value
        if isinstance(value, ast.Call) and isinstance(target, ast.Name):
            if _constant(self.expr(value.func, scope)) is WORDS["regs"]:
                return self.declare(target.id, value, node, scope)
        value = self.expr(value, scope)
        known = value.value if isinstance(value, ast.Constant) else None
        if isinstance(target, ast.Tuple) and isinstance(known, tuple):
            value = ast.Tuple([ast.copy_location(ast.Constant(part), node) for part in known], ast.Load())
        if isinstance(target, ast.Name) and known is not None and not isinstance(known, (int, float, np.number)):
            scope.constants[target.id] = known  # another name for a word, a tuple, an array of registers
        else:
            self.emit(ast.Assign([self.target(target, scope)], value), node)
        return None

    def declare(self, name: str, call: ast.Call, node: ast.stmt, scope: _Scope) -> None:
        shape = tuple(self.constant(argument, scope) for argument in call.args)
        array = scope.constants[name] = _Registers(scope.names[name], shape)
        for word in call.keywords:
            fill = self.expr(word.value, scope)
            for index in itertools.product(*map(range, shape)):
                self.emit(ast.Assign([_store(array.element(index))], fill), node)

    def do_AugAssign(self, node: ast.AugAssign, scope: _Scope) -> None:
        target = self.target(node.target, scope)
        if isinstance(target, ast.Subscript) and any(isinstance(n, ast.Call) for n in ast.walk(target.slice)):
            index = self.temporary(target.slice, node)
            target = ast.Subscript(target.value, index, ast.Store())
        value = ast.BinOp(_load(target), node.op, self.expr(node.value, scope))
        self.emit(ast.Assign([target], ast.copy_location(value, node)), node)

    def do_If(self, node: ast.If, scope: _Scope) -> None:
        test = self.expr(node.test, scope)
        if isinstance(test, ast.Constant):
            self.out += self.block(node.body if test.value else node.orelse, scope)
            return
        body, orelse = self.block(node.body, scope), self.block(node.orelse, scope)
        self.emit(ast.If(test, body or [ast.Pass()], orelse), node)

    def do_While(self, node: ast.While, scope: _Scope) -> None:
        test = self.guarded(node.test, scope, "the test of a while")
        self.emit(ast.While(test, self.block(node.body, scope) or [ast.Pass()], []), node)

    def do_For(self, node: ast.For, scope: _Scope) -> None:
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise _error(node, "a loop runs over one name, without else")
        name = node.target.id
        values = self.static_range(node.iter, scope)
        if values is None:
            loop = self.expr(node.iter, scope)
            if not isinstance(loop, ast.Call) or _name(loop.func) != "range":
                raise _error(node, "kernels loop over static(...), range(...) or a constant tuple")
            target = self.target(node.target, scope)  # which a static loop before may have left a constant
            self.emit(ast.For(target, loop, self.block(node.body, scope) or [ast.Pass()], [], None), node)
            return
        if any(isinstance(inner, (ast.Break, ast.Continue)) for inner in _own_level(node.body)):
            raise _error(node, "break and continue in a static loop")
        for value in values:
            scope.constants[name] = value
            self.out += self.block(node.body, scope)

    def static_range(self, node: ast.expr, scope: _Scope) -> Any:
        if isinstance(node, ast.Call) and _constant(self.expr(node.func, scope)) is WORDS["static"]:
            return range(*(self.constant(argument, scope) for argument in node.args))
        if isinstance(node, (ast.Name, ast.Tuple, ast.Attribute)):
            value = _constant(self.expr(node, scope))
            return value if isinstance(value, tuple) else None
        return None

    def target(self, node: ast.expr, scope: _Scope) -> Any:
        if isinstance(node, ast.Name):
            scope.constants.pop(node.id, None)
            return ast.Name(scope.names[node.id], ast.Store())
        if isinstance(node, ast.Tuple):
            return ast.Tuple([self.target(element, scope) for element in node.elts], ast.Store())
        if isinstance(node, ast.Subscript):
            return _store(self.expr(node, scope))
        raise _error(node, "assignment to a name, an element or several")

    # Expressions

    def expr(self, node: ast.expr, scope: _Scope) -> Any:
        method = getattr(self, f"on_{type(node).__name__}", None)
        if method is None:
            raise _error(node, f"kernels have no {type(node).__name__.lower()}")
        return ast.copy_location(method(node, scope), node)

    def constant(self, node: ast.expr, scope: _Scope) -> Any:
        value = self.expr(node, scope)
        if not isinstance(value, ast.Constant):
            raise _error(node, f"{ast.unparse(node)} must be known before the kernel runs")
        return value.value

    def guarded(self, node: ast.expr, scope: _Scope, where: str) -> Any:
        """An expression that may be evaluated not once: nothing it needs can be computed before it."""
        outer, self.conditional = self.conditional, where
        value = self.expr(node, scope)
        self.conditional = outer
        return value

    def temporary(self, value: ast.expr, at: ast.AST, title: str = "t") -> ast.Name:
        if self.conditional:
            raise _error(at, f"a helper with statements cannot be called in {self.conditional}")
        name = f"{title}__{next(self.numbers)}"
        self.emit(ast.Assign([ast.Name(name, ast.Store())], value), at)
        return ast.Name(name, ast.Load())

    def on_Constant(self, node: ast.Constant, scope: _Scope) -> Any:
        return node

    def on_Name(self, node: ast.Name, scope: _Scope) -> Any:
        if node.id in scope.constants:
            return ast.Constant(scope.constants[node.id])
        if node.id in scope.tuples:
            return scope.tuples[node.id]
        if node.id in scope.names:
            return ast.Name(scope.names[node.id], ast.Load())
        if node.id in scope.values:
            return ast.Constant(scope.values[node.id])
        raise _error(node, f"name {node.id!r} is not defined")

    def on_Attribute(self, node: ast.Attribute, scope: _Scope) -> Any:
        value = _constant(self.expr(node.value, scope))
        if isinstance(value, Place):
            if value.name == "blockDim":
                return ast.Constant(self.dims[node.attr])
            return ast.Attribute(ast.Name(value.name, ast.Load()), node.attr, ast.Load())
        if value is None:
            raise _error(node, f"{ast.unparse(node)} is no constant")
        return ast.Constant(getattr(value, node.attr))

    def on_Tuple(self, node: ast.Tuple, scope: _Scope) -> Any:
        parts = self.arguments(node.elts, scope)
        if all(isinstance(part, ast.Constant) for part in parts):
            return ast.Constant(tuple(part.value for part in parts))
        return ast.Tuple(parts, ast.Load())

    def on_Slice(self, node: ast.Slice, scope: _Scope) -> Any:
        ends = (node.lower, node.upper, node.step)
        return ast.Constant(slice(*(None if end is None else self.constant(end, scope) for end in ends)))

    def on_Subscript(self, node: ast.Subscript, scope: _Scope) -> Any:
        value, index = self.expr(node.value, scope), self.expr(node.slice, scope)
        array = _constant(value)
        if array is not None:
            if not isinstance(index, ast.Constant):
                raise _error(node, f"{ast.unparse(node)}: the index must be known before the kernel runs")
            if not isinstance(array, _Registers):
                return ast.Constant(array[index.value])
            places = index.value if isinstance(index.value, tuple) else (index.value,)
            ranges = [range(n)[i] if isinstance(i, slice) else (i,) for i, n in zip(places, array.shape)]
            elements: list[ast.expr] = [array.element(index) for index in itertools.product(*ranges)]
            return ast.Tuple(elements, ast.Load()) if any(isinstance(i, slice) for i in places) else elements[0]
        if isinstance(value, ast.Tuple) and isinstance(index, ast.Constant):
            part = value.elts[index.value]
            return ast.Tuple(part, ast.Load()) if isinstance(part, list) else part
        return ast.Subscript(value, index, ast.Load())

    def on_BinOp(self, node: ast.BinOp, scope: _Scope) -> Any:
        left, right = self.expr(node.left, scope), self.expr(node.right, scope)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            return ast.Constant(_OPERATORS[type(node.op)](left.value, right.value))
        if isinstance(node.op, ast.Pow):
            if _constant(right) in (2, 3):
                base = left if isinstance(left, ast.Name) else self.temporary(left, node)
                square = ast.copy_location(ast.BinOp(base, ast.Mult(), base), node)
                return square if right.value == 2 else ast.BinOp(square, ast.Mult(), base)
            return ast.Call(ast.Name("pow", ast.Load()), [left, right], [])
        return ast.BinOp(left, node.op, right)

    def on_UnaryOp(self, node: ast.UnaryOp, scope: _Scope) -> Any:
        operand = self.expr(node.operand, scope)
        if isinstance(operand, ast.Constant):
            return ast.Constant(_OPERATORS[type(node.op)](operand.value))
        return ast.UnaryOp(node.op, operand)

    def on_Compare(self, node: ast.Compare, scope: _Scope) -> Any:
        if len(node.ops) > 1:  # a < b < c
            middle = [self.expr(part, scope) for part in node.comparators[:-1]]
            if not all(isinstance(part, (ast.Name, ast.Constant)) for part in middle):
                raise _error(node, "the middle of a chain of comparisons must be a name or a number")
            operands = [node.left, *node.comparators]
            pairs: list[ast.expr] = [
                ast.copy_location(ast.Compare(a, [op], [b]), node) for a, op, b in zip(operands, node.ops, operands[1:])
            ]
            return self.expr(ast.copy_location(ast.BoolOp(ast.And(), pairs), node), scope)
        left, right = self.expr(node.left, scope), self.expr(node.comparators[0], scope)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            return ast.Constant(_OPERATORS[type(node.ops[0])](left.value, right.value))
        return ast.Compare(left, node.ops, [right])

    def on_BoolOp(self, node: ast.BoolOp, scope: _Scope) -> Any:
        decides = isinstance(node.op, ast.Or)
        kept: list[ast.expr] = []
        for part in node.values:
            value = self.guarded(part, scope, "and, or") if kept else self.expr(part, scope)
            if not isinstance(value, ast.Constant):
                kept.append(value)
            elif bool(value.value) == decides:
                kept.append(value)
                break
        if not kept:
            return ast.Constant(not decides)
        return kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)

    def on_IfExp(self, node: ast.IfExp, scope: _Scope) -> Any:
        test = self.expr(node.test, scope)
        if isinstance(test, ast.Constant):
            return self.expr(node.body if test.value else node.orelse, scope)
        where = "a branch of an expression"
        return ast.IfExp(test, self.guarded(node.body, scope, where), self.guarded(node.orelse, scope, where))

    def on_Call(self, node: ast.Call, scope: _Scope) -> Any:
        function = _constant(self.expr(node.func, scope))
        arguments = self.arguments(node.args, scope)
        word = _word(function)
        if all(isinstance(argument, ast.Constant) for argument in arguments) and isinstance(
            function, (BuiltinFunctionType, type)
        ):
            if function is range:
                return ast.Call(ast.Name("range", ast.Load()), arguments, [])
            return ast.Constant(function(*(argument.value for argument in arguments)))
        if function is range:
            return ast.Call(ast.Name("range", ast.Load()), arguments, [])
        if word is not None:
            if function in _BUILTINS and len(arguments) > 2:
                return functools.reduce(lambda a, b: ast.Call(ast.Name(word, ast.Load()), [a, b], []), arguments)
            return ast.Call(ast.Name(word, ast.Load()), arguments, [])
        if isinstance(function, FunctionType):
            keywords = {word.arg: self.expr(word.value, scope) for word in node.keywords}
            return self.inline(function, arguments, keywords, node)
        raise _error(node, f"{ast.unparse(node.func)} cannot be called in a kernel")

    def arguments(self, nodes: list[ast.expr], scope: _Scope) -> list[Any]:
        out = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.expr(node.value, scope)
                if isinstance(value, ast.Constant):
                    out += [ast.Constant(part) for part in value.value]
                elif isinstance(value, ast.Tuple):
                    out += value.elts
                else:
                    raise _error(node, "only registers and constants can be spread over arguments")
            else:
                out.append(self.expr(node, scope))
        return out

    def inline(self, function: FunctionType, arguments: list[Any], keywords: dict[Any, Any], at: ast.Call) -> Any:
        tree, values = source(function)
        number = next(self.numbers)
        scope = _Scope(values)
        names = [argument.arg for argument in tree.args.args]
        defaults = dict(zip(names[::-1], (function.__defaults__ or ())[::-1]))
        defaults.update(function.__kwdefaults__ or {})
        names += [argument.arg for argument in tree.args.kwonlyargs]
        given = {**{n: ast.Constant(v) for n, v in defaults.items()}, **dict(zip(names, arguments)), **keywords}
        if given.keys() != set(names) or len(arguments) > len(names):
            raise _error(at, f"{function.__name__}({', '.join(names)}) is called with other arguments")
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        scope.names = {name: f"{name}__{number}" for name in (*names, *stored)}
        for name in names:
            value = given[name]
            if isinstance(value, ast.Constant) and name not in stored:
                scope.constants[name] = value.value
            elif isinstance(value, ast.Name) and name not in stored:
                scope.names[name] = value.id
            elif isinstance(value, ast.Tuple) and name not in stored:
                simple = (ast.Name, ast.Constant)
                parts = [v if isinstance(v, simple) else self.temporary(v, at, name) for v in value.elts]
                scope.tuples[name] = ast.Tuple(parts, ast.Load())
            else:
                scope.names[name] = self.temporary(value, at, name).id
        *body, last = tree.body
        returns = isinstance(last, ast.Return) and last.value is not None
        flat = self.block(body if returns else tree.body, scope)
        if flat and self.conditional:
            raise _error(at, f"a helper with statements cannot be called in {self.conditional}")
        self.out += flat
        return self.expr(last.value, scope) if returns else ast.Constant(None)  # type: ignore[attr-defined]


def _word(function: Any) -> str | None:
    """The word that a callable stands for: itself, a builtin, or a function of `_kernels/scalar.py`."""
    if isinstance(function, Word):
        return function.name
    try:
        if function in _BUILTINS:
            return _BUILTINS[function]
    except TypeError:
        return None
    name = getattr(function, "__name__", "")
    formula = isinstance(function, np.ufunc) or getattr(function, "__module__", "").split(".")[0] == "numpy"
    if name in WORDS and (formula or getattr(function, "__module__", "") == "minitorch._kernels.scalar"):
        return name
    return None


def _constant(node: Any) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _name(node: Any) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _load(node: Any) -> Any:
    return type(node)(*(getattr(node, field) for field in node._fields[:-1]), ast.Load())


def _store(node: Any) -> Any:
    if isinstance(node, ast.Tuple):
        return ast.Tuple([_store(element) for element in node.elts], ast.Store())
    if not isinstance(node, (ast.Name, ast.Subscript)):
        raise _error(node, f"nothing can be assigned to {ast.unparse(node)}")
    return type(node)(*(getattr(node, field) for field in node._fields[:-1]), ast.Store())


def _own_level(body: list[ast.stmt]) -> Any:
    """The statements of a loop's body but for those of loops within it."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _own_level(node.body)
            yield from _own_level(node.orelse)


def _error(node: Any, message: str) -> SyntaxError:
    return SyntaxError(f"{message} (line {getattr(node, 'lineno', '?')} of a kernel: {ast.unparse(node)[:80]})")
