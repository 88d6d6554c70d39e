"""Forward-mode differentiation: tangents against torch's, rules against the double reverse pass, views and writes."""

import warnings

import numpy as np
import opinfo
import pytest
import torch
import torch.autograd.forward_ad

import minitorch
import minitorch.autograd.forward_ad
from minitorch._ops.op import OPS
from minitorch._transforms import tangent_rules

OTHER_NUMBERS = {"nn.functional.rrelu"}  # random slopes that are not torch's
NAMES = [
    name
    for name, op in opinfo.OPS.items()
    if op.supports_forward_ad and torch.float64 in op.dtypes and name not in {*OTHER_NUMBERS, "cholesky_inverse"}
]
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # of torch's own
BOTH = pytest.mark.parametrize("ns", [torch, minitorch], ids=["torch", "minitorch"])


def dual(ns, value, rng):
    """An op's arguments, those that require grad with tangents drawn from rng."""
    if isinstance(value, ns.Tensor):
        if not value.requires_grad:
            return value
        direction = ns.from_numpy(np.asarray(rng.standard_normal(tuple(value.shape))))
        return ns.autograd.forward_ad.make_dual(value.detach(), direction)
    if type(value) in (list, tuple):
        return type(value)(dual(ns, v, rng) for v in value)
    return {k: dual(ns, v, rng) for k, v in value.items()} if isinstance(value, dict) else value


def tangents(ns, op, function, arguments, post):
    rng = np.random.default_rng(0)
    wrapper = op.gradcheck_wrapper if ns is torch else opinfo.converted(op.gradcheck_wrapper)
    with ns.autograd.forward_ad.dual_level():
        x, args, kwargs = dual(ns, arguments, rng)
        ns.manual_seed(0)
        outs = opinfo.leaves(post(wrapper(function, x, *args, **kwargs)), ns.Tensor)
        found = [ns.autograd.forward_ad.unpack_dual(o).tangent for o in outs]
        return [np.zeros(o.shape) if t is None else opinfo.numbers(t) for o, t in zip(outs, found, strict=True)]


def check_tangents(name, limit):
    op = opinfo.OPS[name]
    function, found = opinfo.ours(op, op.op), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for s in opinfo.samples(op, torch.float64, limit, True):
            post = s.output_process_fn_grad or (lambda out: out)
            given, mine = opinfo.copied((s.input, s.args, s.kwargs)), opinfo.converted((s.input, s.args, s.kwargs))
            theirs, error = opinfo.attempt(tangents, torch, op, op.op, given, post)
            if error is None:
                found += 1
                for a, b in zip(tangents(minitorch, op, function, mine, post), theirs, strict=True):
                    np.testing.assert_allclose(a, b, 1e-5, 1e-7)
    assert found


@pytest.mark.parametrize("name", NAMES[::6])  # the slow run takes all
def test_tangent_is_torchs(name):
    check_tangents(name, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_tangents_of_all_samples_are_torchs(name):
    check_tangents(name, 60)


def test_tangent_of_cholesky_inverse_is_right_where_torchs_is_not():
    rng = np.random.default_rng(0)
    L, v = (np.tril(rng.normal(size=(4, 4))) + 3 * np.eye(4) for _ in range(2))
    inverse = np.linalg.inv(L @ L.T)
    expected = -inverse @ (v @ L.T + L @ v.T) @ inverse

    def tangent(ns):
        with ns.autograd.forward_ad.dual_level():
            x = ns.autograd.forward_ad.make_dual(ns.from_numpy(L.copy()), ns.from_numpy(v.copy()))
            return ns.autograd.forward_ad.unpack_dual(ns.cholesky_inverse(x)).tangent.numpy()

    np.testing.assert_allclose(tangent(minitorch), expected, 1e-12, 1e-12)
    assert np.abs(tangent(torch) - expected).max() > 0.01


def test_list_of_linear_ops_names_arguments_that_exist():
    for name, groups in tangent_rules.LINEAR.items():
        assert set(groups.replace("+", " ").split()) <= set(OPS[name].tensors), name


LINEAR_CALLS = {
    "sum": lambda ns, x: x.sum(0),
    "mean": lambda ns, x: x.mean(1),
    "mm": lambda ns, x: x @ (x * 2),
    "bmm": lambda ns, x: ns.bmm(x[None], x[None]),
    "cumsum": lambda ns, x: x.cumsum(0),
    "linear_2d": lambda ns, x: ns.nn.functional.linear(x, x * 3, x[0]),
    "convolution_forward": lambda ns, x: ns.nn.functional.conv1d(x[None], x[None], x[0, :1]),
    "gather": lambda ns, x: x.gather(0, ns.tensor([[0, 1, 0], [2, 2, 1]])),
    "index_put_into": lambda ns, x: x.index_put((ns.tensor([0, 2]),), x[1]),
    "masked_fill_into": lambda ns, x: x.t().masked_fill(ns.eye(3).bool(), x[0, 0]),
    "masked_filled": lambda ns, x: x.masked_fill(ns.eye(3).bool(), x[0, 0]),
    "choose": lambda ns, x: ns.where(ns.eye(3).bool(), x * 2, x),
    "index_add_into": lambda ns, x: x.index_add(0, ns.tensor([1, 1]), x[:2] * 2),
}


@pytest.mark.parametrize("name", LINEAR_CALLS)
def test_linear_rule_equals_two_reverse_passes(name, monkeypatch):
    x, v = minitorch.randn(3, 3, dtype=minitorch.float64), minitorch.randn(3, 3, dtype=minitorch.float64)

    def run():
        return minitorch.func.jvp(lambda x: LINEAR_CALLS[name](minitorch, x), (x,), (v,))[1].numpy()

    assert name in tangent_rules.LINEAR
    by_rule = run()
    monkeypatch.delitem(tangent_rules.LINEAR, name)
    np.testing.assert_allclose(by_rule, run(), 1e-12)


def write_through_view(ns, x, y):
    x = x * 1
    x[1].mul_(y[0])
    x[:, 0] = y[:, 1]
    return x * y


def view_made_before_the_write(ns, x, y):
    base = ns.zeros(3, 3, dtype=ns.float64)
    column = base[:, 1]
    base.add_(x)
    return column * 2


def write_into_plain_base(ns, x, y):
    base = ns.zeros(3, 3, dtype=ns.float64)
    base[1:].copy_(x[1:])
    base.t()[0].add_(y[0])
    return base.sin()


def overwritten(ns, x, y):
    a = x * y
    a.zero_()
    a[0].fill_(2.0)
    return a + y


def chain_of_views(ns, x, y):
    a = (x * y).view(9)[2:8].view(2, 3).t().unsqueeze(0).expand(2, 3, 2)
    return a.diagonal(0, 1, 2) * 3


def parts(ns, x, y):
    a, b = x.split([1, 2])
    p, *_, q = y.unbind(1)
    return ns.cat([a, b * q[1:, None], p[None]])


def old_value_is_kept(ns, x, y):
    a = x.clone()
    b = a * y
    a.exp_()
    return a * b.sigmoid_()


def scattered(ns, x, y):
    a = x.clone()
    a.index_add_(0, ns.tensor([0, 0]), y[:2])
    a.masked_fill_(ns.eye(3).bool(), 0.5)
    a.scatter_(1, ns.tensor([[2], [1], [0]]), y)
    return a.clamp_(-1, 1)


PROGRAMS = [
    write_through_view, view_made_before_the_write, write_into_plain_base, overwritten, chain_of_views, parts,
    old_value_is_kept, scattered,
]  # fmt: skip


def run_program(ns, program, recorded=True):
    rng = np.random.default_rng(1)
    values = [ns.from_numpy(rng.standard_normal((3, 3))) for _ in range(4)]
    with ns.set_grad_enabled(recorded), ns.autograd.forward_ad.dual_level():
        x, y = (ns.autograd.forward_ad.make_dual(p, t.clone()) for p, t in zip(values[:2], values[2:], strict=True))
        primal, tangent = ns.autograd.forward_ad.unpack_dual(program(ns, x, y))
        return primal.numpy(), tangent.numpy()


@pytest.mark.parametrize("recorded", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_tangents_follow_views_and_writes(program, recorded):
    for mine, theirs in zip(
        run_program(minitorch, program, recorded), run_program(torch, program, recorded), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, 1e-12)


@BOTH
def test_tangent_can_be_differentiated(ns):
    x = ns.tensor([1.0, 2.0], requires_grad=True)
    v = ns.tensor([3.0, 4.0], requires_grad=True)
    with ns.autograd.forward_ad.dual_level():
        out = ns.autograd.forward_ad.make_dual(x, v).pow(3).sum()
        tangent = ns.autograd.forward_ad.unpack_dual(out).tangent
    dx, dv = ns.autograd.grad(tangent, (x, v))
    assert dx.tolist() == [18.0, 48.0] and dv.tolist() == [3.0, 12.0]


@BOTH
def test_gradient_taken_within_a_level_has_a_tangent(ns):
    x = ns.tensor([1.0, 2.0], requires_grad=True)
    with ns.autograd.forward_ad.dual_level():
        dual_x = ns.autograd.forward_ad.make_dual(x, ns.tensor([1.0, 10.0]))
        (g,) = ns.autograd.grad((dual_x.exp() * dual_x).sum(), x)
        tangent = ns.autograd.forward_ad.unpack_dual(g).tangent
    expected = np.exp([1.0, 2.0]) * [3.0, 40.0]
    np.testing.assert_allclose(tangent.numpy(), expected, 1e-6)


@BOTH
def test_what_has_no_tangent(ns):
    fw = ns.autograd.forward_ad
    x = ns.tensor([1.0, -2.0])
    with fw.dual_level():
        d = fw.make_dual(x, ns.ones(2))
        assert fw.unpack_dual(x).tangent is None
        assert fw.unpack_dual(d > 0).tangent is None
        assert fw.unpack_dual(d.detach()).tangent is None
        assert fw.unpack_dual(d.argmax()).tangent is None
        assert fw.unpack_dual(d.floor()).tangent.tolist() == [0.0, 0.0]
        with fw._set_fwd_grad_enabled(False):
            assert fw.unpack_dual(d * 2).tangent is None
        assert fw.unpack_dual(d * 2).tangent.tolist() == [2.0, 2.0]
    assert fw.unpack_dual(d).tangent is None
    with fw.dual_level():
        assert fw.unpack_dual(d).tangent is None


@BOTH
def test_tangent_is_kept_as_given_and_written_through(ns):
    fw = ns.autograd.forward_ad
    v = ns.ones(2)
    with fw.dual_level():
        d = fw.make_dual(ns.tensor([1.0, 2.0]), v)
        assert fw.unpack_dual(d).tangent is v
        d.mul_(3)
    assert v.tolist() == [3.0, 3.0]


ERRORS = [
    lambda ns, fw, x: fw.make_dual(x, x),
    lambda ns, fw, x: fw.exit_dual_level(),
    lambda ns, fw, x: within(fw, lambda: fw.enter_dual_level()),
    lambda ns, fw, x: within(fw, lambda: fw.exit_dual_level(level=3)),
    lambda ns, fw, x: within(fw, lambda: fw.make_dual(x, ns.ones(3))),
    lambda ns, fw, x: within(fw, lambda: fw.make_dual(ns.arange(2), x)),
    lambda ns, fw, x: within(fw, lambda: fw.make_dual(x, ns.arange(2))),
    lambda ns, fw, x: within(fw, lambda: fw.make_dual(fw.make_dual(x, x), x)),
    lambda ns, fw, x: within(fw, lambda: ns.add(fw.make_dual(x, x), 1, out=ns.ones(2))),
]


def within(fw, function):
    with fw.dual_level():
        return function()


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_are_torchs(wrong):
    raised = []
    for ns in (torch, minitorch):
        with pytest.raises(Exception) as e:
            wrong(ns, ns.autograd.forward_ad, ns.ones(2))
        raised.append((e.type.__name__, str(e.value).split("\n")[0]))
    assert raised[0] == raised[1]


def square(ns):
    class Square(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return x * x, x > 0

        @staticmethod
        def jvp(ctx, v):
            (x,) = ctx.saved_tensors
            return 2 * x * v, None

    return Square


@BOTH
def test_function_is_differentiated_by_its_jvp(ns):
    fw = ns.autograd.forward_ad
    with fw.dual_level():
        out, positive = square(ns).apply(fw.make_dual(ns.tensor([3.0]), ns.tensor([2.0])))
        assert fw.unpack_dual(out).tangent.tolist() == [12.0]
        assert fw.unpack_dual(positive).tangent is None


@BOTH
def test_dual_level_is_a_decorator_and_leaves_no_level_after_an_error(ns):
    fw = ns.autograd.forward_ad

    @fw.dual_level()
    def derivative(x):
        return fw.unpack_dual(fw.make_dual(x, ns.ones(())) ** 2).tangent

    assert derivative(ns.tensor(3.0)).item() == 6.0
    with pytest.raises(KeyError), fw.dual_level():
        raise KeyError
    with fw.dual_level() as level:
        assert level == 0


def test_values_of_duals_can_be_read():
    with minitorch.autograd.forward_ad.dual_level():
        d = minitorch.autograd.forward_ad.make_dual(minitorch.tensor([3.0]), minitorch.tensor([1.0]))
        assert d.item() == 3.0 and d.tolist() == [3.0] and bool(d > 2) and d.numpy()[0] == 3.0


DUALS = {
    "vector": lambda ns: (ns.ones(2), ns.ones(2)),
    "number": lambda ns: (ns.tensor(3.0), ns.tensor(1 / 3)),
    "float64": lambda ns: (ns.ones(2, dtype=ns.float64), ns.ones(2, dtype=ns.float64)),
    "matrix": lambda ns: (ns.ones(2, 2), ns.arange(4.0).view(2, 2)),
    "many": lambda ns: (ns.ones(40), ns.arange(40.0) / 3),
    "recorded": lambda ns: (ns.ones(2, requires_grad=True), ns.ones(2)),
    "recorded tangent": lambda ns: (ns.ones(2), ns.ones(2, requires_grad=True)),
}


@pytest.mark.parametrize("name", DUALS)
def test_a_dual_tensor_is_printed_with_its_tangent(name):
    def printed(ns):
        with ns.autograd.forward_ad.dual_level():
            dual = ns.autograd.forward_ad.make_dual(*DUALS[name](ns))
            return repr(dual), repr(dual.detach() * 2)

    assert printed(minitorch) == printed(torch)
