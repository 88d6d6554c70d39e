"""What programs of views and writes begin and end with."""

import numpy as np


def leaf(ns, *shape, dtype="float64"):
    n = int(np.prod(shape))
    values = (np.arange(n) % 7 - 2.5).reshape(shape)
    return ns.tensor(values.tolist(), dtype=getattr(ns, dtype), requires_grad=True)


def weighted(ns, t):
    """A scalar in which every element of t counts differently."""
    n = t.numel()
    return (t * (ns.arange(n, dtype=t.dtype).reshape(t.shape) + 1)).sum()
