"""The names of torch._dynamo that programs use around `torch.compile`, which leaves functions as they are."""

from types import SimpleNamespace

from . import nn
from .compiler import allow_in_graph, disable, is_compiling, list_backends, reset

__all__ = ["OptimizedModule", "allow_in_graph", "config", "disable", "is_compiling", "list_backends", "reset"]

# whatever programs set in it changes nothing
config = SimpleNamespace()


class OptimizedModule(nn.Module):
    """What torch.compile makes of a module in torch; here nothing is an instance of it."""
