"""Layers that read an image at places, adaptive pooling, distances, bags, and normal numbers on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch

pytestmark = pytest.mark.usefixtures("gpu")


@pytest.mark.parametrize("padding", mostly_slow(["zeros", "border", "reflection"], "zeros"))
def test_images_are_sampled_on_a_grid(padding):
    x, grid = normal(1, 2, 4, 5), 0.7 * normal(1, 2, 3, 2, seed=1)
    sample = lambda torch, x, g: torch.nn.functional.grid_sample(x, g, "bilinear", padding, False)  # noqa: E731
    same(sample, x, grid, error=1e-5)
    same(lambda torch, *x: gradients(torch, lambda *x: sample(torch, *x) ** 2, *x), x, grid, error=1e-4)


def test_adaptive_maxima_and_unpooling():
    layers = lambda torch: torch.nn.functional  # noqa: E731
    x = normal(2, 3, 5, 7)
    same(lambda torch, x: layers(torch).adaptive_max_pool2d(x, (2, 3), return_indices=True), x, error=0)
    same(lambda torch, x: gradients(torch, lambda x: layers(torch).adaptive_max_pool2d(x, 3) ** 2, x), x)

    def unpooled(torch, x):
        values, places = layers(torch).max_pool2d(x, 2, return_indices=True)
        return layers(torch).max_unpool2d(values, places, 2)

    same(unpooled, normal(1, 2, 4, 6), error=0)
    same(lambda torch, x: gradients(torch, lambda x: unpooled(torch, x) ** 2, x), normal(1, 2, 4, 6))


def test_distances_bags_and_parts_of_memory():
    x, y = normal(2, 3, 4), normal(2, 5, 4, seed=1)
    same(lambda torch, x, y: torch.cdist(x, y), x, y)
    same(lambda torch, *x: gradients(torch, lambda *x: torch.cdist(*x) ** 2, *x), x, y, error=1e-5)
    i, starts, w = np.array([0, 2, 1, 2]), np.array([0, 1, 1]), normal(3, 5)
    bags = lambda torch, i, s, w: torch.nn.functional.embedding_bag(i, w, s, mode="sum")  # noqa: E731
    same(bags, i, starts, w)
    same(lambda torch, i, s, w: gradients(torch, lambda w: bags(torch, i, s, w) ** 2, w), i, starts, w)
    same(lambda torch, x: gradients(torch, lambda x: x.as_strided((2, 3), (1, 2), 1) ** 2, x), normal(3, 4))


def test_normal_numbers_of_given_means_and_deviations():
    minitorch.manual_seed(0)
    mean, std = minitorch.full((256,), 3.0).cuda(), minitorch.full((256,), 0.5).cuda()
    for made in (minitorch.normal(mean, std), minitorch.normal(mean, 0.5), minitorch.normal(3.0, std)):
        assert abs(made.mean().item() - 3) < 0.15 and abs(made.std().item() - 0.5) < 0.1
    with pytest.raises(RuntimeError, match="normal expects all elements of std >= 0"):
        minitorch.normal(mean, -std)
