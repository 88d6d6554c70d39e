"""Matrix products by wgmma on an emulated GPU against NumPy in double precision; what the emulator finds of faults."""

import inspect

import numpy as np
import pytest
from emulated_gpu import emulated
from sass import disassembler, faults
from test_cuda_gemm import ERRORS, LAYOUTS, read, stored

import minitorch
from benchmarks.gpu_hopper import COPIED
from minitorch._kernels.cuda import gemm, gemm_hopper, lower
from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import Kernel
from tests import simt
from tests.simt_hopper import TensorMap

# ruff: noqa: F405 - the words of kernels


def mapped(kind, x, deep, rows):
    """An operand within memory whose lines are further apart, with nan between them."""
    (batches, lines, length), size = x.shape, x.itemsize
    leading = -(-length // 8) * 8 + 8
    memory = np.full((batches, lines, leading), 0xFFFF if size == 2 else np.nan, x.dtype)
    memory[:, :, :length] = x
    strides = (leading * size, lines * leading * size)
    box = gemm_hopper.box_of(kind, deep, rows)
    return TensorMap(memory, 0, "tf32" if kind == "tf32" else "u2", (length, lines, batches), strides, box)


def check(kind, layout, vector, sizes, columns=128, batch=1, alpha=1.0, beta=0.0, biased=False, seed=0):
    (m, n, k), (deep_a, deep_b) = sizes, layout
    r = np.random.default_rng(m * n + k)
    shapes = ((batch, m, k), (batch, k, n), (batch, m, n), (n,))
    a, b, c, bias = (stored(kind, r.standard_normal(shape)) for shape in shapes)
    expected = alpha * (read(kind, a) @ read(kind, b)) + beta * read(kind, c) + biased * read(kind, bias)
    left = mapped(kind, a if deep_a else a.transpose(0, 2, 1), deep_a, 128)
    right = mapped(kind, b.transpose(0, 2, 1) if deep_b else b, deep_b, columns)
    kernel = gemm_hopper.wgmma(kind, deep_a, deep_b, vector, columns)
    grid = (-(-m // 128) * -(-n // columns), 1, batch)
    ends = (left, int(batch > 1), right, int(batch > 1), c, n, m * n, bias, int(biased), alpha, beta)
    simt.run(kernel, grid, m, n, k, *ends, seed=seed)
    assert np.linalg.norm(read(kind, c) - expected) <= ERRORS[kind] * np.linalg.norm(expected)


def test_a_box_lies_in_shared_memory_with_pieces_of_16_bytes_xored_by_their_row():
    x = np.arange(1, 60 * 56 + 1, dtype=np.uint16).reshape(60, 56)
    out = np.zeros(64 * 32, np.uint32)
    simt.run(COPIED, 1, TensorMap(x, 0, "u2", (56, 60, 1), (112, 112 * 60), (64, 64, 1)), out)
    box = np.zeros((64, 8, 8), np.uint16)  # from row 3, column 8 on
    box[:57, :6] = x[3:, 8:].reshape(57, 6, 8)
    found = out.view(np.uint16).reshape(64, 8, 8)
    row, piece = np.ogrid[:64, :8]
    assert np.array_equal(found[row, piece ^ row % 8], box)


def test_copies_round_float32_to_tf32():
    x = np.array([[1 + 2.0**-11, 1 + 2.0**-12, np.inf, np.nan] * 8] * 64, np.float32)
    out = np.zeros(64 * 32, np.uint32)
    simt.run(COPIED, 1, TensorMap(x, 0, "tf32", (32, 64, 1), (128, 8192), (32, 64, 1)), out)
    assert set(out.view(np.float32)[~np.isnan(out.view(np.float32))]) == {0.0, 1 + 2.0**-10, 1.0, np.inf}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_of_odd_sizes_in_all_layouts(layout):
    check("bf16", layout, False, (35, 67, 85))


@pytest.mark.parametrize("kind", ["bf16", "f16", "tf32"])
def test_products_with_everything(kind):
    check(kind, (True, True), True, (40, 72, 40), batch=2, alpha=0.5, beta=2.0, biased=True)


def test_more_slices_than_stages_and_a_second_tile():
    check("f16", (True, False), True, (136, 72, 328), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [128, 256])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", gemm_hopper.MULTIPLY)
def test_every_kernel_of_products(kind, layout, vector, columns):
    if kind == "tf32" and layout != (True, True):
        pytest.skip("tf32 has no such kernel")
    sizes = (136, columns + 8, 328) if vector else (131, columns + 3, 85)
    check(kind, layout, vector, sizes, columns, batch=2, alpha=0.5, beta=2.0, biased=True)


def twin(before, after, layout=(False, True)):
    """The kernel with a piece of its text changed."""
    made = gemm_hopper.wgmma("bf16", *layout, True, 128)
    text = inspect.getsource(made.function)
    assert before in text
    indent = len(text) - len(text.lstrip())
    lines = "\n".join(line[indent:] for line in text.replace(before, after).splitlines()) + "\n"
    closed = inspect.getclosurevars(made.function)
    function = lower.define(lines, "gemm", {**vars(gemm_hopper), **closed.nonlocals})
    return Kernel(function, " ".join(made.types), made.block, shared=made.shared)


EXPECT, ARRIVALS = "mbarrier_expect(barriers, stage, size", "stages + q, CONSUMERS // 32"
FAULTS = [
    ("copies not waited for", "mbarrier_wait(barriers, stage, parity)", "pass", "not brought"),
    (
        "reads not waited for",
        "mbarrier_wait(barriers, stages + stage, parity ^ 1)",
        "pass",
        "one more before its phase",
    ),
    ("too few bytes", EXPECT, "mbarrier_expect(barriers, stage, size_a", "not brought|nobody ends"),
    ("too many bytes", EXPECT, "mbarrier_expect(barriers, stage, 16 + size", "nobody ends"),
    ("one warp's arrival is enough", ARRIVALS, "stages + q, 1", "nobody ends|may still read"),
    ("an arrival more", ARRIVALS, "stages + q, 9", "nobody ends"),
    ("no fence of barriers", "mbarrier_fence()", "pass", "mbarrier_fence has not made known"),
    ("no barrier of the block", "syncthreads()", "pass", "no barrier at|race"),
    ("no fence of registers", "wgmma_fence()", "pass", "wgmma_fence is missing"),
    ("no commit", "wgmma_commit()", "pass", "before wgmma_commit"),
    ("no wait for sums", "sums[:] = wgmma_wait(count, *sums[:])", "pass", "before wgmma_wait|may still read"),
    ("boxes not aligned", "% 1024", "% 128", "within the pattern"),
    ("descriptors of two warps", "threadIdx.x // 128 * BOX", "threadIdx.x // 64 * BOX", "different descriptors"),
    ("beyond shared memory", "size + size_a, deep_b)", "size + 6 * size_a, deep_b)", "leads out of|nothing is at"),
]


def run_twin(kernel, deep_b=True):
    m, n, k = 128, 128, 328
    r = np.random.default_rng(0)
    a, b = (stored("bf16", r.standard_normal(shape)) for shape in ((1, k, m), (1, k, n)))
    c = np.zeros((m, n), np.uint16)
    right = mapped("bf16", b.transpose(0, 2, 1) if deep_b else b, deep_b, 128)
    simt.run(kernel, 1, m, n, k, mapped("bf16", a, False, 128), 0, right, 0, c, n, 0, None, 0, 1.0, 0.0)
    expected = read("bf16", a)[0].T @ read("bf16", b)[0]
    return np.linalg.norm(read("bf16", c) - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(("before", "after", "message"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_planted_faults_are_found(before, after, message):
    with pytest.raises(simt.Fault, match=message):
        run_twin(twin(before, after))


@pytest.mark.parametrize("deep_b", [True, False])
def test_the_twin_without_a_fault_is_right(deep_b):
    assert run_twin(twin("slices = ", "slices = ", (False, deep_b)), deep_b) < ERRORS["bf16"]


@pytest.mark.parametrize(
    ("change", "deep_b"),
    [("+ (64 << 32)", True), ("- (32 << 32)", True), ("- (256 << 16)", False), ("- (32 << 32)", False), ("+ 1", True)],
)
def test_a_descriptor_with_a_wrong_distance_shows(change, deep_b):
    kernel = twin(
        "b = descriptor(s, stage * size + size_a, deep_b)",
        f"b = descriptor(s, stage * size + size_a, deep_b) {change}",
        (False, deep_b),
    )
    assert seen(kernel, deep_b) in ("wrong", "fault")


def seen(kernel, deep_b):
    """What a run of a kernel shows."""
    try:
        return "right" if run_twin(kernel, deep_b) < 0.1 else "wrong"
    except simt.Fault:
        return "fault"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(gemm, "WGMMA_FROM", 0)
    with emulated() as device:
        yield device


def products(dtype, call, *arrays):
    out = []
    for device in ("cpu", "cuda"):
        given = [minitorch.tensor(array).to(getattr(minitorch, dtype)).to(device) for array in arrays]
        out.append(call(*given).float().cpu().numpy())
    return out


CALLS = {
    "nn": (lambda x, y: x @ y, (9, 16), (16, 24), "nn_128v"),
    "nt": (lambda x, y: x @ y.t(), (9, 16), (24, 16), "nt_128v"),
    "tn": (lambda x, y: x.t() @ y, (16, 8), (16, 24), "tn_128v"),
    "batches": (lambda x, y: minitorch.matmul(x, y), (2, 5, 8), (2, 8, 16), "nn_128v"),
    "one for all batches": (lambda x, y: minitorch.bmm(x, y[None].expand(2, 8, 16)), (2, 5, 8), (8, 16), "nn_128v"),
    "heads of a packed projection": (
        lambda x, y: x.view(6, 2, 8).transpose(0, 1) @ y, (6, 16), (2, 8, 8), "nn_128v"),
    "linear": (lambda x, y: minitorch.nn.functional.linear(x, y, y[:, 0]), (5, 8), (6, 8), "nt_128v"),
    "odd columns": (lambda x, y: x @ y.t(), (5, 8), (7, 8), "nt_128"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_products_of_tensors_are_those_of_the_cpu(gpu, name, rng):
    call, one, other, kernel = CALLS[name]
    ours, theirs = products("bfloat16", call, *(rng.standard_normal(s).astype(np.float32) for s in (one, other)))
    assert f"gemm_wgmma_bf16_{kernel}" in gpu.launched
    assert np.allclose(ours, theirs, rtol=1e-2, atol=1e-2)


def test_operands_whose_lines_do_not_begin_at_16_bytes_are_left_to_mma(gpu, rng):
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 15), (15, 24)))
    ours, theirs = products("float16", lambda x, y: x @ y, x, y)
    assert any(name.startswith("gemm_f16") for name in gpu.launched) and np.allclose(ours, theirs, atol=1e-2)


def test_float32_is_turned_for_tf32(gpu, monkeypatch, rng):
    monkeypatch.setattr(minitorch.backends.cuda.matmul, "allow_tf32", True)
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 16), (16, 24)))
    ours, theirs = products("float32", lambda x, y: x @ y, x, y)
    assert "gemm_wgmma_tf32_nt_128v" in gpu.launched and np.allclose(ours, theirs, atol=2e-2)


def test_no_product_runs_on_wgmma_until_a_gpu_has_shown_that_it_is_right(rng):
    with emulated() as device:
        x = minitorch.ones(300, 8, dtype=minitorch.bfloat16, device="cuda")
        _ = x @ x.t()
    assert not any("wgmma" in name for name in device.launched)


def one_by_one(m, p, out):
    s = dynamic_shared(0, u1)
    barriers = shared_array(1, u8)
    sums = regs(8, fill=0.0)
    copy_box(s, 0, m, 0, 0, 0, barriers, 0)
    for _ in static(4):
        wgmma_fence()
        sums[:] = wgmma_f16(8, False, False, u8(p), u8(p), *sums[:])
        wgmma_commit()
        sums[:] = wgmma_wait(8, *sums[:])
    for q in static(8):
        out[threadIdx.x * 8 + q] = sums[q]


def test_products_that_wait_for_each_other_are_found_in_machine_code():
    disassembler()
    assert "wgmma one by one" in faults(Kernel(one_by_one, "map i8 f4*", 128, shared=1024, wgmma=True))[0]


@pytest.mark.parametrize("name", ["wgmma ('bf16', True, False, True, 256)", "wgmma ('tf32', True, True, True, 128)"])
def test_kernels_compile_to_what_they_claim(name):
    disassembler()
    assert not faults(gemm_hopper.REPRESENTATIVE[name]())
