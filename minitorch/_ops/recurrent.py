"""Recurrent layers: RNN, LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al., arXiv:1406.1078).

Inputs of all steps are multiplied by the input weights at once; what is left of a layer is one op over all steps,
`recurrent_layer`. The same layer step by step, in other ops, serves where that one does not: for the gradient of a
gradient, under autocast, and for an LSTM with projections. Weights come as torch's flat lists: for each layer and
direction w_ih, w_hh, then b_ih, b_hh where there are biases, and w_hr for an LSTM with projections.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np

from minitorch._kernels.cpu import recurrent as kernels
from minitorch._kernels.cpu.products import dot
from minitorch._tensor import Tensor
from minitorch.autograd import grad
from minitorch.autograd.grad_mode import enable_grad
from minitorch.autograd.grad_mode import state as grad_state

from .check import check
from .gradient_kernels import by_kernel
from .nodes import titled
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .public import FUNCTIONS, op, public

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


# ---------------------------------------------------------------------- a layer, one op over all steps
@structured(tensors="gates hx cx? w_hh b_hh?", outputs=("kept", "cells"), returns=lambda *a: a)
def recurrent_layer(gates, hx, cx, w_hh, b_hh, kind, reverse, keep_all):
    """h after each step (T, N, H), and for an LSTM the last c behind them; gates (T, N, several H) are of the input.

    What the gradient needs is kept for all steps, or with `keep_all=False` for one.
    """
    steps, rows, width = gates.shape
    size = hx.shape[1]
    if not (width == GATES[kind] * size and hx.shape[0] == rows and w_hh.shape == (width, size)):
        raise RuntimeError(
            f"{kind}: gates of {gates.shape} do not fit a state of {hx.shape} and weights of {w_hh.shape}"
        )
    each = steps if keep_all else 1
    cell = (each, rows, size if kind in ("lstm", "gru") else 0)
    return [
        ((steps + (kind == "lstm"), rows, size), gates.dtype),
        ((each, rows, {"lstm": 5, "gru": 4}.get(kind, 1), size), gates.dtype),
        (cell, gates.dtype),
    ]


@recurrent_layer.cpu
def recurrent_layer_cpu(gates, hx, cx, w_hh, b_hh, kind, reverse, keep_all):
    out, kept, cells = [
        np.empty(*made) for made in recurrent_layer.infer(gates, hx, cx, w_hh, b_hh, kind, reverse, keep_all)
    ]
    kernels.layer(kind, gates, hx, hx if cx is None else cx, w_hh, b_hh, reverse, out, kept, cells)
    return out, kept, cells


@recurrent_layer.shared("found")
def recurrent_layer_found(g, gates, hx, cx, w_hh, b_hh, kept, cells, kind, reverse):
    return recurrent_gradients(g, gates, hx, cx, w_hh, b_hh, kept, cells, kind, reverse)  # noqa: F821


@recurrent_layer.grad("gates")
def recurrent_layer_grad_gates(found):
    return found[0]


@recurrent_layer.grad("hx")
def recurrent_layer_grad_hx(found):
    return found[1]


@recurrent_layer.grad("cx")
def recurrent_layer_grad_cx(found):
    return found[2]


@recurrent_layer.grad("w_hh")
def recurrent_layer_grad_w_hh(found):
    return hidden_weight_gradient(found)  # noqa: F821


@recurrent_layer.grad("b_hh")
def recurrent_layer_grad_b_hh(found):
    return hidden_bias_gradient(found)  # noqa: F821


def _gradients(g, gates, hx, cx, w_hh, b_hh, kept, cells, kind, reverse):
    """The gradients of gates, hx and cx; with those of the products with w_hh, and h before each step."""
    before = kernels.states_before(kind, hx, kept, cells, reverse)
    d_gates = np.empty(gates.shape, gates.dtype)
    d_products = np.empty_like(d_gates) if kind == "gru" else d_gates  # whose r multiplies a product
    c = hx if cx is None else cx
    d_h, d_c = kernels.layer_gradient(kind, g, before, c, w_hh, reverse, kept, cells, d_gates, d_products)
    return d_gates, d_h, d_c, d_products, before


def _weight_gradient(found):
    _, _, _, d_products, before = found
    return dot(d_products.reshape(-1, d_products.shape[2]).T, before.reshape(-1, before.shape[2]))


def _gradients_in_ops(g, gates, hx, cx, w_hh, b_hh, kept, cells, kind, reverse):
    """The gradients of all five tensors, by a backward pass through the layer in ops, which has a graph of its own."""
    recorded = grad_state.grad
    tensors = [gates, hx, cx, w_hh, b_hh]
    with enable_grad():
        # of views: the state may itself come of the weights, and that way is not this op's
        tensors = [None if t is None else t.view_as(t) if recorded else t.detach().requires_grad_() for t in tensors]
        gates, hx, cx, w_hh, b_hh = tensors
        out, last = _in_ops(kind, gates, (hx,) if cx is None else (hx, cx), (w_hh, b_hh, None), reverse)
        out = out if cx is None else FUNCTIONS["cat"]([out, last[1][None]])
        wanted = [t for t in tensors if t is not None and t.requires_grad]
        made = iter(grad(out, wanted, g, create_graph=recorded))
        return [next(made) if t is not None and t.requires_grad else None for t in tensors]


ARRAY_NAMES.update(
    recurrent_gradients=_gradients,
    hidden_weight_gradient=_weight_gradient,
    hidden_bias_gradient=lambda found: found[3].sum((0, 1)),
)
TENSOR_NAMES.update(
    recurrent_gradients=by_kernel("recurrent_gradients", _gradients_in_ops),
    hidden_weight_gradient=lambda found: found[3],
    hidden_bias_gradient=lambda found: found[4],
)


# ---------------------------------------------------------------------- a layer step by step
def _plain_step(activation: str) -> Callable[..., tuple[Tensor, ...]]:
    def step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
        return (op(activation)(gates + FUNCTIONS["linear"](state[0], w_hh, b_hh)),)

    return step


def _lstm_step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
    h, c = state
    gates = gates + FUNCTIONS["linear"](h, w_hh, b_hh)
    if gates.dtype is not c.dtype:  # under autocast the products are halves, and the cell is not
        gates = gates.to(c.dtype)
    i, f, g, o = FUNCTIONS["chunk"](gates, 4, -1)
    sigmoid, tanh = op("sigmoid"), op("tanh")
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _gru_step(gates: Tensor, state: tuple[Tensor, ...], w_hh: Tensor, b_hh: Any) -> tuple[Tensor, ...]:
    (h,) = state
    r, z, n = FUNCTIONS["chunk"](gates, 3, -1)
    hidden_r, hidden_z, hidden_n = FUNCTIONS["chunk"](FUNCTIONS["linear"](h, w_hh, b_hh), 3, -1)
    sigmoid = op("sigmoid")
    n = op("tanh")(n + sigmoid(r + hidden_r) * hidden_n)
    return (n + sigmoid(z + hidden_z) * (h - n),)


STEPS = {"lstm": _lstm_step, "gru": _gru_step, "rnn_tanh": _plain_step("tanh"), "rnn_relu": _plain_step("relu")}


def _in_ops(mode: str, gates: Tensor, state: tuple[Tensor, ...], weights: Any, reverse: bool) -> Any:
    """What `_over_steps` gives."""
    w_hh, b_hh, w_hr = weights
    outputs = []
    steps = FUNCTIONS["unbind"](gates, 0)
    for g in reversed(steps) if reverse else steps:
        state = STEPS[mode](g, state, w_hh, b_hh)
        if w_hr is not None:
            state = FUNCTIONS["linear"](state[0], w_hr), *state[1:]
        outputs.append(state[0])
    return FUNCTIONS["stack"](outputs[::-1] if reverse else outputs), state


# ---------------------------------------------------------------------- one step
def _cell(mode: str, input: Tensor, state: tuple[Tensor, ...], weights: tuple[Any, ...]) -> tuple[Tensor, ...]:
    w_ih, w_hh, b_ih, b_hh = weights
    gates = FUNCTIONS["linear"](input, w_ih, b_ih)
    last = _over_steps(mode, gates[None], state, (w_hh, b_hh, None), False)[1]
    return tuple([_own(s, title) for s, title in zip(last, LAST_OF_CELL[mode], strict=True)])


# what torch, whose cells are made of other ops, calls the node of h, and of c
LAST_OF_CELL = {
    "lstm": ("MulBackward0", "AddBackward0"),
    "gru": ("AddBackward0",),
    "rnn_tanh": ("TanhBackward0",),
    "rnn_relu": ("ReluBackward0",),
}


def _own(part: Tensor, title: str, through: bool = True) -> Tensor:
    """A part of a layer's result as torch gives it: not a view, as nothing else refers to its memory."""
    if part.base is not None:
        part.base, part.version = None, type(part.version)((0,))
        titled(part, title, through=through)
    return part


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
def _over_steps(mode: str, gates: Tensor, state: tuple[Tensor, ...], weights: Any, reverse: bool) -> Any:
    """(h after each step (T, N, H), final state); weights are (w_hh, b_hh, w_hr)."""
    w_hh, b_hh, w_hr = weights
    if w_hr is not None or any(t is not None and t.dtype is not gates.dtype for t in (*state, w_hh, b_hh)):
        return _in_ops(mode, gates, state, weights, reverse)
    steps, (h, c) = gates.shape[0], (*state, None)[:2]
    keep = grad_state.grad or bool(grad_state.interceptors)
    out, _, _ = op("recurrent_layer")(gates, h, c, w_hh, b_hh, mode, reverse, keep)
    select = FUNCTIONS["select"]
    last = select(out, 0, 0 if reverse else steps - 1)
    if c is None:
        return titled(out, "StackBackward0"), (last,)
    title = "StackBackward0" if out.array.dtype == np.float64 else "MkldnnRnnLayerBackward0"
    return _own(FUNCTIONS["narrow"](out, 0, 0, steps), title), (last, select(out, 0, steps))


def _over_packed(
    mode: str, gates: Tensor, state: tuple[Tensor, ...], weights: Any, reverse: bool, batch_sizes: list[int]
) -> Any:
    """`_over_steps` where later steps have fewer rows: sequences that are over leave the batch, or come to it.

    Steps of as many rows are taken together; gates and the result are (rows of all steps, ...).
    """
    narrow, cat = FUNCTIONS["narrow"], FUNCTIONS["cat"]
    runs = [(rows, len(list(run))) for rows, run in groupby(batch_sizes)]
    parts = FUNCTIONS["split"](gates, [rows * steps for rows, steps in runs])
    rows_at_first = batch_sizes[-1] if reverse else batch_sizes[0]
    current = tuple([narrow(s, 0, 0, rows_at_first) for s in state])
    outputs, done = [], []
    for part, (rows, steps) in list(zip(parts, runs, strict=True))[:: -1 if reverse else 1]:
        held = current[0].shape[0]
        if rows > held:
            fresh = [narrow(s, 0, held, rows - held) for s in state]
            current = tuple([cat([c, f]) for c, f in zip(current, fresh, strict=True)])
        elif rows < held:
            done.append([narrow(c, 0, rows, held - rows) for c in current])
            current = tuple([narrow(c, 0, 0, rows) for c in current])
        out, current = _over_steps(mode, part.reshape(steps, rows, part.shape[1]), current, weights, reverse)
        outputs.append(out.reshape(steps * rows, out.shape[2]))
    finals = [current, *reversed(done)]
    return cat(outputs[:: -1 if reverse else 1]), tuple([cat(list(p)) for p in zip(*finals, strict=True)])


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
    finals = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            w_ih, w_hh, b_ih, b_hh, w_hr = weights[k]
            if mode != "gru" and has_biases:  # whose gates multiply what b_hh was added to
                b_ih, b_hh = b_ih + b_hh, None
            gates = FUNCTIONS["linear"](x, w_ih, b_ih)
            given = mode, gates, initial[k], (w_hh, b_hh, w_hr), direction == 1
            out, final = _over_steps(*given) if batch_sizes is None else _over_packed(*given, batch_sizes)
            outputs.append(out)
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
    check(len(states) == 1 + (mode == "lstm"), "lstm expects two hidden states")
    options = tuple([values[n] for n in ("has_biases", "num_layers", "dropout", "train", "bidirectional")])
    if packed:
        sizes = values["batch_sizes"].tolist()
        return _stack_of_layers(mode, values["data"], sizes, states, values["params"], options)
    x, batch_first = values["input"], values["batch_first"]
    if batch_first:
        x = op("transpose")(x, 0, 1)
    check(x.shape[0] > 0, "Expected sequence length to be larger than 0 in RNN")
    out, *finals = _stack_of_layers(mode, x, None, states, values["params"], options)
    if batch_first:
        out = op("transpose")(out, 0, 1)
        out = out if mode == "lstm" else _own(out, "TransposeBackward1", through=False)  # torch transposes it in place
    return out, *finals


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
