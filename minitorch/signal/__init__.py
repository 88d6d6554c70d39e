"""Signal processing: same as torch.signal, which has window functions only."""

from . import windows

__all__ = ["windows"]
