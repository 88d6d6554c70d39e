"""poisson and binomial: counts drawn by rejection, bit for bit as torch's CPU kernels draw them."""

from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._generator import default_generator
from minitorch._kernels import cache
from minitorch._tensor import Tensor

from .check import c_name, check, no_kernel, type_name
from .op import structured
from .public import FUNCTIONS, op, public
from .sampling import stream_of


def _drawn(kernel: str, generator: Any, *operands: np.ndarray) -> np.ndarray:
    """The counts of a kernel of `counts.py`, in index order."""
    out = np.empty(operands[0].size)
    flat = [np.ascontiguousarray(a, np.float64).reshape(-1) for a in operands]
    source = default_generator if generator is None else generator
    with source.lock:
        fill_by_rejection(source.stream, getattr(cache.load_file("cpu.counts"), kernel), flat, out)
    return out.reshape(operands[0].shape).astype(operands[0].dtype)


def fill_by_rejection(stream: Any, kernel: Any, operands: list[np.ndarray], out: np.ndarray) -> None:
    """Rejection takes as many numbers as it needs: draw a stretch of them, then put back what is left."""
    from minitorch._kernels.cpu.rng import _unit53

    done, n = 0, min(max(256, 2 * out.size), 1 << 16)
    while done < out.size:
        before = stream.place()
        reached, used = kernel(*operands, _unit53(stream, n), out, done)
        stream.go_back(before)
        stream.raw64(used)
        n = n if reached > done else 2 * n  # one element may take more than there were
        done = reached


@structured(name="poisson_sample", title="Poisson", tensors="input")
def poisson_sample(input, generator):
    if input.dtype not in FLOATS:
        no_kernel("poisson_cpu", input)
    return input.shape, input.dtype


@poisson_sample.cpu
def poisson_array(input, generator):
    poisson_sample.infer(input, generator)
    check(bool((input >= 0).all()), "invalid Poisson rate, expected rate to be non-negative")
    return _drawn("poisson", generator, input)


@poisson_sample.grad("input")
def poisson_grad(g):
    return g * 0.0


@public("torch")
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Numbers drawn from the Poisson distributions whose rates are the input's elements.

    >>> import minitorch as torch
    >>> torch.poisson(torch.zeros(2))
    tensor([0., 0.])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"poisson(): argument 'input' (position 1) must be Tensor, not {type_name(input)}")
    return op("poisson_sample")(input, stream_of("poisson", generator))


@structured(name="binomial_sample", title="Binomial", tensors="input prob")
def binomial_sample(input, prob, generator):
    if input.dtype not in FLOATS:
        raise ValueError(f"binomial only supports floating-point dtypes for count, got: {c_name(input)}")
    if input.dtype != prob.dtype:
        raise RuntimeError(f"Found dtype {c_name(prob)} but expected {c_name(input)}")
    return input.shape, input.dtype


@binomial_sample.cpu
def binomial_array(input, prob, generator):
    binomial_sample.infer(input, prob, generator)
    return _drawn("binomial", generator, input, prob)


@public("torch")
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials succeed with probability `prob`, elementwise; without a gradient, as in torch.

    >>> import minitorch as torch
    >>> torch.binomial(torch.tensor([3.0, 5.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 5.])
    """
    for position, (name, value) in enumerate((("count", count), ("prob", prob)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"binomial(): argument '{name}' (position {position}) must be Tensor, not {type_name(value)}"
            )
    prob = FUNCTIONS["expand"](prob, count.shape)
    return op("binomial_sample")(count, prob, stream_of("binomial", generator))
