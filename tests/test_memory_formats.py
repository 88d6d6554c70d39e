"""channels_last and channels_last_3d: strides, refusals and what is copied, against torch's."""

import itertools

import numpy as np
import pytest
import torch

import minitorch


def image(ns, *shape):
    return ns.arange(float(torch.Size(shape).numel())).reshape(*shape)


PROGRAMS = [
    lambda ns, f: image(ns, 2, 3, 4, 5).contiguous(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5, 2).contiguous(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).clone(memory_format=f),
    lambda ns, f: image(ns, 2, 1, 4, 5).to(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 1, 1).to(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).to(ns.float64, memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).half().to(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).mT.to(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).mT.to(ns.float64, memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).to(memory_format=ns.channels_last).to(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).double(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).cpu(memory_format=f),
    lambda ns, f: image(ns, 2, 3, 4, 5).mT.contiguous(memory_format=f),
    lambda ns, f: ns.zeros_like(image(ns, 2, 3, 4, 5, 2), memory_format=f),
    lambda ns, f: ns.rand_like(image(ns, 2, 3, 4, 5), memory_format=f),
    lambda ns, f: ns.zeros(120).resize_(2, 3, 4, 5, memory_format=f),
    lambda ns, f: ns.zeros(120).resize_as_(image(ns, 2, 3, 4, 5).to(memory_format=ns.channels_last), memory_format=f),
    lambda ns, f: ns.empty(2, 3, 4, 5, device="meta").to(memory_format=f),
]
FORMATS = ["channels_last", "channels_last_3d", "contiguous_format", "preserve_format"]


def outcome(ns, program, memory_format):
    try:
        x = program(ns, getattr(ns, memory_format))
    except RuntimeError as e:
        return str(e).splitlines()[0]
    orders = [x.is_contiguous(memory_format=getattr(ns, f)) for f in FORMATS[:3]]
    return x.stride(), orders, None if x.is_meta else x.tolist(), str(x.dtype)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_layout_is_torchs(program, memory_format):
    mine, theirs = (outcome(ns, program, memory_format) for ns in (minitorch, torch))
    if "rand_like" in program.__code__.co_names:
        mine, theirs = mine[:2], theirs[:2]
    assert mine == theirs


def test_tensor_in_the_format_is_itself():
    x = image(minitorch, 2, 3, 4, 5).to(memory_format=minitorch.channels_last)
    assert x.to(memory_format=minitorch.channels_last) is x
    assert x.contiguous(memory_format=minitorch.channels_last) is x


def test_layout_passes_gradients():
    x = minitorch.ones(1, 2, 3, 4, requires_grad=True)
    y = x.to(memory_format=minitorch.channels_last)
    assert type(y.grad_fn).__name__ == "ToCopyBackward0"
    (y * image(minitorch, 1, 2, 3, 4)).sum().backward()
    assert x.grad.tolist() == image(minitorch, 1, 2, 3, 4).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(513, 130), (600, 128), (1000, 100), (5000, 17), (70, 2000)])
def test_a_large_transpose_is_copied_as_it_is(shape, dtype):
    ours, theirs = (
        image(ns, *shape).remainder(251).to(getattr(ns, dtype)).t().contiguous() for ns in (minitorch, torch)
    )
    assert ours.stride() == theirs.stride()
    assert ours.float().tolist() == theirs.float().tolist()


def layers(T):
    F = T.nn.functional
    return {
        "batch_norm": lambda x, w: F.batch_norm(x, None, None, w, w / 2, True),
        "batch_norm, running": lambda x, w: F.batch_norm(x, w.detach(), w.detach() ** 2, w, w),
        "group_norm": lambda x, w: F.group_norm(x, 3, w, w / 2),
        "instance_norm": lambda x, w: F.instance_norm(x),
        "pad": lambda x, w: F.pad(x, (1, 2, 0, 1), value=3.0),
        "pad in all dimensions": lambda x, w: F.pad(x, (1, 0, 0, 1, 2, 0, 0, 1)),
        "pad less": lambda x, w: F.pad(x, (-1, 2, 1, -1)),
        "reflect": lambda x, w: F.pad(x, (1, 2, 0, 1), mode="reflect"),
        "replicate": lambda x, w: F.pad(x, (1, 2, 0, 1), mode="replicate"),
        "circular": lambda x, w: F.pad(x, (1, 2, 0, 1), mode="circular"),
        "roll": lambda x, w: x.roll((1, 2), (1, 3)),
        "roll flat": lambda x, w: x.roll(5),
        "stack": lambda x, w: T.stack([x, x * 2]),
        "stack along 1": lambda x, w: T.stack([x, x * 2], 1),
        "stack along 4": lambda x, w: T.stack([x, x * 2], 4),
        "cat along 1": lambda x, w: T.cat([x, x[:, :1]], 1),
        "cat along 3": lambda x, w: T.cat([x, x * 2], 3),
        "pixel_shuffle": lambda x, w: F.pixel_shuffle(T.cat([x, x], 1), 2),
        "pixel_unshuffle": lambda x, w: F.pixel_unshuffle(x, 2),
        "channel_shuffle": lambda x, w: F.channel_shuffle(x, 2),
        "max_pool2d": lambda x, w: F.max_pool2d(x, 2),
        "interpolate": lambda x, w: F.interpolate(x, scale_factor=2, mode="bilinear"),
        "conv2d": lambda x, w: F.conv2d(x, T.ones(4, 6, 3, 3, dtype=x.dtype)),
        "empty_like": lambda x, w: T.empty_like(x).copy_(x),
        "zeros_like": lambda x, w: x + T.zeros_like(x),
    }


@pytest.mark.parametrize("size", [(2, 6, 8, 10), (3, 6, 40, 30)])
@pytest.mark.parametrize("name", layers(minitorch))
def test_images_with_channels_last_go_through_layers_as_in_torch(name, size):
    results = []
    for T in (minitorch, torch):
        x = (image(T, *size).double() / 100).sin().to(memory_format=T.channels_last).detach().requires_grad_()
        w = (image(T, 6).double() + 1).requires_grad_()
        made = layers(T)[name](x, w)
        (made * made.detach().cos()).sum().backward()
        results.append((made.stride(), made.detach().numpy(), x.grad.numpy(), 0 if w.grad is None else w.grad.numpy()))
    (mine, *ours), (theirs, *expected) = results
    assert mine == theirs
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_stacked_and_joined_tensors_in_any_order_lie_as_in_torch(order):
    for size in ((4, 5, 6), (20, 30, 40)):
        strides = []
        for T in (minitorch, torch):
            x = image(T, *size).permute(order)
            made = [T.stack([x, x], dim) for dim in range(4)] + [T.cat([x, x], dim) for dim in range(3)]
            strides.append([(t.stride(), t.tolist()) for t in (*made, x.roll(1, 0))])
        assert strides[0] == strides[1]


@pytest.mark.parametrize("dims", [(0,), (1,), (3,), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("order", [(0, 3, 1, 2), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_turned_tensors_in_any_order_lie_as_in_torch(order, dims):
    ours, theirs = (image(ns, 6, 20, 9, 10).permute(order).flip(dims) for ns in (minitorch, torch))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert ours.stride() == theirs.stride()


def test_images_of_different_orders_are_joined_as_in_torch():
    results = []
    for T in (minitorch, torch):
        x = T.arange(24.0).reshape(2, 3, 2, 2)
        images = (
            x,
            x.to(memory_format=T.channels_last),
            x[:, :1].expand(2, 3, 2, 2),
            x.permute(0, 3, 2, 1).contiguous().permute(0, 3, 2, 1),
            x.transpose(0, 1).contiguous().transpose(0, 1),
        )
        pairs = [list(pair) for pair in itertools.product(images, repeat=2)]
        results.append([f(pair, dim).stride() for f in (T.cat, T.stack) for pair in pairs for dim in range(4)])
    assert results[0] == results[1]
