"""Updates of optimizers: a formula becomes one loop over a parameter, its gradient and its states.

The formula has the elements of the parameter `p`, the gradient `g` and the states as positional parameters, what is
the same for all elements as keyword-only ones, and returns the new values of all but the gradient. A state that an
option leaves out is None: `if v_max is not None` is decided when the loop is generated.
"""

import ast
from collections.abc import Callable
from textwrap import indent
from typing import Any

import numpy as np

from . import cache
from .codegen import PRELUDE, Formula, _TypeLiterals
from .cpu import shared, threads
from .cpu.loops import CHUNK

LOOP = """from minitorch._kernels.cpu.optim import add, addcdiv, addcmul, lerp, sign
@njit({options})
def kernel({params}):
    {setup}
    if {wrong}:
        return False
    for i in range(flat_p.size):
        {loads}
{body}
        {stores}
    return True
"""


class Update(Formula):
    """The formula of an update and its loops, one for each choice of states. `on_tensors` is the function itself."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__(function)
        self.on_tensors = function

    def kernel(self, absent: frozenset[str] = frozenset()) -> tuple[Callable[..., bool], tuple[str, ...]]:
        """kernel(*arrays, *numbers) without the states in `absent`, and the names of its numbers.

        It writes in place, and answers False, having done nothing, if the shapes of the arrays differ.
        """
        found = self._kernels.get(absent)
        if found is None:
            text, numbers = self.text(absent)
            dispatcher = cache.load(f"{self.name}_update", text).kernel
            found = self._kernels[absent] = _any_layout(dispatcher), numbers  # type: ignore[assignment]
        return found  # type: ignore[return-value]

    def large(self, absent: frozenset[str] = frozenset()) -> Callable[..., bool]:
        """`kernel` for a parameter of many elements: shared among threads where that pays."""
        kernel, numbers = self.kernel(absent)
        arrays = [a for a in self.arrays if a not in absent]
        in_parts: list[Any] = []

        def update(*args: Any) -> bool:
            of_parameter = args[: len(arrays)]
            p, crew = of_parameter[0], 0
            if all(a.shape == p.shape and a.flags.carray for a in of_parameter):
                work = sum([a.nbytes for a in of_parameter]) // shared.BYTES
                crew, parts = threads.share(work, p.size // CHUNK)
            if not crew:
                return kernel(*args)
            if not in_parts:
                params = [f"{a}_" for a in (*arrays, *numbers)]
                rows = params[: len(arrays)]
                in_parts.append(
                    shared.over_rows(f"{self.name}_update", self.text(absent)[0], " ".join(params), " ".join(rows))
                )
            in_parts[0](crew, parts, *[a.reshape(-1) for a in of_parameter], *args[len(arrays) :])
            return True

        return update

    def parts(self, absent: frozenset[str] = frozenset()) -> tuple[list[ast.stmt], list[ast.expr], tuple[str, ...]]:
        """Without the states in `absent`: the statements, the new values of all arrays but `g`, the numbers' names."""
        tree = _LeaveOut(absent).visit(self.definition())
        *body, last = [s for s in tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        assert isinstance(last, ast.Return) and isinstance(last.value, ast.Tuple)
        used = {n.id for s in (*body, last) for n in ast.walk(s) if isinstance(n, ast.Name)}
        named = zip([a for a in self.arrays if a != "g"], last.value.elts, strict=True)
        return body, [e for a, e in named if a not in absent], tuple(s for s in self.scalars if s in used)

    def text(self, absent: frozenset[str] = frozenset()) -> tuple[str, tuple[str, ...]]:
        """The generated file, and the names of the numbers that the loop takes."""
        arrays = [a for a in self.arrays if a not in absent]
        statements, values, numbers = self.parts(absent)
        body, results = ([_TypeLiterals().visit(s) for s in part] for part in (statements, values))
        text = PRELUDE + LOOP.format(
            options=cache.OPTIONS,
            params=", ".join(f"{a}_" for a in (*arrays, *numbers)),
            setup="; ".join(
                ["T = p_.dtype.type", *(f"flat_{a} = flat({a}_)" for a in arrays)] + [f"{s} = T({s}_)" for s in numbers]
            ),
            wrong=" or ".join(f"{a}_.shape != p_.shape" for a in arrays[1:]),
            loads="; ".join(f"{a} = flat_{a}[i]" for a in arrays),
            body=indent("\n".join(ast.unparse(s) for s in body), " " * 8),
            stores="; ".join(
                f"flat_{a}[i] = {ast.unparse(e)}" for a, e in zip([a for a in arrays if a != "g"], results, strict=True)
            ),
        )
        return text, numbers


class _LeaveOut(ast.NodeTransformer):
    """Decide every `if x is None` and `if x is not None`."""

    def __init__(self, absent: frozenset[str]):
        self.absent = absent

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        test = node.test
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is | ast.IsNot):
            assert isinstance(test.left, ast.Name)
            is_none = test.left.id in self.absent
            return node.body if is_none == isinstance(test.ops[0], ast.Is) else node.orelse
        return node


def _any_layout(kernel: Any) -> Callable[..., bool]:
    """The kernel, for arrays of every layout and rank, compiled for contiguous ones that can be written to.

    Numba asks `_compile_for_args` what to call for types that it has not met: see `cpu.loops.for_contiguous`.
    """

    def through_copies(*args: Any) -> bool:
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        if any(a.shape != arrays[0].shape for a in arrays):
            return False
        if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):  # of another rank, such as a convolution's
            return kernel(*[a.reshape(-1) for a in arrays], *args[len(arrays) :])
        # memory order of the parameter: a dense one and its states need no copy then
        order = sorted(range(arrays[0].ndim), key=lambda d: -arrays[0].strides[d])
        views = [a.transpose(order) for a in arrays]
        dense = [np.require(v, requirements=["C", "W"]).reshape(-1) for v in views]
        kernel(*dense, *args[len(arrays) :])
        for i, (view, flat) in enumerate(zip(views, dense, strict=True)):
            if i != 1 and not np.shares_memory(view, flat):  # the gradient, number 1, is only read
                view[...] = flat.reshape(view.shape)
        return True

    def met(*args: Any) -> bool:
        return all(
            a.ndim in (1, 2) and a.flags.c_contiguous and a.flags.writeable for a in args if isinstance(a, np.ndarray)
        )

    compile_for_args = getattr(kernel, "_compile_for_args", None)
    if compile_for_args is None:
        return lambda *args: (kernel if met(*args) else through_copies)(*args)

    def unmet_types(*args: Any, **kwargs: Any) -> Any:
        return compile_for_args(*args, **kwargs) if met(*args) else through_copies

    kernel._compile_for_args = unmet_types
    return kernel
