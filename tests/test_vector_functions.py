"""The functions of compiled loops (`_kernels/cpu/vector.py`) against the C library's in double, over all of float32."""

import math

import numpy as np
import pytest
import torch as pytorch
from numba import njit

import minitorch as torch
from minitorch._kernels.codegen import VECTORISED
from minitorch._kernels.cpu import inlined, vector

EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    math.inf,
    -math.inf,
    math.nan,
    1e-45,
    -1e-45,
    1.1754944e-38,
    -1.1754942e-38,
    3.4e38,
    -3.4e38,
]
ERF = np.frompyfunc(math.erf, 1, 1)


def everywhere():
    """Every 16,411th number that float32 has, its edges, and many of everyday size."""
    bits = np.arange(0, 2**32, 16_411, dtype=np.uint64).astype(np.uint32)
    dense = [np.linspace(-110, 110, 60_000), np.linspace(-2, 2, 40_000), 1 + np.linspace(-1e-3, 1e-3, 20_000)]
    return np.concatenate([bits.view(np.float32), *[d.astype(np.float32) for d in dense], np.float32(EDGES)])


def exact(name, *numbers):
    with np.errstate(all="ignore"):  # the cast of a signalling nan is "invalid", too
        wide = [n.astype(np.float64) for n in numbers]
        return ERF(wide[0]).astype(np.float64) if name == "erf" else getattr(np, name)(*wide)


def ulps(found, wanted):
    """Units in the last place between them; inf where one is nan, or infinite, or of the other sign of zero alone."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        finite = np.isfinite(rounded)
        error = np.abs(found.astype(np.float64) - wanted) / np.spacing(np.abs(rounded)).astype(np.float64)
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    error = np.where(finite, error, np.where(same, 0.0, np.inf))
    return np.where((rounded == 0) & (found == 0) & (np.signbit(found) != np.signbit(rounded)), np.inf, error)


def loop(name, *numbers):
    function = getattr(vector, name)
    if len(numbers) == 1:

        @njit(error_model="numpy")
        def run(x, out):
            for i in range(x.size):
                out[i] = function(x[i])

    else:

        @njit(error_model="numpy")
        def run(x, y, out):
            for i in range(x.size):
                out[i] = function(x[i], y[i])

    out = np.empty_like(numbers[0])
    run(*numbers, out)
    return out, run


@pytest.mark.parametrize("name", sorted(VECTORISED - {"power"}))
def test_function_is_within_two_units_in_the_last_place(name):
    x = everywhere()
    error = ulps(loop(name, x)[0], exact(name, x))
    worst = error.argmax()
    assert error[worst] <= 2.0, (x[worst], error[worst])


def test_powers_are_within_one_unit_in_the_last_place():
    rng = np.random.default_rng(0)
    bits = [rng.integers(0, 2**32, 50_000, dtype=np.uint64).astype(np.uint32).view(np.float32) for _ in "xy"]
    edges = np.float32([*EDGES, 2, 3, -2, -3, 0.5, -0.5, 1.5, -1.5, 16777217, 33554432])
    bases = [bits[0], np.repeat(edges, edges.size), np.exp(3 * rng.standard_normal(50_000)).astype(np.float32)]
    exponents = [bits[1], np.tile(edges, edges.size), (8 * rng.standard_normal(50_000)).astype(np.float32)]
    x, y = np.concatenate(bases), np.concatenate(exponents)
    error = ulps(loop("power", x, y)[0], exact("power", x, y))
    worst = error.argmax()
    assert error[worst] <= 1.0, (x[worst], y[worst], error[worst])


@pytest.mark.parametrize("name", sorted(VECTORISED))
def test_loop_over_the_function_is_vector_code(name):
    x = np.ones(3, np.float32)
    _, run = loop(name, *[x] * (2 if name == "power" else 1))
    (code,) = run.inspect_llvm().values()
    assert " x float>" in code or " x double>" in code


@pytest.mark.parametrize("name", sorted(VECTORISED - {"power"}))
def test_double_takes_the_function_in_double(name):
    x = np.linspace(0.1, 3, 50)
    np.testing.assert_allclose(loop(name, x)[0], exact(name, x), rtol=1e-15)


@pytest.mark.parametrize("name", ["tanh", "log1p", "expm1", "log2", "erf"])
@pytest.mark.parametrize("size", [0, 1, 255, 257, 5_000])
def test_results_agree_over_sizes_and_layouts(name, size):
    x = torch.linspace(0.01, 2.0, 2 * size)
    whole, every_other = getattr(torch, name)(x), getattr(torch, name)(x[::2])
    torch.testing.assert_close(every_other, whole[::2], rtol=3e-7, atol=0)


@pytest.mark.parametrize(
    "shapes", [((5, 1, 7), (4, 1)), ((6, 5), (5,)), ((6, 5), (6, 1)), ((3, 1), (1, 4)), ((0, 3), (1,))]
)
def test_broadcast_operands_of_a_compiled_formula_are_those_of_numpy(shapes):
    rng = np.random.default_rng(1)
    x, y = (rng.standard_normal(s).astype(np.float32) for s in shapes)
    found = torch.clamp(torch.from_numpy(x), min=torch.from_numpy(y))
    np.testing.assert_array_equal(found.numpy(), np.maximum(x, y))
    if found.ndim == 2:  # neither operand has steps of one
        turned = torch.clamp(torch.from_numpy(x).t(), min=torch.from_numpy(y).expand(found.shape).t())
        np.testing.assert_array_equal(turned.numpy(), np.maximum(x, y).T)


ADDED_PRODUCTS = {  # what torch's loops round once
    "add": lambda lib, x, y, z: x.add(y, alpha=0.37),
    "sub": lambda lib, x, y, z: x.sub(y, alpha=0.37),
    "add_": lambda lib, x, y, z: x.clone().add_(y, alpha=-0.01),
    "addcmul": lambda lib, x, y, z: x.addcmul(y, z, value=0.37),
    "lerp": lambda lib, x, y, z: x.lerp(y, z),
    "lerp of a number": lambda lib, x, y, z: x.lerp(y, 0.7),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ADDED_PRODUCTS)
def test_product_that_is_added_has_the_bits_of_torch(name, dtype):
    arrays = [np.random.default_rng(i).standard_normal((33, 17)).astype(dtype) for i in range(3)]
    for turned in (False, True):
        found, wanted = (
            ADDED_PRODUCTS[name](lib, *(lib.tensor(a).t() if turned else lib.tensor(a) for a in arrays)).numpy()
            for lib in (torch, pytorch)
        )
        np.testing.assert_array_equal(found, wanted)


def test_integers_are_multiplied_and_added():
    x, y, z = (torch.arange(n, n + 5) for n in (2**60, 3, 2**40))
    np.testing.assert_array_equal(x.addcmul(y, z, value=7).numpy(), x.numpy() + 7 * y.numpy() * z.numpy())


@pytest.mark.parametrize("vectors", [True, False], ids=["LLVM's extremes", "comparisons"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_extremes_of_two_numbers_are_numpys(dtype, vectors, monkeypatch):
    monkeypatch.setattr(inlined, "LLVM_HAS_EXTREMES", vectors)
    numbers = np.array([0, 1, 3, 200, *([-2.5, np.inf, -np.inf, np.nan] if dtype[0] == "f" else [])]).astype(dtype)
    x, y = (a.copy() for a in np.broadcast_arrays(numbers[:, None], numbers))
    for extreme, wanted in ((inlined.maximum, np.maximum), (inlined.minimum, np.minimum)):

        @njit
        def kernel(x, y, out, extreme=extreme):
            for i in range(x.size):
                out.flat[i] = extreme(x.flat[i], y.flat[i])

        out = np.empty_like(x)
        kernel(x, y, out)
        np.testing.assert_array_equal(out, wanted(x, y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_extremes_keep_a_nan_wherever_it_is(name, dtype):
    x = pytorch.randn(70, 3, 67, generator=pytorch.Generator().manual_seed(0), dtype=getattr(pytorch, dtype))
    x[range(67), 1, range(67)] = math.nan
    ours = torch.from_numpy(x.numpy())
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        a, b = ours.permute(order), x.permute(order)
        for dim in (0, 1, 2, (0, 1), (0, 2), (1, 2), ()):
            found, wanted = getattr(a, name)(dim).numpy(), getattr(b, name)(dim).numpy()
            np.testing.assert_array_equal(found, wanted)
            assert found.strides == wanted.strides
