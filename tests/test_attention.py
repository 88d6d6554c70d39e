"""Attention against torch's: masks, scales, shared heads, dropout, errors; multi_head_attention_forward."""

import pathlib
import tracemalloc

import naive
import numpy as np
import pytest
import torch
from compare import assert_same, both, first_line

import minitorch
from minitorch._kernels import cache
from minitorch._kernels.cpu import attention as cpu_attention
from minitorch._kernels.cpu import products


def random(*shape, seed=0):
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


Q, K, V = random(2, 4, 5, 8), random(2, 4, 7, 8, seed=1), random(2, 4, 7, 6, seed=2)
SEEN = np.add.outer(np.arange(5), np.arange(7)) < 6
BIAS = random(5, 7)


def attend(*arrays, **options):
    """The call, with every array among its arguments as a tensor of each framework."""

    def call(ns):
        given = {n: ns.tensor(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
        return ns.nn.functional.scaled_dot_product_attention(*map(ns.tensor, arrays), **given)

    return call


CALLS = {
    "plain": attend(Q, K, V),
    "causal": attend(Q, K, V, is_causal=True),
    "causal, of several thousand scores": attend(random(8, 40, 4), random(8, 30, 4), random(8, 30, 4), is_causal=True),
    "causal, no keys": attend(Q, K[:, :, :0], V[:, :, :0], is_causal=True),
    "bool mask": attend(Q, K, V, attn_mask=SEEN),
    "mask of floats": attend(Q, K, V, attn_mask=BIAS),
    "mask of a batch": attend(Q, K, V, attn_mask=random(2, 1, 5, 7)),
    "a query that sees nothing": attend(Q, K, V, attn_mask=SEEN & (np.arange(5) != 2)[:, None]),
    "scale": attend(Q, K, V, scale=0.3),
    "negative scale": attend(Q, K, V, scale=-0.3),
    "shared heads": attend(Q, K[:, :2], V[:, :2], enable_gqa=True),
    "three dimensions": attend(Q[0], K[0], V[0]),
    "two dimensions": attend(Q[0, 0], K[0, 0], V[0, 0]),
    "no queries": attend(Q[:, :, :0], K, V),
    "no keys": attend(Q, K[:, :, :0], V[:, :, :0]),
    "no features": attend(Q[..., :0], K[..., :0], V),
    "everything dropped": attend(Q, K, V, dropout_p=1.0),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_are_torchs(name):
    assert_same(CALLS[name](minitorch), CALLS[name](torch), 1e-12)


def test_dropout_is_torchs_from_the_same_seed():
    def dropped(ns):
        ns.manual_seed(3)
        return attend(*(a.astype(np.float32) for a in (Q, K, V)), dropout_p=0.4)(ns)

    assert_same(dropped(minitorch), dropped(torch), 1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"is_causal": True}, {"attn_mask": SEEN}, {"attn_mask": BIAS}, {"scale": -2.0}]
)
def test_gradients_are_torchs(options):
    def gradients(ns):
        parts = [ns.tensor(a, requires_grad=True) for a in (Q, K, V)]
        given = {n: ns.tensor(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
        mask = given.get("attn_mask")
        if mask is not None and mask.is_floating_point():
            parts.append(mask.requires_grad_())
        (ns.nn.functional.scaled_dot_product_attention(*parts[:3], **given) ** 2).sum().backward()
        return [t.grad for t in parts]

    assert_same(gradients(minitorch), gradients(torch), 1e-10)


BAD = {
    "a mask and causal": attend(Q, K, V, attn_mask=SEEN, is_causal=True),
    "heads that do not divide": attend(Q, random(2, 3, 7, 8), random(2, 3, 7, 6), enable_gqa=True),
    "heads without enable_gqa": attend(Q, K[:, :2], V[:, :2]),
    "a vector": attend(Q[0, 0, 0], K[0, 0], V[0, 0]),
    "dtypes": attend(Q.astype(np.float32), K, V),
    "dtype of the mask": attend(Q, K, V, attn_mask=SEEN.astype(np.int64)),
    "shape of the mask": attend(Q, K, V, attn_mask=BIAS[:, :6]),
    "features": attend(Q, K[..., :7], V),
    "keys and values": attend(Q, K, V[:, :, :6]),
    "integers": attend(*(a.astype(np.int64) for a in (Q, K, V))),
    "dropout above 1": attend(Q, K, V, dropout_p=1.5),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_torchs(name):
    ours, theirs = both(BAD[name])
    assert theirs.error is not None
    assert type(ours.error) is type(theirs.error)
    assert first_line(ours.error) == first_line(theirs.error)


# ---------------------------------------------------------------------- in blocks, the scores never stored
def in_blocks(draw, dtype):
    """Arguments for the kernel of any sizes and layout: the tensors, and what else the call is given."""
    batch, heads, width, wide = (int(n) for n in draw.integers(1, (4, 4, 20, 20)))
    length, keys = (int(n) for n in draw.choice([1, 3, 40, 128, 129, 300, 520], 2))
    ends = []
    for n, w in ((length, width), (keys, width), (keys, wide)):
        packed = draw.standard_normal((batch, n, 2, heads, w)).astype(dtype)
        view = packed[:, :, 1].swapaxes(1, 2)
        ends.append((view, view.copy(), view.swapaxes(2, 3).copy().swapaxes(2, 3))[draw.integers(3)])
    shape = ((batch, heads, length, keys), (length, keys), (batch, 1, 1, keys), (1, length, 1))[draw.integers(4)]
    options = (
        {},
        {"is_causal": True},
        {"attn_mask": draw.random(shape) < 0.7, "scale": 0.4},
        {"attn_mask": draw.standard_normal(shape).astype(dtype), "scale": -0.4},
    )
    return ends, options[draw.integers(4)]


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("seed", range(12))
def test_attention_of_any_shape_and_layout_is_that_of_loops(seed, dtype):
    draw = np.random.default_rng(seed)
    ends, options = in_blocks(draw, dtype)
    tensors = [minitorch.from_numpy(e).requires_grad_() for e in ends]
    given = {n: minitorch.from_numpy(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
    out = minitorch.nn.functional.scaled_dot_product_attention(*tensors, **given)
    assert out.grad_fn.name() == "ScaledDotProductFlashAttentionForCpuBackward0"
    g = draw.standard_normal(out.shape).astype(dtype)
    made = [out.detach(), *minitorch.autograd.grad(out, tensors, minitorch.from_numpy(g))]
    expected = naive.attention(*(e.astype("d") for e in ends), g.astype("d"), **options)
    for ours, theirs in zip(made, expected, strict=True):
        limit = 20 * np.finfo(dtype).eps * max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=limit * 8)


def test_attention_lies_in_memory_as_torchs_and_takes_layouts_as_they_are():
    def strides(ns):
        q, k, v = (ns.randn(2, 5, 3, 8).transpose(1, 2).requires_grad_() for _ in range(3))
        out = ns.nn.functional.scaled_dot_product_attention(q, k, v)
        return [t.stride() for t in (out, *ns.autograd.grad(out.sum(), (q, k, v)))]

    assert strides(minitorch) == strides(torch)


def test_attention_stores_no_scores():
    q = minitorch.randn(1, 1, 3000, 8, requires_grad=True)
    tracemalloc.start()
    minitorch.nn.functional.scaled_dot_product_attention(q, q, q).sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 8


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"attn_mask": SEEN & (np.arange(5) != 2)[:, None]}])
def test_the_gradient_of_attentions_gradient_is_right(options):
    given = {n: minitorch.from_numpy(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
    ends = [minitorch.tensor(a[0, :2, :, :3], requires_grad=True) for a in (Q, K, V)]
    assert minitorch.autograd.gradgradcheck(
        lambda *e: minitorch.nn.functional.scaled_dot_product_attention(*e, **given), ends
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_attention_with_nan_or_infinity_is_torchs(bad):
    def call(ns):
        q, k, v = (a.astype("f") for a in (Q, K, V))
        k[0, 0, 1, 2] = v[1, 1, 3, 3] = bad
        return attend(q, k, v)(ns)

    assert_same(call(minitorch), call(torch), 1e-5)


@pytest.mark.parametrize("by_tiles", [False, True])
def test_values_and_gradients_are_torchs_whatever_multiplies(by_tiles, tmp_path, monkeypatch):
    """A machine takes one of the two: here each is compiled."""
    text = pathlib.Path(cpu_attention.__file__).with_name("attention_blocks.py").read_text(encoding="utf-8")
    text = text.replace("product_at if BETTER_THAN_BLAS", f"product_at if {by_tiles}")
    path = tmp_path / f"attention_{'by_tiles' if by_tiles else 'by_blas'}.py"
    path.write_text(text.replace("from .", "from minitorch._kernels.cpu."), encoding="utf-8")
    load = cache.load_file
    kernels, gemm = load(path), load("cpu.gemm")
    function = gemm.product_address if by_tiles else lambda dtype: products.blas_function(dtype.char, "gemm")
    if not function(np.dtype(np.float64)):
        pytest.skip("NumPy's BLAS is none that can be called by its address")
    monkeypatch.setattr(cache, "load_file", lambda name: kernels if name == "cpu.attention_blocks" else load(name))
    monkeypatch.setattr(cpu_attention, "product_function", function)

    def attended(ns, causal, mask):
        q, k, v = (ns.tensor(random(2, *shape), requires_grad=True) for shape in ((150, 20), (290, 20), (290, 24)))
        mask = None if mask is None else ns.tensor(mask)
        out = ns.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, attn_mask=mask)
        return [out, *ns.autograd.grad(out.square().sum(), (q, k, v))]

    for causal, mask in ((False, None), (True, None), (False, random(150, 290))):
        for ours, theirs in zip(attended(minitorch, causal, mask), attended(torch, causal, mask)):
            assert_same(ours.detach(), theirs.detach(), 1e-10)


def test_without_blas_attention_is_made_of_other_ops(monkeypatch):
    monkeypatch.setattr(cpu_attention, "product_function", lambda dtype: 0)
    q, k, v = (minitorch.tensor(a, requires_grad=True) for a in (Q, K, V))
    out = minitorch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert out.grad_fn.name() != "ScaledDotProductFlashAttentionForCpuBackward0"
    assert_same(out.detach(), attend(Q, K, V)(torch), 1e-12)


OPTIONS = {}, {"need_weights": False}, {"average_attn_weights": False}


@pytest.mark.parametrize(
    ("masked", "options"), [*((m, o) for m in (False, True) for o in OPTIONS), (True, {"is_causal": True})]
)
def test_multi_head_attention_is_torchs(masked, options):
    def call(ns):
        q, k, v = (ns.tensor(random(n, 3, 8, seed=n)) for n in (5, 7, 7))
        weights = ns.tensor(random(24, 8)), ns.tensor(random(24)), None, None, False, 0.0
        out = ns.tensor(random(8, 8, seed=1)), ns.tensor(random(8))
        mask = {"attn_mask": ns.tensor(~np.tri(5, 7, dtype=bool))} if masked else {}
        padding = ns.tensor(np.arange(7) > np.array([[6], [4], [5]]))
        forward = ns.nn.functional.multi_head_attention_forward
        result = forward(q, k, v, 8, 2, *weights, *out, key_padding_mask=padding, **mask, **options)
        return [r for r in result if r is not None]

    assert_same(call(minitorch), call(torch), 1e-10)
