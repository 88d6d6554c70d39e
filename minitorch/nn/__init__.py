"""Same as torch.nn: layers, losses, containers, and what they are made of."""

from typing import Any

from minitorch.nn import functional, init, modules, parallel, parameter, utils
from minitorch.nn.modules import *  # noqa: F403 - the one list of layers is there
from minitorch.nn.parallel import DataParallel
from minitorch.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

_LAZY = "attention", "common_types", "grad"

__all__ = [
    *modules.__all__,
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    """What few programs need is imported when first named."""
    if name in _LAZY:
        import importlib

        return importlib.import_module(f"minitorch.nn.{name}")
    raise AttributeError(f"module 'minitorch.nn' has no attribute {name!r}")
