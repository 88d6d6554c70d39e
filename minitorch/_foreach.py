"""torch._foreach_*: an op on each tensor of a list, in a loop over the methods of single tensors.

`torch._foreach_add` is looked for here when first named. In-place functions give back the list that they were given.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ._ops.check import invalid_arguments, type_name
from ._ops.operands import NUMBERS
from ._ops.public import FUNCTIONS
from ._tensor import Tensor
from .linalg import vector_norm

_UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round "
    "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
# name -> the method, which takes a number too
_BINARY = {
    "add": "add", "clamp_max": "clamp_max", "clamp_min": "clamp_min", "div": "div", "maximum": "clamp_min",
    "minimum": "clamp_max", "mul": "mul", "pow": "pow", "sub": "sub",
}  # fmt: skip
# what torch calls the second operand, by whether it is a list of tensors, one number, or a list of these
_WORDS = {"pow": {"exponent"}, "lerp": {"weight", "weights"}}


def _tensors(name: str, given: Any, argument: str = "self", position: int = 0) -> Any:
    """A list of tensors, as it is."""
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position + 1}) must be tuple of Tensors, "
            f"not {type_name(given)}"
        )
    for i, t in enumerate(given):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument {position}, but got {type_name(t)}")
    if not given:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return given


def _partners(name: str, tensors: Any, others: Any, argument: str, position: int) -> Any:
    """Another list of tensors, one for each."""
    if len(_tensors(name, others, argument, position)) != len(tensors):
        raise RuntimeError(f"Tensor lists must have the same number of tensors, got {len(tensors)} and {len(others)}")
    return others


def _for_each(name: str, tensors: Any, operand: Any, position: int = 1) -> Any:
    """What belongs to each tensor of a list: a number or a 0-dim tensor is for all."""
    if isinstance(operand, Tensor) and operand.ndim:
        raise RuntimeError(
            f"scalar tensor expected to be 0 dim but it has {operand.ndim} dimensions and {operand.numel()} elements."
        )
    if isinstance(operand, (Tensor, *NUMBERS)):
        return [operand] * len(tensors)
    if not isinstance(operand, (list, tuple)):
        invalid_arguments(name, tensors, operand)
    if not operand or operand[0].__class__ not in NUMBERS:
        return _partners(name, tensors, operand, "other", position)
    if len(operand) != len(tensors):
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    return operand


def _operand(name: str, tensors: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The second operand, given by position or under one of its names."""
    found = [*given, *named.values()]
    words = _WORDS.get(name.removeprefix("_foreach_").rstrip("_"), {"other", "scalar", "scalars"})
    if len(found) != 1 or not named.keys() <= words:
        invalid_arguments(name, tensors, *found)
    return found[0]


def _unary(method: str) -> Callable[..., Iterable[Any]]:
    return lambda name, self: [getattr(t, method)() for t in _tensors(name, self)]


def _binary(method: str) -> Callable[..., Iterable[Any]]:
    def rule(name: str, self: Any, *given: Any, alpha: Any = None, **named: Any) -> Iterable[Any]:
        if self.__class__ in NUMBERS and name == "_foreach_pow":
            return [FUNCTIONS["pow"](self, t) for t in _tensors(name, *given, *named.values())]
        other = _operand(name, _tensors(name, self), given, named)
        pairs = zip(self, _for_each(name, self, other), strict=True)
        if alpha is None:
            return [getattr(t, method)(o) for t, o in pairs]
        if other.__class__ in NUMBERS:
            invalid_arguments(name, self, other, alpha)
        return [getattr(t, method)(o, alpha=alpha) for t, o in pairs]

    return rule


def _with_products(method: str) -> Callable[..., Iterable[Any]]:
    def rule(name: str, self: Any, tensor1: Any, tensor2: Any, value: Any = 1, *, scalars: Any = None) -> Iterable[Any]:
        values = value if scalars is None else scalars
        if isinstance(values, Tensor):
            values = values.tolist()
            if len(values) != len(self):
                raise RuntimeError(
                    f"Expected length of scalars to match input of length {len(self)} but got {len(values)} instead."
                )
        first = _partners(name, _tensors(name, self), tensor1, "tensor1", 1)
        second = _partners(name, self, tensor2, "tensor2", 2)
        values = _for_each(name, self, values, 3)
        return [getattr(t, method)(a, b, value=v) for t, a, b, v in zip(self, first, second, values, strict=True)]

    return rule


def _lerp(method: str) -> Callable[..., Iterable[Any]]:
    def rule(name: str, self: Any, tensors1: Any, *given: Any, **named: Any) -> Iterable[Any]:
        weight = _operand(name, _tensors(name, self), given, named)
        ends = _partners(name, self, tensors1, "tensors1", 1)
        weights = _for_each(name, self, weight, 2)
        return [getattr(t, method)(end, w) for t, end, w in zip(self, ends, weights, strict=True)]

    return rule


def _norm(name: str, self: Any, ord: Any = 2, dtype: Any = None) -> Iterable[Any]:
    return [vector_norm(t, ord, dtype=dtype) for t in _tensors(name, self)]


def _powsum(name: str, self: Any, ord: Any = 2, dtype: Any = None) -> Iterable[Any]:
    return [t.to(t.dtype if dtype is None else dtype).abs().pow(ord).sum() for t in _tensors(name, self)]


def _mm(name: str, self: Any, mat2: Any) -> Iterable[Any]:
    return [a.mm(b) for a, b in zip(self, _partners(name, _tensors(name, self), mat2, "mat2", 1), strict=True)]


def _copy(name: str, self: Any, src: Any, non_blocking: bool = False) -> Iterable[Any]:
    return [t.copy_(s) for t, s in zip(self, _partners(name, _tensors(name, self), src, "src", 1), strict=True)]


def _place(name: str, rule: Callable[..., Iterable[Any]]) -> None:
    full = f"_foreach_{name}"

    def fresh(self: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
        return tuple(rule(full, self, *args, **kwargs))

    def in_place(self: Any, *args: Any, **kwargs: Any) -> Any:
        rule(full, self, *args, **kwargs)
        return self

    function = in_place if name.endswith("_") else fresh
    function.__name__ = function.__qualname__ = full
    function.__doc__ = f"Same as torch.{full}: `{name}` of each tensor of a list."
    globals()[full] = function


for _name in _UNARY:
    _place(_name, _unary(_name))
    _place(f"{_name}_", _unary(f"{_name}_"))
for _name, _method in _BINARY.items():
    _place(_name, _binary(_method))
    _place(f"{_name}_", _binary(f"{_method}_"))
for _name in ("addcmul", "addcdiv"):
    _place(_name, _with_products(_name))
    _place(f"{_name}_", _with_products(f"{_name}_"))
for _name in ("lerp", "lerp_"):
    _place(_name, _lerp(_name))
for _name in ("clone", "max", "zero_"):
    _place(_name, _unary(_name))
for _name, _rule in (("copy_", _copy), ("mm", _mm), ("norm", _norm), ("powsum", _powsum)):
    _place(_name, _rule)
