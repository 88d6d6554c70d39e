"""DLPack: tensors handed over to other libraries and taken from them, without a copy.

NumPy speaks the protocol for arrays; what is ours are torch's refusals, raw capsules, and bfloat16, which NumPy does
not know: those elements travel as uint16, and the one byte of the descriptor that says what they are is set here.
The layout of the descriptor: https://dmlc.github.io/dlpack/latest/c_api.html.
"""

import ctypes
import warnings
from enum import IntEnum
from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._creation import from_numpy
from ._device import device as Device
from ._tensor import Tensor

UNSIGNED, BFLOAT = 1, 4  # DLDataTypeCode
TYPE_CODE = {b"dltensor": 20, b"dltensor_versioned": 52}  # capsule's name -> the byte that holds the code

_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class DLDeviceType(IntEnum):
    """Kinds of device, numbered as in the protocol."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14


class _Capsule:
    """A bare capsule in the form that NumPy takes: an object with `__dlpack__`."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return DLDeviceType.kDLCPU, 0


def _type_code(capsule: Any) -> Any:
    """The byte of a capsule's descriptor that says of which kind the elements are."""
    name = _capsule_name(capsule) if type(capsule).__name__ == "PyCapsule" else None
    if name not in TYPE_CODE:
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you "
            "might have already constructed a tensor from it once."
        )
    return ctypes.c_uint8.from_address(_capsule_pointer(capsule, name) + TYPE_CODE[name])


def dlpack_device(t: Tensor) -> tuple[DLDeviceType, int]:
    """`Tensor.__dlpack_device__`: where the memory is."""
    if t.device.type == "cpu":
        return DLDeviceType.kDLCPU, 0
    raise ValueError(f"Unknown device type {t.device.type} for Dlpack")


def dlpack(t: Tensor, stream: Any, max_version: Any, dl_device: Any, copy: bool | None) -> Any:
    """`Tensor.__dlpack__`: a capsule that shares the tensor's memory.

    >>> import minitorch as torch
    >>> import numpy as np
    >>> t = torch.zeros(3)
    >>> np.from_dlpack(t)[1] = 5
    >>> t
    tensor([0., 5., 0.])
    """
    if t.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if t.is_sparse:
        raise BufferError("Can't export tensors with layout other than torch.strided")
    if t.device.type != "cpu":
        raise BufferError(f"Cannot pack tensors on {t.device}")
    if stream not in (None, -1):
        raise AssertionError("stream should be None on cpu.")
    if dl_device is not None and tuple(dl_device) != (DLDeviceType.kDLCPU, 0):
        raise NotImplementedError(f"__dlpack__(): dl_device={dl_device} is not supported; the tensor is on the CPU")
    array = t.array.copy() if copy else t.array
    is_bfloat = t.dtype is dtypes.bfloat16
    shared = array.view(np.uint16 if is_bfloat else np.ndarray).view(np.ndarray)
    version = {} if max_version is None else _versioned(max_version)
    capsule = shared.__dlpack__(**version)
    if is_bfloat:
        _type_code(capsule).value = BFLOAT
    return capsule


def _versioned(max_version: tuple[int, int]) -> dict[str, Any]:
    """NumPy takes this argument since 2.1."""
    return {"max_version": max_version} if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else {}


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule that shares the tensor's memory; each capsule can be taken once."""
    return dlpack(tensor, None, None, None, None)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of `ext_tensor`, an object with `__dlpack__` or a capsule.

    >>> import minitorch as torch
    >>> import numpy as np
    >>> a = np.arange(3)
    >>> t = torch.from_dlpack(a)
    >>> a[0] = 7
    >>> t
    tensor([7, 1, 2])
    """
    if device is not None and Device(device).type != "cpu":
        raise NotImplementedError(f"from_dlpack(): device={device} is not supported, only cpu")
    if hasattr(ext_tensor, "__dlpack_device__") and ext_tensor.__dlpack_device__()[0] != DLDeviceType.kDLCPU:
        raise NotImplementedError("from_dlpack(): only tensors in CPU memory are supported")
    if isinstance(ext_tensor, np.ndarray) and ext_tensor.dtype.kind not in "biuf":
        raise BufferError("DLPack only supports signed/unsigned integers, float and complex dtypes.")
    # NumPy alone hands over read-only memory without a word on it, as torch takes it
    capsule = ext_tensor.__dlpack__(**_request(ext_tensor)) if hasattr(ext_tensor, "__dlpack__") else ext_tensor
    code = _type_code(capsule)
    is_bfloat = code.value == BFLOAT
    if is_bfloat:
        code.value = UNSIGNED
    array = np.from_dlpack(_Capsule(capsule))
    if any(s < 0 for s in array.strides):
        raise ValueError("from_dlpack(): memory with a negative stride is not supported; copy it first")
    with warnings.catch_warnings():  # NumPy marks what a plain capsule brings as read-only: it cannot know
        warnings.simplefilter("ignore")
        t = from_numpy(array.view(np.int16) if is_bfloat else array)
    t = t.view(dtypes.bfloat16) if is_bfloat else t
    return t.clone() if copy else t


def _request(exporter: Any) -> dict[str, Any]:
    """Arguments with which even read-only NumPy arrays are handed over."""
    return _versioned((1, 0)) if isinstance(exporter, np.ndarray) else {}
