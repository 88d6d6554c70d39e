"""What `compile`, `jit.script` and the like share: they give back what they are given, and say so once."""

import warnings

_said: set[str] = set()


def say_once(name: str) -> None:
    """Warn, the first time in a process, that this function of torch leaves its argument as it is."""
    if name not in _said:
        _said.add(name)
        warnings.warn(
            f"torch.{name} gives back what it was given: minitorch runs every program operation by operation",
            UserWarning,
            stacklevel=3,
        )
