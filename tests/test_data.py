"""Datasets, samplers, collation and the DataLoader in one process: the same batches and errors as torch."""

import collections
import tracemalloc
import types
import warnings

import numpy as np
import pytest
import torch
import torch.utils.data

import minitorch
import minitorch.utils.data

FRAMEWORKS = (torch, minitorch)
SPLIT_SEED = 7


def plain(value):
    """Nested containers with tensors as (dtype, numbers): the same text for equal values of either framework."""
    if isinstance(value, FRAMEWORKS[0].Tensor | FRAMEWORKS[1].Tensor):
        return ("tensor", str(value.dtype), value.tolist())
    if isinstance(value, dict):
        return type(value).__name__, {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(v) for v in value]
    return value


def outcome(act, T):
    """What `act(T, T.utils.data)` gives, its warnings, and the next random number; or its error's class and text."""
    T.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(act(T, T.utils.data))
        except Exception as error:
            return type(error).__name__, str(error)
    return repr(result), [str(w.message) for w in caught], T.rand(()).item()


def assert_same(act):
    theirs, ours = outcome(act, torch), outcome(act, minitorch)
    assert ours == theirs


def numbers(T, n=10):
    return T.utils.data.TensorDataset(T.arange(n), T.arange(2.0 * n).reshape(n, 2))


def seeded(T, seed=3):
    return T.Generator().manual_seed(seed)


def drained(T, make):
    """All that comes of `make(generator)`, and what the generator gives after that."""
    generator = seeded(T)
    return list(make(generator)), T.rand(3, generator=generator)


class Countdown:
    """An object with a length and items, and no base class."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(f"no item {i}")
        return self.n - i


class Ending(Countdown):
    """An item is missing, as an iterator says it."""

    def __init__(self):
        super().__init__(5)

    def __getitem__(self, i):
        if i == 3:
            raise StopIteration
        return i


def iterable(D, n, length=None):
    class Counting(D.IterableDataset):
        def __iter__(self):
            return iter(range(n))

        def __repr__(self):
            return "Counting()"

    if length is not None:
        Counting.__len__ = lambda self: length
    return Counting()


# ---------------------------------------------------------------- datasets
DATASETS = {
    "tensors": lambda T, D: [numbers(T)[i] for i in (0, -1, 3)] + [numbers(T)[2:4], len(numbers(T))],
    "tensors of different lengths": lambda T, D: D.TensorDataset(T.ones(3), T.ones(4)),
    "stack of positional": lambda T, D: [D.StackDataset(Countdown(3), numbers(T, 3))[i] for i in range(3)],
    "stack of named": lambda T, D: D.StackDataset(a=Countdown(3), b=numbers(T, 3)).__getitems__([2, 0]),
    "stack of both": lambda T, D: D.StackDataset(Countdown(3), b=Countdown(3)),
    "stack of nothing": lambda T, D: D.StackDataset(),
    "stack of different lengths": lambda T, D: D.StackDataset(Countdown(3), Countdown(4)),
    "stack of named of different lengths": lambda T, D: D.StackDataset(a=Countdown(3), b=Countdown(4)),
    "concat": lambda T, D: [(numbers(T, 3) + numbers(T, 2) + numbers(T, 1))[i] for i in (0, 2, 3, 5, -1, -6)],
    "concat sizes": lambda T, D: (D.ConcatDataset([[1], [2, 3]]).cumulative_sizes, len(D.ConcatDataset([[1], [2]]))),
    "concat beyond the end": lambda T, D: D.ConcatDataset([[1], [2, 3]])[3],
    "concat before the start": lambda T, D: D.ConcatDataset([[1], [2, 3]])[-4],
    "concat of nothing": lambda T, D: D.ConcatDataset([]),
    "concat of iterables": lambda T, D: D.ConcatDataset([iterable(D, 2)]),
    "chain": lambda T, D: list(iterable(D, 3) + iterable(D, 2)),
    "chain length": lambda T, D: len(iterable(D, 3, 3) + iterable(D, 2, 2)),
    "chain of indexed": lambda T, D: list(D.ChainDataset([[1, 2]])),
    "subset": lambda T, D: [D.Subset(Countdown(9), [4, 2, 7])[i] for i in (0, -1)],
    "subset by list": lambda T, D: D.Subset(numbers(T), [4, 2, 7])[[0, 2]],
    "subset of subset": lambda T, D: D.Subset(D.Subset(numbers(T), [4, 2, 7]), [2, 0]).__getitems__([0, 1]),
    "no item": lambda T, D: D.Dataset()[0],
    "split": lambda T, D: [list(s) for s in D.random_split(range(10), [3, 7])],
    "split by generator": lambda T, D: [s.indices for s in D.random_split(range(10), [3, 7], seeded(T))],
    "split by fractions": lambda T, D: [s.indices for s in D.random_split(range(11), [0.5, 0.25, 0.25], seeded(T))],
    "split with an empty part": lambda T, D: [len(s) for s in D.random_split(range(3), [0.9, 0.05, 0.05])],
    "split of too many": lambda T, D: D.random_split(range(3), [2, 2]),
    "split by a fraction above 1": lambda T, D: D.random_split(range(3), [1.5, -0.5]),
}


@pytest.mark.parametrize("act", DATASETS.values(), ids=DATASETS)
def test_dataset_is_torchs(act):
    assert_same(act)


def test_subset_with_its_own_item_must_have_its_own_items():
    def act(T, D):
        class Doubled(D.Subset):
            def __getitem__(self, i):
                return 2 * super().__getitem__(i)

        Doubled([1, 2], [0])

    assert_same(act)


# ---------------------------------------------------------------- samplers
SAMPLERS = {
    "sequential": lambda T, D: list(D.SequentialSampler(range(4))),
    "random": lambda T, D: [list(D.RandomSampler(range(40))) for _ in range(2)],
    "random by generator": lambda T, D: drained(T, lambda g: D.RandomSampler(range(40), generator=g)),
    "random, fewer": lambda T, D: list(D.RandomSampler(range(40), num_samples=5)),
    "random, more": lambda T, D: drained(T, lambda g: D.RandomSampler(range(4), num_samples=10, generator=g)),
    "random, twice": lambda T, D: drained(T, lambda g: D.RandomSampler(range(4), num_samples=8, generator=g)),
    "with replacement": lambda T, D: list(D.RandomSampler(range(40), replacement=True)),
    "with replacement, 64": lambda T, D: drained(T, lambda g: D.RandomSampler(range(40), True, 64, g)),
    "random of nothing": lambda T, D: D.RandomSampler([]),
    "random, negative": lambda T, D: D.RandomSampler(range(4), num_samples=-1),
    "random, odd replacement": lambda T, D: D.RandomSampler(range(4), replacement=1),
    "of a subset": lambda T, D: list(D.SubsetRandomSampler([5, 7, 9, 11])),
    "of a subset by generator": lambda T, D: list(D.SubsetRandomSampler([5, 7, 9, 11], seeded(T))),
    "weighted": lambda T, D: list(D.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 5, replacement=True)),
    "weighted once each": lambda T, D: list(D.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7], 4, False, seeded(T))),
    "weighted by a table": lambda T, D: D.WeightedRandomSampler([[0.1, 0.9]], 4),
    "weighted, none": lambda T, D: D.WeightedRandomSampler([0.1, 0.9], 0),
    "weighted, odd count": lambda T, D: D.WeightedRandomSampler([0.1, 0.9], True),
    "weighted, odd replacement": lambda T, D: D.WeightedRandomSampler([0.1, 0.9], 2, 1),
    "batches": lambda T, D: list(D.BatchSampler(D.SequentialSampler(range(10)), 3, False)),
    "batches, whole": lambda T, D: list(D.BatchSampler(range(10), 3, True)),
    "batch counts": lambda T, D: [len(D.BatchSampler(range(n), 3, drop)) for n in (9, 10) for drop in (True, False)],
    "batches of 0": lambda T, D: D.BatchSampler(range(10), 0, True),
    "batches of True": lambda T, D: D.BatchSampler(range(10), True, True),
    "batches, odd drop_last": lambda T, D: D.BatchSampler(range(10), 2, 1),
    "of a replica": lambda T, D: [list(D.DistributedSampler(range(10), 3, r, shuffle=False)) for r in range(3)],
    "of a replica, few": lambda T, D: [list(D.DistributedSampler(range(2), 5, r, shuffle=False)) for r in range(5)],
    "of a replica, whole": lambda T, D: [list(D.DistributedSampler(range(10), 3, r, drop_last=True)) for r in range(3)],
    "of a replica, rank": lambda T, D: D.DistributedSampler(range(10), 3, 3),
    "lengths": lambda T, D: [len(D.DistributedSampler(range(10), 3, 0)), len(D.RandomSampler([1, 2]))],
    "abstract": lambda T, D: iter(D.Sampler()),
}  # fmt: skip


@pytest.mark.parametrize("act", SAMPLERS.values(), ids=SAMPLERS)
def test_sampler_is_torchs(act):
    assert_same(act)


def test_distributed_sampler_changes_with_the_epoch():
    def act(T, D):
        sampler = D.DistributedSampler(range(20), 2, 1, seed=5)
        orders = [list(sampler)]
        sampler.set_epoch(3)
        return [*orders, list(sampler)]

    assert_same(act)


def test_distributed_sampler_needs_to_be_told_its_rank():
    with pytest.raises(RuntimeError, match="Requires distributed package to be available"):
        minitorch.utils.data.DistributedSampler(range(3))


# ---------------------------------------------------------------- collation
Point = collections.namedtuple("Point", "x y")


class Bag(dict):
    """A mapping with an attribute."""

    def __init__(self, *args, label="a"):
        super().__init__(*args)
        self.label = label


BATCHES = {
    "tensors": lambda T: [T.ones(2), T.zeros(2)],
    "0-dim tensors": lambda T: [T.tensor(1), T.tensor(2)],
    "half tensors": lambda T: [T.ones(2, dtype=T.bfloat16), T.zeros(2, dtype=T.bfloat16)],
    "tensors of different shapes": lambda T: [T.ones(2), T.zeros(3)],
    "sparse tensors": lambda T: [T.ones(2).to_sparse()],
    "arrays": lambda T: [np.ones(2, np.float32), np.zeros(2, np.float32)],
    "0-dim arrays": lambda T: [np.array(1), np.array(2)],
    "arrays of text": lambda T: [np.array(["a"])],
    "arrays of objects": lambda T: [np.array([None])],
    "NumPy numbers": lambda T: [np.float32(1), np.float32(2)],
    "NumPy bools": lambda T: [np.bool_(True), np.bool_(False)],
    "floats": lambda T: [1.5, 2.5],
    "integers": lambda T: [1, 2],
    "bools": lambda T: [True, False],
    "float first": lambda T: [1.5, 2],
    "integer first": lambda T: [2, 1.5],
    "text": lambda T: ["a", "b"],
    "bytes": lambda T: [b"a", b"b"],
    "mappings": lambda T: [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
    "derived mappings": lambda T: [Bag({"a": 1}), Bag({"a": 2})],
    "ordered mappings": lambda T: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "read-only mappings": lambda T: [types.MappingProxyType({"a": 1}), types.MappingProxyType({"a": 2})],
    "a missing key": lambda T: [{"a": 1}, {"b": 1}],
    "named tuples": lambda T: [Point(1, 2.0), Point(3, 4.0)],
    "tuples": lambda T: [(1, 2.0), (3, 4.0)],
    "lists": lambda T: [[1, T.ones(1)], [3, T.zeros(1)]],
    "ranges": lambda T: [range(2), range(2, 4)],
    "deques": lambda T: [collections.deque([1, 2]), collections.deque([3, 4])],
    "lists of different lengths": lambda T: [[1, 2], [3]],
    "tuples of different lengths": lambda T: [(1, 2), (3,)],
    "objects": lambda T: [types.SimpleNamespace()],
    "None": lambda T: [None, None],
    "nothing": lambda T: [],
    "empty lists": lambda T: [[], []],
}


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_default_collate_is_torchs(make):
    assert_same(lambda T, D: D.default_collate(make(T)))


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_default_convert_is_torchs(make):
    assert_same(lambda T, D: D.default_convert(make(T)))


def test_collated_mapping_keeps_its_class_and_attributes():
    batch = minitorch.utils.data.default_collate([Bag({"a": 1}, label="b"), Bag({"a": 2})])
    assert type(batch) is Bag
    assert batch.label == "b"
    assert batch["a"].tolist() == [1, 2]


def test_collate_takes_functions_for_further_types():
    def act(T, D):
        from importlib import import_module

        collate = import_module(f"{D.__name__}._utils.collate")
        table = {complex: lambda batch, *, collate_fn_map: sum(batch), **collate.default_collate_fn_map}
        return collate.collate([(1j, 2), (3j, 4)], collate_fn_map=table)

    assert_same(act)


# ---------------------------------------------------------------- the loader
def loaded(**options):
    return lambda T, D: [[list(D.DataLoader(numbers(T), **options)) for _ in range(2)]]


LOADERS = {
    "in order": loaded(batch_size=3),
    "shuffled": loaded(batch_size=3, shuffle=True),
    "shuffled, whole batches": loaded(batch_size=3, shuffle=True, drop_last=True),
    "one by one": loaded(),
    "not batched": loaded(batch_size=None),
    "sampler": loaded(batch_size=4, sampler=[9, 1, 1, 4, 0]),
    "batch sampler": loaded(batch_sampler=[[9, 1], [1], [4, 0, 3]]),
    "negative indices": loaded(batch_size=2, sampler=[-1, 3]),
    "index out of range": loaded(batch_size=2, sampler=[3, 10]),
    "index of another type": loaded(batch_size=2, sampler=[3, "a"]),
    "bool indices": loaded(batch_size=2, sampler=[True, False]),
    "array indices": loaded(batch_size=2, sampler=np.arange(5)),
    "list": loaded(batch_size=4, collate_fn=list),
    "pinned": loaded(batch_size=4, pin_memory=True),
    "pinned on a device": loaded(batch_size=4, pin_memory=True, pin_memory_device="cuda"),
    "generator": lambda T, D: drained(T, lambda g: D.DataLoader(numbers(T), 3, True, generator=g)),
    "generator, in order": lambda T, D: drained(T, lambda g: D.DataLoader(numbers(T), 3, generator=g)),
    "plain object": lambda T, D: list(D.DataLoader(Countdown(7), 3, shuffle=True)),
    "subset": lambda T, D: list(D.DataLoader(D.Subset(numbers(T), [7, 5, 3]), 2)),
    "part of a subset": lambda T, D: list(D.DataLoader(D.Subset(D.Subset(numbers(T), range(9, 2, -1)), [0, 5]), 2)),
    "subset out of range": lambda T, D: list(D.DataLoader(D.Subset(numbers(T), [7, 50, 3]), 2)),
    "concat": lambda T, D: list(D.DataLoader(numbers(T, 3) + numbers(T, 4), 2, shuffle=True)),
    "stack": lambda T, D: list(D.DataLoader(D.StackDataset(a=numbers(T, 3), b=Countdown(3)), 2)),
    "split": lambda T, D: [list(D.DataLoader(s, 2, shuffle=True)) for s in D.random_split(numbers(T), [0.5, 0.5])],
    "one tensor": lambda T, D: list(D.DataLoader(D.TensorDataset(T.arange(5)), 2)),
    "half": lambda T, D: list(D.DataLoader(D.TensorDataset(T.arange(5).to(T.bfloat16), T.arange(5).half()), 2)),
    "weighted": lambda T, D: list(D.DataLoader(numbers(T), 2, sampler=D.WeightedRandomSampler([0.1] * 10, 5))),
    "iterable": lambda T, D: list(D.DataLoader(iterable(D, 7), 3)),
    "iterable, whole batches": lambda T, D: list(D.DataLoader(iterable(D, 7), 3, drop_last=True)),
    "iterable, one by one": lambda T, D: list(D.DataLoader(iterable(D, 3), None)),
    "lengths": lambda T, D: [len(D.DataLoader(numbers(T), 3, drop_last=drop)) for drop in (True, False)],
    "iterable lengths": lambda T, D: [len(D.DataLoader(iterable(D, 9, 10), 3, drop_last=d)) for d in (True, False)],
    "iterable length, not batched": lambda T, D: len(D.DataLoader(iterable(D, 9, 10), None)),
    "iterable without length": lambda T, D: len(D.DataLoader(iterable(D, 9))),
    "longer than it says": lambda T, D: (len(loader := D.DataLoader(iterable(D, 4, 2))), list(loader)),
    "item that ends": lambda T, D: list(D.DataLoader(Ending(), 2)),
}  # fmt: skip


@pytest.mark.parametrize("act", LOADERS.values(), ids=LOADERS)
def test_loader_is_torchs(act):
    assert_same(act)


OPTIONS = [
    dict(num_workers=-1),
    dict(timeout=-1),
    dict(timeout=1),
    dict(prefetch_factor=2),
    dict(num_workers=1, prefetch_factor=-2),
    dict(num_workers=1, prefetch_factor=0),
    dict(persistent_workers=True),
    dict(shuffle=True, sampler=[0]),
    dict(batch_sampler=[[0]], batch_size=2),
    dict(batch_sampler=[[0]], shuffle=True),
    dict(batch_sampler=[[0]], sampler=[0]),
    dict(batch_sampler=[[0]], drop_last=True),
    dict(batch_size=None, drop_last=True),
    dict(batch_size=0),
    dict(batch_size=2.5),
    dict(drop_last=1),
    dict(multiprocessing_context="fork"),
    dict(num_workers=1, multiprocessing_context="thread"),
    dict(num_workers=1, multiprocessing_context=3),
    dict(num_workers=1000),
]


@pytest.mark.filterwarnings("ignore:Exception ignored in")  # by torch's own clean-up after prefetch_factor=0
@pytest.mark.parametrize("options", OPTIONS, ids=map(str, OPTIONS))
def test_option_is_checked_as_torch_does(options):
    def act(T, D):
        loader = D.DataLoader(numbers(T), **options)
        return None if options == dict(num_workers=1000) else list(loader)

    assert_same(act)


@pytest.mark.parametrize("options", [dict(shuffle=True), dict(sampler=[1]), dict(batch_sampler=[[1]])], ids=str)
def test_iterable_dataset_has_its_own_order(options):
    assert_same(lambda T, D: D.DataLoader(iterable(D, 3), **options))


def test_order_of_an_empty_dataset_cannot_be_random():
    assert_same(lambda T, D: D.DataLoader([], shuffle=True))


@pytest.mark.parametrize(
    "name", ["batch_size", "sampler", "batch_sampler", "drop_last", "dataset", "persistent_workers"]
)
def test_loader_fixes_what_it_was_made_with(name):
    assert_same(lambda T, D: setattr(D.DataLoader(numbers(T)), name, None))


def test_loader_tells_what_it_was_made_with():
    def act(T, D):
        loader = D.DataLoader(numbers(T), 4, num_workers=1)
        return [
            (loader.batch_size, loader.num_workers, loader.prefetch_factor, loader.drop_last, loader.pin_memory),
            (type(loader.sampler).__name__, type(loader.batch_sampler).__name__, loader.collate_fn.__name__),
            (loader.timeout, loader.worker_init_fn, loader.generator, loader.in_order, loader.persistent_workers),
            type(iter(D.DataLoader(numbers(T)))).__name__,
        ]

    assert_same(act)


def test_iterator_cannot_be_pickled():
    def act(T, D):
        import pickle

        pickle.dumps(iter(D.DataLoader(numbers(T))))

    assert_same(act)


def test_items_are_asked_for_together_where_the_dataset_can():
    class Together(Countdown):
        def __getitems__(self, indices):
            return [10 * i for i in indices]

    assert [b.tolist() for b in minitorch.utils.data.DataLoader(Together(4), 3)] == [[0, 10, 20], [30]]
    assert_same(lambda T, D: list(D.DataLoader(Together(4), 3)))


# ---------------------------------------------------------------- batches of a TensorDataset in one gather
def test_gathered_batch_equals_the_batch_of_items():
    D = minitorch.utils.data
    fetch, collate = D._utils.fetch, D._utils.collate
    x = minitorch.arange(24).reshape(6, 4)
    for tensors in ([x, x[:, 1].double()], [x.t()[:4].t()], [x > 3, x.half(), x.bfloat16()], [minitorch.zeros(6, 0)]):
        dataset = D.TensorDataset(*tensors)
        got = fetch.gathered(dataset, [5, 0, 0, 2])
        items = collate.default_collate([dataset[i] for i in [5, 0, 0, 2]])
        assert plain(got) == plain(items)
        assert [t.stride() for t in got] == [t.stride() for t in items]
        assert not any(np.shares_memory(a.array, b.array) for a, b in zip(got, tensors))


def test_gathering_leaves_what_only_items_give_to_them():
    D = minitorch.utils.data
    gathered = D._utils.fetch.gathered

    class Other(D.TensorDataset):
        pass

    x = minitorch.ones(3)
    assert gathered(D.TensorDataset(x), [0, 2]) is not None
    assert gathered(Other(x), [0, 2]) is None
    assert gathered(D.TensorDataset(x.clone().requires_grad_()), [0, 2]) is None
    assert gathered(D.TensorDataset(minitorch.nn.Parameter(x)), [0, 2]) is None
    for indices in ([0, 3], [-1], [0.0], ["a"], [True], [[0]], [], (0, 1), minitorch.tensor([0])):
        assert gathered(D.TensorDataset(x), indices) is None


def test_batch_of_tensors_with_a_history_has_one():
    def act(T, D):
        x = T.arange(4.0, requires_grad=True)
        ((batch,),) = D.DataLoader(D.TensorDataset(x), 4, sampler=[1, 1, 2, 3])
        batch.sum().backward()
        return x.grad

    assert_same(act)


def test_changed_collation_of_tensors_reaches_tensor_datasets(monkeypatch):
    table = minitorch.utils.data._utils.collate.default_collate_fn_map
    monkeypatch.setitem(table, minitorch.Tensor, lambda batch, *, collate_fn_map: len(batch))
    assert list(minitorch.utils.data.DataLoader(numbers(minitorch), 4)) == [[4, 4], [4, 4], [2, 2]]


# ---------------------------------------------------------------- names
def test_names_are_torchs_but_for_data_pipes():
    data = minitorch.utils.data
    missing = set(torch.utils.data.__all__) - set(dir(data))
    for name in missing:
        with pytest.raises(NotImplementedError, match=f"{name} is not supported by minitorch: it has no data pipes"):
            getattr(data, name)
    assert len(missing) == 10
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        data.no_such_name  # noqa: B018


def test_a_sampler_with_replacement_gives_ten_billion_indices_one_by_one():
    def first(ns):
        ns.manual_seed(0)
        sampler = ns.utils.data.RandomSampler(range(100), replacement=True, num_samples=10**10)
        tracemalloc.start()
        try:
            return [i for i, _ in zip(sampler, range(70))], tracemalloc.get_traced_memory()[1] < 1e6
        finally:
            tracemalloc.stop()

    assert first(minitorch) == first(torch) == (first(torch)[0], True)
