"""Random numbers on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, normal  # noqa: F401

import minitorch as torch
from minitorch._kernels.cuda.kernel import kernel
from minitorch._kernels.cuda.rng import philox_words
from tests import simt

pytestmark = pytest.mark.usefixtures("gpu")


@kernel("u4* u8 u4 u4 u4 u4", block=1)
def _words(out, key, c0, c1, c2, c3):
    a, b, c, d = philox_words(key, c0, c1, c2, c3)
    out[0] = a
    out[1] = b
    out[2] = c
    out[3] = d


def test_philox_gives_the_published_words():
    # the known answers of Random123, https://github.com/DEShawResearch/random123, tests/kat_vectors
    for key, counter, expected in (
        (0, (0, 0, 0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**64 - 1, (2**32 - 1,) * 4, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ):
        out = np.zeros(4, np.uint32)
        simt.run(_words, 1, out, key, *counter)
        assert " ".join(f"{w:08x}" for w in out) == expected


def test_uniform_and_normal_numbers_are_those_of_torch_on_a_gpu():
    # what torch.rand and torch.randn print for seed 0 on device "cuda"
    torch.manual_seed(0)
    np.testing.assert_allclose(_drawn(torch.rand, 6), [0.3990, 0.5167, 0.0249, 0.9401, 0.9459, 0.7967], atol=6e-5)
    torch.manual_seed(0)
    found = _drawn(torch.randn, 6)
    np.testing.assert_allclose(found, [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797], atol=6e-5)


def _drawn(function, *args, **options):
    return function(*args, device="cuda", **options).cpu().numpy()


def test_a_stream_goes_on_from_call_to_call_and_starts_anew_with_its_seed():
    torch.manual_seed(3)
    first, second = _drawn(torch.rand, 5), _drawn(torch.rand, 5)
    torch.manual_seed(3)
    assert (_drawn(torch.rand, 5) == first).all() and (first != second).all()


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_floats(dtype):
    x = torch.rand(300, device="cuda", dtype=getattr(torch, dtype)).cpu().double().numpy()
    assert (x >= 0).all() and (x < 1).all() and abs(x.mean() - 0.5) < 0.06 and len(set(x)) > 60


@pytest.mark.slow
def test_distributions_have_their_moments():
    torch.manual_seed(0)
    for name, mean, std in (("exponential_", 1, 1), ("log_normal_", None, None), ("normal_", 0, 1)):
        x = getattr(torch.empty(2000, device="cuda"), name)().cpu().numpy()
        assert np.isfinite(x).all()
        if mean is not None:
            assert abs(x.mean() - mean) < 0.1 and abs(x.std() - std) < 0.1
    ones = torch.empty(1000, device="cuda").bernoulli_(0.3).cpu().numpy()
    assert set(ones) == {0.0, 1.0} and abs(ones.mean() - 0.3) < 0.05
    assert torch.bernoulli(torch.tensor([0.0, 1.0]).cuda()).tolist() == [0.0, 1.0]


@pytest.mark.slow
def test_integers_stay_in_their_range():
    x = _drawn(torch.randint, -3, 4, (500,))
    assert set(x) == set(range(-3, 4))
    assert (_drawn(torch.randint, 0, 2**40, (50,)) > 2**32).any()
    assert (torch.empty(50, device="cuda", dtype=torch.uint8).random_().cpu().numpy() < 128).any()


def test_a_view_with_gaps_is_filled_and_its_neighbours_kept():
    whole = torch.zeros(4, 6, device="cuda")
    whole.t()[::2].uniform_(2, 3)
    filled = whole.cpu().numpy()
    assert (filled[:, ::2] >= 2).all() and (filled[:, 1::2] == 0).all()


def test_dropout_keeps_what_it_does_not_drop_in_scale():
    x = torch.from_numpy(normal(400)).cuda()
    y = torch.nn.functional.dropout(x, 0.25).cpu().numpy()
    kept = y != 0
    np.testing.assert_allclose(y[kept], normal(400)[kept] / 0.75, 1e-6)
    assert abs(kept.mean() - 0.75) < 0.1
