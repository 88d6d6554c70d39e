"""Gamma and Dirichlet numbers, with the derivatives by their concentrations: what distributions' `rsample` needs."""

from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._generator import default_generator
from minitorch._kernels import cache
from minitorch._tensor import Tensor

from .check import check, no_kernel
from .count_sampling import fill_by_rejection
from .op import structured
from .public import op, public
from .sampling import stream_of


def _kernels() -> Any:
    return cache.load_file("cpu.gammas")


def _gammas(alpha: np.ndarray, generator: Any) -> np.ndarray:
    """Standard gamma numbers in float64, in index order. What depends on alpha alone has its dtype, as in torch."""
    check(bool((alpha >= 0).all()), "_standard_gamma: expected concentrations to be non-negative")
    flat = np.ascontiguousarray(alpha).reshape(-1)
    third, small = alpha.dtype.type(np.float32(1) / np.float32(3)), flat < 1
    with np.errstate(divide="ignore", over="ignore"):
        power = np.where(small, 1 / flat, 0).astype(np.float64)
    d = (np.where(small, flat + 1, flat) - third).astype(np.float64)
    out = np.empty(flat.size)
    source = default_generator if generator is None else generator
    with source.lock:
        stream = source.stream
        held = stream.next_double is not None
        kept = np.array([held, stream.next_double if held else 0.0])
        fill_by_rejection(stream, _kernels().gamma, [power, d, kept], out)
        stream.next_double = float(kept[1]) if kept[0] else None
    return out.reshape(alpha.shape)


def _flat(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(a, np.float64).reshape(-1) for a in np.broadcast_arrays(*arrays)]


# ---------------------------------------------------------------------- gamma
@structured(name="gamma_sample", title="StandardGamma", tensors="input")
def gamma_sample(input, generator):
    if input.dtype not in FLOATS:
        no_kernel("gamma_cpu", input)
    return input.shape, input.dtype


@gamma_sample.cpu
def gamma_array(input, generator):
    _, dtype = gamma_sample.infer(input, generator)
    return np.maximum(_gammas(input, generator).astype(dtype), np.finfo(dtype).tiny)


@gamma_sample.grad("input")
def gamma_sample_grad(g, input, out):
    return g * gamma_slope(input, out)


@structured(name="gamma_slope", title="StandardGammaGrad", tensors="input output")
def gamma_slope(input, output):
    return np.broadcast_shapes(input.shape, output.shape), input.dtype


@gamma_slope.cpu
def gamma_slope_array(input, output):
    shape, dtype = gamma_slope.infer(input, output)
    slope = np.empty(shape)
    _kernels().gamma_grad(*_flat(input, output), slope.reshape(-1))
    return slope.astype(dtype)


@public("torch")
def _standard_gamma(input: Tensor, generator: Any = None) -> Tensor:
    """Numbers drawn from Gamma(input, 1), differentiable by `input`."""
    return op("gamma_sample")(input, stream_of("_standard_gamma", generator))


# ---------------------------------------------------------------------- Dirichlet
@structured(name="dirichlet_sample", title="SampleDirichlet", tensors="input")
def dirichlet_sample(input, generator):
    if input.dtype not in FLOATS:
        no_kernel("dirichlet", input)
    return input.shape, input.dtype


@dirichlet_sample.cpu
def dirichlet_array(input, generator):
    _, dtype = dirichlet_sample.infer(input, generator)
    gammas = np.maximum(_gammas(input.astype(np.float64), generator), np.finfo(np.float64).tiny)
    shares = (gammas / gammas.sum(-1, keepdims=True)).astype(dtype)
    return shares.clip(np.finfo(dtype).tiny, np.nextafter(dtype.type(1), dtype.type(0)))


@dirichlet_sample.grad("input")
def dirichlet_sample_grad(g, input, out):
    slope = dirichlet_slope(out, input, expand_to(sum(input, -1, True), input.shape))  # noqa: F821
    return slope * (g - sum(out * g, -1, True))


@structured(name="dirichlet_slope", title="DirichletGrad", tensors="x alpha total")
def dirichlet_slope(x, alpha, total):
    return np.broadcast_shapes(x.shape, alpha.shape, total.shape), x.dtype


@dirichlet_slope.cpu
def dirichlet_slope_array(x, alpha, total):
    shape, dtype = dirichlet_slope.infer(x, alpha, total)
    slope = np.empty(shape)
    _kernels().dirichlet_grad(*_flat(x, alpha, total), slope.reshape(-1))
    return slope.astype(dtype)


@public("torch")
def _sample_dirichlet(input: Tensor, generator: Any = None) -> Tensor:
    """Points of the simplex drawn from the Dirichlet distributions along the last dimension, differentiable."""
    return op("dirichlet_sample")(input, stream_of("_sample_dirichlet", generator))
