"""The order in memory of results: torch's strides, whatever those of the operands."""

import random

import pytest
import torch

import minitorch
from minitorch._kernels.layout import result_geometry


def any_strides(shape, draw):
    if draw.random() < 0.3:  # dense, the dimensions in any order
        strides, step = [0] * len(shape), 1
        for d in draw.sample(range(len(shape)), len(shape)):
            strides[d] = step
            step *= shape[d]
        return tuple(strides)
    return tuple(draw.choice([0, 1, 2, 3, 4, 6, 8, 12]) for _ in shape)


def any_operand(shape, draw):
    own = tuple(1 if draw.random() < 0.15 else n for n in shape)
    own = own[draw.randrange(len(own)) if draw.random() < 0.2 else 0 :]
    return own, any_strides(own, draw)


@pytest.mark.parametrize("seed", range(8))
def test_geometry_of_results_is_torchs(seed):
    draw = random.Random(seed)
    memory = torch.zeros(400)
    functions = [torch.neg, torch.add, torch.addcmul]
    for _ in range(500):
        shape = tuple(draw.choice([1, 1, 2, 3, 4]) for _ in range(draw.randint(1, 4)))
        operands = [any_operand(shape, draw) for _ in range(draw.randint(1, 3))]
        made = functions[len(operands) - 1](*[memory.as_strided(*operand) for operand in operands])
        assert result_geometry(*operands) == (tuple(made.shape), made.stride()), operands


def test_operands_that_do_not_fit_have_no_result():
    assert result_geometry(((2,), (1,)), ((3,), (1,))) is None


GEOMETRIES = [
    ((2, 2, 4), (0, 4, 1)),  # expanded in front
    ((2, 3, 4), (4, 0, 1)),  # and within
    ((3, 2, 4), (1, 0, 3)),
    ((2, 3, 4), (0, 0, 0)),
    ((2, 3, 4), (1, 2, 6)),  # transposed
    ((2, 1, 4), (1, 7, 2)),
    ((2, 3, 4), (24, 8, 2)),  # with gaps
    ((2, 2, 3, 4), (24, 1, 8, 2)),  # channels last
    ((2, 2, 3, 4), (0, 1, 8, 2)),
]
OPS = {
    "neg": lambda ns, x, y: -x,
    "relu": lambda ns, x, y: x.relu(),
    "exp": lambda ns, x, y: x.exp(),
    "sqrt_": lambda ns, x, y: x.clone().sqrt_(),
    "add": lambda ns, x, y: x + y,
    "radd": lambda ns, x, y: y + x,
    "add_number": lambda ns, x, y: x + 1,
    "atan2": lambda ns, x, y: ns.atan2(x, y),
    "remainder": lambda ns, x, y: ns.remainder(x, y),
    "maximum": lambda ns, x, y: ns.maximum(x, y),
    "lt": lambda ns, x, y: x < y,
    "logical_and": lambda ns, x, y: ns.logical_and(x, y),
    "lerp": lambda ns, x, y: ns.lerp(x, y, y),
    "where": lambda ns, x, y: ns.where(x > 1, x, y),
    "clone": lambda ns, x, y: x.clone(),
    "zeros_like": lambda ns, x, y: ns.zeros_like(x),
    "rand_like": lambda ns, x, y: ns.rand_like(x),
    "double": lambda ns, x, y: x.double(),
    "half": lambda ns, x, y: x.half(),
    "half_relu": lambda ns, x, y: x.half().relu() + y.half(),
    "long": lambda ns, x, y: x.long(),
    "sort": lambda ns, x, y: x.sort(1).values,
    "argsort": lambda ns, x, y: x.argsort(0),
    "flip": lambda ns, x, y: x.flip(0, 2),
    "rot90": lambda ns, x, y: ns.rot90(x),
    "slice_scatter": lambda ns, x, y: x.slice_scatter(y[:1], 0, 0, 1),
}


@pytest.mark.parametrize("name", OPS)
def test_strides_and_values_are_torchs(name):
    for shape, strides in GEOMETRIES:
        found = []
        for ns in (minitorch, torch):
            memory = ns.arange(200.0) / 100 + 0.01
            x, y = memory.as_strided(shape, strides), (memory[: x_size(shape)] + 0.1).reshape(shape)
            made = OPS[name](ns, x, y)
            order = [s for n, s in zip(made.shape, made.stride(), strict=True) if n != 1]
            found.append((order, None if name == "rand_like" else made.double().numpy()))
        (strides_here, ours), (strides_there, theirs) = found
        assert strides_here == strides_there, (shape, strides)
        if ours is not None:
            assert ours == pytest.approx(theirs, rel=1e-6)


def x_size(shape):
    return torch.Size(shape).numel()


def test_what_was_expanded_can_be_viewed_flat():
    """The result of NumPy's order could not."""
    mask = minitorch.ones(2, 4).expand(3, 2, 4)
    assert mask.relu().view(6, 4).shape == (6, 4)
