"""The LLVM that kernels become, run on this machine's processor, against the emulator's reading of the same kernel.

So the emulator, which runs Python, and what is compiled, which a GPU alone can run, are held together: arithmetic,
conversions, control flow and memory. What only a GPU has (barriers, shared memory, its own instructions) is not in it.
"""

import ctypes
import re

import numpy as np
import pytest
import simt

from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import Kernel
from minitorch._kernels.cuda.search import search_kernel
from minitorch._kernels.cuda.sort import merge_kernel

# ruff: noqa: F405 - the words of kernels


def on_host(kernel, grid, *arguments):
    """Run a kernel thread by thread, compiled for the host."""
    binding = pytest.importorskip("llvmlite.binding")
    from minitorch._kernels.cuda import emit

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    text = emit.module(kernel)
    text = re.sub(r"^(target|!).*$", "", text, flags=re.M)
    text = re.sub(r"(\bi\d+|\bfloat|\bdouble|<[^<>]*>)\*", "ptr", text).replace(
        "ptr*", "ptr"
    )  # this LLVM has opaque pointers
    for place in set(re.findall(r'declare i32 @"llvm\.nvvm\.read\.ptx\.sreg\.(\w+\.x)"\(\)', text)):
        text = text.replace(f"llvm.nvvm.read.ptx.sreg.{place}", place)
        text = text.replace(
            f'declare i32 @"{place}"()',
            f'@"at.{place}" = global i32 0\n'
            f'define i32 @"{place}"() {{ %v = load i32, ptr @"at.{place}"\n ret i32 %v }}',
        )
    text = re.sub(r"__nv_(fabs|fmin|fmax|sqrt|exp|floor)(f?)", r"\1\2", text)
    machine = binding.Target.from_default_triple().create_target_machine()
    module = binding.parse_assembly(text)
    module.verify()
    with binding.create_mcjit_compiler(module, machine) as engine:
        engine.finalize_object()
        kinds = {"i4": ctypes.c_int32, "f4": ctypes.c_float}
        types = [kinds.get(code, ctypes.c_void_p) for code in kernel.types]
        function = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(kernel.name))
        present = [place for place in ("tid.x", "ctaid.x", "nctaid.x") if f"at.{place}" in text]
        places = {place: engine.get_global_value_address(f"at.{place}") for place in present}
        given = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        for block in range(grid):
            for thread in range(kernel.block[0]):
                for place, value in (("tid.x", thread), ("ctaid.x", block), ("nctaid.x", grid)):
                    if place in places:
                        ctypes.c_int32.from_address(places[place]).value = value
                function(*given)


def integers(n, x, y, u, out, wide):
    i = blockIdx.x * 32 + threadIdx.x
    if i < n:
        a = x[i]
        b = y[i]
        c = u[i]
        out[0 * n + i] = a // b
        out[1 * n + i] = a % b
        out[2 * n + i] = a // 8 + a % 8
        out[3 * n + i] = (a >> 3) ^ (b << 2) & 255 | 3
        out[4 * n + i] = i4(c // 7 + c % 5 + (c >> 30))
        out[5 * n + i] = i4(c > 4000000000) + 2 * i4(a < b) + 4 * i4(not a > 3)
        out[6 * n + i] = min(a, b, 7) - max(a, -b) + abs(a) - ~b
        out[7 * n + i] = i4(i1(a)) + i4(u1(a)) * 3 + i4(i2(b)) + i4(u2(b))
        wide[i] = i8(a) * b * 1000000007 + i8(c)
        wide[n + i] = i8(u8(c) * u8(c) >> 5)


def floats(n, x, y, z, out):
    i = blockIdx.x * 32 + threadIdx.x
    if i < n:
        a = x[i]
        b = y[i]
        d = z[i]
        out[0 * n + i] = a * b + a / b - 0.5
        out[1 * n + i] = f4(d * 0.1) + f4(i) * 3
        out[2 * n + i] = f4(i4(a)) + f4(u4(absolute(b)))
        out[3 * n + i] = max(a, b) - min(a, 0.25) + fmax(b, 1.0)
        out[4 * n + i] = a if a > b and b > 0.0 else -b
        out[5 * n + i] = select(a != b, sqrt(absolute(a)), 2.0)
        out[6 * n + i] = i4(isnan(a)) + 2 * i4(isinf(b)) + 4 * i4(isfinite(a)) + 8 * i4(signbit(b)) + i4(a >= b)
        out[7 * n + i] = from_bits(bits(a) ^ 0x80000000)


def flow(n, x, out):
    i = threadIdx.x
    total = 0
    for j in range(n):
        if j == i:
            continue
        if x[j] > 60:
            break
        for k in range(j, -1, -2):
            total += k
    while total > 1000:
        total -= 100 if total % 2 == 0 else 77
    best, second = 0, -1
    for j in range(i, n, 5):
        if (i < n and x[j] > best) or x[j] == 7:
            best, second = x[j], best
    v = regs(3)
    v[0], v[1], v[2] = best, second, total
    for k in static(3):
        out[3 * i + k] = v[k]
    if i > 5:
        return
    out[3 * i] = -1


def memory(x, halves, flags, out, changed):
    i = threadIdx.x
    a = load(x, 4 * i, 4)
    h = load(halves, 8 * i, 8)
    p = advance(x, i8(i) * 4)
    out[i] = a[0] + a[3] * p[2]
    store(changed, 4 * i, h[0] + h[7], h[1], h[2], 65535)
    out[32 + i] = 1.0 if flags[i] else 2.0
    flags[i] = a[1] > 0


CASES = {
    "integers": (integers, "i4 i4* i4* u4* i4* i8*"),
    "floats": (floats, "i4 f4* f4* f8* f4*"),
    "flow": (flow, "i4 i4* i4*"),
    "memory": (memory, "f4* u2* b1* f4* u2*"),
}


def arguments(name, r):
    n = 61
    whole = r.integers(-100, 100, n).astype(np.int32)
    other = np.where(whole % 9 == 0, 13, whole[::-1] * 3 | 1).astype(np.int32)
    if name == "integers":
        u = r.integers(0, 2**32, n, dtype=np.uint64).astype(np.uint32)
        return [n, whole, other, u, np.zeros(8 * n, np.int32), np.zeros(2 * n, np.int64)]
    x, y = (r.standard_normal(n).astype(np.float32) * 5 for _ in range(2))
    x[:4], y[1:5] = [np.nan, np.inf, -0.0, 1.0], [-np.inf, 2.0, 1.0, -0.0]
    if name == "floats":
        x[0] = 3.0  # the conversion of nan to an integer is undefined
        x[1] = 9.0
        y[1] = -7.0
        return [n, x, y, r.standard_normal(n), np.zeros(8 * n, np.float32)]
    if name == "flow":
        return [n, np.abs(whole), np.zeros(96, np.int32)]
    halves = r.integers(0, 2**16, 256).astype(np.uint16)
    flags = r.integers(0, 2, 32).astype(bool)
    floats = r.standard_normal(128).astype(np.float32)
    return [floats, halves, flags, np.zeros(64, np.float32), np.zeros(128, np.uint16)]


@pytest.mark.parametrize("name", CASES)
def test_what_is_compiled_does_what_is_emulated(name):
    function, types = CASES[name]
    kernel = Kernel(function, types, 32)
    grid = 2 if name in ("integers", "floats") else 1
    ours, theirs = (arguments(name, np.random.default_rng(0)) for _ in range(2))
    simt.run(kernel, grid, *ours)
    on_host(kernel, grid, *theirs)
    for a, b in zip(ours, theirs):
        if isinstance(a, np.ndarray):
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), np.flatnonzero(a != b)[:10]


def test_bisection_of_rows_that_32_bits_just_count():
    n, byte = (1 << 31) - 5000, np.dtype(np.uint8)
    row = np.zeros(n, byte)  # memory that nobody touches but where the bisection looks
    at, value, order = np.zeros(1, np.int64), np.ones(1, byte), np.zeros(1, np.int64)
    on_host(search_kernel(byte, byte, False), 1, row, value, at, 1, n, 1, 1)
    assert at.tolist() == [n]
    on_host(merge_kernel(byte, False), 1, row, at, value, order, 1, n, 1 << 30)
    assert (value.tolist(), order.tolist()) == ([0], [n])


def test_a_planted_difference_is_found(monkeypatch):
    from minitorch._kernels.cuda import intrinsics

    def towards_zero(builder, values, codes):
        return builder.sdiv(*values)

    monkeypatch.setitem(intrinsics.WORDS, "floor_divide_i4", towards_zero)
    with pytest.raises(AssertionError):
        test_what_is_compiled_does_what_is_emulated("integers")
