"""NumPy's numbers, and tensors that count as numbers, beside tensors and as arguments: as torch takes them."""

import operator

import numpy as np
import pytest
import torch
from compare import assert_same

import minitorch

NUMBERS = [np.float64(2), np.float32(2), np.float16(2), np.int64(2), np.int32(3), np.uint8(3), np.bool_(True)]
ARRAYS = [np.array(2.0), np.array([2.0, 3.0]), np.array([2, 3])]
OPERATORS = "add sub mul truediv floordiv mod pow eq lt ge and_ or_ xor lshift rshift matmul".split()
TWO, ONE, HALF = np.int64(2), np.int32(1), np.float64(0.5)

CALLS = {
    "where with a number first": lambda t, x: t.where(x > 0, HALF, x),
    "where with a number last": lambda t, x: t.where(x > 0, x, TWO),
    "where of numbers": lambda t, x: t.where(x > 0, HALF, np.float32(0.25)),
    "norm": lambda t, x: x.norm(TWO),
    "normalize": lambda t, x: t.nn.functional.normalize(x, p=TWO, dim=ONE),
    "renorm": lambda t, x: x.renorm(TWO, ONE, HALF),
    "cdist": lambda t, x: t.cdist(x, x + 1, TWO),
    "cosine_similarity": lambda t, x: t.nn.functional.cosine_similarity(x, x + 1, ONE),
    "scatter": lambda t, x: x.scatter(ONE, t.zeros(4, 6, dtype=t.int64), HALF),
    "movedim": lambda t, x: x.movedim(np.int64(0), ONE),
    "logsumexp": lambda t, x: x.logsumexp(ONE),
    "any": lambda t, x: (x > 1).any(ONE),
    "all": lambda t, x: (x > 1).all(ONE),
    "amax": lambda t, x: x.amax(ONE),
    "amin": lambda t, x: x.amin(ONE),
    "float_power": lambda t, x: t.float_power(x.abs(), HALF),
    "pow": lambda t, x: t.pow(TWO, x) + t.pow(x, TWO),
    "rsub": lambda t, x: t.rsub(x, HALF),
    "interpolate": lambda t, x: t.nn.functional.interpolate(x[None, None], scale_factor=TWO),
    "avg_pool2d": lambda t, x: t.nn.functional.avg_pool2d(x[None], TWO, ONE),
    "LayerNorm": lambda t, x: t.nn.LayerNorm(np.int64(6))(x),
    "the order of a norm as a tensor": lambda t, x: x.norm(t.tensor(3)) + t.linalg.norm(x, t.tensor(2.0), ONE),
}


def outcome(t, program):
    try:
        return program(t)
    except (TypeError, RuntimeError, ValueError) as error:
        return type(error)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy's, of __array_wrap__ and of bools as numbers
@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    function = getattr(operator, name)
    for values in ([1.0, 2.0], [1, 2], 3, 3.0, [True, False]):
        for other in NUMBERS + ARRAYS:
            for program in (
                lambda t, v=values, o=other: function(t.tensor(v), o),
                lambda t, v=values, o=other: function(o, t.tensor(v)),
            ):
                ours, theirs = outcome(minitorch, program), outcome(torch, program)
                assert (ours is theirs) if isinstance(theirs, type) else assert_same(ours, theirs) is None


@pytest.mark.parametrize("name", ["sub", "truediv", "pow"])
def test_gradients(name):
    def gradient(t):
        x = t.tensor([1.0, 3.0], requires_grad=True)
        made = getattr(operator, name)(np.float64(2), x) + getattr(operator, name)(x, np.float64(2))
        made.sum().backward()
        return x.grad

    assert_same(gradient(minitorch), gradient(torch), 1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_arguments(name):
    ours, theirs = [CALLS[name](t, t.linspace(-2, 3, 24).reshape(4, 6)) for t in (minitorch, torch)]
    assert_same(ours, theirs, 1e-5)


BOUNDS = {
    "a number and a 0-dim tensor": lambda t, x: t.clamp(x, 0, t.tensor(3)),
    "a 0-dim tensor and a number": lambda t, x: x.clip(t.tensor(0.5), 3),
    "in place": lambda t, x: x.clamp_(0, t.tensor(0.5)),
    "a number and a longer tensor": lambda t, x: t.clamp(x, 0, t.ones(6)),
    "a number and a tensor with a gradient": lambda t, x: t.clamp(x, 0, t.tensor(3.0, requires_grad=True)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_of_both_kinds(name):
    ours, theirs = [outcome(t, lambda t: BOUNDS[name](t, t.linspace(-2, 3, 6))) for t in (minitorch, torch)]
    assert (ours is theirs) if isinstance(theirs, type) else assert_same(ours, theirs) is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int64", "bool"])
@pytest.mark.parametrize("of", ["float32", "bfloat16", "int64", "bool"])
@pytest.mark.parametrize("name", ["add", "sub", "add_"])
def test_alpha_is_a_tensor(name, dtype, of):
    def program(shape):
        def run(t):
            x, y = (t.arange(start, start + 4).to(getattr(t, dtype)) for start in (0, 1))
            return repr(getattr(x, name)(y, alpha=t.full(shape, 3).to(getattr(t, of))))

        return run

    for shape in ((), (1,)):
        ours, theirs = (outcome(t, program(shape)) for t in (minitorch, torch))
        assert ours == theirs


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64"])
@pytest.mark.parametrize("of", ["float32", "float64", "bfloat16", "int64", "bool"])
def test_the_weight_of_lerp_is_a_tensor(dtype, of):
    for shape in ((), (1,)):
        for name in ("lerp", "lerp_"):

            def run(t, shape=shape, name=name):
                x, weight = t.arange(4).to(getattr(t, dtype)), t.full(shape, 0.75).to(getattr(t, of))
                return repr(getattr(x, name)(t.full((4,), 8).to(getattr(t, dtype)), weight))

            assert outcome(minitorch, run) == outcome(torch, run)


def test_size_prints_integers():
    assert repr(minitorch.Size([TWO, ONE])) == repr(torch.Size([TWO, ONE]))
