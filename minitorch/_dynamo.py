"""The names of torch._dynamo that programs use around `torch.compile`, which leaves functions as they are."""

from types import SimpleNamespace

from .compiler import allow_in_graph, disable, is_compiling, list_backends, reset

__all__ = ["allow_in_graph", "config", "disable", "is_compiling", "list_backends", "reset"]

# whatever programs set in it changes nothing
config = SimpleNamespace()
