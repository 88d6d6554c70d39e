"""Ops with a small kernel of their own on an emulated GPU, and which ops have none."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch
from minitorch._kernels.cuda.backend import kernel_of
from minitorch._ops.op import OPS

pytestmark = pytest.mark.usefixtures("gpu")

WITHOUT_KERNEL = {
    # the CPU's way: on a GPU the function is made of other ops
    "cross_entropy_with_slopes", "least_squares", "masked_filled", "nll_loss_backward", "nll_loss_of_classes",
    "sampled_planes",
    # sparse tensors are the CPU's
    "unmasked_mm",
    # hash_tensor, whose exclusive or is no reduction of the generator's
    "hash_of_bits",
    # torch has none for CUDA either
    "histogram_counts", "histogram_edges",
}  # fmt: skip


def test_every_op_but_these_has_a_kernel():
    found = set()
    for op in OPS.values():
        if op.kind != "view":
            try:
                kernel_of(op)
            except NotImplementedError:
                found.add(op.name)
    assert found == WITHOUT_KERNEL


def test_an_op_without_a_kernel_says_so():
    x = minitorch.ones(3).cuda()
    with pytest.raises(NotImplementedError, match="is not implemented for device 'cuda' by minitorch: compute it on"):
        minitorch.histogram(x, 3)


def test_sparse_tensors_say_that_they_are_the_cpus():
    x = minitorch.eye(2).cuda()
    for call in (
        lambda: x.to_sparse(),
        lambda: minitorch.sparse_coo_tensor(x.long(), x[0]),
        lambda: minitorch.eye(2).to_sparse().cuda(),
        lambda: minitorch.sparse_coo_tensor([[0], [1]], [1.0], device="cuda"),
    ):
        with pytest.raises(NotImplementedError, match=r"by minitorch|not supported for sparse tensors"):
            call()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_floats_are_taken_apart(dtype):
    info = minitorch.finfo(getattr(minitorch, dtype))
    values = [0.0, -0.0, 1.0, -0.75, 3.1, 1e-3, info.max, info.tiny, info.tiny / 4, float("inf"), float("nan")]
    x = np.array(values, np.float64)
    taken = lambda torch, x: torch.frexp(x.to(getattr(torch, dtype)))  # noqa: E731
    same(lambda torch, x: tuple(taken(torch, x)), x, error=0)
    if dtype[0] == "f":
        same(lambda torch, x: gradients(torch, lambda x: torch.frexp(x).mantissa ** 2, x), normal(5), error=1e-6)


@pytest.mark.parametrize("space", [2, 3])
def test_fractional_maxima(space):
    x, samples = normal(2, 3, *(5, 6, 7)[:space]), np.random.default_rng(1).random((2, 3, space)).astype(np.float32)

    def pooled(torch, x, samples):
        function = getattr(torch.nn.functional, f"fractional_max_pool{space}d")
        return function(x, (2, 3, 2)[:space], (2, 3, 4)[:space], None, True, samples)

    same(pooled, x, samples, error=0)
    slopes = lambda torch, s, x: gradients(torch, lambda x: pooled(torch, x, s)[0] ** 2, x)  # noqa: E731
    same(slopes, samples, x, error=1e-6)


@pytest.mark.parametrize("initial", [None, -0.5])
@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
def test_segments_are_reduced(reduce, initial):
    x = np.random.default_rng(0).integers(-2, 3, (6, 4, 3)).astype(np.float32)
    lengths = np.array([2, 0, 1, 3])
    offsets = np.array([[0, 1, 3], [1, 1, 4], [0, 0, 0], [0, 2, 4], [3, 4, 4], [0, 4, 4]])

    def reduced(torch, x, lengths):
        return torch.segment_reduce(x, reduce, lengths=lengths, initial=initial)

    def slopes(torch, x, lengths):  # of both signs, as ties are shared by their sign
        x = x.clone().requires_grad_()
        out = reduced(torch, x, lengths).nan_to_num()
        return [torch.autograd.grad(out.sum() * sign, x, retain_graph=True)[0] for sign in (1, -1)]

    same(reduced, x, lengths)
    same(slopes, x, lengths)
    same(lambda torch, x, offsets: torch.segment_reduce(x, reduce, offsets=offsets, axis=1), x, offsets)


def test_rows_are_looked_up_with_gradients_by_frequency():
    i, w = np.array([[0, 2, 1], [2, 2, 4]]), normal(5, 3)
    rows = lambda torch, i, w: torch.nn.functional.embedding(i, w, 4, scale_grad_by_freq=True)  # noqa: E731
    same(lambda torch, i, w: gradients(torch, lambda w: rows(torch, i, w) ** 2, w), i, w)

    def twice(ns, i, w):
        w = w.clone().requires_grad_()
        slope = ns.autograd.grad((ns.nn.functional.embedding(i, w, 4) ** 3).sum(), w, create_graph=True)[0]
        return ns.autograd.grad((slope**2).sum(), w)

    same(twice, i, w)


def test_second_derivatives_of_the_cross_entropy():
    x, t, w = normal(4, 5), np.array([0, 3, -100, 4]), np.abs(normal(5, seed=1))

    def twice(torch, x, t, w, **options):
        x = x.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(x, t, w.to(x.dtype), **options)
        slope = torch.autograd.grad(loss.sum(), x, create_graph=True)[0]
        return torch.autograd.grad((slope**2).sum(), x)

    same(twice, x, t, w, error=1e-5)
    same(lambda *x: twice(*x, reduction="none"), x, t, w, error=1e-5)


def test_labels_of_a_row():
    x, t = normal(3, 4), np.array([[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3]])
    loss = lambda torch, x, t: torch.nn.functional.multilabel_margin_loss(x, t)  # noqa: E731
    same(loss, x, t)
    same(lambda torch, t, x: gradients(torch, lambda x: loss(torch, x, t), x), t, x)


def test_derivatives_of_a_view_by_geometry():
    def twice(torch, x):
        x = x.clone().requires_grad_()
        y = (x.as_strided((2, 3), (1, 2), 1) ** 3).sum()
        slope = torch.autograd.grad(y, x, create_graph=True)[0]
        return torch.autograd.grad((slope**2).sum(), x)

    same(twice, normal(3, 4))
    shared = lambda x: x.expand(3, 4).as_strided((2, 3), (0, 1))  # noqa: E731
    same(lambda torch, x: gradients(torch, lambda x: shared(x) ** 2, x), normal(1, 4))


def test_a_part_named_by_geometry_is_written():
    def written(x, part):
        return x.as_strided_scatter(part, (2, 3), (4, 1), 1)

    x, part = normal(3, 4), normal(2, 3)
    same(lambda torch, *given: written(*given), x, part, error=0)
    same(lambda torch, *given: gradients(torch, lambda *ends: written(*ends) ** 2, *given), x, part)


def test_losses_over_classes_of_pictures():
    x, t = normal(2, 3, 2, 2), np.array([[[0, 2], [1, -100]], [[2, 2], [0, 1]]])
    loss = lambda torch, x, t: torch.nn.functional.nll_loss(x.log_softmax(1), t)  # noqa: E731
    same(loss, x, t)
    same(lambda torch, t, x: gradients(torch, lambda x: loss(torch, x, t), x), t, x)


def test_pairs_of_rows_and_elements():
    same(lambda torch, x: torch.combinations(x, 2), normal(4), error=0)
    same(lambda torch, x: torch.nn.functional.pdist(x), normal(4, 3))


def test_what_has_no_derivative_says_so_at_backward():
    y = OPS["underivable"].function(minitorch.ones(3).cuda().requires_grad_(), "igamma: input")
    with pytest.raises(NotImplementedError, match="the derivative for 'igamma: input' is not implemented"):
        y.sum().backward()
