"""Same as torch.backends.mps: Apple's GPU, for which minitorch has no backend."""


def is_available() -> bool:
    """Whether tensors can live on Apple's GPU: no."""
    return False


def is_built() -> bool:
    """Whether there is a backend for it: no."""
    return False
