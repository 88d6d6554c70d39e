"""The convolution kernels against plain loops and against torch."""

import pathlib
import tracemalloc

import naive
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import minitorch
from minitorch._kernels.cache import load, load_file
from minitorch._kernels.cpu import conv_integers, tiles

conv = load_file("cpu.conv")
conv_pixels, conv_winograd = conv.conv_pixels, conv.conv_winograd
conv_winograd_weights = conv.conv_winograd_weights

# N, C, (H, W), K, (R, S), stride, padding, dilation, groups
CONVS = {
    "mnist_first_layer": (2, 1, (28, 28), 16, (5, 5), (1, 1), (2, 2), (1, 1), 1),
    "one_pixel": (1, 1, (1, 1), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "partial_block_of_lanes": (3, 5, (6, 7), 21, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "one_vector_of_lanes": (3, 3, (9, 7), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "less_than_a_vector_of_lanes": (2, 16, (6, 7), 3, (3, 3), (2, 1), (1, 1), (1, 1), 1),
    "two_blocks_of_lanes": (2, 18, (5, 5), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "more_taps_than_a_chunk": (2, 70, (6, 6), 9, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "more_pixels_than_a_block": (2, 2, (17, 19), 17, (2, 3), (1, 1), (0, 0), (1, 1), 1),
    "many_images_in_a_block": (11, 2, (4, 4), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "small_images_side_by_side": (7, 18, (3, 2), 37, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "more_small_images_than_a_block": (70, 3, (2, 2), 34, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "small_images_and_a_stride": (9, 20, (8, 8), 33, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "a_quarter_of_the_taps_in_the_padding": (11, 14, (8, 8), 33, (5, 5), (1, 1), (2, 2), (1, 1), 1),
    "rows_that_miss_most_taps": (2, 3, (7, 3), 18, (5, 7), (2, 1), (4, 3), (1, 1), 1),
    "more_images_than_lanes_of_tiles": (37, 5, (3, 4), 9, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "rows_of_more_tiles_than_a_vector": (2, 3, (3, 71), 42, (3, 3), (1, 1), (2, 1), (1, 1), 1),
    "squares_without_padding": (3, 2, (6, 21), 8, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    "one_by_one": (2, 9, (7, 7), 20, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "stride_past_the_kernel": (2, 3, (9, 9), 4, (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "resnet_stem": (1, 3, (23, 23), 8, (7, 7), (2, 2), (3, 3), (1, 1), 1),
    "uneven_everything": (3, 4, (11, 13), 6, (3, 2), (2, 3), (1, 0), (2, 1), 2),
    "stride_meets_dilation": (2, 3, (12, 11), 5, (3, 3), (2, 4), (3, 2), (3, 2), 1),
    "padding_past_the_kernel": (2, 2, (5, 5), 3, (3, 3), (1, 1), (4, 5), (1, 1), 1),
    "padding_one_side": (2, 2, (5, 6), 3, (3, 3), (1, 1), (0, 2), (1, 1), 1),
    "rows_that_no_window_reaches": (2, 2, (8, 8), 3, (2, 2), (3, 3), (0, 0), (1, 1), 1),
    "rows_of_whole_vectors": (2, 3, (19, 32), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "rows_of_vectors_that_overlap": (3, 2, (5, 27), 21, (3, 5), (1, 1), (1, 2), (1, 1), 1),
    "rows_of_a_vector_and_a_half": (3, 2, (5, 24), 9, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "rows_of_a_vector_and_a_quarter": (2, 2, (7, 20), 9, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "an_odd_number_of_vectors": (1, 1, (3, 48), 9, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "wide_rows_of_few_channels": (2, 9, (6, 33), 3, (3, 3), (2, 1), (1, 0), (1, 2), 1),
    "wide_rows_without_padding": (2, 4, (7, 36), 8, (1, 3), (1, 1), (0, 0), (1, 1), 1),
    "a_line_of_vectors": (2, 3, (70,), 10, (5,), (1,), (4,), (2,), 1),
    "a_volume_of_vectors": (1, 2, (4, 3, 19), 9, (2, 2, 3), (1, 2, 1), (1, 0, 1), (2, 1, 1), 1),
    "rows_of_phases": (3, 4, (19, 33), 18, (4, 4), (2, 2), (1, 1), (1, 1), 1),
    "phases_without_taps": (2, 3, (9, 38), 5, (2, 2), (2, 3), (1, 1), (1, 1), 1),
    "phases_of_a_volume": (2, 2, (5, 6, 20), 5, (3, 2, 3), (1, 2, 2), (1, 0, 1), (1, 1, 1), 1),
    "outputs_of_one_pixel": (3, 5, (4, 3), 7, (4, 3), (2, 2), (0, 0), (1, 1), 1),
    "depthwise": (2, 6, (7, 9), 6, (3, 3), (1, 1), (1, 1), (1, 1), 6),
    "depthwise_of_wide_rows": (2, 3, (5, 37), 3, (3, 3), (1, 1), (1, 1), (1, 1), 3),
    "depthwise_of_tall_planes": (2, 3, (37, 11), 3, (7, 7), (1, 1), (3, 3), (1, 1), 3),
    "depthwise_of_large_planes": (1, 2, (40, 60), 2, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "depthwise_stride": (3, 4, (11, 14), 4, (3, 3), (2, 2), (1, 1), (1, 1), 4),
    "depthwise_uneven": (2, 3, (11, 13), 3, (3, 2), (2, 3), (1, 0), (2, 1), 3),
    "depthwise_line": (2, 5, (23,), 5, (4,), (2,), (3,), (2,), 5),
    "depthwise_multiplier": (2, 3, (7, 9), 6, (3, 3), (2, 2), (1, 1), (1, 1), 3),
    "groups_of_a_tile": (2, 32, (9, 20), 16, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "groups_of_half_a_tile": (3, 8, (7, 33), 8, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "groups_of_more_than_a_tile": (2, 9, (5, 17), 33, (2, 3), (2, 1), (1, 2), (1, 1), 3),
    "groups_in_phases": (2, 12, (9, 18), 24, (4, 4), (2, 2), (1, 1), (1, 1), 3),
    "groups_summed_by_themselves": (4, 8, (28, 28), 8, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "groups_of_lines": (2, 16, (40,), 24, (5,), (1,), (2,), (1,), 2),
    "groups_of_volumes": (2, 6, (3, 4, 18), 12, (2, 2, 3), (1, 1, 1), (1, 0, 1), (1, 1, 1), 3),
    "line": (3, 4, (23,), 6, (5,), (2,), (3,), (2,), 2),
    "line_of_one_tap": (2, 3, (9,), 5, (1,), (1,), (0,), (1,), 1),
    "volume": (2, 3, (5, 6, 4), 5, (3, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 1), 1),
    "uneven_volume": (2, 4, (6, 7, 5), 4, (2, 3, 1), (3, 1, 2), (1, 2, 0), (2, 1, 1), 2),
}
DTYPES = [np.float32, np.float64]
SQUARES_OF_3 = [name for name, case in CONVS.items() if case[4:6] + case[7:] == ((3, 3), (1, 1), (1, 1), 1)]


def arrays(case, dtype):
    """x, w, bias and an output gradient of whole numbers, small enough that sums are exact."""
    batch, channels, size, filters, taps, stride, padding, dilation, groups = case
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.integers(-4, 5, shape).astype(dtype)

    outputs = ((n + 2 * p - d * (t - 1) - 1) // s + 1 for n, p, d, t, s in zip(size, padding, dilation, taps, stride))
    x, w = draw(batch, channels, *size), draw(filters, channels // groups, *taps)
    return x, w, draw(filters), draw(batch, filters, *outputs), case[5:]


def results(kernels, x, w, bias, g, options):
    """Forward result and the gradients of input and weight, all written over nan."""
    out, dx, dw = (np.full_like(a, np.nan) for a in (g, x, w))
    kernels.convolution(x, w, bias, *options, out)
    kernels.convolution_transpose(g, w, None, *options, dx)
    kernels.convolution_backward_weight(g, x, *options, dw)
    return out, dx, dw


def torch_results(x, w, bias, g, options):
    leaves = [torch.from_numpy(a).requires_grad_() for a in (x, w)]
    convolve = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    out = convolve(*leaves, torch.from_numpy(bias), *options)
    return [out.detach(), *torch.autograd.grad(out, leaves, torch.from_numpy(g))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONVS)
def test_convolution_and_gradients_are_the_naive_sums(name, dtype):
    *data, options = arrays(CONVS[name], dtype)
    for ours, expected in zip(results(conv, *data, options), results(naive, *data, options)):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, case in CONVS.items() if len(case[2]) == 2])
def test_convolution_of_channels_last_is_the_naive_sums(name, dtype):
    x, w, bias, g, options = arrays(CONVS[name], dtype)
    expected = results(naive, x, w, bias, g, options)
    x, g = (np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for a in (x, g))
    for ours, naively in zip(results(conv, x, w, bias, g, options), expected):
        np.testing.assert_array_equal(ours, naively)


def test_tiles_leave_out_taps_in_the_padding():
    """The share of the products that is done, where 0.72 are needed, and each sum still goes over what it needs."""
    axes, place = ((range(8),) * 2, (range(5),) * 2), (3, (12, 12), (2, 2), (8, 8))
    bases, _, where, rows, lists, ends = conv.conv_tables.tiles_of_pixels(*axes, *place, 0, 9, 1000)
    assert np.diff(ends).sum() * tiles.TILE / (9 * 64 * 25) < 0.77
    assert sorted(where) == [i * 1000 + p for i in range(9) for p in range(64)]
    for p in range(9 * 64):
        first, last = ends[rows[p] // tiles.TILE]
        row, column = divmod(bases[rows[p]] % (3 * 144), 12)
        met = {5 * r + c for r in range(5) for c in range(5) if 2 <= row + r < 10 and 2 <= column + c < 10}
        assert met <= set(lists[first:last])


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("name", ["depthwise_of_wide_rows", "depthwise_stride"])
def test_depthwise_convolution_of_infinities_and_nan_is_the_naive_sums(name, value):
    *data, options = arrays(CONVS[name], np.float32)
    data[0].reshape(-1)[:: data[0].size // 5] = value
    with np.errstate(invalid="ignore"):
        wanted = results(naive, *data, options)
    for ours, expected in zip(results(conv, *data, options), wanted):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("name", CONVS)
def test_convolution_and_gradients_equal_torch(name):
    *data, options = arrays(CONVS[name], np.float32)
    for ours, theirs in zip(results(conv, *data, options), torch_results(*data, options)):
        np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution_rounds_as_well_as_torch(dtype):
    rng = np.random.default_rng(1)
    *data, options = arrays(CONVS["more_taps_than_a_chunk"], dtype)
    data = [rng.standard_normal(a.shape).astype(dtype) for a in data]
    tolerance = 2000 * np.finfo(dtype).eps
    for ours, theirs in zip(results(conv, *data, options), torch_results(*data, options)):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", [name for name, case in CONVS.items() if case[-1] == 1])
def test_vectors_of_pixels_and_of_channels_give_the_same_bits(name, monkeypatch):
    rng = np.random.default_rng(2)
    *data, options = arrays(CONVS[name], np.float32)
    data = [rng.standard_normal(a.shape).astype(np.float32) for a in data]
    found = []
    for pays in (True, False):
        by_winograd(monkeypatch, False)
        monkeypatch.setattr(conv.conv_pixels, "pays", lambda *_, pays=pays, **turned: pays)
        found.append(results(conv, *data, options))
    for by_pixels, by_channels in zip(*found):
        np.testing.assert_array_equal(by_pixels, by_channels)


def by_winograd(monkeypatch, pays, kernels=conv):
    for module in (kernels.conv_winograd, kernels.conv_winograd_weights):
        monkeypatch.setattr(module, "pays", lambda *_: pays)


@pytest.mark.parametrize("name", SQUARES_OF_3)
def test_convolution_by_winograd_is_the_naive_sums(name, monkeypatch):
    by_winograd(monkeypatch, True)
    *data, options = arrays(CONVS[name], np.float32)
    for ours, expected in zip(results(conv, *data, options), results(naive, *data, options)):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.float32(2e38)])
@pytest.mark.parametrize("spoiled", ["x", "w", "bias", "g"])
def test_convolution_by_winograd_of_infinities_and_nan_is_convolution(spoiled, value, monkeypatch):
    """An infinity would reach all four outputs of a tile, and the sum of four numbers be one where none is."""
    *data, options = arrays(CONVS["more_images_than_lanes_of_tiles"], np.float32)
    dict(zip(("x", "w", "bias", "g"), data, strict=True))[spoiled].reshape(-1)[:9:2] = value
    found = []
    for pays in (True, False):
        by_winograd(monkeypatch, pays)
        found.append(results(conv, *data, options))
    for ours, expected in zip(*found):
        np.testing.assert_array_equal(ours, expected)


def test_convolution_by_winograd_rounds_as_well_as_convolution(monkeypatch):
    rng = np.random.default_rng(5)
    shapes = (3, 64, 20, 23), (64, 64, 3, 3), (64,), (3, 64, 20, 23)
    data, options = [rng.standard_normal(shape).astype(np.float32) for shape in shapes], ((1, 1), (1, 1), (1, 1), 1)
    exact = [a.numpy() for a in torch_results(*[a.astype(np.float64) for a in data], options)]
    errors = []
    for pays in (True, False):
        by_winograd(monkeypatch, pays)
        found = results(conv, *data, options)
        errors.append([np.abs(ours - wanted).max() for ours, wanted in zip(found, exact)])
    assert (np.array(errors[0]) < errors[1]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, case in CONVS.items() if case[-1] == case[5][-1] == 1])
def test_gradient_of_weights_by_pixels_is_the_naive_sums(name, dtype, monkeypatch):
    monkeypatch.setattr(conv.conv_pixels, "pays_for_weights", lambda *_: True)
    x, w, _, g, options = arrays(CONVS[name], dtype)
    ours, wanted = np.full_like(w, np.nan), np.empty_like(w)
    conv.convolution_backward_weight(g, x, *options, ours)
    naive.convolution_backward_weight(g, x, *options, wanted)
    np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("wide", [11, 21])
def test_gradient_of_weights_by_pixels_reads_no_neighbours(value, wide, monkeypatch):
    """Of what stands after a row, in x or in memory, nothing reaches the row's sums."""
    monkeypatch.setattr(conv.conv_pixels, "pays_for_weights", lambda *_: True)
    x, g = np.ones((2, 2, 3, wide + 3), np.float32), np.ones((2, 5, 1, wide), np.float32)
    x[:, :, :, -1] = x[:, 1:, 1:] = x[:, :, 2:] = value
    dw = np.empty((5, 2, 2, 3), np.float32)
    conv.convolution_backward_weight(g, x, (1, 1), (0, 0), (1, 1), 1, dw)
    np.testing.assert_array_equal(dw[:, 0], 2 * wide)


def test_convolution_accepts_any_strides_and_read_only_arrays():
    *data, options = arrays(CONVS["uneven_everything"], np.float32)
    expected = results(conv, *data, options)
    strange = [np.asfortranarray(a) for a in data]
    strange[0] = np.repeat(data[0], 2, axis=3)[..., ::2]
    strange[3] = np.ascontiguousarray(data[3][::-1])[::-1]
    for a in strange:
        a.flags.writeable = False
    x, w, bias, g = strange
    out, dx, dw = (np.full_like(np.repeat(a, 2, axis=0), np.nan)[::2] for a in (g, x, w))
    conv.convolution(x, w, bias, *options, out)
    conv.convolution_transpose(g, w, None, *options, dx)
    conv.convolution_backward_weight(g, x, *options, dw)
    for ours, wanted in zip((out, dx, dw), expected):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.slow  # compiles every kernel anew
@pytest.mark.parametrize(("vector_bytes", "tile"), [(16, 6), (32, 6), (64, 12)])
def test_convolution_is_right_for_every_vector_length(vector_bytes, tile, monkeypatch):
    def text(module):
        return pathlib.Path(module.__file__).read_text(encoding="utf-8")

    def loaded(module, own=()):
        """The module over the tiles of that length, and over other modules of its own."""
        of_tiles = text(module).replace("from .tiles", f"from {other_tiles.__name__}")
        here = of_tiles.replace("from . import", "from minitorch._kernels.cpu import")
        for name in own:
            here = here.replace(f"from .{name} ", f"from {own[name].__name__} ")
        return load(module.__name__.rpartition(".")[2], here.replace("from .", f"from {package}."))

    package = tiles.__name__.rpartition(".")[0]
    constants = f"VECTORS = 2\nVECTOR_BYTES, TILE = {vector_bytes}, {tile}\n"
    other_tiles = load("tiles", text(tiles).replace("VECTORS = 2\n", constants))
    conv_tables = loaded(conv.conv_tables)
    other = loaded(conv, {"conv_tables": conv_tables})
    other.conv_tables, other.conv_pixels, other.conv_winograd = conv_tables, loaded(conv_pixels), loaded(conv_winograd)
    other.conv_winograd_weights = loaded(conv_winograd_weights, {"conv_winograd": other.conv_winograd})
    assert (vector_bytes, tile) == (other.VECTOR_BYTES, other.TILE)
    for name, case in CONVS.items():
        *data, options = arrays(case, np.float32)
        wanted = results(naive, *data, options)
        for pays in (False, True)[: 1 + (name in SQUARES_OF_3)]:
            by_winograd(monkeypatch, pays, other)
            for ours, expected in zip(results(other, *data, options), wanted):
                np.testing.assert_array_equal(ours, expected)


def test_convolution_without_bias_adds_nothing():
    x, w, bias, g, options = arrays(CONVS["partial_block_of_lanes"], np.float32)
    with_zeros, without = np.empty_like(g), np.empty_like(g)
    conv.convolution(x, w, 0 * bias, *options, with_zeros)
    conv.convolution(x, w, None, *options, without)
    np.testing.assert_array_equal(without, with_zeros)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_integer_convolution_wraps_around_like_torch(dtype):
    x = (np.arange(2 * 4 * 5 * 5).reshape(2, 4, 5, 5) * 77).astype(dtype)
    w = (np.arange(6 * 4 * 3 * 2).reshape(6, 4, 3, 2) * 55).astype(dtype)
    bias = np.arange(6).astype(dtype)
    options = (2, 1), (1, 1), (1, 1), 1
    expected = F.conv2d(*map(torch.from_numpy, (x, w, bias)), *options).numpy()
    out = np.empty_like(expected)
    conv_integers.convolution(x, w, bias, *options, out)
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out, expected)


def test_integer_convolution_with_groups_and_dilation_is_the_naive_sum():
    x, w, bias, g, options = arrays(CONVS["uneven_everything"], np.int32)
    out, expected = np.empty_like(g), np.empty_like(g)
    conv_integers.convolution(x, w, bias, *options, out)
    naive.convolution(x, w, bias, *options, expected)
    np.testing.assert_array_equal(out, expected)
    dx, expected = np.empty_like(x), np.empty_like(x)
    conv_integers.convolution_transpose(g, w, x[0, :, 0, 0], *options, dx)
    naive.convolution_transpose(g, w, x[0, :, 0, 0], *options, expected)
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize(("batch", "channels"), [(0, 2), (2, 0)])
def test_convolution_of_nothing_is_the_bias_and_its_gradients_are_zero(batch, channels):
    case = (batch, channels, (4, 4), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    x, w, bias, g, options = arrays(case, np.float32)
    out, dx, dw = results(conv, x, w, bias, g, options)
    np.testing.assert_array_equal(out, np.broadcast_to(bias[:, None, None], out.shape))
    assert not dx.any() and not dw.any()


def test_nan_in_one_image_stays_in_its_windows():
    x, w, bias, g, options = arrays(CONVS["many_images_in_a_block"], np.float32)
    x[3, 0, 0, 0] = np.nan
    out = np.empty_like(g)
    conv.convolution(x, w, bias, *options, out)
    expected = np.zeros(g.shape, bool)
    expected[3, :, :2, :2] = True
    np.testing.assert_array_equal(np.isnan(out), expected)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_convolution_workspace_does_not_grow_with_the_batch(padding):
    peaks = []
    for batch in (128, 512):  # more than fill the room in which threads share images
        case = (batch, 8, (16, 16), 8, (3, 3), (1, 1), padding, (1, 1), 1)
        x, w, bias, g, options = arrays(case, np.float32)
        out, dx, dw = results(conv, x, w, bias, g, options)
        tracemalloc.start()
        conv.convolution(x, w, bias, *options, out)
        conv.convolution_transpose(g, w, None, *options, dx)
        conv.convolution_backward_weight(g, x, *options, dw)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] and peaks[1] < x.nbytes


@pytest.mark.parametrize("n", [1, 2, 3])
def test_no_input_channels_give_torchs_shape(n):
    def shapes(ns):
        x, w = ns.ones(2, 0, *[4] * n, requires_grad=True), ns.ones(3, 0, *[3] * n, requires_grad=True)
        out = getattr(ns.nn.functional, f"conv{n}d")(x, w, ns.ones(3))
        return [tuple(t.shape) for t in (out, *ns.autograd.grad(out.sum(), [x, w]))]

    assert shapes(minitorch) == shapes(torch)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_bias_of_a_transposed_convolution_may_have_another_dtype_where_torchs_may(n):
    def result(ns):
        x, w = ns.ones(1, 1, *[2] * n), ns.ones(1, 2, *[1] * n)
        try:
            out = getattr(ns.nn.functional, f"conv_transpose{n}d")(x, w, ns.ones(2, dtype=ns.float64))
        except RuntimeError as e:
            return str(e).splitlines()[0]
        return str(out.dtype), out.tolist()

    assert result(minitorch) == result(torch)
