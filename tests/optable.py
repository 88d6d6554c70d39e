"""One row per op: what the tests call it with.

A row is a name, the shapes of its tensors (several samples), the other arguments (several calls), the
range its values are drawn from, and the values at which it, and its gradient, must agree with torch
exactly: kinks, ties, zeros of both signs, infinities and nan. Where torch raises, minitorch must raise
the same: rows hold wrong calls too.
"""

from dataclasses import dataclass, field
from math import inf, nan, prod

import numpy as np
from compare import ALL, FLOATS, INTEGERS


class Call:
    """The arguments beside the tensors; as the first argument of a method stands the tensor."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __repr__(self):
        return f"({', '.join([*map(repr, self.args), *[f'{k}={v}' for k, v in self.kwargs.items()]])})"


# ---------------------------------------------------------------------- where values are drawn from
def signed(rng, shape):
    return rng.uniform(-2, 2, shape)


def positive(rng, shape):
    return rng.uniform(0.3, 3, shape)


def inside_one(rng, shape):
    return rng.uniform(-0.9, 0.9, shape)


def away_from_zero(rng, shape):
    """Far from kinks at 0 and from ties."""
    return rng.choice([-1, 1], shape) * rng.uniform(0.4, 2, shape)


def distinct(rng, shape):
    return rng.permutation(prod(shape)).reshape(shape) / 7 - 1.03


NUMERIC = *FLOATS, *INTEGERS
FINITE = -2.0, -1.0, 0.5, 1.0, 3.0
EDGES = (-inf, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, inf, nan)
UNARY = (((3, 4),), ((),), ((0,),), ((2, 0, 3),), ((2, 3, 4),))
PAIRS = (
    ((3, 4), (3, 4)),
    ((3, 1), (4,)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((0,), (1,)),
    ((2, 1, 3), (4, 1)),
    ((2, 0), (2, 1)),
    ((2, 3), (2, 4)),
    ((5000,), (5000,)),
)


@dataclass(frozen=True)
class Case:
    """A row. `name` is where the op is found."""

    name: str
    inputs: tuple = UNARY
    calls: tuple = (Call(),)
    draw: object = signed
    edges: tuple = EDGES
    grad_edges: tuple | None = None  # edges by default
    dtypes: tuple = ALL
    tolerance: dict = field(default_factory=dict)
    gradient: bool = True
    double: bool = True
    numbers: tuple = ()  # numbers that may stand for the second tensor (and, in an operator, for the first)
    listed: bool = False  # the tensors are one argument, a list
    view: bool = False
    out: bool = False
    casts_out: bool = False  # whether torch converts the result to the dtype of out=
    zeros: bool = True  # whether the signs of zeros are torch's, too

    def __str__(self):
        return self.name

    def call(self, ns, tensors, call):
        from compare import resolve

        function = resolve(ns, self.name)
        tensors = (list(tensors),) if self.listed else tensors
        return function(*tensors, *call.args, **call.kwargs)

    def arrays(self, shapes, dtype, rng):
        return [as_dtype(self.draw(rng, s), dtype) for s in shapes]

    def samples(self, most=None):
        """Every call on the shapes of every sample, or of the first ones."""
        return [(shapes, call) for shapes in self.inputs[:most] for call in self.calls]


def as_dtype(values, dtype):
    values = np.asarray(values)
    if dtype == "bool":
        return np.asarray(values > 0)
    if dtype == "uint8":
        return np.asarray(np.abs(values * 3)).astype(np.uint8)
    return np.asarray(np.round(values * 3) if dtype in INTEGERS else values).astype(dtype)


def unary(name, **options):
    return Case(name, **{"out": True, **options})


def binary(name, **options):
    return Case(name, **{"inputs": PAIRS, "numbers": (2, 2.5, 0, True, -1.0), "out": True, **options})


def reduction(name, calls, **options):
    inputs = ((3, 4, 5),), ((4,),), ((),), ((2, 0, 3),), ((0,),), ((1, 6000),), ((70, 80),)
    return Case(name, **{"inputs": inputs, "calls": calls, "edges": (), **options})


DIMS = (
    Call(),
    Call(0),
    Call(-1),
    Call(1, True),
    Call(dim=0, keepdim=True),
    Call((0, 1)),
    Call(dim=(0, -1), keepdim=True),
    Call(7),
    Call((0, 0)),
    Call(()),
)
ONE_DIM = Call(), Call(0), Call(-1), Call(1, True), Call(dim=0, keepdim=True), Call(7)

POINTWISE = (
    binary("add", calls=(Call(), Call(alpha=2)), casts_out=True),
    binary("add", calls=(Call(alpha=0.5),), dtypes=FLOATS),
    # torch also refuses `x - True`; here True is the number 1, as it is to every other op
    binary("sub", calls=(Call(), Call(alpha=2)), numbers=(2, 2.5, 0, -1.0), dtypes=NUMERIC),
    binary("sub", calls=(Call(alpha=-0.5),), numbers=(2, 2.5, 0, -1.0), dtypes=FLOATS),
    binary("mul", casts_out=True),
    binary("div"),
    binary(
        "div",
        calls=(Call(rounding_mode="floor"), Call(rounding_mode="trunc"), Call(rounding_mode="x")),
        draw=away_from_zero,
        grad_edges=FINITE,
        dtypes=NUMERIC,
    ),
    # torch records it and refuses backward; here its result needs no gradient
    binary("floor_divide", draw=away_from_zero, gradient=False, dtypes=NUMERIC),
    binary("remainder", draw=away_from_zero, grad_edges=FINITE, dtypes=NUMERIC),
    binary("fmod", draw=away_from_zero, grad_edges=FINITE, dtypes=NUMERIC),
    binary("pow", draw=positive, dtypes=NUMERIC),
    binary("atan2", numbers=()),
    binary("maximum", casts_out=True, draw=distinct, numbers=()),
    binary("minimum", draw=distinct, numbers=()),
    binary("eq", gradient=False),
    binary("ne", gradient=False),
    binary("lt", gradient=False),
    binary("le", gradient=False),
    binary("gt", gradient=False),
    binary("ge", gradient=False),
    binary("logical_and", gradient=False, numbers=()),
    binary("logical_or", gradient=False, numbers=()),
    binary("logical_xor", gradient=False, numbers=()),
    binary("bitwise_and", gradient=False, numbers=(3, True), edges=()),
    binary("bitwise_or", gradient=False, numbers=(3, True), edges=()),
    binary("bitwise_xor", gradient=False, numbers=(3, True), edges=()),
    unary("neg"),
    unary("abs", draw=away_from_zero),
    unary("sign"),
    unary("square"),
    unary("exp", casts_out=True),
    unary("exp2"),
    unary("expm1"),
    unary("log", draw=positive),
    unary("log2", draw=positive),
    unary("log10", draw=positive),
    unary("log1p", draw=positive),
    unary("sqrt", draw=positive, casts_out=True),
    unary("rsqrt", draw=positive),
    unary("reciprocal", draw=away_from_zero),
    unary("sin"),
    unary("cos"),
    unary("tan", draw=inside_one),
    unary("asin", draw=inside_one),
    unary("acos", draw=inside_one),
    unary("atan"),
    unary("sinh"),
    unary("cosh"),
    unary("tanh"),
    unary("sigmoid"),
    unary("floor"),
    unary("ceil"),
    unary("trunc"),
    unary("relu", draw=away_from_zero, out=False),
    unary("isnan", gradient=False, out=False),
    unary("isinf", gradient=False, out=False),
    unary("isfinite", gradient=False, out=False),
    unary("logical_not", gradient=False),
    unary("bitwise_not", gradient=False, edges=()),
    unary("clamp", draw=distinct, calls=(Call(-1, 1), Call(min=0), Call(max=2)), dtypes=NUMERIC),
    unary(
        "clamp",
        draw=distinct,
        dtypes=FLOATS,
        calls=(Call(-0.5, 0.5), Call(min=0), Call(max=1.0), Call(0.5, -0.5), Call(nan, 1.0), Call()),
    ),
    Case("lerp", inputs=(((3, 4), (3, 4)), ((3, 1), (4,))), calls=(Call(0.3),), dtypes=FLOATS, edges=()),
    Case("nn.functional.softsign", dtypes=(*FLOATS, "int64")),
    Case("nn.functional.silu", dtypes=(*FLOATS, "int64")),
    Case("nn.functional.leaky_relu", dtypes=(*FLOATS, "int64"), draw=away_from_zero, calls=(Call(), Call(0.2))),
    Case("nn.functional.elu", dtypes=(*FLOATS, "int64"), draw=away_from_zero, calls=(Call(), Call(0.7))),
    Case("nn.functional.softplus", dtypes=(*FLOATS, "int64"), calls=(Call(), Call(2.0), Call(1.0, 1.5)), draw=distinct),
    Case("nn.functional.relu", draw=away_from_zero),
    Case("nn.functional.tanh"),
    Case("nn.functional.sigmoid"),
    # with a bool tensor as its condition only: the rest are torch's errors
    Case("where", inputs=(((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), ())), dtypes=("float64", "int64", "bool")),
)

REDUCTIONS = (
    reduction("sum", DIMS),
    reduction("mean", DIMS, out=True),
    reduction("sum", (Call(0), Call(-1, True)), out=True),
    reduction("sum", (Call(dtype="float64"), Call(0, dtype="int64")), gradient=False),
    reduction("amax", DIMS, draw=distinct, out=True),
    reduction("amin", DIMS, draw=distinct, out=True),
    reduction("max", ONE_DIM, draw=distinct),
    reduction("min", ONE_DIM, draw=distinct),
    reduction("argmax", ONE_DIM, draw=distinct, gradient=False),
    reduction("argmin", ONE_DIM, draw=distinct, gradient=False),
    reduction("prod", ONE_DIM, draw=away_from_zero),
    reduction("all", DIMS, gradient=False),
    reduction("any", DIMS, gradient=False),
    reduction(
        "var",
        (*DIMS[:8], Call(unbiased=False), Call(0, correction=2), Call(0, False, True)),
        tolerance={"float32": 1e-4},
    ),
    reduction("std", (*DIMS[:8], Call(False)), tolerance={"float32": 1e-4}),
    reduction("var_mean", (Call(), Call(1)), tolerance={"float32": 1e-4}),
    reduction("logsumexp", (Call(0), Call(-1, True), Call((0, 1)), Call(3))),
    reduction("cumsum", (Call(0), Call(-1), Call(1), Call(5)), tolerance={"float32": 1e-4}),
    reduction("softmax", (Call(0), Call(-1), Call(1), Call(5)), dtypes=FLOATS),
    reduction("log_softmax", (Call(0), Call(-1), Call(1), Call(5)), dtypes=FLOATS),
    Case("max", inputs=PAIRS, draw=distinct),
    Case("min", inputs=PAIRS, draw=distinct),
)

WITH_DIMS = ((2, 3, 4),), ((6, 4),), ((24,),), ((0, 3),), ((1, 3, 1),)
SHAPED = (*WITH_DIMS, ((),))


def view(name, *calls, **options):
    return Case(
        name, **{"inputs": SHAPED, "calls": calls, "edges": (), "view": True, "dtypes": ("float64", "int32"), **options}
    )


VIEWS = (
    view(
        "Tensor.view",
        Call(24),
        Call(-1),
        Call(4, 6),
        Call((2, -1)),
        Call(2, 2, -1),
        Call(-1, -1),
        Call(5, 5),
        Call(-2, 12),
        Call(3, 0, -1),
        Call(1),
    ),
    view("reshape", Call((24,)), Call((-1,)), Call((4, 6)), Call((2, 2, -1)), Call((5, 5)), Call(()), Call((0, 3, 1))),
    view("Tensor.reshape", Call(4, -1), Call((4, -1)), Call(-1)),
    view("transpose", Call(0, 1), Call(-1, 0), Call(0, 0), Call(0, 3)),
    view("t"),
    view("Tensor.t"),
    view("permute", Call((2, 0, 1)), Call((1, 0)), Call((0,)), Call(()), Call((0, 0)), Call((0, -1))),
    view("Tensor.permute", Call(2, 0, 1), Call((-1, 0))),
    view("squeeze", Call(), Call(0), Call(-1), Call((0, 2)), Call(5)),
    view("unsqueeze", Call(0), Call(-1), Call(1), Call(2), Call(-3), Call(9)),
    view("flatten", Call(), Call(1), Call(0, 1), Call(1, 0), Call(0, 9)),
    view("unflatten", Call(0, (2, -1)), Call(-1, (2, 2)), Call(0, (5, 5)), inputs=WITH_DIMS),
    view("Tensor.expand", Call(-1, -1), Call(5, -1, 3, 2), inputs=WITH_DIMS),
    view("Tensor.expand", Call(2, 2, 3, 4), Call(4, 3, 5), Call(3), Call(0, 3)),
    view("broadcast_to", Call((2, 2, 3, 4)), Call((3,))),
    view("narrow", Call(0, 0, 1), Call(1, 1, 2), Call(-1, -2, 1), Call(0, 5, 5), Call(0, 0, -1)),
    view("select", Call(0, 0), Call(1, -1), Call(-1, 2), Call(0, 99), Call(9, 0)),
    view("diagonal", Call(), Call(1), Call(-1), Call(0, 1, 2), Call(1, -1, 0), Call(0, 1, 1), Call(9)),
    view("movedim", Call(0, -1), Call((0, 1), (1, 0)), Call((0, 1), (1,)), Call(0, 7)),
    view("unbind", Call(), Call(1), Call(-1), Call(4), inputs=WITH_DIMS),
    view("unbind", Call(), inputs=(((),),)),
    view("split", Call(2), Call(1, 1), Call([1, 1], 0), Call([1, 2], 1), Call(0), Call(-1), Call(100)),
    view("chunk", Call(2), Call(3, 1), Call(0), Call(100)),
    view(
        "as_strided",
        Call((2, 2), (1, 2)),
        Call((3,), (2,), 1),
        Call((), ()),
        Call((2, 2), (0, 1)),
        Call((99,), (9,)),
        Call((2,), (-1,)),
        Call((2,), (1, 1)),
    ),
    view("Tensor.contiguous", Call()),
    view("Tensor.clone", Call(), view=False),
    view("ravel", Call()),
    view("Tensor.expand_as", inputs=(((3, 1), (3, 4)), ((), (2, 2)), ((3,), (2,)))),
    view("Tensor.view_as", inputs=(((3, 4), (12,)), ((3,), (2,)))),
    view("swapaxes", Call(0, 1)),
    view(
        "Tensor.__getitem__",
        Call(0),
        Call(slice(0, 2)),
        Call((slice(None), 1)),
        Call(None),
        Call(Ellipsis),
        Call((Ellipsis, 0)),
        Call(99),
        Call((0, 0, 0, 0)),
        Call(slice(None, None, 2)),
        Call(slice(None, None, -1)),
        Call((None, slice(1, None), None)),
        Call("x"),
        Call(1.5),
        inputs=WITH_DIMS,
    ),
    view("Tensor.__getitem__", Call(None), Call(Ellipsis), Call(0), Call(True), view=False),
)

JOINING = (
    Case(
        "cat",
        inputs=(((2, 3), (4, 3)), ((0,), (2, 3)), ((2, 3),), (), ((2,), ()), ((2, 3), (2, 2)), ((2,), (2, 2))),
        calls=(Call(), Call(1), Call(dim=-1), Call(5)),
        listed=True,
        edges=(),
        out=True,
    ),
    Case(
        "stack",
        inputs=(((2, 3), (2, 3)), ((), ()), ((2,), (3,)), ()),
        calls=(Call(), Call(1), Call(-1), Call(5)),
        listed=True,
        edges=(),
        out=True,
    ),
    Case("flip", calls=(Call((0,)), Call((0, -1)), Call((0, 0)), Call((5,))), edges=()),
    Case("Tensor.sum_to_size", inputs=(((3, 4),),), calls=(Call(3, 1), Call(4), Call(()), Call(2, 4)), edges=()),
)

MATMUL = (
    Case(
        "mm",
        inputs=(((2, 3), (3, 4)), ((2, 3), (2, 3)), ((1, 0), (0, 2)), ((0, 3), (3, 2)), ((2,), (2, 2)), ((2, 2), (2,))),
        edges=(),
        out=True,
        tolerance={"float32": 1e-4},
    ),
    Case(
        "bmm",
        inputs=(((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (3, 4, 5)), ((2, 3), (3, 2)), ((0, 3, 4), (0, 4, 5))),
        edges=(),
        out=True,
    ),
    Case("mv", inputs=(((2, 3), (3,)), ((2, 3), (2,)), ((2, 0), (0,)), ((2,), (2,))), edges=()),
    Case("dot", inputs=(((3,), (3,)), ((3,), (2,)), ((0,), (0,)), ((2, 2), (2,))), edges=()),
    Case(
        "matmul",
        dtypes=NUMERIC,
        inputs=(
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 4)),
            ((5, 1, 2, 3), (2, 3, 4)),
            ((5, 2, 3), (3,)),
            ((3,), (5, 3, 2)),
            ((), (3,)),
            ((2, 3), (2, 3)),
            ((2, 2, 3), (3, 3, 2)),
            ((0, 3), (3, 2)),
            ((2, 0), (0, 3)),
        ),
        edges=(),
    ),
    Case(
        "addmm",
        dtypes=FLOATS,
        inputs=(((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4)), ((3,), (2, 3), (3, 4)), ((2, 4), (2, 3), (2, 4))),
        calls=(Call(), Call(beta=0.5, alpha=2)),
        edges=(),
    ),
    Case("outer", inputs=(((3,), (4,)), ((3, 1), (4,))), edges=()),
    Case("addmv", inputs=(((2,), (2, 3), (3,)),), edges=()),
    Case("baddbmm", dtypes=NUMERIC, inputs=(((2, 3, 5), (2, 3, 4), (2, 4, 5)),), edges=()),
)

CASES = POINTWISE + REDUCTIONS + VIEWS + JOINING + MATMUL
