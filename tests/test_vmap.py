"""vmap: torch's op database on batches against a loop, its arguments and errors against torch's."""

import warnings

import numpy as np
import opinfo
import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

import minitorch
from minitorch._ops.op import OPS
from minitorch._transforms import batch_rules

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # of torch's own
BOTH = pytest.mark.parametrize("ns", [torch, minitorch], ids=["torch", "minitorch"])

# ops that refuse batches, with what their error says
REFUSED = {
    "_segment_reduce.lengths": "segment_reduce over a batch of",
    "_segment_reduce.offsets": "segment_reduce over a batch of",
    "argwhere": "output dynamic shape",  # torch stacks the results if they happen to be of one size
    "linspace.tensor_overload": "linspace over a batch of",
    "logspace.tensor_overload": "logspace over a batch of",
    "nn.functional.ctc_loss": "ctc_loss over a batch of",
    "nn.functional.embedding_bag": "embedding_bag over a batch of",
    "repeat_interleave": "repeat_interleave over a batch of",
}
DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)
NAMES = [
    name
    for name, op in opinfo.OPS.items()
    if op.dtypes.intersection(DTYPES) and op.name not in opinfo.RANDOM and not name.startswith("signal.windows")
]


# ---------------------------------------------------------------------- the database
def samples(op, limit, seed):
    return opinfo.samples(op, next(d for d in DTYPES if d in op.dtypes), limit, seed=seed)


def is_dense(x):
    return isinstance(x, torch.Tensor) and x.layout is torch.strided


def pairs(op, limit):
    """Two sets of arguments each, alike in all but the values of tensors: (leaves, leaves, structure)."""
    for s, t in zip(samples(op, limit, 0), samples(op, limit, 1), strict=True):
        (one, spec), (two, other) = (tree_flatten((x.input, x.args, x.kwargs)) for x in (s, t))
        if spec != other or not all(map(alike, one, two)):
            two = [x.flip(tuple(range(x.ndim))) if is_dense(x) and x.is_floating_point() else x for x in one]
        yield one, two, spec


def alike(x, y):
    if isinstance(x, torch.Tensor):
        return isinstance(y, torch.Tensor) and x.shape == y.shape and x.dtype == y.dtype
    return type(x) is type(y) and (callable(x) or x == y)


def in_dims(n):
    """Which of n tensors are batches, and at which dimension."""
    yield (0,) * n
    yield (-1, *(None,) * (n - 1))
    if n > 1:
        yield (None, *(-1,) * (n - 1))


def called(ns, function, leaves, places, spec):
    """A function of the tensors at these places alone, which returns all tensors that come out."""

    def call(*tensors):
        given = list(leaves)
        for p, t in zip(places, tensors, strict=True):
            given[p] = t
        x, args, kwargs = tree_unflatten(given, spec)
        return tuple(opinfo.leaves(function(x, *args, **kwargs), ns.Tensor))

    return call


def check_batches(name, limit):
    op = opinfo.OPS[name]
    function, found = opinfo.ours(op, op.op), 0
    for one, two, spec in pairs(op, limit):
        places = [i for i, x in enumerate(one) if is_dense(x)]
        for dims in in_dims(len(places)):
            if not places or (
                name.startswith("as_strided") and -1 in dims
            ):  # about memory, which a loop's copies are not
                continue
            theirs = [
                one[p].detach() if d is None else torch.stack([one[p], two[p]], d).detach()
                for p, d in zip(places, dims, strict=True)
            ]
            found += compare_with_loop(name, op, function, [one, places, spec], dims, theirs)
    return found


def compare_with_loop(name, op, function, how, dims, theirs):
    leaves, *rest = how
    mine = called(minitorch, function, [opinfo.converted(x) for x in leaves], *rest)

    def value(i):
        return mine(*[opinfo.tensor(t if d is None else t.select(d, i)) for t, d in zip(theirs, dims, strict=True)])

    expected, error = opinfo.attempt(lambda: [value(0), value(1)])
    if error is not None:
        return 0
    out, error = opinfo.attempt(lambda: minitorch.vmap(mine, dims)(*map(opinfo.tensor, theirs)))
    if error is not None:
        if not (name in REFUSED and isinstance(error, RuntimeError) and REFUSED[name] in str(error)):
            in_torch = torch.vmap(called(torch, op.op, leaves, *rest), dims)
            refused = opinfo.attempt(in_torch, *map(opinfo.copied, theirs))[1]
            if refused is None or type(refused) is not type(error):
                raise error
        return 1
    for got, a, b in zip(out, *expected, strict=True):
        got, want = opinfo.numbers(got), np.stack([opinfo.numbers(a), opinfo.numbers(b)])
        if op.name in opinfo.UP_TO_SIGN:
            got, want = abs(got), abs(want)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, 1e-6, 1e-8)
    return 1


@pytest.mark.parametrize("name", NAMES[::6])  # the slow run takes all
def test_batch_equals_loop(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not check_batches(name, 1):
            pytest.skip("takes no tensors")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_batches_of_all_samples_equal_loop(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not check_batches(name, 60):
            pytest.skip("takes no tensors")


def test_rules_are_of_ops_that_exist():
    assert set(batch_rules.RULES) <= set(OPS) | {"detach", "unbind", "split", "split_with_sizes"}


# ---------------------------------------------------------------------- arguments
def numbers_of(ns, *shape):
    return ns.arange(float(np.prod(shape)), dtype=ns.float64).reshape(shape)


CALLS = {
    "the first dimension": lambda ns, x: ns.vmap(ns.dot)(x, x + 1),
    "in_dims=1": lambda ns, x: ns.vmap(lambda x: x.cumsum(0), in_dims=1)(x),
    "in_dims=-1": lambda ns, x: ns.vmap(lambda x: x.sum(), in_dims=-1)(x),
    "in_dims of a tuple": lambda ns, x: ns.vmap(lambda a, b: a @ b, (None, 0))(x, x),
    "in_dims of a dict": lambda ns, x: ns.vmap(lambda d: d["a"] * d["b"], ({"a": 0, "b": None},))({"a": x, "b": x[0]}),
    "in_dims for a whole subtree": lambda ns, x: ns.vmap(lambda p, y: p[0] + p[1] + y, ((1, 1), 1))((x, x), x),
    "out_dims=1": lambda ns, x: ns.vmap(lambda x: x * 2, out_dims=1)(x),
    "out_dims=-1": lambda ns, x: ns.vmap(lambda x: x.outer(x), out_dims=-1)(x),
    "out_dims of a tuple": lambda ns, x: ns.vmap(lambda x: (x, x.sum(), 3), out_dims=(1, 0, None))(x),
    "out_dims of a dict": lambda ns, x: ns.vmap(lambda x: {"a": x, "b": [x]}, out_dims={"a": 0, "b": [1]})(x),
    "out_dims=None": lambda ns, x: ns.vmap(lambda x: (x, ns.ones(2)), out_dims=(0, None))(x),
    "a result without batch": lambda ns, x: ns.vmap(lambda x: ns.ones(2))(x),
    "numbers and keywords": lambda ns, x: ns.vmap(lambda x, n, flag=False: x * n + flag, (0, None))(x, 3, flag=True),
    "nested": lambda ns, x: ns.vmap(lambda row: ns.vmap(lambda v: v * row)(row))(x),
    "nested, of both": lambda ns, x: ns.vmap(ns.vmap(lambda a, b: a * b, (0, None)), (None, 0))(x[0], x),
    "nested, moved": lambda ns, x: ns.vmap(ns.vmap(lambda v: v.sum() * v, 1, 1), 0, 2)(numbers_of(ns, 2, 3, 4)),
    "chunk_size": lambda ns, x: ns.vmap(lambda v: v * v.sum(), chunk_size=2)(x),
    "chunk_size, in_dims, out_dims": lambda ns, x: ns.vmap(lambda v: v * 2, 1, 1, chunk_size=3)(x.t().repeat(1, 3)),
    "chunk_size of several": lambda ns, x: ns.vmap(lambda v: (v, [v.sum()]), chunk_size=2)(x),
    "func.vmap": lambda ns, x: ns.func.vmap(lambda x: x.softmax(0))(x),
    "0-dim index": lambda ns, x: ns.vmap(lambda row, i: row[i])(x, ns.tensor([0, 1, 0])),
    "index": lambda ns, x: ns.vmap(lambda row, i: row[i], (0, 0))(x, ns.tensor([[0, 1], [1, 1], [0, 0]])),
    "view": lambda ns, x: ns.vmap(lambda m: m.t().reshape(-1)[1:].view(-1, 1))(numbers_of(ns, 2, 2, 3)),
    "where": lambda ns, x: ns.vmap(lambda r: ns.where(r > 2, r, -r))(x),
    "promotion": lambda ns, x: ns.vmap(lambda v: v.float() * v.sum())(x),
    "integers stay integers": lambda ns, x: ns.vmap(lambda n: ns.ones(2, dtype=ns.int32) * n)(ns.arange(3)),
    "like": lambda ns, x: ns.vmap(lambda r: ns.zeros_like(r) + ns.ones_like(r[0]) * r)(x),
    "write": lambda ns, x: ns.vmap(lambda r: r.clone().mul_(2).add_(r))(x),
    "write through a view": lambda ns, x: ns.vmap(written)(x),
    "list": lambda ns, x: ns.vmap(lambda r: ns.cat([r, r * 2, ns.zeros(1)]))(x),
    "stack": lambda ns, x: ns.vmap(lambda r: ns.stack([r[0], r.sum(), ns.tensor(1.0)]))(x),
    "chunks": lambda ns, x: ns.vmap(lambda r: r.chunk(2)[1] - r.unbind()[0])(x),
    "named results": lambda ns, x: ns.vmap(lambda r: tuple(r.max(0)))(x),
    "conv2d of kernels": lambda ns, x: ns.vmap(ns.nn.functional.conv2d, (None, 0))(
        numbers_of(ns, 1, 2, 4, 4), numbers_of(ns, 3, 2, 2, 2, 2)
    ),
    "batch of size 0": lambda ns, x: ns.vmap(lambda r: r * 2 + 1)(x[:0]),
}  # fmt: skip


def written(row):
    row = row.clone()
    row[:1].mul_(10)
    row[1:] = row[:1]
    return row


@pytest.mark.parametrize("case", CALLS)
def test_call_is_torchs(case):
    theirs = CALLS[case](torch, numbers_of(torch, 3, 2))
    opinfo.assert_same(CALLS[case](minitorch, numbers_of(minitorch, 3, 2)), theirs)


ERRORS = {
    "no inputs": lambda ns, x: ns.vmap(lambda: x)(),
    "in_dims of a list": lambda ns, x: ns.vmap(ns.mul, [0, 0])(x, x),
    "in_dims of a string": lambda ns, x: ns.vmap(ns.sin, in_dims="0")(x),
    "in_dims of another structure": lambda ns, x: ns.vmap(ns.mul, in_dims=(0,))(x, x),
    "in_dims all None": lambda ns, x: ns.vmap(ns.sin, in_dims=None)(x),
    "in_dims all None, in a tuple": lambda ns, x: ns.vmap(ns.sin, in_dims=(None,))(x),
    "in_dims of a float": lambda ns, x: ns.vmap(ns.sin, in_dims=(0.5,))(x),
    "in_dims for a number": lambda ns, x: ns.vmap(ns.mul)(x, 2),
    "in_dims too large": lambda ns, x: ns.vmap(ns.sin, in_dims=2)(x),
    "in_dims too small": lambda ns, x: ns.vmap(ns.sin, in_dims=-3)(x),
    "0-dim input": lambda ns, x: ns.vmap(ns.sin)(ns.tensor(1.0)),
    "sizes that differ": lambda ns, x: ns.vmap(ns.mul)(x, x[:1]),
    "out_dims of a string": lambda ns, x: ns.vmap(ns.sin, out_dims="0")(x),
    "out_dims of another structure": lambda ns, x: ns.vmap(ns.sin, out_dims=(0, 0))(x),
    "out_dims too large": lambda ns, x: ns.vmap(ns.sin, out_dims=2)(x),
    "out_dims None for a batch": lambda ns, x: ns.vmap(ns.sin, out_dims=None)(x),
    "a result that is a number": lambda ns, x: ns.vmap(f_number)(x),
    "a result that is None": lambda ns, x: ns.vmap(f_none)(x),
    "chunk_size=0": lambda ns, x: ns.vmap(ns.sin, chunk_size=0)(x),
    "randomness": lambda ns, x: ns.vmap(ns.sin, randomness="some")(x),
    "item": lambda ns, x: ns.vmap(lambda r: r.sum().item())(x),
    "float": lambda ns, x: ns.vmap(lambda r: float(r.sum()))(x),
    "truth": lambda ns, x: ns.vmap(lambda r: r if r.sum() > 0 else -r)(x),
    "nonzero": lambda ns, x: ns.vmap(ns.nonzero)(x),
    "mask": lambda ns, x: ns.vmap(lambda r: r[r > 0])(x),
    "write of a batch to one": lambda ns, x: ns.vmap(lambda r: ns.zeros(2, dtype=ns.float64).mul_(r))(x),
    "assignment of a batch to one": lambda ns, x: ns.vmap(lambda r: ns.zeros(2).__setitem__(0, r[0]))(x),
    "index_add_ of a batch to one": lambda ns, x: ns.vmap(lambda r: x.index_add_(0, ns.tensor([1]), r[None]))(x),
    "index_copy_ of a batch to one": lambda ns, x: ns.vmap(lambda r: x.index_copy_(0, ns.tensor([1]), r[None]))(x),
    "lerp_ of a batch to one": lambda ns, x: ns.vmap(lambda r: ns.zeros(2, dtype=ns.float64).lerp_(r, 0.5))(x),
    "out=": lambda ns, x: ns.vmap(lambda r: ns.sin(r, out=ns.empty(2, dtype=ns.float64)))(x),
    "requires_grad_": lambda ns, x: ns.vmap(lambda r: r.requires_grad_())(x),
    "backward": lambda ns, x: ns.vmap(lambda r: r.sum().backward())(x.requires_grad_()),
    "a shape that does not fit": lambda ns, x: ns.vmap(lambda r: r + ns.ones(3))(x),
    "a dim that does not exist": lambda ns, x: ns.vmap(lambda r: r.sum(1))(x),
    "random": lambda ns, x: ns.vmap(lambda r: r + ns.rand(2))(x),
    "random like": lambda ns, x: ns.vmap(ns.randn_like)(x),
    "dropout": lambda ns, x: ns.vmap(ns.nn.functional.dropout)(x),
    "random counts": lambda ns, x: ns.vmap(ns.poisson)(x),
    "random gammas": lambda ns, x: ns.vmap(ns._standard_gamma)(x.exp()),
    "random in place": lambda ns, x: ns.vmap(lambda r: r.clone().normal_())(x),
    "random in place on one": lambda ns, x: ns.vmap(lambda r: ns.zeros(2).normal_() + r, randomness="different")(x),
    "same randomness of a batch": lambda ns, x: ns.vmap(lambda r: ns.bernoulli(r / 9), randomness="same")(x),
}  # fmt: skip


def f_number(x):
    return 1


def f_none(x):
    return None


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_torchs(case):
    raised = []
    for ns in (torch, minitorch):
        with pytest.raises(Exception) as e:
            ERRORS[case](ns, numbers_of(ns, 3, 2))
        raised.append((e.type.__name__, str(e.value).split("\n")[0].replace("minitorch", "torch")))
    assert raised[0] == raised[1]


# ---------------------------------------------------------------------- randomness
RANDOM_CALLS = {
    "rand": lambda ns, r: ns.rand(3),
    "randn": lambda ns, r: ns.randn(3) + r[0],
    "randn_like": lambda ns, r: ns.randn_like(r),
    "randint": lambda ns, r: ns.randint(0, 1000000, (3,)),
    "dropout": lambda ns, r: ns.nn.functional.dropout(r + 1),
    "normal_": lambda ns, r: r.clone().normal_(),
}


@BOTH
@pytest.mark.parametrize("case", RANDOM_CALLS)
def test_different_randomness_draws_for_each_value(ns, case):
    ns.manual_seed(0)
    out = ns.vmap(lambda r: RANDOM_CALLS[case](ns, r), randomness="different")(ns.zeros(8, 3))
    assert len({tuple(row) for row in out.tolist()}) > 1


@BOTH
@pytest.mark.parametrize("case", ["rand", "randn", "randint", "normal_"])
def test_same_randomness_draws_once(ns, case):
    ns.manual_seed(0)
    out = ns.vmap(lambda r: RANDOM_CALLS[case](ns, r), randomness="same")(ns.zeros(8, 3))
    assert len({tuple(row) for row in out.tolist()}) == 1


# ---------------------------------------------------------------------- with autograd
@BOTH
def test_gradients_flow_through_a_batch(ns):
    x = numbers_of(ns, 3, 2).requires_grad_()
    w = numbers_of(ns, 2).requires_grad_()
    ns.vmap(lambda r: (r * w).sum() ** 2)(x).sum().backward()
    expected = 2 * (x.detach() * w.detach()).sum(1, keepdim=True)
    np.testing.assert_allclose(x.grad.numpy(), (expected * w.detach()).numpy())
    np.testing.assert_allclose(w.grad.numpy(), (expected * x.detach()).sum(0).numpy())


def doubled(ns, generate):
    class Double(ns.autograd.Function):
        generate_vmap_rule = generate

        @staticmethod
        def forward(x, n):
            return x * n, x.sum()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]

        @staticmethod
        def backward(ctx, g, _):
            return g * ctx.n, None

    return Double


def ruled(ns):
    class Cumulate(doubled(ns, False)):
        @staticmethod
        def vmap(info, in_dims, x, n):
            assert info.batch_size == 3 and info.randomness == "error" and in_dims == (0, None)
            return (x * n, x.flatten(1).sum(1)), (0, 0)

    return Cumulate


@BOTH
@pytest.mark.parametrize("function", [lambda ns: doubled(ns, True), ruled], ids=["generated", "own"])
def test_function_is_batched(ns, function):
    x = numbers_of(ns, 3, 2)
    out, total = ns.vmap(lambda r: function(ns).apply(r, 2))(x)
    assert out.tolist() == (x * 2).tolist() and total.tolist() == x.sum(1).tolist()


@pytest.mark.parametrize("function", [lambda ns: doubled(ns, False), lambda ns: both_rules(ns)])
def test_function_without_one_rule_is_torchs_error(function):
    raised = []
    for ns in (torch, minitorch):
        with pytest.raises(RuntimeError) as e:
            ns.vmap(lambda r, ns=ns: function(ns).apply(r, 2))(numbers_of(ns, 3, 2))
        raised.append(str(e.value))
    assert raised[0] == raised[1]


def both_rules(ns):
    class Both(ruled(ns)):
        generate_vmap_rule = True

    return Both
