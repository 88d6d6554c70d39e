"""autograd.grad computes the gradients that were asked for, and no others."""

import minitorch
from minitorch._ops.op import OPS
from minitorch._ops.scope import SCOPE


def test_only_the_wanted_gradient_of_a_node_is_computed(monkeypatch):
    x = minitorch.randn(1, 2, 5, 5, requires_grad=True)
    w = minitorch.randn(3, 2, 3, 3, requires_grad=True)
    y = minitorch.nn.functional.conv2d(x, w).sum()
    (both, _) = minitorch.autograd.grad(y, (w, x), retain_graph=True)
    name = "convolution_forward_input_gradient"
    assert name in SCOPE, "the generated function under which the input's gradient is computed"

    def refuse(*args):
        raise AssertionError("the input's gradient was computed")

    monkeypatch.setitem(SCOPE, name, refuse)
    (alone,) = minitorch.autograd.grad(y, w, retain_graph=True)
    assert minitorch.equal(alone, both)
    assert OPS["convolution_forward"].edges == ("input", "weight", "bias")


def test_backward_with_inputs_leaves_the_graph_whole():
    a, b = minitorch.ones(2, requires_grad=True), minitorch.ones(2, requires_grad=True)
    y = (a * b).sum()
    y.backward(inputs=[a], retain_graph=True)
    assert a.grad is not None
    assert b.grad is None
    y.backward()
    assert minitorch.equal(b.grad, minitorch.ones(2))
