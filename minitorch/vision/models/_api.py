"""The register of models and what is known of their published weights."""

import fnmatch
import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any, TypeVar, get_args

from minitorch import nn

__all__ = ["WeightsEnum", "Weights", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models"]

BUILTIN_MODELS: dict[str, Callable[..., nn.Module]] = {}
Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

# What torchvision has beside the models of this package: asking for one of them says that it is not there.
_ABSENT = (
    "*rcnn*", "fcos_*", "mc3_18", "mvit_*", "quantized_*", "r2plus1d_18", "r3d_18", "raft_*", "retinanet_*", "s3d",
    "ssd300_vgg16", "ssdlite320_*", "swin3d_*",
)  # fmt: skip


@dataclass(eq=False)
class Weights:
    """A file of published weights: where it is, the preprocessing it wants, and facts such as `num_params`."""

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]

    def _key(self) -> tuple[Any, ...]:
        t = self.transforms  # partial objects are only equal to themselves, but copies of weights are equal
        return self.url, self.meta, (t.func, t.args, t.keywords) if isinstance(t, partial) else t

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Weights) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class WeightsEnum(Enum):
    """The base of each model's weights: members are `Weights`, and `DEFAULT` is the best of them."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The member that `obj` is or names; None stays None."""
        if isinstance(obj, str):
            return cls[obj.replace(cls.__name__ + ".", "")]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received {type(obj).__name__}."
            )
        return obj

    def get_state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The weights, downloaded if they are not yet in `hub.get_dir()/checkpoints`."""
        from minitorch.hub import load_state_dict_from_url

        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def url(self) -> str:
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        return self.value.meta


def get_weight(name: str) -> WeightsEnum:
    """The member of that full name.

    >>> get_weight("ResNet50_Weights.DEFAULT").url
    'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
    """
    try:
        enum_name, member = name.split(".")
    except ValueError:
        raise ValueError(f"Invalid weight name provided: '{name}'.") from None
    package = importlib.import_module(__package__)
    packages = [package, *(m for m in vars(package).values() if isinstance(m, ModuleType) and hasattr(m, "__path__"))]
    for module in packages:
        found = vars(module).get(enum_name)
        if isinstance(found, type) and issubclass(found, WeightsEnum):
            return found[member]
    raise ValueError(f"The weight enum '{enum_name}' for the specific method couldn't be retrieved.")


def get_model_weights(name: Callable[..., nn.Module] | str) -> type[WeightsEnum]:
    """The weights of the model that the builder `name` makes, or the builder registered under that name."""
    return _get_enum_from_fn(get_model_builder(name) if isinstance(name, str) else name)


def _get_enum_from_fn(fn: Callable[..., Any]) -> type[WeightsEnum]:
    parameter = inspect.signature(fn).parameters.get("weights")
    if parameter is None:
        raise ValueError("The method is missing the 'weights' argument.")
    enum = _enum_of(parameter)
    if enum is None:
        raise ValueError(
            "The WeightsEnum class for the specific method couldn't be retrieved. Make sure the typing info is correct."
        )
    return enum


def _enum_of(parameter: inspect.Parameter) -> type[WeightsEnum] | None:
    """The weights that an annotation such as `ResNet18_Weights | None` names."""
    for kind in (parameter.annotation, *get_args(parameter.annotation)):
        if isinstance(kind, type) and issubclass(kind, WeightsEnum):
            return kind
    return None


def register_model(name: str | None = None) -> Callable[[Builder], Builder]:
    """Let `get_model` and `list_models` know a builder by `name`, or else by its own."""

    def register(fn: Builder) -> Builder:
        key = fn.__name__ if name is None else name
        if key in BUILTIN_MODELS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILTIN_MODELS[key] = fn
        return fn

    return register


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """Names of the models of a module, or of all; `include` and `exclude` are patterns as of a shell.

    >>> list_models(include="vgg1*", exclude="*_bn")
    ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """

    def matching(patterns: Iterable[str] | str) -> set[str]:
        patterns = [patterns] if isinstance(patterns, str) else patterns
        return {name for pattern in patterns for name in fnmatch.filter(names, pattern)}

    names = {
        name
        for name, builder in BUILTIN_MODELS.items()
        if module is None or builder.__module__.rpartition(".")[0] == module.__name__
    }
    chosen = matching(include) if include else names
    return sorted(chosen - matching(exclude) if exclude else chosen)


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function registered under `name`."""
    name = name.lower()
    if name in BUILTIN_MODELS:
        return BUILTIN_MODELS[name]
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in _ABSENT):
        raise NotImplementedError(f"the model {name} is not supported")
    raise ValueError(f"Unknown model {name}")


def get_model(name: str, **config: Any) -> nn.Module:
    """What the builder registered under `name` makes of `config`."""
    return get_model_builder(name)(**config)
