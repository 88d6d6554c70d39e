"""Random tensors: the same seed gives torch's numbers and leaves torch's state."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from random_marks import needs_serial_bernoulli, needs_torchs_vector_code

import minitorch

pytestmark = needs_torchs_vector_code

# each row works in either library
FACTORIES = {
    "rand": lambda t: t.rand(3, 5),
    "rand of a list": lambda t: t.rand([4, 2]),
    "rand size=": lambda t: t.rand(size=(2, 3)),
    "rand of no dimensions": lambda t: t.rand(()),
    "rand of no elements": lambda t: t.rand(0, 3),
    "rand float64": lambda t: t.rand(7, dtype=t.float64),
    "rand large": lambda t: t.rand(70_001),
    "randn small": lambda t: t.randn(7),
    "randn": lambda t: t.randn(5, 5),
    "randn float64": lambda t: t.randn(17, dtype=t.float64),
    "randint": lambda t: t.randint(10, (6,)),
    "randint from low": lambda t: t.randint(-5, 10, (2, 3)),
    "randint by name": lambda t: t.randint(low=3, high=9, size=(4,)),
    "randint high by name": lambda t: t.randint(high=9, size=(4,)),
    "randint wide": lambda t: t.randint(0, 2**40, (5,)),
    "randint float32": lambda t: t.randint(0, 10, (5,), dtype=t.float32),
    "randint uint8": lambda t: t.randint(0, 256, (5,), dtype=t.uint8),
    "randint bool": lambda t: t.randint(0, 2, (5,), dtype=t.bool),
    "randint of a tensor": lambda t: t.randint(t.tensor(9), (5,)),
    "randperm": lambda t: t.randperm(100),
    "randperm of nothing": lambda t: t.randperm(0),
    "randperm int32": lambda t: t.randperm(9, dtype=t.int32),
    "randperm float32": lambda t: t.randperm(9, dtype=t.float32),
    "rand_like": lambda t: t.rand_like(t.zeros(3, 4)),
    "rand_like transposed": lambda t: t.rand_like(t.zeros(3, 4).t()),
    "rand_like permuted": lambda t: t.rand_like(t.zeros(2, 3, 4).permute(1, 2, 0)),
    "rand_like expanded": lambda t: t.rand_like(t.zeros(1, 4).expand(3, 4)),
    "rand_like float64": lambda t: t.rand_like(t.zeros(5), dtype=t.float64),
    "rand_like of int64": lambda t: t.rand_like(t.zeros(5, dtype=t.int64), dtype=t.float32),
    "randn_like": lambda t: t.randn_like(t.zeros(20)),
    "randn_like transposed": lambda t: t.randn_like(t.zeros(5, 6).t()),
    "randint_like": lambda t: t.randint_like(t.zeros(5), 9),
    "randint_like from low": lambda t: t.randint_like(t.zeros(3, 4).t(), 3, 9),
    "normal of numbers": lambda t: t.normal(2.0, 3.0, (20,)),
    "normal by name": lambda t: t.normal(mean=2.0, std=0.5, size=(3, 4)),
    "normal float64": lambda t: t.normal(0, 1, (4,), dtype=t.float64),
    "normal of means": lambda t: t.normal(t.arange(20.0), 0.5),
    "normal of means alone": lambda t: t.normal(t.arange(5.0)),
    "normal of deviations": lambda t: t.normal(1.5, t.arange(20.0)),
    "normal of both": lambda t: t.normal(t.arange(18.0).reshape(3, 6), t.arange(6.0)),
    "normal of float32 and float64": lambda t: t.normal(t.zeros(4), t.ones(4, dtype=t.float64)),
    "normal of transposed means": lambda t: t.normal(t.arange(20.0).reshape(4, 5).t(), 1.0),
    "bernoulli": lambda t: t.bernoulli(t.arange(11.0) / 10),
    "bernoulli transposed": lambda t: t.bernoulli((t.arange(12.0) / 12).reshape(3, 4).t()),
    "bernoulli float64": lambda t: t.bernoulli(t.arange(11, dtype=t.float64) / 10),
    "multinomial": lambda t: t.multinomial(t.arange(1.0, 9.0), 4),
    "multinomial one": lambda t: t.multinomial(t.arange(1.0, 9.0), 1),
    "multinomial rows": lambda t: t.multinomial(t.arange(1.0, 9.0).reshape(2, 4), 3),
    "multinomial transposed": lambda t: t.multinomial(t.arange(1.0, 9.0).reshape(4, 2).t(), 3),
    "multinomial replaced": lambda t: t.multinomial(t.arange(8.0), 20, replacement=True),
    "multinomial replaced rows": lambda t: t.multinomial(t.arange(8.0).reshape(2, 4), 9, True),
    "multinomial method": lambda t: t.arange(1.0, 4.0).multinomial(num_samples=2),
    "multinomial of no rows": lambda t: t.multinomial(t.zeros(0, 3), 2),
}

FILLS = {
    "uniform_": lambda x: x.uniform_(),
    "uniform_ range": lambda x: x.uniform_(-1.3, 2.9),
    "uniform_ by name": lambda x: x.uniform_(**{"from": 1, "to": 2}),
    "normal_": lambda x: x.normal_(),
    "normal_ 2 3": lambda x: x.normal_(2.0, std=3.0),
    "normal_ 0": lambda x: x.normal_(1.0, 0.0),
    "log_normal_": lambda x: x.log_normal_(0.5, 0.3),
    "exponential_": lambda x: x.exponential_(),
    "exponential_ 2": lambda x: x.exponential_(lambd=2.5),
    "cauchy_": lambda x: x.cauchy_(1.5, 0.5),
    "geometric_": lambda x: x.geometric_(0.3),
    "random_": lambda x: x.random_(),
    "random_ to": lambda x: x.random_(9),
    "random_ to by name": lambda x: x.random_(to=9),
    "random_ from to": lambda x: x.random_(-4, 9),
    "random_ from": lambda x: x.random_(3, None),
    "bernoulli_": lambda x: x.bernoulli_(),
    "bernoulli_ 0.3": lambda x: x.bernoulli_(0.3),
}
INTEGER_FILLS = [n for n in FILLS if n.startswith(("geometric", "random", "bernoulli"))]

# memory that the fill goes to, as a function of a fresh tensor
LAYOUTS = {
    "small": lambda t, d: t.zeros(7, dtype=d),
    "dense": lambda t, d: t.zeros(4, 9, dtype=d),
    "transposed": lambda t, d: t.zeros(4, 9, dtype=d).t(),
    "permuted": lambda t, d: t.zeros(2, 3, 4, dtype=d).permute(2, 0, 1),
    "every second": lambda t, d: t.zeros(5, 40, dtype=d).t()[::2],
    "no elements": lambda t, d: t.zeros(0, 4, dtype=d),
    "no dimensions": lambda t, d: t.zeros((), dtype=d),
}


def seeded(seed=0):
    minitorch.manual_seed(seed)
    torch.manual_seed(seed)


def assert_same(ours, theirs):
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert tuple(ours.stride()) == tuple(theirs.stride())
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


def assert_same_state():
    np.testing.assert_array_equal(minitorch.get_rng_state().numpy(), torch.get_rng_state().numpy())


def skip_where_mkl_decides(name):
    if name.startswith("bernoulli_"):
        return pytest.param(name, marks=needs_serial_bernoulli)
    return name


@pytest.mark.parametrize("name", FACTORIES)
def test_factory_gives_torchs_tensor_and_state(name):
    seeded()
    for _ in range(2):
        assert_same(FACTORIES[name](minitorch), FACTORIES[name](torch))
        assert_same_state()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [skip_where_mkl_decides(n) for n in FILLS])
def test_fill_gives_torchs_tensor_and_state(name, dtype, layout):
    seeded(3)
    ours = LAYOUTS[layout](minitorch, getattr(minitorch, dtype))
    theirs = LAYOUTS[layout](torch, getattr(torch, dtype))
    assert FILLS[name](ours) is ours
    FILLS[name](theirs)
    assert_same(ours, theirs)
    assert_same_state()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("name", [skip_where_mkl_decides(n) for n in INTEGER_FILLS])
def test_integer_fill_gives_torchs_tensor_or_error(name, dtype):
    seeded()
    ours = minitorch.zeros(2, 9, dtype=getattr(minitorch, dtype)).t()
    theirs = torch.zeros(2, 9, dtype=getattr(torch, dtype)).t()
    errors = []
    for fill, x in ((FILLS[name], theirs), (FILLS[name], ours)):
        try:
            fill(x)
        except RuntimeError as e:  # NotImplementedError is one
            errors.append((type(e), str(e).split("\n")[0]))
        else:
            errors.append(None)
    assert errors[0] == errors[1]
    assert_same(ours, theirs)
    assert_same_state()


@pytest.mark.parametrize("shape", [(4, 6), (6,), (1, 6), (4, 1), ()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_bernoulli_of_broadcast_probabilities(shape, dtype, transposed):
    seeded()
    results = []
    for t in (minitorch, torch):
        p = t.rand(*shape, dtype=getattr(t, dtype)) if shape else t.rand((), dtype=getattr(t, dtype))
        x = t.zeros(6, 4).t() if transposed else t.zeros(4, 6)
        results.append(x.bernoulli_(p))
    assert_same(*results)
    assert_same_state()


def everything(t, generator=None):
    """A run of interleaved draws: what one leaves cached, the next must find."""
    g = {} if generator is None else {"generator": generator}
    return [
        t.randn(3, **g),
        t.rand(5, **g),
        t.empty(3, dtype=t.float64).normal_(**g),
        t.randperm(6, **g),
        t.normal(0.0, 1.0, (1,), **g),
        t.randint(0, 9, (4,), **g),
        t.rand_like(t.zeros(2, 2), **g),
        t.randn_like(t.zeros(33), **g),
        t.randint_like(t.zeros(3), 7, **g),
        t.bernoulli(t.full((4,), 0.5), **g),
        t.multinomial(t.ones(5), 3, **g),
        t.empty(3).log_normal_(**g),
        t.empty(4).exponential_(**g),
        t.empty(4).geometric_(0.4, **g),
        t.empty(4).cauchy_(**g),
        t.empty(4).random_(5, **g),
        t.normal(t.zeros(3), t.ones(3), **g),
    ]


def assert_same_run(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert_same(a, b)


def test_interleaved_draws_follow_torch():
    seeded(20_231)
    for _ in range(3):
        assert_same_run(everything(minitorch), everything(torch))
    assert_same_state()


def test_generator_objects_follow_torch_and_leave_the_default_alone():
    seeded(1)
    ours, theirs = minitorch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    before = minitorch.get_rng_state().numpy()
    for _ in range(2):
        assert_same_run(everything(minitorch, ours), everything(torch, theirs))
    np.testing.assert_array_equal(ours.get_state().numpy(), theirs.get_state().numpy())
    np.testing.assert_array_equal(minitorch.get_rng_state().numpy(), before)


def test_fresh_generator_has_torchs_seed():
    assert minitorch.Generator().initial_seed() == torch.Generator().initial_seed()
    assert_same(
        minitorch.rand(3, generator=minitorch.Generator()),
        torch.rand(3, generator=torch.Generator()),
    )


def test_torch_continues_from_our_state():
    minitorch.manual_seed(4)
    everything(minitorch)
    minitorch.randn(3)
    torch.set_rng_state(torch.from_numpy(minitorch.get_rng_state().numpy()))
    assert_same_run(everything(minitorch), everything(torch))


def test_we_continue_from_torchs_state():
    torch.manual_seed(4)
    everything(torch)
    torch.randn(3)
    minitorch.set_rng_state(minitorch.from_numpy(torch.get_rng_state().numpy()))
    assert_same_run(everything(minitorch), everything(torch))


def test_state_is_a_copy():
    minitorch.manual_seed(0)
    state = minitorch.get_rng_state()
    first = minitorch.rand(5)
    minitorch.set_rng_state(state)
    state.fill_(0)
    np.testing.assert_array_equal(minitorch.rand(5).numpy(), first.numpy())


@pytest.mark.parametrize("seed", [0, 5, -5, 2**63, 2**64 - 1, -(2**63), 5.7, "12"])
def test_manual_seed_takes_what_torch_takes(seed):
    assert minitorch.manual_seed(seed) is minitorch.default_generator
    torch.manual_seed(seed)
    assert minitorch.initial_seed() == torch.initial_seed()
    assert_same(minitorch.rand(3), torch.rand(3))


def test_seed_draws_another_start_each_time():
    first, second = minitorch.seed(), minitorch.seed()
    assert first != second
    assert minitorch.initial_seed() == second


def test_fork_rng_goes_on_as_if_nothing_was_drawn():
    seeded()
    for t in (minitorch, torch):
        with t.random.fork_rng(devices=[]):
            t.manual_seed(99)
            t.randn(3)
    assert_same(minitorch.rand(3), torch.rand(3))
    with minitorch.random.fork_rng(enabled=False):
        minitorch.rand(1)
    torch.rand(1)
    assert_same_state()


def test_fork_rng_restores_after_an_error():
    seeded()
    with pytest.raises(KeyError), minitorch.random.fork_rng():
        minitorch.rand(3)
        raise KeyError
    assert_same(minitorch.rand(3), torch.rand(3))


@pytest.mark.parametrize(
    "duplicate",
    [lambda g: g.clone_state(), copy.deepcopy, copy.copy, lambda g: pickle.loads(pickle.dumps(g))],
    ids=["clone_state", "deepcopy", "copy", "pickle"],
)
def test_copied_generator_draws_the_same_numbers(duplicate):
    g = minitorch.Generator().manual_seed(3)
    minitorch.randn(3, generator=g)
    other = duplicate(g)
    assert other is not g
    ours, theirs = everything(minitorch, g), everything(minitorch, other)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_generator_shows_itself_as_torchs():
    g = minitorch.Generator(device="cpu")
    assert repr(g).startswith("<torch._C.Generator object at 0x")
    assert g.device == minitorch.device("cpu")


def test_threads_that_share_a_generator_take_disjoint_numbers():
    n, each = 4, 20_000
    minitorch.manual_seed(0)
    draws = [None] * n

    def work(i):
        draws[i] = minitorch.rand(each)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    together = sorted(np.concatenate([d.numpy() for d in draws]).tolist())
    torch.manual_seed(0)
    assert together == sorted(torch.rand(n * each).tolist())


# ------------------------------------------------------------------ out=, meta, requires_grad
@pytest.mark.parametrize(
    "draw",
    [
        lambda t, out: t.rand(3, 4, out=out),
        lambda t, out: t.randn(3, 4, out=out),
        lambda t, out: t.randint(0, 9, (3, 4), out=out),
        lambda t, out: t.normal(0.0, 1.0, (3, 4), out=out),
        lambda t, out: t.bernoulli(t.full((3, 4), 0.5), out=out),
    ],
    ids=["rand", "randn", "randint", "normal", "bernoulli"],
)
@pytest.mark.parametrize("layout", ["fit", "resized", "transposed", "float64"])
def test_out_is_filled_as_torch_fills_it(draw, layout):
    seeded()
    outs = []
    for t in (minitorch, torch):
        out = {
            "fit": lambda t=t: t.zeros(3, 4),
            "resized": lambda t=t: t.zeros(0),
            "transposed": lambda t=t: t.zeros(4, 3).t(),
            "float64": lambda t=t: t.zeros(3, 4, dtype=t.float64),
        }[layout]()
        assert draw(t, out) is out
        outs.append(out)
    assert_same(*outs)
    assert_same_state()


def test_out_of_randperm_and_multinomial():
    seeded()
    outs = []
    for t in (minitorch, torch):
        order, picked = t.zeros(0), t.zeros(0, dtype=t.int64)
        t.randperm(6, out=order)
        t.multinomial(t.ones(6), 3, out=picked)
        outs.append((order, picked))
    assert_same_run(*outs)


def test_out_of_another_shape_is_resized_in_silence():
    seeded()
    for t in (minitorch, torch):
        out = t.zeros(3)
        t.rand(2, out=out)
        t.randperm(5, out=out)
        assert out.shape == (5,)


def test_out_that_requires_grad_is_torchs_error():
    errors = []
    for t in (minitorch, torch):
        with pytest.raises(RuntimeError) as caught:
            t.rand(2, out=t.zeros(2, requires_grad=True))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_requires_grad_makes_a_leaf():
    x = minitorch.rand(3, requires_grad=True)
    assert x.requires_grad
    assert x.is_leaf
    assert minitorch.randn_like(x).requires_grad is False
    assert minitorch.normal(0.0, 1.0, (3,), requires_grad=True).requires_grad


def test_meta_tensors_take_no_numbers():
    minitorch.manual_seed(0)
    before = minitorch.get_rng_state().numpy()
    made = [
        minitorch.rand(2, 3, device="meta"),
        minitorch.randn_like(minitorch.zeros(2, 3, device="meta")),
        minitorch.rand_like(minitorch.zeros(2, 3), device="meta"),
        minitorch.empty(2, 3, device="meta").uniform_(),
        minitorch.bernoulli(minitorch.zeros(2, 3, device="meta")),
        minitorch.normal(minitorch.zeros(2, 3, device="meta"), 1.0),
        minitorch.multinomial(minitorch.zeros(2, 5, device="meta"), 3),
    ]
    for t in made:
        assert t.device.type == "meta"
        assert tuple(t.shape) == (2, 3)
    assert minitorch.randperm(5, device="meta").dtype is minitorch.int64
    np.testing.assert_array_equal(minitorch.get_rng_state().numpy(), before)


# ------------------------------------------------------------------ autograd
@pytest.mark.parametrize("name", FILLS)
def test_fill_of_a_leaf_that_requires_grad_is_refused(name):
    x = minitorch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in"):
        FILLS[name](x)
    assert x.tolist() == [0.0, 0.0, 0.0]
    assert x._version == 0
    with minitorch.no_grad():
        FILLS[name](x)
    assert x._version == 1


@pytest.mark.parametrize("name", FILLS)
def test_fill_of_a_result_stops_its_gradient(name):
    grads, names = [], []
    for t in (minitorch, torch):
        x = t.ones(4, requires_grad=True)
        y = x * 2
        FILLS[name](y)
        assert y._version == 1
        names.append(type(y.grad_fn).__name__)
        (y * 3).sum().backward()
        grads.append(x.grad.tolist())
    assert grads == [[0.0] * 4] * 2
    assert names[0] == names[1]


def test_fill_of_a_view_stops_the_gradient_of_that_part():
    grads = []
    for t in (minitorch, torch):
        x = t.ones(4, requires_grad=True)
        y = x * 2
        y[1:3].normal_()
        (y * 3).sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1] == [6.0, 0.0, 0.0, 6.0]


def test_fill_of_a_saved_tensor_is_noticed():
    x = minitorch.ones(3, requires_grad=True)
    y = minitorch.ones(3)
    z = (x * y).sum()
    y.uniform_()
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        z.backward()


@pytest.mark.parametrize(
    "draw",
    [
        lambda t, a, b: t.bernoulli(a),
        lambda t, a, b: t.normal(a, 1.0),
        lambda t, a, b: t.normal(1.0, a),
        lambda t, a, b: t.normal(a, b),
        lambda t, a, b: t.zeros(2, 3).bernoulli_(b),
    ],
)
def test_sample_has_zero_gradient(draw):
    results = []
    for t in (minitorch, torch):
        a, b = t.full((2, 3), 0.5, requires_grad=True), t.full((3,), 0.5, requires_grad=True)
        y = draw(t, a, b)
        y.sum().backward()
        grads = [None if v.grad is None else v.grad.tolist() for v in (a, b)]
        results.append((type(y.grad_fn).__name__, grads))
    assert results[0] == results[1]
