"""float16 and bfloat16 on an emulated GPU: gradients without a detour by float32, attention on tensor cores."""

import numpy as np
import pytest
import torch
from cuda_compare import gpu, mostly_slow, normal  # noqa: F401
from emulated_gpu import emulated

import minitorch
from minitorch._kernels.cuda import attention

pytestmark = pytest.mark.usefixtures("gpu")

ROUNDING = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


def computed(ns, function, arrays, dtype, device, slope):
    """The function's value and gradients, from inputs rounded to the dtype; torch goes on in float64."""
    given = [ns.from_numpy(a).to(getattr(ns, dtype)) for a in arrays]
    given = [(t.double() if ns is torch else t.to(device)).requires_grad_() for t in given]
    out = function(ns, *given)
    g = ns.from_numpy(slope(out.shape)).to(getattr(ns, dtype)).to(out.dtype).to(device)
    out.backward(g)
    return [t.detach().cpu().double().numpy() for t in (out, *[x.grad for x in given])]


def compare(function, *arrays, dtype, roundings):
    """Value and gradients differ from torch's by so many roundings, beside the largest."""
    slope = lambda shape: normal(*shape, seed=9)  # noqa: E731
    ours = computed(minitorch, function, arrays, dtype, "cuda", slope)
    theirs = computed(torch, function, arrays, dtype, "cpu", slope)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, 0, roundings * ROUNDING[dtype] * max(np.abs(b).max(), 1e-3))


CALLS = {
    "mm": (lambda T, x, y: x @ y, (4, 5), (5, 6)),
    "bmm": (lambda T, x, y: x @ y, (2, 4, 5), (2, 5, 6)),
    "mv": (lambda T, x, y: x @ y, (4, 5), (5,)),
    "linear": (lambda T, x, w, b: T.nn.functional.linear(x, w, b), (2, 4, 5), (6, 5), (6,)),
    "addmm": (lambda T, c, x, y: T.addmm(c, x, y), (6,), (4, 5), (5, 6)),
    "weighted addmm": (lambda T, c, x, y: T.addmm(c, x, y, beta=0.3, alpha=0.7), (6,), (4, 5), (5, 6)),
    "conv": (lambda T, x, w, b: T.nn.functional.conv2d(x, w, b, padding=1), (1, 2, 5, 5), (3, 2, 3, 3), (3,)),
    "transpose": (lambda T, x, w: T.nn.functional.conv_transpose2d(x, w, stride=2), (1, 2, 3, 3), (2, 3, 3, 3)),
    "layer norm": (lambda T, x, w, b: T.nn.functional.layer_norm(x, (9,), w, b), (5, 9), (9,), (9,)),
    "softmax": (lambda T, x: x.softmax(-1), (4, 9)),
    "log softmax": (lambda T, x: x.log_softmax(0), (4, 9)),
    "embedding": (lambda T, w: T.nn.functional.embedding(T.tensor([1, 2, 1, 0, 1]).to(w.device), w), (4, 6)),
    "index_select": (lambda T, x: x.index_select(1, T.tensor([1, 2, 1, 0, 1]).to(x.device)), (4, 6)),
    "sums": (lambda T, x: x.sum(1) + x.mean(1) + x.sum() + x.mean((0, 1)), (4, 6)),
    "cat": (lambda T, x, y: T.cat([x, y, x], 1).clone(), (2, 3), (2, 2)),
    "pad": (lambda T, x: T.nn.functional.pad(x, (1, 2, -1, 0)), (3, 4)),
    "max pool": (lambda T, x: T.nn.functional.max_pool2d(x, 3, 1, 1), (1, 2, 5, 5)),
    "views": (lambda T, x: x.t()[1:, None].expand(3, 2, 4).sum(1), (4, 4)),
}


@pytest.mark.parametrize("dtype", mostly_slow(["bfloat16", "float16"], "bfloat16"))
@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_halves(name, dtype, gpu):  # noqa: F811
    function, *shapes = CALLS[name]
    compare(function, *[normal(*s, seed=i) for i, s in enumerate(shapes)], dtype=dtype, roundings=3)
    if name in ("mm", "linear", "conv"):
        assert not [kernel for kernel in gpu.launched if "ffma" in kernel or "tf32" in kernel]


def test_nothing_is_widened_before_such_a_gradient(gpu):  # noqa: F811
    w = minitorch.from_numpy(normal(4, 6)).bfloat16().cuda().requires_grad_()
    out = minitorch.nn.functional.embedding(minitorch.tensor([1, 2, 1]).cuda(), w)
    gpu.launched.clear()
    out.backward(minitorch.ones_like(out))
    assert "add_rows" in gpu.launched and len(gpu.launched) <= 4  # the slope's ones, zeros, the chain, the sums


def test_statistics_of_a_layer_norm_keep_float32s_digits():
    x = minitorch.from_numpy(normal(3, 40) + 10).bfloat16().cuda()
    _, mean, rstd = minitorch.native_layer_norm(x, (40,), None, None, 1e-5)
    wide = torch.native_layer_norm(torch.from_numpy(x.float().cpu().numpy()), (40,), None, None, 1e-5)
    for found, expected in zip((mean, rstd), wide[1:], strict=True):
        assert found.dtype is minitorch.float32
        np.testing.assert_allclose(found.cpu().numpy(), expected.numpy(), 1e-5)


def test_gradients_of_the_cross_entropy_of_halves():
    t = np.array([0, 3, 2, 4])
    loss = lambda T, x: T.nn.functional.cross_entropy(x, T.from_numpy(t).to(x.device))  # noqa: E731
    compare(loss, normal(4, 5), dtype="bfloat16", roundings=2)


def test_functions_of_matrices_that_take_halves():
    compare(lambda T, x: T.linalg.matrix_exp(x), normal(2, 3, 3), dtype="bfloat16", roundings=2)
    A = minitorch.from_numpy(normal(3, 3)).cuda()
    LU, pivots = minitorch.linalg.lu_factor(A)
    P = minitorch.lu_unpack(LU.bfloat16(), pivots).P
    assert P.dtype is minitorch.bfloat16 and minitorch.equal(P.float(), minitorch.lu_unpack(LU, pivots).P)


def test_operands_of_several_dtypes_have_gradients_of_their_own():
    x = minitorch.from_numpy(normal(4, 6)).bfloat16().cuda().requires_grad_()
    w = minitorch.ones(6).cuda().requires_grad_()
    minitorch.nn.functional.layer_norm(x.float(), (6,), w).sum().backward()
    assert x.grad.dtype is minitorch.bfloat16 and w.grad.dtype is minitorch.float32


# ---------------------------------------------------------------------- attention on tensor cores
def attend(T, q, k, v, mask=None, **given):
    if mask is not None:
        mask = T.from_numpy(mask).to(q.device)
        mask = mask if mask.dtype is T.bool else mask.to(q.dtype)
    return T.nn.functional.scaled_dot_product_attention(q, k, v, mask, **given)


SIZES = {  # queries, keys, width, causal, mask
    "small": (5, 7, 16, False, None),
    "tiles": (70, 130, 16, True, None),
    "hidden": (20, 70, 32, False, "hidden"),
    "added": (66, 40, 64, False, "added"),
    "wide": (9, 35, 128, True, None),
    "long": (150, 20, 48, True, None),
}


@pytest.mark.parametrize("dtype", mostly_slow(["bfloat16", "float16"], "bfloat16"))
@pytest.mark.parametrize("name", mostly_slow(SIZES, "small tiles hidden"))
def test_attention_and_its_gradients(name, dtype, gpu):  # noqa: F811
    queries, keys, width, causal, kind = SIZES[name]
    arrays = [normal(2, n, width, seed=i) for i, n in enumerate((queries, keys, keys))]
    mask = {None: None, "hidden": normal(queries, keys) > -0.3, "added": normal(queries, keys)}[kind]
    if kind == "hidden":
        mask[3] = False  # this query looks nowhere
    compare(lambda T, *x: attend(T, *x, mask, is_causal=causal), *arrays, dtype=dtype, roundings=3)
    assert {"attention_mma", "attention_mma_query_gradient", "attention_mma_key_gradient"} <= set(gpu.launched)


def test_heads_share_a_mask():
    arrays = [normal(2, 3, n, 16, seed=i) for i, n in enumerate((5, 7, 7))]
    mask = normal(2, 1, 5, 7) > -0.5
    compare(lambda T, *x: attend(T, *x, mask), *arrays, dtype="bfloat16", roundings=3)


def test_threads_do_not_race():
    arrays = [normal(1, n, 16, seed=i) for i, n in enumerate((70, 70, 70))]
    with emulated(races=True):
        compare(lambda T, *x: attend(T, *x, is_causal=True), *arrays, dtype="bfloat16", roundings=3)


def test_operands_that_16_bytes_do_not_fit_are_copied():
    x = minitorch.from_numpy(normal(1, 6 * 16 + 1)).bfloat16().cuda()
    parts = [x[0, i : i + 96].reshape(1, 6, 16) for i in (0, 1)]
    assert parts[1].array.pointer % 16
    found = attend(minitorch, parts[1], *[parts[0]] * 2)
    wanted = attend(minitorch, parts[1].clone(), *[parts[0]] * 2)
    assert minitorch.equal(found, wanted)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_dropout_draws_the_words_of_float32s(causal, gpu):  # noqa: F811
    arrays = [normal(2, n, 16, seed=i) for i, n in enumerate((34, 77, 77))]
    minitorch.manual_seed(3)
    q, k = (minitorch.from_numpy(a).cuda() for a in arrays[:2])
    kept = attention.kept_weights(q.array, k.array, attention.drawn(0.3, 0)).to_host()

    def dropped(T, q, k, v):
        if T is minitorch:
            minitorch.manual_seed(3)
            return attend(T, q, k, v, dropout_p=0.3, is_causal=causal)
        scores = q @ k.mT / 4
        if causal:
            scores = scores.masked_fill(torch.ones(34, 77).tril() == 0, -torch.inf)
        return (scores.softmax(-1) * torch.from_numpy(kept)) @ v

    compare(dropped, *arrays, dtype="float16", roundings=3)
    assert {"attention_mma", "attention_mma_query_gradient", "attention_mma_key_gradient"} <= set(gpu.launched)
