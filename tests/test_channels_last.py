"""Pooling and resizing of images whose channels lie beside each other: values, places, gradients and layout."""

import numpy as np
import pytest
import torch

import minitorch

SHAPES = [(2, 16, 9, 11), (1, 70, 8, 8), (3, 64, 13, 7), (2, 33, 5, 6)]
POOLINGS = {
    "2": dict(kernel_size=2),
    "3, 2, 1": dict(kernel_size=3, stride=2, padding=1),
    "3 x 2, dilated": dict(kernel_size=(3, 2), stride=(2, 1), padding=1, dilation=(1, 2)),
    "ceil": dict(kernel_size=2, stride=(2, 3), padding=1, ceil_mode=True),
}
RESIZINGS = {
    "average": lambda F, x: F.avg_pool2d(x, 2),
    "average, padded": lambda F, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "adaptive": lambda F, x: F.adaptive_avg_pool2d(x, (3, 4)),
    "nearest": lambda F, x: F.interpolate(x, scale_factor=2),
    "exact": lambda F, x: F.interpolate(x, (4, 13), mode="nearest-exact"),
    "bilinear": lambda F, x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "corners": lambda F, x: F.interpolate(x, (3, 20), mode="bilinear", align_corners=True),
    "bicubic": lambda F, x: F.interpolate(x, (12, 4), mode="bicubic"),
    "antialiased": lambda F, x: F.interpolate(x, (4, 4), mode="bilinear", antialias=True),
}


def images(shape, dtype, special):
    """Few different numbers, so that there are ties; nan and a channel of -inf among them if `special`."""
    values = np.random.default_rng(7).integers(-5, 5, shape).astype(dtype)
    if special:
        values[0, 1, 2, 2:4] = np.nan
        values[0, 2] = -np.inf
    return values


def results(ns, program, values, seed=3):
    """What the program makes of images with channels last, their gradient, and the strides of all of it."""
    x = ns.from_numpy(values.copy()).to(memory_format=ns.channels_last).requires_grad_()
    out, *places = program(ns.nn.functional, x)
    g = np.random.default_rng(seed).standard_normal(tuple(out.shape)).astype(values.dtype)
    out.backward(ns.from_numpy(g).to(memory_format=ns.channels_last))
    tensors = [out.detach(), *places, x.grad]
    return [t.numpy() for t in tensors], [t.stride() for t in tensors]


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("windows", POOLINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_maxima_and_their_places_are_torchs(shape, windows, dtype, special):
    def program(F, x):
        return F.max_pool2d(x, **POOLINGS[windows], return_indices=True)

    values = images(shape, dtype, special)
    (ours, strides), (theirs, expected) = (results(ns, program, values) for ns in (minitorch, torch))
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-5, atol=1e-5)  # windows overlap: sums in another order
    assert strides == expected


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adaptive_maxima_are_torchs(shape):
    def program(F, x):
        return F.adaptive_max_pool2d(x, (4, 3), return_indices=True)

    (ours, strides), (theirs, expected) = (results(ns, program, images(shape, "f4", True)) for ns in (minitorch, torch))
    for a, b in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-5, atol=1e-5)
    assert strides == expected


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("name", RESIZINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_means_and_resized_images_are_torchs(shape, name, dtype, tolerance):
    def program(F, x):
        return (RESIZINGS[name](F, x),)

    values = images(shape, dtype, False)
    (ours, strides), (theirs, expected) = (results(ns, program, values) for ns in (minitorch, torch))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=10 * tolerance)
    assert strides == expected


def test_what_is_not_finite_stays_where_it_is():
    values = images((2, 16, 6, 6), "f4", True)
    for mode in ("nearest", "bilinear"):
        made = []
        for ns in (minitorch, torch):
            x = ns.from_numpy(values).to(memory_format=ns.channels_last)
            made.append(ns.nn.functional.interpolate(x, scale_factor=2, mode=mode).numpy())
        np.testing.assert_array_equal(np.isfinite(made[0]), np.isfinite(made[1]))


def test_nearest_keeps_the_sign_of_zero():
    x = minitorch.full((1, 16, 2, 2), -0.0).to(memory_format=minitorch.channels_last)
    assert minitorch.nn.functional.interpolate(x, scale_factor=2).signbit().all()


def test_threads_change_no_bit():
    x = minitorch.randn(4, 64, 40, 40).to(memory_format=minitorch.channels_last)
    before, made = minitorch.get_num_threads(), []
    try:
        for count in (1, 2):
            minitorch.set_num_threads(count)
            leaf = x.clone().requires_grad_()
            pooled = minitorch.nn.functional.max_pool2d(leaf, 3, 2, 1)
            minitorch.nn.functional.interpolate(pooled, scale_factor=3, mode="bilinear").square().sum().backward()
            made.append((pooled.detach().numpy(), leaf.grad.numpy()))
    finally:
        minitorch.set_num_threads(before)
    for one, two in zip(*made, strict=True):
        np.testing.assert_array_equal(one, two)


ELEMENTWISE = {
    "relu": lambda F, x: F.relu(x),
    "sigmoid": lambda F, x: F.sigmoid(x),
    "silu": lambda F, x: F.silu(x),
    "gelu": lambda F, x: F.gelu(x),
    "power": lambda F, x: x**3.0,
    "square root": lambda F, x: (x + 9.0).sqrt(),
    "product": lambda F, x: x * x.detach(),
    "quotient": lambda F, x: x / (x.detach() + 9.0),
    "limits": lambda F, x: x.clamp(-1.5, 1.5),
    "maxima in pairs": lambda F, x: F.max_pool2d(x, 2),
}


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (4, 20, 30, 30)], ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gradients_of_elementwise_ops_lie_as_in_torch(name, shape):
    values = images(shape, "float64", False)
    ours, theirs = (results(ns, lambda F, x: [ELEMENTWISE[name](F, x)], values) for ns in (minitorch, torch))
    for a, b in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 6, 4, 5), (3, 12, 1, 1), (5, 32, 40, 30), (2, 6, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "turned", "a part"])
def test_groups_of_channels_are_normalised_in_any_layout(layout, shape, dtype, affine, threads):
    rng = np.random.default_rng(0)
    values, g = rng.standard_normal(shape).astype(dtype) + 3, rng.standard_normal(shape).astype(dtype)
    w, b = rng.standard_normal((2, shape[1])).astype(dtype)
    found = []
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(threads)
    for ns in (minitorch, torch):
        x, slope = ns.from_numpy(values), ns.from_numpy(g)
        if layout == "channels last":
            x = x.contiguous(memory_format=ns.channels_last if len(shape) == 4 else ns.channels_last_3d)
        elif layout == "turned":
            x = x.transpose(0, 1).contiguous().transpose(0, 1)
        elif layout == "a part":
            x = ns.cat([x, x], 3)[:, :, :, : shape[3]]
        x.requires_grad_()
        parameters = [ns.from_numpy(p.copy()).requires_grad_() for p in (w, b)] if affine else []
        out = ns.nn.functional.group_norm(x, 3 if shape[1] % 3 == 0 else 4, *parameters)
        slopes = ns.autograd.grad(out, [x, *parameters], slope)
        found.append([t.detach().numpy() for t in (out, *slopes)])
    minitorch.set_num_threads(before)
    error = 2e-4 if dtype == "float32" else 1e-10
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=error, atol=error * max(1, np.abs(theirs).max()))


CONVOLUTIONS = {
    "pixels": dict(kernel=(1, 1)),
    "pixels, stride": dict(kernel=(1, 1), stride=2),
    "squares": dict(kernel=(3, 3), padding=1),
    "wide": dict(kernel=(2, 5), stride=(1, 2), padding=(0, 2)),
    "for each channel": dict(kernel=(3, 3), padding=1, groups=12),
    "for each channel, stride": dict(kernel=(3, 2), stride=(2, 3), padding=(2, 1), groups=12),
    "for each channel, dilation": dict(kernel=(2, 3), dilation=(3, 2), padding=(2, 4), groups=12),
    "for each channel, gaps": dict(kernel=(1, 2), stride=3, groups=12),
    "in groups": dict(kernel=(1, 1), groups=3),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", [(2, 12, 5, 7), (3, 24, 20, 30)], ids=str)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_channels_last_are_torchs_and_lie_alike(name, shape, biased, transposed, dtype):
    options = dict(CONVOLUTIONS[name])
    kernel, groups = options.pop("kernel"), options.get("groups", 1)
    groups = options["groups"] = shape[1] if groups == 12 else groups
    outputs = shape[1] if groups > 3 else 36
    rng = np.random.default_rng(0)
    own = (shape[1], outputs // groups) if transposed else (outputs, shape[1] // groups)
    values, weights, shift = (rng.standard_normal(s).astype(dtype) for s in (shape, (*own, *kernel), outputs))
    found = []
    for ns in (minitorch, torch):
        x = ns.from_numpy(values).contiguous(memory_format=ns.channels_last).requires_grad_()
        w, b = ns.from_numpy(weights).requires_grad_(), ns.from_numpy(shift).requires_grad_() if biased else None
        out = getattr(ns.nn.functional, "conv_transpose2d" if transposed else "conv2d")(x, w, b, **options)
        slope = np.random.default_rng(1).random(tuple(out.shape)).astype(dtype)
        g = ns.from_numpy(slope).contiguous(memory_format=ns.channels_last)
        slopes = ns.autograd.grad(out, [x, w] + [b] * biased, g)
        found.append(([t.detach().numpy() for t in (out, *slopes)], [out.stride(), slopes[0].stride()]))
    for ours, theirs in zip(found[0][0], found[1][0], strict=True):
        error = 1e-5 if dtype == "float32" else 1e-9
        np.testing.assert_allclose(ours, theirs, rtol=error, atol=error * np.abs(theirs).max())
    assert found[0][1] == found[1][1]
