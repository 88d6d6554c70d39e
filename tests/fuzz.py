"""Ops called with what nobody meant: `python tests/fuzz.py SEED COUNT [NAME...]`.

Samples of torch's op database with their tensors' shapes, dtypes, layouts and values, and their numbers, replaced at
random. A call may return or raise one of torch's classes of error; anything else is a fault, and so is a crash of the
interpreter. With NUMBA_BOUNDSCHECK=1 in the environment a read outside a buffer is an IndexError of a kernel.
"""

import random
import resource
import signal
import sys
import traceback
import warnings

import torch
from opinfo import OPS, attempt, call, converted, ours, samples

import minitorch

ALLOWED = (ValueError, RuntimeError, TypeError, IndexError, OverflowError, MemoryError)
INTEGERS = (-(2**63), -(2**31), -3, -1, 0, 1, 2, 5, 1000, 2**31, 2**63 - 1)
FLOATS = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -2.5)
DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
    torch.bool,
]
MEMORY = 8 << 30  # bytes of address space: a huge dimension must fail, not be filled
SECONDS = 20  # of processor time


def spoiled_tensor(t: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """A tensor made unlike the op expects, in one or two ways."""
    t = t.detach()
    for _ in range(rng.choice((0, 1, 1, 2))):
        kind = rng.randrange(8)
        if kind == 0:
            t = t.to(rng.choice(DTYPES))
        elif kind == 1 and t.ndim:
            t = t.narrow(rng.randrange(t.ndim), 0, 0)
        elif kind == 2 and t.ndim > 1:
            t = t.transpose(0, rng.randrange(t.ndim))
        elif kind == 3 and t.numel() and t.is_floating_point():
            t = t.clone(memory_format=torch.contiguous_format)
            t.view(-1)[rng.randrange(t.numel())] = rng.choice((*FLOATS, torch.finfo(t.dtype).max))
        elif kind == 4 and t.numel() and not t.is_floating_point() and t.dtype is not torch.bool:
            t = t.clone(memory_format=torch.contiguous_format)
            t.view(-1)[rng.randrange(t.numel())] = (
                torch.iinfo(t.dtype).max if rng.random() < 0.5 else torch.iinfo(t.dtype).min
            )
        elif kind == 5:
            t = t.unsqueeze(rng.randrange(t.ndim + 1))
        elif kind == 6 and t.ndim:
            t = t.select(rng.randrange(t.ndim), 0) if t.numel() else t
        elif kind == 7 and t.ndim:
            t = t[(slice(None),) * rng.randrange(t.ndim) + (slice(None, None, 2),)]
    return t


def spoiled(v, rng: random.Random):
    if isinstance(v, torch.Tensor):
        return spoiled_tensor(v, rng)
    if isinstance(v, bool) or rng.random() < 0.6:
        return v if not isinstance(v, (list, tuple, dict)) else inside(v, rng)
    if isinstance(v, int):
        return rng.choice(INTEGERS)
    if isinstance(v, float):
        return rng.choice(FLOATS)
    return inside(v, rng)


def inside(v, rng: random.Random):
    if type(v) in (list, tuple):
        return type(v)(spoiled(x, rng) for x in v)
    return {k: spoiled(x, rng) for k, x in v.items()} if isinstance(v, dict) else v


class TooSlow(BaseException):
    pass


def too_slow(*_):
    raise TooSlow


def outcome(function, arguments, backward: bool) -> str:
    """What went wrong with a call, or nothing."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        out = call(function, arguments)
        tensors = out if isinstance(out, (list, tuple)) else [out]
        for t in tensors:
            if backward and isinstance(t, minitorch.Tensor) and t.requires_grad:
                t.sum().backward(retain_graph=True)
    except TooSlow:
        return f"longer than {SECONDS} s"
    except ALLOWED as e:
        if "Numba" in type(e).__module__ or "numba" in type(e).__module__:
            return f"{type(e).__name__}: {e}"
        if (
            isinstance(e, IndexError)
            and "is out of bounds" in str(e)
            and "minitorch/generated" in traceback.format_exc()
        ):
            return f"a kernel read outside a buffer: {e}"
    except Exception as e:
        return f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


def fuzz(seed: int, count: int, names: list[str]) -> int:
    """Call `count` spoiled samples of each op; print and count the faults."""
    faults = 0
    for name in names:
        op = OPS[name]
        try:
            function = ours(op, op.op)
        except (AttributeError, NotImplementedError):
            continue  # missing, which test_opinfo.py counts
        rng = random.Random(f"{seed} {name}")
        dtype = torch.float32 if torch.float32 in op.dtypes else next(iter(op.dtypes), None)
        given = samples(op, dtype, 12) if dtype else []
        for _ in range(count if given else 0):
            s = rng.choice(given)
            arguments = inside((s.input, tuple(s.args), dict(s.kwargs)), rng)
            try:
                mine = converted(arguments)
            except Exception:
                continue  # torch's dtype or layout that minitorch refuses by name
            backward = rng.random() < 0.5
            if backward and isinstance(mine[0], minitorch.Tensor) and mine[0].is_floating_point():
                mine[0].requires_grad_()
            print(name, arguments[1:], file=sys.stderr, flush=True) if "-v" in sys.argv else None
            wrong = outcome(function, mine, backward)
            if wrong and wrong.partition(":")[0] == type(attempt(call, op.op, arguments)[1]).__name__:
                continue  # of torch's own Python code, as an assert or a division by no groups
            if wrong:
                faults += 1
                shapes = [
                    (tuple(t.shape), str(t.dtype)) if isinstance(t, torch.Tensor) else t
                    for t in (arguments[0], *arguments[1])
                ]
                print(f"{name}({shapes}, {arguments[2]}): {wrong[:300]}", flush=True)
    return faults


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chosen = [a for a in sys.argv[3:] if a != "-v"] or list(OPS)
    found = fuzz(int(sys.argv[1]), int(sys.argv[2]), chosen)
    print(f"{found} faults")
    sys.exit(min(found, 1))
