"""What `grad_fn` shows of what it keeps: torch's names, and its values."""

import pytest
import torch
from compare import assert_same
from torch import Tensor

import minitorch

# each with what torch keeps besides and no gradient of ours needs
NODES = {
    "add": (lambda t, a, b, m, v: t.add(a, b, alpha=2), ()),
    "mul": (lambda t, a, b, m, v: a * b, ()),
    "mul by a constant": (lambda t, a, b, m, v: a * b.detach(), ()),
    "div": (lambda t, a, b, m, v: a / b, ()),
    "pow 2": (lambda t, a, b, m, v: a**2, ()),
    "pow 3": (lambda t, a, b, m, v: a**3, ()),
    "pow 2.5": (lambda t, a, b, m, v: a**2.5, ()),
    "pow of tensors": (lambda t, a, b, m, v: a**b, ()),
    "exp": (lambda t, a, b, m, v: a.exp(), ()),
    "tanh": (lambda t, a, b, m, v: a.tanh(), ()),
    "gelu": (lambda t, a, b, m, v: t.nn.functional.gelu(a), ()),
    "gelu by tanh": (lambda t, a, b, m, v: t.nn.functional.gelu(a, approximate="tanh"), ()),
    "leaky_relu": (lambda t, a, b, m, v: t.nn.functional.leaky_relu(a, 0.2), ()),
    "clamp": (lambda t, a, b, m, v: a.clamp(0.2, 0.8), ()),
    "clamp from below": (lambda t, a, b, m, v: a.clamp(min=0.2), ()),
    "bmm": (lambda t, a, b, m, v: t.bmm(a[None], m[None]), ()),
    "mv": (lambda t, a, b, m, v: t.mv(a, v), ()),
    "addmm": (lambda t, a, b, m, v: t.addmm(a.sum(), a, m, beta=2, alpha=3), "sizes"),
    "linear": (lambda t, a, b, m, v: t.nn.functional.linear(a, m.t(), m[0]), "sizes"),
    "sum of a dimension": (lambda t, a, b, m, v: a.sum(1), ()),
    "mean of dimensions": (lambda t, a, b, m, v: a.mean((0, 1)), ()),
    "amax": (lambda t, a, b, m, v: a.amax(1), ()),
    "logsumexp": (lambda t, a, b, m, v: a.logsumexp(1), ()),
    "softmax": (lambda t, a, b, m, v: a.softmax(1), ()),
    "mse": (lambda t, a, b, m, v: t.nn.functional.mse_loss(a, b), ()),
    "where": (lambda t, a, b, m, v: t.where(a > 0.5, a, b), ("condition",)),
    "cat": (lambda t, a, b, m, v: t.cat([a, b], 1), ()),
    "stack": (lambda t, a, b, m, v: t.stack([a, b], 2), ()),
    "unbind": (lambda t, a, b, m, v: a.unbind(1)[0], ()),
    "split": (lambda t, a, b, m, v: a.split(2, 1)[0], ()),
    "split in sizes": (lambda t, a, b, m, v: a.split([1, 3], 1)[0], ()),
    "view": (lambda t, a, b, m, v: a.view(4, 3), ()),
    "transpose": (lambda t, a, b, m, v: a.transpose(0, 1), ()),
    "expand": (lambda t, a, b, m, v: v.expand(3, 4), ()),
    "squeeze": (lambda t, a, b, m, v: a[None].squeeze(0), ()),
    "select": (lambda t, a, b, m, v: a[:, 1], ()),
    "select from the end": (lambda t, a, b, m, v: a[..., 2], ()),
    "slice": (lambda t, a, b, m, v: a[:, 1:3], ()),
    "slice with a step": (lambda t, a, b, m, v: a[1::2], ()),
    "narrow": (lambda t, a, b, m, v: a.narrow(0, 1, 2), ()),
    "index_select": (lambda t, a, b, m, v: a.index_select(0, t.tensor([0, 2])), ()),
    "convolution": (
        lambda t, a, b, m, v: t.nn.functional.conv2d(a[None, None], m[None, None], padding=1),
        ("bias_sym_sizes_opt", "output_padding"),
    ),
    "pad": (lambda t, a, b, m, v: t.nn.functional.pad(a, (1, 2)), ()),
    "inv": (lambda t, a, b, m, v: t.linalg.inv(a @ a.t() + t.eye(3)), ()),
    "cholesky": (lambda t, a, b, m, v: t.linalg.cholesky(a @ a.t() + t.eye(3)), ("upper",)),
}


def test_a_number_is_all_that_a_product_with_it_keeps():
    for t in (minitorch, torch):
        node = (t.ones(2, requires_grad=True) * 3).grad_fn
        assert node._saved_self is None
        assert node._saved_other == 3


def test_what_one_gradient_needs_is_all_that_is_kept():
    for t in (minitorch, torch):
        x, layer = t.ones(3, 4), t.nn.Linear(4, 5)
        first = layer(x).grad_fn
        assert first._saved_mat1 is x
        assert first._saved_mat2 is None
        fixed = t.nn.Linear(4, 5).requires_grad_(False)
        last = fixed(layer.weight).grad_fn
        assert last._saved_mat1 is None
        assert last._saved_mat2.shape == (4, 5)


def saved(t, make, rng_values):
    a, b, m, v = [t.tensor(x).requires_grad_() for x in rng_values]
    node = make(t, a, b, m, v).grad_fn
    return {name[7:]: getattr(node, name) for name in dir(node) if name.startswith("_saved_")}


@pytest.mark.parametrize(("make", "besides"), NODES.values(), ids=NODES)
def test_nodes_show_what_they_keep_as_torch_does(make, besides, rng):
    values = [rng.random(shape, "float32") + 0.1 for shape in ((3, 4), (3, 4), (4, 5), (4,))]
    ours, theirs = (saved(t, make, values) for t in (minitorch, torch))
    missing = theirs.keys() - ours.keys()
    assert all("_sym_" in name if besides == "sizes" else name in besides for name in missing)
    assert ours.keys() <= theirs.keys()
    for name, value in ours.items():
        if isinstance(theirs[name], Tensor):
            assert_same(value, theirs[name])
        else:
            assert value == theirs[name], name
