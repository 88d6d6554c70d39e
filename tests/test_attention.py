"""Attention against torch's: masks, scales, shared heads, dropout, errors; multi_head_attention_forward."""

import numpy as np
import pytest
import torch
from compare import assert_same, both, first_line

import minitorch


def random(*shape, seed=0):
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape)


Q, K, V = random(2, 4, 5, 8), random(2, 4, 7, 8, seed=1), random(2, 4, 7, 6, seed=2)
SEEN = np.add.outer(np.arange(5), np.arange(7)) < 6
BIAS = random(5, 7)


def attend(*arrays, **options):
    """The call, with every array among its arguments as a tensor of each framework."""

    def call(ns):
        given = {n: ns.tensor(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
        return ns.nn.functional.scaled_dot_product_attention(*map(ns.tensor, arrays), **given)

    return call


CALLS = {
    "plain": attend(Q, K, V),
    "causal": attend(Q, K, V, is_causal=True),
    "causal, of several thousand scores": attend(random(8, 40, 4), random(8, 30, 4), random(8, 30, 4), is_causal=True),
    "causal, no keys": attend(Q, K[:, :, :0], V[:, :, :0], is_causal=True),
    "bool mask": attend(Q, K, V, attn_mask=SEEN),
    "mask of floats": attend(Q, K, V, attn_mask=BIAS),
    "mask of a batch": attend(Q, K, V, attn_mask=random(2, 1, 5, 7)),
    "a query that sees nothing": attend(Q, K, V, attn_mask=SEEN & (np.arange(5) != 2)[:, None]),
    "scale": attend(Q, K, V, scale=0.3),
    "negative scale": attend(Q, K, V, scale=-0.3),
    "shared heads": attend(Q, K[:, :2], V[:, :2], enable_gqa=True),
    "three dimensions": attend(Q[0], K[0], V[0]),
    "two dimensions": attend(Q[0, 0], K[0, 0], V[0, 0]),
    "no queries": attend(Q[:, :, :0], K, V),
    "no keys": attend(Q, K[:, :, :0], V[:, :, :0]),
    "no features": attend(Q[..., :0], K[..., :0], V),
    "everything dropped": attend(Q, K, V, dropout_p=1.0),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_are_torchs(name):
    assert_same(CALLS[name](minitorch), CALLS[name](torch), 1e-12)


def test_dropout_is_torchs_from_the_same_seed():
    def dropped(ns):
        ns.manual_seed(3)
        return attend(*(a.astype(np.float32) for a in (Q, K, V)), dropout_p=0.4)(ns)

    assert_same(dropped(minitorch), dropped(torch), 1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"is_causal": True}, {"attn_mask": SEEN}, {"attn_mask": BIAS}, {"scale": -2.0}]
)
def test_gradients_are_torchs(options):
    def gradients(ns):
        parts = [ns.tensor(a, requires_grad=True) for a in (Q, K, V)]
        given = {n: ns.tensor(v) if isinstance(v, np.ndarray) else v for n, v in options.items()}
        mask = given.get("attn_mask")
        if mask is not None and mask.is_floating_point():
            parts.append(mask.requires_grad_())
        (ns.nn.functional.scaled_dot_product_attention(*parts[:3], **given) ** 2).sum().backward()
        return [t.grad for t in parts]

    assert_same(gradients(minitorch), gradients(torch), 1e-10)


BAD = {
    "a mask and causal": attend(Q, K, V, attn_mask=SEEN, is_causal=True),
    "heads that do not divide": attend(Q, random(2, 3, 7, 8), random(2, 3, 7, 6), enable_gqa=True),
    "heads without enable_gqa": attend(Q, K[:, :2], V[:, :2]),
    "a vector": attend(Q[0, 0, 0], K[0, 0], V[0, 0]),
    "dtypes": attend(Q.astype(np.float32), K, V),
    "dtype of the mask": attend(Q, K, V, attn_mask=SEEN.astype(np.int64)),
    "shape of the mask": attend(Q, K, V, attn_mask=BIAS[:, :6]),
    "features": attend(Q, K[..., :7], V),
    "keys and values": attend(Q, K, V[:, :, :6]),
    "integers": attend(*(a.astype(np.int64) for a in (Q, K, V))),
    "dropout above 1": attend(Q, K, V, dropout_p=1.5),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_torchs(name):
    ours, theirs = both(BAD[name])
    assert theirs.error is not None
    assert type(ours.error) is type(theirs.error)
    assert first_line(ours.error) == first_line(theirs.error)


OPTIONS = {}, {"need_weights": False}, {"average_attn_weights": False}


@pytest.mark.parametrize(
    ("masked", "options"), [*((m, o) for m in (False, True) for o in OPTIONS), (True, {"is_causal": True})]
)
def test_multi_head_attention_is_torchs(masked, options):
    def call(ns):
        q, k, v = (ns.tensor(random(n, 3, 8, seed=n)) for n in (5, 7, 7))
        weights = ns.tensor(random(24, 8)), ns.tensor(random(24)), None, None, False, 0.0
        out = ns.tensor(random(8, 8, seed=1)), ns.tensor(random(8))
        mask = {"attn_mask": ns.tensor(~np.tri(5, 7, dtype=bool))} if masked else {}
        padding = ns.tensor(np.arange(7) > np.array([[6], [4], [5]]))
        forward = ns.nn.functional.multi_head_attention_forward
        result = forward(q, k, v, 8, 2, *weights, *out, key_padding_mask=padding, **mask, **options)
        return [r for r in result if r is not None]

    assert_same(call(minitorch), call(torch), 1e-10)
