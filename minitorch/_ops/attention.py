"""Scaled dot-product attention and multi-head attention.

Attention is one kernel where the device has it, `attention_in_blocks`, and otherwise made of other ops: with dropout on
the CPU, with a mask that wants a gradient, under function transforms, and for the gradient of a gradient.
"""

from math import inf, sqrt
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import zeros
from minitorch._kernels.cpu import attention as kernels
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn
from minitorch.autograd.grad_mode import NO_GRAD, state

from .check import c_name, check, cpp_name, type_name, wrap_dim
from .gradient_kernels import by_kernel
from .nodes import titled
from .normalization import as_tuple
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import cast
from .public import FUNCTIONS, op, public


# ---------------------------------------------------------------------- attention in blocks, the scores never stored
@structured(
    tensors="queries keys values mask?",
    outputs=("sums",),
    returns=as_tuple,
    title="ScaledDotProductFlashAttentionForCpu",
)
def attention_in_blocks(queries, keys, values, mask, is_causal, scale, dropout):
    """The result, and of each row the logarithm of the sum that its softmax divides by; no gradient for a mask.

    `dropout` is what the device's kernels drew, or None.
    """
    wide = dtypes.float32.numpy if queries.dtype.itemsize == 2 else queries.dtype
    return [((*queries.shape[:-1], values.shape[-1]), queries.dtype), (queries.shape[:-1], wide)]


attention_in_blocks.cpu(kernels.attention)


@attention_in_blocks.shared("found")
def attention_found(g, queries, keys, values, mask, out, sums, is_causal, scale, dropout):
    return attention_gradients(g, queries, keys, values, mask, out, sums, is_causal, scale, dropout)  # noqa: F821


@attention_in_blocks.grad("queries")
def attention_grad_query(found):
    return found[0]


@attention_in_blocks.grad("keys")
def attention_grad_key(found):
    return found[1]


@attention_in_blocks.grad("values")
def attention_grad_value(found):
    return found[2]


def _attention_gradients_in_ops(g, query, key, value, mask, out, sums, is_causal, scale, dropout):
    matmul, transpose = FUNCTIONS["matmul"], FUNCTIONS["transpose"]
    weights = used = _weights(query, key, mask, is_causal, scale)
    slopes = matmul(g, transpose(value, -2, -1))
    if dropout is not None:
        from minitorch._kernels.cuda.attention import kept_weights

        kept = cast(wrap(kept_weights(query.array, key.array, dropout)), weights.array.dtype)
        slopes, used = slopes * kept, weights * kept
    slopes = weights * (slopes - FUNCTIONS["sum"](slopes * weights, -1, True)) * scale
    return matmul(slopes, key), matmul(transpose(slopes, -2, -1), query), matmul(transpose(used, -2, -1), g)


ARRAY_NAMES["attention_gradients"] = kernels.attention_gradients
TENSOR_NAMES["attention_gradients"] = by_kernel("attention_gradients", _attention_gradients_in_ops)


def _in_blocks(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Whether the device has kernels that take these, outside of function transforms."""
    q, k, v = query.array, key.array, value.array
    lead = q.shape[:-2]
    if state.mode not in (None, NO_GRAD) or not lead == k.shape[:-2] == v.shape[:-2] or k.shape[-2] != v.shape[-2]:
        return False
    if query.is_cuda:
        from minitorch._kernels.cuda.attention import fits

        is_added = mask is None or _is_added(mask, (*q.shape[:-1], k.shape[-2]), k.__class__)
        return is_added and k.shape[-2] > 0 and fits(q.shape[-1], v.shape[-1], q.dtype)
    if not q.__class__ is k.__class__ is v.__class__ is np.ndarray or q.shape[-1] != k.shape[-1]:
        return False
    is_added = mask is None or _is_added(mask, (*q.shape[:-1], k.shape[-2]), np.ndarray)
    return is_added and kernels.fits(q, v)


def _is_added(mask: Tensor, scores: tuple[int, ...], kind: type) -> bool:
    """Whether the mask, an array of this class, has a value for each of the scores and wants no gradient."""
    sizes = mask.shape[::-1]
    fits = 0 < len(sizes) <= len(scores) and all(m in (1, n) for m, n in zip(sizes, scores[::-1], strict=False))
    return fits and mask.array.__class__ is kind and not (mask.requires_grad and state.mode is None)


# ---------------------------------------------------------------------- attention
@public("nn.functional")
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value, for query (..., L, E), key (..., S, E) and value (..., S, V).

    A bool mask is True where a query may look; scale is 1 / sqrt(E) by default. With enable_gqa several heads of the
    query share one of the key and value. A query that may look nowhere gets zeros.

    >>> import minitorch as torch
    >>> q = k = v = torch.eye(2)
    >>> torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    if not isinstance(query, Tensor) or not isinstance(key, Tensor) or not isinstance(value, Tensor):
        raise _not_tensors(query, key, value)
    _check_attention(query, key, value, attn_mask, is_causal)
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p:g}")
    dtype, width, on_gpu = query.array.dtype, query.array.shape[-1], query.is_cuda
    scale = scale if scale is not None else 1.0 / sqrt(width) if width else 1.0
    if enable_gqa:
        key, value = _shared(query, key), _shared(query, value)
    if on_gpu and dropout_p >= 0 and _in_blocks(query, key, value, attn_mask):
        from minitorch._kernels.cuda.attention import drawn

        dropout = drawn(dropout_p, query.array.device.index) if dropout_p else None
        out = op("attention_in_blocks")(query, key, value, attn_mask, is_causal, scale, dropout)[0]
        return titled(out, "ScaledDotProductFlashAttentionBackward0")
    wide = dtypes.float32.numpy if dtype.itemsize == 2 else dtype
    if wide is not dtype:
        query, key, value = cast(query, wide), cast(key, wide), cast(value, wide)
    if not on_gpu and not dropout_p and _in_blocks(query, key, value, attn_mask):
        out = op("attention_in_blocks")(query, key, value, attn_mask, is_causal, scale, None)[0]
    else:
        weights = _weights(query, key, attn_mask, is_causal, scale)
        if dropout_p > 0:
            weights = FUNCTIONS["dropout"](weights, dropout_p, True)
        out = FUNCTIONS["matmul"](weights, value)
    return out if wide is dtype else cast(out, dtype)


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float) -> Tensor:
    scores = FUNCTIONS["matmul"](query * scale, FUNCTIONS["transpose"](key, -2, -1))
    if mask is not None:
        scores = FUNCTIONS["where"](mask, scores, -inf) if mask.dtype == dtypes.bool else scores + mask
    return op("causal_softmax")(scores) if is_causal else _softmax(scores, mask is not None)


def _softmax(scores: Tensor, masked: bool) -> Tensor:
    """softmax over the last dimension, where rows of -inf alone become zeros, and pass no gradient on."""
    if not masked or not scores.shape[-1]:
        return FUNCTIONS["softmax"](scores, -1)
    nowhere = FUNCTIONS["all"](scores.detach() == -inf, -1, True)
    weights = FUNCTIONS["softmax"](FUNCTIONS["where"](nowhere, 0.0, scores), -1)
    return FUNCTIONS["where"](nowhere, 0.0, weights)


def _shared(query: Tensor, t: Tensor) -> Tensor:
    """Heads of the key or value repeated for as many of the query."""
    heads, own = query.shape[-3], t.shape[-3]
    check(heads % own == 0, "Number of heads in key and value must divide the number of heads in ")
    return FUNCTIONS["repeat_interleave"](t, heads // own, -3) if own != heads else t


def _not_tensors(*args: Any) -> TypeError:
    """The error about the first argument that is no tensor."""
    at = next(i for i, a in enumerate(args) if not isinstance(a, Tensor))
    argument = f"argument '{('query', 'key', 'value')[at]}' (position {at + 1})"
    return TypeError(f"scaled_dot_product_attention(): {argument} must be Tensor, not {type_name(args[at])}")


def _check_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool) -> None:
    q, k, v = query.array, key.array, value.array
    if min(q.ndim, k.ndim, v.ndim) < 2:
        dims = f"query.dim: {q.ndim} key.dim: {k.ndim} and value.dim: {v.ndim}"
        raise RuntimeError(f"Expected query, key, and value to all be  at least 2 dimensional, but got {dims} instead.")
    if not q.dtype == k.dtype == v.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {cpp_name(query.array)} "
            f"key.dtype: {cpp_name(key.array)} and value.dtype: {cpp_name(value.array)} instead."
        )
    if not query.is_floating_point():
        raise RuntimeError(f"expected scalar type Float but found {c_name(query.array)}")
    if mask is None:
        return
    if mask.dtype not in (dtypes.bool, dtypes.float32, query.dtype):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{cpp_name(mask.array)} and  query.dtype: {cpp_name(query.array)} instead."
        )
    if mask.array.ndim < 2 and q.ndim == k.ndim == v.ndim == 4:
        wrap_dim(-2, mask.array.ndim, scalar=False)  # torch takes such a mask for fewer dimensions only
    check(not is_causal, "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")


# ---------------------------------------------------------------------- several heads
@public("nn.functional", bare=True)
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of query (L, N, E) to key and value (S, N, E) in num_heads parts of E, between two linear layers.

    Returns the result (L, N, E) and, with need_weights, the weights (N, L, S), their mean over the heads. Without N
    the same of one sequence. Masks are True, or -inf, where a query must not look.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (FUNCTIONS["unsqueeze"](t, 1) for t in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = FUNCTIONS["unsqueeze"](key_padding_mask, 0)
    length, batch, embed = query.shape
    padding = _additive(key_padding_mask, "key_padding_mask", query, attn_mask)
    check(
        not is_causal or attn_mask is not None,
        "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
        "`generate_square_subsequent_mask` to create this mask.",
    )
    causal = is_causal and padding is None and not need_weights  # the mask is known then, and need not be looked at
    mask = None if causal else _additive(attn_mask, "attn_mask", query)
    _must(embed == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed}")
    _must(embed % num_heads == 0, f"embed_dim {embed} not divisible by num_heads {num_heads}")
    _check_keys(key, value, use_separate_proj_weight)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected((query, key, value), in_proj_weight, separate, in_proj_bias)
    if mask is not None:
        mask = _mask_by_heads(mask, batch * num_heads, length, key.shape[0])
    added = 0
    if bias_k is not None or bias_v is not None:
        _must(bias_k is not None and bias_v is not None, "bias_k and bias_v must be given together")
        _must(static_k is None, "bias cannot be added to static key.")
        _must(static_v is None, "bias cannot be added to static value.")
        k, v = (_extended(t, FUNCTIONS["repeat"](b, 1, batch, 1), 0) for t, b in ((k, bias_k), (v, bias_v)))
        added += 1
    heads = batch * num_heads
    q = _by_heads(q, heads)
    k = _by_heads(k, heads) if static_k is None else _static(static_k, "static_k", heads, embed // num_heads)
    v = _by_heads(v, heads) if static_v is None else _static(static_v, "static_v", heads, embed // num_heads)
    if add_zero_attn:
        k, v = (_extended(t, zeros(heads, 1, embed // num_heads, dtype=t.dtype), 1) for t in (k, v))
        added += 1
    mask = _merged(mask, padding, added, (batch, num_heads, k.shape[1]))
    dropout_p = dropout_p if training else 0.0
    weights = None
    if need_weights:
        out, weights = _weighed(q, k, v, mask, dropout_p)
        out = FUNCTIONS["transpose"](out, 0, 1)
        weights = FUNCTIONS["reshape"](weights, batch, num_heads, length, k.shape[1])
        weights = FUNCTIONS["mean"](weights, 1) if average_attn_weights else weights
        weights = weights if batched else FUNCTIONS["squeeze"](weights, 0)
    else:
        parts = (FUNCTIONS["reshape"](t, batch, num_heads, t.shape[1], t.shape[2]) for t in (q, k, v))
        if mask is not None:
            lead = (1, 1) if mask.shape[0] == 1 else (batch, num_heads)
            mask = FUNCTIONS["reshape"](mask, (*lead, *mask.shape[1:]))
        out = scaled_dot_product_attention(*parts, mask, dropout_p, causal)
        out = FUNCTIONS["permute"](out, (2, 0, 1, 3))
    out = FUNCTIONS["reshape"](out, length * batch, embed)
    out = FUNCTIONS["linear"](out, out_proj_weight, out_proj_bias)
    out = FUNCTIONS["reshape"](out, length, batch, out.shape[1])
    return (out if batched else FUNCTIONS["squeeze"](out, 1)), weights


def _must(condition: Any, message: str) -> None:
    check(condition, message, AssertionError)


def _check_shapes(query: Any, key: Any, value: Any, padding: Any, mask: Any, heads: int) -> bool:
    """Whether the query is a batch."""
    n = query.ndim
    _must(n in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor")
    which = f"For {'batched' if n == 3 else 'unbatched'} ({n}-D) `query`, expected"
    _must(
        key.ndim == n and value.ndim == n,
        f"{which} `key` and `value` to be {n}-D but found {key.ndim}-D and {value.ndim}-D tensors respectively",
    )
    if padding is not None:
        found = f"but found {padding.ndim}-D tensor instead"
        _must(padding.ndim == n - 1, f"{which} `key_padding_mask` to be `None` or {n - 1}-D {found}")
    if mask is not None:
        found = f"but found {mask.ndim}-D tensor instead"
        _must(mask.ndim in (2, 3), f"{which} `attn_mask` to be `None`, 2-D or 3-D {found}")
        expected = (heads, query.shape[0], key.shape[0])
        _must(
            n == 3 or mask.ndim == 2 or tuple(mask.shape) == expected,
            f"Expected `attn_mask` shape to be {expected} but got {mask.shape}",
        )
    return n == 3


def _check_keys(key: Tensor, value: Tensor, separate: bool) -> None:
    if separate:
        _must(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
    else:
        _must(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")


def _additive(mask: Tensor | None, name: str, query: Tensor, other: Tensor | None = None) -> Tensor | None:
    """The mask as numbers that are added to the scores."""
    if mask is None:
        return None
    _must(
        mask.dtype == dtypes.bool or mask.is_floating_point(),
        f"only bool and floating types of {name} are supported",
    )
    if other is not None and other.dtype != mask.dtype:
        warn(f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead.")
    if mask.is_floating_point():
        return mask
    return FUNCTIONS["masked_fill"](zeros(*mask.shape, dtype=query.dtype), mask, -inf)


def _mask_by_heads(mask: Tensor, heads: int, length: int, keys: int) -> Tensor:
    """The mask as (1 or N * heads, L, S)."""
    expected = (length, keys) if mask.ndim == 2 else (heads, length, keys)
    if tuple(mask.shape) != expected:
        raise RuntimeError(f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {expected}.")
    return mask if mask.ndim == 3 else FUNCTIONS["unsqueeze"](mask, 0)


def _projected(inputs: Any, packed: Any, separate: Any, bias: Tensor | None) -> list[Tensor]:
    """The linear layers of query, key and value, whose weights are stacked in one or given one by one."""
    widths = [t.shape[-1] for t in inputs]
    if separate is None:
        _must(packed is not None, "use_separate_proj_weight is False but in_proj_weight is None")
        weights = FUNCTIONS["chunk"](packed, 3)
    else:
        weights = separate
        for name, w, letter, width in zip(("query", "key", "value"), weights, "qkv", widths, strict=True):
            _must(w is not None, f"use_separate_proj_weight is True but {letter}_proj_weight is None")
            expected = (widths[0], width)
            _must(tuple(w.shape) == expected, f"expecting {name} weights shape of {expected}, but got {w.shape}")
    biases = (None,) * 3 if bias is None else FUNCTIONS["chunk"](bias, 3)
    return [FUNCTIONS["linear"](t, w, b) for t, w, b in zip(inputs, weights, biases, strict=True)]


def _by_heads(t: Tensor, heads: int) -> Tensor:
    """(S, N, E) as (N * heads, S, E / heads), contiguous in the batch."""
    length, batch, embed = t.shape
    return FUNCTIONS["transpose"](FUNCTIONS["reshape"](t, length, heads, embed * batch // heads), 0, 1)


def _static(t: Tensor, name: str, heads: int, width: int) -> Tensor:
    _must(t.shape[0] == heads, f"expecting {name}.size(0) of {heads}, but got {t.shape[0]}")
    _must(t.shape[2] == width, f"expecting {name}.size(2) of {width}, but got {t.shape[2]}")
    return t


def _extended(t: Tensor, more: Tensor, dim: int) -> Tensor:
    return FUNCTIONS["cat"]([t, more], dim)


def _merged(mask: Tensor | None, padding: Tensor | None, added: int, shape: tuple[int, int, int]) -> Tensor | None:
    """Both masks in one; what was added to the keys may be looked at."""
    batch, heads, keys = shape
    if added:
        mask, padding = (None if m is None else FUNCTIONS["pad"](m, (0, added)) for m in (mask, padding))
    if padding is None:
        return mask
    _must(padding.shape[0] == batch, f"Expected key_padded_mask.shape[0] to be {batch}, but got {padding.shape[0]}")
    _must(padding.shape[1] == keys, f"Expected key_padded_mask.shape[1] to be {keys}, but got {padding.shape[1]}")
    wide = FUNCTIONS["expand"](FUNCTIONS["reshape"](padding, batch, 1, 1, keys), batch, heads, 1, keys)
    wide = FUNCTIONS["reshape"](wide, batch * heads, 1, keys)
    return wide if mask is None else mask + wide


def _weighed(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float) -> tuple[Tensor, Tensor]:
    q, k = q * sqrt(1.0 / q.shape[-1]), FUNCTIONS["transpose"](k, 1, 2)
    scores = FUNCTIONS["bmm"](q, k) if mask is None else FUNCTIONS["baddbmm"](mask, q, k)
    weights = FUNCTIONS["softmax"](scores, -1)
    if dropout_p:
        weights = FUNCTIONS["dropout"](weights, dropout_p)
    return FUNCTIONS["bmm"](weights, v), weights
