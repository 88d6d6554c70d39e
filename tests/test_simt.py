"""The emulator of CUDA kernels: right results, and every planted fault is found."""

import inspect

import numpy as np
import pytest

from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import Kernel
from minitorch._kernels.cuda.lower import define
from tests import simt

# ruff: noqa: F405 - the words of kernels


def kernel(types, block=64, **options):
    return lambda function: Kernel(function, types, block, **options)


@kernel("i4 f4* f4*")
def reverse_blocks(n, x, out):
    s = shared_array(64, f4)
    i = blockIdx.x * 64 + threadIdx.x
    if i < n:
        s[threadIdx.x] = x[i]
    syncthreads()
    if i < n:
        out[i] = s[min(n - blockIdx.x * 64, 64) - 1 - threadIdx.x]


def test_barriers_order_shared_memory():
    x, out = np.arange(100, dtype=np.float32), np.full(100, np.nan, np.float32)
    for seed in range(5):
        simt.run(reverse_blocks, 2, 100, x, out, seed=seed)
        assert np.array_equal(out, np.r_[x[:64][::-1], x[64:][::-1]])


@kernel("i4 i4*", block=1)
def one_name_for_two_loops(n, out):
    for i in static(2):
        out[i] = 7 + i
    for i in range(2, n):
        out[i] = i


def test_a_loops_name_may_have_been_that_of_a_static_loop():
    out = np.zeros(5, np.int32)
    simt.run(one_name_for_two_loops, 1, 5, out)
    assert out.tolist() == [7, 8, 2, 3, 4]


@kernel("i4 f4* f4*", block=128)
def sum_rows(n, x, out):
    part = shared_array(4, f4)
    total = 0.0
    for i in range(threadIdx.x, n, 128):
        total += x[blockIdx.x * n + i]
    for k in static(5):
        total += shfl_xor(total, 16 >> k)
    if threadIdx.x % 32 == 0:
        part[threadIdx.x // 32] = total
    syncthreads()
    if threadIdx.x == 0:
        out[blockIdx.x] = part[0] + part[1] + part[2] + part[3]


def test_shuffles_sum_a_row():
    x, out = np.arange(900, dtype=np.float32).reshape(3, 300) / 7, np.full(3, np.nan, np.float32)
    simt.run(sum_rows, 3, 300, x, out)
    assert np.allclose(out, x.sum(1), rtol=1e-6)


@kernel("i4* u4*", block=32)
def votes(x, out):
    v = x[threadIdx.x]
    b = ballot(v > 0)
    a = any_lane(v > 100)
    e = all_lanes(v > -100)
    up = shfl_up(v, 1)
    down = shfl_down(v, 1)
    last = shfl(v, 31)
    if threadIdx.x == 5:
        out[0] = b
        out[1] = u4(a)
        out[2] = u4(e)
        out[3] = u4(up)
        out[4] = u4(down)
        out[5] = u4(last)


def test_votes_and_shuffles():
    x, out = np.arange(-9, 23, dtype=np.int32), np.zeros(6, np.uint32)
    simt.run(votes, 1, x, out)
    assert out.tolist() == [sum(1 << k for k in range(10, 32)), 0, 1, 2**32 - 5, 2**32 - 3, 22]


@kernel("u2* u2* f4*", block=32)
def multiply_halves(a, b, c):
    s = shared_array(16 * 16 + 8 * 16, u2)
    lane = threadIdx.x
    for k in static(8):
        s[k * 32 + lane] = a[k * 32 + lane]
    for k in static(4):
        s[256 + k * 32 + lane] = b[k * 32 + lane]
    syncthreads()
    left = ldmatrix_x4(s, lane % 16 * 16 + lane // 16 * 8)
    right = ldmatrix_x4(s, 256 + (lane % 8) * 16 + lane // 8 % 2 * 8)
    d = mma_f16(left[0], left[1], left[2], left[3], right[0], right[1], 0.0, 0.0, 0.0, 0.0)
    row = lane // 4
    column = lane % 4 * 2
    c[row * 8 + column] = d[0]
    c[row * 8 + column + 1] = d[1]
    c[(row + 8) * 8 + column] = d[2]
    c[(row + 8) * 8 + column + 1] = d[3]


def test_ldmatrix_and_mma_multiply_a_tile():
    r = np.random.default_rng(0)
    a, b = r.standard_normal((16, 16)).astype(np.float16), r.standard_normal((8, 16)).astype(np.float16)
    c = np.full((16, 8), np.nan, np.float32)
    simt.run(multiply_halves, 1, a.view(np.uint16), b.view(np.uint16), c)
    assert np.allclose(c, a.astype(np.float64) @ b.astype(np.float64).T, atol=1e-5)


@kernel("i4* i4*", block=64)
def count(x, out):
    atomic_add(out, x[threadIdx.x + blockIdx.x * 64], 1)


def test_atomics_of_several_blocks_are_no_race():
    x, out = np.arange(256, dtype=np.int32) % 5, np.zeros(5, np.int32)
    simt.run(count, 4, x, out)
    assert out.tolist() == np.bincount(x).tolist()


@kernel("u4* u4*", block=32)
def hash_words(x, out):
    out[threadIdx.x] = (x[threadIdx.x] * 2654435769 ^ x[threadIdx.x] >> 16) + 3000000000


def test_unsigned_arithmetic_wraps():
    x = np.arange(32, dtype=np.uint32) * np.uint32(123456789)
    out = np.zeros(32, np.uint32)
    simt.run(hash_words, 1, x, out)
    assert np.array_equal(out, (x * np.uint32(2654435769) ^ x >> np.uint32(16)) + np.uint32(3000000000))


@kernel("f4* f4*", block=32)
def copy_ahead(x, out):
    s = shared_array(128, f4)
    cp_async(s, threadIdx.x * 4, x, threadIdx.x * 4, 16)
    cp_async_commit()
    cp_async_wait(0)
    syncthreads()
    for k in static(4):
        out[threadIdx.x * 4 + k] = s[127 - threadIdx.x * 4 - k]


@kernel("f4* f4*", block=64)
def swap_in_warps(x, out):
    s = shared_array(64, f4)
    s[threadIdx.x] = x[threadIdx.x]
    syncwarp()
    out[threadIdx.x] = s[threadIdx.x ^ 1]


@kernel("f4* f4*", block=32)
def scale_fours(x, out):
    v = regs(4)
    v[:] = load(x, threadIdx.x * 4, 4)
    for k in static(4):
        v[k] = v[k] * 2.0
    store(out, threadIdx.x * 4, *v[:])


def test_asynchronous_copies_vectors_and_warp_barriers():
    x = np.arange(128, dtype=np.float32)
    out = np.full(128, np.nan, np.float32)
    simt.run(copy_ahead, 1, x, out)
    assert np.array_equal(out, x[::-1])
    simt.run(scale_fours, 1, x, out)
    assert np.array_equal(out, 2 * x)
    simt.run(swap_in_warps, 1, x, out)
    assert np.array_equal(out[:64], x[:64].reshape(-1, 2)[:, ::-1].ravel())


def twin(original, before, after):
    """The kernel with a piece of its text changed."""
    text = inspect.getsource(original.function)
    text = text[text.index("def ") :]
    assert before in text
    function = define(text.replace(before, after), original.function.__name__, dict(globals()))
    return Kernel(function, " ".join(original.types), original.block)


FAULTS = [
    ("race: missing barrier", reverse_blocks, "    syncthreads()\n", "", "race .* in line"),
    ("race: missing warp barrier", swap_in_warps, "    syncwarp()\n", "", "race"),
    ("race: across warps", swap_in_warps, "^ 1]", "^ 32]", "race"),
    ("race: all threads write", sum_rows, "if threadIdx.x == 0", "if threadIdx.x < 2", "race"),
    ("race: blocks", sum_rows, "out[blockIdx.x] =", "out[0] =", "blocks? .* writes"),
    ("race: no atomic", count, "atomic_add(out, x[threadIdx.x + blockIdx.x * 64], 1)", "out[0] += 1", "race"),
    ("write out of bounds", reverse_blocks, "out[i] =", "out[i + 37] =", "out of bounds: index 1.. of array out"),
    ("negative index", reverse_blocks, "x[i]", "x[i - 1]", "out of bounds: index -1 of array x"),
    ("shared out of bounds", reverse_blocks, "s[threadIdx.x]", "s[threadIdx.x * 2]", "out of bounds: .* shared"),
    (
        "vector out of bounds",
        scale_fours,
        "load(x, threadIdx.x * 4, 4)",
        "load(x, threadIdx.x * 8, 4)",
        "out of bounds",
    ),
    ("misaligned vector", scale_fours, "store(out, threadIdx.x * 4,", "store(out, threadIdx.x * 3,", "misaligned"),
    ("unwritten register", scale_fours, "v[:] = load(x, threadIdx.x * 4, 4)", "v[0] = 1.0", "before it is written"),
    ("barrier in a branch", reverse_blocks, "    syncthreads()", "    if i < 70:\n        syncthreads()", "meet"),
    (
        "shuffle in a branch",
        sum_rows,
        "        total += shfl",
        "        if threadIdx.x < 5:\n            total += shfl",
        "meet|lanes|ended",
    ),
    ("copy into what is read", copy_ahead, "    cp_async_wait(0)\n    syncthreads()", "", "race"),
]


@pytest.mark.parametrize(
    ("original", "before", "after", "message"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_planted_faults_are_found(original, before, after, message):
    planted = twin(original, before, after)
    arrays = [np.zeros(128, np.int32) if code == "i4*" else np.zeros(128, np.float32) for code in planted.types]
    grid, n = {"reverse_blocks": (2, 100), "sum_rows": (2, 50), "count": (2, 0)}.get(original.name, (1, 0))
    arguments = [n if code == "i4" else array for code, array in zip(planted.types, arrays)]
    with pytest.raises(simt.Fault, match=message):
        simt.run(planted, grid, *arguments)


def test_a_copy_that_nobody_waited_for_is_not_there():
    planted = twin(copy_ahead, "    cp_async_wait(0)\n", "")
    x, out = np.arange(128, dtype=np.float32), np.zeros(128, np.float32)
    simt.run(planted, 1, x, out)
    assert np.isnan(out).all()


def test_a_fault_names_array_thread_and_line():
    planted = twin(scale_fours, "load(x, threadIdx.x * 4, 4)", "load(x, threadIdx.x * 8, 4)")
    with pytest.raises(
        simt.Fault, match=r"4 elements from index \d+ of array x, .*thread \(\d+, 0, 0\) of block .*line 3"
    ):
        simt.run(planted, 1, np.zeros(128, np.float32), np.zeros(128, np.float32))
