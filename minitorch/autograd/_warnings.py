"""Warnings that name the line of the program that led to them."""

import warnings

from ._lines import OURS, getframe

_given: set[str] = set()


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of the user's line, however many of minitorch's own frames are in between."""
    level, frame = 2, getframe(1)
    while frame.f_code.co_filename in OURS and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_once(message: str) -> None:
    """`warn` as torch does of most things: once in a program, unless `torch.set_warn_always(True)` was called."""
    from minitorch._settings import is_warn_always_enabled

    if message not in _given or is_warn_always_enabled():
        _given.add(message)
        warn(message)
