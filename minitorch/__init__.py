"""minitorch: PyTorch's API from scratch, in Python anyone can read.

    import minitorch as torch

Importing it loads NumPy and nothing heavier; Numba comes with the first compiled kernel.
"""

from typing import Any as _Any

from . import autograd
from ._creation import FACTORIES as _FACTORIES
from ._device import device, get_default_device, set_default_device
from ._dtype import WITHOUT_STORAGE as _WITHOUT_STORAGE
from ._dtype import (
    bfloat16,
    bool,
    can_cast,
    cdouble,
    cfloat,
    chalf,
    complex32,
    complex64,
    complex128,
    double,
    dtype,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ._generator import Generator
from ._kernels.cpu import heap as _heap
from ._layout import (
    Size,
    channels_last,
    channels_last_3d,
    contiguous_format,
    jagged,
    layout,
    legacy_contiguous_format,
    memory_format,
    preserve_format,
    strided,
)
from ._legacy_types import TYPES as _TYPES
from ._legacy_types import set_default_tensor_type
from ._ops import namespaces as _namespaces
from ._ops import random_creation as _random_creation
from ._ops.sparse import sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr
from ._tensor import Tensor
from ._tensor_str import set_printoptions
from ._type_info import finfo, iinfo
from ._windows import FACTORIES as _WINDOWS
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.anomaly_mode import is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled

globals().update(_WITHOUT_STORAGE, bit=_WITHOUT_STORAGE["uint1"])
globals().update(_TYPES)
globals().update(_FACTORIES)
globals().update(_WINDOWS)
globals().update(_random_creation.FACTORIES)
globals().update(_namespaces.TORCH)

from math import e, inf, nan, pi  # noqa: E402

from .random import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state  # noqa: E402

_heap.keep_freed_memory()

newaxis = None
__version__ = "0.1.0"

for _class in (Tensor, Size, dtype, device, layout, memory_format):
    _class.__module__ = __name__  # as programs print and pickle them

_LAZY = (
    "_C", "_VF", "__config__", "_dynamo", "_inductor", "_jit_internal", "_utils", "_vmap_internals", "accelerator",
    "amp", "backends", "compiler", "cpu", "cuda", "distributed", "distributions", "fft", "func", "functional", "fx",
    "hub", "jit", "library", "linalg", "masked", "mps", "multiprocessing", "nn", "onnx", "optim", "overrides",
    "profiler", "random", "return_types", "serialization", "signal", "sparse", "special", "storage", "testing",
    "torch_version", "types", "utils", "version", "xpu",
)  # fmt: skip
_ASSERTIONS = "_assert _assert_async _check _check_index _check_not_implemented _check_type _check_value"
_AUTOCAST = (
    "autocast_decrement_nesting autocast_increment_nesting clear_autocast_cache get_autocast_cpu_dtype "
    "get_autocast_dtype get_autocast_gpu_dtype is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled "
    "set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled set_autocast_dtype "
    "set_autocast_enabled set_autocast_gpu_dtype"
)
_PYTHONS = (
    "builtins ctypes functools glob importlib inspect math os platform sys textwrap threading warnings"  # torch.math
).split()
_SETTINGS = (
    "are_deterministic_algorithms_enabled get_deterministic_debug_mode get_float32_matmul_precision "
    "get_num_interop_threads get_num_threads is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled "
    "set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal set_num_interop_threads "
    "set_num_threads set_warn_always typename use_deterministic_algorithms"
)
_SYMBOLIC = "SymBool SymFloat SymInt sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum"
_STORAGES = "BFloat16 Bool Byte Char Double Float Half Int Long Short"
_LAZY_NAMES = {
    "AcceleratorError": "_no_accelerator", "DisableTorchFunction": "overrides",
    "DisableTorchFunctionSubclass": "overrides", "GradScaler": "amp", "OutOfMemoryError": "_no_accelerator",
    "PyTorchFileReader": "serialization._archive", "ScriptModule": "jit",
    "TypedStorage": "storage", "UntypedStorage": "_storage", "autocast": "amp", "compile": "compiler",
    "cond": "_control_flow", "from_dlpack": "_exchange", "load": "serialization", "range": "_range",
    "save": "serialization", "to_dlpack": "_exchange", "vmap": "func",
    **dict.fromkeys(_ASSERTIONS.split(), "_assertions"),
    **dict.fromkeys(_AUTOCAST.split(), "amp.autocast_mode"),
    **dict.fromkeys(_SETTINGS.split(), "_settings"),
    **dict.fromkeys(_SYMBOLIC.split(), "_symbolic"),
    **dict.fromkeys([f"{kind}Storage" for kind in _STORAGES.split()], "storage"),
    **dict.fromkeys(
        "get_device_module has_cuda has_cudnn has_lapack has_mkl has_mkldnn has_mps has_openmp has_spectral "
        "is_vulkan_available".split(),
        "_device_modules",
    ),
}  # fmt: skip


def __getattr__(name: str) -> _Any:
    """Submodules, and what few programs need, are imported when first named."""
    if name in _LAZY or name in _LAZY_NAMES or name.startswith("_foreach_"):
        import importlib

        module = importlib.import_module(f"minitorch.{name if name in _LAZY else _LAZY_NAMES.get(name, '_foreach')}")
        return module if name in _LAZY else getattr(module, name)
    if name == "__all__":  # of `from torch import *`: no modules, as in torch, and no names that warn
        module = type(_namespaces)
        here = [n for n, value in globals().items() if not n.startswith("_") and not isinstance(value, module)]
        return here + [n for n in _LAZY_NAMES if not n.startswith("has_")]
    if name == "torch":  # kornia says torch.torch.Tensor
        import minitorch

        return minitorch
    if name in _PYTHONS:
        import importlib

        return importlib.import_module(name)
    from ._absent import NAMES

    known = f": torch.{name} is not supported, see the README's 'What is there'" if name in NAMES else ""
    raise AttributeError(f"module 'minitorch' has no attribute {name!r}{known}")
