"""Scaled dot-product attention whose scores are never stored: where its arrays lie, and how threads share it.

The blocks are in `attention_blocks`. Their cut depends on shapes alone, and every sum is one part's, so the bits are
the same at any number of threads.
"""

from ctypes import addressof, c_char
from typing import Any

import numpy as np

from minitorch._kernels import cache

from . import threads
from .products import MATRIX, product_function

GROUPS = 16  # parts of a gradient at least, if there are keys enough


def fits(query: Any, value: Any) -> bool:
    """Whether there is a function for products of their dtype, and something to compute."""
    return bool(query.size and value.size and product_function(query.dtype))


def attention(
    query: Any, key: Any, value: Any, mask: Any, is_causal: bool, scale: float, dropout: None = None
) -> tuple[Any, Any]:
    """(out, sums) of query (..., L, E), key (..., S, E), value (..., S, V), and a mask for (..., L, S) or None.

    Only a GPU's kernel takes `dropout`.

    A mask of bools says what is seen, another is added. sums (..., L) are the logarithms of what softmax divides by.
    In memory out is in the order of the query, as torch's is.
    """
    q, k, v = _matrices(query), _matrices(key), _matrices(value)
    batch, heads, length, width = q.shape
    out = np.empty_like(q) if v.shape[3] == width else np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    sums = np.empty((batch * heads, length), q.dtype)
    sizes = heads, length, k.shape[2], width, v.shape[3]
    kernels = cache.load_file("cpu.attention_blocks")
    crew, parts, work = _shared(kernels, sums, sizes, is_causal, batch * heads * -(-length // kernels.QUERIES), 2)
    mask = _mask(mask, query, key)
    places = _place(q), _place(k), _place(v), _place_of_mask(mask), _place(out)
    kernels.forward(crew, parts, product_function(q.dtype), *places, sums, work, sizes, is_causal, scale)
    if query.ndim != 4:
        out = out.reshape(*query.shape[:-1], v.shape[3])
    return out, sums.reshape(query.shape[:-1])


def attention_gradients(
    g: Any, query: Any, key: Any, value: Any, mask: Any, out: Any, sums: Any, is_causal: bool, scale: float,
    dropout: None = None,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The gradients of query, key and value, from that of out."""
    g, q, k, v, out = [_matrices(a) for a in (g, query, key, value, out)]
    d_q, d_k, d_v = gradients = [np.empty_like(a) for a in (q, k, v)]
    for d in gradients:  # np.zeros_like takes twice as long
        d.fill(0)
    (batch, heads, length, width), keys = q.shape, k.shape[2]
    sizes = heads, length, keys, width, v.shape[3]
    kernels = cache.load_file("cpu.attention_blocks")
    groups = min(-(-keys // kernels.KEYS), max(1, GROUPS // (batch * heads)))
    sum_of_groups = d_q[None] if groups == 1 else np.zeros((groups, *q.shape), q.dtype)
    crew, parts, work = _shared(kernels, sums, sizes, is_causal, batch * heads * groups, 5)
    mask = _mask(mask, query, key)
    places = *map(_place, (g, q, k, v)), _place_of_mask(mask), _place(out)
    d_places = (*_place(sum_of_groups[0]), sum_of_groups.strides[0]), _place(d_k), _place(d_v)
    sums = sums.reshape(batch * heads, length)
    function = product_function(q.dtype)
    kernels.backward(crew, parts, function, *places, sums, *d_places, work, sizes, groups, is_causal, scale)
    if groups > 1:
        sum_of_groups.sum(0, out=d_q)
    if query.ndim == 4:
        return d_q, d_k, d_v
    return d_q.reshape(query.shape), d_k.reshape(key.shape), d_v.reshape(value.shape)


def _shared(kernels: Any, sums: Any, sizes: tuple[int, ...], is_causal: bool, items: int, products: int) -> Any:
    """A crew, the number of parts, and memory for each."""
    _, length, keys, width, wide = sizes
    products *= sums.size * keys * (width + wide) // (4 if is_causal else 2)
    crew, parts = threads.share(products // MATRIX, items)
    rows, columns = min(kernels.QUERIES, length), min(kernels.KEYS, keys)
    return crew, parts, np.empty((parts, rows * (2 * columns + 1)), sums.dtype)


def _by_heads(a: Any) -> Any:
    """The matrices with two leading dimensions."""
    return a if a.ndim == 4 else a.reshape(-1, 1, *a.shape[-2:])


def _matrices(a: Any) -> Any:
    """The matrices by heads as BLAS takes them: rows apart, the numbers of each one after the other."""
    if a.ndim == 4 and a.flags.carray:
        return a
    a = _by_heads(a)
    size, (length, width) = a.itemsize, a.shape[2:]
    step, own = a.strides[2:]
    fits = (own == size or width == 1) and (step >= width * size or length == 1) and a.flags.aligned
    return a if fits else a.copy()


def _address(a: Any) -> int:
    """Where the numbers begin; by ctypes in a quarter of the time, which takes what is in order and may be written."""
    try:
        return addressof(c_char.from_buffer(a))
    except TypeError:
        return a.__array_interface__["data"][0]


def _place(a: Any) -> tuple[int, ...]:
    """The matrices' address and steps; that between rows has room for one even if there is one only."""
    batch, head, row, _ = a.strides
    least = a.shape[3] * a.itemsize
    return _address(a), batch, head, row if row > least else least


def _place_of_mask(a: Any) -> tuple[int, ...]:
    return (0, 0, 0, 0) if a is None else (_address(a), *a.strides[:3])


def _mask(mask: Any, query: Any, key: Any) -> Any:
    """What is added to the scores, for all of them; rows in order."""
    if mask is None:
        return None
    seen = mask.dtype == np.bool_
    mask = (
        np.where(mask, query.dtype.type(0), query.dtype.type(-np.inf)) if seen else mask.astype(query.dtype, copy=False)
    )
    keys = key.shape[-2]
    if mask.shape[-1] != keys or mask.strides[-1] != mask.itemsize:
        mask = np.broadcast_to(mask, (*mask.shape[:-1], keys)).copy()
    return _by_heads(np.broadcast_to(mask, (*query.shape[:-1], keys)))
