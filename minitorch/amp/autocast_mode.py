"""Regions in which operations run in the dtype that suits them, and the state of such regions by device."""

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from minitorch._device import device as Device
from minitorch._dtype import bfloat16, float16, float64
from minitorch._tensor import Tensor

from ._casting import casting

__all__ = ["autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]

SUPPORTED = (bfloat16, float16)
_WITH_AUTOCAST = frozenset(("cpu", "cuda", "hpu", "ipu", "maia", "mps", "mtia", "privateuseone", "xla", "xpu"))


# ---------------------------------------------------------------------- state
def is_autocast_available(device_type: str) -> bool:
    """Whether the device has autocast at all, present or not.

    >>> is_autocast_available("cpu"), is_autocast_available("meta")
    (True, False)
    """
    return Device(device_type).type in _WITH_AUTOCAST


def _known(device_type: str) -> str:
    name = Device(device_type).type
    if name not in _WITH_AUTOCAST:
        raise RuntimeError("unknown device type for autocast in get_autocast_dispatch_key_from_device_type")
    return name


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this thread is inside a region that is switched on for the device."""
    return casting.enabled.get(_known(device_type), False)


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switch autocast on or off for the device in this thread: what regions do; with one argument, for "cuda"."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    if not isinstance(enabled, bool):
        raise TypeError(
            "set_autocast_enabled(): argument 'enabled' (position 2) must be bool, not " + type(enabled).__name__
        )
    casting.enabled[_known(device_type)] = enabled
    casting.refresh()


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that regions of the device cast to."""
    name = _known(device_type)
    return casting.dtypes.get(name, bfloat16 if name in ("xla", "hpu", "mtia", "maia") else float16)


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Set the dtype that regions of the device cast to."""
    casting.dtypes[_known(device_type)] = dtype
    casting.refresh()


def is_autocast_cache_enabled() -> bool:
    """Whether the casts of weights are kept until the outermost region ends."""
    return casting.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Say whether the casts of weights are kept until the outermost region ends."""
    casting.cache_enabled = enabled


def autocast_increment_nesting() -> int:
    """Enter one more region; their number."""
    casting.nesting += 1
    return casting.nesting


def autocast_decrement_nesting() -> int:
    """Leave a region; how many are left."""
    casting.nesting -= 1
    return casting.nesting


def clear_autocast_cache() -> None:
    """Forget the casts of weights."""
    casting.cache.clear()


def _deprecated(old: str, new: str, function: Callable[..., Any], device_type: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        warnings.warn(
            f"torch.{old}({'dtype' if args else ''}) is deprecated. Please use torch.{new} instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(device_type, *args)

    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"Deprecated: torch.{new}."
    return call


is_autocast_cpu_enabled = _deprecated(
    "is_autocast_cpu_enabled", "is_autocast_enabled('cpu')", is_autocast_enabled, "cpu"
)
get_autocast_cpu_dtype = _deprecated("get_autocast_cpu_dtype", "get_autocast_dtype('cpu')", get_autocast_dtype, "cpu")
get_autocast_gpu_dtype = _deprecated("get_autocast_gpu_dtype", "get_autocast_dtype('cuda')", get_autocast_dtype, "cuda")
set_autocast_cpu_enabled = _deprecated(
    "set_autocast_cpu_enabled", "set_autocast_enabled('cpu', enabled)", set_autocast_enabled, "cpu"
)
set_autocast_cpu_dtype = _deprecated(
    "set_autocast_cpu_dtype", "set_autocast_dtype('cpu', dtype)", set_autocast_dtype, "cpu"
)
set_autocast_gpu_dtype = _deprecated(
    "set_autocast_gpu_dtype", "set_autocast_dtype('cuda', dtype)", set_autocast_dtype, "cuda"
)


# ---------------------------------------------------------------------- regions
def autocast_decorator(autocast_instance: "autocast", func: Callable[..., Any]) -> Callable[..., Any]:
    """The function, run inside the region."""

    @functools.wraps(func)
    def decorate_autocast(*args: Any, **kwargs: Any) -> Any:
        with autocast_instance:
            return func(*args, **kwargs)

    return decorate_autocast


class autocast:
    """A region, or a decorator of a function, in which operations run in the dtype that suits them.

    Matrix products and convolutions take their operands in `dtype`, losses and the like in float32; all others take
    them as they come. Weights stay float32, and their gradients are.

    >>> import minitorch as torch
    >>> layer, x = torch.nn.Linear(3, 2), torch.ones(4, 3)
    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     y = layer(x)
    >>> y.dtype
    torch.bfloat16
    >>> y.sum().backward()
    >>> layer.weight.grad.dtype
    torch.float32
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(
                f"unsupported scalarType\nUser specified an unsupported autocast device_type '{device_type}'"
            )
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self.device = device_type
        self._cache_enabled = is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        self._enabled = enabled and self._usable()

    def _usable(self) -> bool:
        """Whether the region can be switched on; a warning if not."""
        if self.device == "cpu":
            if self.fast_dtype in SUPPORTED:
                return True
            text = (
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\nCPU Autocast only "
                f"supports dtypes of {', '.join(map(str, SUPPORTED))} currently."
            )
        elif self.device == "cuda":
            from minitorch.cuda import is_available

            if is_available():
                return True
            text = "CUDA is not available or torch_xla is imported. Disabling autocast."
        else:
            raise NotImplementedError(f"autocast on the device '{self.device}' is not supported by minitorch")
        warnings.warn(text, UserWarning, stacklevel=4)
        return False

    def __enter__(self) -> "autocast":
        self.prev_cache_enabled = is_autocast_cache_enabled()
        self.prev, self.prev_fastdtype = is_autocast_enabled(self.device), get_autocast_dtype(self.device)
        self._set(self._enabled, self.fast_dtype)
        autocast_increment_nesting()
        set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if autocast_decrement_nesting() == 0:
            clear_autocast_cache()
        self._set(self.prev, self.prev_fastdtype)
        set_autocast_cache_enabled(self.prev_cache_enabled)

    def _set(self, enabled: bool, dtype: Any) -> None:
        casting.enabled[self.device], casting.dtypes[self.device] = enabled, dtype
        casting.refresh()

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. "
                "Did you mean to use autocast as a context manager? For example:\n"
                "    with torch.autocast(device_type=...):\n        output = model(input)"
            )
        return autocast_decorator(self, func)


# ---------------------------------------------------------------------- user-defined functions
def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    """The value, its tensors of floats in this dtype, through containers."""
    if isinstance(value, Tensor):
        takes_part = value.is_floating_point() and value.device.type == device_type and value.dtype is not float64
        return value.to(dtype) if takes_part else value
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, np.ndarray)):
        parts = (_cast(v, device_type, dtype) for v in value)
        return type(value)(parts) if isinstance(value, (list, tuple)) else parts
    return value


def _check_device_type(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Decorator of a Function's `forward`: its backward will run under the same autocast.

    With `cast_inputs` a forward inside a region gets its tensors of floats in that dtype and runs with autocast off.

    >>> import minitorch as torch
    >>> class Product(torch.autograd.Function):
    ...     @staticmethod
    ...     @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    ...     def forward(ctx, a, b):
    ...         return a @ b
    >>> with torch.autocast("cpu"):
    ...     Product.apply(torch.ones(2, 2), torch.ones(2, 2)).dtype
    torch.float32
    """
    _check_device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorate_fwd(*args: Any, **kwargs: Any) -> Any:
        ctx, on = args[0], is_autocast_enabled(device_type)
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = on and cast_inputs is None
        if cast_inputs is None or not on:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(*_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return decorate_fwd


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorator of a Function's `backward`: it runs under the autocast that its `custom_fwd` ran under."""
    _check_device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorate_bwd(*args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return decorate_bwd
