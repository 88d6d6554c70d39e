"""torch.embedding_bag, which nn.functional.embedding_bag is made of in torch, against torch's."""

import numpy as np
import pytest
import torch

import minitorch

INDICES = [0, 2, 1, 1, 3]


@pytest.mark.parametrize("padding_idx", [None, 1, -1])
@pytest.mark.parametrize("include_last_offset", [False, True])
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_all_four_results_are_torchs(mode, include_last_offset, padding_idx):
    found = []
    for T in (torch, minitorch):
        weight = T.arange(8.0).reshape(4, 2).flip(0).requires_grad_()
        offsets = T.tensor([0, 2, 2, 5] if include_last_offset else [0, 2, 2])
        results = T.embedding_bag(
            weight, T.tensor(INDICES), offsets, False, mode, False, None, include_last_offset, padding_idx
        )
        (results[0] ** 2).sum().backward()
        found.append([r.tolist() for r in (*results, weight.grad)])
    mine, theirs = found[1], found[0]
    assert mine[1:4] == theirs[1:4]
    for mine_, theirs_ in ((mine[0], theirs[0]), (mine[4], theirs[4])):
        np.testing.assert_allclose(mine_, theirs_, rtol=1e-6)


def test_per_sample_weights_scale_rows():
    found = []
    for T in (torch, minitorch):
        bags = T.embedding_bag(T.eye(4), T.tensor(INDICES), T.tensor([0, 2]), per_sample_weights=T.arange(5.0), mode=0)
        found.append([r.tolist() for r in bags])
    assert found[1] == found[0]


@pytest.mark.parametrize(
    "options", [{"mode": 3}, {"mode": 1, "per_sample_weights": True}, {"offsets": [1]}, {"indices": [9]}]
)
def test_wrong_calls_raise_torchs_error(options):
    caught = []
    for T in (torch, minitorch):
        given = {"weight": T.eye(4), "indices": T.tensor([0, 1]), "offsets": T.tensor([0])}
        given |= {k: T.tensor(v) if isinstance(v, list) else T.ones(2) if v is True else v for k, v in options.items()}
        with pytest.raises(RuntimeError) as error:
            T.embedding_bag(**given)
        caught.append(str(error.value).splitlines()[0])
    assert caught[0] == caught[1]
