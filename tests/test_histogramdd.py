"""histogramdd against torch's."""

import pytest
import torch

import minitorch

BOTH = torch, minitorch
POINTS = [[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [2.0, 2.0]]

CALLS = {
    "bins of each dimension": lambda T, x: T.histogramdd(x, bins=[3, 4]),
    "bins by position": lambda T, x: T.histogramdd(x, [2, 2]),
    "one number of bins": lambda T, x: T.histogramdd(x, bins=2, weight=T.tensor([1.0, 2.0, 4.0, 8.0])),
    "range": lambda T, x: T.histogramdd(x, bins=[3, 3], range=[0.0, 1.0, 0.0, 1.0]),
    "density": lambda T, x: T.histogramdd(x, [3, 2], weight=T.tensor([1.0, 2.0, 4.0, 8.0]), density=True),
    "edges": lambda T, x: T.histogramdd(x, bins=(T.tensor([0.0, 1.0, 3.0]), T.tensor([0.0, 1.0, 2.0, 3.0]))),
    "more dimensions": lambda T, x: T.histogramdd(x.reshape(2, 2, 2), bins=[2, 2]),
    "no points": lambda T, x: T.histogramdd(x[:0], bins=[2, 2]),
}
ERRORS = {
    "bins of one dimension": lambda T, x: T.histogramdd(x, bins=[3]),
    "a short range": lambda T, x: T.histogramdd(x, bins=[3, 3], range=[0.0, 1.0]),
    "no bins": lambda T, x: T.histogramdd(x, bins=[3, 0]),
    "edges of one dimension": lambda T, x: T.histogramdd(x, bins=(T.tensor([0.0, 1.0]),)),
    "a matrix of edges": lambda T, x: T.histogramdd(x, bins=(T.ones(1, 2), T.ones(2))),
    "no edges": lambda T, x: T.histogramdd(x, bins=(T.ones(0), T.ones(2))),
    "edges of another dtype": lambda T, x: T.histogramdd(x, bins=(T.ones(2).double(), T.ones(2))),
    "a vector": lambda T, x: T.histogramdd(T.ones(3), bins=[3]),
    "integers": lambda T, x: T.histogramdd(x.long(), bins=[3, 3]),
    "halves": lambda T, x: T.histogramdd(x.half(), bins=[3, 3]),
    "weight of another shape": lambda T, x: T.histogramdd(x, bins=[2, 2], weight=T.ones(3)),
    "weight of another dtype": lambda T, x: T.histogramdd(x, bins=[2, 2], weight=T.ones(4).double()),
    "an upside-down range": lambda T, x: T.histogramdd(x, bins=[2, 2], range=[1.0, 0.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("name", CALLS)
def test_counts_and_edges_are_torchs(name):
    theirs, mine = (CALLS[name](T, T.tensor(POINTS)) for T in BOTH)
    assert type(mine).__name__ == type(theirs).__name__
    assert str(mine.hist) == str(theirs.hist)
    assert str(mine.bin_edges) == str(theirs.bin_edges)


@pytest.mark.parametrize("name", ERRORS)
def test_wrong_calls_raise_torchs_error(name):
    caught = []
    for T in BOTH:
        with pytest.raises((RuntimeError, NotImplementedError)) as error:
            ERRORS[name](T, T.tensor(POINTS))
        caught.append((error.type, str(error.value).splitlines()[0]))
    assert caught[0] == caught[1]
