"""Same as torch.backends.mkl: a library that minitorch does not use."""


def is_available() -> bool:
    """Whether Intel's MKL computes here: no."""
    return False
