"""Recurrent layers: RNN, LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al., arXiv:1406.1078).

Inputs of all steps are multiplied by the input weights at once; what is left for each step is one product with the
hidden state and the cell's own arithmetic. Weights come as torch's flat lists: for each layer and direction w_ih, w_hh,
then b_ih, b_hh where there are biases, and w_hr for an LSTM with projections.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._tensor import Tensor

from .check import check
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import FUNCTIONS
from .public import op, public

ascontiguousarray = np.ascontiguousarray


def _plain_step(activation: str) -> Callable[..., tuple[Tensor, ...]]:
    def step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
        return (op(activation)(gates + FUNCTIONS["linear"](state[0], w_hh, b_hh)),)

    return step


# ---------------------------------------------------------------------- the LSTM's cell
@structured(tensors="gates cell", outputs=("activations",), returns=lambda *a: a)
def lstm_cell_step(gates, cell):
    """(next c, next h), stacked, of the four gates' inputs (N, 4H) and c, the cell (N, H)."""
    rows, size = cell.shape
    check(gates.shape == (rows, 4 * size), f"lstm: gates of shape {gates.shape} do not fit a state of {cell.shape}")
    return [((2, rows, size), gates.dtype), ((5, rows, size), gates.dtype)]


@lstm_cell_step.cpu
def lstm_cell_step_cpu(gates, cell):
    out, kept = np.empty((2, *cell.shape), gates.dtype), np.empty((5, *cell.shape), gates.dtype)
    _kernels().lstm_step(ascontiguousarray(gates), ascontiguousarray(cell), out, kept)
    return out, kept


@lstm_cell_step.grad("gates")
def lstm_cell_step_grad_gates(g, gates, cell, activations):
    return lstm_gates_gradient(g, gates, cell, activations)  # noqa: F821


@lstm_cell_step.grad("cell")
def lstm_cell_step_grad_cell(g, gates, cell, activations):
    return lstm_state_gradient(g, gates, cell, activations)  # noqa: F821


def _gates_gradient(grad: np.ndarray, gates: np.ndarray, c: np.ndarray, activations: np.ndarray) -> np.ndarray:
    d = np.empty(gates.shape, gates.dtype)
    _kernels().lstm_step_gradient(ascontiguousarray(grad), ascontiguousarray(c), activations, d)
    return d


def _state_gradient(grad: np.ndarray, gates: np.ndarray, c: np.ndarray, activations: np.ndarray) -> np.ndarray:
    d = np.empty(c.shape, c.dtype)
    _kernels().lstm_state_gradient(ascontiguousarray(grad), activations, d)
    return d


def _activated(gates: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """(i, f, g, o, tanh of the next c) with a graph of their own, which `activations` lack."""
    i, f, g, o = FUNCTIONS["chunk"](gates, 4, -1)
    sigmoid, tanh = op("sigmoid"), op("tanh")
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    return i, f, g, o, tanh(f * c + i * g)


def _gates_gradient_in_ops(grad: Tensor, gates: Tensor, c: Tensor, activations: Any) -> Tensor:
    i, f, g, o, t = _activated(gates, c)
    d_c = grad[0] + grad[1] * o * (1 - t * t)
    parts = [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), grad[1] * t * o * (1 - o)]
    return FUNCTIONS["cat"](parts, -1)


def _state_gradient_in_ops(grad: Tensor, gates: Tensor, c: Tensor, activations: Any) -> Tensor:
    _, f, _, o, t = _activated(gates, c)
    return (grad[0] + grad[1] * o * (1 - t * t)) * f


ARRAY_NAMES.update(lstm_gates_gradient=_gates_gradient, lstm_state_gradient=_state_gradient)
TENSOR_NAMES.update(lstm_gates_gradient=_gates_gradient_in_ops, lstm_state_gradient=_state_gradient_in_ops)


@functools.cache
def _kernels() -> Any:
    return cache.load_file("cpu.recurrent")


def _lstm_step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
    h, c = state
    gates = gates + FUNCTIONS["linear"](h, w_hh, b_hh)
    if gates.dtype is not c.dtype:  # under autocast the products are halves, and the cell is not
        gates = gates.to(c.dtype)
    both, _ = op("lstm_cell_step")(gates, c)
    c, h = FUNCTIONS["unbind"](both, 0)
    return h, c


def _gru_step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
    (h,) = state
    r, z, n = FUNCTIONS["chunk"](gates, 3, -1)
    hidden_r, hidden_z, hidden_n = FUNCTIONS["chunk"](FUNCTIONS["linear"](h, w_hh, b_hh), 3, -1)
    sigmoid = op("sigmoid")
    n = op("tanh")(n + sigmoid(r + hidden_r) * hidden_n)
    return (n + sigmoid(z + hidden_z) * (h - n),)


STEPS = {"lstm": _lstm_step, "gru": _gru_step, "rnn_tanh": _plain_step("tanh"), "rnn_relu": _plain_step("relu")}


# ---------------------------------------------------------------------- one step
def _cell(mode: str, input: Tensor, state: tuple[Tensor, ...], weights: tuple[Any, ...]) -> tuple[Tensor, ...]:
    w_ih, w_hh, b_ih, b_hh = weights
    return STEPS[mode](FUNCTIONS["linear"](input, w_ih, b_ih), state, w_hh, b_hh)


@public("torch")
def lstm_cell(
    input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: (N, inputs) and hx = (h, c) to the next (h, c), both (N, hidden)."""
    check(len(hx) == 2, "lstm_cell expects two hidden states")
    if input.ndim == 1:
        h, c = lstm_cell(input[None], tuple([s[None] for s in hx]), w_ih, w_hh, b_ih, b_hh)
        return h[0], c[0]
    h, c = _cell("lstm", input, tuple(hx), (w_ih, w_hh, b_ih, b_hh))
    return h, c


def _make_cell(mode: str) -> None:
    def cell(
        input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
    ) -> Tensor:
        return _cell(mode, input, (hx,), (w_ih, w_hh, b_ih, b_hh))[0]

    cell.__name__ = cell.__qualname__ = f"{mode}_cell"
    cell.__doc__ = f"One step of {mode}: (N, inputs) and (N, hidden) to the next (N, hidden)."
    public("torch")(cell)


for _mode in ("gru", "rnn_tanh", "rnn_relu"):
    _make_cell(_mode)


# ---------------------------------------------------------------------- sequences
def _over_steps(mode: str, gates: Any, state: tuple[Tensor, ...], weights: Any, reverse: bool) -> Any:
    """(output of each step, final state); weights are (w_hh, b_hh, w_hr)."""
    w_hh, b_hh, w_hr = weights
    step, outputs = STEPS[mode], []
    for g in reversed(gates) if reverse else gates:
        state = step(g, state, w_hh, b_hh)
        if w_hr is not None:
            state = FUNCTIONS["linear"](state[0], w_hr), *state[1:]
        outputs.append(state[0])
    return outputs[::-1] if reverse else outputs, state


def _over_packed(mode: str, gates: Any, state: tuple[Tensor, ...], weights: Any, reverse: bool) -> Any:
    """`_over_steps` where later steps have fewer rows: sequences that are over leave the batch, or come to it."""
    narrow, cat, outputs = FUNCTIONS["narrow"], FUNCTIONS["cat"], []
    rows = [g.shape[0] for g in gates]
    if reverse:
        current = tuple([narrow(s, 0, 0, rows[-1]) for s in state])
        for g, n in zip(reversed(gates), reversed(rows), strict=True):
            held = current[0].shape[0]
            if n > held:
                fresh = [narrow(s, 0, held, n - held) for s in state]
                current = tuple([cat([c, f]) for c, f in zip(current, fresh, strict=True)])
            (out,), current = _over_steps(mode, [g], current, weights, False)
            outputs.append(out)
        return outputs[::-1], current
    current, done = state, []
    for g, n in zip(gates, rows, strict=True):
        held = current[0].shape[0]
        if n < held:
            done.append([narrow(c, 0, n, held - n) for c in current])
            current = tuple([narrow(c, 0, 0, n) for c in current])
        (out,), current = _over_steps(mode, [g], current, weights, False)
        outputs.append(out)
    parts = [current, *reversed(done)]
    return outputs, tuple([cat(list(p)) for p in zip(*parts, strict=True)])


def _layer_weights(params: Any, has_biases: bool, projected: bool) -> list[tuple[Any, ...]]:
    """The flat list as (w_ih, w_hh, b_ih, b_hh, w_hr) for each layer and direction."""
    size = 2 + 2 * has_biases + projected
    found = []
    for i in range(0, len(params), size):
        part = list(params[i : i + size])
        w_hr = part.pop() if projected else None
        found.append((*part, *[None] * (4 - len(part)), w_hr))
    return found


def _stack_of_layers(
    mode: str, x: Tensor, batch_sizes: Any, states: Any, params: Any, options: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The outputs, (T, N, directions * hidden) or packed, and the final states (layers * directions, N, hidden)."""
    has_biases, num_layers, dropout, train, bidirectional = options
    projected = mode == "lstm" and states[0].shape[2] != states[1].shape[2]
    weights, directions = _layer_weights(params, has_biases, projected), 1 + bidirectional
    initial = list(zip(*[FUNCTIONS["unbind"](s, 0) for s in states], strict=True))
    over = _over_steps if batch_sizes is None else _over_packed
    finals = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            w_ih, w_hh, b_ih, b_hh, w_hr = weights[k]
            if mode != "gru" and has_biases:  # whose gates multiply what b_hh was added to
                b_ih, b_hh = b_ih + b_hh, None
            gates = FUNCTIONS["linear"](x, w_ih, b_ih)
            steps = FUNCTIONS["unbind"](gates, 0) if batch_sizes is None else FUNCTIONS["split"](gates, batch_sizes)
            out, final = over(mode, steps, initial[k], (w_hh, b_hh, w_hr), direction == 1)
            outputs.append(FUNCTIONS["stack"](out) if batch_sizes is None else FUNCTIONS["cat"](out))
            finals.append(final)
        x = outputs[0] if directions == 1 else FUNCTIONS["cat"](outputs, -1)
        if dropout and train and layer < num_layers - 1:
            x = FUNCTIONS["dropout"](x, dropout, True)
    return x, *[FUNCTIONS["stack"](list(part)) for part in zip(*finals, strict=True)]


def _sequence(mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """A call in torch's two forms: (input, hx, params, ...) or, packed, (data, batch_sizes, hx, params, ...)."""
    names = ["hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional"]
    packed = "data" in kwargs or "batch_sizes" in kwargs or (len(args) > 3 and isinstance(args[3], (list, tuple)))
    names = ["data", "batch_sizes", *names] if packed else ["input", *names, "batch_first"]
    values = dict(zip(names, args, strict=False)) | kwargs
    missing = [n for n in names if n not in values]
    if missing or len(values) > len(names):
        raise TypeError(f"{mode}() takes ({', '.join(names)}); missing: {missing}")
    states = values["hx"] if mode == "lstm" else (values["hx"],)
    options = tuple([values[n] for n in ("has_biases", "num_layers", "dropout", "train", "bidirectional")])
    if packed:
        sizes = values["batch_sizes"].tolist()
        return _stack_of_layers(mode, values["data"], sizes, states, values["params"], options)
    x, batch_first = values["input"], values["batch_first"]
    if batch_first:
        x = op("transpose")(x, 0, 1)
    check(x.shape[0] > 0, "Expected sequence length to be larger than 0 in RNN")
    out, *finals = _stack_of_layers(mode, x, None, states, values["params"], options)
    return op("transpose")(out, 0, 1) if batch_first else out, *finals


def _make_sequence(mode: str, states: str) -> None:
    def layers(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        return _sequence(mode, args, kwargs)

    layers.__name__ = layers.__qualname__ = mode
    layers.__doc__ = (
        f"Layers of {mode} over a sequence: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, "
        f"batch_first), or with (data, batch_sizes) for input and without batch_first. Gives (output, {states})."
    )
    public("torch")(layers)


for _mode, _states in (("lstm", "h, c"), ("gru", "h"), ("rnn_tanh", "h"), ("rnn_relu", "h")):
    _make_sequence(_mode, _states)
