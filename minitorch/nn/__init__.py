"""Same as torch.nn: layers, losses, containers, and what they are made of."""

from minitorch.nn import functional, init, modules, parameter, utils
from minitorch.nn.modules import *  # noqa: F403 - the one list of layers is there
from minitorch.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    *modules.__all__,
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
]
