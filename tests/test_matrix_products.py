"""Matrix products by tiles against sums in double precision: every size of block and tile, layouts, nan, packed."""

import itertools
import pathlib

import numpy as np
import pytest

import minitorch
from minitorch._kernels import cache
from minitorch._kernels.cpu import products, tiles

gemm = cache.load_file("cpu.gemm")
# m, k, n: whole tiles and vectors, one more and one less of each, several DEPTHs, single rows and columns
SHAPES = [
    (12, 256, 32), (11, 257, 31), (13, 255, 33), (64, 784, 128), (4, 700, 16), (5, 33, 17), (25, 513, 48), (1, 40, 70),
    (70, 40, 1), (24, 1, 65), (3, 1000, 3), (1000, 300, 20), (485, 20, 40),
]  # fmt: skip


def by_tiles(a, b, kernels=gemm, blocks=1, row=None, transposing=True):
    """row + a @ b by the kernels of `gemm.py`, whichever kernels this processor is better off with."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    batch = len(b) if b.ndim == 3 else 1
    out = np.full((batch, m, n) if b.ndim == 3 else (m, n), np.nan, a.dtype)
    sizes = m, n, k, batch
    step = 0 if a.ndim == 2 else m * k
    a, b, c = products.flat(a), products.flat(b), out.reshape(-1)
    products.by_tiles(kernels, 0, blocks, a, b, c, sizes, step, blocks, row, transposing and m < n)
    return out


def exact(a, b):
    return np.matmul(a.astype(np.float64), b.astype(np.float64))


def bound(a, b):
    """Of the rounding of a sum of products, of which some hundred are added one after the other."""
    return 150 * np.finfo(a.dtype).eps * np.matmul(abs(a).astype(np.float64), abs(b).astype(np.float64))


def matrix(draw, rows, columns, dtype, transposed, batch=()):
    shape = (*batch, columns, rows) if transposed else (*batch, rows, columns)
    made = draw.standard_normal(shape).astype(dtype)
    return made.swapaxes(-1, -2) if transposed else made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_products_of_all_layouts_are_the_sums(shape, dtype):
    m, k, n = shape
    draw = np.random.default_rng(0)
    for a_t, b_t in itertools.product((False, True), repeat=2):
        for batch in ((), (3,)):
            a, b = matrix(draw, m, k, dtype, a_t, batch), matrix(draw, k, n, dtype, b_t, batch)
            assert (abs(by_tiles(a, b) - exact(a, b)) <= bound(a, b)).all()
    shared = matrix(draw, m, k, dtype, False)
    assert (abs(by_tiles(shared, b) - exact(shared, b)) <= bound(shared, b)).all()


@pytest.mark.parametrize("seed", range(20))
def test_products_of_random_sizes_do_not_depend_on_blocks(seed):
    draw = np.random.default_rng(seed)
    m, k, n = (int(size) for size in draw.integers(1, 150, 3))
    a, b = (matrix(draw, *size, np.float32, bool(draw.integers(2))) for size in ((m, k), (k, n)))
    row = None if seed % 2 else draw.standard_normal(n, np.float32)
    whole = by_tiles(a, b, row=row)
    added = 0 if row is None else row.astype(np.float64)
    assert (abs(whole - (exact(a, b) + added)) <= bound(a, b) + 1e-6 * abs(added)).all()
    for blocks in (2, 3):
        if max(m, n) >= blocks:
            np.testing.assert_array_equal(by_tiles(a, b, blocks=blocks, row=row), whole)


@pytest.mark.parametrize("shape", [(4, 700, 16), (5, 33, 17), (25, 513, 48), (1, 40, 70), (16, 20, 490), (33, 300, 50)])
def test_a_product_whose_transpose_is_computed_has_the_same_bits(shape):
    m, k, n = shape
    draw = np.random.default_rng(0)
    for dtype, batch, blocks in itertools.product((np.float32, np.float64), ((), (3,)), (1, 2)):
        a, b = matrix(draw, m, k, dtype, False, batch), matrix(draw, k, n, dtype, True, batch)
        for row in (None, draw.standard_normal(n).astype(dtype)):
            straight = by_tiles(a, b, row=row, transposing=False)
            np.testing.assert_array_equal(by_tiles(a, b, blocks=blocks, row=row), straight)


@pytest.mark.parametrize("per_cycle", [1, 2])
def test_transposing_the_result_pays_for_few_rows_that_fill_vectors(per_cycle, monkeypatch):
    for name, value in ("VECTOR_BYTES", 64), ("PER_CYCLE", per_cycle), ("LOW", 4):
        monkeypatch.setattr(gemm, name, value)
    pays = gemm.transpose_pays.__wrapped__
    for m in 16, 32, 64:
        assert pays(m, 1024, 1024, 4)
    assert pays(17, 1024, 1024, 4) == (per_cycle == 2)  # half of the vectors' lanes are empty
    for m, n, k in ((1024, 1024, 1024), (16, 1024, 4), (1024, 16, 1024)):
        assert not pays(m, n, k, 4)


@pytest.mark.skipif(not gemm.BETTER_THAN_BLAS, reason="BLAS multiplies")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_layer_of_few_rows_transposes_its_result(count, monkeypatch):
    draw, seen = np.random.default_rng(0), []
    matrices = gemm.matrices
    monkeypatch.setattr(gemm, "matrices", lambda *args: (seen.append((args[0] != 0, args[-2])), matrices(*args)))
    monkeypatch.setattr(products, "_tiles", lambda: gemm)
    x, w, bias = (draw.standard_normal(shape).astype("f") for shape in ((32, 700), (1000, 700), 1000))
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(count)
    try:
        found = minitorch.nn.functional.linear(*map(minitorch.from_numpy, (x, w, bias))).numpy()
    finally:
        minitorch.set_num_threads(before)
    assert seen == [(count > 1, True)]
    np.testing.assert_array_equal(found, by_tiles(x, w.T, row=bias, transposing=False))


def test_the_gradient_of_a_bias_is_as_exact_as_a_sum():
    layer = minitorch.nn.Linear(1, 1)
    layer(minitorch.ones(10**6, 1)).mean().backward()
    assert abs(layer.bias.grad.item() - 1) < 1e-6


@pytest.mark.parametrize("k", [40, 300])
def test_a_row_is_added_by_tiles_as_by_numpy(k, monkeypatch):
    draw = np.random.default_rng(0)
    a, b, row = (draw.standard_normal(shape).astype("f") for shape in ((130, k), (k, 70), 70))
    tiled, whole = [], products.by_tiles
    monkeypatch.setattr(products, "by_tiles", lambda *args: (tiled.append(args[0]), whole(*args)))
    for kernels in (gemm, None):
        monkeypatch.setattr(products, "_tiles", lambda kernels=kernels: kernels)
        np.testing.assert_allclose(products.dot(a, b, row), exact(a, b) + row, rtol=1e-4, atol=1e-5)
    assert tiled == [gemm] * (130 * k * 70 >= products.TILED)


def test_nan_and_infinities_stay_in_their_rows_and_columns():
    draw = np.random.default_rng(0)
    a, b = (matrix(draw, *size, np.float32, False) for size in ((30, 300), (300, 50)))
    a[3, 7], a[8, 1], b[2, 9], b[40, 11] = np.nan, np.inf, -np.inf, np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(by_tiles(a, b), a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.slow  # compiles every kernel anew
@pytest.mark.parametrize(("vector_bytes", "tile"), [(16, 6), (32, 6), (64, 12)])
def test_products_are_right_for_every_vector_length(vector_bytes, tile):
    tiles_text, text = (pathlib.Path(m.__file__).read_text(encoding="utf-8") for m in (tiles, gemm))
    constants = f"VECTORS = 2\nVECTOR_BYTES, TILE = {vector_bytes}, {tile}\n"
    other = cache.load("tiles", tiles_text.replace("VECTORS = 2\n", constants))
    text = text.replace("from .tiles", f"from {other.__name__}").replace("from .", "from minitorch._kernels.cpu.")
    kernels = cache.load("gemm", text)
    assert vector_bytes == kernels.VECTOR_BYTES
    draw = np.random.default_rng(0)
    for dtype, (m, k, n) in itertools.product((np.float32, np.float64), SHAPES):
        for a_t, b_t in itertools.product((False, True), repeat=2):
            a, b = matrix(draw, m, k, dtype, a_t), matrix(draw, k, n, dtype, b_t)
            assert (abs(by_tiles(a, b, kernels) - exact(a, b)) <= bound(a, b)).all()
