"""Bad input of random functions is torch's error and draws nothing."""

import warnings

import numpy as np
import pytest
import torch
from random_marks import needs_serial_bernoulli, needs_torchs_vector_code

import minitorch

pytestmark = needs_torchs_vector_code

BAD = {
    "uniform_ backwards": lambda t: t.zeros(3).uniform_(2, 1),
    "uniform_ fraction": lambda t: t.zeros(3).uniform_(1.23456789, 1),
    "uniform_ too wide": lambda t: t.zeros(3).uniform_(-3e38, 3e38),
    "uniform_ infinite": lambda t: t.zeros(3).uniform_(0, float("inf")),
    "uniform_ nan": lambda t: t.zeros(3, dtype=t.float64).uniform_(float("nan"), 1),
    "uniform_ of integers": lambda t: t.zeros(3, dtype=t.int64).uniform_(),
    "uniform_ str": lambda t: t.zeros(3).uniform_("a", 2),
    "uniform_ unknown": lambda t: t.zeros(3).uniform_(a=1),
    "uniform_ generator": lambda t: t.zeros(3).uniform_(generator=3),
    "normal_ negative": lambda t: t.zeros(3).normal_(0, -1.5),
    "normal_ nan": lambda t: t.zeros(3).normal_(0, float("nan")),
    "normal_ of bools": lambda t: t.zeros(3, dtype=t.bool).normal_(),
    "normal_ str": lambda t: t.zeros(3).normal_("a"),
    "exponential_ 0": lambda t: t.zeros(3).exponential_(0),
    "exponential_ of integers": lambda t: t.zeros(3, dtype=t.int32).exponential_(),
    "cauchy_ negative": lambda t: t.zeros(3).cauchy_(0, -1),
    "cauchy_ of integers": lambda t: t.zeros(3, dtype=t.int16).cauchy_(),
    "log_normal_ 0": lambda t: t.zeros(3).log_normal_(0, 0),
    "log_normal_ of integers": lambda t: t.zeros(3, dtype=t.uint8).log_normal_(),
    "geometric_ 0": lambda t: t.zeros(3).geometric_(0.0),
    "geometric_ 1": lambda t: t.zeros(3).geometric_(1),
    "geometric_ of bools": lambda t: t.zeros(3, dtype=t.bool).geometric_(0.5),
    "bernoulli_ 2": lambda t: t.zeros(3).bernoulli_(2),
    "bernoulli_ str": lambda t: t.zeros(3).bernoulli_("a"),
    "bernoulli_ of integers p": lambda t: t.zeros(3).bernoulli_(t.ones(3, dtype=t.int64)),
    "bernoulli_ p above 1": lambda t: t.zeros(3).bernoulli_(t.full((3,), 2.0)),
    "bernoulli_ p shape": lambda t: t.zeros(3).bernoulli_(t.zeros(2)),
    "bernoulli p nan": lambda t: t.bernoulli(t.full((3,), float("nan"))),
    "bernoulli of integers": lambda t: t.bernoulli(t.zeros(3, dtype=t.int64)),
    "bernoulli of tensor p": lambda t: t.bernoulli(t.zeros(3), t.zeros(3)),
    "random_ empty": lambda t: t.zeros(3).random_(5, 5),
    "random_ negative": lambda t: t.zeros(3).random_(-5),
    "random_ int8": lambda t: t.zeros(3, dtype=t.int8).random_(0, 300),
    "random_ int16": lambda t: t.zeros(3, dtype=t.int16).random_(-(2**40), 300),
    "random_ bool": lambda t: t.zeros(3, dtype=t.bool).random_(0, 3),
    "random_ float": lambda t: t.zeros(3).random_(0, 2.5),
    "random_ from too far": lambda t: t.zeros(3, dtype=t.int8).random_(200, None),
    "expanded": lambda t: t.zeros(1).expand(3).uniform_(),
    "rand nothing": lambda t: t.rand(),
    "rand negative": lambda t: t.rand(-2),
    "rand of integers": lambda t: t.rand(2, dtype=t.int64),
    "randn of bools": lambda t: t.randn(2, dtype=t.bool),
    "rand_like of integers": lambda t: t.rand_like(t.zeros(2, dtype=t.int64)),
    "rand_like of a list": lambda t: t.rand_like([1]),
    "rand out dtype": lambda t: t.rand(2, dtype=t.float32, out=t.zeros(2, dtype=t.float64)),
    "randint empty": lambda t: t.randint(5, 5, (2,)),
    "randint zero": lambda t: t.randint(0, (2,)),
    "randint size": lambda t: t.randint(0, 5, 2),
    "randint no size": lambda t: t.randint(5),
    "randint nothing": lambda t: t.randint(),
    "randint float": lambda t: t.randint(0, 5.5, (2,)),
    "randint uint8": lambda t: t.randint(0, 500, (2,), dtype=t.uint8),
    "randint_like float": lambda t: t.randint_like(t.zeros(2), 2.5),
    "randperm negative": lambda t: t.randperm(-1),
    "randperm float": lambda t: t.randperm(2.5),
    "randperm bool": lambda t: t.randperm(3, dtype=t.bool),
    "randperm uint8": lambda t: t.randperm(300, dtype=t.uint8),
    "randperm int8": lambda t: t.randperm(300, dtype=t.int8),
    "randperm int16": lambda t: t.randperm(40_000, dtype=t.int16),
    "randperm float32": lambda t: t.randperm(2**24 + 2, dtype=t.float32),
    "normal no size": lambda t: t.normal(0, 1),
    "normal size int": lambda t: t.normal(0, 1, 2),
    "normal tensor and size": lambda t: t.normal(t.zeros(3), 1, (2,)),
    "normal negative": lambda t: t.normal(0, -1.5, (2,)),
    "normal negative tensor": lambda t: t.normal(t.zeros(2), -t.ones(2)),
    "normal shapes": lambda t: t.normal(t.zeros(2), t.ones(3)),
    "normal of integers": lambda t: t.normal(t.zeros(2, dtype=t.int64), 1),
    "multinomial too many": lambda t: t.multinomial(t.ones(3), 4),
    "multinomial none": lambda t: t.multinomial(t.ones(3), 0),
    "multinomial 3d": lambda t: t.multinomial(t.ones(1, 1, 3), 1),
    "multinomial 0d": lambda t: t.multinomial(t.tensor(1.0), 1),
    "multinomial of integers": lambda t: t.multinomial(t.ones(3, dtype=t.int64), 1),
    "multinomial negative": lambda t: t.multinomial(t.tensor([1.0, -1]), 1),
    "multinomial zeros": lambda t: t.multinomial(t.zeros(2), 1),
    "multinomial replaced zeros": lambda t: t.multinomial(t.zeros(2), 2, True),
    "multinomial replaced negative": lambda t: t.multinomial(t.tensor([1.0, -1]), 2, True),
    "multinomial replaced inf": lambda t: t.multinomial(t.tensor([1.0, float("inf")]), 2, True),
    "multinomial out": lambda t: t.multinomial(t.ones(3), 2, out=t.zeros(0)),
    "multinomial generator": lambda t: t.multinomial(t.ones(3), 2, generator=3),
    "manual_seed too large": lambda t: t.manual_seed(2**64),
    "manual_seed word": lambda t: t.manual_seed("x"),
    "Generator.manual_seed float": lambda t: t.Generator().manual_seed(2.5),
    "set_state dtype": lambda t: t.set_rng_state(t.zeros(5)),
    "set_state size": lambda t: t.set_rng_state(t.zeros(5, dtype=t.uint8)),
    "set_state zeros": lambda t: t.set_rng_state(t.zeros(5056, dtype=t.uint8)),
    "set_state number": lambda t: t.Generator().set_state(5),
    "Generator device": lambda t: t.Generator("foo"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_torchs_error_and_draws_nothing(name):
    with pytest.raises(Exception) as theirs:
        BAD[name](torch)
    minitorch.manual_seed(0)
    before = minitorch.get_rng_state().numpy()
    with pytest.raises(type(theirs.value)) as ours:
        BAD[name](minitorch)
    said = str(theirs.value).split("\n")[0].removesuffix(", but expected one of:")
    assert str(ours.value).split("\n")[0] == said
    np.testing.assert_array_equal(minitorch.get_rng_state().numpy(), before)


@pytest.mark.parametrize("bounds", [(0, 2**40), (-(2**30), 5)])
def test_range_beyond_a_floats_integers_warns_as_torch(bounds):
    messages = []
    for t in (minitorch, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            t.zeros(3).random_(*bounds)
        messages.append([str(w.message).split(" (Triggered")[0] for w in caught])
    assert messages[0] == messages[1] != []


def test_what_is_missing_says_so():
    if minitorch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(AssertionError, match="not compiled with CUDA"):
        minitorch.Generator("cuda")
    with pytest.raises(AssertionError, match="not compiled with CUDA"), minitorch.random.fork_rng([0]):
        pass


@pytest.mark.parametrize(
    "make", ["randn(2**50)", "rand(2**50)", "randint(5, (2**50,))", "eye(2**21)", "eye(2**40)", "randn(2**40, 2**40)"]
)
def test_sizes_beyond_memory_are_runtime_errors(make):
    for ns in (torch, minitorch):
        with pytest.raises(RuntimeError):
            eval(f"ns.{make}", {"ns": ns})


@needs_serial_bernoulli
def test_bernoulli_takes_its_probability_from_a_tensor_without_dimensions():
    for p in (0.5, 1):
        found = []
        for t in (torch, minitorch):
            t.manual_seed(3)
            found.append(t.bernoulli(t.zeros(9), t.tensor(p)).tolist())
        assert found[0] == found[1]


def test_bernoulli_refuses_what_is_no_probability():
    for p in (None, "a", minitorch.ones(1), minitorch.tensor(0.5, requires_grad=True)):
        with pytest.raises(TypeError, match=r"bernoulli\(\) received an invalid combination of arguments"):
            minitorch.bernoulli(minitorch.zeros(4), p)
