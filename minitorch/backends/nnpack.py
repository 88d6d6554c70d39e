"""Same as torch.backends.nnpack: a library that minitorch does not use."""


def is_available() -> bool:
    """Whether NNPACK computes here: no."""
    return False
