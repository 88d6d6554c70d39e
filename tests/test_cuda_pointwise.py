"""Kernels generated from formulas, and copies, on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch
from minitorch._kernels.cuda import pointwise
from minitorch._kernels.cuda.formulas import compute_type, vocabulary
from minitorch._kernels.cuda.pointwise import Operand
from minitorch._ops.op import OPS

pytestmark = pytest.mark.usefixtures("gpu")

EDGES = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5, -2.5, 3.5, 1e-30], np.float32)
UNARY = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad erf erfc exp exp2 expm1 floor frac isfinite isinf "
    "isnan isneginf log log10 log1p log2 logical_not neg reciprocal relu round rsqrt sgn sigmoid sign signbit sin sinc "
    "sinh sqrt square tan tanh trunc"
).split()


@pytest.mark.parametrize("name", mostly_slow(UNARY, "abs erf exp floor isinf log relu round sigmoid sign tanh"))
def test_unary_ops_and_their_edges(name):
    x = np.concatenate([EDGES, normal(5)])
    same(lambda torch, x: getattr(torch, name)(x), x, error=1e-6)


BINARY = {
    "add": lambda torch, x, y: x + y,
    "div": lambda torch, x, y: x / y,
    "floor_divide": lambda torch, x, y: x // y,
    "remainder": lambda torch, x, y: x % y,
    "fmod": lambda torch, x, y: torch.fmod(x, y),
    "maximum": lambda torch, x, y: torch.maximum(x, y),
    "fmin": lambda torch, x, y: torch.fmin(x, y),
    "hypot": lambda torch, x, y: torch.hypot(x, y),
    "atan2": lambda torch, x, y: torch.atan2(x, y),
    "logaddexp": lambda torch, x, y: torch.logaddexp(x, y),
    "less": lambda torch, x, y: x < y,
    "where": lambda torch, x, y: torch.where(x > 0, x, y),
    "copysign": lambda torch, x, y: torch.copysign(x, y),
}


@pytest.mark.parametrize("name", mostly_slow(BINARY, "div floor_divide remainder maximum less where"))
def test_binary_ops_of_every_pair_of_edges(name):
    same(BINARY[name], np.repeat(EDGES, EDGES.size), np.tile(EDGES, EDGES.size), error=1e-6)


@pytest.mark.parametrize("name", ["add", "floor_divide", "where"])
def test_a_column_and_a_row_broadcast(name):
    same(BINARY[name], normal(3, 5, 7), normal(5, 1, seed=1))


INTEGERS = {
    "add": lambda torch, x, y: x + y * 3,
    "floor_divide": lambda torch, x, y: x // y,
    "remainder": lambda torch, x, y: x % y,
    "and": lambda torch, x, y: (x & y) | 2,
    "xor": lambda torch, x, y: (x ^ y) - 1,
    "gcd": lambda torch, x, y: torch.gcd(x, y),
    "power": lambda torch, x, y: x**2,
    "shift": lambda torch, x, y: (x << 2) >> 1,
    "sign": lambda torch, x, y: torch.sign(x),
    "equal": lambda torch, x, y: x == y,
    "maximum": lambda torch, x, y: torch.maximum(x, y),
}


@pytest.mark.parametrize("name", mostly_slow(INTEGERS, "add floor_divide and gcd shift"))
@pytest.mark.parametrize("dtype", mostly_slow(["int64", "int32", "int16", "uint8"], "int64"))
def test_integers(name, dtype):
    low = 0 if dtype == "uint8" else -9
    x, y = (np.random.default_rng(s).integers(low, 9, (4, 11)).astype(dtype) for s in (0, 1))
    same(INTEGERS[name], x, np.where(y == 0, 5, y).astype(dtype), error=0)


def test_bytes_wrap_around():
    same(lambda torch, x: x * 7 + 250, np.arange(256, dtype=np.uint8), error=0)


def test_bools():
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    for function in (lambda torch, x, y: x & ~y, lambda torch, x, y: x + y, lambda torch, x, y: (x ^ y) * x):
        same(function, x, y, error=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_computed_in_float32_and_rounded_once(dtype):
    x = normal(41)

    def function(torch, x):
        h = x.to(getattr(torch, dtype))
        return h * 3 + h, torch.nn.functional.silu(h), (h < 0.5), h.to(torch.float32)

    same(function, x, error=2e-3 if dtype == "float16" else 2e-2)


def test_halves_round_to_even():
    x = np.array([1 + 2**-9, 1 + 3 * 2**-9, 1 + 2**-9 + 2**-20, 1e30, np.nan, 65520.0], np.float32)
    for dtype in ("float16", "bfloat16"):
        same(lambda torch, x, d=dtype: x.to(getattr(torch, d)).to(torch.float32), x, error=0)


def test_doubles_stay_doubles():
    same(lambda torch, x: torch.nn.functional.gelu(x.double() * 0.1), normal(9).astype(np.float64), error=1e-15)


def test_numbers_come_by_value_and_a_single_element_from_memory(gpu):  # noqa: F811
    same(lambda torch, x: x * 2.5 - 1 + torch.tensor(3.0), normal(10))
    same(lambda torch, x: x * x.sum(), normal(10), error=1e-5)
    assert not any("strided" in name for name in gpu.launched)


@pytest.mark.parametrize("size", mostly_slow([0, 1, 3, 1023, 2048, 2049, 4099], "0 3 2049"))
def test_vectors_and_the_rest_behind_them(size):
    same(lambda torch, x: x * 2, normal(size))


def test_memory_that_vector_loads_cannot_take():
    same(lambda torch, x: x[1:] * 2, normal(2500))


def test_layouts():
    x = normal(2, 3, 4, 5)
    for view in (
        lambda x: x.transpose(0, 3),
        lambda x: x[:, ::2, 1:, ::3],
        lambda x: x[:, None, :, None, :, ::2],
        lambda x: x[:, 1:2].expand(2, 3, 4, 5),
    ):
        same(lambda torch, x, view=view: view(x) + 1, x)
    same(lambda torch, x: x[:, None, :, None, :, ::2] + x[0, :, None, :, :1], x)


def test_a_transposed_operand_needs_no_strided_kernel_and_gives_its_layout(gpu):  # noqa: F811
    x = minitorch.from_numpy(normal(4, 6)).cuda().t()
    assert (x * x).stride() == x.stride()
    assert not any("strided" in name for name in gpu.launched)


GRADIENTS = {
    "silu": lambda torch, x, y: torch.nn.functional.silu(x) * y,
    "broadcast": lambda torch, x, y: x * y[:1] / (1 + x * x),
    "gelu": lambda torch, x, y: torch.nn.functional.gelu(x, approximate="tanh") - y,
    "maximum": lambda torch, x, y: torch.maximum(x, y).exp(),
    "numbers": lambda torch, x, y: torch.nn.functional.leaky_relu(x, 0.3) + (y.abs() / 3) ** 2.5,
}


@pytest.mark.parametrize("name", mostly_slow(GRADIENTS, "silu broadcast"))
def test_gradients_are_one_kernel_of_their_formula(name, gpu):  # noqa: F811
    same(lambda torch, x, y: gradients(torch, lambda x, y: GRADIENTS[name](torch, x, y), x, y), normal(4, 6),
         normal(4, 6, seed=1), error=1e-5)  # fmt: skip
    assert any("_grad" in launched for launched in gpu.launched)


def test_second_derivatives():
    def function(torch, x):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(torch.tanh(x).sum(), x, create_graph=True)
        return torch.autograd.grad((g * g).sum(), x)[0]

    same(function, normal(7), error=1e-5)


@pytest.mark.slow
def test_every_formula_lowers_or_says_which_function_is_missing():
    for op in OPS.values():
        formulas = [op.formula, *(g.formula for g in op.gradients.values())] if op.formula else []
        for formula in formulas:
            words = formula.words & {"left_shift", "right_shift", "gcd", "lcm"}
            dtype = np.dtype(np.int64 if words or op.name.startswith("bitwise") else np.float32)
            how = tuple([Operand(dtype, "each")] * len(formula.arrays))
            if formula.words - {"power"} - vocabulary(compute_type(dtype)).keys():  # which stands for x ** y
                with pytest.raises(NotImplementedError, match="is not implemented for device 'cuda'"):
                    pointwise.flat(formula, how, dtype)
                continue
            made, _ = pointwise.flat(formula, how, dtype)
            assert made.lowered.text
            assert pointwise.strided(formula, how, dtype).lowered.text


# ---------------------------------------------------------------------- copies
@pytest.mark.parametrize(
    "to", mostly_slow(["float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"], "float16 int64 bool")
)
def test_conversions(to):
    x = np.array([0.0, 1.0, 2.75, 200.5, 3.0], np.float32)
    same(lambda torch, x: x.to(getattr(torch, to)).to(torch.float64), x, error=0)
    same(lambda torch, x: x.to(torch.int64).to(getattr(torch, to)).to(torch.float64), x, error=0)


def test_transposes_go_through_tiles(gpu):  # noqa: F811
    same(lambda torch, x: x.t().contiguous(), normal(41, 67), error=0)
    same(lambda torch, x: x.transpose(1, 2).half().contiguous(), normal(3, 33, 40), error=0)
    same(lambda torch, x: x.contiguous(memory_format=torch.channels_last), normal(2, 19, 5, 7), error=0)
    assert sum("transpose" in name for name in gpu.launched) >= 3


def test_copies_of_parts():
    x = normal(3, 4, 5)
    same(lambda torch, x: torch.cat([x, x[:1], x[:0]]), x, error=0)
    same(lambda torch, x: torch.stack([x, x], 1), x, error=0)
    same(lambda torch, x: torch.flip(x, (0, 2)), x, error=0)
    same(lambda torch, x: torch.nn.functional.pad(x, (1, 2, 0, -1), value=3.0), x, error=0)
    same(lambda torch, x: x.masked_fill(x > 0, -1.0), x, error=0)
    same(lambda torch, x: x.clone().fill_(2).zero_(), x, error=0)
    same(lambda torch, x: x.clone().transpose(0, 1).copy_(x[:, 0][None].expand(4, 3, 5)), x, error=0)
    same(lambda torch, x: gradients(torch, lambda x: x[1:, 2] * x[0, 0] * x[..., ::2][1:, 1, :1], x), x)


def test_repeated_rolled_and_triangular_copies():
    x = normal(2, 4, 5)
    same(lambda torch, x: (x.repeat(2, 1, 3), x[0].repeat(2, 3, 1, 1)), x, error=0)
    same(lambda torch, x: (x.roll(2, 1), x.roll((1, -2), (0, 2)), x.roll(3)), x, error=0)
    same(lambda torch, x: (x.tril(), x.triu(1), x.tril(-2), x.triu(100)), x, error=0)


def test_a_copy_keeps_every_bit_of_a_half():
    bits = np.array([0x7E01, 0xFFFF, 0x0001, 0x8000], np.uint16).view(np.float16)
    assert (minitorch.from_numpy(bits).cuda().clone().cpu().numpy().view(np.uint16) == bits.view(np.uint16)).all()


def test_functions_of_the_gamma_and_bessel_families():
    x = np.concatenate([np.linspace(-4.3, 12, 8), [1e-3, 30, 200]]).astype(np.float32)
    special = lambda torch, x: (torch.digamma(x), torch.special.i0e(x), torch.special.i1e(x), torch.lgamma(x))  # noqa: E731
    same(special, x, error=2e-5)
    same(lambda torch, x: (torch.polygamma(1, x), torch.polygamma(2, x)), np.abs(x) + 0.2, error=2e-5)
    same(lambda torch, x: torch.special.zeta(2 + 3 * torch.abs(x) % 4, torch.abs(x) + 0.5), x, error=2e-5)
    edges = np.array([0, -1, np.inf, np.nan, -0.0], np.float32)
    same(lambda torch, x: (torch.digamma(x), torch.special.i0e(x)), edges)
    y = np.array([0.3, 2.5, 7.0], np.float32)
    same(lambda torch, x: gradients(torch, lambda x: torch.lgamma(x) * torch.digamma(x), x), y, error=1e-5)


def test_the_function_i1_is_not_the_type_i1():
    x = np.array([-8.5, -1.7, 0.0, 0.3, 4.0], np.float32)
    same(lambda torch, x: (torch.special.i1(x), torch.special.modified_bessel_i1(x), torch.i0(x)), x)
    same(lambda torch, x: gradients(torch, lambda x: torch.i0(x), x), x)


BESSEL = (
    "bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 "
    "scaled_modified_bessel_k1 spherical_bessel_j0"
).split()
POLYNOMIALS = (
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h "
    "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
    "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w"
).split()
PLACES = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 1e-8, -3.7, 0.3, 24.9, 25.1, 70.0])


@pytest.mark.parametrize("name", mostly_slow(BESSEL, "bessel_j0 bessel_y1 scaled_modified_bessel_k1"))
def test_bessel_functions(name):
    function = lambda torch, x: getattr(torch.special, name)(x)  # noqa: E731
    x = np.concatenate([PLACES, np.geomspace(1e-3, 60, 30)])
    same(function, x.astype(np.float32), error=2e-6)
    found = function(minitorch, minitorch.from_numpy(x).cuda()).cpu().numpy()
    np.testing.assert_allclose(found, function(minitorch, minitorch.from_numpy(x)).numpy(), 1e-13, 1e-14)


@pytest.mark.parametrize("name", mostly_slow(POLYNOMIALS, "chebyshev_polynomial_u hermite_polynomial_h"))
def test_orthogonal_polynomials(name):
    x, n = np.random.default_rng(0).uniform(-1.2, 1.2, 30), np.random.default_rng(1).integers(-1, 8, 30) + 0.5
    n[:3] = np.nan, np.inf, 1
    function = lambda torch, x, n: getattr(torch.special, name)(x, n)  # noqa: E731
    same(function, x.astype(np.float32), n.astype(np.float32), error=3e-6)
    same(function, x, n, error=1e-14)


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_incomplete_gamma_functions(name):
    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(-4, 6, 60))
    x = a * np.exp(rng.uniform(-1, 1, 60))
    a, x = np.append(a, np.repeat(PLACES[:9], 9)), np.append(x, np.tile(PLACES[:9], 9))
    function = lambda torch, a, x: getattr(torch.special, name)(a, x)  # noqa: E731
    wide = [minitorch.from_numpy(v.astype(np.float32).astype(np.float64)) for v in (a, x)]
    expected = function(minitorch, *wide).numpy()
    for dtype, error in ((np.float32, 2e-5), (np.float64, 1e-7)):
        given = [minitorch.from_numpy(v.numpy().astype(dtype)).cuda() for v in wide]
        np.testing.assert_allclose(function(minitorch, *given).cpu().numpy(), expected, error, 1e-30)
    slope = lambda torch, a, x: torch.autograd.grad(function(torch, a, x.requires_grad_()).sum(), x)  # noqa: E731
    given = [v[:60].numpy().astype(np.float32) for v in wide]
    same(slope, *given, error=2e-5)


def test_what_came_before_is_computed_as_at_first():
    x, half = minitorch.arange(6.0).reshape(2, 3).cuda(), minitorch.ones(2, 3).bfloat16().cuda()
    whole, scale = minitorch.tensor([[1], [2]]).cuda(), minitorch.tensor(3.0, requires_grad=True)
    calls = {
        "number": lambda: x * 2, "float": lambda: whole * 2.0, "bool": lambda: whole * True, "half": lambda: half * 2.5,
        "mixed": lambda: x + whole, "halves": lambda: x + half, "turned": lambda: 1 - x, "layout": lambda: x.t() * 2,
        "mode": lambda: minitorch.div(whole, 2, rounding_mode="floor"), "true": lambda: minitorch.div(whole, 2),
        "compared": lambda: x > 2, "recorded": lambda: x * scale, "leaf": lambda: (x * 1).requires_grad_() * x,
    }  # fmt: skip
    for name, call in calls.items():
        made = [call() for _ in range(3)]
        known = [(t.dtype, t.shape, t.stride(), t.device, t.requires_grad, str(t.tolist())) for t in made]
        assert len(set(known)) == 1, name
        assert len({t.data_ptr() for t in made}) == 3, name
    for _ in range(2):  # and the gradient of a number of the CPU's goes there
        with minitorch.no_grad():
            assert not (x * scale).requires_grad
        scale.grad = None
        (x * scale).sum().backward()
        assert scale.grad.item() == 15.0
        assert not scale.grad.is_cuda
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            x + minitorch.ones(2, 3)


def test_an_update_in_place_takes_no_memory_of_its_own(gpu):  # noqa: F811
    x, y = minitorch.arange(6.0).reshape(2, 3).cuda(), minitorch.ones(3).cuda()
    before, count = x.data_ptr(), len(gpu.allocations[0])
    x.add_(y).mul_(x).sub_(1)
    assert x.data_ptr() == before and len(gpu.allocations[0]) == count
    assert x.tolist() == [[0.0, 3.0, 8.0], [15.0, 24.0, 35.0]]
    overlapping = minitorch.arange(4.0).cuda()
    overlapping[1:].add_(overlapping[:-1])
    assert overlapping.tolist() == [0.0, 1.0, 3.0, 5.0]
    square = minitorch.arange(4.0).reshape(2, 2).cuda()
    square.add_(square.t())
    assert square.tolist() == [[0.0, 3.0], [3.0, 6.0]]
    w = minitorch.tensor([0.5, 2.0]).cuda().requires_grad_()
    z = w * 1
    z.exp_()  # whose gradient needs the result that the next line would overwrite
    z.mul_(3.0)
    z.sum().backward()
    np.testing.assert_allclose(w.grad.cpu().numpy(), 3 * np.exp([0.5, 2.0]), 1e-6)
