"""Where each name appears: fills Tensor and the namespaces `minitorch` and `minitorch.nn.functional` from the records.

The `on=` of a record or of `@public` is the only statement of that, so `grep "def relu"` finds the op and its place.
"""

import sys
from typing import Any

from minitorch._tensor import Tensor
from minitorch.autograd import engine

from . import (  # noqa: F401 - they fill the tables
    activations,
    adaptive_pooling,
    arithmetic,
    attention,
    average_pooling,
    bounds,
    channel_norms,
    composite,
    convolution,
    copies,
    count_sampling,
    cross_entropy,
    ctc,
    decompositions,
    diagonals,
    distances,
    dropout,
    eigenvalues,
    einsum,
    embedding,
    extremes,
    finite_differences,
    gamma_sampling,
    gathering,
    gradient_dtype,
    grid_sampling,
    group_norm,
    histograms,
    indexing,
    instances,
    joining,
    ldl,
    linalg,
    losses,
    low_level,
    margin_losses,
    masking,
    matrix_functions,
    memory,
    nan_sums,
    normalization,
    norms,
    ordering,
    padding,
    patches,
    pointwise,
    pooling,
    powers,
    products,
    random_creation,
    rearranging,
    recurrent,
    reductions,
    reflectors,
    regeometry,
    resampling,
    rows,
    sampling,
    scans,
    scattering,
    searching,
    segments,
    selecting,
    shapes,
    singular_values,
    softmax,
    solving,
    sparse,
    sparse_ops,
    special,
    splitting,
    stacking,
    statistics,
    sums_of_products,
    tensor_hooks,
    to_python,
    type_queries,
    unpooling,
    view_copies,
    views,
)
from .generate import make_functions
from .gradient_names import fill
from .op import OPS, Op
from .public import FUNCTIONS, PROPERTIES, PUBLIC

TORCH: dict[str, Any] = {}
FUNCTIONAL: dict[str, Any] = {}
_METHODS: dict[str, Any] = {}
MODULES: dict[str, dict[str, Any]] = {"linalg": {}, "sparse": {}, "special": {}}  # further modules of torch

# other names for the same op
ALIASES = {
    "mul": ("multiply",),
    "div": ("divide", "true_divide"),
    "neg": ("negative",),
    "abs": ("absolute",),
    "ne": ("not_equal",),
    "lt": ("less",),
    "le": ("less_equal",),
    "gt": ("greater",),
    "ge": ("greater_equal",),
    "trunc": ("fix",),
    "acos": ("arccos",),
    "asin": ("arcsin",),
    "atan": ("arctan",),
    "atan2": ("arctan2",),
    "acosh": ("arccosh",),
    "asinh": ("arcsinh",),
    "atanh": ("arctanh",),
    "transpose": ("swapdims",),
    "movedim": ("moveaxis",),
}

# functions that torch.special offers too: its name -> theirs
SPECIAL = {
    "exp2": "exp2",
    "expit": "sigmoid",
    "expm1": "expm1",
    "gammainc": "igamma",
    "gammaincc": "igammac",
    "gammaln": "lgamma",
    "log1p": "log1p",
    "log_softmax": "log_softmax",
    "logsumexp": "logsumexp",
    "multigammaln": "mvlgamma",
    "psi": "digamma",
    "sinc": "sinc",
    "softmax": "softmax",
    "xlogy": "xlogy",
}


def _aliases(name: str) -> list[str]:
    twin = "_" if name.endswith("_") and not name.startswith("__") else ""
    return [name, *[alias + twin for alias in ALIASES.get(name.removesuffix("_"), ())]]


def _where(op: Op, name: str) -> list[str]:
    """Where one function of an op appears: the op itself, an operator or the in-place twin."""
    if name in op.operator:
        return ["Tensor"]
    if name == op.name:
        return op.on
    return op.inplace.split() if isinstance(op.inplace, str) else [place for place in op.on if place == "Tensor"]


def _place(name: str, function: Any, where: list[str]) -> None:
    tables = {"torch": TORCH, "Tensor": _METHODS, "nn.functional": FUNCTIONAL, **MODULES}
    for n in _aliases(name):
        for place in where:
            if place == "torch" and n == "absolute_":  # the one twin of torch's that its alias lacks
                continue
            if tables[place].setdefault(n, function) is not function:
                raise RuntimeError(f"{place}.{n} is given to two functions")
            if place == "Tensor":
                setattr(Tensor, n, function)


def _name_public_functions() -> None:
    """Functions that could not be written under their public name, `torch_reshape` beside `reshape`, get it now.

    Methods get Tensor's before it: Python's errors of wrong calls show it, and pickle finds them by it.
    """
    names: dict[Any, list[str]] = {}
    places = {}
    for key, (function, where) in PUBLIC.items():
        names.setdefault(function, []).append(key.rpartition(".")[2])
        places[function] = where
    for function, own in names.items():
        renamed, is_method = function.__name__ not in own, places[function] == ["Tensor"]
        if renamed or is_method:
            name = own[0] if renamed else function.__name__
            path = f"Tensor.{name}" if is_method else name
            for f in {function, getattr(function, "__wrapped__", function)}:
                f.__name__, f.__qualname__ = name, path
        if renamed and places[function][0] in ("torch", "Tensor"):
            function.__module__ = "minitorch"  # where pickle finds it


def _say_where_they_are() -> None:
    """Functions that pickle would not find where they were written, generated, made in a loop or hidden by another."""
    tables = [("minitorch", "", TORCH), ("minitorch.nn.functional", "", FUNCTIONAL)]
    tables += [(f"minitorch.{module}", "", table) for module, table in MODULES.items()]
    known: set[Any] = set()
    for module, within, table in [*tables, ("minitorch", "Tensor.", _METHODS)]:
        for name, function in table.items():
            if function in known or function.__qualname__.startswith("Tensor."):
                continue
            known.add(function)
            if getattr(sys.modules.get(function.__module__), function.__name__, None) is not function:
                own = function.__name__
                function.__module__ = module
                function.__qualname__ = within + (own if table.get(own) is function else name)


def _fill() -> None:
    for op in OPS.values():
        for name, function in make_functions(op).items():
            FUNCTIONS[name] = function
            _place(name, function, _where(op, name))
    for name, (function, where) in PUBLIC.items():
        FUNCTIONS.setdefault(name, function)
        _place(name.rpartition(".")[2], function, where)
    _name_public_functions()
    _say_where_they_are()
    MODULES["special"].update({name: TORCH[theirs] for name, theirs in SPECIAL.items()})
    for name, prop in PROPERTIES.items():
        setattr(Tensor, name, prop)
    for name in [n for n in TORCH if n.startswith("__")]:
        del TORCH[name]
    fill()
    engine.add_tensors = OPS["add"].function


_fill()
