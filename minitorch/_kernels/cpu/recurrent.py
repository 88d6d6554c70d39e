"""Layers of LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al., arXiv:1406.1078) and plain RNN, over all steps.

One compiled loop over the steps for each kind of layer; threads share the rows of the batch, and take all steps of
theirs.
"""

from functools import cache as once
from typing import Any

import numpy as np

from minitorch._kernels import cache

from . import threads
from .products import MATRIX, blas_function, flat, tiles

ROWS = 32  # of the batch in a part: with fewer a product takes much longer for each

TEXT = """
from numba import njit
from minitorch._kernels.cpu.parallel import split
from minitorch._kernels.cpu.recurrent_steps import {kind}_{pass_}, over_{pass_}s, product_by_{by}
part_of = over_{pass_}s({kind}_{pass_}, product_by_{by})
@njit(cache=True, nogil=True, error_model='numpy', _nrt=False)
def kernel(crew, parts, {params}):
    split(crew, part_of, parts, (parts, {params}))
"""
PARAMETERS = {
    "step": "means, x, h, c, w_hh, b_hh, reverse, r, out, kept, cells",
    "gradient": "means, g, before, c, w_hh, reverse, kept, cells, d_h, d_c, through, d_x, d_r",
}


@once
def _kernel(kind: str, pass_: str, by: str) -> Any:
    text = TEXT.format(kind=kind, pass_=pass_, by=by, params=PARAMETERS[pass_])
    return cache.load(f"{kind}_{pass_}", text).kernel


def _run(kind: str, pass_: str, steps: int, r: Any, w: Any, before: Any, after: Any) -> None:
    """One pass over the steps; r (..., N, gates H) are the products with the hidden state.

    `before` and `after` are the kernel's arguments but for w, the matrix (k, n) that each step multiplies by.
    """
    rows, width = r.shape[-2:]
    work, blocks = steps * rows * width * (width // (4 * MATRIX) + 1), max(1, -(-rows // ROWS))
    crew, _ = threads.share(work, blocks)
    by, means, w = _product(rows, w)
    kernel = _kernel(kind, pass_, by)
    kernel(crew, blocks if threads.cuts(work, blocks) else 1, means, *before, w, *after)


def _product(rows: int, w: Any) -> tuple[str, Any, Any]:
    """What multiplies so many rows by w: `product_by_` which, its means, and w as it reads it."""
    k, n = w.shape
    kernels = tiles(rows, n, w.dtype)
    if kernels is None:
        function = blas_function(w.dtype.char, "gemm")
        return "blas" if function else "loops", function, _in_order(w)
    lanes = kernels.lanes(w.dtype)
    packed = np.empty((k, -(-n // lanes) * lanes), w.dtype)
    (source, transposed) = flat(w)
    kernels.pack(source, (1, k) if transposed else (n, 1), n, packed)
    return "tiles", np.zeros(lanes, w.dtype), packed


def layer(
    kind: str, x: Any, h: Any, c: Any, w_hh: Any, b_hh: Any, reverse: bool, out: Any, kept: Any, cells: Any
) -> None:
    """out[t] = h after step t of x (T, N, gates H); for an LSTM out[T] = the last c.

    cells[t] = c of an LSTM, h of a GRU. With one row of kept (T or 1, N, ..., H) and cells (T or 1, N, H) for all
    steps nothing is left for a gradient.
    """
    steps = len(x)
    r = np.empty(x.shape[1:], x.dtype)
    x, h, c, b_hh = (_in_order(a) for a in (x, h, c, r[:0].reshape(-1) if b_hh is None else b_hh))
    after = b_hh, reverse, r, out, _rows_of_gates(kept), cells
    _run(kind, "step", steps, r, w_hh.T, (x, h, c), after)
    if kind == "lstm":
        out[steps] = cells[0 if reverse else -1] if steps else c


def layer_gradient(
    kind: str, g: Any, h_before: Any, c: Any, w_hh: Any, reverse: bool, kept: Any, cells: Any, d_x: Any, d_r: Any
) -> tuple[Any, Any]:
    """(d_h, d_c) of the state before the first step; fills d_x and d_r (T, N, gates H), but for a GRU one array."""
    steps = len(kept)
    d_h = np.zeros(h_before.shape[1:], g.dtype)
    d_c, through = (g[steps].copy() if kind == "lstm" else d_h), np.empty_like(d_h)
    after = reverse, _rows_of_gates(kept), cells, d_h, d_c, through, d_x, d_r
    _run(kind, "gradient", steps, d_r, w_hh, (_in_order(g), h_before, _in_order(c)), after)
    return d_h, d_c


def states_before(kind: str, hx: Any, kept: Any, cells: Any, reverse: bool) -> Any:
    """h before each step, (T, N, H), of what the steps have kept."""
    h = kept[:, :, 3] * kept[:, :, 4] if kind == "lstm" else cells if kind == "gru" else kept[:, :, 0]
    before = np.empty(h.shape, h.dtype)
    first, later, earlier = (-1, before[:-1], h[1:]) if reverse else (0, before[1:], h[:-1])
    before[first], later[...] = hx, earlier
    return before


def _rows_of_gates(kept: Any) -> Any:
    return kept.reshape(*kept.shape[:2], kept.shape[2] * kept.shape[3])


def _in_order(a: Any) -> Any:
    """The array as the kernels read it: one variant of each is compiled."""
    return np.require(a, requirements="CAW")
