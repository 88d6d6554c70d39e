"""Kernels of layers, losses and optimizers on an emulated GPU."""

import numpy as np
import pytest
import torch
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch
from minitorch._kernels.cuda import attention

pytestmark = pytest.mark.usefixtures("gpu")


def _layers(torch):
    return torch.nn.functional


def _both(function, *arrays, error=1e-5):
    """A function's value and its gradients for all arrays."""
    same(lambda torch, *x: function(_layers(torch), *x), *arrays, error=error)
    same(lambda torch, *x: gradients(torch, lambda *x: function(_layers(torch), *x) ** 2, *x), *arrays, error=error)


# ---------------------------------------------------------------------- softmax
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", mostly_slow([0, 1, 2], "0 2"))
def test_softmax_along_every_dimension(name, dim):
    _both(lambda layers, x: getattr(layers, name)(x, dim), 4 * normal(3, 5, 8))


@pytest.mark.slow
def test_softmax_of_long_rows_and_of_halves():
    _both(lambda layers, x: layers.log_softmax(x, 1), normal(2, 1100))
    same(lambda torch, x: torch.softmax(x.half(), 1).float(), normal(3, 8), error=2e-3)


def test_softmax_of_infinities_and_nan():
    x = normal(4, 9)
    x[0], x[1, 3], x[2, 1], x[3, 0] = -np.inf, -np.inf, np.inf, np.nan
    same(lambda torch, x: (torch.softmax(x, 1), torch.log_softmax(x, 1), torch.softmax(x.t(), 0)), x, error=1e-6)


def test_causal_softmax_in_attention():
    x = normal(2, 5, 5)
    expected = np.tril(np.exp(x)) / np.tril(np.exp(x)).sum(2, keepdims=True)
    found = minitorch._ops.op.OPS["causal_softmax"].function(minitorch.from_numpy(x).cuda())
    np.testing.assert_allclose(found.cpu().numpy(), expected, 1e-6)


# ---------------------------------------------------------------------- losses
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", mostly_slow([False, True], "True"))
def test_cross_entropy_with_ignored_targets(reduction, weighted):
    target, weight = np.array([0, 3, -100, 8, 3, 1]), np.arange(1, 10, dtype=np.float32)

    def function(torch, x, target, weight):
        def loss(x):
            w = weight if weighted else None
            return _layers(torch).cross_entropy(x, target, w, reduction=reduction) * 2

        return [loss(x), *gradients(torch, loss, x)]

    same(function, 4 * normal(6, 9), target, weight)


def test_cross_entropy_of_a_target_that_is_no_class_is_nan():
    x, target = minitorch.from_numpy(normal(2, 3)).cuda(), minitorch.tensor([1, 7]).cuda()
    assert minitorch.nn.functional.cross_entropy(x, target, reduction="none").isnan().tolist() == [False, True]


@pytest.mark.slow
def test_losses_made_of_ops():
    target = np.array([0, 3, 2, 8])
    same(lambda torch, x, t: _layers(torch).nll_loss(torch.log_softmax(x, 1), t), normal(4, 9), target)
    same(lambda torch, x, t: _layers(torch).cross_entropy(x, t, label_smoothing=0.1), normal(4, 9), target)
    _both(lambda layers, x, y: layers.mse_loss(x, y), normal(4, 9), normal(4, 9, seed=1))
    _both(lambda layers, x, y: layers.mse_loss(x, y, reduction="sum"), normal(4, 9), normal(4, 9, seed=1))
    _both(lambda layers, x, y: layers.smooth_l1_loss(x, y), normal(4, 9), normal(4, 9, seed=1))
    _both(lambda layers, x: layers.binary_cross_entropy_with_logits(x, (x > 0).to(x.dtype)), normal(4, 9))


# ---------------------------------------------------------------------- normalization
def test_layer_norm():
    w, b = normal(5, seed=1), normal(5, seed=2)
    _both(lambda layers, x, w, b: layers.layer_norm(x, (5,), w, b), 3 + normal(4, 3, 5), w, b)
    same(lambda torch, x: _layers(torch).layer_norm(x, (3, 5)), 100 + normal(4, 3, 5), error=1e-4)


@pytest.mark.slow
def test_layer_norm_of_long_rows():
    _both(lambda layers, x: layers.layer_norm(x, (1100,)), normal(2, 1100), error=1e-4)


@pytest.mark.parametrize("shape", [pytest.param((4, 6), marks=pytest.mark.slow), (3, 6, 2, 4)])
def test_batch_norm(shape):
    w, b = normal(6, seed=1), normal(6, seed=2)
    _both(lambda layers, x, w, b: layers.batch_norm(x, None, None, w, b, True), 3 + normal(*shape), w, b, error=1e-4)


@pytest.mark.slow
def test_batch_norm_of_channels_in_parts(gpu):  # noqa: F811
    same(
        lambda torch, x: _layers(torch).batch_norm(x, None, None, None, None, True),
        9 + normal(2, 1, 50, 44),
        error=1e-4,
    )
    assert gpu.launched.count("moments_rows") == 1


def test_batch_norm_modules_keep_running_moments():
    def function(torch, x):
        m = torch.nn.BatchNorm2d(3).to(x.dtype)
        m = m if torch.__name__ == "torch" else m.cuda()
        trained = m(x)
        m.eval()
        return trained.detach(), m.running_mean, m.running_var, m(x).detach()

    same(function, 3 + normal(2, 3, 4, 5), error=1e-5)


@pytest.mark.slow
def test_group_and_instance_norm():
    w, b = normal(6, seed=1), normal(6, seed=2)
    _both(lambda layers, x, w, b: layers.group_norm(x, 3, w, b), normal(2, 6, 3, 5), w, b, error=1e-4)
    same(lambda torch, x: _layers(torch).instance_norm(x), normal(2, 6, 3, 5), error=1e-5)


# ---------------------------------------------------------------------- pooling, resampling
@pytest.mark.parametrize(
    "arguments", [(3, 2, 1), pytest.param(((2, 3), (1, 2), 0, (2, 1), True), marks=pytest.mark.slow)]
)
def test_max_pool_with_ties_and_its_gradient(arguments):
    x = np.round(2 * normal(2, 2, 9, 11))
    _both(lambda layers, x: layers.max_pool2d(x, *arguments), x)
    same(lambda torch, x: _layers(torch).max_pool2d(x, *arguments, return_indices=True)[1], x, error=0)


@pytest.mark.slow
def test_max_pool_of_nan_lines_and_volumes():
    x = normal(2, 2, 9, 11)
    x[0, 0, 2, 2] = np.nan
    same(lambda torch, x: _layers(torch).max_pool2d(x, 3, 2, 1), x, error=0)
    _both(lambda layers, x: layers.max_pool1d(x, 3, 2, 1), normal(2, 3, 10))
    _both(lambda layers, x: layers.max_pool3d(x, 2), normal(1, 2, 4, 5, 6))


@pytest.mark.slow
def test_average_pool_and_interpolation():
    x = normal(2, 2, 9, 11)
    _both(lambda layers, x: layers.avg_pool2d(x, 3, 2, 1, count_include_pad=False), x)
    _both(lambda layers, x: layers.adaptive_avg_pool2d(x, (4, 5)), x)
    _both(lambda layers, x: layers.adaptive_avg_pool2d(x, 1), x)
    _both(lambda layers, x: layers.interpolate(x, scale_factor=2, mode="bilinear"), x)
    same(lambda torch, x: _layers(torch).interpolate(x, size=(4, 20)), x, error=0)


# ---------------------------------------------------------------------- positions
def test_embedding_adds_up_rows_that_come_several_times():
    rows = np.random.default_rng(0).integers(0, 6, (4, 90))
    same(lambda torch, w, i: _layers(torch).embedding(i, w), normal(6, 5), rows, error=0)
    same(lambda torch, w, i: gradients(torch, lambda w: _layers(torch).embedding(i, w, padding_idx=3) ** 2, w),
         normal(6, 5), rows, error=1e-5)  # fmt: skip


def test_gather_and_scatter():
    x, index = normal(3, 5, 7), np.random.default_rng(0).integers(0, 5, (3, 4, 7))
    same(lambda torch, x, i: torch.gather(x, 1, i), x, index, error=0)
    same(lambda torch, x, i: torch.gather(x, 1, i[:2, :, :3]), x, index, error=0)
    same(lambda torch, x, i: gradients(torch, lambda x: torch.gather(x, 1, i) ** 2, x), x, index)
    same(lambda torch, x, i: x.scatter_add(1, i, x[:, :4]), x, index)
    same(lambda torch, x, i: x.scatter(1, i[:, :1], x[:, :1]), x, index, error=0)
    same(lambda torch, x, i: torch.index_select(x, 2, i[0, 0]), x, index, error=0)
    same(lambda torch, x, i: gradients(torch, lambda x: torch.index_select(x, 2, i[0, 0]) ** 2, x), x, index)
    same(lambda torch, x, i: x.index_add(1, i[0, 0, :4], x[:, :4]), x, index)
    same(lambda torch, x: gradients(torch, lambda x: x.max(1)[0] ** 2, x), x)


@pytest.mark.slow
def test_indexing_by_tensors_of_integers():
    x, i = normal(3, 5, 7), np.array([0, -1, 2, 0])
    same(lambda torch, x, i: (x[i], x[:, i - 1], x[:, i, i], x[i.reshape(2, 2), :, 0]), x, i, error=0)
    same(lambda torch, x, i: gradients(torch, lambda x: x[i].sum() ** 2 + x[:, i, i] ** 3, x), x, i, error=1e-5)
    same(lambda torch, x, mask: x[mask], x, np.array([True, False, True]), error=0)


# ---------------------------------------------------------------------- optimizers
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": ("Adam", {"lr": 0.1, "amsgrad": True}),
    "adamw": ("AdamW", {"lr": 0.1}),
    "rmsprop": ("RMSprop", {"centered": True, "momentum": 0.5}),
    "rprop": ("Rprop", {}),
}


def _trained(torch, name, *given):
    optimizer, options = OPTIMIZERS[name]
    params = [torch.nn.Parameter(x.clone()) for x in (*given, given[0][:0])]
    made = getattr(torch.optim, optimizer)(params, **options)
    for _ in range(2):
        made.zero_grad()
        sum((p * p * p).sum() for p in params).backward()
        made.step()
    return [p.detach() for p in params]


@pytest.mark.parametrize("name", mostly_slow(OPTIMIZERS, "adam"))
def test_a_step_over_all_parameters_is_one_launch(name, gpu):  # noqa: F811
    same(lambda torch, *given: _trained(torch, name, *given), normal(3, 5), normal(41, seed=1), error=2e-5)
    assert sum(launched.endswith("_update") for launched in gpu.launched) == 2


def test_a_parameter_that_is_a_view_between_vectors_takes_the_ops(gpu):  # noqa: F811
    base = minitorch.from_numpy(normal(9)).cuda()
    p = minitorch.nn.Parameter(base[1:])
    p.grad = minitorch.ones_like(p)
    minitorch.optim.SGD([p], lr=0.5).step()
    np.testing.assert_allclose(base.cpu().numpy()[1:], normal(9)[1:] - 0.5, 1e-6)
    assert not any(launched.endswith("_update") for launched in gpu.launched)


@pytest.mark.slow
def test_long_parameters_take_several_blocks():
    same(lambda torch, *given: _trained(torch, "adam", *given), normal(9001), normal(5, seed=1), error=2e-5)


# ---------------------------------------------------------------------- attention
@pytest.mark.parametrize(
    "sizes",
    [(5, 7, 16, False), (3, 1, 16, True), pytest.param((40, 40, 16, True), marks=pytest.mark.slow),
     pytest.param((33, 70, 32, False), marks=pytest.mark.slow)],
)  # fmt: skip
def test_attention_in_blocks(sizes, gpu):  # noqa: F811
    queries, keys, width, causal = sizes
    q, k, v = normal(2, queries, width), normal(2, keys, width, seed=1), normal(2, keys, width, seed=2)
    _both(lambda layers, q, k, v: layers.scaled_dot_product_attention(q, k, v, is_causal=causal), q, k, v)
    assert {"attention", "attention_query_gradient", "attention_key_gradient"} <= set(gpu.launched)


def _attend(torch, q, k, v, mask, **given):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, **given)


MASKS = {"hides": (3, 1, 5, 7), "is added": (5, 7), "for keys": (2, 1, 1, 7)}


@pytest.mark.parametrize("name", mostly_slow(MASKS, "hides"))
def test_attention_behind_a_mask(name, gpu):  # noqa: F811
    q, k, v = normal(3, 2, 5, 16), normal(3, 2, 7, 16, seed=1), normal(3, 2, 7, 16, seed=2)
    if name == "for keys":
        q, k, v = q[:2], k[:2], v[:2]
    mask = normal(*MASKS[name], seed=3)
    if name == "is added":
        mask[1, 2], mask[4] = -np.inf, np.finfo(np.float32).min
    else:
        mask = mask > -0.3
        mask[1, 0, 0] = False  # this query looks nowhere
    attend = lambda torch, *x: _attend(torch, *x)  # noqa: E731
    same(attend, q, k, v, mask, error=1e-5)
    if name == "is added":
        mask[4] = 0.5
    slopes = lambda torch, q, k, v, m: gradients(torch, lambda *x: _attend(torch, *x, m) ** 2, q, k, v)  # noqa: E731
    same(slopes, q, k, v, mask, error=1e-5)
    assert {"attention", "attention_query_gradient", "attention_key_gradient"} <= set(gpu.launched)


@pytest.mark.parametrize("causal", mostly_slow([False, True], "True"))
def test_attention_with_dropout_draws_the_same_weights_in_every_kernel(causal, gpu):  # noqa: F811
    arrays = [normal(2, 34, 16), normal(2, 37, 16, seed=1), normal(2, 37, 16, seed=2), normal(2, 34, 16, seed=3)]
    minitorch.manual_seed(3)
    q, k, v, g = (minitorch.from_numpy(a).cuda().requires_grad_() for a in arrays)
    out = _attend(minitorch, q, k, v, None, dropout_p=0.3, is_causal=causal)
    (out * g.detach()).sum().backward()
    minitorch.manual_seed(3)
    kept = attention.kept_weights(q.array, k.array, attention.drawn(0.3, 0)).to_host()
    assert abs((kept == 0).mean() - 0.3) < 0.03
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.7)}
    ours = [out.detach(), q.grad, k.grad, v.grad]
    q, k, v, g = (torch.from_numpy(a).double().requires_grad_() for a in arrays)
    scores = q @ k.mT / 4
    if causal:
        scores = scores.masked_fill(torch.ones(34, 37).tril() == 0, -torch.inf)
    out = (scores.softmax(-1) * torch.from_numpy(kept)) @ v
    (out * g.detach()).sum().backward()
    for found, expected in zip(ours, [out.detach(), q.grad, k.grad, v.grad], strict=True):
        np.testing.assert_allclose(found.cpu().numpy(), expected.numpy(), 1e-5, 1e-5)


def test_attention_with_dropout_has_second_gradients_and_drops_anew():
    q = minitorch.from_numpy(normal(1, 4, 16)).cuda().requires_grad_()
    first, second = (_attend(minitorch, q, q, q, None, dropout_p=0.5) for _ in range(2))
    assert (first != second).any()
    assert (_attend(minitorch, q, q, q, None, dropout_p=1.0) == 0).all()
    slope = minitorch.autograd.grad(first.sum(), q, create_graph=True)[0]
    plain = minitorch.autograd.grad(first.sum(), q)[0]
    np.testing.assert_allclose(slope.detach().cpu().numpy(), plain.cpu().numpy(), 1e-5, 1e-5)
    (slope**2).sum().backward()
    assert q.grad.isfinite().all()


# ---------------------------------------------------------------------- recurrent layers
@pytest.mark.slow
@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers(name, gpu):  # noqa: F811
    pytest.importorskip("minitorch._kernels.cuda.gemm", reason="the product with the hidden state")

    def function(torch, x):
        torch.manual_seed(0)
        layer = getattr(torch.nn, name)(3, 4).to(x.dtype)
        for n, p in enumerate(layer.parameters()):  # any numbers, the same in both
            p.data.copy_(torch.arange(float(p.numel())).add(n).sin().mul(0.5).reshape(p.shape))
        layer = layer if torch.__name__ == "torch" else layer.cuda()
        x = x.clone().requires_grad_()
        out, state = layer(x)
        ((out**2).sum() + sum((s**3).sum() for s in state)).backward()
        return [out.detach(), x.grad, *[p.grad for p in layer.parameters()]]

    same(function, normal(3, 2, 3), error=1e-4)


# ---------------------------------------------------------------------- sums with products
@pytest.mark.parametrize("name", mostly_slow(["addmm", "addmv", "baddbmm", "addbmm"], "addmm addmv"))
def test_sums_with_products(name):
    a, b = normal(*((2, 3, 4) if "bmm" in name else (3, 4))), normal(*((2, 4, 5) if "bmm" in name else (4, 5)), seed=1)
    b = b[:, 0].copy() if name == "addmv" else b
    for c in (normal(3), normal(3, 1)) if name == "addmv" else (normal(5), normal(3, 5)):
        c = c[:, 0].copy() if name == "addmv" and c.ndim == 2 else c
        same(lambda torch, c, a, b: getattr(torch, name)(c, a, b), c, a, b)
        same(lambda torch, c, a, b: getattr(torch, name)(c, a, b, beta=0.5, alpha=2), c, a, b)
        same(lambda torch, c, a, b: getattr(torch, name)(c, a, b, beta=0), np.full_like(c, np.nan), a, b)
        same(lambda torch, *x: gradients(torch, lambda *x: getattr(torch, name)(*x, alpha=2) ** 2, *x), c, a, b)
