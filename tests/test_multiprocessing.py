"""torch.multiprocessing: tensors in shared memory, through queues and pipes, and what becomes of the memory."""

import gc
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import shared_work
import torch
import torch.multiprocessing

import minitorch
import minitorch.multiprocessing as mp
from minitorch import _sharing

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
    # Python 3.12 warns of any fork in a process with threads, NumPy's BLAS included
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]
STRATEGIES = sorted(mp.get_all_sharing_strategies())


@pytest.fixture
def strategy(request):
    mp.set_sharing_strategy(request.param)
    yield request.param
    mp.set_sharing_strategy("file_descriptor")


both_strategies = pytest.mark.parametrize("strategy", STRATEGIES, indirect=True)


@pytest.fixture(autouse=True)
def _nothing_left(only_new_garbage):
    """No named segment and no process outlives a test."""
    yield
    gc.collect()
    assert not list(pathlib.Path("/dev/shm").glob(f"minitorch_{os.getpid()}_*"))
    assert not mp.active_children()


def through_pickle(t):
    """What another process would receive, received here."""
    return pickle.loads(mp.reducer.ForkingPickler.dumps(t))


def run(context, target, *args):
    process = context.Process(target=target, args=args)
    process.start()
    process.join(60)
    assert process.exitcode == 0


# ---------------------------------------------------------------- share_memory_
def test_sharing_keeps_values_layout_and_identity():
    x = minitorch.arange(24.0).reshape(2, 3, 4).transpose(0, 2)
    before, strides = x.tolist(), x.stride()
    assert not x.is_shared()
    assert x.share_memory_() is x
    assert x.is_shared()
    assert (x.tolist(), x.stride(), x.storage_offset()) == (before, strides, 0)
    assert (x * 1).is_shared() is False
    place = x.data_ptr()
    assert x.share_memory_().data_ptr() == place


@both_strategies
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "bool", "uint8", "int64"])
def test_every_dtype_can_be_shared(strategy, dtype):
    x = minitorch.tensor([0, 1, 1, 0, 1]).to(getattr(minitorch, dtype))
    got = through_pickle(x)
    assert (got.dtype, got.tolist(), got.is_shared()) == (x.dtype, x.tolist(), True)
    got[0] = 1
    assert x[0] == 1


def test_views_aliases_and_numbers_of_the_same_storage_move_together():
    x = minitorch.zeros(4)
    row, alias, parameter = x[1:], x.detach(), minitorch.nn.Parameter(x)
    row.share_memory_()
    x[2] = 5
    for other in (row[1], alias[2], parameter[2]):
        assert other == 5
    assert all(t.is_shared() for t in (x, row, alias, parameter))
    assert x.untyped_storage() == row.untyped_storage()
    assert x.untyped_storage().is_shared()
    assert not minitorch.zeros(1).untyped_storage().is_shared()


def test_a_tensor_made_from_an_array_leaves_it():
    a = np.zeros(3)
    x = minitorch.from_numpy(a).share_memory_()
    x += 1
    assert a.tolist() == [0, 0, 0]


@pytest.mark.parametrize("make", ["empty(0)", "zeros(2, 0, 3)", "tensor(3.0)", "ones(3, requires_grad=True)"])
def test_sharing_is_torchs_for(make):
    results = []
    for T in (torch, minitorch):
        x = eval(f"T.{make}", {"T": T})
        results.append((x.is_shared(), x.share_memory_().is_shared(), x.requires_grad, x.tolist(), list(x.shape)))
    assert results[0] == results[1]


def test_only_memory_of_the_cpu_is_shared():
    for T in (torch, minitorch):
        with pytest.raises(RuntimeError, match=r"^_share_fd_: only available on CPU"):
            T.ones(2, device="meta").share_memory_()


def test_gradients_still_reach_a_shared_leaf():
    w = minitorch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    w.share_memory_()
    loss.backward()
    assert w.grad.tolist() == [2, 2, 2]


def test_shared_memory_does_not_grow():
    x = minitorch.zeros(2).share_memory_()
    with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
        x.resize_(100)


def test_module_shares_its_parameters_and_buffers():
    model = minitorch.nn.Sequential(minitorch.nn.Linear(2, 3), minitorch.nn.BatchNorm1d(3))
    weight = model[0].weight
    assert model.share_memory() is model
    assert model[0].weight is weight
    assert all(t.is_shared() for t in [*model.parameters(), *model.buffers()])


def test_memory_is_given_back():
    def mapped():
        return pathlib.Path("/proc/self/maps").read_text().count("minitorch")

    before, files = mapped(), len(os.listdir("/proc/self/fd"))
    kept = [minitorch.zeros(1000).share_memory_()[3:] for _ in range(5)]
    assert mapped() > before
    del kept
    assert (mapped(), len(os.listdir("/proc/self/fd"))) == (before, files)


def test_no_room_is_an_error_and_not_a_crash(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RuntimeError, match="unable to allocate shared memory: 24 bytes were asked for"):
        minitorch.zeros(3, dtype=minitorch.float64).share_memory_()


# ---------------------------------------------------------------- pickling for another process
@both_strategies
def test_a_tensor_that_comes_back_is_the_same_memory(strategy):
    x = minitorch.arange(6).reshape(2, 3)
    got = through_pickle(x)
    assert got.data_ptr() == x.data_ptr()
    got[1, 1] = 100
    assert x[1, 1] == 100


@both_strategies
def test_views_in_one_message_share_their_storage(strategy):
    x = minitorch.zeros(3, 4)
    whole, column, parameter = through_pickle((x, x[:, 1], minitorch.nn.Parameter(x)))
    whole[2, 1] = 7
    assert column.tolist() == [0, 0, 7]
    assert type(parameter) is minitorch.nn.Parameter
    assert (parameter.requires_grad, parameter[2, 1].item()) == (True, 7)


def test_a_tensor_with_a_history_is_refused_in_torchs_words():
    texts = []
    for T in (torch, minitorch):
        with pytest.raises(RuntimeError) as caught:
            T.multiprocessing.reducer.ForkingPickler.dumps(T.ones(1, requires_grad=True) * 2)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_tensors_without_memory_are_sent_as_they_are():
    got = through_pickle(minitorch.zeros(2, 3, device="meta"))
    assert (got.shape, got.is_meta) == ((2, 3), True)


# ---------------------------------------------------------------- processes
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_writes_to_its_parents_tensor(method):
    x = minitorch.zeros(3).share_memory_()
    run(mp.get_context(method), shared_work.add_one, x)
    assert x.tolist() == [1, 1, 1]


@both_strategies
def test_queues_carry_tensors_both_ways(strategy):
    context = mp.get_context("fork")
    queue, done = context.Queue(), context.Event()
    process = context.Process(target=shared_work.send, args=(queue, done))
    process.start()
    x, row, parameter = queue.get(timeout=30)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    x[1] = 0
    assert row.tolist() == [0, 0, 0]
    assert parameter.tolist() == [[0, 2, 4], [6, 8, 10]]
    done.set()
    process.join(60)

    queue, done = context.SimpleQueue(), context.SimpleQueue()
    process = context.Process(target=shared_work.double_all, args=(queue, done))
    process.start()
    for _ in range(3):
        queue.put(x)
        received = done.get()
        assert x.tolist() == received
    queue.put(None)
    process.join(60)
    assert x.tolist() == [[0, 8, 16], [0, 0, 0]]


@both_strategies
def test_a_tensor_that_was_received_can_be_sent_on(strategy):
    context = mp.get_context("fork")
    queue, back, done = context.Queue(), context.Queue(), context.Event()
    process = context.Process(target=shared_work.give_back, args=(queue, back, done))
    process.start()
    x = minitorch.arange(3)
    queue.put(x)
    assert back.get(timeout=30).data_ptr() == x.data_ptr()
    done.set()
    process.join(60)


def test_pools_take_and_give_tensors():
    with mp.get_context("fork").Pool(2) as pool:
        results = pool.map(shared_work.square, [minitorch.full((2,), float(i)) for i in range(5)])
    assert [r.tolist() for r in results] == [[float(i * i)] * 2 for i in range(5)]


def test_several_processes_train_one_model():
    """Hogwild: updates without locks, all on the same parameters."""
    minitorch.manual_seed(0)
    model = minitorch.nn.Linear(2, 1).share_memory()
    context = mp.get_context("fork")
    processes = [context.Process(target=shared_work.train, args=(model, seed)) for seed in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert model.weight.tolist()[0] == pytest.approx([2, -1], abs=0.05)
    assert model.bias.tolist() == pytest.approx([0.5], abs=0.05)


# ---------------------------------------------------------------- spawn()
def test_spawn_runs_a_function_in_every_process():
    x = minitorch.zeros(2)
    x.share_memory_()
    mp.spawn(shared_work.fill, (x,), nprocs=2)
    assert x.tolist() == [10, 11]


@pytest.mark.parametrize("function", [shared_work.fail, shared_work.die, shared_work.leave], ids=lambda f: f.__name__)
def test_first_failure_ends_all_and_is_raised_as_torchs(function):
    seen = []
    for M in (torch.multiprocessing, mp):
        with pytest.raises(Exception) as caught:
            M.start_processes(function, (None,), nprocs=2, start_method="fork")
        error = caught.value
        fields = error.error_index, getattr(error, "exit_code", None), getattr(error, "signal_name", None)
        lines = [line for line in str(error).splitlines() if not line.startswith("  ")]
        seen.append((type(error).__name__, lines, fields, type(pickle.loads(pickle.dumps(error))) is type(error)))
    if function is shared_work.leave:  # whichever was first
        seen = [(name, [line.replace("1", "0") for line in lines], same) for name, lines, _, same in seen]
    assert seen[0] == seen[1]


def test_processes_may_be_joined_later():
    x = minitorch.zeros(2).share_memory_()
    context = mp.start_processes(shared_work.fill, (x,), nprocs=2, join=False, start_method="fork")
    assert len(context.pids()) == 2
    while not context.join(timeout=10):
        pass
    assert context.join() is True
    assert x.tolist() == [10, 11]


def test_spawn_tells_that_it_only_spawns():
    with pytest.warns(FutureWarning, match=r"^This method only supports start_method=spawn \(got: fork\)\."):
        mp.spawn(shared_work.fill, (minitorch.zeros(0),), nprocs=0, start_method="fork")


# ---------------------------------------------------------------- names and what is left behind
def test_strategies_are_torchs():
    theirs = torch.multiprocessing
    assert mp.get_all_sharing_strategies() == theirs.get_all_sharing_strategies()
    assert mp.get_sharing_strategy() == theirs.get_sharing_strategy()
    for M in (theirs, mp):
        with pytest.raises(AssertionError, match=r"^invalid sharing strategy 'x', expected one of \{'file_"):
            M.set_sharing_strategy("x")


def test_names_are_torchs():
    assert set(mp.__all__) == set(torch.multiprocessing.__all__)
    assert minitorch.multiprocessing is mp
    for name in torch.multiprocessing.__all__:
        assert hasattr(mp, name)


def test_named_memory_goes_with_its_last_tensor():
    mp.set_sharing_strategy("file_system")
    try:
        x = minitorch.zeros(3).share_memory_()
    finally:
        mp.set_sharing_strategy("file_descriptor")
    name = _sharing.segment_of(x.array).name
    got = through_pickle(x[1:])
    assert (pathlib.Path("/dev/shm") / name).exists()
    del x
    assert (pathlib.Path("/dev/shm") / name).exists()
    del got
    assert not (pathlib.Path("/dev/shm") / name).exists()


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_killed_program_leaves_no_memory(name):
    script = f"""
        import os, signal
        import minitorch as torch, minitorch.multiprocessing as mp
        mp.set_sharing_strategy({name!r})
        x = torch.zeros(1000).share_memory_()
        sent = mp.reducer.ForkingPickler.dumps(x)  # a message that nobody receives
        print(os.getpid(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -9
    # the pipe's end: the resource tracker, which cleans up, has inherited it and is done as well
    assert not list(pathlib.Path("/dev/shm").glob(f"minitorch_{int(done.stdout)}_*"))
