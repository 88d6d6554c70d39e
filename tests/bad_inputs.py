"""Good calls with one argument spoiled, in torch and here: `python tests/bad_inputs.py [--write] [NAME...]`.

A sample of each op of torch's database has one argument after another replaced by what is no such argument: another
dtype, fewer dimensions, other sizes, None, a text, a list, a dimension that there is not. Where torch raises, minitorch
must raise the same class, or one derived from it; where torch gives a result, so must minitorch. What does not is
listed in `bad_inputs_known.txt`, which `--write` writes anew; the exit status says whether there is anything else.
"""

import os
import pickle
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from opinfo import CLEAR, OPS, attempt, converted, copied, ours, samples

KNOWN = Path(__file__).parent / "bad_inputs_known.txt"
SECONDS = 60  # an op's own process may take so long


class Spoiled(NamedTuple):
    """A way to spoil an argument, and the call's arguments."""

    way: str
    args: tuple
    kwargs: dict


def replacements(v):
    """(way, value) for one argument."""
    if isinstance(v, torch.Tensor):
        yield from (("None for a tensor", None), ("a text for a tensor", "a"), ("a list for a tensor", [1.0, 2.0]))
        yield ("a number for a tensor", 1.5)
        if v.layout is not torch.strided:
            return
        for dtype in (torch.int64, torch.bool, torch.float64, torch.float16):
            if v.dtype is not dtype:
                yield (f"{str(dtype)[6:]} for {str(v.dtype)[6:]}", v.detach().to(dtype))
        if v.ndim:
            yield ("no dimensions", v.detach().flatten()[0] if v.numel() else v.new_zeros(()))
            yield ("a dimension less", v.detach()[0] if v.shape[0] else v.new_zeros(v.shape[1:]))
            yield ("one element more", torch.cat([v.detach(), v.detach()[..., :1]], -1) if v.numel() else v)
            yield ("nothing", v.detach()[..., :0])
        yield ("a dimension more", v.detach()[None, None])
    elif isinstance(v, bool):
        yield from (("a text for a bool", "a"), ("None for a bool", None))
    elif isinstance(v, int):
        yield from (("a large int", 100), ("a negative int", -100), ("a float for an int", 1.5))
        yield from (("a text for an int", "a"), ("None for an int", None), ("a bool for an int", True))
        yield ("a list for an int", [1, 2])
    elif isinstance(v, float):
        yield from (("a text for a float", "a"), ("None for a float", None), ("a list for a float", [1.0]))
    elif isinstance(v, str):
        yield from (("another text", "a"), ("an int for a text", 1), ("None for a text", None))
    elif isinstance(v, (tuple, list)):
        yield from (("an empty list", type(v)()), ("a text for a list", "a"), ("None for a list", None))
        if v and type(v) in (tuple, list):
            yield ("a list longer by one", type(v)((*v, v[-1])))
            for way, first in replacements(v[0]):
                yield (f"in a list {way}", type(v)((first, *v[1:])))
    elif isinstance(v, torch.dtype):
        yield from (("a text for a dtype", "float32"), ("an int for a dtype", 3))


def spoiled(s):
    """Every spoiled call of a sample."""
    args = (s.input, *s.args)
    for i, v in enumerate(args):
        for way, value in replacements(v):
            yield Spoiled(f"{way} ({i})", (*args[:i], value, *args[i + 1 :]), s.kwargs)
    for name, v in s.kwargs.items():
        for way, value in replacements(v):
            yield Spoiled(f"{way} ({name})", args, {**s.kwargs, name: value})
    yield Spoiled("an unknown keyword", args, {**s.kwargs, "foo": 1})
    yield Spoiled("too many arguments", (*args, *[None] * 20), s.kwargs)
    yield Spoiled("an argument less", args[:-1], s.kwargs)


def ancestry(e) -> set[str]:
    return {c.__name__.lstrip("_") for c in type(e).__mro__}


def same_class(mine, theirs) -> bool:
    same = ancestry(mine) >= ancestry(theirs)
    return same and isinstance(mine, NotImplementedError) <= isinstance(theirs, NotImplementedError)


def is_raw(e) -> bool:
    """Whether an error comes from NumPy or Numba, or from Python itself in a place that did not expect the argument."""
    frames = []
    tb = e.__traceback__
    if tb is None:  # an operator's NotImplemented
        return False
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    code = frames[-1].tb_frame.f_code
    if "minitorch" not in code.co_filename:
        return "/numpy/" in code.co_filename or "/numba/" in code.co_filename
    return type(e) in (AttributeError, KeyError, UnboundLocalError, AssertionError, ZeroDivisionError)


def first_line(e) -> str:
    return (str(e).splitlines() or [""])[0]


def verdict(function, mine, case: Spoiled) -> tuple[str, str] | None:
    """(what is wrong, the two outcomes), or None."""
    args, kwargs = copied(case.args), copied(case.kwargs)
    result, theirs = attempt(lambda: function(*args, **kwargs))
    if result is NotImplemented:  # which Python makes a TypeError of
        theirs = TypeError("NotImplemented")
    if theirs is not None and not isinstance(theirs, CLEAR):
        return None
    try:
        args, kwargs = converted(case.args), converted(case.kwargs)
    except Exception:
        return None  # torch's dtype or layout that minitorch refuses by name
    result, error = attempt(lambda: mine(*args, **kwargs))
    if result is NotImplemented:
        error = TypeError("NotImplemented")
    if error is None:
        return theirs and ("silent", f"torch {type(theirs).__name__}: {first_line(theirs)}")
    said = f"{type(error).__name__}: {first_line(error)}"
    if theirs is None:
        return "refused", said
    if not same_class(error, theirs):
        return "class", f"{said} | torch {type(theirs).__name__}: {first_line(theirs)}"
    return ("raw", f"{said} | torch {first_line(theirs)}") if is_raw(error) else None


def sweep_op(name: str) -> tuple[int, list[tuple[str, str, str]]]:
    """(how many calls, [(what is wrong, way, the two outcomes)]) for an op."""
    op = OPS[name]
    mine = ours(op, op.op)
    dtype = torch.float32 if torch.float32 in op.dtypes else next(iter(op.dtypes))
    given = samples(op, dtype, 12)
    tensors = [s for s in given if isinstance(s.input, torch.Tensor) and s.input.ndim and s.input.numel()]
    # those with most arguments show most
    s = max(tensors or given, key=lambda s: len(s.args) + len(s.kwargs), default=None)
    calls, found = 0, []
    for case in spoiled(s) if s else ():
        calls += 1
        wrong = verdict(op.op, mine, case)
        if wrong:
            found.append((wrong[0], case.way, wrong[1]))
    return calls, found


def in_child(name: str):
    """sweep_op in a process of its own: torch itself may crash."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        import signal

        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            data = pickle.dumps(sweep_op(name))
        except BaseException as e:
            data = pickle.dumps((0, [("failed", "to sweep", f"{type(e).__name__}: {first_line(e)}")]))
        with os.fdopen(write, "wb") as stream:
            stream.write(data)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    return pickle.loads(data) if data else (0, [("died", "in torch or here", "")])


def known() -> set[tuple[str, str, str]]:
    """(op, what is wrong, way) of the faults that are known."""
    lines = [line.split(": ", 1) for line in KNOWN.read_text().splitlines()]
    return {(name, *fault.split(" ", 1)) for name, faults in lines for fault in faults.split("; ")}


def main() -> int:
    warnings.simplefilter("ignore")
    chosen = [a for a in sys.argv[1:] if a != "--write"]
    expected = known() if "--write" not in sys.argv else set()
    counts, total, new, lines = Counter(), 0, 0, []
    for name in chosen or OPS:
        calls, found = in_child(name)
        total += calls
        for kind, way, what in found:
            counts[kind] += 1
            if (name, kind, way) not in expected:
                new += 1
                print(f"{kind} | {name} | {way} | {what[:260]}", flush=True)
        if found:
            lines.append(f"{name}: " + "; ".join(f"{kind} {way}" for kind, way, _ in found))
    if "--write" in sys.argv:
        KNOWN.write_text("\n".join(lines) + "\n")
    print(f"{total} calls, {sum(counts.values())} unlike torch's: {dict(counts)}; {new} of them new")
    return min(new, 1)


if __name__ == "__main__":
    sys.exit(main())
