"""What torch warns of: the same class and words, at the line of the program, and as often."""

import warnings

import numpy as np
import pytest
import torch
from compare import first_line

import minitorch
from minitorch.autograd import _warnings


@pytest.fixture(autouse=True)
def _as_in_a_new_program(monkeypatch):
    monkeypatch.setattr(_warnings, "_given", set())
    torch.set_warn_always(True)  # torch cannot forget what it warned of
    yield
    torch.set_warn_always(False)


def read_only():
    a = np.ones(2)
    a.flags.writeable = False
    return a


WARNED = """
ns.ones(1).new_tensor(ns.ones(2))
ns.tensor([np.ones(2), np.ones(2)])
ns.as_tensor((np.ones(2),))
ns.from_numpy(read_only())
float(ns.ones(1, requires_grad=True))
complex(ns.ones((), requires_grad=True) * 2)
ns.tensor([ns.ones((), requires_grad=True)])
ns.cross(ns.ones(3), ns.ones(3))
ns.searchsorted(ns.arange(4.0).view(2, 2).t(), ns.ones(2, 1))
ns.searchsorted(ns.arange(4.0), ns.ones(4)[::2])
ns.bucketize(ns.ones(2), ns.arange(4.0)[::2])
ns.ones(1, requires_grad=True).sum().backward(create_graph=True)
ns.ones(2).resize(1, 2)
ns.ones(2).resize_as(ns.ones(1, 2))
ns.autograd.Variable(ns.ones(1), volatile=True)
ns.nn.Conv1d(1, 2, 2, padding="same")(ns.ones(1, 1, 3))
ns.nn.NLLLoss2d()
ns.nn.Hardtanh(min_value=0)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 1), 1)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 1, batch_first=True), 1)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 2, batch_first=True, bias=False), 1)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 2, batch_first=True, activation=ns.tanh), 1)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 2, norm_first=True), 1)
ns.nn.TransformerEncoder(ns.nn.Linear(4, 2), 1)
ns.nn.Transformer(4, 2, 1, 1, 4)
ns.meshgrid(ns.ones(2), ns.ones(2))
ns.ones(2, 3, 4).T
ns.nn.functional.mse_loss(ns.ones(2, 1), ns.ones(2))
ns.nn.functional.softmax(ns.ones(2))
ns.nn.LSTM(1, 1, dropout=0.5)
ns.nn.functional.kl_div(ns.ones(2), ns.ones(2))
ns.ones(2)[ns.tensor([1, 0]).byte()]
"""
SILENT = """
ns.ones(1, requires_grad=True).item()
int(ns.ones(1, requires_grad=True))
float(ns.ones(1))
ns.no_grad()(lambda: float(ns.ones(1, requires_grad=True)))()
ns.tensor([np.float64(1)])
ns.cross(ns.ones(3), ns.ones(3), dim=0)
ns.linalg.cross(ns.ones(3), ns.ones(3))
(lambda x: ns.autograd.grad(x.sum(), x, create_graph=True))(ns.ones(1, requires_grad=True))
ns.nn.Conv1d(1, 2, 2, dilation=2, padding="same")(ns.ones(1, 1, 3))
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 2, batch_first=True), 1)
ns.nn.TransformerEncoder(ns.nn.TransformerEncoderLayer(4, 2), 1, enable_nested_tensor=False)
ns.meshgrid(ns.ones(2), ns.ones(2), indexing="ij")
"""


def given(ns, expression):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        eval(expression, {"ns": ns, "np": np, "read_only": read_only})
    return [(w.category, first_line(w.message)) for w in caught]


@pytest.mark.parametrize("expression", WARNED.strip().splitlines())
def test_what_torch_warns_of_is_warned_of_in_its_words(expression):
    ours, theirs = given(minitorch, expression), given(torch, expression)
    assert theirs and ours == theirs


@pytest.mark.parametrize("expression", SILENT.strip().splitlines())
def test_what_torch_says_nothing_about_is_no_warning(expression):
    assert given(minitorch, expression) == given(torch, expression) == []


def test_a_warning_names_the_line_of_the_program_and_is_given_once():
    x = minitorch.ones((), requires_grad=True)
    net = minitorch.nn.Conv1d(1, 2, 2, padding="same")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            float(x)
            net(minitorch.ones(1, 1, 3))
    assert [w.filename for w in caught] == [__file__, __file__]
    with pytest.warns(UserWarning, match="to a scalar may lead to unexpected behavior"):
        minitorch.set_warn_always(True)
        try:
            float(x)
        finally:
            minitorch.set_warn_always(False)
