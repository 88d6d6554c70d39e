"""The few names of torch._C that programs use."""

from ._tensor import disabled_torch_function as _disabled_torch_function_impl
from .nn import functional as _nn
from .overrides import DisableTorchFunction, DisableTorchFunctionSubclass

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "_disabled_torch_function_impl", "_nn"]
