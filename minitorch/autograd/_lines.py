"""Where in the user's program a node was made or a tensor written to.

A line is remembered as (code object, offset of the instruction): taking them from the frame costs some 100 ns, turning
them into a file and a line number is left until somebody prints them. minitorch's own frames are passed over.
"""

import linecache
import os
import sys
from collections import defaultdict
from types import CodeType, FrameType
from typing import Any

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# files whose frames are minitorch's own: all of the package; generated functions add their names
OURS = {os.path.join(folder, name) for folder, _, names in os.walk(_FOLDER) for name in names if name.endswith(".py")}

# How many more ops called by minitorch itself, such as those of layers, have their user's line looked for. Going from
# frame to frame takes as long as a small op, and what is wrong with a program shows in its first steps.
LOOKUPS = 10_000
lookups_left: list[float] = [LOOKUPS]

# for each op its caller's code that was met last, if there is nothing more to find out: mostly it is the same again;
# and whether an op that only functions of minitorch's call is to look at all
known_callers: dict[str, list[Any]] = defaultdict(lambda: [None, True])

getframe = sys._getframe


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost of `frame` and its callers that is not minitorch's own; without one, the outermost."""
    while frame is not None and frame.f_code.co_filename in OURS:
        back = frame.f_back
        if back is None:
            break
        frame = back
    return frame


def noted_frame(frame: FrameType, known: list[Any]) -> FrameType | None:
    """What generated functions note: the user's frame, or minitorch's own once `lookups_left` is used up."""
    code = frame.f_code
    if code.co_filename in OURS:
        if lookups_left[0] > 0:
            lookups_left[0] -= 1
            return user_frame(frame)
        known[1] = False
    known[0] = code
    return frame


def allow_lookups(times: float) -> None:
    """Look for the user's line of that many more ops called by minitorch itself, and of none after them."""
    lookups_left[0] = times
    for known in known_callers.values():
        known[:] = None, True


def here() -> tuple[CodeType | None, int]:
    """The user's line that is being run, in the form that nodes remember."""
    frame = user_frame(getframe(1))
    return (None, 0) if frame is None else (frame.f_code, frame.f_lasti)


def described(code: CodeType | None, at: int) -> str:
    """'file:line, in function', and the line's text where it can be read; empty if no line of the user's is known.

    >>> described(linecache.getline.__code__, 0).split(", ")[1].split(":")[0]
    'in getline'
    """
    if code is None or code.co_filename in OURS:
        return ""
    line = line_number(code, at)
    text = linecache.getline(code.co_filename, line).strip()
    return f"{code.co_filename}:{line}, in {code.co_name}" + (f": {text}" if text else "")


def line_number(code: CodeType, at: int) -> int:
    """The source line of the instruction at offset `at`."""
    for start, end, line in code.co_lines():
        if start <= at < end and line is not None:
            return line
    return code.co_firstlineno


def of_node(node: Any) -> str:
    """Where a node was made, as `described`; empty for a node that remembers no line."""
    return described(getattr(node, "code", None), getattr(node, "at", 0))


def of_write(cell: list[Any]) -> tuple[str, str]:
    """(who wrote last, where) of a version cell."""
    writer = cell[1] if len(cell) > 1 else "an in-place write"
    return writer, described(*cell[2:4]) if len(cell) > 3 else ""
