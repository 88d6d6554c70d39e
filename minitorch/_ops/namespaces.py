"""Where each name appears: fills Tensor and the namespaces `minitorch` and `minitorch.nn.functional` from the records.

The `on=` of a record or of `@public` is the only statement of that, so `grep "def relu"` finds the op and its place.
"""

from typing import Any

from minitorch._tensor import Tensor
from minitorch.autograd import engine

from . import (  # noqa: F401 - they fill the tables
    activations,
    arithmetic,
    attention,
    composite,
    convolution,
    copies,
    decompositions,
    distances,
    dropout,
    einsum,
    embedding,
    gathering,
    indexing,
    joining,
    linalg,
    losses,
    normalization,
    norms,
    ordering,
    padding,
    patches,
    pointwise,
    pooling,
    random_creation,
    rearranging,
    reductions,
    resampling,
    rows,
    sampling,
    scans,
    scattering,
    searching,
    softmax,
    special,
    statistics,
    unpooling,
    views,
)
from .array_names import fill
from .generate import make_functions
from .op import OPS
from .operands import FUNCTIONS
from .public import PROPERTIES, PUBLIC

TORCH: dict[str, Any] = {}
FUNCTIONAL: dict[str, Any] = {}
MODULES: dict[str, dict[str, Any]] = {"linalg": {}, "special": {}}  # further modules of torch

# other names for the same op
ALIASES = {
    "add": (),
    "mul": ("multiply",),
    "div": ("divide", "true_divide"),
    "neg": ("negative",),
    "abs": ("absolute",),
    "eq": (),
    "ne": ("not_equal",),
    "lt": ("less",),
    "le": ("less_equal",),
    "gt": ("greater",),
    "ge": ("greater_equal",),
    "trunc": ("fix",),
    "clamp": ("clip",),
    "acos": ("arccos",),
    "asin": ("arcsin",),
    "atan": ("arctan",),
    "atan2": ("arctan2",),
    "transpose": ("swapaxes", "swapdims"),
    "movedim": ("moveaxis",),
}


def _place(name: str, function: Any, where: list[str]) -> None:
    for n in (name, *ALIASES.get(name, ())):
        if "torch" in where and not n.endswith("_"):
            TORCH[n] = function
        if "torch" in where and n.endswith("_") and n[:-1] in ("relu", "sigmoid", "tanh", "exp", "sqrt", "abs", "neg"):
            TORCH[n] = function
        if "Tensor" in where:
            setattr(Tensor, n, function)
        if "nn.functional" in where:
            FUNCTIONAL[n] = function
        for module in where:
            if module in MODULES:
                MODULES[module][n] = function


def _fill() -> None:
    for op in OPS.values():
        for name, function in make_functions(op).items():
            FUNCTIONS[name] = function
            _place(name, function, [*op.on, "Tensor"] if name in op.operator else op.on)
    for name, (function, where) in PUBLIC.items():
        FUNCTIONS.setdefault(name, function)
        _place(name.rpartition(".")[2], function, where)
    for name, prop in PROPERTIES.items():
        setattr(Tensor, name, prop)
    TORCH["permute"] = composite.torch_permute
    Tensor.where = rearranging.tensor_where  # type: ignore[attr-defined]
    for name in [n for n in TORCH if n.startswith("__")]:
        del TORCH[name]
    fill()
    engine.add_tensors = OPS["add"].function


_fill()
