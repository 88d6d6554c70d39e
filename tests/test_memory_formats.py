"""channels_last and channels_last_3d: strides, refusals and what is copied, against torch's."""

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
