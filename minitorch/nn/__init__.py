"""Same as torch.nn: layers, losses, containers, and what they are made of."""

from minitorch.nn import functional, init, modules, parameter
from minitorch.nn.modules import *  # noqa: F403  (the list of names is modules.__all__)
from minitorch.nn.modules import __all__ as _module_names
from minitorch.nn.parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "functional", "init", "modules", "parameter", *_module_names]
