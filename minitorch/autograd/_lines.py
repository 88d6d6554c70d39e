"""Where in the user's program a node was made or a tensor written to.

A line is remembered as (code object, offset of the instruction): taking them from the frame costs some 100 ns, turning
them into a file and a line number is left until somebody prints them. minitorch's own frames are passed over.
"""

import linecache
import math
import os
import sys
from collections import defaultdict
from types import CodeType, FrameType
from typing import Any

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# files whose frames are minitorch's own: all of the package; generated functions add their names
OURS = {os.path.join(folder, name) for folder, _, names in os.walk(_FOLDER) for name in names if name.endswith(".py")}

# What is wrong with a program shows in its first steps, and noting a line takes a tenth of the time of a small op, from
# within a layer a third. So lines are noted for the first nodes of a program, for the first writes to each piece of
# memory, and for all of them in anomaly mode.
FIRST_NODES = 100_000
FIRST_WRITES = 1_000


class _Noted:
    """Whose lines are noted: those of nodes whose key, which falls, is above `key`, and of writes before `version`."""

    __slots__ = ("key", "version")
    key: float
    version: float


noted = _Noted()


def note_lines(of_all: bool) -> None:
    """Note the lines of all nodes and writes, or of the first ones only."""
    noted.key, noted.version = (-math.inf, math.inf) if of_all else (-FIRST_NODES, FIRST_WRITES)


note_lines(of_all=False)

# for each op its caller's code that was met last, if that is the user's: mostly it is the same again
known_callers: dict[str, list[Any]] = defaultdict(lambda: [None])

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
    """The user's frame, as generated functions look for it."""
    code = frame.f_code
    if code.co_filename in OURS:
        return user_frame(frame)
    known[0] = code
    return frame


def here() -> tuple[CodeType | None, int]:
    """The user's line that is being run, in the form that nodes remember."""
    frame = user_frame(getframe(1))
    return (None, 0) if frame is None else (frame.f_code, frame.f_lasti)


def count_write(cell: list[Any], writer: str) -> None:
    """Count a write in a version cell, and leave there who wrote and where; generated functions do it in line."""
    cell[0] += 1
    if cell[0] < noted.version:
        cell[1:] = writer, *here(), cell[0]


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
    """(who wrote last, where) of a version cell: it may hold a name, a line, and the version that they are those of."""
    if len(cell) < 5 or cell[4] != cell[0]:
        return "an in-place write", ""
    return cell[1], described(*cell[2:4])
