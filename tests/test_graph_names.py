"""The graph that grad_fn and next_functions show has torch's names and edges."""

import numpy as np
import pytest
import torch

import minitorch

F = "nn.functional."


def names(*words):
    return " ".join(words).split()


# methods of x without arguments
UNARY = names(
    "abs acos acosh asin asinh atan atanh ceil cos cosh digamma erf erfc erfinv exp exp2 expm1 floor frac lgamma log",
    "log10 log1p log2 logit neg reciprocal relu round rsqrt sigmoid sign sin sinc sinh sqrt square tan tanh trunc i0",
    "sum mean prod var amax amin max min median norm flatten t clone tril triu diagonal squeeze pinverse sort",
    "unbind nansum nanmedian nanmean mode ravel rad2deg nan_to_num angle",
)
# functions of x and a dimension
ALONG = names(
    "sum mean prod var amax amin max min median nanmedian logsumexp cumsum cumprod logcumsumexp cummax cummin",
    "unsqueeze squeeze softmax log_softmax sort topk kthvalue mode unbind nanmean",
)
# of x and y
BINARY = names(
    "add sub mul div atan2 pow maximum minimum hypot logaddexp logaddexp2 fmax fmin xlogy max nextafter hstack:list",
    "vstack:list cat:list stack:list dstack:list column_stack:list",
)
FUNCTIONAL = names(
    "relu relu6 gelu silu mish elu selu celu leaky_relu hardtanh hardsigmoid hardswish softplus softshrink",
    "tanhshrink logsigmoid hardshrink",
)
LOSSES = names(
    "mse_loss:mean mse_loss:none l1_loss:none smooth_l1_loss:mean smooth_l1_loss:none kl_div:mean",
    "poisson_nll_loss:none huber_loss:mean huber_loss:sum huber_loss:none",
    "binary_cross_entropy:mean binary_cross_entropy:sum binary_cross_entropy:none",
)

EXPRESSIONS = {
    "x + 1": lambda ns, x, y: x + 1,
    "1 + x": lambda ns, x, y: 1 + x,
    "1 - x": lambda ns, x, y: 1 - x,
    "x * 2": lambda ns, x, y: x * 2,
    "x / 2": lambda ns, x, y: x / 2,
    "2 / x": lambda ns, x, y: 2 / x,
    "x ** 2": lambda ns, x, y: x**2,
    "x ** 0.5": lambda ns, x, y: x**0.5,
    "x ** y": lambda ns, x, y: x**y,
    "2 ** x": lambda ns, x, y: 2**x,
    "-x": lambda ns, x, y: -x,
    "x @ y.t()": lambda ns, x, y: x @ y.t(),
    "x @ vector": lambda ns, x, y: x @ y[0],
    "integer": lambda ns, x, y: x[0],
    "column": lambda ns, x, y: x[:, 1],
    "slice": lambda ns, x, y: x[1:],
    "new dimension": lambda ns, x, y: x[None],
    "rows": lambda ns, x, y: x[ns.tensor([0, 2])],
    "mask": lambda ns, x, y: x[x > 0.5],
    "view": lambda ns, x, y: x.view(4, 3),
    "reshape of a view": lambda ns, x, y: x.t().reshape(12),
    "transpose": lambda ns, x, y: x.transpose(0, 1),
    "permute": lambda ns, x, y: x.permute(1, 0),
    "expand": lambda ns, x, y: x.expand(2, 3, 4),
    "repeat": lambda ns, x, y: x.repeat(2, 1),
    "narrow": lambda ns, x, y: x.narrow(0, 0, 2),
    "split": lambda ns, x, y: x.split(1)[1],
    "chunk": lambda ns, x, y: x.chunk(2)[1],
    "unfold": lambda ns, x, y: x.unfold(0, 2, 1),
    "as_strided": lambda ns, x, y: x.as_strided((2, 2), (1, 2)),
    "flip": lambda ns, x, y: x.flip(0),
    "roll": lambda ns, x, y: x.roll(1, 0),
    "squeeze of two": lambda ns, x, y: x[None].squeeze((0, 1)),
    "gather": lambda ns, x, y: x.gather(0, ns.tensor([[0, 1, 2, 0]])),
    "index_select": lambda ns, x, y: x.index_select(0, ns.tensor([0, 1])),
    "where": lambda ns, x, y: ns.where(x > 0.5, x, y),
    "addcmul": lambda ns, x, y: ns.addcmul(x, x, y),
    "addmm": lambda ns, x, y: ns.addmm(x @ x.t(), x, y.t()),
    "bmm": lambda ns, x, y: ns.bmm(x[None], y.t()[None]),
    "vector norm": lambda ns, x, y: ns.linalg.vector_norm(x),
    "trace": lambda ns, x, y: x[:, :3].trace(),
    "inverse": lambda ns, x, y: ns.linalg.inv(x[:, :3] + ns.eye(3, dtype=ns.float64)),
    "determinant": lambda ns, x, y: ns.linalg.det(x[:, :3]),
    "solve": lambda ns, x, y: ns.linalg.solve(x[:, :3] + ns.eye(3, dtype=ns.float64), y),
    "layer_norm": lambda ns, x, y: ns.nn.functional.layer_norm(x, (4,), y[0], y[1]),
    "batch_norm": lambda ns, x, y: ns.nn.functional.batch_norm(x, None, None, training=True),
    "embedding": lambda ns, x, y: ns.nn.functional.embedding(ns.tensor([0, 1]), x),
    "dropout": lambda ns, x, y: ns.nn.functional.dropout(x, 0.5),
    "pad": lambda ns, x, y: ns.nn.functional.pad(x, (1, 1)),
    "max_pool1d": lambda ns, x, y: ns.nn.functional.max_pool1d(x, 2),
    "conv2d": lambda ns, x, y: ns.nn.functional.conv2d(x.view(1, 1, 3, 4), y.view(1, 1, 3, 4)),
    "interpolate": lambda ns, x, y: ns.nn.functional.interpolate(x[None], scale_factor=2),
    "linear": lambda ns, x, y: ns.nn.functional.linear(x.exp(), y, y[:, 0]),
    "linear of a constant": lambda ns, x, y: ns.nn.functional.linear(x.detach(), y, y[:, 0]),
    "linear of a frozen weight": lambda ns, x, y: ns.nn.functional.linear(x, y.detach(), y[:, 0]),
    "linear of three dimensions": lambda ns, x, y: ns.nn.functional.linear(x[None], y, y.sum(1)),
    "linear of three dimensions without bias": lambda ns, x, y: ns.nn.functional.linear(x[None], y),
    **{f"dist {p}": lambda ns, x, y, p=p: ns.dist(x, y, p) for p in (0.0, 1, 2, 3.5, float("inf"))},
    "linear without bias": lambda ns, x, y: ns.nn.functional.linear(x, y),
    "cross_entropy": lambda ns, x, y: ns.nn.functional.cross_entropy(x, ns.tensor([0, 1, 2])),
    "cross_entropy of rows": lambda ns, x, y: ns.nn.functional.cross_entropy(
        x.exp(), ns.tensor([0, 1, 2]), reduction="none"
    ),
    "cross_entropy of pictures": lambda ns, x, y: ns.nn.functional.cross_entropy(
        x.view(1, 3, 2, 2), ns.ones(1, 2, 2, dtype=ns.int64)
    ),
    **{
        f"cross_entropy of probabilities, {how}": lambda ns, x, y, how=how: ns.nn.functional.cross_entropy(
            x, y.detach(), reduction=how
        )
        for how in ("none", "mean", "sum")
    },
    "nll_loss": lambda ns, x, y: ns.nn.functional.nll_loss(x, ns.tensor([0, 1, 2])),
    "nll_loss of pictures": lambda ns, x, y: ns.nn.functional.nll_loss(
        x.view(1, 3, 2, 2), ns.ones(1, 2, 2, dtype=ns.int64)
    ),
    "to": lambda ns, x, y: x.to(ns.float32).double(),
    "add_": lambda ns, x, y: x.clone().add_(y),
    "relu_": lambda ns, x, y: x.clone().relu_(),
    "zero_": lambda ns, x, y: x.clone().zero_(),
    "write to a view": lambda ns, x, y: x.clone()[0].mul_(2),
    "assignment": lambda ns, x, y: assigned(x.clone(), 0, y[1]),
    "assignment to rows": lambda ns, x, y: assigned(x.clone(), ns.tensor([0, 1]), y[:2]),
}


def assigned(x, index, value):
    x[index] = value
    return x


def cases():
    for n in UNARY:
        yield n, lambda ns, x, y, n=n: getattr(x, n)()
    for n in ALONG:
        yield f"{n} along 1", lambda ns, x, y, n=n: getattr(ns, n)(x, *([2, 1] if n in ("topk", "kthvalue") else [1]))
    for word in BINARY:
        n, _, form = word.partition(":")
        yield n + " of two", lambda ns, x, y, n=n, form=form: getattr(ns, n)(*([[x, y]] if form else [x, y]))
    for n in FUNCTIONAL:
        yield F + n, lambda ns, x, y, n=n: getattr(ns.nn.functional, n)(x)
    for word in LOSSES:
        n, _, how = word.partition(":")
        yield word, lambda ns, x, y, n=n, how=how: getattr(ns.nn.functional, n)(x, y.detach(), reduction=how)
    yield from EXPRESSIONS.items()


CASES = dict(cases())


def graph(node):
    """(name, edges) of a node, the nodes of its edges in the same form."""
    if node is None:
        return None
    assert type(node).__name__ == node.name().rpartition("::")[2]
    return node.name(), [(graph(n), i) for n, i in node.next_functions]


def graph_of(ns, case):
    values = np.linspace(0.1, 0.9, 12).reshape(3, 4)
    x = ns.tensor(values.tolist(), dtype=ns.float64, requires_grad=True)
    y = ns.tensor((values**2).tolist(), dtype=ns.float64, requires_grad=True)
    made = CASES[case](ns, x, y)
    return graph((made[0] if isinstance(made, (tuple, list)) else made).grad_fn)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_graph_has_torchs_names_and_edges(case):
    theirs = graph_of(torch, case)
    assert theirs is not None
    assert graph_of(minitorch, case) == theirs


def test_softsign_is_one_node_with_the_last_ones_name():
    x = minitorch.ones(2, requires_grad=True)
    node = minitorch.nn.functional.softsign(x).grad_fn
    assert node.name() == "DivBackward0"
    assert [f.name() for f, _ in node.next_functions] == ["torch::autograd::AccumulateGrad"]


def test_a_part_of_a_node_is_the_same_whenever_asked_and_takes_no_hooks():
    weight = minitorch.ones(2, 2, requires_grad=True)
    node = minitorch.nn.functional.linear(weight.detach(), weight, weight[0]).grad_fn
    part = node.next_functions[2][0]
    assert part is node.next_functions[2][0]
    assert part.next_functions[0][0].variable is weight
    for action in (part.register_hook, part.register_prehook, part):
        with pytest.raises(NotImplementedError, match="TBackward0 is computed within AddmmBackward0"):
            action(lambda *grads: None)


def test_hooks_of_a_linear_node_get_gradients_in_torchs_order():
    def shapes(ns):
        x, w, b = (ns.ones(*s, requires_grad=True) for s in [(5, 3), (2, 3), (2,)])
        out, seen = ns.nn.functional.linear(x, w, b), []
        out.grad_fn.register_hook(lambda into, outof: seen.extend(tuple(g.shape) for g in into[:2]))
        out.sum().backward()
        return seen

    assert shapes(minitorch) == shapes(torch)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_have_torchs_name(reduction):
    def shown(ns):
        F, x = ns.nn.functional, ns.full((3, 3), 0.5, requires_grad=True)
        classes, signs = ns.tensor([0, 2, 1]), ns.tensor([[1.0, -1.0, 1.0]] * 3)
        losses = [
            F.soft_margin_loss(x, signs, reduction=reduction),
            F.multi_margin_loss(x, classes, reduction=reduction),
            F.multilabel_margin_loss(x, ns.tensor([[0, 1, -1]] * 3), reduction=reduction),
            F.binary_cross_entropy(x, x.detach(), x.detach(), reduction=reduction),
        ]
        return [loss.grad_fn.name() for loss in losses]

    assert shown(minitorch) == shown(torch)


def test_the_table_is_long_enough():
    assert len(CASES) >= 150


def test_repr_of_a_node_and_of_a_tensor_show_the_overload():
    x = minitorch.ones(2, 2, requires_grad=True)
    assert repr(x.sum(0).grad_fn).startswith("<SumBackward1 object at 0x")
    assert "grad_fn=<SumBackward1>" in repr(x.sum(0))
    assert "grad_fn=<RsubBackward1>" in repr(1 - x)


@pytest.mark.parametrize("order", [((0.0, 2.0), (None, 2.0)), ((None, 2.0), (0.0, 2.0))])
def test_edges_shown_do_not_depend_on_the_calls_before(order):
    def run(ns):
        x = ns.ones(2, requires_grad=True) * 2
        return [[type(f).__name__ for f, _ in ns.clamp(x, *bounds).grad_fn.next_functions if f] for bounds in order]

    assert run(minitorch) == run(torch)


# of composites, whose inner nodes torch does not have
LAST = {
    "pairwise_distance": lambda ns, f, x, y: f.pairwise_distance(x, y),
    "cdist": lambda ns, f, x, y: ns.cdist(x, y),
    "pdist": lambda ns, f, x, y: f.pdist(x),
    "glu": lambda ns, f, x, y: f.glu(x),
    "rrelu": lambda ns, f, x, y: f.rrelu(x),
    "rrelu in training": lambda ns, f, x, y: f.rrelu(x, training=True),
    "cross": lambda ns, f, x, y: ns.cross(x[:, :3], y[:, :3], dim=1),
    "renorm": lambda ns, f, x, y: x.renorm(2, 0, 0.5),
    **{f"rot90 {k}": lambda ns, f, x, y, k=k: x.rot90(k) for k in range(4)},
    **{
        f"{mode} {n}": lambda ns, f, x, y, n=n, mode=mode: f.pad(
            x.view(1, 1, *[1] * (n - 1), 12), (2, 1) + (0, 0) * (n - 1), mode
        )
        for mode in ("reflect", "replicate")
        for n in (1, 2, 3)
    },
    "cropped and reflected": lambda ns, f, x, y: f.pad(x[None], (-1, 1), "reflect"),
    "pixel_shuffle": lambda ns, f, x, y: f.pixel_shuffle(x.view(1, 4, 1, 3), 2),
    "pixel_unshuffle": lambda ns, f, x, y: f.pixel_unshuffle(x.view(1, 1, 2, 6), 2),
    "channel_shuffle": lambda ns, f, x, y: f.channel_shuffle(x.view(1, 4, 3, 1), 2),
    "affine_grid": lambda ns, f, x, y: f.affine_grid(x.reshape(2, 2, 3), (2, 1, 4, 5), align_corners=False),
    **{
        f"embedding_bag {mode}": lambda ns, f, x, y, mode=mode: f.embedding_bag(ns.tensor([[0, 1]]), x, mode=mode)
        for mode in ("sum", "mean", "max")
    },
    "attention": lambda ns, f, x, y: f.scaled_dot_product_attention(*[x.view(1, 1, 3, 4)] * 3),
    "max_pool1d": lambda ns, f, x, y: f.max_pool1d(x[None], 2),
    "avg_pool1d": lambda ns, f, x, y: f.avg_pool1d(x[None], 2),
    "adaptive_avg_pool1d": lambda ns, f, x, y: f.adaptive_avg_pool1d(x[None], 2),
}


@pytest.mark.parametrize("case", LAST)
def test_last_node_of_a_composite_has_torchs_name(case):
    def name(ns):
        x, y = [ns.arange(1.0, 13.0).reshape(3, 4).div(k).requires_grad_() for k in (13, 7)]
        return LAST[case](ns, ns.nn.functional, x, y).grad_fn.name()

    assert name(minitorch) == name(torch)


@pytest.mark.parametrize("case", LAST)
def test_edges_shown_are_not_those_that_gradients_take(case):
    x, y = [minitorch.arange(1.0, 13.0).reshape(3, 4).div(k).requires_grad_() for k in (13, 7)]
    minitorch.manual_seed(0)
    out = LAST[case](minitorch, minitorch.nn.functional, x, y)
    found = minitorch.autograd.grad(out.sum(), (x, y), retain_graph=True, allow_unused=True)
    for tensor in (x, y):
        tensor.retain_grad()
    out.sum().backward()
    for gradient, tensor in zip(found, (x, y), strict=True):
        assert (gradient is None) == (tensor.grad is None)
        assert gradient is None or gradient.tolist() == tensor.grad.tolist()
