"""Which module of torch belongs to a device."""

import importlib
import warnings
from typing import Any

from ._device import device as Device
from ._device import get_default_device


def get_device_module(device: Any = None) -> Any:
    """The module of a device: `torch.cpu`, `torch.cuda`; of the default device if none is given.

    >>> import minitorch as torch
    >>> torch.get_device_module("cuda") is torch.cuda
    True
    """
    kind = get_default_device().type if device is None else Device(device).type
    try:
        return importlib.import_module(f"minitorch.{kind}")
    except ModuleNotFoundError:
        raise RuntimeError(
            f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'."
        ) from None


def is_vulkan_available() -> bool:
    """Whether tensors can be computed with by Vulkan: no."""
    return False


has_lapack = True
has_mkl = has_openmp = has_spectral = False

_DEPRECATED = {
    "has_cuda": "torch.backends.cuda.is_built()",
    "has_cudnn": "torch.backends.cudnn.is_available()",
    "has_mkldnn": "torch.backends.mkldnn.is_available()",
    "has_mps": "torch.backends.mps.is_built()",
}


def __getattr__(name: str) -> bool:
    """The flags of old, all False, deprecated in torch too."""
    if name not in _DEPRECATED:
        raise AttributeError(f"module 'minitorch._device_modules' has no attribute {name!r}")
    warnings.warn(f"'{name}' is deprecated, please use '{_DEPRECATED[name]}'", stacklevel=3)
    return False
