"""Convolution on an emulated GPU: results and gradients are those of the CPU."""

import numpy as np
import pytest
import torch
from emulated_gpu import emulated

import minitorch
from minitorch._kernels.cuda import conv_depthwise


@pytest.fixture
def gpu():
    with emulated() as device:
        yield device


def compare(x, w, bias=True, dtype="float32", error=2e-6, name="conv2d", **options):
    """The layer's result and three gradients on both devices, of the same numbers."""
    r = np.random.default_rng(0)
    out_channels = w[1] * options.get("groups", 1) if "transpose" in name else w[0]
    arrays = [r.standard_normal(shape).astype(np.float32) for shape in (x, w, (out_channels,))[: 2 + bias]]
    results, g = [], None
    for device in ("cpu", "cuda"):
        kind = dtype if device == "cuda" else "float32"
        tensors = [minitorch.tensor(a).to(getattr(minitorch, dtype)).to(getattr(minitorch, kind)) for a in arrays]
        tensors = [t.to(device).requires_grad_() for t in tensors]
        out = getattr(minitorch.nn.functional, name)(*tensors, **options)
        g = r.standard_normal(out.shape).astype(np.float32) if g is None else g
        out.backward(minitorch.tensor(g).to(out.dtype).to(device))
        results.append([t.detach().cpu().float().numpy() for t in (out, *(t.grad for t in tensors))])
    for theirs, ours in zip(*results):
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) <= error * np.linalg.norm(theirs)


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(minitorch.backends.cudnn, "allow_tf32", False)


def test_convolution_and_its_gradients_with_stride_padding_and_dilation(gpu):
    compare((1, 2, 5, 6), (3, 2, 3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), error=1e-3)


@pytest.mark.slow
def test_tf32_is_the_default_and_rounds(gpu):
    with pytest.raises(AssertionError):
        compare((1, 3, 5, 5), (2, 3, 3, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((2, 3, 7, 8), (4, 3, 3, 2), dict(stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
        ((2, 4, 5, 5), (6, 2, 3, 3), dict(bias=False, groups=2, padding=1)),
        ((2, 5, 9, 11), (70, 5, 3, 3), dict(stride=2, padding=1)),
        ((1, 6, 6, 6), (6, 1, 3, 3), dict(groups=6, padding=1)),
        ((2, 16, 5, 5), (8, 16, 1, 1), {}),
        ((1, 3, 12, 10), (4, 3, 5, 3), dict(stride=(3, 2), padding=(2, 1), dilation=(2, 1))),
        ((3, 2, 9), (4, 2, 3), dict(name="conv1d", padding=1, stride=2)),
        ((2, 4, 4, 5), (4, 3, 3, 3), dict(name="conv_transpose2d", stride=2, padding=1, output_padding=1)),
        ((2, 4, 3, 3), (4, 2, 2, 2), dict(name="conv_transpose2d", stride=3, groups=2)),
    ],
)
def test_shapes_and_arguments(gpu, exact, x, w, options):
    compare(x, w, **options)


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((2, 3, 6, 5), (3, 1, 3, 3), dict(padding=1)),
        pytest.param((1, 2, 9, 8), (2, 1, 3, 2), dict(stride=2, padding=(2, 0)), marks=pytest.mark.slow),
        pytest.param((1, 2, 9, 9), (2, 1, 2, 3), dict(stride=(1, 3), dilation=(3, 2)), marks=pytest.mark.slow),
        pytest.param((1, 2, 7, 8), (2, 1, 7, 7), dict(padding=4, bias=False), marks=pytest.mark.slow),
        pytest.param((2, 3, 9), (3, 1, 3), dict(name="conv1d", padding=1, stride=2), marks=pytest.mark.slow),
        pytest.param(
            (1, 3, 3, 4), (3, 1, 3, 3), dict(name="conv_transpose2d", stride=2, padding=1, output_padding=1),
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_a_filter_for_each_channel(gpu, x, w, options):
    compare(x, w, groups=x[1], **options)  # exact, whatever tf32 is allowed
    assert any("depthwise" in name for name in gpu.launched)
    assert not any("correlate" in name for name in gpu.launched)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_filter_for_each_channel_in_other_dtypes(gpu, dtype):
    compare((1, 2, 6, 6), (2, 1, 3, 3), dtype=dtype, groups=2, padding=1, error=2e-6 if dtype == "float64" else 1e-2)


def test_a_filters_gradient_takes_no_infinity_that_its_tap_has_not_met(gpu):
    grads = []
    for T in (torch, minitorch):
        x = T.ones(1, 1, 6, 5)
        x[0, 0, 5] = T.inf
        w = T.ones(1, 1, 2, 2, requires_grad=True)
        x, held = (x, w) if T is torch else (x.cuda(), w.cuda())
        T.nn.functional.conv2d(x, held).sum().backward()
        grads.append(w.grad.tolist())
    assert grads[0] == grads[1]


@pytest.mark.slow
def test_a_filters_gradient_in_parts(gpu, monkeypatch):
    monkeypatch.setattr(conv_depthwise, "CHUNK", 10)
    compare((2, 2, 9, 10), (2, 1, 3, 3), groups=2)
    assert "add_parts_f4" in gpu.launched


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halves(gpu, dtype):
    compare((2, 4, 6, 6), (8, 4, 3, 3), dtype=dtype, padding=1, error=1e-2)


@pytest.mark.slow
def test_sums_over_many_pixels_are_cut_into_parts(gpu, exact):
    compare((3, 1, 24, 24), (2, 1, 3, 3), bias=False)
    assert "add_parts_f4" in gpu.launched


def test_dtypes_without_a_kernel_are_refused(gpu):
    x, w = (minitorch.ones(1, 1, 3, 3, dtype=minitorch.int64, device="cuda") for _ in range(2))
    with pytest.raises(NotImplementedError, match="convolution of dtype int64 is not implemented for device 'cuda'"):
        minitorch.nn.functional.conv2d(x, w)
