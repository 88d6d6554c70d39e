"""minitorch: PyTorch's API from scratch, in Python anyone can read.

    import minitorch as torch

Importing it loads NumPy and nothing heavier; Numba comes with the first compiled kernel.
"""

from typing import Any as _Any

from . import autograd
from ._creation import FACTORIES as _FACTORIES
from ._device import device, get_default_device, set_default_device
from ._dtype import (
    bfloat16,
    bool,
    can_cast,
    cdouble,
    cfloat,
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
)
from ._generator import Generator
from ._ops import namespaces as _namespaces
from ._ops import random_creation as _random_creation
from ._tensor import (
    Size,
    Tensor,
    channels_last,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from ._tensor_str import set_printoptions
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

globals().update(_FACTORIES)
globals().update(_random_creation.FACTORIES)
globals().update(_namespaces.TORCH)

from math import e, inf, nan, pi  # noqa: E402

from .random import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state  # noqa: E402

newaxis = None
__version__ = "0.1.0"

_LAZY = ("cuda", "linalg", "nn", "optim", "random", "special", "utils")


def __getattr__(name: str) -> _Any:
    """Submodules are imported when first named."""
    if name in _LAZY:
        import importlib

        return importlib.import_module(f"minitorch.{name}")
    raise AttributeError(f"module 'minitorch' has no attribute {name!r}")
