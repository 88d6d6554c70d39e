"""The CTC loss on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, normal, same  # noqa: F401
from emulated_gpu import emulated

import minitorch

pytestmark = pytest.mark.usefixtures("gpu")

STEPS, BATCH, CLASSES = 7, 4, 5
TARGETS = np.array([[1, 2, 2], [3, 3, 3], [4, 1, 4], [1, 1, 1]])
INPUTS, SIZES = (7, 6, 3, 5), (3, 2, 3, 0)


def losses(torch, x, targets, blank=0, **options):
    p = x.log_softmax(-1)
    return torch.nn.functional.ctc_loss(p, targets, INPUTS, SIZES, blank, **options)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_losses_and_gradients(reduction):
    x = normal(STEPS, BATCH, CLASSES)
    same(lambda torch, x, t: losses(torch, x, t, reduction=reduction), x, TARGETS)
    slopes = lambda torch, t, x: gradients(torch, lambda x: losses(torch, x, t, reduction=reduction) ** 2, x)  # noqa: E731
    same(slopes, TARGETS, x, error=1e-5)


def test_targets_one_after_the_other_and_another_blank():
    x, flat = normal(STEPS, BATCH, CLASSES), np.array([1, 2, 2, 3, 3, 1, 2, 1])
    same(lambda torch, x, t: losses(torch, x, t, 4, reduction="none"), x, flat)
    same(
        lambda torch, t, x: gradients(torch, lambda x: losses(torch, x, t, 4, reduction="sum"), x), flat, x, error=1e-5
    )


def test_a_target_too_long_for_its_input_has_no_gradient_where_infinity_is_zero():
    x, targets = normal(STEPS, 2, CLASSES), np.array([[1, 1, 1, 1], [1, 2, 3, 4]])

    def loss(torch, x, t):
        p = x.log_softmax(-1)
        return torch.nn.functional.ctc_loss(p, t, (5, 7), (4, 4), reduction="none", zero_infinity=True)

    same(loss, x, targets)
    same(lambda torch, t, x: gradients(torch, lambda x: loss(torch, x, t), x), targets, x, error=1e-5)


def test_more_letters_and_classes_than_a_warp_and_doubles():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((9, 1, 70)), rng.integers(1, 70, (1, 5))
    loss = lambda torch, x, t: torch.nn.functional.ctc_loss(x.log_softmax(-1), t, (9,), (5,))  # noqa: E731
    same(loss, x, targets, error=1e-13)
    same(lambda torch, t, x: gradients(torch, lambda x: loss(torch, x, t), x), targets, x, error=1e-12)


def test_inputs_without_steps_and_labels_that_are_no_class():
    x = minitorch.from_numpy(normal(3, 2, CLASSES)).cuda()
    loss = minitorch.nn.functional.ctc_loss
    found = loss(x, minitorch.tensor([[1], [1]]).cuda(), (0, 0), (1, 0), reduction="none")
    assert found.tolist() == [float("inf"), 0.0]
    assert loss(x, minitorch.tensor([[1], [9]]).cuda(), (3, 3), (1, 1), reduction="none").isnan().tolist() == [0, 1]


def test_threads_do_not_race():
    with emulated(races=True):
        x = minitorch.from_numpy(normal(STEPS, BATCH, CLASSES)).cuda().requires_grad_()
        losses(minitorch, x, minitorch.from_numpy(TARGETS).cuda()).backward()
