"""Same as torch.cpu.amp, deprecated there too: see torch.amp."""

from minitorch._dtype import bfloat16
from minitorch.amp._deprecated import names

_names = names("cpu", bfloat16)
autocast, GradScaler = _names["autocast"], _names["GradScaler"]

__all__ = ["GradScaler", "autocast"]
