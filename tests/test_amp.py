"""Autocast and GradScaler: the dtypes of every op of torch's database under autocast, and the scaler's numbers."""

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import opinfo
import pytest
import torch
from compare import PAIR, assert_same_outcome, first_line, outcome
from sampling import sampled

import minitorch
from minitorch.amp import _casting

_ONE_NUMBER = "torch computes a single number by dot, which is not cast"
DIFFERENT = {  # op -> why its dtypes differ
    "inner": _ONE_NUMBER,
    "tensordot": _ONE_NUMBER,
    "linalg.pinv": "torch casts the product inside; minitorch's result stays float32",
    "linalg.pinv.hermitian": "as linalg.pinv",
    "linalg.pinv.singular": "as linalg.pinv; torch refuses the two dtypes that the product inside then has",
    "nn.functional.linear_cross_entropy.chunked": "torch computes chunks by operations that are not cast",
    "nn.functional.linear_cross_entropy.chunked_none": "as the other",
}
# composites of listed functions
THROUGH_OTHERS = frozenset(
    "chain_matmul corrcoef cov einsum linalg.matrix_power linalg.multi_dot nn.functional.linear_cross_entropy "
    "nn.functional.multi_head_attention_forward nn.functional.bilinear".split()
)
LISTED = frozenset(n.rpartition(".")[2] for names in _casting.LISTED.values() for n in names) | _casting.RECORDS


def rows():
    """Ops that autocast changes; all others are slow rows."""
    for name, op in opinfo.OPS.items():
        if torch.float32 in op.dtypes and name not in DIFFERENT:
            quick = op.name.rpartition(".")[2] in LISTED or op.name in THROUGH_OTHERS
            yield pytest.param(name, marks=() if quick else pytest.mark.slow)


def dtypes_of(mod, value):
    return [str(t.dtype) for t in opinfo.leaves(value, mod.Tensor)]


def under_autocast(mod, function, arguments, dtype="bfloat16"):
    def run():
        with mod.autocast("cpu", getattr(mod, dtype)):
            return opinfo.call(function, arguments)

    value, error = opinfo.attempt(run)
    return None if error else dtypes_of(mod, value)


def halved(value):
    """The arguments with float32 tensors in bfloat16."""
    if isinstance(value, torch.Tensor):
        return value.to(torch.bfloat16) if value.dtype is torch.float32 else value
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(map(halved, value))
    return {k: halved(v) for k, v in value.items()} if isinstance(value, dict) else value


def different_dtypes(op, prepare):
    """(torch's dtypes, ours) of the first sample where they differ, and whether torch took any sample."""
    function, taken = opinfo.ours(op, op.op), 0
    for s in opinfo.samples(op, torch.float32, 2):
        arguments = prepare((s.input, s.args, s.kwargs))
        mine = opinfo.converted(arguments)
        theirs = under_autocast(torch, op.op, opinfo.copied(arguments))
        if theirs is None or opinfo.attempt(opinfo.call, function, opinfo.converted(arguments))[1]:
            continue  # what either takes in one dtype alone is the subject of test_opinfo.py
        taken += 1
        found = under_autocast(minitorch, function, mine)
        if found != theirs:
            return (theirs, found), taken
    return None, taken


@pytest.mark.parametrize("name", sampled(rows(), 3))
def test_dtypes_under_autocast_are_those_of_torch(name):
    op = opinfo.OPS[name]
    taken = 0
    with opinfo.sharing():
        for prepare in (lambda arguments: arguments, halved):
            different, n = different_dtypes(op, prepare)
            assert different is None
            taken += n
    assert taken


# ---------------------------------------------------------------------- regions
def both(run):
    """Dtypes that run(mod) gives in minitorch and in torch."""
    ours, theirs = ([str(d) for d in run(mod)] for mod in PAIR)
    assert ours == theirs
    return ours


def test_regions_nest_and_the_inner_one_decides():
    def run(mod):
        w = mod.ones(3, 3)
        with mod.autocast("cpu"):
            yield (w @ w).dtype
            with mod.autocast("cpu", dtype=mod.float16):
                yield (w @ w).dtype
            with mod.autocast("cpu", enabled=False):
                yield (w @ w).dtype
            yield (w @ w).dtype
        yield (w @ w).dtype

    assert both(run)[0] == "torch.bfloat16"


def test_a_region_decorates_a_function():
    def run(mod):
        product = mod.autocast("cpu", dtype=mod.bfloat16)(lambda a: a @ a)
        yield product(mod.ones(2, 2)).dtype
        yield (mod.ones(2, 2) @ mod.ones(2, 2)).dtype

    both(run)


def test_float64_and_integers_are_left_alone():
    def run(mod):
        with mod.autocast("cpu"):
            yield mod.mm(mod.ones(2, 2, dtype=mod.float64), mod.ones(2, 2, dtype=mod.float64)).dtype
            yield mod.mm(mod.ones(2, 2, dtype=mod.int64), mod.ones(2, 2, dtype=mod.int64)).dtype

    both(run)


def test_operands_that_are_joined_take_the_widest_dtype():
    def run(mod):
        x = mod.ones(2)
        with mod.autocast("cpu"):
            yield mod.cat([x, x.bfloat16()]).dtype
            yield mod.stack([x.bfloat16(), x.bfloat16()]).dtype
            yield mod.cat([x.double(), x]).dtype

    both(run)
    ours, theirs = [], []
    for mod, found in zip(PAIR, (ours, theirs)):
        with mod.autocast("cpu"):
            found.append(outcome(mod.cat, [mod.ones(2).half()] * 2))
    assert_same_outcome(ours[0], theirs[0])


def test_results_written_to_out_keep_their_dtype():
    def run(mod):
        with mod.autocast("cpu"):
            yield mod.matmul(mod.ones(2, 2), mod.ones(2, 2), out=mod.empty(2, 2)).dtype
            yield mod.mm(mod.ones(2, 2), mod.ones(2, 2), out=mod.empty(2, 2)).dtype

    both(run)


def test_gradients_reach_float32_weights():
    for mod in PAIR:
        layer = mod.nn.Linear(3, 2)
        with mod.autocast("cpu"):
            loss = layer(mod.ones(4, 3)).sum()
        loss.backward()
        assert layer.weight.grad.dtype is mod.float32
        assert layer.weight.grad.tolist() == [[4.0] * 3] * 2


def test_a_weight_is_cast_once_in_a_region():
    def casts(cache_enabled):
        w, x = minitorch.ones(2, 2, requires_grad=True), minitorch.ones(2, 2)
        with minitorch.autocast("cpu", cache_enabled=cache_enabled):
            nodes = {(x @ w).grad_fn.next_functions[1][0] for _ in range(3)}
        return len(nodes)

    assert casts(True) == 1
    assert casts(False) == 3


def _numbers(mod, dtype, *shape):
    return (mod.arange(1, 13)[: int(np.prod(shape))] / 7).reshape(shape).to(getattr(mod, dtype))


WITH_OUT = {
    "mm": lambda mod, x, out: mod.mm(x(2, 3), x(3, 2), out=out(2, 2)),
    "matmul": lambda mod, x, out: mod.matmul(x(2, 3), x(3, 2), out=out(2, 2)),
    "bmm": lambda mod, x, out: mod.bmm(x(1, 2, 3), x(1, 3, 2), out=out(1, 2, 2)),
    "addmm": lambda mod, x, out: mod.addmm(x(2, 2), x(2, 3), x(3, 2), out=out(2, 2)),
    "baddbmm": lambda mod, x, out: mod.baddbmm(x(1, 2, 2), x(1, 2, 3), x(1, 3, 2), out=out(1, 2, 2)),
    "cat": lambda mod, x, out: mod.cat([x(2), x(2)], out=out(4)),
    "stack": lambda mod, x, out: mod.stack([x(2), x(2)], out=out(2, 2)),
    "softmax": lambda mod, x, out: mod.softmax(x(2), 0, out=out(2)),
    "add": lambda mod, x, out: mod.add(x(2), x(2), out=out(2)),
    "inverse": lambda mod, x, out: mod.inverse(x(2, 2), out=out(2, 2)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("out_dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", WITH_OUT)
def test_nothing_is_cast_for_a_result_written_to_out(name, dtype, out_dtype):
    def call(mod):
        with mod.autocast("cpu", dtype=mod.bfloat16):
            out = partial(mod.zeros, dtype=getattr(mod, out_dtype))
            result = WITH_OUT[name](mod, partial(_numbers, mod, dtype), lambda *shape: out(shape))
        return str(result.dtype), result.double()

    assert_same_outcome(*(outcome(call, mod) for mod in PAIR))


def test_a_weight_cast_without_recording_is_cast_again_for_the_graph():
    def run(mod):
        w = mod.ones(2, 2, requires_grad=True)
        with mod.autocast("cpu"):
            with mod.no_grad():
                mod.mm(w, w)
            yield mod.mm(w, w).requires_grad

    assert both(run) == ["True"]


def test_casts_are_forgotten_when_the_outermost_region_ends():
    from minitorch.amp._casting import casting

    w = minitorch.ones(2, 2, requires_grad=True)
    with minitorch.autocast("cpu"):
        with minitorch.autocast("cpu"):
            minitorch.mm(w, w)
        assert casting.cache
    assert not casting.cache
    assert minitorch.autograd.grad_mode.state.interceptors == ()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("half_input", [False, True])
@pytest.mark.parametrize(
    "module",
    ["GRU(3, 4)", "RNN(3, 4)", "LSTM(3, 4, proj_size=2)", "LSTMCell(3, 4)", "GRUCell(3, 4)", "BatchNorm1d(3)",
     "Linear(3, 2)", "LayerNorm(3)", "TransformerEncoderLayer(3, 1)"],
)  # fmt: skip
def test_modules_give_the_dtypes_of_torch(module, dtype, half_input):
    def run(mod):
        made = eval(f"nn.{module}", {"nn": mod.nn})
        x = mod.ones(*((2, 3) if "Cell" in module or "Batch" in module else (5, 2, 3)))
        x = x.to(getattr(mod, dtype)) if half_input else x
        with mod.autocast("cpu", dtype=getattr(mod, dtype)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = made(x)
        return [t.dtype for t in opinfo.leaves(out, mod.Tensor)]

    both(run)


def test_training_in_bfloat16_gives_the_losses_of_torch():
    def losses(mod):
        mod.manual_seed(0)
        model = mod.nn.Sequential(mod.nn.Linear(4, 8), mod.nn.ReLU(), mod.nn.Linear(8, 3))
        optimizer = mod.optim.SGD(model.parameters(), lr=0.1)
        x, y = mod.randn(16, 4), mod.randint(0, 3, (16,))
        for _ in range(10):
            optimizer.zero_grad()
            with mod.autocast("cpu", dtype=mod.bfloat16):
                loss = mod.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            yield loss.item()

    ours, theirs = (list(losses(mod)) for mod in PAIR)
    np.testing.assert_allclose(ours, theirs, rtol=5e-3)


def test_subclasses_are_asked_before_anything_is_cast():
    def seen(mod):
        names = []

        class Named(mod.Tensor):
            @classmethod
            def __torch_function__(cls, func, kinds, args=(), kwargs=None):
                names.append(func.__name__)
                return super().__torch_function__(func, kinds, args, kwargs or {})

        with mod.autocast("cpu"):
            x = mod.ones(2, 2).as_subclass(Named)
            results = [mod.matmul(x, x), mod.nn.functional.linear(x, x)]
        return [*names, *[(type(r).__name__, str(r.data.as_subclass(mod.Tensor).dtype)) for r in results]]

    assert seen(minitorch) == seen(torch)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_what_is_checkpointed_is_run_again_under_the_same_autocast(use_reentrant):
    def run(mod):
        w, seen = mod.ones(2, 2, requires_grad=True), []

        def part(x):
            y = x @ w
            seen.append((y.dtype, mod.get_autocast_dtype("cpu")))
            return mod.nn.functional.mse_loss(y.exp(), y)

        x = mod.ones(3, 2, requires_grad=True)
        with mod.autocast("cpu", dtype=mod.float16):
            loss = mod.utils.checkpoint.checkpoint(part, x, use_reentrant=use_reentrant)
        loss.backward()
        return [loss.dtype, w.grad.dtype, *seen]

    assert len(both(run)) == 4


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_transforms_give_the_dtypes_of_torch():
    def run(mod):
        func, w, x = mod.func, mod.ones(3, 3), mod.ones(4, 3)

        def f(x):
            return (x @ w).sin().sum()

        with mod.autocast("cpu"):
            yield func.vmap(f)(x).dtype
            yield func.vmap(func.grad(f))(x).dtype
            yield func.jvp(f, (x[0],), (x[0],))[1].dtype

    both(run)


# ---------------------------------------------------------------------- state, errors, warnings
def test_the_state_is_that_of_torch():
    def run(mod):
        yield mod.is_autocast_enabled("cpu"), mod.is_autocast_enabled(), mod.is_autocast_cache_enabled()
        yield mod.get_autocast_dtype("cpu"), mod.get_autocast_dtype("cuda")
        with mod.autocast("cpu", dtype=mod.float16, cache_enabled=False):
            yield mod.is_autocast_enabled("cpu"), mod.get_autocast_dtype("cpu"), mod.is_autocast_cache_enabled()
        yield mod.is_autocast_enabled("cpu"), mod.get_autocast_dtype("cpu"), mod.is_autocast_cache_enabled()
        mod.set_autocast_enabled("cpu", True)
        yield (mod.ones(2, 2) @ mod.ones(2, 2)).dtype
        mod.set_autocast_enabled("cpu", False)
        yield (mod.ones(2, 2) @ mod.ones(2, 2)).dtype
        yield mod.amp.is_autocast_available("cpu"), mod.amp.is_autocast_available("meta")

    both(run)


CALLS = [
    lambda mod: mod.autocast("foo"),
    lambda mod: mod.autocast("meta"),
    lambda mod: mod.autocast(3),
    lambda mod: mod.autocast("cpu", dtype=mod.float32),
    lambda mod: mod.autocast("cpu", "bf"),
    lambda mod: mod.autocast("cuda"),
    lambda mod: mod.autocast("cpu")(3),
    lambda mod: mod.is_autocast_enabled("meta"),
    lambda mod: mod.set_autocast_enabled("cpu", 3),
    lambda mod: mod.is_autocast_cpu_enabled(),
    lambda mod: mod.get_autocast_gpu_dtype(),
    lambda mod: mod.cpu.amp.autocast(),
    lambda mod: mod.cpu.amp.GradScaler(),
    lambda mod: mod.cuda.amp.autocast(),
    lambda mod: mod.cuda.amp.GradScaler(),
    lambda mod: mod.cuda.amp.custom_fwd(lambda ctx: None),
    lambda mod: mod.GradScaler(),
    lambda mod: mod.GradScaler("cpu", growth_factor=1.0),
    lambda mod: mod.GradScaler("cpu", backoff_factor=1.0),
    lambda mod: mod.GradScaler("cpu").update(),
    lambda mod: mod.GradScaler("cpu").step(None),
    lambda mod: mod.GradScaler("cpu").step(None, closure=None),
    lambda mod: mod.GradScaler("cpu").scale(3),
    lambda mod: mod.GradScaler("cpu").load_state_dict({}),
    lambda mod: mod.amp.custom_fwd(device_type=3),
]


@pytest.mark.parametrize("call", CALLS)
def test_errors_and_warnings_are_those_of_torch(call):
    seen = []
    for mod in PAIR:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            error = outcome(call, mod).error
        texts = [(w.category.__name__, first_line(w.message)) for w in caught]
        seen.append((type(error).__name__, error and first_line(error), texts))
    assert seen[0] == seen[1]


# ---------------------------------------------------------------------- user-defined functions
@pytest.mark.parametrize("cast_inputs", [None, "float32", "bfloat16"])
@pytest.mark.parametrize("on", [True, False])
def test_functions_run_under_the_autocast_that_their_decorators_say(cast_inputs, on):
    def run(mod):
        seen = []

        class Product(mod.autograd.Function):
            @staticmethod
            @mod.amp.custom_fwd(device_type="cpu", cast_inputs=cast_inputs and getattr(mod, cast_inputs))
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                seen.extend([a.dtype, mod.is_autocast_enabled("cpu"), (a @ b).dtype])
                return a @ b

            @staticmethod
            @mod.amp.custom_bwd(device_type="cpu")
            def backward(ctx, g):
                a, b = ctx.saved_tensors
                seen.extend([mod.is_autocast_enabled("cpu"), g.dtype, (a @ b).dtype])
                return (g.to(b.dtype) @ b.t()).float(), (a.t() @ g.to(a.dtype)).float()

        a, b = mod.ones(2, 2, requires_grad=True), mod.ones(2, 2, requires_grad=True)
        with mod.autocast("cpu", enabled=on):
            out = Product.apply(a, b)
        out.sum().backward()
        return [*seen, out.dtype, a.grad.dtype]

    both(run)


# ---------------------------------------------------------------------- GradScaler
def scaled_steps(mod, gradients, **options):
    """States of a scaler and a parameter over steps whose gradients are given."""
    w = mod.ones(2, requires_grad=True)
    optimizer, scaler = mod.optim.SGD([w], lr=0.5), mod.GradScaler("cpu", **options)
    for i, g in enumerate(gradients):
        optimizer.zero_grad()
        scaler.scale((w * mod.tensor(g)).sum()).backward()
        if i % 2:
            scaler.unscale_(optimizer)
            yield w.grad.tolist()
        scaler.step(optimizer)
        scaler.update()
        yield w.tolist(), scaler.get_scale(), scaler.state_dict()


def test_the_scale_grows_and_falls_as_that_of_torch():
    inf, nan = float("inf"), float("nan")
    gradients = [[1.0, 2.0], [1.0, 0.3], [inf, 1.0], [nan, 1.0], [0.1, 0.2], [0.1, 0.2], [1e-30, 1.0], [0.5, 0.5]]
    for options in (
        {"growth_interval": 2},
        {"init_scale": 3.0, "growth_factor": 1.7, "backoff_factor": 0.3, "growth_interval": 1},
        {"init_scale": 3e38, "growth_interval": 1},
    ):
        ours, theirs = (list(scaled_steps(mod, gradients, **options)) for mod in PAIR)
        assert repr(ours) == repr(theirs)


def test_lists_of_losses_are_scaled_one_by_one():
    for mod in PAIR:
        scaler = mod.GradScaler("cpu", init_scale=4.0)
        a, (b,) = scaler.scale([mod.ones(1), (mod.ones(1),)])
        assert (a.item(), b.item()) == (4.0, 4.0)


def test_a_scaler_refuses_calls_out_of_order_as_torch():
    def errors(mod):
        w = mod.ones(1, requires_grad=True)
        optimizer, scaler = mod.optim.SGD([w], lr=0.5), mod.GradScaler("cpu")
        scaler.scale(w.sum())
        yield outcome(scaler.update).error
        yield outcome(scaler.step, optimizer).error  # no gradients
        scaler = mod.GradScaler("cpu")
        scaler.scale(w.sum()).backward()
        scaler.unscale_(optimizer)
        yield outcome(scaler.unscale_, optimizer).error
        scaler.step(optimizer)
        yield outcome(scaler.unscale_, optimizer).error
        yield outcome(scaler.step, optimizer).error
        yield outcome(pickle.dumps, scaler).error
        yield outcome(scaler.update, mod.ones(2)).error
        half = mod.ones(1, dtype=mod.float16, requires_grad=True)
        scaler = mod.GradScaler("cpu")
        scaler.scale(half.float().sum()).backward()
        yield outcome(scaler.unscale_, mod.optim.SGD([half], lr=0.5)).error

    ours, theirs = ([(type(e).__name__, first_line(e)) for e in errors(mod)] for mod in PAIR)
    assert ours == theirs


def test_a_scaler_is_pickled_and_its_state_exchanged_with_torch():
    scaler = minitorch.GradScaler("cpu", init_scale=8.0)
    scaler.scale(minitorch.ones(1))
    scaler.update(16.0)
    assert pickle.loads(pickle.dumps(scaler)).get_scale() == 16.0
    theirs = torch.GradScaler("cpu")
    theirs.load_state_dict(copy.deepcopy(scaler.state_dict()))
    assert theirs.state_dict() == scaler.state_dict()
    scaler.load_state_dict(torch.GradScaler("cpu", init_scale=2.0).state_dict())
    assert scaler.get_scale() == 2.0


def test_a_scaler_that_is_switched_off_does_nothing():
    for mod in PAIR:
        w = mod.ones(1, requires_grad=True)
        scaler = mod.GradScaler("cpu", enabled=False)
        scaler.scale(w.sum()).backward()
        scaler.step(mod.optim.SGD([w], lr=0.5))
        scaler.update()
        assert (w.item(), scaler.get_scale(), scaler.state_dict()) == (0.5, 1.0, {})
