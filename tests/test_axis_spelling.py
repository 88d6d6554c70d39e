"""torch takes NumPy's `axis` wherever a function has a `dim`."""

import numpy as np
import pytest
import torch

import minitorch

CALLS = {
    "cat": lambda t, x, i: t.cat([x, x], axis=1),
    "concatenate": lambda t, x, i: t.concatenate([x, x], axis=1),
    "stack": lambda t, x, i: t.stack([x, x], axis=1),
    "softmax": lambda t, x, i: t.softmax(x, axis=1),
    "method softmax": lambda t, x, i: x.softmax(axis=1),
    "log_softmax": lambda t, x, i: t.log_softmax(x, axis=0),
    "gather": lambda t, x, i: t.gather(x, axis=1, index=i),
    "index_select": lambda t, x, i: t.index_select(x, axis=0, index=i[0]),
    "select": lambda t, x, i: x.select(axis=1, index=2),
    "scatter_add": lambda t, x, i: t.scatter_add(x, axis=1, index=i, src=x),
    "cosine_similarity": lambda t, x, i: t.cosine_similarity(x, 2 * x + 1, axis=1),
    "size": lambda t, x, i: t.tensor(x.size(axis=1)),
    "gather without dim": lambda t, x, i: t.gather(x, index=i),
    "gather without index": lambda t, x, i: t.gather(x, 0),
    "softmax without dim": lambda t, x, i: t.softmax(x),
    "scatter_add without dim": lambda t, x, i: t.scatter_add(x, index=i, src=x),
    "select without index": lambda t, x, i: x.select(0),
}


@pytest.mark.parametrize("name", CALLS)
def test_axis_is_dim(name):
    def outcome(t):
        x = t.arange(6.0).reshape(2, 3)
        try:
            return CALLS[name](t, x, t.tensor([[0, 1, 1], [1, 0, 0]])).tolist()
        except TypeError:
            return TypeError

    found, wanted = outcome(minitorch), outcome(torch)
    assert isinstance(found, list) == isinstance(wanted, list)
    if isinstance(wanted, list):
        np.testing.assert_allclose(found, wanted, 1e-6)
    else:
        assert found == wanted
