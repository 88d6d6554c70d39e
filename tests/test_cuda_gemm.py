"""Matrix products on an emulated GPU against NumPy in double precision."""

import numpy as np
import pytest
import simt
from emulated_gpu import emulated

import minitorch
from minitorch._kernels.cuda import gemm, gemm_kernels

# relative error of the result's norm: of the arithmetic, or of the one rounding of a half result
ERRORS = {"f4": 1e-6, "f8": 1e-14, "tf32": 5e-4, "tf32x3": 1e-6, "bf16": 3e-3, "f16": 4e-4}
LAYOUTS = [(True, True), (True, False), (False, True), (False, False)]


def stored(kind, x):
    """Numbers as a kernel of this kind reads them from memory."""
    if kind == "bf16":
        word = x.astype(np.float32).view(np.uint32)
        return ((word + 0x7FFF + (word >> 16 & 1)) >> 16).astype(np.uint16)
    return x.astype(np.float16).view(np.uint16) if kind == "f16" else x.astype("f8" if kind == "f8" else "f4")


def read(kind, x):
    """The numbers that memory stands for."""
    if kind == "bf16":
        return (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return (x.view(np.float16) if kind == "f16" else x).astype(np.float64)


def check(kind, layout, vector, sizes, tile=64, batch=1, alpha=1.0, beta=0.0, biased=False):
    (m, n, k), (deep_a, deep_b) = sizes, layout
    r = np.random.default_rng(m * n + k)
    shapes = ((batch, m, k), (batch, k, n), (batch, m, n), (n,))
    a, b, c, bias = (stored(kind, r.standard_normal(shape)) for shape in shapes)
    expected = alpha * (read(kind, a) @ read(kind, b)) + beta * read(kind, c) + biased * read(kind, bias)
    left = a if deep_a else a.transpose(0, 2, 1).copy()
    right = b.transpose(0, 2, 1).copy() if deep_b else b
    make = gemm_kernels.ffma if kind in ("f4", "f8") else gemm_kernels.mma
    grid = (-(-m // tile) * -(-n // tile), 1, batch)
    ends = (left, k if deep_a else m, m * k, right, k if deep_b else n, n * k, c, n, m * n)
    kernel = make(kind, deep_a, deep_b, vector, tile)
    simt.run(kernel, grid, m, n, k, 0, *ends, bias, int(biased), alpha, beta)
    assert np.linalg.norm(read(kind, c) - expected) <= ERRORS[kind] * np.linalg.norm(expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_of_odd_sizes_in_all_layouts(layout):
    check("f4", layout, False, (35, 67, 21), batch=2)


@pytest.mark.parametrize("kind", ["f4", "tf32", "tf32x3", "bf16", "f16"])
def test_products_with_everything(kind):
    check(kind, (True, False), True, (40, 72, 48), alpha=0.5, beta=2.0, biased=True)


@pytest.mark.slow
@pytest.mark.parametrize("tile", [64, 128])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ERRORS)
def test_every_kernel_of_products(kind, layout, vector, tile):
    if kind == "f8" and (vector or tile == 128):
        pytest.skip("float64 has no such kernel")
    sizes = (tile + 8, 80, 72) if vector else (tile + 3, 67, 37)
    check(kind, layout, vector, sizes, tile, batch=2, alpha=0.5, beta=2.0, biased=True)


@pytest.mark.slow
def test_three_tf32_products_are_as_exact_as_float32_for_long_sums():
    check("tf32x3", (True, True), True, (8, 8, 2048))


def test_infinities_and_large_numbers_survive_the_splitting():
    a = np.array([[np.inf, 1.0], [3.39e38, 1.5e-38], [1.0, np.nan]], np.float32)
    b, c = np.array([[1.0, 2.0], [0.0, 1.0]], np.float32), np.zeros((3, 2), np.float32)
    kernel = gemm_kernels.mma("tf32x3", True, False, False, 64)
    simt.run(kernel, 1, 3, 2, 2, 0, a, 2, 0, b, 2, 0, c, 2, 0, None, 0, 1.0, 0.0)
    assert np.array_equal(c[0], [np.inf, np.inf]) and np.isnan(c[2]).all()
    assert np.allclose(c[1], [3.39e38, np.inf], rtol=1e-6)


@pytest.fixture
def gpu():
    with emulated() as device:
        yield device


CALLS = {
    "mm": (lambda T, x, y: x @ y, (5, 7), (7, 6)),
    "transposed": (lambda T, x, y: x.t() @ y.t(), (7, 5), (6, 7)),
    "strided": (lambda T, x, y: x[:, ::2] @ y[::2], (5, 8), (8, 6)),
    "expanded": (lambda T, x, y: x.expand(5, 7) @ y, (1, 7), (7, 6)),
    "empty sum": (lambda T, x, y: x @ y, (3, 0), (0, 4)),
    "batches": (lambda T, x, y: T.matmul(x, y), (2, 3, 4), (2, 4, 5)),
    "broadcast batches": (lambda T, x, y: T.matmul(x, y), (2, 3, 4), (4, 5)),
    "vector": (lambda T, x, y: x @ y, (5, 7), (7,)),
    "dot": (lambda T, x, y: x @ y, (9,), (9,)),
    "linear": (lambda T, x, y: T.nn.functional.linear(x, y, y[:, 0]), (5, 7), (6, 7)),
    "linear with a bias for each row": (lambda T, x, y: T.nn.functional.linear(x, y, x[:, :1]), (5, 7), (6, 7)),
}


@pytest.mark.parametrize("name", CALLS)
def test_products_of_tensors_and_their_gradients_are_those_of_the_cpu(gpu, name, rng):
    call, *shapes = CALLS[name]
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    results = []
    for device in ("cpu", "cuda"):
        x, y = (minitorch.tensor(array, device=device, requires_grad=True) for array in arrays)
        out = call(minitorch, x, y)
        out.backward(minitorch.ones_like(out))
        results.append([t.detach().cpu().numpy() for t in (out, x.grad, y.grad)])
    for ours, theirs in zip(*results):
        assert ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-5)


def test_long_sums_are_cut_into_parts(gpu, rng):
    a, b = (rng.standard_normal((6, 600)).astype(np.float32) for _ in range(2))
    x, y = (minitorch.tensor(array, device="cuda") for array in (a, b))
    out = (x @ y.t()).cpu().numpy()
    assert "add_parts_f4" in gpu.launched
    assert np.allclose(out, a.astype(np.float64) @ b.T, atol=1e-4)


def test_the_flag_for_tf32_decides_the_kernel(monkeypatch):
    assert gemm.kind_of(np.dtype(np.float32), 10, 1000) == "f4"
    assert gemm.kind_of(np.dtype(np.float32), 1000, 1000) == "tf32x3"
    monkeypatch.setattr(minitorch.backends.cuda.matmul, "allow_tf32", True)
    assert gemm.kind_of(np.dtype(np.float32), 1000, 1000) == "tf32"
    with pytest.raises(NotImplementedError, match="\"addmm_cuda\" not implemented for 'Long'"):
        gemm.kind_of(np.dtype(np.int64), 2, 2)
