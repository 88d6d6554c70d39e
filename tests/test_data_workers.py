"""The DataLoader's workers: torch's order and random numbers, memory that is used again, kernels after a fork."""

import contextlib
import gc
import os
import pathlib
import threading
import time
import warnings

import loader_datasets as datasets
import numpy as np
import pytest
from test_data import assert_same, drained, numbers, plain

import minitorch
from minitorch.utils.data import DataLoader, TensorDataset

METHODS = ["fork", "spawn"]
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
    # Python 3.12 warns of any fork in a process with threads, NumPy's BLAS included; the machine may have one processor
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
]


def children():
    """The ids of this process's children; not of a server of multiprocessing, which outlives its users."""
    found = []
    for task in pathlib.Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += (task / "children").read_text().split()
    return {pid for pid in found if b"resource_tracker" not in command_of(pid)}


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def segments():
    """Shared memory by its name, which holds the process that made it; not that of tests in processes beside this."""
    names = {path.name for path in pathlib.Path("/dev/shm").glob("minitorch_*")}
    ours = {str(os.getpid())} | children()
    return {n for n in names if n.split("_")[1] in ours or not pathlib.Path("/proc", n.split("_")[1]).exists()}


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def _nothing_left(only_new_garbage):
    """No process, segment or descriptor outlives a test."""
    before = children(), segments()
    files = open_files()
    yield
    gc.collect()  # a kept exception keeps the frames that it went through
    deadline = time.monotonic() + 10  # what a killed worker beside this leaves is soon taken away by its own parent
    while segments() - before[1] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (children(), segments() - before[1]) == (before[0], set())
    assert open_files() <= files + 2  # the tracker of multiprocessing's resources, once


# ---------------------------------------------------------------- the same as torch
def fork(T, dataset, *args, **options):
    options = {"num_workers": 2, "multiprocessing_context": "fork", **options}
    return T.utils.data.DataLoader(dataset, *args, **options)


def counting(D, n, length=None):
    """The workers' own parts of the numbers below n, of different lengths."""

    class Parts(D.IterableDataset):
        def __iter__(self):
            info = D.get_worker_info()
            return iter(range(info.id, n, info.num_workers + info.id))

        def __repr__(self):
            return "Parts()"

    if length is not None:
        Parts.__len__ = lambda self: length
    return Parts()


def kinds(T):
    """Tensors that batches are gathered from in different ways."""
    x = T.arange(20.0).reshape(4, 5)
    return T.utils.data.TensorDataset(x.half().t(), x.bfloat16().t().contiguous(), x.t(), x[0] > 2)


def epochs(loader, n=2):
    return [list(loader) for _ in range(n)]


LOADERS = {
    "in order": lambda T, D: epochs(fork(T, numbers(T), 3)),
    "shuffled": lambda T, D: epochs(fork(T, numbers(T), 3, True)),
    "persistent": lambda T, D: epochs(fork(T, numbers(T), 3, True, persistent_workers=True), 3),
    "much ahead": lambda T, D: list(fork(T, numbers(T), 1, True, prefetch_factor=100)),
    "little ahead": lambda T, D: list(fork(T, numbers(T), 1, True, prefetch_factor=1)),
    "three workers": lambda T, D: list(fork(T, numbers(T), 1, num_workers=3)),
    "generator": lambda T, D: drained(T, lambda g: fork(T, numbers(T), 3, True, generator=g)),
    "not batched": lambda T, D: epochs(fork(T, numbers(T), None)),
    "collate_fn": lambda T, D: epochs(fork(T, numbers(T), 3, collate_fn=list)),
    "half and strided": lambda T, D: list(fork(T, kinds(T), 2, True)),
    "nested": lambda T, D: list(fork(T, [{"a": i, "b": ("x", [1.5])} for i in range(5)], 2)),
    "iterable": lambda T, D: epochs(fork(T, counting(D, 23), 3)),
    "iterable, whole": lambda T, D: epochs(fork(T, counting(D, 23), 3, drop_last=True)),
    "iterable, persistent": lambda T, D: epochs(fork(T, counting(D, 23), 3, persistent_workers=True), 3),
    "iterable, not batched": lambda T, D: epochs(fork(T, counting(D, 7), None)),
    "longer than it says": lambda T, D: (len(loader := fork(T, counting(D, 9, 2))), list(loader))[1],
    "out of order": lambda T, D: sorted(len(b[0]) for b in fork(T, numbers(T), 3, in_order=False)),
    "empty": lambda T, D: list(fork(T, [], 3)),
    "time enough": lambda T, D: list(fork(T, numbers(T), timeout=30)),
    "length": lambda T, D: (len(fork(T, numbers(T), 3)), len(iter(fork(T, numbers(T), 3)))),
}


@pytest.mark.parametrize("act", LOADERS.values(), ids=LOADERS)
def test_batches_are_torchs(act):
    assert_same(act)


@pytest.mark.parametrize("persistent", [False, True])
def test_random_numbers_in_workers_are_torchs(persistent):
    def act(T, D):
        class Drawing(datasets.Drawing):
            def __getitem__(self, i):
                import random

                info = D.get_worker_info()
                named = (info.id, info.num_workers, info.seed, info.dataset is self)
                return i, named, random.random(), np.random.rand(), T.rand(2), T.initial_seed()

        drawn = []

        def start(worker_id):
            drawn.append(T.rand(1).item())

        return epochs(fork(T, Drawing(), 2, worker_init_fn=start, persistent_workers=persistent))

    assert_same(act)


def test_worker_info_is_read_only_and_prints_as_torchs():
    def act(T, D):
        class Telling:
            def __len__(self):
                return 1

            def __getitem__(self, i):
                info = D.get_worker_info()
                try:
                    info.id = 3
                except Exception as error:
                    return repr(info), repr(error)

            def __repr__(self):
                return "Telling()"

        return list(fork(T, Telling(), num_workers=1))

    assert_same(act)
    assert minitorch.utils.data.get_worker_info() is None


def test_batches_of_both_methods_are_the_same():
    drawn = []
    for method in METHODS:
        minitorch.manual_seed(5)
        drawn.append(plain(list(DataLoader(datasets.Drawing(), 2, num_workers=2, multiprocessing_context=method))))
    assert drawn[0] == drawn[1]


def test_iterable_dataset_is_read_by_every_spawned_worker():
    loader = DataLoader(datasets.Parts(7), 2, num_workers=2, multiprocessing_context="spawn")
    assert sorted(n for batch in loader for n in batch.tolist()) == [0, 1, 2, 4, 4, 6]


# ---------------------------------------------------------------- memory
def test_batches_lie_in_shared_memory_and_keep_their_values():
    x = minitorch.arange(4000.0).reshape(200, 20)
    loader = DataLoader(TensorDataset(x, x[:, 0]), 4, num_workers=2, multiprocessing_context="fork")
    kept = list(loader)  # none may be filled again while it is in use
    assert all(t.is_shared() for batch in kept for t in batch)
    assert minitorch.cat([batch[0] for batch in kept]).equal(x)
    assert minitorch.cat([batch[1] for batch in kept]).equal(x[:, 0])


def test_slots_are_filled_again_only_when_no_view_of_them_is_left():
    x = minitorch.arange(400.0).reshape(100, 4)
    views = []
    for (batch,) in DataLoader(TensorDataset(x), 5, num_workers=1, multiprocessing_context="fork"):
        views.append(batch[1].numpy()[2:] if len(views) % 3 else None)
    for i, view in enumerate(views):
        assert view is None or view.tolist() == [20 * i + 6, 20 * i + 7]


def test_memory_does_not_grow_with_the_number_of_batches():
    x = minitorch.zeros(64, 1000)
    loader = DataLoader(TensorDataset(x), 1, num_workers=1, multiprocessing_context="fork", persistent_workers=True)
    for _ in range(3):
        for _batch in loader:
            pass
        mapped = loader._iterator._pool.channels[0]._mapped
        assert len(mapped) < 12


def test_a_forked_child_keeps_the_batch_that_it_inherited():
    x = minitorch.arange(40).reshape(40, 1).expand(40, 2000).contiguous()
    batches = iter(DataLoader(TensorDataset(x), 1, num_workers=1, multiprocessing_context="fork"))
    (batch,) = next(batches)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0 if (batch == 0).all() else 3)
    os.close(read)
    del batch
    for (later,) in batches:
        assert (later == later[0, 0]).all()
    os.close(write)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_many_batches_may_be_kept_at_once():
    """Each kept batch costs memory, but no descriptor: a process may have about a thousand."""
    x = minitorch.arange(1100)
    before = open_files()
    kept = list(DataLoader(TensorDataset(x, x), 1, num_workers=1, multiprocessing_context="fork"))
    assert open_files() < before + 20
    assert len(kept) == 1100
    assert all(a.equal(b) for a, b in kept)


class Large:
    """Items whose pickles are long, and a batch of more tensors than one message has room for as segments."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return {
            "text": "x" * 300_000 + str(i),
            "array": np.full(50_000, i),
            "tensors": [minitorch.full((j % 3, 2), i) for j in range(300)],
        }


def test_large_items_arrive_whole():
    loader = DataLoader(Large(), None, num_workers=1, multiprocessing_context="fork", collate_fn=lambda item: item)
    for i, item in enumerate(loader):
        assert item["text"] == "x" * 300_000 + str(i)
        assert (item["array"] == i).all()
        assert [t.tolist() for t in item["tensors"]] == [[[i, i]] * (j % 3) for j in range(300)]


def test_tensors_of_all_kinds_arrive_as_they_were():
    base = minitorch.arange(24.0).reshape(2, 3, 4)
    sent = [
        *(base, base.permute(2, 0, 1), base[:, 1:, ::2], base.half(), base.bfloat16(), base > 3, base[:0], base.sum()),
        minitorch.nn.Parameter(base),
        base.clone().requires_grad_(),
        minitorch.zeros(2, 3, 4, 5).permute(0, 3, 1, 2),
    ]
    loader = DataLoader([sent], None, num_workers=1, multiprocessing_context="fork", collate_fn=lambda item: item)
    (got,) = loader
    assert plain(got) == plain(sent)
    for ours, theirs in zip(got, sent):
        assert type(ours) is type(theirs)
        assert ours.requires_grad == theirs.requires_grad
        assert ours.stride() == theirs.stride() or not theirs.is_contiguous()


def test_a_long_list_of_indices_reaches_the_worker():
    loader = DataLoader(numbers(minitorch, 100_000), 50_000, num_workers=1, multiprocessing_context="fork")
    assert [len(batch[0]) for batch in loader] == [50_000, 50_000]


# ---------------------------------------------------------------- kernels after a fork
def test_workers_compute_after_threads_have():
    expected = [datasets.Computing()[i].tolist() for i in range(4)]
    stop = threading.Event()

    def compute():
        while not stop.is_set():
            datasets.Computing()[0]

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            for _ in range(3):
                batches = DataLoader(datasets.Computing(), None, num_workers=2, multiprocessing_context="fork")
                assert [batch.tolist() for batch in batches] == expected
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_spawned_worker_computes():
    expected = [datasets.Computing()[i].tolist() for i in range(4)]
    batches = DataLoader(datasets.Computing(), None, num_workers=1, multiprocessing_context="spawn")
    assert [batch.tolist() for batch in batches] == expected
