"""The CPU random kernels against torch: the same values, and the same state afterwards."""

import numpy as np
import pytest
import torch

from minitorch._kernels.cpu import rng, rounding

# Without AVX2 torch's own normals differ in the last bits, so there is nothing to be equal to.
pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="torch's vector code is not the AVX2 one on this machine",
)

SEEDS = [0, 1, 20_231]
SIZES = [0, 1, 2, 15, 16, 17, 31, 100, 1000, 10_007]
FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["bool", "uint8", "int8", "int16", "int32", "int64"]
TWO_CHUNKS = 100_003

# name: (our call on a stream and an array, torch's on a generator and a tensor)
SAMPLERS = {
    "uniform": (lambda s, o: rng.random_uniform(s, o), lambda g, t: t.uniform_(generator=g)),
    "uniform(a, b)": (
        lambda s, o: rng.random_uniform(s, o, -1.3, 2.9),
        lambda g, t: t.uniform_(-1.3, 2.9, generator=g),
    ),
    "normal": (lambda s, o: rng.normal(s, o), lambda g, t: t.normal_(generator=g)),
    "normal(mean, std)": (
        lambda s, o: rng.normal(s, o, 1.5, 0.3),
        lambda g, t: t.normal_(1.5, 0.3, generator=g),
    ),
    "exponential": (
        lambda s, o: rng.exponential(s, o, 2.5),
        lambda g, t: t.exponential_(2.5, generator=g),
    ),
    "cauchy": (
        lambda s, o: rng.cauchy(s, o, 1.5, 0.3),
        lambda g, t: t.cauchy_(1.5, 0.3, generator=g),
    ),
    "log_normal": (
        lambda s, o: rng.log_normal(s, o, 0.5, 0.3),
        lambda g, t: t.log_normal_(0.5, 0.3, generator=g),
    ),
    "geometric": (
        lambda s, o: rng.geometric(s, o, 0.3),
        lambda g, t: t.geometric_(0.3, generator=g),
    ),
    "randint": (lambda s, o: rng.randint(s, o, 0, 10), lambda g, t: t.random_(0, 10, generator=g)),
    "random": (lambda s, o: rng.random_(s, o), lambda g, t: t.random_(generator=g)),
    "bernoulli": (
        lambda s, o: rng.bernoulli(s, o, 0.3),
        lambda g, t: t.bernoulli_(0.3, generator=g),
    ),
}
FLOAT_ONLY = {*SAMPLERS} - {"geometric", "randint", "random", "bernoulli"}


def pair(seed):
    return rng.TorchStream(seed), torch.Generator().manual_seed(seed)


def assert_same_state(stream, generator):
    np.testing.assert_array_equal(stream.state_bytes(), generator.get_state().numpy())


def assert_same_fill(stream, generator, ours, theirs, size, dtype):
    out, tensor = np.empty(size, dtype), torch.empty(size, dtype=getattr(torch, dtype))
    ours(stream, out)
    theirs(generator, tensor)
    np.testing.assert_array_equal(out, tensor.numpy())
    assert_same_state(stream, generator)


def torch_takes_bernoulli_from_mkl():
    """On Intel processors a whole tensor costs torch one word: the seed of MKL's generator."""
    stream, generator = pair(0)
    torch.empty(100).bernoulli_(0.5, generator=generator)
    stream.raw32(200)
    return not np.array_equal(stream.state_bytes(), generator.get_state().numpy())


MKL_BERNOULLI = torch_takes_bernoulli_from_mkl()


def skip_if_mkl(name):
    if name == "bernoulli" and MKL_BERNOULLI:
        pytest.skip("torch takes bernoulli from MKL's own generator on this machine")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_float_fill_equals_torch_bit_for_bit(name, dtype, size):
    skip_if_mkl(name)
    for seed in SEEDS:
        assert_same_fill(*pair(seed), *SAMPLERS[name], size, dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["geometric", "randint", "random", "bernoulli"])
def test_integer_fill_equals_torch_bit_for_bit(name, dtype, size):
    skip_if_mkl(name)
    if dtype == "bool" and name in ("geometric", "randint"):
        pytest.skip("torch has no such bool sampler, or none with the range of the table")
    for seed in SEEDS:
        assert_same_fill(*pair(seed), *SAMPLERS[name], size, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_fill_of_several_chunks_equals_torch(name, dtype):
    skip_if_mkl(name)
    assert_same_fill(*pair(3), *SAMPLERS[name], TWO_CHUNKS, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0 + 2.0**-18), (1.0, 1.0 + 2.0**-50), (2.0, 2.0), (0.1, 0.7), (0, 3)]
)
def test_uniform_never_reaches_its_upper_end(dtype, low, high):
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.random_uniform(s, o, low, high),
        lambda g, t: t.uniform_(low, high, generator=g),
        TWO_CHUNKS,
        dtype,
    )


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.0, 0.02), (-2.0, 1.0), (1.5, 3.0)])
@pytest.mark.parametrize("rest", [0, 5, 16])
def test_normals_of_a_large_tensor_equal_torch(mean, std, rest):
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.normal(s, o, mean, std),
        lambda g, t: t.normal_(mean, std, generator=g),
        rounding._COMPILED + rest,
        "float32",
    )


@pytest.mark.parametrize("size", [16, 37, 1000, rng._NORMAL_CHUNK, rng._NORMAL_CHUNK + 5])
@pytest.mark.parametrize("drawn", [-(1 << 40), rounding._COMPILED], ids=["numpy", "compiled"])
def test_normals_are_the_same_numbers_by_either_way(monkeypatch, drawn, size):
    monkeypatch.setattr(rounding, "_drawn", drawn)
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.normal(s, o, 0.5, 2.0),
        lambda g, t: t.normal_(0.5, 2.0, generator=g),
        size,
        "float32",
    )


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "cos", "sin", "tan"])
def test_the_c_librarys_functions_are_the_same_numbers_by_either_way(monkeypatch, name):
    x = np.concatenate((np.random.default_rng(0).random(1000), [0.0, 1e-300, 1.0, 1000.0 if name == "exp" else 2.0]))
    found = []
    for drawn in (-(1 << 40), rounding._COMPILED):
        monkeypatch.setattr(rounding, "_drawn", drawn)
        found.append(rounding.libm(name, x))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("mean", "std"), [(3.0, 0.0), (0.0, 0.02), (-2.0, 1.0), (1e300, 1e300)])
def test_normal_with_edge_parameters_equals_torch(dtype, mean, std):
    if mean > 1e4 and dtype != "float64":
        pytest.skip("torch refuses a mean outside the dtype")
    for size in (5, 1000):
        assert_same_fill(
            *pair(3),
            lambda s, o: rng.normal(s, o, mean, std),
            lambda g, t: t.normal_(mean, std, generator=g),
            size,
            dtype,
        )


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_of_a_strided_tensor_equals_torch(dtype):
    stream, generator = pair(3)
    for size in (15, 16, 1001, TWO_CHUNKS):
        out, tensor = np.empty(size, dtype), torch.empty(2 * size, dtype=getattr(torch, dtype))
        rng.normal(stream, out, 1.5, 0.3, contiguous=False)
        tensor[::2].normal_(1.5, 0.3, generator=generator)
        np.testing.assert_array_equal(out, tensor[::2].numpy())
        assert_same_state(stream, generator)


def test_torch_fills_other_layouts_in_memory_order():
    """What the callers of these kernels rely on."""
    stream, generator = pair(3)
    tensor = torch.empty(5, 4, 6).permute(2, 0, 1)[::2].uniform_(generator=generator)
    out = np.empty((5, 4, 3), np.float32)
    rng.random_uniform(stream, out)
    np.testing.assert_array_equal(out, tensor.permute(1, 2, 0).numpy())


RANGES = [
    *[
        (0, 2),
        (-5, 5),
        (3, 100),
        (0, 2**24 + 2),
        (2**24 + 1, 2**24 + 2),
        (-(2**24) - 3, 1000 - 2**24),
    ],
    *[(0, 2**28 - 1), (0, 2**28), (0, 2**28 + 1), (-(2**31), 2**31 - 1), (0, 2**32)],
    *[(0, 2**40 + 7), (2**40, 2**40 + 5), (-(2**53) - 7, 2**53 + 7)],
    *[(-(2**62), 2**62 + 1), (0, 2**63 - 1), (-(2**63), 2**63 - 1), (0, 2050), (-3000, 4001)],
]


def fits(low, high, dtype):
    if dtype == "float16":
        return abs(low) <= 65_504 and high <= 65_504
    if dtype in ("float32", "float64"):
        return True
    limits = np.iinfo(dtype)
    return limits.min <= low and high - 1 <= limits.max


def snapped_range_warns(dtype, low, high):
    exact = 1 << (np.finfo(dtype).nmant + 1)
    return max(abs(low), abs(high - 1)) > exact


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(d, *r) for d in [*FLOATS, *INTEGERS[1:]] for r in RANGES if fits(*r, d)],
)
def test_randint_spends_words_by_its_range(dtype, low, high):
    def theirs(generator, tensor):
        if dtype in FLOATS and snapped_range_warns(dtype, low, high):
            with pytest.warns(UserWarning, match="out of bounds"):
                tensor.random_(low, high, generator=generator)
        else:
            tensor.random_(low, high, generator=generator)

    assert_same_fill(*pair(3), lambda s, o: rng.randint(s, o, low, high), theirs, 1000, dtype)


def test_randint_over_all_of_bool_equals_torch():
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.randint(s, o, 0, 2),
        lambda g, t: t.random_(0, 2, generator=g),
        1000,
        "bool",
    )


@pytest.mark.filterwarnings("ignore:.*out of bounds:UserWarning")
@pytest.mark.parametrize(("low", "high"), [(2**53 + 1, 2**53 + 7), (2**40 + 1, 2**40 + 3)])
def test_randint_refuses_a_range_that_float32_rounds_away(low, high):
    with pytest.raises(RuntimeError) as theirs:
        torch.empty(3).random_(low, high)
    with pytest.raises(RuntimeError) as ours:
        rng.randint(rng.TorchStream(0), np.empty(3, np.float32), low, high)
    assert str(ours.value) == str(theirs.value).splitlines()[0]


@pytest.mark.parametrize(
    ("dtype", "low"),
    [(d, low) for d in [*FLOATS, *INTEGERS[1:]] for low in (0, 5, -5) if fits(low, 6, d)]
    + [(d, -(2**63)) for d in ("float32", "float64", "int64")]
    + [("bool", 0)],
)
def test_random_without_upper_end_equals_torch(dtype, low):
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.random_(s, o, low),
        lambda g, t: t.random_(low, None, generator=g),
        1000,
        dtype,
    )


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
@pytest.mark.parametrize("p_dtype", FLOATS)
def test_bernoulli_with_an_array_of_p_equals_torch(dtype, p_dtype):
    p = np.random.RandomState(0).rand(TWO_CHUNKS).astype(p_dtype)
    for size in [*SIZES, TWO_CHUNKS]:
        assert_same_fill(
            *pair(3),
            lambda s, o, p=p[:size]: rng.bernoulli(s, o, p),
            lambda g, t, p=p[:size]: t.bernoulli_(torch.from_numpy(p), generator=g),
            size,
            dtype,
        )


@pytest.mark.parametrize("p", [0.0, 1.0, 1e-12, 0.5])
def test_bernoulli_with_edge_p_equals_torch(p):
    skip_if_mkl("bernoulli")
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.bernoulli(s, o, p),
        lambda g, t: t.bernoulli_(p, generator=g),
        1000,
        "float32",
    )


@pytest.mark.parametrize("p", [1e-17, 1e-9, 0.999999])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_geometric_with_edge_p_equals_torch(p, dtype):
    assert_same_fill(
        *pair(3),
        lambda s, o: rng.geometric(s, o, p),
        lambda g, t: t.geometric_(p, generator=g),
        1000,
        dtype,
    )


@pytest.mark.parametrize("n", [*SIZES, 8192, 8194, 60_000, 200_000])
def test_randperm_equals_torch(n):
    for seed in SEEDS:
        stream, generator = pair(seed)
        expected = torch.randperm(n, generator=generator).numpy()
        np.testing.assert_array_equal(rng.randperm(stream, n), expected, strict=True)
        assert_same_state(stream, generator)


def test_randperm_refuses_lengths_where_torch_draws_differently():
    with pytest.raises(NotImplementedError, match="randperm: n must be below 214748364"):
        rng.randperm(rng.TorchStream(0), 214_748_364)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("shape", [(1,), (5,), (1000,), (4, 77)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_multinomial_equals_torch(dtype, shape, replacement):
    # distinct scores for every dtype; torch's order of ties is its sort's accident
    p = (np.random.RandomState(1).rand(*shape) + 0.01).astype(dtype)
    most = shape[-1] if dtype == "float64" or shape[-1] < 10 else 3
    for count in {1, min(2, most), 300 if replacement else most}:
        stream, generator = pair(7)
        expected = torch.multinomial(torch.from_numpy(p), count, replacement, generator=generator).numpy()
        drawn = rng.multinomial(stream, p, count, replacement)
        np.testing.assert_array_equal(drawn, expected, strict=True)
        assert_same_state(stream, generator)


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_never_draws_a_zero_probability(replacement):
    p = np.array([0.0, 1.0, 0.0, 2.0, 0.0])
    stream = rng.TorchStream(0)
    drawn = {int(i) for _ in range(200) for i in rng.multinomial(stream, p, 2, replacement)}
    assert drawn == {1, 3}


def test_a_mixed_program_stays_in_step_with_torch():
    choose = np.random.RandomState(0)
    stream, generator = pair(11)
    names = [n for n in SAMPLERS if not (n == "bernoulli" and MKL_BERNOULLI)]
    for _ in range(400):
        name = names[choose.randint(len(names))]
        size, dtype = int(choose.choice(SIZES[:-2])), str(choose.choice(FLOATS))
        if name not in FLOAT_ONLY and choose.rand() < 0.5:
            dtype = str(choose.choice(INTEGERS[1:]))
        assert_same_fill(stream, generator, *SAMPLERS[name], size, dtype)
        expected = torch.randperm(size, generator=generator).numpy()
        np.testing.assert_array_equal(rng.randperm(stream, size), expected)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**63, 2**64 - 1, -1, -5, -(2**63)])
def test_seed_uses_the_low_32_bits_as_torch_does(seed):
    stream, generator = pair(seed)
    assert stream.initial_seed == generator.initial_seed()
    assert_same_fill(stream, generator, *SAMPLERS["random"], 700, "int32")


def test_an_unseeded_stream_is_torchs_default():
    assert rng.TorchStream().initial_seed == torch.Generator().initial_seed()


@pytest.mark.parametrize("words", [0, 1, 300, 623, 624, 625, 1248, 9000, 20_000])
@pytest.mark.parametrize("cached", [False, True])
def test_states_are_exchanged_with_torch_both_ways(words, cached):
    stream, generator = pair(5)
    if cached:
        stream.raw32(words)
        rng.normal(stream, np.empty(1))
        generator.set_state(torch.from_numpy(stream.state_bytes()))
    else:
        torch.empty(words, dtype=torch.int32).random_(generator=generator)
        stream = rng.TorchStream(99)
        stream.set_state_bytes(generator.get_state().numpy())
        assert stream.initial_seed == 5
    assert_same_state(stream, generator)
    assert_same_fill(stream, generator, *SAMPLERS["normal"], 3, "float64")
    assert_same_fill(stream, generator, *SAMPLERS["uniform"], 700, "float32")


def test_state_keeps_the_cached_float_normal():
    stream = rng.TorchStream(5)
    stream.next_float = 0.75
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(stream.state_bytes()))
    other = rng.TorchStream(1)
    other.set_state_bytes(generator.get_state().numpy())
    assert other.next_float == 0.75
    assert other.next_double is None


@pytest.mark.parametrize(("field", "value"), [("left", 0), ("left", 700), ("seeded", 0), ("next", 700)])
def test_an_invalid_state_is_refused_and_changes_nothing(field, value):
    stream = rng.TorchStream(5)
    before = stream.state_bytes()
    broken = before.copy()
    broken.view(rng._STATE)[field] = value
    with pytest.raises(RuntimeError) as theirs:
        torch.Generator().set_state(torch.from_numpy(broken))
    with pytest.raises(RuntimeError) as ours:
        stream.set_state_bytes(broken)
    assert str(ours.value) == str(theirs.value).splitlines()[0]
    np.testing.assert_array_equal(stream.state_bytes(), before)


def test_a_state_of_wrong_size_is_refused_in_torchs_words():
    with pytest.raises(RuntimeError) as theirs:
        torch.Generator().set_state(torch.zeros(10, dtype=torch.uint8))
    with pytest.raises(RuntimeError) as ours:
        rng.TorchStream(0).set_state_bytes(np.zeros(10, np.uint8))
    assert str(ours.value) == str(theirs.value).splitlines()[0]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_words_of_the_compiled_twister_are_those_of_numpys(name, dtype, monkeypatch):
    stream, generator = pair(20_231)
    for n, compiled in ((5, True), (1000, False), (700, True), (10_007, True), (3, False), (624, True)):
        monkeypatch.setattr(rng, "pays", lambda n, compiled=compiled: compiled)
        assert_same_fill(stream, generator, *SAMPLERS[name], n, dtype)
        assert_same_state(stream, generator)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_what_dropout_keeps_is_scaled_as_it_is_drawn(dtype, compiled, monkeypatch):
    skip_if_mkl("bernoulli")
    monkeypatch.setattr(rng, "pays", lambda n: compiled)
    for n in (1, 7, 511, 512, 1025):
        stream, generator = pair(n)
        expected = torch.empty(n, dtype=getattr(torch, dtype)).bernoulli_(0.7, generator=generator).div_(0.7)
        ours = np.empty(n, dtype)
        rng.bernoulli(stream, ours, 0.7, ours.dtype.type(1) / ours.dtype.type(0.7))
        np.testing.assert_array_equal(ours, expected.numpy())
        assert_same_state(stream, generator)


@pytest.mark.parametrize("compiled", [False, True])
def test_few_and_many_words_come_from_the_same_stream(compiled, monkeypatch):
    monkeypatch.setattr(rng, "pays", lambda n: compiled and n < 10_000)  # which `raw32(40_000)` asks for
    whole, pieces = rng.TorchStream(1), rng.TorchStream(1)
    expected = whole.raw32(40_000)
    parts = [pieces.raw32(n) for n in (1, 0, 8191, 8192, 3, 23_613)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    whole, pieces = rng.TorchStream(1), rng.TorchStream(1)
    words = whole.raw32(40_000).astype(np.uint64)
    expected = words[0::2] << np.uint64(32) | words[1::2]
    parts = [pieces.raw64(n) for n in (1, 0, 8191, 8192, 3616)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
