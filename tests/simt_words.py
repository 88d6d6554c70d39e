"""What the words of kernels mean on NumPy memory; `simt.py` runs them."""

import math

import numpy as np

from minitorch._kernels.cuda import device

READ, WRITE, ATOMIC = 0, 1, 2
METHODS = {"shared_array", "dynamic_shared", "pointer", "cp_async_commit", "cp_async_wait", "mbarrier_fence"}
WIDTHS = {"i1": 8, "i2": 16, "i4": 32, "i8": 64, "u1": 8, "u2": 16, "u4": 32, "u8": 64}


class Fault(Exception):
    """What would be undefined on a GPU."""


def number(value, code):
    """A number as a kernel holds it: floats of their precision, integers and booleans as Python's."""
    if code[0] == "f":
        return np.float32(value) if code == "f4" else np.float64(value)
    return bool(value) if code == "b1" else _integer(code)(value)


def _integer(code):
    width = WIDTHS[code]
    mask, sign = (1 << width) - 1, 1 << width - 1 if code[0] == "i" else 0

    def convert(value):
        value = int(value) & mask
        return value - 2 * (value & sign)

    return convert


# Memory


def load(p, i, count):
    values = p.data[p.row(i, count, READ)]
    return tuple(values.tolist()) if p.number or p.code == "b1" else tuple(values)


def store(p, i, *values):
    p.data[p.row(i, len(values), WRITE)] = values


def advance(p, i):
    return p.advanced(i)


def cp_async(target, i, source, j, size):
    _copy(target, i, source.data[source.row(j, size // source.size, READ)].view(np.uint8), size)


def cp_async_fill(target, i, source, j, size, condition):
    if condition:
        _copy(target, i, source.data[source.row(j, size // source.size, READ)].view(np.uint8), size)
    else:
        _copy(target, i, np.zeros(size, np.uint8), size)


def _copy(target, i, data, size):
    """The bytes are taken now; the target holds nothing until they arrive."""
    if size not in (4, 8, 16):
        raise ValueError(f"cp_async of {size} bytes")
    where = target.row(i, size // target.size, WRITE)
    to = target.data[where].view(np.uint8)
    to[...] = 0xFF
    target.machine.thread.started.append((to, data.copy(), target, where.start, size // target.size))


def _atomic(change):
    def word(p, i, *values):
        i = p.locate(i, 1, ATOMIC)
        old = p.data.item(i) if p.number else p.data[i]
        new = change(old, *values)
        p.data[i] = _integer(p.code)(new) if p.number else new
        return old

    return word


# Threads together: each gets the arguments of all lanes, the lanes and the machine, and gives each lane's result


def _shuffle(source):
    def word(lanes, warp, machine):
        out = []
        for lane, (_, by) in enumerate(lanes):
            at = source(lane, by)
            out.append(lanes[at if 0 <= at < 32 else lane][0])
        return out

    return word


def ballot(lanes, warp, machine):
    return [sum(1 << lane for lane, (condition,) in enumerate(lanes) if condition)] * 32


def ldmatrix(transpose):
    def word(lanes, warp, machine):
        out = np.zeros((32, 4), np.uint32)
        for k in range(4):
            rows = []
            for (p, i), thread in zip(lanes[8 * k : 8 * k + 8], warp[8 * k : 8 * k + 8]):
                machine.thread, machine.log = thread, thread.log
                count = 16 // p.size
                i = p.locate(i, count, READ, 0)
                if (p.memory.alignment + i * p.size) % 16:
                    raise ValueError(f"ldmatrix of a misaligned row: index {i} of {p.memory.name}")
                rows.append(p.data[i : i + count].view(np.uint16))
            matrix = np.stack(rows)
            out[:, k] = np.ascontiguousarray(matrix.T if transpose else matrix).view(np.uint32).reshape(32)
        return [tuple(row) for row in out.tolist()]

    return word


LANES = np.arange(32)
GROUP, QUAD = LANES >> 2, LANES & 3


def mma(kind):
    """m16n8k8 of tf32 or m16n8k16 of halves; products are exact, and their sum is rounded once."""

    def word(lanes, warp, machine):
        a = np.array([lane[:4] for lane in lanes], np.uint32)
        b = np.array([lane[4:6] for lane in lanes], np.uint32)
        c = np.array([lane[6:] for lane in lanes], np.float64)
        if kind == "tf32":
            left, right = np.zeros((16, 8)), np.zeros((8, 8))
            a, b = ((x & np.uint32(0xFFFFE000)).view(np.float32) for x in (a, b))
            for k, (row, column) in enumerate(((0, 0), (8, 0), (0, 4), (8, 4))):
                left[GROUP + row, QUAD + column] = a[:, k]
            for k in range(2):
                right[QUAD + 4 * k, GROUP] = b[:, k]
        else:
            left, right = np.zeros((16, 16)), np.zeros((16, 8))
            for half in range(2):
                x, y = (HALVES[kind]((word >> np.uint32(16 * half)) & np.uint32(0xFFFF)) for word in (a, b))
                for k, (row, column) in enumerate(((0, 0), (8, 0), (0, 8), (8, 8))):
                    left[GROUP + row, 2 * QUAD + column + half] = x[:, k]
                for k in range(2):
                    right[2 * QUAD + 8 * k + half, GROUP] = y[:, k]
        total = left @ right
        out = np.empty((32, 4))
        for k in range(4):
            out[:, k] = total[GROUP + 8 * (k >> 1), 2 * QUAD + (k & 1)]
        return [tuple(row) for row in (out + c).astype(np.float32)]

    return word


HALVES = {
    "bf16": lambda x: (x.astype(np.uint32) << np.uint32(16)).view(np.float32),
    "f16": lambda x: x.astype(np.uint16).view(np.float16),
}
COLLECTIVE = {
    "syncwarp": lambda lanes, warp, machine: [None] * 32,
    "shfl_xor": _shuffle(lambda lane, by: lane ^ by),
    "shfl_down": _shuffle(lambda lane, by: lane + by),
    "shfl_up": _shuffle(lambda lane, by: lane - by),
    "shfl": _shuffle(lambda lane, by: by % 32),
    "ballot": ballot,
    "any_lane": lambda lanes, warp, machine: [any(lane[0] for lane in lanes)] * 32,
    "all_lanes": lambda lanes, warp, machine: [all(lane[0] for lane in lanes)] * 32,
    "ldmatrix_x4": ldmatrix(False),
    "ldmatrix_x4_trans": ldmatrix(True),
    "mma_tf32": mma("tf32"),
    "mma_bf16": mma("bf16"),
    "mma_f16": mma("f16"),
}


# Numbers


def _same(function):
    """A function on doubles or arrays, its result of the argument's precision."""
    return lambda *args: type(args[0])(function(*args))


def _formula(name):
    """A function that NumPy lacks, as the CPU computes it in double precision."""

    def word(x):
        from minitorch._kernels import scalar

        return type(x)(getattr(scalar, name)(np.array([float(x)]))[0])

    return word


def _to_bf16(x):
    word = int(np.float32(x).view(np.uint32))
    return 0x7FFF if x != x else word + 0x7FFF + (word >> 16 & 1) >> 16


def _pow(x, y):
    return type(x)(np.power(x, y))


ALONE = {
    **{name: _same(getattr(np, name)) for name in device.UNARY if hasattr(np, name)},
    **{name: _same(getattr(np, name)) for name in device.BINARY if hasattr(np, name)},
    **{name: _formula(name) for name in ("erfinv", "erfcx", "lgamma", "ndtr", "ndtri", "i0")},
    "bessel_i1": _formula("i1"),
    **{name: _integer(name) for name in WIDTHS},
    "f4": np.float32, "f8": np.float64, "b1": bool,
    "load": load, "store": store, "advance": advance, "cp_async": cp_async, "cp_async_fill": cp_async_fill,
    "atomic_add": _atomic(lambda old, new: old + new), "atomic_max": _atomic(max), "atomic_min": _atomic(min),
    "atomic_exch": _atomic(lambda old, new: new),
    "atomic_cas": _atomic(lambda old, expected, new: new if old == expected else old),
    "threadfence": lambda: None,
    "to_tf32": lambda x: int(x.view(np.uint32)) + 0x1000 & 0xFFFFE000,
    "bits": lambda x: int(x.view(np.uint32)), "from_bits": lambda x: np.uint32(x).view(np.float32),
    "bits8": lambda x: int(x.view(np.uint64)), "from_bits8": lambda x: np.uint64(x).view(np.float64),
    "from_half": lambda x: np.float32(np.uint16(x & 0xFFFF).view(np.float16)),
    "to_half": lambda x: int(np.float16(x).view(np.uint16)),
    "from_bf16": lambda x: np.uint32((x & 0xFFFF) << 16).view(np.float32), "to_bf16": _to_bf16,
    "mul_hi": lambda a, b: a * b >> 32, "popc": lambda x: x.bit_count(), "clz": lambda x: 32 - x.bit_length(),
    "select": lambda c, a, b: a if c else b, "where": lambda c, a, b: a if c else b,
    "fma": lambda a, b, c: type(a)(float(a) * float(b) + float(c)),
    "fmax": lambda a, b: b if a != a or b > a else a, "fmin": lambda a, b: b if a != a or b < a else a,
    "maximum": lambda a, b: a if a > b or a != a else b, "minimum": lambda a, b: a if a < b or a != a else b,
    "absolute": abs, "isnan": lambda x: x != x, "isinf": lambda x: abs(x) == math.inf,
    "isfinite": lambda x: abs(x) < math.inf, "signbit": lambda x: bool(np.signbit(x)),
    "rsqrt": lambda x: type(x)(1 / np.sqrt(x)), "pow": _pow, "erf": _same(math.erf), "erfc": _same(math.erfc),
    "fast_exp": _same(np.exp), "fast_divide": lambda a, b: a / b,
    **{f"floor_divide_{code}": lambda a, b: a // b for code in ("i4", "u4", "i8", "u8")},
    **{f"remainder_{code}": lambda a, b: a % b for code in ("i4", "u4", "i8", "u8")},
}  # fmt: skip
