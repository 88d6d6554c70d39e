"""From a scalar formula to compiled loops.

A `Formula` is one plain Python function over the vocabulary of `scalar.py`. Its text is pasted into one of the loop
templates below, with every float literal typed (a bare `1.0` would turn float32 arithmetic into float64: 1.7 times
slower on a CPU, far worse on a GPU). The result is a source file that `cache.load` keeps on disk, where its machine
code is found again and a reader can open it.
"""

import ast
import functools
import linecache
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from . import cache, scalar

PRELUDE = """import math
import numpy as np
from numba import njit
from minitorch._kernels.cpu.inlined import flat, maximum, minimum, where
from math import (exp, expm1, log, log1p, log2, log10, sqrt, sin, cos, tan, sinh, cosh, tanh, isnan)
floor, ceil, trunc = np.floor, np.ceil, np.trunc  # those of math give integers: wrong from 2**63 on
absolute, copysign, isinf, isfinite = abs, math.copysign, math.isinf, math.isfinite
arcsin, arccos, arctan, arctan2, fmod = math.asin, math.acos, math.atan, math.atan2, np.fmod
arcsinh, arccosh, arctanh, exp2 = math.asinh, math.acosh, math.atanh, np.exp2
fmax, fmin, hypot, nextafter = np.fmax, np.fmin, np.hypot, np.nextafter
logaddexp, logaddexp2 = np.logaddexp, np.logaddexp2
gcd, lcm, left_shift, right_shift, rint, signbit = np.gcd, np.lcm, np.left_shift, np.right_shift, np.rint, np.signbit
"""

# one flat loop: every array contiguous and of one shape, but those in `scalars`, which hold one element
FLAT = """@njit({options})
def kernel({params}, dest):
    {setup}
    flat_dest = flat(dest)
    for i in range(flat_dest.size):
        {loads}
        {body}
        flat_dest[i] = {result}
"""

ELEMENTS = """from numba import njit
@njit({options})
def kernel({params}, dest):
    for i in range(dest.size):
        dest[i] = {call}
"""

# the same formula, summed into a 0-dim dest: the gradient of a number-like operand in one loop
TOTAL = """@njit({options})
def kernel({params}, dest):
    {setup}
    total = T(0)
    for i in range(flat_{first}.size):
        {loads}
        {body}
        total += {result}
    dest[()] = total
"""

# four merged dimensions, strides counted in elements (0 where an operand is broadcast), each array as the 1-D window of
# memory that it spans: rank and layout cost no further compilation. The innermost strides are in names of their own:
# read from the array, which `dest` might overlap for all that LLVM knows, they make the loop ten times slower.
STRIDED = """@njit({options})
def kernel({params}, dest, sizes_, steps_):
    {setup}
    for at0 in range(sizes_[0]):
        for at1 in range(sizes_[1]):
            for at2 in range(sizes_[2]):
                {starts}
                for at3 in range(sizes_[3]):
                    {loads}
                    {body}
                    dest[np.uint64(start{last} + at3 * step{last})] = {result}
"""

# the same where every array but those in `scalars` is contiguous along the innermost dimension, and these constant:
# LLVM makes vector code of it, since Numba does not test unsigned indices for being negative
LINES = """@njit({options})
def kernel({params}, dest, sizes_, steps_):
    {setup}
    line = np.uint64(sizes_[3])
    for at0 in range(sizes_[0]):
        for at1 in range(sizes_[1]):
            for at2 in range(sizes_[2]):
                {starts}
                for at3 in range(line):
                    {loads}
                    {body}
                    dest[start{last} + at3] = {result}
"""

# the same for some of the lines, numbered from the first to the last, of which threads take some each
LINES_BETWEEN = """@njit({options})
def kernel({params}, dest, sizes_, steps_, bounds_):
    {setup}
    line = np.uint64(sizes_[3])
    for part in range(bounds_.shape[0]):
        for number in range(bounds_[part, 0], bounds_[part, 1]):
            at2, rest = number % sizes_[2], number // sizes_[2]
            at1, at0 = rest % sizes_[1], rest // sizes_[1]
            {starts}
            for at3 in range(line):
                {loads}
                {body}
                dest[start{last} + at3] = {result}
"""

# every element into a 0-dim dest; `a` is the accumulator, `n` the number of elements
WHOLE = """@njit({options})
def kernel(x_, dest):
    T = dest.dtype.type
    A = {accumulator}
    flat_x = flat(x_)
    n = flat_x.size
    {fold}
    dest[()] = {finish}
"""

# (outer, n) into (outer,)
ROWS = """@njit({options})
def kernel(x_, {sizes}dest):
    T = dest.dtype.type
    A = {accumulator}
    outer, {line} = x_.shape
    for o in range(outer):
        {fold}
        dest[o] = {finish}
"""

# of n elements: how they become one
FOLD = """a = {init}
{indent}for i in range(n):
{indent}    x = A({element})
{indent}    a = {step}"""
IMPORT_OF_FLOATS = """from minitorch._kernels.codegen import SCRATCH_SPARE
from minitorch._kernels.cpu.sums import sum_columns, sum_of_floats
"""
FOLD_OF_FLOATS = "a = sum_of_floats(flat({x}), {start}, n)"

# the middle of (outer, n, inner) into (outer, inner): whole rows are taken at a time, in `scratch`, and four of them
# between reading it and writing it. Here and below arrays have any dimensions: to reshape one takes half of a call.
COLUMNS = """@njit({options})
def kernel(x_, n, {sizes}dest, scratch):
    T = dest.dtype.type
    A = {accumulator}
    flat_x, flat_dest, inner, row, to = flat(x_), flat(dest), np.uint64(scratch.size), np.uint64(0), np.uint64(0)
    line = np.uint64({line})
    while to < flat_dest.size:
        for k in range(inner):
            scratch[k] = {init}
        for i in range(n % 4):
            for k in range(inner):
                x = A(flat_x[row + k])
                a = scratch[k]
                scratch[k] = {step}
            row += line
        for i in range(n // 4):
            for k in range(inner):
                a = scratch[k]
                {four_steps}
                scratch[k] = a
            row += np.uint64(4) * line
        for k in range(inner):
            a = scratch[k]
            flat_dest[to + k] = {finish}
        to += inner
        {next_block}
"""

# the same for sums of floats, with the scratch that `cpu/sums.py` needs: levels, and columns to spare
SCRATCH_LEVELS, SCRATCH_SPARE = 4, 96
COLUMNS_OF_FLOATS = """@njit({options})
def kernel(x_, n, {sizes}dest, scratch):
    T = dest.dtype.type
    flat_x, flat_dest, inner, row, to = flat(x_), flat(dest), scratch.shape[1] - SCRATCH_SPARE, 0, 0
    line = {line}
    while to < flat_dest.size:
        sum_columns(flat_x, row, line, n, scratch)
        for k in range(inner):
            a = scratch[0, k]
            flat_dest[to + k] = {finish}
        row += {block}
        to += inner
"""

# running results along the middle of (outer, n, inner): `a` is the result so far, `scratch` holds one for each of inner
SCAN = """@njit({options})
def kernel({params}, n_, reverse, dest, scratch):
    T = dest.dtype.type
    A = scratch.dtype.type
    flat_dest, n, inner, first = flat(dest), np.uint64(n_), np.uint64(scratch.size), np.uint64(0)
    {flats}
    while first < flat_dest.size:
        if inner == 1:
            a, done = A({init}), np.uint64(0)
            {fours}
            for step in range(done, n):
                i = first + (n - np.uint64(1) - step if reverse else step)
                {loads}
                a = A({step})
                flat_dest[i] = T(a)
        else:
            for k in range(inner):
                scratch[k] = A({init})
            for step in range(n):
                row = first + (n - np.uint64(1) - step if reverse else step) * inner
                for k in range(inner):
                    i = row + k
                    {loads}
                    a = scratch[k]
                    a = A({step})
                    scratch[k] = a
                    flat_dest[i] = T(a)
        first += n * inner
"""

# A running sum of float32 waits for one addition of four, those of the three others being of elements alone. The sums
# are of float64, so that the order hardly ever shows in what is stored; of float64 it would.
FOURS = """if dest.itemsize == 4:
                one = np.uint64(1)
                done = n & ~np.uint64(3)
                for step in range(np.uint64(0), done, np.uint64(4)):
                    i = first + (n - one - step if reverse else step)
                    j = i - one if reverse else i + one
                    k = j - one if reverse else j + one
                    m = k - one if reverse else k + one
                    two = A(flat_x[i]) + A(flat_x[j])
                    three = two + A(flat_x[k])
                    flat_dest[i], flat_dest[j], flat_dest[k] = T(a + A(flat_x[i])), T(a + two), T(a + three)
                    a += three + A(flat_x[m])
                    flat_dest[m] = T(a)"""


# powers of a name to a literal that are more quickly multiplied
POWERS = {
    0.0: "1.0",
    -0.5: "1.0 / sqrt({x})",
    -2.0: "1.0 / ({x} * {x})",
    -3.0: "1.0 / ({x} * {x} * {x})",
}


def _is_multiplied(node: ast.BinOp) -> bool:
    is_power = isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Name)
    return is_power and ast.unparse(node.right) in map(str, POWERS)


class _TypeLiterals(ast.NodeTransformer):
    """1.0 -> T(1.0), and x ** y -> power(x, y), but for exponents in POWERS."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, float):
            return ast.copy_location(ast.Call(ast.Name("T"), [node], []), node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if _is_multiplied(node):
            x, exponent = ast.unparse(node.left), ast.literal_eval(node.right)
            return self.visit(ast.copy_location(ast.parse(POWERS[exponent].format(x=x), mode="eval").body, node))
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return ast.copy_location(ast.Call(ast.Name("power"), [node.left, node.right], []), node)
        return node


class Formula:
    """One scalar formula and the loops made of it, each built when first asked for.

    `arrays` are its positional parameters, one element of each per call; `scalars` its keyword-only ones, numbers
    that are the same for every element and take the computation's dtype.
    """

    def __init__(self, function: Callable[..., Any]):
        code = function.__code__
        self.code, self.name = code, function.__name__
        # the NumPy meaning; in the table itself `exp` is a record
        self.function = FunctionType(code, vars(scalar), function.__name__)
        self.function.__kwdefaults__ = function.__kwdefaults__
        count = code.co_argcount
        self.arrays = code.co_varnames[:count]
        self.scalars = code.co_varnames[count : count + code.co_kwonlyargcount]
        self.params = self.arrays + self.scalars
        self._kernels: dict[Any, Callable[..., None]] = {}

    def written(self) -> tuple[list[str], int]:
        """The lines of the formula in its source file, decorators included, and where its body begins among them."""
        code = self.code
        lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
        if not lines:
            raise RuntimeError(
                f"formula {self.name}: its source cannot be read from {code.co_filename!r}; define it in a file"
            )
        body = next(i for i, line in enumerate(lines) if line.startswith("def ")) + 1
        end = body
        while end < len(lines) and (lines[end][0].isspace() or lines[end].startswith(")")):
            end += 1
        return lines[:end], body

    def definition(self) -> ast.FunctionDef:
        """The formula's syntax tree, read from its source file."""
        tree = ast.parse("".join(self.written()[0])).body[0]
        assert isinstance(tree, ast.FunctionDef)
        return tree

    def statements(self) -> tuple[list[str], str]:
        """The lines before the return, and the returned expression, literals typed."""
        body = self.definition().body
        if isinstance(body[0], ast.Expr):
            body = body[1:]
        *before, last = [ast.unparse(_TypeLiterals().visit(s)) for s in body]
        return before, last.removeprefix("return ")

    def lone_call(self) -> tuple[str, tuple[str, ...]] | None:
        """(NumPy function, arguments) if the formula is a single NumPy call, else None.

        NumPy without `out=` takes 205 ns with its result, an empty array and a compiled loop 310.
        """
        *before, last = self.definition().body
        if before and not isinstance(before[0], ast.Expr):
            return None
        assert isinstance(last, ast.Return) and last.value is not None
        e = last.value
        if isinstance(e, ast.BinOp | ast.UnaryOp | ast.Compare):
            operands = (
                [e.operand] if isinstance(e, ast.UnaryOp)
                else [e.left, e.comparators[0] if isinstance(e, ast.Compare) else e.right]
            )  # fmt: skip
            operation = e.ops[0] if isinstance(e, ast.Compare) else e.op
            name = _UFUNC[type(operation).__name__]
        elif isinstance(e, ast.Call) and isinstance(e.func, ast.Name):
            operands, name = e.args, e.func.id
        else:
            return None
        if name not in _NUMPY_NAMES or not all(isinstance(a, ast.Name) and a.id in self.arrays for a in operands):
            return None
        return name, tuple(a.id for a in operands)  # type: ignore[attr-defined]

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """The names in the formula; `power` stands for x ** y, as in the loops."""
        powers = any(
            isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow) and not _is_multiplied(n)
            for n in ast.walk(self.definition())
        )
        return frozenset(self.code.co_names) | frozenset(["power"] * powers)

    @functools.cached_property
    def functions(self) -> int:
        """How many different functions it calls that take longer than arithmetic: exp, erf and their like."""
        return len(self.words & (_SLOW_IN_LOOPS | VECTORISED | set().union(*scalar.COMPILED.values())))

    def slow_in_loops(self, dtype: Any) -> bool:
        """Whether NumPy's functions beat a compiled loop on large arrays: those that `vector.py` has not for dtype."""
        return bool(self.words & (_SLOW_IN_LOOPS - VECTORISED if dtype == np.float32 else _SLOW_IN_LOOPS))

    def flat(self, scalars: tuple[str, ...] = ()) -> Callable[..., None]:
        """kernel(*arrays, *numbers, dest) over contiguous arrays of one shape; those named in `scalars` are 0-dim."""
        return self._build("flat", FLAT, scalars)

    def inplace(self, scalars: tuple[str, ...] = ()) -> Callable[..., None]:
        """As `flat`, where dest is the first array too: read through dest, since LLVM fears that two arrays overlap."""
        return self._build("inplace", FLAT, scalars)

    def total(self, scalars: tuple[str, ...] = ()) -> Callable[..., None]:
        """kernel(*arrays, *numbers, dest): the sum over all elements, into a 0-dim dest."""
        return self._build("total", TOTAL, scalars)

    def strided(self) -> Callable[..., None]:
        """kernel(*windows, *numbers, dest window, sizes, strides): see `Loops.strided` in `_kernels/cpu/loops.py`."""
        return self._build("strided", STRIDED, ())

    def lines(self, scalars: tuple[str, ...] = (), inplace: bool = False) -> Callable[..., None]:
        """As `strided`, for steps of 1 along the innermost dimension, of 0 for the arrays named in `scalars`."""
        return self._build("inplace_lines" if inplace else "lines", LINES, scalars)

    def lines_between(self, scalars: tuple[str, ...], inplace: bool) -> str:
        """The text of `lines` with a further parameter, bounds_ (parts, 2): from which line to which each part goes."""
        return self.source("inplace_lines" if inplace else "lines", LINES_BETWEEN, scalars)

    def _build(self, variant: str, template: str, scalars: tuple[str, ...]) -> Callable[..., None]:
        try:
            return self._kernels[variant, scalars]
        except KeyError:
            pass
        text = self.source(variant, template, scalars)
        kernel = cache.load(f"{self.name}_{variant}", text).kernel
        self._kernels[variant, scalars] = kernel
        return kernel

    def _imports(self) -> str:
        """Lines that import the compiled functions which the formula names."""
        return "".join(
            f"from minitorch._kernels.cpu.{file} import {name}\n"
            for file, names in {**scalar.COMPILED, "vector": VECTORISED}.items()
            for name in sorted(names)
            if name in self.words
        )

    def source(self, variant: str, template: str = FLAT, scalars: tuple[str, ...] = ()) -> str:
        """The text of the generated file."""
        first = next((a for a in self.arrays if a not in scalars), self.arrays[0])
        before, result = self.statements()
        setup = [f"T = {first}_.dtype.type"] + [f"{s} = T({s}_)" for s in self.scalars]
        loads: list[str] = []
        constant: list[str] = []
        for position, a in enumerate(self.arrays):
            if variant == "strided":
                loads.append(f"{a} = {a}_[np.uint64(start{position} + at3 * step{position})]")
            elif variant == "inplace_lines" and not position:
                loads.append(f"{a} = dest[start{len(self.arrays)} + at3]")
            elif variant in ("lines", "inplace_lines"):
                (constant if a in scalars else loads).append(
                    f"{a} = {a}_[start{position}{' + at3' * (a not in scalars)}]"
                )
            elif a in scalars:
                setup.append(f"{a} = {a}_[()]")
            else:
                array = "dest" if variant == "inplace" and not position else f"{a}_"
                setup.append(f"flat_{a} = flat({array})")
                loads.append(f"{a} = flat_{a}[i]")
        starts = []
        if variant in ("strided", "lines", "inplace_lines"):
            for position in range(len(self.arrays) + 1):
                outer = " + ".join(f"at{d} * steps_[{position}, {d}]" for d in range(3))
                if variant == "strided":
                    setup.append(f"step{position} = steps_[{position}, 3]")
                    starts.append(f"start{position} = {outer}")
                else:
                    starts.append(f"start{position} = np.uint64({outer})")
        starts += constant
        return (
            PRELUDE
            + self._imports()
            + template.format(
                options=cache.OPTIONS,
                params=", ".join(p + "_" for p in self.params),
                first=first,
                last=len(self.arrays),
                setup="; ".join(setup),
                starts="; ".join(starts),
                loads="; ".join(loads),
                body="; ".join(before) or "pass",
                result=result,
            )
        )


_UFUNC = {
    "Add": "add", "Sub": "subtract", "Mult": "multiply", "Div": "divide", "Pow": "power", "FloorDiv": "floor_divide",
    "Mod": "remainder", "USub": "negative", "Invert": "invert", "BitAnd": "bitwise_and", "BitOr": "bitwise_or",
    "BitXor": "bitwise_xor", "Eq": "equal", "NotEq": "not_equal", "Lt": "less", "LtE": "less_equal", "Gt": "greater",
    "GtE": "greater_equal",
}  # fmt: skip
_SLOW_IN_LOOPS = frozenset("exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh".split())
# what `cpu/vector.py` has; but for exp, which it has for float64 too, of float32 alone
VECTORISED = frozenset("exp exp2 expm1 log log1p log2 log10 sinh cosh tanh erf power".split())
_NUMPY_NAMES = frozenset(_UFUNC.values()) | _SLOW_IN_LOOPS | frozenset(
    "exp arcsin arccos arctan arctan2 arcsinh arccosh arctanh sqrt floor ceil trunc maximum minimum fmod absolute "
    "copysign fmax fmin gcd hypot isfinite isinf lcm left_shift logaddexp logaddexp2 nextafter right_shift rint "
    "signbit".split()
)  # fmt: skip


def loop_over(name: str, file: str, count: int) -> Callable[..., None]:
    """kernel(*arrays, dest) of one function in a file of `_kernels/cpu/`, on contiguous arrays of one dimension."""
    arrays = "abc"[:count]
    text = f"from minitorch._kernels.cpu.{file} import {name}\n" + ELEMENTS.format(
        options=cache.OPTIONS, params=", ".join(arrays), call=f"{name}({', '.join(a + '[i]' for a in arrays)})"
    )
    return cache.load(f"{name}_elements", text).kernel


REDUCTIONS = {"whole": WHOLE, "rows": ROWS, "columns": COLUMNS}
ELEMENTS_OF = {
    "whole": {"x": "x_", "start": "0", "element": "flat_x[i]", "indent": " " * 4},
    "rows": {"x": "x_", "start": "o * x_.shape[1]", "element": "x_[o, i]", "indent": " " * 8},
}
FIRST = {"whole": "flat_x[0]", "rows": "x_[o, 0]", "columns": "flat_x[row + k]"}
# what the geometry is told by: nothing further where lines follow each other, else sizes of their own
LINES_TOGETHER = {
    "whole": {},
    "rows": {"sizes": "", "line": "n"},
    "columns": {"sizes": "", "line": "inner", "block": "n * inner", "next_block": ""},
}
LINES_APART = {
    "rows": {"sizes": "n, ", "line": "step"},
    "columns": {
        "sizes": "step, block, ",
        "line": "step",
        "block": "block",
        "next_block": "row += np.uint64(block - n * step)",
    },
}


def reduction(name: str, part: str, apart: bool = False, **formulas: Any) -> Callable[..., None]:
    """The loop of a reduction: kernel(x, dest) of the whole or of rows, kernel(x, n, dest, scratch) of columns.

    Rows and columns are kernels of their own because together they compile for twice as long. With `apart` there are
    elements between the lines: kernel(x, n, dest) of the first n in each row, kernel(x, n, step, block, dest, scratch)
    of n lines that begin `step` elements after each other, from every `block` elements on.
    """
    return cache.load(f"{name}_{part}{'_apart' * apart}", reduction_text(part, apart, **formulas)).kernel


def reduction_text(
    part: str,
    apart: bool = False,
    *,
    init: str,
    step: str,
    finish: str,
    accumulator: str | None,
    floats: bool = False,
) -> str:
    """The generated file of `reduction`.

    `init`, `step` and `finish` are expressions over the accumulator `a`, the element `x` and the count `n`; an
    `init` of "first" is the first element, of which there must be one. `accumulator` is the type that `a` has, by
    default the result's; where it is wider, LLVM may reorder the steps. `floats`: sums of floats, in torch's order, see
    `cpu/sums.py`.
    """
    start = f"A({FIRST[part] if init == 'first' else init})"
    fold = ""
    if part != "columns":
        fold = (FOLD_OF_FLOATS if floats else FOLD).format(init=start, step=step, **ELEMENTS_OF[part])
    four = [f"x = A(flat_x[row + np.uint64({i}) * line + k]); a = {step}" for i in range(4)]
    template = COLUMNS_OF_FLOATS if floats and part == "columns" else REDUCTIONS[part]
    return PRELUDE + IMPORT_OF_FLOATS * floats + template.format(
        options=cache.OPTIONS + (", fastmath={'reassoc'}" if accumulator and not floats else ""),
        accumulator=accumulator or "T", init=start, step=step, finish=finish, fold=fold, four_steps="; ".join(four),
        **(LINES_APART if apart else LINES_TOGETHER)[part],
    )  # fmt: skip


def scan(name: str, params: str, init: str, step: str) -> Callable[..., None]:
    """The loop of a running result along n elements: kernel(*arrays, n, reverse, dest, scratch).

    `params` names the arrays, in the result's dtype; `init` and `step` are expressions over their elements and the
    result so far, `a`, which has scratch's dtype.
    """
    names = params.split()
    text = PRELUDE + SCAN.format(
        options=cache.OPTIONS, params=", ".join(f"{p}_" for p in names), init=init, step=step,
        flats="; ".join(f"flat_{p} = flat({p}_)" for p in names), fours=FOURS if step == "a + x" else "pass",
        loads="; ".join(f"{p} = A(flat_{p}[i])" for p in names),
    )  # fmt: skip
    return cache.load(f"{name}_scan", text).kernel
