"""The few names of torch._C that programs use."""

from types import SimpleNamespace

from ._device import device  # noqa: F401
from ._dtype import dtype  # noqa: F401
from ._generator import Generator  # noqa: F401  # torch's is defined there, as are the two below
from ._layout import Size  # noqa: F401
from ._no_accelerator import refusing_classes
from ._ops.matrices import _LinAlgError  # noqa: F401
from ._ops.namespaces import FUNCTIONAL, TORCH
from ._tensor import Tensor
from ._tensor import disabled_torch_function as _disabled_torch_function_impl
from .nn.modules._convert import _parse_to
from .overrides import DisableTorchFunction, DisableTorchFunctionSubclass

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "_disabled_torch_function_impl", "_nn"]

_TensorMeta = type(Tensor)
TensorBase = _TensorBase = Tensor
_VariableFunctions = SimpleNamespace(**TORCH)
_nn = SimpleNamespace(**FUNCTIONAL, _parse_to=_parse_to)
# TorchScript's graphs, for `isinstance` and annotations
_SCRIPT = "torch._C.{name} is a part of TorchScript, which minitorch does not have: functions are run as they are"
globals().update(refusing_classes("torch._C", {name: _SCRIPT.format(name=name) for name in ("Graph", "Node", "Value")}))


def _log_api_usage_once(event: str) -> None:
    """Nothing: torch reports to its operators here which of its parts a program uses."""


def _get_tracing_state() -> None:
    """The tracer that records this: none."""


def _is_tracing() -> bool:
    """Whether a tracer records this: never."""
    return False
