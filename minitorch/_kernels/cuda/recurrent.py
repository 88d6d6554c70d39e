"""Layers of LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al., arXiv:1406.1078) and plain RNN, step by step.

Each step is one product with the hidden state and one kernel for all that the cell computes. Formulas and what is kept
for the gradient are those of `cpu/recurrent.py`: of an LSTM the gates i, f, g, o and tanh of the next c, of a GRU r, z,
n and the recurrent part of n, of a plain RNN the state.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, pointwise, reduce
from .array import CudaArray, empty
from .block import BLOCK
from .device import WORDS, blockIdx, exp, regs, static, tanh, threadIdx, where  # type: ignore[attr-defined]
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
KEPT = {"lstm": 5, "gru": 4, "rnn_tanh": 1, "rnn_relu": 1}


def sigmoid(x):
    return 1.0 / (1.0 + exp(-x))


def lstm_step(x, r, h, c):
    i = sigmoid(x[0] + r[0])
    f = sigmoid(x[1] + r[1])
    g = tanh(x[2] + r[2])
    o = sigmoid(x[3] + r[3])
    following = f * c + i * g
    t = tanh(following)
    return i, f, g, o, t, o * t, following


def gru_step(x, r, h, c):
    reset = sigmoid(x[0] + r[0])
    z = sigmoid(x[1] + r[1])
    n = tanh(x[2] + reset * r[2])
    following = n + z * (h - n)
    return reset, z, n, r[2], following, following


def rnn_tanh_step(x, r, h, c):
    y = tanh(x[0] + r[0])
    return y, y, y


def rnn_relu_step(x, r, h, c):
    y = x[0] + r[0]
    y = where(y <= 0.0, 0.0, y)
    return y, y, y


def lstm_gradient(d_h, d_c, h, c, k):
    """The gradients of the gates' inputs, of the recurrent parts, of h beside them and of c; k is what was kept."""
    d = d_c + d_h * k[3] * (1.0 - k[4] * k[4])
    d_i = d * k[2] * k[0] * (1.0 - k[0])
    d_f = d * c * k[1] * (1.0 - k[1])
    d_g = d * k[0] * (1.0 - k[2] * k[2])
    d_o = d_h * k[4] * k[3] * (1.0 - k[3])
    return d_i, d_f, d_g, d_o, d_i, d_f, d_g, d_o, 0.0 * d_h, d * k[1]


def gru_gradient(d_h, d_c, h, c, k):
    d_n = d_h * (1.0 - k[1]) * (1.0 - k[2] * k[2])
    d_z = d_h * (h - k[2]) * k[1] * (1.0 - k[1])
    d_r = d_n * k[3] * k[0] * (1.0 - k[0])
    return d_r, d_z, d_n, d_r, d_z, d_n * k[0], d_h * k[1], d_c


def rnn_tanh_gradient(d_h, d_c, h, c, k):
    d = d_h * (1.0 - k[0] * k[0])
    return d, d, 0.0 * d_h, d_c


def rnn_relu_gradient(d_h, d_c, h, c, k):
    d = where(k[0] <= 0.0, 0.0, d_h)
    return d, d, 0.0 * d_h, d_c


STEPS = {
    "lstm": (lstm_step, lstm_gradient), "gru": (gru_step, gru_gradient),
    "rnn_tanh": (rnn_tanh_step, rnn_tanh_gradient), "rnn_relu": (rnn_relu_step, rnn_relu_gradient),
}  # fmt: skip


@cache
def step_kernel(mode: str, dtype: np.dtype, has_bias: bool) -> Kernel:
    """kernel(x, r, bias, h, c, kept, out, out_c, rows, size): gates x + r (+ bias), (rows, gates, size), to a state"""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    gates, kept_gates, step = GATES[mode], KEPT[mode], STEPS[mode][0]

    @kernel(" ".join([f"{code}*"] * 8 + ["i4", "i4"]), block=BLOCK, name=f"{mode}_step")
    def one_step(x, r, bias, h, c, kept, out, out_c, rows, size):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < rows * size:
            n = i // size
            j = i - n * size
            inputs = regs(gates)
            recurrent = regs(gates)
            for k in static(gates):
                inputs[k] = read(x[(n * gates + k) * size + j])
                recurrent[k] = read(r[(n * gates + k) * size + j])
                if has_bias:
                    recurrent[k] = recurrent[k] + read(bias[k * size + j])
            made = regs(kept_gates + 2)
            made[:] = step(inputs, recurrent, read(h[i]), read(c[i]))
            for k in static(kept_gates):
                kept[(n * kept_gates + k) * size + j] = write(made[k])
            out[i] = write(made[kept_gates])
            out_c[i] = write(made[kept_gates + 1])

    return one_step


@cache
def gradient_kernel(mode: str, dtype: np.dtype) -> Kernel:
    """kernel(g, beside, through, d_c, h, c, kept, d_x, d_r, rows, size): one step back.

    The state's gradient is g + beside + through; `beside` and `d_c` become those of the state before, past the gates.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    gates, kept_gates, gradient = GATES[mode], KEPT[mode], STEPS[mode][1]
    number = WORDS[kind]

    @kernel(" ".join([f"{code}*"] * 9 + ["i4", "i4"]), block=BLOCK, name=f"{mode}_gradient")
    def one_step_back(g, beside, through, d_c, h, c, kept, d_x, d_r, rows, size):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < rows * size:
            n = i // size
            j = i - n * size
            k_all = regs(kept_gates, fill=0.0)
            for k in static(kept_gates):
                k_all[k] = number(read(kept[(n * kept_gates + k) * size + j]))
            d_h = read(g[i]) + read(beside[i]) + read(through[i])
            made = regs(2 * gates + 2)
            made[:] = gradient(d_h, read(d_c[i]), read(h[i]), read(c[i]), k_all)
            for k in static(gates):
                d_x[(n * gates + k) * size + j] = write(made[k])
                d_r[(n * gates + k) * size + j] = write(made[gates + k])
            beside[i] = write(made[2 * gates])
            d_c[i] = write(made[2 * gates + 1])

    return one_step_back


# ---------------------------------------------------------------------- all steps
def _product(x, y):
    return x * y


PRODUCT = Formula(_product)


def _order(steps: int, reverse: bool) -> Iterable[int]:
    return range(steps - 1, -1, -1) if reverse else range(steps)


def _times(a: CudaArray, b: CudaArray) -> CudaArray:
    from .gemm import mm

    return mm(((a.shape[0], b.shape[1]), a.dtype), a, b)


def recurrent_layer(
    inferred: Any,
    gates: CudaArray,
    hx: CudaArray,
    cx: CudaArray | None,
    w_hh: CudaArray,
    b_hh: CudaArray | None,
    kind: str,
    reverse: bool,
    keep_all: bool,
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """h after each step, and for an LSTM the last c behind them; what is kept; the cells."""
    (shape, dtype), (kept_shape, _), (cell_shape, _) = inferred
    out, kept = empty(shape, dtype), empty(kept_shape, dtype)
    steps, (rows, size) = gates.shape[0], hx.shape
    cells = empty((kept_shape[0], rows, size), dtype)
    x, h, w = copy.contiguous(gates), copy.contiguous(hx, dtype), w_hh.transpose()
    c = h if cx is None else copy.contiguous(cx, dtype)
    b = x if b_hh is None else copy.contiguous(b_hh, dtype)
    made = step_kernel(kind, dtype, b_hh is not None)
    for t in _order(steps, reverse):
        row = t if keep_all else 0
        following = cells[row]
        if not keep_all and c.pointer == following.pointer:
            c = copy.copied(c)
        if rows * size:
            made.launch(-(-rows * size // BLOCK), x[t], _times(h, w), b, h, c, kept[row], out[t], following, rows, size)
        h, c = out[t], following
    if kind == "lstm":
        copy.write(out[steps], c)
    return out, kept, cells if cell_shape[2] else empty(cell_shape, dtype)


def _states_before(kind: str, hx: CudaArray, kept: CudaArray, cells: CudaArray, reverse: bool) -> CudaArray:
    """h before each step, (T, N, H), of what the steps have kept."""
    shape = (kept.shape[0], *hx.shape)
    if kind == "lstm":
        h = pointwise.compute(PRODUCT, [kept[:, :, 3], kept[:, :, 4]], (), shape, kept.dtype)
    else:
        h = cells if kind == "gru" else kept[:, :, 0]
    before = empty(shape, kept.dtype)
    steps = shape[0]
    copy.write(before[steps - 1 if reverse else 0], hx)
    if steps > 1:
        later, earlier = (before[:-1], h[1:]) if reverse else (before[1:], h[:-1])
        copy.write(later, earlier)
    return before


def recurrent_gradients(
    inferred: Any,
    g: CudaArray,
    gates: CudaArray,
    hx: CudaArray,
    cx: CudaArray | None,
    w_hh: CudaArray,
    b_hh: CudaArray | None,
    kept: CudaArray,
    cells: CudaArray,
    kind: str,
    reverse: bool,
) -> tuple[CudaArray | None, ...]:
    """The gradients of gates, hx, cx, w_hh and b_hh."""
    dtype, (rows, size), steps = gates.dtype, hx.shape, gates.shape[0]
    g, hx = copy.contiguous(g, dtype), copy.contiguous(hx, dtype)
    before = _states_before(kind, hx, kept, cells, reverse)
    d_x = empty((steps, rows, GATES[kind], size), dtype)
    d_r = empty(d_x.shape, dtype)
    beside, through = copy.full(hx.shape, 0, dtype), copy.full(hx.shape, 0, dtype)
    d_c = copy.copied(g[steps]) if kind == "lstm" else copy.full(hx.shape, 0, dtype)
    c = hx if cx is None else copy.contiguous(cx, dtype)
    made, order = gradient_kernel(kind, dtype), list(_order(steps, reverse))
    for k in range(steps - 1, -1, -1):
        t = order[k]
        cell = cells[order[k - 1]] if k and kind == "lstm" else c
        if rows * size:
            blocks = -(-rows * size // BLOCK)
            made.launch(blocks, g[t], beside, through, d_c, before[t], cell, kept[t], d_x[t], d_r[t], rows, size)
            through = copy.contiguous(_times(copy.reshaped(d_r[t], rows, -1), w_hh))
    d_h = pointwise.compute(SUM, [beside, through], (), hx.shape, dtype)
    flat = copy.reshaped(d_r, steps * rows, GATES[kind] * size)
    d_w = _times(flat.transpose(), copy.reshaped(before, steps * rows, size))
    d_b = None if b_hh is None else reduce.reduce("sum", flat, (0,), b_hh.shape, dtype)
    return copy.reshaped(d_x, *gates.shape), d_h, None if cx is None else d_c, d_w, d_b


def _sum(x, y):
    return x + y


SUM = Formula(_sum)

FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "lstm_step": lambda: step_kernel("lstm", FLOAT, True),
    "lstm_gradient": lambda: gradient_kernel("lstm", FLOAT),
    "gru_step": lambda: step_kernel("gru", FLOAT, True),
    "gru_gradient": lambda: gradient_kernel("gru", FLOAT),
}
