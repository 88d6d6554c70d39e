"""Anomaly mode, and the lines of the user's program that errors name."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from compare import both, first_line

import minitorch
from minitorch.autograd import _lines
from minitorch.autograd._lines import of_node
from minitorch.autograd.node import next_key


@pytest.fixture(autouse=True)
def lines_are_looked_for():
    _lines.note_lines(of_all=True)
    yield
    _lines.note_lines(of_all=False)


def here():
    """The number of the line that calls this."""
    return inspect.currentframe().f_back.f_lineno


def place(line):
    return f"{__file__}:{line}, in "


# ---------------------------------------------------------------------- writes to saved tensors
def modified(build):
    """The lines of the error of a backward pass through build(x)."""
    x = minitorch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError) as error:
        build(x * 2).sum().backward()
    return str(error.value).split("\n")


def test_error_of_a_write_names_both_lines_and_the_remedy():
    def build(y):
        z = y.sigmoid() * y
        lines.append(here() - 1)
        y.add_(1)
        lines.append(here() - 1)
        return z

    lines = []
    first, who, saved, written, remedy = modified(build)
    assert first.startswith(
        "one of the variables needed for gradient computation has been modified by an inplace operation"
    )
    assert who == "mul saved 'other' for its gradient (MulBackward0), then add_ wrote to it."
    assert saved.strip().startswith("saved at " + place(lines[0]) + "build")
    assert saved.endswith("z = y.sigmoid() * y")
    assert written.strip().startswith("written at " + place(lines[1]) + "build")
    assert written.endswith("y.add_(1)")
    assert "x.clone()" in remedy


@pytest.mark.parametrize("write", ["zero_", "neg_", "relu_"])
def test_lines_are_those_of_the_function_that_calls_at_the_first_call_and_later(write):
    """The first call of an op goes through the function that writes the op's own."""

    def build(y):
        z = y.sigmoid() * y
        getattr(y, write)()
        return z

    for _ in range(3):
        assert any(line.strip().startswith("written at " + place(here() - 4) + "build") for line in modified(build))


def test_lines_are_the_users_where_minitorch_itself_calls_the_op():
    def build(y):
        z = minitorch.nn.functional.softmax(minitorch.nn.Tanh()(y), 0)
        lines.append(here() - 1)
        with minitorch.no_grad():
            minitorch.nn.init.zeros_(z)
            lines.append(here() - 1)
        return z

    lines = []
    _, _, saved, written, _ = modified(build)
    assert place(lines[0]) in saved
    assert place(lines[1]) in written


def test_lines_are_noted_of_a_programs_first_nodes_and_writes_and_of_all_in_anomaly_mode():
    def build(y):
        z = minitorch.nn.Tanh()(y)
        z.zero_()
        return z

    def noted():
        text, line = "\n".join(modified(build)), build.__code__.co_firstlineno + 1
        assert ("saved at " + place(line) in text) == ("saved at" in text)
        return "saved at" in text, "written at" in text, "zero_ wrote to it" in text

    assert noted() == (True, True, True)
    _lines.noted.key = next_key()
    assert noted() == (False, True, True)
    _lines.noted.version = 1
    assert noted() == (False, False, False)
    with warnings.catch_warnings(action="ignore"), minitorch.autograd.detect_anomaly():
        assert noted() == (True, True, True)


def test_a_write_whose_line_was_not_noted_is_not_taken_for_the_one_before():
    x = minitorch.ones(3, requires_grad=True)
    y = x * 2
    z = y.sigmoid() * y
    y.add_(1)
    _lines.noted.version = 0
    y.mul_(2)
    with pytest.raises(RuntimeError, match="then an in-place write wrote to it") as error:
        z.sum().backward()
    assert "written at" not in str(error.value)


def test_line_of_a_function_that_saved():
    class Square(minitorch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    def build(y):
        z = Square.apply(y)
        lines.append(here() - 1)
        y.zero_()
        return z

    lines = []
    _, who, saved, _, _ = modified(build)
    assert "SquareBackward" in who
    assert place(lines[0]) in saved


def test_a_node_costs_no_text_until_it_is_printed():
    node = (minitorch.ones(1, requires_grad=True) * 2).grad_fn
    assert node.code is inspect.currentframe().f_code
    assert isinstance(node.at, int)


# ---------------------------------------------------------------------- nan in backward
def root_of_zero(ns):
    x = ns.zeros(2, requires_grad=True)
    return (x * 0).sqrt().sum()


def log_of_negative(ns):
    return ns.tensor([-1.0], requires_grad=True).sqrt().log().sum()


def division_by_zero(ns):
    x = ns.zeros(1, requires_grad=True)
    return (x / x).sum()


def custom(ns):
    class Bad(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * float("nan")

    return Bad.apply(ns.ones(2, requires_grad=True)).sum()


def fine(ns):
    x = ns.ones(2, requires_grad=True)
    (x * x).exp().sum().backward()
    return x.sum()


@pytest.mark.parametrize("build", [root_of_zero, log_of_negative, division_by_zero, custom, fine])
@pytest.mark.parametrize("check_nan", [True, False])
def test_nan_in_backward_is_torchs_error(build, check_nan):
    def run(ns):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ns.autograd.set_detect_anomaly(True, check_nan):
                build(ns).backward()

    ours, theirs = both(run)
    assert (ours.error is None) == (theirs.error is None)
    if theirs.error is not None:
        assert type(ours.error) is type(theirs.error)
        assert first_line(ours.error) == first_line(theirs.error)


def test_nan_in_backward_shows_the_line_that_made_the_node():
    with minitorch.autograd.set_detect_anomaly(True):
        x = minitorch.zeros(2, requires_grad=True)
        y = x * 0
        z = y.sqrt()
        line = here() - 1
        w = z.sum() * 0
        with (
            pytest.warns(UserWarning, match="Error detected in SqrtBackward0") as seen,
            pytest.raises(
                RuntimeError, match="Function 'SqrtBackward0' returned nan values in its 0th output"
            ) as error,
        ):
            w.backward()
    assert place(line) in str(seen[0].message)
    assert place(line) in str(error.value)


def test_error_in_backward_shows_the_line_that_made_the_node():
    class Bad(minitorch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("mine")

    y = Bad.apply(minitorch.ones(1, requires_grad=True))
    line = here() - 1
    with (
        minitorch.autograd.set_detect_anomaly(True),
        pytest.warns(UserWarning, match="Error detected in BadBackward") as seen,
        pytest.raises(ValueError, match="mine"),
    ):
        y.backward()
    assert place(line) in str(seen[0].message)


@pytest.mark.parametrize("read", [lambda x, i: x[i], lambda x, i: x.take(i), lambda x, i: x[i > 1]])
def test_a_node_that_keeps_positions_knows_its_line(read):
    y = read(minitorch.zeros(2, requires_grad=True), minitorch.tensor([0, 1]))
    assert f"{__file__}:{read.__code__.co_firstlineno}, in " in of_node(y.grad_fn)


def test_nan_is_found_with_create_graph_and_in_grad():
    x = minitorch.zeros(1, requires_grad=True)
    for create_graph in (False, True):
        with (
            np.errstate(all="ignore"),
            minitorch.autograd.set_detect_anomaly(True),
            pytest.warns(UserWarning, match="Error detected in SqrtBackward0"),
            pytest.raises(RuntimeError, match="returned nan values in its 0th output"),
        ):
            y = (x * 0).sqrt() * 0
            minitorch.autograd.grad(y.sum(), x, create_graph=create_graph)


# ---------------------------------------------------------------------- forward values
@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda x: (x - 2).sqrt(), "nan"),
        (lambda x: (x * 1000).exp(), "infinity"),
        (lambda x: (x - 1).log(), "infinity"),
    ],
)
def test_forward_values_that_turn_bad_are_warned_of(function, word):
    x = minitorch.ones(2)
    with (
        minitorch.autograd.set_detect_anomaly(True),
        np.errstate(all="ignore"),
        pytest.warns(UserWarning, match=f"of finite values gave {word}, at .*test_anomaly.py"),
    ):
        function(x)
    function(x)


def test_forward_values_that_were_bad_before_are_not_warned_of():
    with minitorch.autograd.set_detect_anomaly(True):
        x = minitorch.tensor([float("inf")])
        x - x
        minitorch.ones(2).masked_fill(minitorch.tensor([True, False]), float("-inf"))
        minitorch.empty(100)
    with minitorch.autograd.set_detect_anomaly(True, check_nan=False):
        minitorch.zeros(1).log()


# ---------------------------------------------------------------------- the switch
@pytest.mark.parametrize("ns", [minitorch, torch], ids=["ours", "torch"])
def test_the_mode_is_switched_and_restored(ns):
    assert not ns.is_anomaly_enabled()
    with ns.autograd.set_detect_anomaly(True, check_nan=False):
        assert ns.is_anomaly_enabled()
        assert not ns.is_anomaly_check_nan_enabled()
        with ns.autograd.set_detect_anomaly(False):
            assert not ns.is_anomaly_enabled()
        assert ns.is_anomaly_enabled()
    assert not ns.is_anomaly_enabled()
    assert ns.is_anomaly_check_nan_enabled()
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = ns.autograd.detect_anomaly()
    with mode:
        assert ns.is_anomaly_enabled()
    assert not ns.is_anomaly_enabled()
    ns.autograd.set_detect_anomaly(True)
    assert ns.is_anomaly_enabled()
    ns.autograd.set_detect_anomaly(False)
    assert not ns.is_anomaly_enabled()
