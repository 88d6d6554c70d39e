"""torch's losses beside those of nn.functional: their reduction is a number, and without one nothing is reduced."""

import pytest
import torch

import minitorch

LOSSES = {
    "kl_div": lambda ns, a, b, c, y: (a.log(), b),
    "binary_cross_entropy_with_logits": lambda ns, a, b, c, y: (a, b),
    "cosine_embedding_loss": lambda ns, a, b, c, y: (a, b, y),
    "hinge_embedding_loss": lambda ns, a, b, c, y: (a[:, 0], y),
    "margin_ranking_loss": lambda ns, a, b, c, y: (a[:, 0], b[:, 0], y),
    "triplet_margin_loss": lambda ns, a, b, c, y: (a, b, c),
    "ctc_loss": lambda ns, a, b, c, y: (a.log().unsqueeze(1), ns.tensor([[1, 2]]), ns.tensor([4]), ns.tensor([2])),
}


def outcome(ns, name, reduction):
    a, b, c = (ns.linspace(k, 0.9, 12).cos().abs().reshape(4, 3) for k in (0.1, 0.2, 0.3))
    a.requires_grad_()
    arguments = LOSSES[name](ns, a, b, c, ns.tensor([1.0, -1.0, 1.0, -1.0]))
    loss = getattr(ns, name)(*arguments, **({} if reduction is None else {"reduction": reduction}))
    loss.sum().backward()
    return loss.detach().numpy(), a.grad.numpy()


@pytest.mark.filterwarnings("ignore:reduction")  # of kl_div's mean
@pytest.mark.parametrize("reduction", [None, 0, 1, 2, 7])
@pytest.mark.parametrize("name", LOSSES)
def test_reduction_by_number(name, reduction):
    for ours, theirs in zip(outcome(minitorch, name, reduction), outcome(torch, name, reduction), strict=True):
        assert ours.shape == theirs.shape
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
