"""Same as torch.backends.opt_einsum: a library that minitorch does not use."""

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether opt_einsum chooses the order of an einsum's products: no."""
    return False
