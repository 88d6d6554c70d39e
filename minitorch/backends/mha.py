"""Same as torch.backends.mha: whether layers of attention may take a shorter way in evaluation."""

_enabled = True


def get_fastpath_enabled() -> bool:
    """What `set_fastpath_enabled` set; results are the same."""
    return _enabled


def set_fastpath_enabled(value: bool) -> None:
    """Allow or forbid the shorter way; results are the same."""
    global _enabled
    _enabled = value
