"""What the families of models share: how their builders take arguments, how weights begin, how channels are rounded."""

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import minitorch as torch
from minitorch import Tensor, nn

from ._api import Builder, WeightsEnum, _enum_of, register_model

Model = TypeVar("Model", bound=nn.Module)

_FIRST = ("IMAGENET1K_V1", "COCO_WITH_VOC_LABELS_V1")


def builder(fn: Builder) -> Builder:
    """Register a function that makes a model of weights, which may be named by strings or in the ways of old."""
    enums = {name: enum for name, p in inspect.signature(fn).parameters.items() if (enum := _enum_of(p))}

    @functools.wraps(fn)
    def verified(**kwargs: Any) -> nn.Module:
        for name in enums.keys() & kwargs.keys():
            kwargs[name] = enums[name].verify(kwargs[name])
        return fn(**kwargs)

    # `pretrained=True` meant the first weights that were published, `pretrained_backbone` those of `weights_backbone`.
    old = {
        name: (name.replace("weights", "pretrained"), next((w for w in enum if w.name.endswith(_FIRST)), None))
        for name, enum in enums.items()
    }
    return register_model()(handle_legacy_interface(**old)(verified))  # type: ignore[return-value]


def build_model(
    model: Callable[..., Model], weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any], *args: Any
) -> Model:
    """`model(*args, **kwargs)`, holding the published numbers if `weights` are named; these settle `num_classes`."""
    if weights is not None and weights.meta["categories"] is not None:
        _ovewrite_named_param(kwargs, "num_classes", len(weights.meta["categories"]))
    made = model(*args, **kwargs)
    if weights is not None:
        made.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return made


def initialize(
    model: nn.Module, conv: Callable[[Tensor], Any] | None = None, linear: Callable[[Tensor], Any] | None = None
) -> None:
    """Fill the weights of convolutions and linear layers, in the order of `model.modules()`; their biases become 0."""
    for m in model.modules():
        fill = conv if isinstance(m, nn.Conv2d) else linear if isinstance(m, nn.Linear) else None
        if fill is not None:
            fill(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


kaiming_fan_out = functools.partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")
normal_001 = functools.partial(nn.init.normal_, mean=0.0, std=0.01)


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to `v`, but at least `min_value` and nine tenths of `v`."""
    rounded = max(divisor if min_value is None else min_value, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """`kwargs[param]` is `new_value`, whatever else is asked for is an error. (The name is torchvision's.)"""
    if kwargs.setdefault(param, new_value) != new_value:
        raise ValueError(f"The parameter '{param}' expected value {new_value} but got {kwargs[param]} instead.")


def _ovewrite_value_param(param: str, actual: Any, expected: Any) -> Any:
    if actual is not None and actual != expected:
        raise ValueError(f"The parameter '{param}' expected value {expected} but got {actual} instead.")
    return expected


def relative_position_index(height: int, width: int) -> Tensor:
    """For each pair of places in a window, the number of their distance: (HW, HW), from 0 to (2H - 1)(2W - 1) - 1."""
    place = torch.arange(height * width)
    row, column = place // width, place % width
    rows, columns = [c.unsqueeze(1) - c.unsqueeze(0) for c in (row, column)]
    return (rows + height - 1) * (2 * width - 1) + columns + width - 1


# ---------------------------------------------------------------- arguments of before torchvision 0.13
def kwonly_to_pos_or_kw(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Keyword-only parameters may be given by position, with a warning."""
    parameters = inspect.signature(fn).parameters
    keyword_only = [name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    if not keyword_only:
        raise TypeError(f"Found no keyword-only parameter on function '{fn.__name__}'")
    first = list(parameters).index(keyword_only[0])

    @functools.wraps(fn)
    def called(*args: Any, **kwargs: Any) -> Any:
        named = dict(zip(keyword_only, args[first:]))
        if named:
            *others, last = map(repr, named)
            listed = f"{', '.join(others)}{',' if len(others) > 1 else ''} and {last}" if others else last
            warnings.warn(
                f"Using {listed} as positional parameter(s) is deprecated since 0.13 and may be removed in the future. "
                "Please use keyword parameter(s) instead.",
                stacklevel=2,
            )
        return fn(*args[:first], **{**kwargs, **named})

    return called


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Accept what came before `weights`: `weights=("pretrained", W)` makes `pretrained=True` mean `weights=W`.

    W may be a function of the keyword arguments. Every use of the old ways warns.
    """

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        @kwonly_to_pos_or_kw
        @functools.wraps(fn)
        def translated(*args: Any, **kwargs: Any) -> Any:
            for new, (old, default) in weights.items():
                _translate(fn.__name__, kwargs, new, old, default)
            return fn(*args, **kwargs)

        return translated

    return decorate


def _translate(name: str, kwargs: dict[str, Any], new: str, old: str, default: Any) -> None:
    """Replace an old argument, or a True or False where weights are expected, by weights."""
    given = kwargs.get(new)
    if new in kwargs:
        if given is None or isinstance(given, WeightsEnum) or (isinstance(given, str) and given != "legacy"):
            return
        kwargs[old] = kwargs.pop(new)
    elif old in kwargs:
        warnings.warn(
            f"The parameter '{old}' is deprecated since 0.13 and may be removed in the future, please use '{new}' "
            "instead.",
            stacklevel=4,
        )
    else:
        return
    meant = (default(kwargs) if callable(default) else default) if kwargs[old] else None
    if kwargs.pop(old) and not isinstance(meant, WeightsEnum):
        raise ValueError(f"No weights available for model {name}")
    message = (
        f"Arguments other than a weight enum or `None` for '{new}' are deprecated since 0.13 and may be removed in the "
        f"future. The current behavior is equivalent to passing `{new}={meant}`."
    )
    if meant is not None:
        message += f" You can also use `{new}={type(meant).__name__}.DEFAULT` to get the most up-to-date weights."
    warnings.warn(message, stacklevel=4)
    kwargs[new] = meant


class IntermediateLayerGetter(nn.ModuleDict):
    """The children of a model up to the last that is asked for; returns what each asked-for child computes.

    `return_layers` maps a child's name to the name of its output in the dict that the call returns.
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        if not set(return_layers).issubset(children):
            raise ValueError("return_layers are not present in model")
        wanted = {str(k): str(v) for k, v in return_layers.items()}
        last = max((list(children).index(name) for name in wanted), default=0)
        super().__init__(OrderedDict(list(children.items())[: last + 1]))
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        out = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out
