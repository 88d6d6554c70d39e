"""Which of its own elements a padded dimension repeats: positions in a dimension of n with more before and after it."""

import numpy as np


def outside(n: int, before: int, after: int) -> np.ndarray:
    """None of them: -1."""
    at = np.arange(-before, n + after)
    return np.where(at < n, np.maximum(at, -1), -1)


def reflected(n: int, before: int, after: int) -> np.ndarray:
    """Mirrored at the first and the last element."""
    at = np.abs(np.arange(-before, n + after))
    return (n - 1) - np.abs((n - 1) - at)


def replicated(n: int, before: int, after: int) -> np.ndarray:
    """The first and the last element over and over."""
    return np.clip(np.arange(-before, n + after), 0, n - 1)


def wrapped(n: int, before: int, after: int) -> np.ndarray:
    """From the other end; what negative padding leaves is what repeats."""
    kept = np.arange(max(-before, 0), n - max(-after, 0))
    return kept[np.arange(-max(before, 0), len(kept) + max(after, 0)) % max(len(kept), 1)]


MODES = {"reflect": reflected, "replicate": replicated, "circular": wrapped}
