"""interpolate of 8-bit images, grid_sample, and the layouts of results, against torch's."""

import numpy as np
import pytest
import torch

import minitorch
from minitorch._ops import grid_sampling

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 3, 9, 8), np.uint8)
EXTREMES = np.where(IMAGES > 127, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("images", [IMAGES, EXTREMES], ids=["any", "extremes"])
@pytest.mark.parametrize("size", [(13, 7), (5, 8), (20, 20), (3, 33)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_bytes_are_rounded_as_torch_rounds_them(mode, size, images):
    smooth = mode in ("bilinear", "bicubic")
    for align_corners in (False, True) if smooth else (None,):
        for antialias in (False, True) if smooth else (False,):
            ours, theirs = (
                ns.nn.functional.interpolate(
                    ns.from_numpy(images), size, mode=mode, align_corners=align_corners, antialias=antialias
                )
                for ns in (minitorch, torch)
            )
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(1, 2, 45, 70), (1, 1, 16, 100), (2, 3, 100, 31), (1, 1, 1, 40), (1, 1, 64, 1)])
def test_bytes_of_images_wider_than_a_vector_are_rounded_as_torch_rounds_them(mode, shape):
    images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    for size in [(33, 17), (7, 65), (100, 100), (shape[2], 32)]:
        for antialias in (False, True):
            ours, theirs = (
                ns.nn.functional.interpolate(ns.from_numpy(images), size, mode=mode, antialias=antialias)
                for ns in (minitorch, torch)
            )
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


FOLLOWING = {
    "interpolate": lambda ns, x: ns.nn.functional.interpolate(x, scale_factor=2),
    "interpolate bilinear": lambda ns, x: ns.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "max_pool2d": lambda ns, x: ns.nn.functional.max_pool2d(x, 2),
    "max_pool2d of one image": lambda ns, x: ns.nn.functional.max_pool2d(x[0], 2),
    "avg_pool2d": lambda ns, x: ns.nn.functional.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda ns, x: ns.nn.functional.adaptive_avg_pool2d(x, 2),
    "adaptive_max_pool2d": lambda ns, x: ns.nn.functional.adaptive_max_pool2d(x, 2),
    "max_unpool2d": lambda ns, x: ns.nn.functional.max_unpool2d(
        *ns.nn.functional.max_pool2d(x, 2, return_indices=True), 2
    ),
    "conv2d": lambda ns, x: ns.nn.functional.conv2d(x, ns.ones(4, 3, 2, 2)),
    "conv_transpose2d": lambda ns, x: ns.nn.functional.conv_transpose2d(x, ns.ones(3, 4, 2, 2)),
}


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize("channels_last", [False, True])
def test_results_have_their_channels_last_where_torchs_have(name, channels_last):
    memory = IMAGES.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2) if channels_last else IMAGES
    ours, theirs = (FOLLOWING[name](ns, ns.from_numpy(memory.astype(np.float32))) for ns in (minitorch, torch))
    assert ours.stride() == theirs.stride()
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_does_not_see_what_lies_outside_of_an_image_of_nan(mode):
    x = np.full((1, 2, 3, 4), np.nan)
    grid = np.array([[[[5.0, 5.0], [-1e30, 0.0], [0.0, 1e30]]]])
    ours, theirs = (
        ns.nn.functional.grid_sample(ns.tensor(x), ns.tensor(grid), mode, align_corners=False)
        for ns in (minitorch, torch)
    )
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_the_nearest_samples_have_a_gradient_of_zero_in_the_grid():
    grid = minitorch.zeros(1, 2, 2, 2, requires_grad=True)
    minitorch.nn.functional.grid_sample(
        minitorch.ones(1, 1, 3, 3), grid, "nearest", align_corners=False
    ).sum().backward()
    assert grid.grad.tolist() == minitorch.zeros(1, 2, 2, 2).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_grid_sample_in_one_loop_is_the_same_to_the_last_bit_as_by_tables(dtype, mode, align_corners, rng, monkeypatch):
    image = minitorch.from_numpy(rng.normal(size=(2, 3, 7, 9)).astype(dtype))
    places = rng.uniform(-1.3, 1.3, (2, 6, 5, 2)).astype(dtype)
    places[0, 0, 0], places[0, 0, 1], places[0, 0, 2] = 1e30, [-1, 1], [0, -5]
    places[1] = np.round(places[1] * 9) / 9
    grid, results = minitorch.from_numpy(places), []
    for _ in range(2):
        results.append(minitorch.nn.functional.grid_sample(image, grid, mode, align_corners=align_corners).numpy())
        monkeypatch.setattr(grid_sampling, "_in_one_loop", lambda *given: False)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 7), (9, 30)])
def test_grid_sample_and_its_gradients_at_places_of_every_kind(size, mode, align_corners, rng):
    places = rng.random((2, 5, 6, 2)) * 3 - 1.5
    places[0, :, 0] = [[np.nan, 0], [np.inf, 0.1], [-1e30, 0], [1, 1], [-1, -1]]
    image = rng.standard_normal((2, 3, *size))
    found = []
    for ns in (minitorch, torch):
        x, grid = (ns.tensor(a, requires_grad=True) for a in (image, places))
        out = ns.nn.functional.grid_sample(x, grid, mode, align_corners=align_corners)
        found.append([out, *ns.autograd.grad(out.sum(), (x, grid))])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_grid_sample_has_a_second_derivative(mode, rng):
    x = minitorch.tensor(rng.standard_normal((1, 2, 4, 3)), requires_grad=True)
    grid = minitorch.tensor(rng.random((1, 3, 2, 2)) * 2 - 1, requires_grad=True)

    def sample(x, grid):
        return minitorch.nn.functional.grid_sample(x, grid, mode, align_corners=False)

    assert minitorch.autograd.gradcheck(sample, (x, grid))
    assert minitorch.autograd.gradgradcheck(sample, (x, grid))
