"""`torch.cond` and `torch._assert_async`."""

import pytest
import torch

import minitorch


@pytest.mark.parametrize("pred", [True, False, 1])
def test_cond_calls_one_function(pred):
    results = []
    for lib in (minitorch, torch):
        x = lib.ones(2, requires_grad=True)
        y = lib.cond(pred, lambda x: x.sin(), lambda x: x * 3, (x,))
        y.sum().backward()
        results.append((y.tolist(), x.grad.tolist()))
    assert results[0][0] == pytest.approx(results[1][0]) and results[0][1] == pytest.approx(results[1][1])


def test_cond_takes_tensors_of_one_element():
    calls = []
    chosen = minitorch.cond(minitorch.tensor([[False]]), lambda: calls.append("true"), lambda: "false")
    assert chosen == "false" and calls == []
    with pytest.raises(RuntimeError, match="Expected pred to be bool or single-element tensor, but got tensor"):
        minitorch.cond(minitorch.tensor([True, False]), len, len)


@pytest.mark.parametrize("values", [True, False, 0.0, 2, [3.0], [True, True], []])
@pytest.mark.parametrize("message", [(), ("negative",), (3,)])
def test_a_tensor_is_asserted(values, message):
    results = []
    for lib in (minitorch, torch):
        try:
            results.append(lib._assert_async(lib.tensor(values), *message))
        except (RuntimeError, TypeError) as error:
            results.append((type(error), str(error)))
    assert results[0] == results[1]
