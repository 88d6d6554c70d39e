"""How a scalar formula becomes a helper of kernels: `codegen.Formula` in the vocabulary of `device.py`.

The formula is the CPU's own (`_ops/pointwise.py` and the files beside it, `optim/_updates.py`). The vocabulary has
NumPy's names and gives literals the type of what they meet, so little is left to do: operators that C has not, and
functions that are made of others (`scalar.py`).
"""

import ast
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.half import BFLOAT16, FLOAT16

from . import scalar
from .device import WORDS
from .lower import define


class Storage(NamedTuple):
    """How elements of a dtype lie in memory (`code`), the type that kernels compute in, how one is read and written."""

    code: str
    compute: str
    read: str = "{}"
    write: str = "{}"


STORAGE = {
    np.dtype(np.float32): Storage("f4", "f4"),
    np.dtype(np.float64): Storage("f8", "f8"),
    FLOAT16: Storage("u2", "f4", "from_half(u4({}))", "to_half({})"),
    BFLOAT16: Storage("u2", "f4", "from_bf16(u4({}))", "to_bf16({})"),
    np.dtype(np.bool_): Storage("u1", "i4", write="where(({}) != 0, 1, 0)"),
    **{np.dtype(c): Storage(c, c if c in ("u4", "i8", "u8") else "i4") for c in "u1 i1 u2 i2 u4 i4 u8 i8".split()},
}
ORDER = "i4", "u4", "i8", "u8", "f4", "f8"


def compute_type(*dtypes: np.dtype) -> str:
    """The type in which a formula over operands of these dtypes is computed: halves in float32."""
    return max((STORAGE[d].compute for d in dtypes), key=ORDER.index)


def element_functions(dtype: np.dtype, kind: str) -> tuple[Any, Any]:
    """(read, write): helpers between an element in memory and a number of the type `kind`."""
    s = STORAGE[dtype]
    text = f"def read(x):\n    return {kind}({s.read.format('x')})\ndef write(x):\n    return {s.write.format('x')}\n"
    values = {**WORDS, "__name__": __name__}
    define(text, "write", values)
    return values["read"], values["write"]


class _OnDevice(ast.NodeTransformer):
    """The formula's syntax in the vocabulary; `kind` is what it is computed in."""

    def __init__(self, kind: str, is_bool: bool):
        self.is_integer, self.is_bool = kind[0] != "f", is_bool

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self.is_integer and isinstance(node.value, float) and node.value.is_integer():
            return ast.Constant(int(node.value))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        function = (_OF_INTEGERS if self.is_integer else _OF_FLOATS).get(type(node.op))
        if function is None:
            return node
        return ast.Call(ast.Name(function, ast.Load()), [node.left, node.right], [])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if self.is_bool and isinstance(node.op, ast.Invert):
            return ast.Compare(node.operand, [ast.Eq()], [ast.Constant(0)])
        return node


_OF_INTEGERS: dict[type, str] = {ast.Pow: "integer_power"}
_OF_FLOATS: dict[type, str] = {ast.FloorDiv: "floor_divide", ast.Mod: "remainder"}


def vocabulary(kind: str) -> dict[str, Any]:
    """What the names in a formula mean in a kernel that computes in `kind`: words, and helpers made of them."""
    return {**WORDS, **scalar.helpers(kind), "__name__": __name__}


@cache
def helper(formula: Formula, kind: str, is_bool: bool = False) -> Any:
    """The formula as a function that kernels may call, its numbers behind its arrays."""
    tree = formula.definition()
    names = vocabulary(kind)
    missing = sorted(w for w in formula.code.co_names if w not in names)
    if missing:
        raise NotImplementedError(
            f"{formula.name}: {', '.join(missing)} is not implemented for device 'cuda' by minitorch: compute it on "
            "the CPU, x.cpu(), and move the result back"
        )
    tree.decorator_list, tree.name = [], f"{tree.name}_formula"  # the name alone may be a word that it uses
    tree.args = ast.arguments([], [ast.arg(p) for p in formula.params], None, [], [], None, [])
    tree = ast.fix_missing_locations(_OnDevice(kind, is_bool).visit(tree))
    return define(ast.unparse(tree) + "\n", tree.name, names)
