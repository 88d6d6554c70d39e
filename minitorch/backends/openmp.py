"""Same as torch.backends.openmp: a library that minitorch does not use."""


def is_available() -> bool:
    """Whether OpenMP computes here: no."""
    return False
