"""The record of an op: its formula or kernel, its gradients, and where its name appears.

    @pointwise(on="torch Tensor", operator="__mul__ __rmul__", inplace=True)
    def mul(x, y):
        return x * y

    @mul.grad("x")
    def mul_grad_x(g, y):           # what a gradient names is what is kept alive for it
        return g * y

A record computes nothing. `generate.py` writes its Python function at first use; `apply.py` is the same meaning in
general form, for other devices and as the oracle of the tests.

Every function here is run with several meanings of the names in it. A gradient of a view or structured op is written
with op names (`mm(g, t(b))`), which stand for functions on arrays in an ordinary pass and for ops on Tensors when the
gradient is to be differentiated. What several gradients of an op need a function of its own computes once: `Op.shared`.
"""

import re
from collections.abc import Callable
from functools import cached_property
from itertools import chain
from types import FunctionType
from typing import Any

from minitorch._kernels.codegen import Formula
from minitorch.autograd.node import Node

OPS: dict[str, "Op"] = {}

# what the names inside gradient functions stand for: filled by `Op` below and by `gradient_names.py`
ARRAY_NAMES: dict[str, Any] = {}
TENSOR_NAMES: dict[str, Any] = {}

# ops whose `out=` must share no memory with an operand; pointwise ops refuse to share a part only
APART = frozenset(
    "gather take_along_dim take index_select masked_read kthvalue_dim mode_dim max_dim min_dim scatter scatter_add "
    "index_add index_copy".split()
)

# local names of functions that `generate_forward.py` writes, and what every node has: no argument may have one of them
RESERVED = frozenset("c d e f heap keep last mode new o state t v wanted".split()) | frozenset(Node.__slots__)

# what a gradient may name besides: the gradient of the output; whether this pass is the node's last, so that outputs
# which were kept for it alone may be overwritten; whether each of the tensors, in the order of `edges`, gets a gradient
GIVEN = frozenset(("g", "last", "wanted"))

ARGUMENT = {"x": "input", "y": "other"}  # a formula's letters -> torch's argument names


class Gradient:
    """The gradient of an op for one of its tensors: a function of `g` and of what it names.

    That of a pointwise op is a formula too, which a device's backend runs as it runs the op. On Tensors each operation
    in it is an op, or all of it is one: the `record` whose formula it is, with other letters.
    """

    kind = "pointwise"

    def __init__(
        self, op: "Op", function: Callable[..., Any], record: "Op | None" = None, letters: tuple[str, ...] = ()
    ):
        self.record = record
        code = function.__code__
        letters = letters or code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.function = function
        self.params = tuple(op.argument(p) for p in letters)  # in the op's own names
        self.formula = Formula(function) if op.kind == "pointwise" else None
        self.kwonly = letters[code.co_argcount :]
        self.name, self.tensors = code.co_name, self.params[: code.co_argcount]

    @cached_property
    def is_kernel(self) -> bool:
        """Whether there is something to compute, by a formula."""
        return self.formula is not None and self.formula.statements() != ([], "g")

    def meaning(self, names: dict[str, Any]) -> Callable[..., Any]:
        """The function with the names in it meaning `names`."""
        f = FunctionType(self.function.__code__, names, self.function.__name__)
        f.__kwdefaults__ = self.function.__kwdefaults__
        return f

    def on_tensors(self) -> Callable[..., Any]:
        return self.meaning(TENSOR_NAMES) if self.record is None else self.record.function

    def on_arrays(self) -> Callable[..., Any]:
        return self.function if self.formula is not None else self.meaning(ARRAY_NAMES)


class Op:
    """One operation. `tensors` are the arguments that are tensors, `others` the rest, in the order of the call.

    kind: "pointwise" (a formula per element), "view" (geometry only), "structured" (a kernel of its own).
    result: for pointwise ops "promote" (the operands' common dtype), "float" (integers become the default float
    dtype), "float_only" (integers are refused) or "bool".
    """

    def __init__(self, kind: str, function: Callable[..., Any], *, tensors: str = "", on: str = "", **options: Any):
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        self.kind, self.name, self.doc = kind, options.pop("name", function.__name__), function.__doc__
        self.letters = dict(ARGUMENT, **options.pop("letters", {}))
        if kind == "pointwise":
            self.formula: Formula | None = Formula(function)
            self.tensors = tuple(self.argument(a) for a in positional)
            self.others = keyword
            self.optional: frozenset[str] = frozenset()
            defaults = function.__kwdefaults__ or {}
        else:
            self.formula = None
            words = tensors.split()
            self.tensors = tuple(w.rstrip("?") for w in words)
            self.optional = frozenset(w[:-1] for w in words if w.endswith("?"))
            self.others = tuple(a for a in positional + keyword if a not in self.tensors)
            values = function.__defaults__ or ()
            defaults = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
            defaults |= function.__kwdefaults__ or {}
        self.params = self.tensors + self.others if kind == "pointwise" else positional + keyword
        # of a pointwise op the formula's own are numbers, which the function takes by position unless `by_name`
        self.keyword_only = keyword if kind != "pointwise" else tuple(options.pop("by_name", "").split())
        self.defaults = defaults
        self.infer = function  # for a structured op: arrays -> (shape, NumPy dtype), with all checks
        self.forward: Callable[..., Any] | None = function if kind == "view" else None
        self.on = on.split()
        title = options.pop("title", None)
        self.title = title or "".join(w.title() for w in self.name.split("_"))
        # `copy` of copy_from, `pow` of pow_2 and of PowBackward1, `masked_fill` of MaskedFill
        public = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", title.partition("Backward")[0]) if title else self.name
        self.public_name = public.lower()
        self.result = options.pop("result", "promote")
        # True: the twin is a method where the op is one; a string: the namespaces in which it appears
        self.inplace = options.pop("inplace", False)
        self.kernel = options.pop("kernel", f"{self.name}_cpu")  # torch's name for it in the errors about dtypes
        self.numbers = options.pop("numbers", "y")  # the operands that may be numbers: "", "y" or "xy"
        self.bools = options.pop("bools", True)  # whether it takes bools
        # how a structured op's kernel takes float16 and bfloat16: "" as float32, "own" as they are, "bits" as int16,
        # which serves kernels that only move elements, "none" not at all, where torch has them on a GPU alone
        self.halves = options.pop("halves", "")
        self.operator = options.pop("operator", "").split()
        self.before = options.pop("before", "")  # a line of the generated function, run first
        self.guard = options.pop("guard", "")  # likewise, and in operators too
        self.extra = options.pop("extra", "")  # further parameters of the public function
        self.takes_out = options.pop("takes_out", True)  # whether torch's function has out=
        self.outputs = options.pop("outputs", ())  # names of further, non-differentiable outputs
        self.returns = options.pop("returns", None)  # the named tuple of several outputs
        assert not options, f"unknown options of op {self.name}: {options}"
        assert not RESERVED.intersection(self.params), f"op {self.name}: {self.params} hide names of generated code"
        self.gradients: dict[str, Gradient] = {}
        self.parts: dict[str, Gradient] = {}  # what several gradients name, computed once for all of them
        self.function: Callable[..., Any] = None  # type: ignore[assignment]  # made by generate.py
        OPS[self.name] = self

    def argument(self, letter: str) -> str:
        return self.letters.get(letter, letter)

    def grad(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the gradient for these arguments (the same function may serve several)."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            for a in arguments:
                self._register(a, Gradient(self, function))
            return function

        return register

    def grad_by(self, argument: str, record: "Op", letters: str) -> None:
        """Register a pointwise op as the gradient for the argument: its operands are what the letters name."""
        assert record.formula is not None
        self._register(argument, Gradient(self, record.formula.function, record, tuple(letters.split())))

    def _register(self, argument: str, gradient: Gradient) -> None:
        assert self.argument(argument) in self.tensors, f"{self.name} has no tensor argument {argument}"
        self.gradients[self.argument(argument)] = gradient
        self._forget()

    def shared(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register what several gradients of a structured op need, under the name by which they ask for it.

        It may itself name `g` and whatever a gradient may. One of its parts may be handed on as a gradient by one of
        them, and by no other.
        """
        assert self.kind == "structured" and name not in RESERVED, f"{self.name}: no shared value {name!r}"

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.parts[name] = Gradient(self, function)
            self._forget()
            return function

        return register

    def cpu(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register the CPU kernel of a structured op: arrays -> array, or a tuple with `outputs`."""
        self.forward = function
        ARRAY_NAMES[self.name] = function
        return function

    def _forget(self) -> None:
        """What follows from the gradients, of which there is one more."""
        for name in ("edges", "_kept", "asks_what_is_wanted"):
            self.__dict__.pop(name, None)

    @cached_property
    def edges(self) -> tuple[str, ...]:
        """The tensors that a gradient is defined for."""
        return tuple(t for t in self.tensors if t in self.gradients)

    @cached_property
    def asks_what_is_wanted(self) -> bool:
        """Whether a gradient, or what several share, names `wanted`."""
        return any("wanted" in gradient.params for gradient in (*self.gradients.values(), *self.parts.values()))

    @property
    def broadcasts(self) -> bool:
        return self.kind == "pointwise" and len(self.tensors) > 1

    def is_plain(self, name: str) -> bool:
        """Whether a kept value is no tensor: an argument such as `dim`, or a tensor's shape or dtype."""
        return name in self.others or name.endswith(("_shape", "_dtype", "_geometry"))

    def is_freed(self, name: str) -> bool:
        """Whether a backward pass frees a kept value unless it keeps the graph: a tensor, or `places` made of some."""
        return not self.is_plain(name) or name == "places"

    def kept(self, argument: str) -> list[str]:
        """What the gradient for `argument` keeps: tensors, `out`, plain values."""
        return self._kept[argument]

    @cached_property
    def _kept(self) -> dict[str, list[str]]:
        def names(gradient: Gradient) -> list[str]:
            parts = [self.parts[p].params if p in self.parts else (p,) for p in gradient.params]
            return [p for p in dict.fromkeys(chain(*parts)) if p not in GIVEN]

        return {argument: names(gradient) for argument, gradient in self.gradients.items()}

    def __repr__(self) -> str:
        return f"<Op {self.name}>"


def _maker(kind: str) -> Callable[..., Callable[[Callable[..., Any]], Op]]:
    def make(**options: Any) -> Callable[[Callable[..., Any]], Op]:
        def register(function: Callable[..., Any]) -> Op:
            op = Op(kind, function, **options)
            if kind == "view":
                ARRAY_NAMES[op.name] = function
            return op

        return register

    make.__doc__ = f"Decorator: the function becomes the record of a {kind} op."
    return make


pointwise = _maker("pointwise")
view = _maker("view")
structured = _maker("structured")
