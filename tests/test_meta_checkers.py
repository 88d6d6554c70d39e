"""The checkers of test_ops.py must fail on planted bugs: each test plants one and expects the failure."""

import numpy as np
import pytest
import test_ops
from compare import assert_close, assert_same
from optable import Case, signed

import minitorch
from minitorch._ops.op import OPS

RELU = Case("relu", edges=(-1.0, 0.0, 1.0))
MUL = Case("mul", inputs=(((3, 4), (3, 4)), ((3, 1), (4,))))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def replace_run(monkeypatch, name, run):
    """The op's nodes run this instead of what their record says."""
    node = type(
        getattr(minitorch.ones(2, requires_grad=True), name)(
            *([minitorch.ones(2)] * (len(OPS[name].tensors) - 1))
        ).grad_fn
    )
    minitorch.ones(2, requires_grad=True).mul(1).sum().backward()
    monkeypatch.setattr(node, "run", run(node.run))


def deliver(edge, d, heap):
    from minitorch.autograd.engine import deliver as to

    if edge is not None:
        to(edge, d, False, heap)


def test_a_relu_gradient_of_1_at_0_is_caught(monkeypatch):
    replace_run(
        monkeypatch,
        "relu",
        lambda old: lambda n, g, heap, keep: deliver(n.input_edge, np.where(n.out >= 0, g, 0), heap),
    )
    with pytest.raises(AssertionError, match="relu"):
        test_ops.test_gradients_at_the_edges_are_torchs(RELU)


def test_a_missing_sum_over_broadcast_dimensions_is_caught(monkeypatch, rng):
    def run(n, g, heap, keep):
        deliver(n.input_edge, np.asarray(g * 1), heap)
        deliver(n.other_edge, np.asarray(g * 1), heap)

    replace_run(monkeypatch, "add", lambda old: run)
    with pytest.raises(AssertionError, match="add"):
        test_ops.test_gradients_are_torchs(Case("add", inputs=(((3, 1), (4,)),)), lambda dtype: None, rng)


def test_a_saved_tensor_of_the_wrong_operand_is_caught(monkeypatch, rng):
    def run(n, g, heap, keep):
        deliver(n.input_edge, g * n.input.array, heap)
        deliver(n.other_edge, g * n.other.array, heap)

    replace_run(monkeypatch, "mul", lambda old: run)
    with pytest.raises(AssertionError, match="mul"):
        test_ops.test_gradients_are_torchs(Case("mul", inputs=(((3, 4), (3, 4)),)), lambda dtype: None, rng)


def test_a_result_in_double_for_float32_inputs_is_caught(monkeypatch, rng):
    real = minitorch.Tensor.exp
    monkeypatch.setattr(
        minitorch, "exp", lambda x: real(x.to(minitorch.float64)) if x.dtype == minitorch.float32 else real(x)
    )
    with pytest.raises(AssertionError, match="float32"):
        test_ops.test_values_dtypes_shapes_and_errors_are_torchs(Case("exp"), lambda dtype: None, rng)


def test_an_in_place_op_that_writes_to_a_copy_is_caught(monkeypatch, rng):
    monkeypatch.setattr(minitorch.Tensor, "exp_", minitorch.Tensor.exp)
    with pytest.raises(AssertionError, match="exp"):
        test_ops.test_in_place_twin_writes_the_same_and_has_the_same_gradient(Case("exp"), rng)


def test_an_in_place_op_that_records_nothing_is_caught(monkeypatch, rng):
    real = minitorch.Tensor.exp_

    def forgetful(x):
        with minitorch.no_grad():
            return real(x)

    monkeypatch.setattr(minitorch.Tensor, "exp_", forgetful)
    with pytest.raises(AssertionError, match="tracked"):
        test_ops.test_in_place_twin_writes_the_same_and_has_the_same_gradient(Case("exp"), rng)


def test_a_view_that_copies_is_caught_by_its_strides(monkeypatch, rng):
    real = minitorch.transpose
    monkeypatch.setattr(minitorch, "transpose", lambda x, a, b: real(x, a, b).contiguous())
    case = next(c for c in test_ops.CASES if c.name == "transpose")
    with pytest.raises(AssertionError, match="transpose"):
        test_ops.test_values_dtypes_shapes_and_errors_are_torchs(case, lambda dtype: None, rng)


def test_a_layout_that_is_ignored_is_caught(monkeypatch, rng):
    real = minitorch.exp

    def by_memory(x):
        a = x.array
        return real(minitorch.from_numpy(np.ascontiguousarray(a.ravel("K")).reshape(a.shape)))

    monkeypatch.setattr(minitorch, "exp", by_memory)
    with pytest.raises(AssertionError, match="transposed"):
        test_ops.test_layout_of_the_inputs_changes_nothing(Case("exp", gradient=False), rng)


def test_an_error_of_another_class_is_caught(monkeypatch, rng):
    def refuses(x, y):
        raise ValueError("The size of tensor a (3) must match")

    monkeypatch.setattr(minitorch, "mul", refuses)
    with pytest.raises(AssertionError, match="ValueError"):
        test_ops.test_values_dtypes_shapes_and_errors_are_torchs(MUL, lambda dtype: None, rng)


def test_a_missing_error_is_caught(monkeypatch, rng):
    monkeypatch.setattr(minitorch, "squeeze", lambda x, dim=None: x)
    case = next(c for c in test_ops.CASES if c.name == "squeeze")
    with pytest.raises(AssertionError, match="squeeze"):
        test_ops.test_values_dtypes_shapes_and_errors_are_torchs(case, lambda dtype: None, rng)


def test_a_wrong_sign_of_zero_is_caught_where_it_counts():
    with pytest.raises(AssertionError):
        assert_close(np.array([0.0]), np.array([-0.0]), zeros=True)


def test_a_number_instead_of_a_tensor_is_caught():
    import torch

    with pytest.raises(AssertionError):
        assert_same(1.0, torch.tensor(1.0))
    with pytest.raises(AssertionError):
        assert_same(minitorch.tensor(1.0), torch.tensor(1.0, dtype=torch.float64))
    with pytest.raises(AssertionError):
        assert_same(minitorch.ones(2, 1), torch.ones(2))


def test_a_double_gradient_that_treats_the_gradient_as_constant_is_caught(monkeypatch, rng):
    def constant(n, g, heap, keep):
        from minitorch.autograd.engine import deliver as to

        to(n.input_edge, g * n.input.detach() * 2, False, heap)

    node = type((minitorch.ones(2, requires_grad=True) ** 2).grad_fn)
    monkeypatch.setattr(node, "run_tensors", constant)
    with pytest.raises(AssertionError, match="square"):
        test_ops.test_double_gradients_are_torchs(Case("square", draw=signed), rng)
