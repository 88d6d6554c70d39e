"""What torch.cpu.amp and torch.cuda.amp hold: the names of torch.amp for one device, each with a warning."""

import warnings
from typing import Any

from . import autocast_mode, grad_scaler


def names(device_type: str, default_dtype: Any) -> dict[str, Any]:
    """autocast, GradScaler, custom_fwd and custom_bwd of this device."""

    def warn(name: str, instead: str) -> None:
        text = f"`torch.{device_type}.amp.{name}(args...)` is deprecated. Please use `torch.amp.{instead}` instead."
        warnings.warn(text, FutureWarning, stacklevel=3)

    class autocast(autocast_mode.autocast):
        """Deprecated: torch.amp.autocast."""

        def __init__(self, enabled: bool = True, dtype: Any = default_dtype, cache_enabled: bool = True) -> None:
            warn("autocast", f"autocast('{device_type}', args...)")
            super().__init__(device_type, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)

    class GradScaler(grad_scaler.GradScaler):
        """Deprecated: torch.amp.GradScaler."""

        def __init__(
            self,
            init_scale: float = 2.0**16,
            growth_factor: float = 2.0,
            backoff_factor: float = 0.5,
            growth_interval: int = 2000,
            enabled: bool = True,
        ) -> None:
            warn("GradScaler", f"GradScaler('{device_type}', args...)")
            super().__init__(device_type, init_scale, growth_factor, backoff_factor, growth_interval, enabled)

    def custom_fwd(fwd: Any = None, *, cast_inputs: Any = None) -> Any:
        """Deprecated: torch.amp.custom_fwd."""
        warn("custom_fwd", f"custom_fwd(args..., device_type='{device_type}')")
        return autocast_mode.custom_fwd(fwd, device_type=device_type, cast_inputs=cast_inputs)

    def custom_bwd(bwd: Any) -> Any:
        """Deprecated: torch.amp.custom_bwd."""
        warn("custom_bwd", f"custom_bwd(args..., device_type='{device_type}')")
        return autocast_mode.custom_bwd(bwd, device_type=device_type)

    made: dict[str, Any] = {
        "autocast": autocast,
        "GradScaler": GradScaler,
        "custom_fwd": custom_fwd,
        "custom_bwd": custom_bwd,
    }
    for name, value in made.items():
        value.__module__, value.__qualname__ = f"minitorch.{device_type}.amp", name
    return made
