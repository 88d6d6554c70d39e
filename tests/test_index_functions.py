"""Functions that select, gather, scatter, sort, count or flip agree with torch in values, dtypes and gradients."""

import numpy as np
import pytest
from index_compare import BOTH, assert_same, assert_same_outcome, numbers, outcome, pair

import minitorch

FUNCTIONS = {
    "index_select": lambda t, x: x.index_select(1, t.tensor([3, 0, 0])),
    "index_select of a 0-dim index": lambda t, x: x.index_select(0, t.tensor(2)),
    "index_select of a scalar": lambda t, x: x[0, 0].index_select(0, t.tensor([0])),
    "gather": lambda t, x: x.gather(1, t.tensor([[0, 0], [1, 3]])),
    "gather along rows": lambda t, x: x.gather(0, t.tensor([[2, 0], [2, 0], [1, 1], [2, 2]])),
    "gather without elements": lambda t, x: x.gather(0, t.zeros(0, 4).long()),
    "gather of a scalar": lambda t, x: x[0, 0].gather(0, t.tensor([0, 0])),
    "gather from a transposed tensor": lambda t, x: x.t().gather(-1, t.tensor([[0, 2], [1, 1]]).int()),
    "take": lambda t, x: x.take(t.tensor([[0, 11], [-1, 0]])),
    "take_along_dim": lambda t, x: t.take_along_dim(x, t.tensor([[1], [-1], [0]]), 1),
    "take_along_dim broadcast": lambda t, x: t.take_along_dim(x, t.tensor([[1, 5, 1]]), 1),
    "take_along_dim flat": lambda t, x: t.take_along_dim(x, t.tensor([3, 3])),
    "scatter of a number": lambda t, x: x.scatter(1, t.tensor([[0], [3]]), 2.5),
    "scatter with reduce add": lambda t, x: x.detach().scatter(1, t.tensor([[0, 0], [3, 3]]), 2.5, reduce="add"),
    "scatter with reduce multiply": lambda t, x: x.detach().scatter(0, t.tensor([[0, 0]]), 2.5, reduce="multiply"),
    "scatter": lambda t, x: x.scatter(0, t.tensor([[0, 1, 2, 0]]), x[1:2] * 3),
    "scatter of a larger src": lambda t, x: x.scatter(0, t.tensor([[2, 0]]), (x * 3).detach()),
    "scatter_": lambda t, x: (x * 2).t().scatter_(1, t.tensor([[2, 0]]), x[:1, :2]),
    "scatter_add": lambda t, x: x.scatter_add(0, t.tensor([[0, 0, 0, 0], [0, 1, 2, 0]]), x[:2] * x[1:]),
    "scatter_add_ along the last": lambda t, x: (x * 2).scatter_add_(-1, t.tensor([[1, 1]]), x[2:, :2]),
    "masked_fill": lambda t, x: x.masked_fill(x.detach() > 0, -1),
    "masked_fill broadcast": lambda t, x: x[0].masked_fill(x.detach() > 0, float("inf")),
    "masked_fill with a tensor": lambda t, x: x.masked_fill(x.detach() > 0, x[0, 0] * 3),
    "masked_fill_": lambda t, x: (x * 2).t().masked_fill_(x.detach().t() > 0, x[1, 1]),
    "masked_select": lambda t, x: x.masked_select(x.detach() > 0),
    "masked_select broadcast": lambda t, x: x.masked_select(t.tensor([True, False, True, False])),
    "index_add": lambda t, x: x.index_add(0, t.tensor([0, 0]), x[1:] * x[:2]),
    "index_add of columns": lambda t, x: x.index_add(1, t.tensor([3, 0]), x[:, :2], alpha=2),
    "index_add_": lambda t, x: (x * 2).t().index_add_(0, t.tensor([3, 3]), x.t()[:2]),
    "index_copy": lambda t, x: x.index_copy(1, t.tensor([3, 0]), x[:, 1:3] * 2),
    "index_fill": lambda t, x: x.index_fill(0, t.tensor([0, -1]), 4),
    "index_fill with a tensor": lambda t, x: x.index_fill(1, t.tensor([1, 0]), x[0, 0] * x[1, 1]),
    "index_fill_": lambda t, x: (x * 2).index_fill_(1, t.tensor([2]), 1.5),
    "index_put": lambda t, x: x.index_put((t.tensor([0, 2]),), x[1]),
    "index_put of every dim": lambda t, x: x.index_put((t.tensor(0), t.tensor(2)), x[1, 1] * 2),
    "index_put accumulating": lambda t, x: x.index_put((t.tensor([0, 0, -1]),), x * x, accumulate=True),
    "index_put by a mask": lambda t, x: x.index_put((x.detach() > 0,), x[0, 0]),
    "where": lambda t, x: t.where(x.detach() > 0, x * 2, x[0]),
    "where of a number": lambda t, x: t.where(x.detach() > 0, x, 0),
    "where of a number first": lambda t, x: t.where(x.detach() > 0, 1, x),
    "where as a method": lambda t, x: x.where(x.detach()[0] > 0, x[1] * x),
    "where of two dtypes": lambda t, x: t.where(x.detach() > 0, x.float(), x),
    "where of a 0-dim tensor": lambda t, x: t.where(x.detach() > 0, x, x[0, 0].float()),
    "tril": lambda t, x: x.tril(),
    "tril of a batch": lambda t, x: (x * x.t()[:, :1, None]).tril(-1),
    "triu": lambda t, x: x.triu(1),
    "tril_": lambda t, x: (x * 2).tril_(),
    "triu_": lambda t, x: (x * 2).t().triu_(),
    "roll": lambda t, x: x.roll(5) * x,
    "roll of dims": lambda t, x: x.roll((1, -2), (0, 1)) * x,
    "repeat": lambda t, x: x.repeat(2, 1, 3),
    "repeat of a scalar": lambda t, x: x[0, 0].repeat(3),
    "tile": lambda t, x: x.tile(2),
    "tile as a function": lambda t, x: t.tile(x, (2, 1, 1)),
    "repeat_interleave": lambda t, x: x.repeat_interleave(3),
    "repeat_interleave of a dim": lambda t, x: x.repeat_interleave(2, 1),
    "repeat_interleave by a tensor": lambda t, x: x.repeat_interleave(t.tensor([2, 0, 1]), 0),
    "repeat_interleave by one": lambda t, x: x.repeat_interleave(t.tensor([2]), 1),
    "sort": lambda t, x: x.sort(1, True).values,
    "sort of rows": lambda t, x: x.sort(0)[0],
    "sort of a scalar": lambda t, x: x[0, 0].sort().values,
    "topk": lambda t, x: x.topk(2).values,
    "topk of the smallest rows": lambda t, x: x.topk(2, 0, largest=False).values,
    "topk of none": lambda t, x: x.topk(0).values,
    "msort": lambda t, x: x.msort(),
    "diag": lambda t, x: x.diag(1),
    "diag of a vector": lambda t, x: x[0].diag(-1),
    "diag_embed": lambda t, x: x.diag_embed(1, 0, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_agrees_in_value_gradient_and_second_gradient(name):
    found = []
    for lib in BOTH:
        x = lib.tensor(numbers((3, 4)), requires_grad=True)
        y = FUNCTIONS[name](lib, x)
        results = [y]
        if y.requires_grad:
            weight = lib.tensor(numbers(tuple(y.shape), seed=1)).to(y.dtype)
            kept = lib.where(lib.isfinite(y), y, 0.0)
            (first,) = lib.autograd.grad((kept * kept * weight).sum(), x, create_graph=True)
            results += [first, *lib.autograd.grad((first * first).sum(), x)]
        found.append(results)
    assert_same(*found)


INTEGER_RESULTS = {
    "nonzero": lambda t, x: x.nonzero(),
    "nonzero as a tuple": lambda t, x: t.nonzero(x, as_tuple=True),
    "nonzero of a 0-dim tensor": lambda t, x: (
        x[0, 0].nonzero(),
        t.nonzero(x[0, 1], as_tuple=True),
    ),
    "where of a condition": lambda t, x: t.where(x > 5),
    "argwhere": lambda t, x: t.argwhere(x > 5),
    "count_nonzero": lambda t, x: (
        x.count_nonzero(),
        x.count_nonzero(0),
        t.count_nonzero(x, (0, 1)),
    ),
    "argsort": lambda t, x: (x.argsort(descending=True), x.argsort(0)),
    "sort of integers": lambda t, x: x.long().sort(descending=True),
    "sort of bools": lambda t, x: (x > 5).sort(descending=True, stable=True),
    "unique": lambda t, x: t.unique((x % 3).long(), return_inverse=True, return_counts=True),
    "unique along a dim": lambda t, x: (x % 2).unique(dim=0),
    "isin": lambda t, x: (
        t.isin(x, t.tensor([1.0, 2.0])),
        t.isin(x, 1),
        t.isin(x, t.tensor([3]), invert=True),
    ),
    "repeat of none": lambda t, x: x.repeat(0, 2),
    "repeat_interleave alone": lambda t, x: t.repeat_interleave(t.tensor([1, 2, 0])),
    "where of numbers": lambda t, x: (
        t.where(x > 5, 1, 0),
        t.where(x > 5, 1.5, 0),
        t.where(x > 5, True, False),
    ),
    "masked_fill of integers": lambda t, x: x.long().masked_fill(x > 5, 1.9),
    "index_fill of integers": lambda t, x: x.long().index_fill(0, t.tensor([0]), 1.9),
    "assigned floats": lambda t, x: _assigned(x.long(), 2.7),
    "assigned bools": lambda t, x: _assigned(x.long(), True),
    "scatter_add of bools": lambda t, x: (x > 5).scatter_add(0, t.tensor([[0, 0, 2, 2]]), x[:1] > 0),
    "index_add of bools": lambda t, x: (x > 5).index_add(0, t.tensor([0]), x[:1] > 0),
}


def _assigned(x, value):
    x[0] = value
    x[1, [0, 1]] = value
    return x


@pytest.mark.parametrize("name", INTEGER_RESULTS)
def test_function_without_gradient_agrees(name):
    assert_same(*[INTEGER_RESULTS[name](lib, lib.arange(12.0).reshape(3, 4)) for lib in BOTH])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int16", "uint8", "bool"])
def test_many_columns_are_selected_in_every_dtype(dtype):
    values = np.random.default_rng(0).integers(0, 200, (90, 3, 40))
    columns = np.random.default_rng(1).integers(0, 40, 500)
    for order in ((0, 1, 2), (1, 0, 2)):
        x, y = [lib.tensor(values).to(getattr(lib, dtype)).permute(order) for lib in BOTH]
        at, there = [lib.tensor(columns) for lib in BOTH]
        assert_same(x.index_select(2, at), y.index_select(2, there))
        assert_same(x[:, :, at - 20], y[:, :, there - 20])
        assert_same(x.tril(1), y.tril(1))


@pytest.mark.parametrize("mask_shape", [(200, 300), (300,), (200, 1), (1, 1)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
def test_many_elements_are_filled_where_a_broadcast_mask_is_true(dtype, mask_shape):
    values, mask = numbers((200, 300)).astype(dtype), numbers(mask_shape, seed=1) > 0
    for transposed in (False, True):
        x, y = [t.t() if transposed else t for t in pair(values)]
        if transposed and mask.ndim > 1:
            here, there = [t.t() for t in pair(mask)]
        else:
            here, there = pair(mask if not transposed else mask[:200])
        assert_same(x.masked_fill(here, 2), y.masked_fill(there, 2))
        assert_same(x.masked_fill_(here, 1), y.masked_fill_(there, 1))
    if dtype[0] == "f":
        x, y = pair(values, grad=True)
        for t, given in zip((x, y), pair(mask)):
            (t.masked_fill(given, 2.0) * t.detach()).sum().backward()
        assert_same(x.grad, y.grad)
        several = minitorch.vmap(lambda x, v: x.masked_fill(x > 0, v))(
            x.detach().expand(3, -1, -1), minitorch.arange(3.0)
        )
        for v in range(3):
            assert_same(several[v], y.detach().masked_fill(y > 0, v))


@pytest.mark.parametrize("weight", [None, "float32", "float64", "int64"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8"])
def test_bincount_counts_integers_of_any_layout_with_weights_of_any_dtype(dtype, weight):
    values = np.random.default_rng(0).integers(0, 20, 60).astype(dtype)
    weights = None if weight is None else np.arange(60).astype(weight)
    for n, minlength in ((0, 0), (0, 3), (60, 0), (60, 50)):
        for step in (1, 2):
            x, y = [lib.tensor(values[:n])[::step] for lib in BOTH]
            w, v = [None if weight is None else lib.tensor(weights[:n])[::step] for lib in BOTH]
            assert_same(x.bincount(w, minlength), y.bincount(v, minlength))


SEGMENTS = {
    "lengths": lambda t: {"lengths": t.tensor([2, 0, 1, 3])},
    "lengths of int32": lambda t: {"lengths": t.tensor([6, 0]).int()},
    "lengths of each row": lambda t: {"lengths": t.tensor([[2, 1], [0, 3], [1, 2], [3, 0], [1, 2], [0, 3]]), "axis": 1},
    "offsets": lambda t: {"offsets": t.tensor([1, 1, 3, 4])},
    "offsets of each row": lambda t: {"offsets": t.tensor([[0, 1, 3]] * 6), "axis": -2},
    "both": lambda t: {"offsets": t.tensor([0, 6]), "lengths": t.tensor([1.5])},
}


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod", "amax", "amin"])
def test_segments_are_reduced_as_in_torch(reduce, segments):
    values = np.random.default_rng(0).integers(-2, 3, (2, 3, 6)).astype(np.float64)
    values[0, 1, 2::3] = np.nan
    values[1, 2, :2] = np.inf, -np.inf
    for initial in (None, 1, -0.5, np.nan):
        for sign in (1, -1):
            x, y = [t.transpose(0, 2) for t in pair(values)]
            found = []
            for t, data in zip(BOTH, (x.requires_grad_(), y.requires_grad_())):
                out = t.segment_reduce(data, reduce, initial=initial, **SEGMENTS[segments](t))
                out.backward(t.arange(1.0, 1 + out.numel()).reshape(out.shape).to(out.dtype) * sign)
                found.append((out, data.grad))
            assert_same(*found)


MISTAKEN_SEGMENTS = {
    "neither": lambda t, x: t.segment_reduce(x, "sum"),
    "indices": lambda t, x: t.segment_reduce(x, "sum", indices=t.tensor([0, 1])),
    "another reduction": lambda t, x: t.segment_reduce(x, "std", lengths=t.tensor([3])),
    "too short": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([2])),
    "negative": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([4, -1])),
    "no lengths": lambda t, x: t.segment_reduce(x[:0], "sum", lengths=t.tensor([]).long()),
    "no offsets": lambda t, x: t.segment_reduce(x, "sum", offsets=t.tensor([]).long()),
    "another axis": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([3]), axis=1),
    "another axis of offsets": lambda t, x: t.segment_reduce(x, "sum", offsets=t.tensor([0, 3]), axis=1),
    "more dimensions": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([[[3]]])),
    "an axis too far": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([3]), axis=2),
    "fractional lengths": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([3.0])),
    "short offsets": lambda t, x: t.segment_reduce(x, "sum", offsets=t.tensor([0, 3]).short()),
    "integers": lambda t, x: t.segment_reduce(x.long(), "sum", lengths=t.tensor([3])),
    "a list": lambda t, x: t.segment_reduce(x, "sum", lengths=[3]),
    "a word as the initial value": lambda t, x: t.segment_reduce(x, "sum", lengths=t.tensor([3]), initial="a"),
}


@pytest.mark.parametrize("mistake", MISTAKEN_SEGMENTS)
def test_segments_are_refused_as_in_torch(mistake):
    x, y = pair(numbers((3, 2)))
    assert_same_outcome(*[outcome(MISTAKEN_SEGMENTS[mistake], t, v) for t, v in zip(BOTH, (x, y))])


def test_segments_outside_the_data_are_refused_where_torch_reads_foreign_memory():
    for given in ({"lengths": minitorch.tensor([4]), "unsafe": True}, {"offsets": minitorch.tensor([-1, 2])}):
        with pytest.raises(RuntimeError, match="segments must lie within the 3 elements along axis 0"):
            minitorch.segment_reduce(minitorch.ones(3), "sum", **given)
    with pytest.raises(RuntimeError, match="each row of data needs a row of segments"):
        minitorch.segment_reduce(minitorch.ones(2, 3), "sum", offsets=minitorch.tensor([[0, 3]]), axis=1)


def test_the_gradient_of_segments_has_none():
    x = minitorch.ones(3, requires_grad=True)
    out = minitorch.segment_reduce(x, "prod", lengths=minitorch.tensor([1, 2]))
    (slope,) = minitorch.autograd.grad(out.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="derivative for aten::_segment_reduce_backward is not implemented"):
        slope.sum().backward()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_sort_is_stable_and_takes_nan_for_the_largest(dtype, descending):
    values = np.random.default_rng(0).integers(-4, 4, (3, 200)).astype(np.float64)
    if dtype != "int32":
        values[:, ::17] = np.nan
        values[:, 3::19] = -0.0
        values[:, 5::23] = np.inf
        values[:, 7::29] = -np.nan
    for dim in (0, 1):
        found = [lib.tensor(values.astype(dtype)).sort(dim=dim, descending=descending, stable=True) for lib in BOTH]
        assert_same(*found)
    top = [lib.tensor(values.astype(dtype)).topk(10, 1, largest=descending).values for lib in BOTH]
    assert_same(*top)


@pytest.mark.parametrize("descending", [False, True])
def test_ties_in_some_rows_are_left_where_torch_leaves_them(descending):
    values = np.random.default_rng(0).integers(0, 50, (5, 1000)).astype(np.float32)
    values[1::2] = np.random.default_rng(1).permutation(2000).reshape(2, 1000)
    orders = [lib.tensor(values).sort(1, descending).indices for lib in BOTH]
    assert_same(*orders)
    for k, in_order in ((3, True), (300, True), (300, False)):  # a heap, a selection and a sort, a selection
        assert_same(*[lib.tensor(values).topk(k, 1, descending, in_order).indices for lib in BOTH])


@pytest.mark.parametrize(
    "spoiled", [[], [np.nan], [np.nan] * 40, [np.inf, -np.inf, -0.0, 0.0], [3.0] * 40, [3.0] * 9001]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
def test_first_of_long_rows_are_torchs(dtype, spoiled):
    values = np.random.default_rng(0).permutation(2 * 9001).reshape(2, 9001) - 9000.0
    if dtype == "int64":
        spoiled = [n for n in spoiled if np.isfinite(n)]
    values[1, : len(spoiled)] = spoiled
    x, y = [lib.tensor(values).to(getattr(lib, dtype)) for lib in BOTH]
    for k in (17, 30, 35):
        for largest in (True, False):
            assert_same(x.topk(k, 1, largest), y.topk(k, 1, largest))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int64", "bool", "float32"])
@pytest.mark.parametrize("spread", [1, 60, 30_000])
def test_unique_integers_are_torchs_whether_they_lie_close_together_or_not(dtype, spread):
    values = np.random.default_rng(0).integers(-spread, spread, (7, 40)).astype(dtype)
    for keys in ({}, {"return_inverse": True}, {"return_counts": True}):
        assert_same(*[lib.unique(lib.tensor(values), **keys) for lib in BOTH])
        assert_same(*[lib.unique(lib.tensor(values).t()[1:], **keys) for lib in BOTH])
        assert_same(*[lib.unique(lib.tensor(values)[0, 0], **keys) for lib in BOTH])


def test_returned_tuples_are_named_as_in_torch():
    for lib in BOTH:
        x = lib.tensor([2.0, 1.0])
        assert repr(x.sort()).startswith("torch.return_types.sort(\nvalues=tensor([1., 2.]),\nindices=")
        assert x.topk(1).indices.tolist() == [0]


def test_scatter_multiply_has_no_gradient():
    x = minitorch.ones(2, requires_grad=True)
    y = x.scatter(0, minitorch.tensor([0]), 2.0, reduce="multiply")
    with pytest.raises(RuntimeError, match=r"aten::scatter\.reduce is not implemented"):
        y.sum().backward()


def test_results_can_go_to_out():
    x = minitorch.arange(6.0).reshape(2, 3)
    out = minitorch.empty(2)
    assert minitorch.gather(x, 1, minitorch.tensor([[0], [2]]), out=minitorch.empty(2, 1)).tolist() == [[0], [5]]
    assert minitorch.masked_select(x, x > 3, out=out) is out
    assert out.tolist() == [4, 5]


META = {
    "basic": lambda t, x: x[1, ::2, None],
    "positions": lambda t, x: x[:, [0, 0]],
    "assignment": lambda t, x: _assigned(x, 2.0),
    "index_select": lambda t, x: x.index_select(0, t.tensor([0], device="meta")),
    "gather": lambda t, x: x.gather(0, t.zeros(2, 2, device="meta").long()),
    "masked_fill": lambda t, x: x.masked_fill(x > 0, 1),
    "where": lambda t, x: t.where(x > 0, x, 0.0),
    "scatter": lambda t, x: x.scatter(0, t.zeros(2, 2, device="meta").long(), 1.0),
    "tril": lambda t, x: x.tril(),
    "roll": lambda t, x: x.roll(1),
    "repeat": lambda t, x: x.repeat(2, 2),
    "sort": lambda t, x: x.sort().indices,
    "topk": lambda t, x: x.topk(2).values,
    "diag_embed": lambda t, x: x.diag_embed(),
}


@pytest.mark.parametrize("name", META)
def test_meta_tensors_have_torchs_shape_and_dtype(name):
    found = [META[name](lib, lib.empty(3, 4, device="meta")) for lib in BOTH]
    assert tuple(found[0].shape) == tuple(found[1].shape)
    assert str(found[0].dtype) == str(found[1].dtype)
    assert found[0].is_meta


@pytest.mark.parametrize("call", [lambda x: x[x > 0], lambda x: x.nonzero()], ids=["mask", "nonzero"])
def test_a_shape_that_depends_on_data_is_refused_on_meta(call):
    with pytest.raises(NotImplementedError, match="depends on data"):
        call(minitorch.empty(3, device="meta"))


# those of more than 4096 elements by a kernel
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [
        (3, 7, 9),
        (5,),
        (2, 0, 3),
        (1, 1),
        (4, 2, 130),
        (31, 7, 19),
        (9001,),
        (1, 4099),
        (4099, 1),
        (40, 50, 3),
        (300, 16),
        (9, 30, 17),
    ],
)
def test_flips_of_rows_of_any_length_are_torchs(shape, dtype):
    array = numbers(shape).astype(dtype)
    for dims in ([-1], [0], [len(shape) // 2], sorted({0, len(shape) - 1}), list(range(len(shape)))):
        ours, theirs = (lib.from_numpy(array) for lib in BOTH)
        np.testing.assert_array_equal(ours.flip(dims).numpy(), theirs.flip(dims).numpy())
        ours, theirs = (t.transpose(0, -1) for t in (ours, theirs))
        np.testing.assert_array_equal(ours.flip(dims).numpy(), theirs.flip(dims).numpy())


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("part", [(slice(None), slice(2, 5)), (slice(None, None, 2),), (..., slice(1, 4))])
def test_rows_are_selected_from_parts_of_larger_tensors(part, dim):
    array, places = numbers((6, 8, 5)), np.array([1, 0, 2, 1])
    for kind in (np.int64, np.int32):
        ours, theirs = (
            lib.from_numpy(array)[part].index_select(dim, lib.from_numpy(places.astype(kind))) for lib in BOTH
        )
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
        assert ours.stride() == theirs.stride()
    for wrong in (-1, 8):
        with pytest.raises((IndexError, RuntimeError), match="out of"):
            minitorch.from_numpy(array)[part].index_select(dim, minitorch.tensor([0, wrong]))
