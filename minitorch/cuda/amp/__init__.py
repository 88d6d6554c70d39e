"""Same as torch.cuda.amp, deprecated there too: see torch.amp."""

from minitorch._dtype import float16
from minitorch.amp._deprecated import names

_names = names("cuda", float16)
autocast, GradScaler = _names["autocast"], _names["GradScaler"]
custom_fwd, custom_bwd = _names["custom_fwd"], _names["custom_bwd"]

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

from minitorch.cuda.amp import autocast_mode, common, grad_scaler  # noqa: E402  # they take the names above
