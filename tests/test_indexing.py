"""x[i] and x[i] = v agree with torch in values, geometry, gradients and errors."""

from __future__ import annotations

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from index_compare import BOTH, assert_same, assert_same_outcome, numbers, outcome, pair

import minitorch

# ---------------------------------------------------------------------- random index expressions
MAX = 4


@st.composite
def cases(draw):
    """(shape, index), the index as `built` takes it; now and then it is out of range."""
    shape = tuple(draw(st.lists(st.integers(0, MAX), max_size=4)))
    block = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    index, dim, ellipsis = [], 0, False
    for _ in range(draw(st.integers(0, 5))):
        n = shape[dim] if dim < len(shape) else 2
        kind = draw(st.sampled_from("int slice slice none ellipsis array array list scalar bool mask mask".split()))
        slack = draw(st.sampled_from([0] * 12 + [1]))
        position = st.integers(-n - slack, max(n - 1 + slack, -n))
        if kind == "int":
            index.append(draw(position))
            dim += 1
        elif kind == "slice":
            bound = st.none() | st.integers(-MAX - 1, MAX + 1)
            index.append(
                slice(
                    draw(bound),
                    draw(bound),
                    draw(st.sampled_from([None, None, 1, 2, 3, -1][: 5 + slack])),
                )
            )
            dim += 1
        elif kind == "none":
            index.append(None)
        elif kind == "ellipsis" and not ellipsis:
            index.append(Ellipsis)
            ellipsis = True
            dim = max(dim, len(shape) - draw(st.integers(0, 2)))
        elif kind in ("array", "list"):
            size = draw(st.sampled_from([block, block[-1:], (1,)]))
            values = draw(st.lists(position, min_size=int(np.prod(size)), max_size=int(np.prod(size))))
            dtype = draw(st.sampled_from([np.int64, np.int64, np.int32]))
            index.append((kind, np.array(values, dtype).reshape(size)))
            dim += 1
        elif kind == "scalar":
            index.append(
                (
                    "array",
                    np.array(draw(position), draw(st.sampled_from([np.int64, np.int32, np.int16]))),
                )
            )
            dim += 1
        elif kind == "bool":
            index.append(draw(st.sampled_from([True, False, ("array", np.array(True)), ("array", np.array(False))])))
        elif kind == "mask":
            ndim = draw(st.integers(1, 2))
            size = list(shape[dim : dim + ndim]) or [2]
            size[0] += slack
            bits = draw(st.lists(st.booleans(), min_size=int(np.prod(size)), max_size=int(np.prod(size))))
            index.append(("array", np.array(bits, bool).reshape(size)))
            dim += len(size)
    if len(index) == 1 and draw(st.booleans()):
        return shape, index[0]
    return shape, list(index)


def built(lib, index):
    """The index with this framework's tensors."""
    if isinstance(index, list):
        return tuple([built(lib, i) for i in index])
    if isinstance(index, tuple):
        kind, array = index
        return array.tolist() if kind == "list" and array.ndim == 1 and array.size else lib.tensor(array)
    return index


def source(shape):
    """A tensor whose memory is not in index order."""
    data = np.arange(1.0, 1 + np.prod(shape)).reshape(shape[::-1])
    order = tuple(reversed(range(len(shape))))
    return [lib.tensor(data).permute(order) if shape else lib.tensor(data) for lib in BOTH]


EXAMPLES = settings(max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(cases())
def test_any_index_reads_what_torch_reads(case):
    shape, index = case
    inputs = source(shape)
    found = [outcome(lambda x=x, lib=lib: x[built(lib, index)]) for x, lib in zip(inputs, BOTH)]
    assert_same_outcome(*found)
    if found[0][0] == "error":
        return
    ours, theirs = found[0][1], found[1][1]
    assert ours._is_view() == theirs._is_view()
    if theirs._is_view() and theirs.numel():  # NumPy keeps no strides where there is nothing to step over
        assert ours.stride() == theirs.stride()
        assert ours.storage_offset() == theirs.storage_offset()
    assert np.shares_memory(ours.numpy(), inputs[0].numpy()) == np.shares_memory(theirs.numpy(), inputs[1].numpy())


@EXAMPLES
@given(cases(), st.integers(0, 3))
def test_any_assignment_writes_what_torch_writes(case, kind):
    shape, index = case
    inputs = source(shape)
    read = outcome(lambda: inputs[1][built(torch, index)])
    size = tuple(read[1].shape) if read[0] == "ok" else (2,)
    value = [
        7.5,
        np.float64(2.5),
        numbers(size),
        numbers((1, *size[1:]) if kind == 3 else size[:-1] + (5,)),
    ][kind]

    def write(lib, x):
        x[built(lib, index)] = lib.tensor(value) if kind else value
        return x

    repeated = read[0] == "ok" and len(np.unique(marked(shape, index))) < np.prod(size, dtype=int)
    found = [outcome(write, lib, x) for lib, x in zip(BOTH, inputs)]
    if repeated and kind > 1 and found[1][0] == "ok":
        assert found[0][0] == "ok"  # which of several values for one place wins is not defined
        return
    assert_same_outcome(*found)
    assert inputs[0]._version == inputs[1]._version or found[0][0] == "error" or not np.prod(size)


def marked(shape, index):
    """The position in the tensor of each element that the index names."""
    return torch.arange(int(np.prod(shape))).reshape(shape)[built(torch, index)].numpy()


@EXAMPLES
@given(cases())
def test_any_index_has_torchs_gradient_and_second_gradient(case):
    shape, index = case
    if outcome(lambda: torch.zeros(shape)[built(torch, index)])[0] == "error":
        return
    found = []
    for lib in BOTH:
        x = lib.tensor(numbers(shape), requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            y = (x * x)[built(lib, index)]
        weight = lib.tensor(numbers(tuple(y.shape), seed=1))
        (first,) = lib.autograd.grad((y * weight * y).sum(), x, create_graph=True)
        (second,) = lib.autograd.grad((first * first).sum(), x)
        found.append((type(y.grad_fn).__name__, first, second))
    assert found[0][0] == found[1][0]
    assert_same(found[0][1:], found[1][1:])


@settings(EXAMPLES, max_examples=200)
@given(cases(), st.booleans())
def test_any_assignment_has_torchs_gradients(case, scalar):
    shape, index = case
    read = outcome(lambda: torch.zeros(shape)[built(torch, index)])
    if read[0] == "error":
        return
    size = () if scalar else tuple(read[1].shape)
    if not scalar and len(np.unique(marked(shape, index))) < np.prod(size, dtype=int):
        return
    found = []
    for lib in BOTH:
        x = lib.tensor(numbers(shape), requires_grad=True)
        v = lib.tensor(numbers(size, seed=2), requires_grad=True)
        y = x * 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            y[built(lib, index)] = v * v
        grads = lib.autograd.grad((y * y * y).sum(), (x, v), create_graph=True, allow_unused=True)
        total = sum((g * g).sum() for g in grads if g is not None)
        again = lib.autograd.grad(total, (x, v), allow_unused=True)
        found.append([g.detach() for g in (*grads, *again) if g is not None and np.prod(g.shape)])
    assert_same(*found)


# ---------------------------------------------------------------------- single facts of indexing
@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "SelectBackward0"),
        (slice(1, None), "SliceBackward0"),
        (slice(None), "SliceBackward0"),
        (None, "UnsqueezeBackward0"),
        (Ellipsis, "AliasBackward0"),
        ((), "AliasBackward0"),
        ((slice(None), slice(None)), "AliasBackward0"),
        ((slice(None), 0), "SelectBackward0"),
        ((0, None), "UnsqueezeBackward0"),
        ((None, 0), "SelectBackward0"),
        ((0, slice(1, 2)), "SliceBackward0"),
        (True, "IndexBackward0"),
        ([0, 1], "IndexBackward0"),
        ((slice(None), [0, 0]), "IndexBackward0"),
    ],
)
def test_the_node_is_named_after_the_last_step(index, name):
    for x in pair(np.ones((3, 4)), grad=True):
        assert x[index].grad_fn.name() == name


ERRORS = {
    "integer past the end": lambda t, x: x[5],
    "integer before the start": lambda t, x: x[-4],
    "integer in a 0-dim tensor": lambda t, x: x[0, 0][0],
    "slice of a 0-dim tensor": lambda t, x: x[0, 0][:],
    "too many integers": lambda t, x: x[0, 0, 0],
    "too many around an Ellipsis": lambda t, x: x[0, ..., 0, 0],
    "negative step": lambda t, x: x[::-1],
    "zero step": lambda t, x: x[::0],
    "float in a slice": lambda t, x: x[0:1.5],
    "position past the end": lambda t, x: x[:, t.tensor([0, 7])],
    "second position past the end": lambda t, x: x[t.tensor([0]), t.tensor([-9])],
    "position in nothing": lambda t, x: x[:0][t.tensor([0])],
    "positions that do not broadcast": lambda t, x: x[t.tensor([0, 1]), t.tensor([0, 1, 2])],
    "float tensor": lambda t, x: x[x],
    "int16 tensor": lambda t, x: x[t.tensor([0]).short()],
    "mask of another length": lambda t, x: x[t.tensor([True, False])],
    "mask of another width": lambda t, x: x[1:, t.tensor([True, False])],
    "mask with too many dimensions": lambda t, x: x[t.ones(3, 4, 1) > 0],
    "float": lambda t, x: x[1.5],
    "dict": lambda t, x: x[{}],
    "class": lambda t, x: x[int],
    "numpy bool": lambda t, x: x[np.bool_(True)],
    "string": lambda t, x: x["a"],
    "assigned string": lambda t, x: x.__setitem__(0, "a"),
    "assigned list": lambda t, x: x.__setitem__(0, [1, 2, 3, 4]),
    "assigned array": lambda t, x: x.__setitem__(0, np.ones(4)),
    "assigned None": lambda t, x: x.__setitem__(0, None),
    "assigned past the end": lambda t, x: x.__setitem__(5, 1),
    "assigned to too many": lambda t, x: x.__setitem__((0, 0, 0), 1),
    "assigned two to four": lambda t, x: x.__setitem__(0, t.ones(2)),
    "assigned two to one": lambda t, x: x.__setitem__((0, 0), t.ones(2)),
    "assigned two rows to three": lambda t, x: x.__setitem__(slice(None), t.ones(2, 4)),
    "assigned two to positions": lambda t, x: x.__setitem__([0, 1], t.ones(2)),
    "assigned two to a mask": lambda t, x: x.__setitem__(x > 5, t.ones(2)),
    "assigned position past the end": lambda t, x: x.__setitem__([0, 5], 1),
    "assigned another dtype to positions": lambda t, x: x.__setitem__([0, 1], t.ones(4).long()),
    "assigned nan to integers": lambda t, x: x.long().__setitem__(0, float("nan")),
    "assigned a huge integer": lambda t, x: x.long().__setitem__(0, 10**30),
    "deleted": lambda t, x: x.__delitem__(0),
    "index_put_ with a tensor": lambda t, x: x.index_put_(t.tensor([0]), t.ones(1)),
    "index_put_ with None": lambda t, x: x.index_put_((None,), t.ones(1)),
    "index_put_ of too many": lambda t, x: x.index_put_((t.tensor([0]),) * 3, t.ones(1)),
    "index_put_ of floats": lambda t, x: x.index_put_((t.tensor([0.5]),), t.ones(1)),
    "index_select past the end": lambda t, x: x.index_select(0, t.tensor([3])),
    "index_select of columns past the end": lambda t, x: x.index_select(1, t.tensor([4])),
    "index_select negative": lambda t, x: x.index_select(0, t.tensor([-1])),
    "index_select by floats": lambda t, x: x.index_select(0, t.tensor([0.0])),
    "index_select by a matrix": lambda t, x: x.index_select(0, t.tensor([[0]])),
    "index_select along no dim": lambda t, x: x.index_select(2, t.tensor([0])),
    "gather past the end": lambda t, x: x.gather(1, t.tensor([[4]])),
    "gather negative": lambda t, x: x.gather(1, t.tensor([[-1]])),
    "gather by floats": lambda t, x: x.gather(1, t.tensor([[0.0]])),
    "gather with fewer dimensions": lambda t, x: x.gather(1, t.tensor([0])),
    "gather with too many rows": lambda t, x: x.gather(1, t.zeros(5, 5).long()),
    "scatter past the end": lambda t, x: x.scatter(0, t.tensor([[3]]), 1.0),
    "scatter negative": lambda t, x: x.scatter(0, t.tensor([[-1]]), 1.0),
    "scatter of a small src": lambda t, x: x.scatter(0, t.tensor([[0, 1]]), t.ones(1, 1)),
    "scatter of another dtype": lambda t, x: x.scatter(0, t.tensor([[0]]), t.ones(1, 1).double()),
    "scatter with fewer dimensions": lambda t, x: x.scatter(0, t.tensor([0]), 1.0),
    "scatter with an unknown reduce": lambda t, x: x.scatter(0, t.tensor([[0]]), 1.0, reduce="mean"),
    "scatter_add of a number": lambda t, x: x.scatter_add(0, t.tensor([[0]]), 1.0),
    "scatter_ into shared memory": lambda t, x: t.ones(1, 4).expand(3, 4).scatter_(0, t.tensor([[0]]), 1.0),
    "take past the end": lambda t, x: x.take(t.tensor([12])),
    "take by floats": lambda t, x: x.take(t.tensor([0.0])),
    "take from nothing": lambda t, x: x[:0].take(t.tensor([0])),
    "take_along_dim with fewer dimensions": lambda t, x: t.take_along_dim(x, t.tensor([0]), 1),
    "masked_fill by floats": lambda t, x: x.masked_fill(x, 1),
    "masked_fill by bytes": lambda t, x: x.masked_fill((x > 5).byte(), 1),
    "masked_fill with a vector": lambda t, x: x.masked_fill(x > 5, t.ones(1)),
    "masked_fill of another width": lambda t, x: x.masked_fill(t.tensor([True, False, True]), 1),
    "masked_fill with a string": lambda t, x: x.masked_fill(x > 5, "a"),
    "masked_fill_ that would grow": lambda t, x: x.masked_fill_(t.ones(2, 3, 4) > 0, 1),
    "masked_select by floats": lambda t, x: x.masked_select(x),
    "masked_select of another width": lambda t, x: x.masked_select(t.tensor([True, False])),
    "index_add past the end": lambda t, x: x.index_add(0, t.tensor([5]), t.ones(1, 4)),
    "index_add negative": lambda t, x: x.index_add(0, t.tensor([-1]), t.ones(1, 4)),
    "index_add of other rows": lambda t, x: x.index_add(0, t.tensor([0]), t.ones(1, 3)),
    "index_add of too many rows": lambda t, x: x.index_add(0, t.tensor([0]), t.ones(2, 4)),
    "index_add of another dtype": lambda t, x: x.index_add(0, t.tensor([0]), t.ones(1, 4).long()),
    "index_add by a matrix": lambda t, x: x.index_add(0, t.tensor([[0]]), t.ones(1, 4)),
    "index_add by floats": lambda t, x: x.index_add(0, t.tensor([0.0]), t.ones(1, 4)),
    "index_fill past the end": lambda t, x: x.index_fill(0, t.tensor([5]), 1),
    "index_fill by floats": lambda t, x: x.index_fill(0, t.tensor([0.0]), 1),
    "index_fill by a matrix": lambda t, x: x.index_fill(0, t.tensor([[0]]), 1),
    "index_fill with a vector": lambda t, x: x.index_fill(0, t.tensor([0]), t.ones(1)),
    "index_copy past the end": lambda t, x: x.index_copy(0, t.tensor([5]), t.ones(1, 4)),
    "index_copy of too many rows": lambda t, x: x.index_copy(0, t.tensor([0]), t.ones(2, 4)),
    "index_copy of other rows": lambda t, x: x.index_copy(0, t.tensor([0]), t.ones(1, 3)),
    "index_copy of another dtype": lambda t, x: x.index_copy(0, t.tensor([0]), t.ones(1, 4).long()),
    "index_copy by floats": lambda t, x: x.index_copy(0, t.tensor([0.0]), t.ones(1, 4)),
    "where by floats": lambda t, x: t.where(x, x, x),
    "where of shapes that do not broadcast": lambda t, x: t.where(x > 5, x.t(), x),
    "where of two": lambda t, x: t.where(x > 5, x),
    "where of a string": lambda t, x: t.where(x > 5, "a", x),
    "tril of a vector": lambda t, x: x[0].tril(),
    "roll along no dim": lambda t, x: x.roll(1, 5),
    "roll of two along one": lambda t, x: x.roll((1, 2), 0),
    "roll of a 0-dim tensor": lambda t, x: x[0, 0].roll(1, 0),
    "repeat of too few": lambda t, x: x.repeat(2),
    "repeat of negative": lambda t, x: x.repeat(-1, 1),
    "repeat of nothing": lambda t, x: x.repeat(),
    "repeat_interleave of another length": lambda t, x: x.repeat_interleave(t.tensor([1, 2]), 0),
    "repeat_interleave of negative": lambda t, x: x.repeat_interleave(t.tensor([1, -2, 1]), 0),
    "repeat_interleave by a negative": lambda t, x: x.repeat_interleave(-1),
    "repeat_interleave by floats": lambda t, x: x.repeat_interleave(t.tensor([1.0]), 0),
    "repeat_interleave by a matrix": lambda t, x: x.repeat_interleave(t.tensor([[1]]), 0),
    "sort along no dim": lambda t, x: x.sort(5),
    "topk of too many": lambda t, x: x.topk(9),
    "topk of negative": lambda t, x: x.topk(-1),
    "topk of bools": lambda t, x: (x > 5).topk(1),
    "diag of a 0-dim tensor": lambda t, x: x[0, 0].diag(),
    "diag_embed in one dim": lambda t, x: x.diag_embed(0, 0, 0),
}


@pytest.mark.parametrize("name", ERRORS)
def test_bad_input_is_refused_in_torchs_words(name):
    found = []
    for lib in BOTH:
        x = lib.arange(12.0).reshape(3, 4)
        found.append(outcome(ERRORS[name], lib, x))
        if lib is minitorch:  # nothing half-written
            np.testing.assert_array_equal(x.numpy(), np.arange(12.0).reshape(3, 4))
    assert found[1][0] == "error"
    assert found[0] == found[1]


def test_writing_through_an_index_reaches_the_base_and_its_version():
    for lib in BOTH:
        x = lib.zeros(3, 4)
        x[1:][0, ::2] = 5
        x[x > 4] = lib.tensor(2.0)
        x[[0, 0], [1, 2]] += 1
        assert x.tolist() == [[0, 1, 1, 0], [2, 0, 2, 0], [0, 0, 0, 0]]
        assert x._version == 3


def test_assignment_to_a_leaf_is_refused_in_torchs_words():
    for index in (0, [0], (slice(None), [0])):
        found = [outcome(x.__setitem__, index, 1.0) for x in pair(np.ones((2, 2)), grad=True)]
        assert found[0] == found[1]
        assert found[0][0] == "error"


def test_an_index_changed_after_its_use_is_an_error_in_backward():
    found = []
    for lib in BOTH:
        x = lib.ones(3, requires_grad=True)
        i = lib.tensor([0, 1])
        y = x[i]
        i += 1
        found.append(outcome(y.sum().backward)[:2])
    assert found[0] == found[1] == ("error", RuntimeError)


def test_a_uint8_index_is_a_mask_and_warns():
    for lib in BOTH:
        x = lib.arange(3.0)
        with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
            assert x[lib.tensor([1, 0, 1], dtype=lib.uint8)].tolist() == [0, 2]


def test_a_list_of_lists_counts_as_a_tuple_and_warns():
    for lib in BOTH:
        with pytest.warns(UserWarning, match="Using a non-tuple sequence"):
            assert lib.arange(6).reshape(2, 3)[[[0, 1], [1, 2]]].tolist() == [1, 5]


def test_writing_positions_of_an_expanded_tensor_warns():
    for lib in BOTH:
        x = lib.zeros(1, 2).expand(3, 2)
        with pytest.warns(UserWarning, match="Use of index_put_ on expanded tensors is deprecated"):
            x[lib.tensor([0])] = 1.0


@pytest.mark.parametrize(
    "index",
    [
        np.array([0, 2]),
        np.array([[0, 1], [1, 1]]),
        np.array([True, False, True]),
        np.int64(1),
        np.array(1),
        range(2),
        np.array([1.5]),
        [True, False, True],
        [[[0, 1]]],
    ],
    ids=repr,
)
def test_sequences_and_numpy_arrays_index_as_in_torch(index):
    assert_same_outcome(*[outcome(x.__getitem__, index) for x in pair(numbers((3, 4)))])


def test_positions_are_summed_in_the_gradient_of_many_rows():
    index = np.random.default_rng(0).integers(-50, 50, (400,))
    grads = []
    for x in pair(numbers((50, 3), np.float32), grad=True):
        lib = BOTH[len(grads)]
        (x[lib.tensor(index)] ** 2).sum().backward()
        grads.append(x.grad)
    np.testing.assert_allclose(grads[0].numpy(), grads[1].numpy(), rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_index_put_accumulates_in_every_dtype(dtype):
    found = []
    for lib in BOTH:
        x = lib.ones(4, 3).to(getattr(lib, dtype))
        v = lib.arange(6).reshape(3, 2).to(x.dtype)
        i = (lib.tensor([0, 0, 3]), lib.tensor([[1], [2]]))
        found.append(x.index_put((i[0],), v[:, :1], accumulate=True))
        found.append(x.t().index_put((i[1], i[0]), v.t(), accumulate=True))
    assert_same(found[:2], found[2:])


@pytest.mark.parametrize("index", [[0], [[0, 1]]])
def test_a_meta_index_of_a_cpu_tensor_is_refused(index):
    # torch reads whatever lies in memory
    with pytest.raises(RuntimeError, match="indices should be either on cpu or on the same device"):
        minitorch.zeros(3, 2)[minitorch.tensor(index, device="meta")]


def test_inference_mode_reads_and_writes_by_index():
    with minitorch.inference_mode():
        x = minitorch.zeros(3)
        x[[0, 1]] = 2.0
        x[x > 1] += 1
        assert x.scatter_(0, minitorch.tensor([2]), 9.0).tolist() == [3, 3, 9]
