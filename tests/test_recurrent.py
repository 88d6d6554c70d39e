"""Recurrent layers against torch's: outputs, states, gradients and their gradients, packed or not."""

import itertools

import numpy as np
import pytest
import torch

import minitorch as mt

KINDS = ("LSTM", "GRU", "RNN")
LENGTHS = [6, 4, 4, 1]


def pair(kind, *sizes, **options):
    """The layer in both frameworks, with the same weights, in double."""
    theirs = getattr(torch.nn, kind)(*sizes, **options).double()
    ours = getattr(mt.nn, kind)(*sizes, **options).double()
    ours.load_state_dict({k: mt.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    return (torch, theirs), (mt, ours)


def run(T, layer, x, packed):
    """Outputs, states, gradients, and gradients of gradients."""
    x = (x.clone() if T is torch else mt.from_numpy(x.numpy().copy())).requires_grad_()
    given = T.nn.utils.rnn.pack_padded_sequence(x, T.tensor(LENGTHS)) if packed else x
    out, state = layer(given)
    out, states = out.data if packed else out, state if isinstance(state, tuple) else (state,)
    loss = (out**2).sum() + sum((s**3).sum() for s in states)
    tensors = [x, *layer.parameters()]
    plain = T.autograd.grad(loss, tensors, retain_graph=True)
    first = T.autograd.grad(loss, tensors, create_graph=True)
    second = T.autograd.grad(sum((g**2).sum() for g in first), tensors)
    return [out, *states, *plain, *first, *second]


@pytest.mark.parametrize("kind", [*KINDS, "RNN relu"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_layers_give_torchs_numbers_gradients_and_double_gradients(kind, bidirectional, packed):
    kind, *activation = kind.split()
    options = dict(bidirectional=bidirectional, **({"nonlinearity": "relu"} if activation else {}))
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    for layers, bias in itertools.product((1, 2), (False, True)):
        frameworks = pair(kind, 3, 5, layers, bias=bias, **options)
        theirs, ours = [run(T, layer, x, packed) for T, layer in frameworks]
        assert len(theirs) == len(ours)
        for a, b in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 1e-8, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_a_layer_of_one_step(kind):
    (_, theirs), (_, ours) = pair(f"{kind}Cell", 3, 5)
    x = torch.randn(4, 3, dtype=torch.float64)
    a, b = theirs(x), ours(mt.from_numpy(x.numpy()))
    for s, t in zip(a, b, strict=True) if kind == "LSTM" else [(a, b)]:
        np.testing.assert_allclose(t.detach().numpy(), s.detach().numpy(), 1e-12)


def test_a_projected_lstm_goes_step_by_step():
    frameworks = pair("LSTM", 3, 5, 2, proj_size=2, bidirectional=True)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    for a, b in zip(*[run(T, layer, x, False) for T, layer in frameworks], strict=True):
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 1e-8, 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_near_the_layer_in_float32(kind, dtype):
    layer, x = getattr(mt.nn, kind)(3, 5), mt.randn(6, 4, 3)
    full = mt.autograd.grad(layer(x)[0].sum(), [*layer.parameters()])
    half = layer.to(getattr(mt, dtype))
    found = mt.autograd.grad(half(x.to(getattr(mt, dtype)))[0].sum(), [*half.parameters()])
    for a, b in zip(full, found, strict=True):
        assert b.dtype is getattr(mt, dtype)
        np.testing.assert_allclose(b.float().numpy(), a.numpy(), 5e-2, 2e-1)


@pytest.mark.parametrize("kind", KINDS)
def test_without_recording_one_step_is_kept_and_the_numbers_are_the_same(kind):
    layer, x = getattr(mt.nn, kind)(3, 5, 2, bidirectional=True), mt.randn(6, 4, 3)
    recorded = layer(x)[0]
    with mt.no_grad():
        assert layer(x)[0].equal(recorded)
    gates, h = mt.randn(6, 4, 20), mt.zeros(4, 5)
    from minitorch._ops.op import OPS

    sizes = [
        OPS["recurrent_layer"].function(gates, h, h, mt.randn(20, 5), None, "lstm", False, keep)[1].shape[0]
        for keep in (True, False)
    ]
    assert sizes == [6, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_forward_mode_gives_the_derivative_that_reverse_mode_gives(kind):
    layer, x, v = getattr(mt.nn, kind)(3, 5).double(), mt.randn(6, 4, 3).double(), mt.randn(6, 4, 3).double()
    _, tangent = mt.func.jvp(lambda x: layer(x)[0], (x,), (v,))
    x.requires_grad_()
    cotangent = mt.randn(6, 4, 5).double()
    (by_reverse,) = mt.autograd.grad(layer(x)[0], x, cotangent)
    assert (by_reverse * v).sum().item() == pytest.approx((cotangent * tangent).sum().item())


def test_gates_that_do_not_fit_the_state_are_refused():
    with pytest.raises(RuntimeError, match=r"lstm: gates of .* do not fit a state of"):
        mt.lstm_cell(mt.randn(2, 3), (mt.randn(2, 4), mt.randn(2, 4)), mt.randn(20, 3), mt.randn(20, 4))


def results(T, kind, dtype, recorded=True, **options):
    """The output and states of a layer, and the states of a cell."""
    with T.set_grad_enabled(recorded):
        x = T.ones(5, 2, 3, dtype=dtype)
        out, state = getattr(T.nn, kind)(3, 4, dtype=dtype, **options)(x)
        cells = getattr(T.nn, kind + "Cell")(3, 4, dtype=dtype)(x[0])
        return [out, *(t for s in (state, cells) for t in (s if isinstance(s, tuple) else (s,)))]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_results_have_the_nodes_of_torch_and_are_views_where_torchs_are(kind, batch_first, dtype):
    ours, theirs = (results(T, kind, getattr(T, dtype), batch_first=batch_first) for T in (mt, torch))
    assert [t.grad_fn.name() for t in ours] == [t.grad_fn.name() for t in theirs]
    assert [t._is_view() for t in ours] == [t._is_view() for t in theirs]
    behind = [t.grad_fn.next_functions[0][0].name() for t in (ours[0], theirs[0])] if batch_first else [0, 0]
    assert behind[0] == behind[1]
    ours, theirs = (results(T, kind, getattr(T, dtype), False, batch_first=batch_first) for T in (mt, torch))
    assert [t._is_view() for t in ours] == [t._is_view() for t in theirs]


@pytest.mark.parametrize("kind", KINDS)
def test_results_can_be_detached_in_place(kind):
    for t in results(mt, kind, mt.float32):
        assert not t.detach_().requires_grad


def test_written_results_of_a_cell_have_the_gradient_of_the_other_result():
    grads = []
    for T, cell in pair("LSTMCell", 3, 4):
        h, c = cell(T.ones(2, 3, dtype=T.float64))
        h.mul_(3)
        (h.sum() + (c * c).sum()).backward()
        grads.append(cell.weight_ih.grad)
    np.testing.assert_allclose(grads[1].numpy(), grads[0].numpy(), rtol=1e-12)
