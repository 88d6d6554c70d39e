"""float16 and bfloat16 against torch: rounding, values, gradients, aliasing, what the dtype of each result is."""

import copy
import pickle

import numpy as np
import pytest
import torch
from compare import PAIR, EverySample, assert_same_error, both, resolve

import minitorch
from minitorch._kernels.half import CLASSES

HALVES = "float16", "bfloat16"
halves = pytest.mark.parametrize("dtype", HALVES)
DIGITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def values(t):
    return t.detach().double().numpy()


def well_formed(t):
    """The array's class says what its dtype says: a half in a plain array would be computed with by NumPy."""
    return type(t.array) is CLASSES.get(t.array.dtype, np.ndarray)


def assert_equal(ours, theirs, ulps=0):
    """Equal values, within so many units in the last place, and one dtype; through tuples."""
    if isinstance(theirs, (tuple, list)):
        for a, b in zip(ours, theirs, strict=True):
            assert_equal(a, b, ulps)
        return
    if not isinstance(theirs, torch.Tensor):
        assert type(ours) is type(theirs) and (ours == theirs or ours != ours)
        return
    assert str(ours.dtype) == str(theirs.dtype) and tuple(ours.shape) == tuple(theirs.shape)
    assert well_formed(ours)
    tolerance = ulps * DIGITS.get(str(theirs.dtype)[6:], 1e-5)
    np.testing.assert_allclose(values(ours), values(theirs), rtol=tolerance, atol=tolerance, equal_nan=True)


def assert_both(function, ulps=0):
    ours, theirs = both(function)
    if theirs.error is not None or ours.error is not None:
        assert_same_error(ours.error, theirs.error)
    else:
        assert_equal(ours.value, theirs.value, ulps)


def sample(ns, dtype, *shape, seed=0, low=-3.0, high=3.0):
    array = np.random.default_rng(seed).uniform(low, high, shape)
    return ns.tensor(array.tolist()).to(getattr(ns, dtype))


# ---------------------------------------------------------------------- representation
@halves
def test_every_bit_pattern_is_the_same_number(dtype):
    bits = np.arange(-(2**15), 2**15).astype(np.int16)
    assert_both(lambda ns: ns.from_numpy(bits.copy()).view(getattr(ns, dtype)).float())


@halves
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_rounding_is_to_nearest_even_and_overflow_to_infinity(dtype, source):
    exact = torch.arange(-(2**15), 2**15).to(torch.int16).view(getattr(torch, dtype)).float().numpy()
    exact = exact[np.isfinite(exact)]
    step = np.maximum(np.abs(exact) * DIGITS[dtype], 1e-40).astype(np.float64)
    between = np.concatenate([exact + step * f for f in (0.0, 0.25, 0.5, 0.75, 0.5000001)])
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 1e-8, 65504, 65519, 65520, 65536, 3.4e38, -3.4e38, 1.00390625]
    ties = (np.random.default_rng(0).integers(0, 2**16, 5000, np.uint32) << 16 | 0x8000).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.concatenate([between, special, ties]).astype(source)

    def bits(ns):
        return ns.from_numpy(numbers).to(getattr(ns, dtype)).view(ns.int16)

    ours, theirs = bits(minitorch).numpy(), bits(torch).numpy()
    keep = ~np.isnan(numbers)  # torch's vector code and its scalar code write different nans
    np.testing.assert_array_equal(ours[keep], theirs[keep])
    assert minitorch.from_numpy(ours[~keep]).view(getattr(minitorch, dtype)).isnan().all()


@halves
def test_integers_and_other_dtypes_convert_as_torch_converts_them(dtype):
    with EverySample() as each:
        for other in ("int64", "int32", "uint8", "bool", "float32", "float64", *HALVES):
            with each(other):
                assert_both(lambda ns: ns.tensor([0, 1, 2049, -3, 257]).to(getattr(ns, other)).to(getattr(ns, dtype)))
                assert_both(lambda ns: ns.tensor([0.5, 1, 2.75, -3]).to(getattr(ns, dtype)).to(getattr(ns, other)))


def test_numpy_shares_the_memory_of_float16():
    a = np.arange(6, dtype=np.float16).reshape(2, 3)
    t = minitorch.from_numpy(a)
    t[0, 0] = 7
    a[1, 2] = 9
    assert a[0, 0] == 7 and t[1, 2].item() == 9
    back = t.t().numpy()
    assert type(back) is np.ndarray and back.dtype == np.float16 and np.shares_memory(back, a)
    assert np.asarray(t).dtype == np.float16


def test_bfloat16_has_no_numpy_array():
    assert_both(lambda ns: ns.ones(2, dtype=ns.bfloat16).numpy())


@halves
def test_python_sees_numbers(dtype):
    def seen(ns):
        t = ns.tensor([0.1, 2.5, -3], dtype=getattr(ns, dtype))
        return (
            t.tolist(),
            t[0].item(),
            float(t[1]),
            int(t[2]),
            bool(t[0]),
            [repr(x) for x in t],
            f"{t[1]:.3f}",
            2.5 in t,
        )

    assert seen(minitorch) == seen(torch)


@halves
def test_repr_pickle_and_deepcopy(dtype):
    for make in (lambda ns, d: ns.arange(6, dtype=d).view(2, 3) / 4, lambda ns, d: ns.full((), 1e-3, dtype=d)):
        ours, theirs = (make(ns, getattr(ns, dtype)) for ns in PAIR)
        assert repr(ours) == repr(theirs)
        for again in (pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours), copy.deepcopy(ours[None, ...])):
            assert well_formed(again) and again.dtype is ours.dtype and again.sum().item() == ours.sum().item()


@halves
def test_views_share_memory_and_stay_halves(dtype):
    for view in (
        lambda x: x[1], lambda x: x[:, 1:], lambda x: x.t(), lambda x: x.view(-1), lambda x: x.expand(2, 2, 3),
        lambda x: x.unsqueeze(0), lambda x: x.diagonal(), lambda x: x.as_strided((2,), (1,), 1), lambda x: x.detach(),
        lambda x: x.unbind(1)[0], lambda x: x.split(1)[1], lambda x: x.chunk(2)[0], lambda x: x.select(0, 1),
        lambda x: x.permute(1, 0), lambda x: x.narrow(0, 1, 1), lambda x: x.squeeze(), lambda x: x.data,
    ):  # fmt: skip
        x = minitorch.zeros(2, 3, dtype=getattr(minitorch, dtype))
        y = view(x)
        assert well_formed(y) and y.dtype is x.dtype
        assert y.untyped_storage() == x.untyped_storage()
        y.fill_(1)
        assert x.sum().item() > 0


@halves
def test_writes_of_every_kind(dtype):
    def written(ns):
        d = getattr(ns, dtype)
        x = ns.zeros(3, 4, dtype=d)
        x[0] = 1.3
        x[1, ::2] = ns.tensor([2.7, 3.1], dtype=ns.float64)
        x[x == 0] = -1.1
        x.add_(1).mul_(1.7).sub_(x, alpha=0.5)
        x[2].copy_(ns.arange(4) / 3)
        x[ns.tensor([0, 2])] += ns.ones(4)
        x[:, 0].fill_(9.87)
        out = ns.empty(0, dtype=d)
        ns.add(x, 1, out=out)
        y = ns.ones(3, 4)
        y.mul_(x)
        return x, out, y, ns.where(x > 1, x, 0.1), x.masked_fill(x > 1, 5)

    assert_both(written, ulps=1)


# ---------------------------------------------------------------------- arithmetic
UNARY = (
    "abs neg exp log sqrt rsqrt sin cos tan tanh sigmoid relu floor ceil round trunc sign reciprocal square exp2 expm1 "
    "log1p log2 log10 asin acos atan sinh cosh erf erfc isnan isinf isfinite logical_not sum mean amax amin std var "
    "cumsum:0 argmax argmin max min sort median:0 clone t tril triu flatten nonzero any all logsumexp:0 softmax:0 "
    "log_softmax:0 frac flip:0 roll:1 diff clamp:-1,1 pow:2 pow:0.5 sum:0 mean:1 norm topk:2 unique"
)
BINARY = (
    "add sub mul div pow maximum minimum eq lt ge atan2 remainder fmod floor_divide matmul where cat logaddexp hypot "
    "copysign"
)
FUNCTIONAL = "gelu silu elu leaky_relu softplus hardtanh mish logsigmoid selu hardswish"


@halves
@pytest.mark.parametrize("name", UNARY.split())
def test_function_of_one_half(dtype, name):
    name, _, text = name.partition(":")
    arguments = [float(a) if "." in a else int(a) for a in text.split(",") if a]
    low = 0.1 if name in ("log", "sqrt", "rsqrt", "log1p", "log2", "log10", "pow", "reciprocal") else -0.9
    high = 0.9 if name in ("asin", "acos") else 3.0
    where = "nn.functional." if name in ("relu", "softmax", "log_softmax") else ""

    def call(ns):
        x = sample(ns, dtype, 5, 6, low=low, high=high)
        return resolve(ns, where + name)(x, *arguments)

    assert_both(call, ulps=1)


@halves
@pytest.mark.parametrize("name", FUNCTIONAL.split())
def test_activation_of_a_half(dtype, name):
    assert_both(lambda ns: getattr(ns.nn.functional, name)(sample(ns, dtype, 40)), ulps=2)


@halves
@pytest.mark.parametrize("name", BINARY.split())
def test_function_of_two_halves(dtype, name):
    def call(ns):
        x, y = sample(ns, dtype, 5, 6, low=0.2), sample(ns, dtype, 5, 6, seed=1, low=0.3)
        if name == "cat":
            return ns.cat([x, y], 1), ns.stack([x, y])
        if name == "where":
            return ns.where(x > y, x, y)
        return getattr(ns, name)(x, y.t() if name == "matmul" else y)

    assert_both(call, ulps=1)


ROUNDED_ONCE = {
    "add(alpha=)": lambda ns, x, y: ns.add(x, y, alpha=0.3),
    "sub(alpha=)": lambda ns, x, y: ns.sub(x, y, alpha=0.7),
    "rsub(alpha=)": lambda ns, x, y: ns.rsub(x, y, alpha=0.7),
    "add_(alpha=)": lambda ns, x, y: x.clone().add_(y, alpha=0.3),
    "sub_(alpha=)": lambda ns, x, y: x.clone().sub_(y, alpha=0.3),
    "add(alpha=, out=)": lambda ns, x, y: ns.add(x, y, alpha=0.3, out=ns.empty_like(x)),
    "add of a number": lambda ns, x, y: ns.add(x, 0.37, alpha=0.3),
    "add of a 0-dim tensor": lambda ns, x, y: ns.add(x, y[0], alpha=0.3),
    "add of integers": lambda ns, x, y: ns.add(x, ns.arange(x.numel()) % 100, alpha=0.3),
    "floor_divide": lambda ns, x, y: x // y,
    "div(rounding_mode='floor')": lambda ns, x, y: ns.div(x, y, rounding_mode="floor"),
    "div(rounding_mode='trunc')": lambda ns, x, y: ns.div(x, y, rounding_mode="trunc"),
    "floor_divide_": lambda ns, x, y: x.clone().floor_divide_(y),
    "floor_divide by a number": lambda ns, x, y: x // 0.1,
    "floor_divide of a number": lambda ns, x, y: 3 // y,
    "trunc of a quotient by a number": lambda ns, x, y: ns.div(x, 0.1, rounding_mode="trunc"),
    "remainder": lambda ns, x, y: ns.remainder(x, y),
    "remainder by a number": lambda ns, x, y: x % 0.1,
    "fmod": lambda ns, x, y: ns.fmod(x, y),
}


@halves
@pytest.mark.parametrize("name", ROUNDED_ONCE)
def test_arithmetic_on_all_sizes_of_halves_has_torchs_bits(dtype, name):
    rng = np.random.default_rng(0)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 65504.0, -65504.0, 6e-8, 1.0, -1.0, 3.0, 0.1]
    x, y = (np.append(rng.standard_normal(2000) * 10 ** rng.uniform(-3, 3, 2000), special * 12) for _ in range(2))
    y[-144:] = np.repeat(special, 12)
    result = [ROUNDED_ONCE[name](ns, *(ns.tensor(a).to(getattr(ns, dtype)) for a in (x, y))) for ns in PAIR]
    assert str(result[0].dtype) == str(result[1].dtype)
    np.testing.assert_array_equal(*(r.double().numpy() for r in result))


@halves
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "eq", "lt", "remainder"])
def test_number_as_operand(dtype, name):
    """torch rounds the result of arithmetic with a number only, in other functions the number too."""
    with EverySample() as each:
        for number in (2, 0.1, 1e-3, 1e-7, 3.3, 1e5, -7):
            with each(number):
                assert_both(lambda ns: getattr(ns, name)(sample(ns, dtype, 50, low=0.5), number), ulps=0)
                assert_both(lambda ns: getattr(ns, name)(sample(ns, dtype, 1, low=0.5)[0], number), ulps=0)


@halves
def test_sums_do_not_stagnate(dtype):
    """Float32 inside: 4097 ones are 4097 before rounding, not the 256 or 2048 where halves stop counting."""
    assert_both(lambda ns: ns.ones(4097, dtype=getattr(ns, dtype)).sum())
    assert_both(lambda ns: ns.full((40, 300), 0.1, dtype=getattr(ns, dtype)).mean(1), ulps=1)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "cumsum", "softmax", "log_softmax"])
def test_dtype_argument_from_and_to_halves(name):
    with EverySample() as each:
        for have in ("float32", "float64", *HALVES):
            for want in ("float32", "float64", *HALVES):
                with each(have, want):
                    arguments = () if name in ("sum", "mean", "prod") else (0,)
                    assert_both(
                        lambda ns: getattr(ns, name)(sample(ns, have, 8), *arguments, dtype=getattr(ns, want)), ulps=1
                    )


# ---------------------------------------------------------------------- gradients
FORMULAS = {
    "polynomial": lambda ns, x, y: (x * x * 3 + x / y - y).sum(),
    "broadcast": lambda ns, x, y: (x * y[0] + y[:, :1]).mean(),
    "exp": lambda ns, x, y: (x.exp() * y.tanh()).sum(),
    "matmul": lambda ns, x, y: (x @ y.t()).relu().sum(),
    "softmax": lambda ns, x, y: (ns.nn.functional.softmax(x, 1) * y).sum(),
    "views": lambda ns, x, y: (x[1:, ::2] * y.t()[::2, 1:].t()).sum() + x.view(-1)[3],
    "cat": lambda ns, x, y: ns.cat([x, y, x]).pow(2).sum(),
    "indexing": lambda ns, x, y: x[ns.tensor([0, 0, 2])].sum() * y.max(),
    "where": lambda ns, x, y: ns.where(x > 0, x, y).sum(),
    "mixed": lambda ns, x, y: (x.float() * y).sum(),
    "unbind": lambda ns, x, y: x.unbind(0)[0] @ y.unbind(0)[1],
    "in place": lambda ns, x, y: (x * 1).mul_(y).add_(x).sum(),
    "written view": lambda ns, x, y: _written_view(x, y),
    "variance": lambda ns, x, y: x.var() + y.std(1).sum(),
    "number": lambda ns, x, y: (2.5 * x - 1 / y).sum(),
}


def _written_view(x, y):
    z = x * 2
    z[0] = y[1]
    z[:, 1].mul_(3)
    return z.sum()


@halves
@pytest.mark.parametrize("name", FORMULAS)
def test_gradients(dtype, name):
    def gradients(ns):
        x, y = sample(ns, dtype, 4, 6, low=0.3), sample(ns, dtype, 4, 6, seed=1, low=0.5)
        for t in (x, y):
            t.requires_grad_()
        loss = FORMULAS[name](ns, x, y)
        loss.backward()
        return loss, x.grad, y.grad

    assert_both(gradients, ulps=6)


@halves
def test_gradients_of_gradients(dtype):
    def second(ns):
        x = sample(ns, dtype, 6, low=0.4, high=1.5).requires_grad_()
        (g,) = ns.autograd.grad((x.pow(3) * x.exp()).sum(), x, create_graph=True)
        assert g.requires_grad
        return g, ns.autograd.grad(g.sum(), x)[0]

    assert_both(second, ulps=8)


@halves
def test_half_and_float_mix_in_one_graph(dtype):
    def mixed(ns):
        x, w = sample(ns, dtype, 5).requires_grad_(), sample(ns, "float32", 5, seed=2).requires_grad_()
        y = x * w
        y.sum().backward()
        return y, x.grad, w.grad

    assert_both(mixed, ulps=1)


@halves
def test_a_network_trains_in_halves(dtype):
    def trained(ns):
        d = getattr(ns, dtype)
        model = ns.nn.Sequential(ns.nn.Linear(6, 8), ns.nn.ReLU(), ns.nn.Linear(8, 3))
        with ns.no_grad():
            for i, p in enumerate(model.parameters()):
                p.copy_(sample(ns, "float32", *p.shape, seed=i) / 4)
        model = model.half() if dtype == "float16" else model.to(d)
        optimizer = ns.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x, target = sample(ns, dtype, 10, 6, seed=9), ns.arange(10) % 3
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = ns.nn.functional.cross_entropy(model(x), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return (*losses, *[p.detach() for p in model.parameters()])

    assert_both(trained, ulps=10)


@halves
def test_convolution_and_pooling(dtype):
    def network(ns):
        x, w = sample(ns, dtype, 2, 3, 8, 8).requires_grad_(), sample(ns, dtype, 4, 3, 3, 3, seed=1).requires_grad_()
        y = ns.nn.functional.max_pool2d(ns.nn.functional.conv2d(x, w, padding=1), 2)
        (y.sum() / 64).backward()
        return y, x.grad, w.grad

    assert_both(network, ulps=8)


@halves
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("weight", [None, "float16", "float32", "float64"])
def test_rms_norm_computes_in_float32_and_rounds_once(dtype, weight):
    def normed(ns):
        x = sample(ns, dtype, 20, 7) / 50  # where the eps of a half would show
        return ns.nn.functional.rms_norm(x, (7,), None if weight is None else sample(ns, weight, 7, seed=1))

    assert_both(normed)


# ---------------------------------------------------------------------- factories and random numbers
@halves
def test_factories(dtype):
    with EverySample() as each:
        for name, make in {
            "zeros": lambda ns, d: ns.zeros(2, 3, dtype=d),
            "full": lambda ns, d: ns.full((2,), 0.1, dtype=d),
            "arange": lambda ns, d: ns.arange(0, 3, 0.3, dtype=d),
            "linspace": lambda ns, d: ns.linspace(0, 1, 11, dtype=d),
            "logspace": lambda ns, d: ns.logspace(0, 2, 5, dtype=d),
            "eye": lambda ns, d: ns.eye(3, dtype=d),
            "tensor": lambda ns, d: ns.tensor([[0.1, 1e9], [-0.0, 3]], dtype=d),
            "as_tensor": lambda ns, d: ns.as_tensor([1, True, 2.7], dtype=d),
            "like": lambda ns, d: ns.full_like(ns.ones(3, 2).t(), 0.3, dtype=d),
            "new": lambda ns, d: ns.ones(2, dtype=d).new_full((2,), 0.3),
        }.items():
            with each(name):
                assert_both(lambda ns: make(ns, getattr(ns, dtype)), ulps=1)


@halves
@pytest.mark.parametrize(
    "name", ["rand", "randn", "uniform_", "normal_", "exponential_", "cauchy_", "bernoulli_", "random_"]
)
def test_random_numbers_are_torchs(dtype, name):
    for n in (5, 40, 1000):

        def draw(ns):
            ns.manual_seed(3)
            d = getattr(ns, dtype)
            return getattr(ns, name)(n, dtype=d) if name[-1] != "_" else getattr(ns.empty(n, dtype=d), name)()

        assert_both(draw)


@halves
def test_half_as_default_dtype(dtype):
    def made(ns):
        before = ns.get_default_dtype()
        try:
            ns.set_default_dtype(getattr(ns, dtype))
            i = ns.arange(1, 4)
            return (
                ns.ones(2),
                ns.tensor(1.5),
                ns.arange(0, 1, 0.25),
                i / 2,
                i.exp(),
                i + 1.5,
                i.float() + 1,
                ns.rand(2) * 0,
            )
        finally:
            ns.set_default_dtype(before)

    assert_both(made, ulps=1)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("to", [*HALVES, "float32", "float64"])
@pytest.mark.parametrize("dtype", [*HALVES, "float32", "float64"])
def test_the_gradient_of_a_conversion_has_the_dtype_converted_from(dtype, to, create_graph):
    for mod in PAIR:
        x = mod.ones(3, dtype=getattr(mod, dtype), requires_grad=True)
        y = x.to(getattr(mod, to))
        (g,) = mod.autograd.grad((y * y).sum(), x, create_graph=create_graph)
        assert g.dtype is x.dtype
        assert g.tolist() == [2.0] * 3
