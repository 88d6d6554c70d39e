"""Cross-entropy whose gradient is computed with the loss."""

from math import prod

import numpy as np
import pytest
import torch as real
from compare import assert_same_outcome, both

import minitorch as torch

SHAPES = {"some rows": (5, 7), "one class": (4, 1), "no rows": (0, 3), "rows for several threads": (400, 200)}


def made(ns, shape, dtype, weighted, transposed=False):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=shape)
    x = ns.tensor(scores.T.copy() if transposed else scores, dtype=getattr(ns, dtype))
    target = ns.tensor(rng.integers(0, shape[1], shape[0]))
    weight = ns.tensor(rng.uniform(0.5, 2, shape[1]), dtype=x.dtype) if weighted else None
    return (x.T if transposed else x).requires_grad_(), target, weight


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_loss_and_gradient_are_torchs(shape, transposed, reduction, weighted, dtype):
    found = []
    for ns in (torch, real):
        x, target, weight = made(ns, shape, dtype, weighted, transposed)
        if shape[0]:
            target[1] = 0
        loss = ns.nn.functional.cross_entropy(x, target, weight, ignore_index=0, reduction=reduction)
        (loss * ns.arange(1.0, 1.0 + loss.numel(), dtype=x.dtype).reshape(loss.shape) * 0.3).sum().backward()
        found.append((loss.detach().numpy(), x.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, 2e-5 if dtype == "float32" else 1e-11, 1e-7)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_graph_that_is_kept_gives_the_gradient_again_though_the_first_was_written_to(reduction):
    x, target, weight = made(torch, (5, 7), "float64", True)
    loss = torch.nn.functional.cross_entropy(x, target, weight, reduction=reduction).sum()
    (first,) = torch.autograd.grad(loss, x, retain_graph=True)
    kept = first.clone()
    first.mul_(3)
    (second,) = torch.autograd.grad(loss, x)
    assert second.tolist() == kept.tolist()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_the_gradient_can_be_differentiated():
    found = []
    for ns in (torch, real):
        x, target, weight = made(ns, (5, 7), "float64", True)
        loss = ns.nn.functional.cross_entropy(x, target, weight)
        (g,) = ns.autograd.grad(loss, x, create_graph=True)
        found.append(ns.autograd.grad((g * g).sum(), x)[0].numpy())
    np.testing.assert_allclose(*found, 1e-11, 1e-14)


@pytest.mark.parametrize("factor", [1.0, 0.5, float("inf"), float("nan")])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_rows_that_do_not_count_have_the_gradient_zero_whatever_the_loss_is_multiplied_by(reduction, factor):
    for ns in (torch, real):
        x, target, _ = made(ns, (5, 7), "float32", False)
        loss = ns.nn.functional.cross_entropy(x, ns.full_like(target, -100), reduction=reduction)
        (loss * factor).sum().backward()
        assert loss.isnan().all() == (reduction == "mean") and not x.grad.any()


CLASSES = {
    "a row and its class": ((3,), [1]),
    "a row and two classes": ((3,), [0, 1]),
    "a row and no class": ((3,), []),
    "a row and a matrix": ((3,), [[1]]),
    "a row and a float": ((3,), [1.0]),
    "an ignored row": ((3,), [-100]),
    "rows and one class": ((2, 3), 1),
    "rows and a matrix": ((2, 3), [[1, 2], [0, 0]]),
    "rows and floats": ((2, 3), [1.0, 2.0]),
    "steps and too many": ((1, 3, 2), [[0, 1, 1]]),
    "pictures and rows": ((1, 3, 2, 2), [[0, 1]]),
    "pictures and smaller ones": ((1, 3, 2, 2), [[[0, 1]]]),
    "no dimension": ((), 0),
}


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 0.5], [1.0, 2.0], "float64"], ids=["-", "3", "2", "float64"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", CLASSES)
def test_classes_that_fit_or_do_not_fit_the_input_are_torchs_loss_or_error(name, weight, smoothing):
    shape, classes = CLASSES[name]

    def run(ns, function):
        target = ns.tensor(classes) if classes != [] else ns.tensor([], dtype=ns.int64)
        w = ns.ones(3, dtype=ns.float64) if weight == "float64" else weight and ns.tensor(weight)
        options = {"label_smoothing": smoothing} if smoothing else {}
        x = ns.arange(float(prod(shape))).reshape(shape)
        return getattr(ns.nn.functional, function)(x, target, w, reduction="none", **options)

    assert_same_outcome(*both(lambda ns: run(ns, "cross_entropy")))
    if not smoothing:
        assert_same_outcome(*both(lambda ns: run(ns, "nll_loss")))
