"""Faults in the DataLoader's workers are reported, never a hang; no process, segment or descriptor is left behind."""

import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

import loader_datasets as datasets
import pytest
from test_data import assert_same, numbers
from test_data_workers import METHODS, _nothing_left, children, command_of, fork, pytestmark  # noqa: F401

import minitorch
from minitorch.utils.data import DataLoader
from minitorch.utils.data._utils.worker import ended_by_interrupt

# ---------------------------------------------------------------- faults
ERRORS = {
    datasets.raise_value_error: (ValueError, "ValueError: bad item 3"),
    datasets.raise_key_error: (KeyError, "KeyError: 'bad item 3'"),
    datasets.raise_two_arguments: (RuntimeError, r"TwoArguments: \('bad', 'item 3'\)"),
    datasets.raise_local_error: (RuntimeError, "Local: bad item 3"),
    datasets.return_unpicklable: (RuntimeError, "(Can't|Cannot) (pickle|get) local object"),
    datasets.return_with_history: (RuntimeError, "Cowardly refusing to serialize non-leaf tensor"),
}


def loader_with(fault, method="fork", **options):
    dataset = datasets.Faulty(fault)
    options = {"num_workers": 2, "collate_fn": datasets.first, **options}
    return DataLoader(dataset, 1, multiprocessing_context=method, **options)


@pytest.mark.parametrize("fault", ERRORS, ids=lambda fault: fault.__name__)
def test_worker_that_raises_shows_its_traceback_and_goes_on(fault):
    kind, last = ERRORS[fault]
    batches = iter(loader_with(fault))
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind) as caught:
        next(batches)
    assert type(caught.value) is kind
    first, *rest = str(caught.value).splitlines()
    assert re.fullmatch(r"Caught \w+ in DataLoader worker process 1\.", first)
    assert rest[0] == "Original Traceback (most recent call last):"
    assert any(re.search(last, line) for line in rest)
    assert list(batches) == [4, 5, 6, 7]


def test_spawned_worker_that_raises_shows_its_traceback():
    with pytest.raises(ValueError, match=r"^Caught ValueError in DataLoader worker process 1\.\nOriginal Traceback"):
        list(loader_with(datasets.raise_value_error, "spawn"))


def test_worker_that_cannot_start_says_why():
    loader = loader_with(None, num_workers=1, worker_init_fn=datasets.fail_at_start)
    with pytest.raises(ValueError, match=r"(?s)in DataLoader worker process 0\..*worker 0 cannot start"):
        list(loader)


@pytest.mark.parametrize(
    ("fault", "method"),
    [(datasets.be_killed, "fork"), (datasets.be_killed, "spawn"), (datasets.exit_7, "fork")],
    ids=["killed-fork", "killed-spawn", "exit-fork"],
)
def test_dead_worker_is_reported_with_its_name_and_exit_code(fault, method):
    batches = iter(loader_with(fault, method))
    process = batches._workers[1]
    began = time.monotonic()
    with pytest.raises(RuntimeError) as caught:
        list(batches)
    assert time.monotonic() - began < 30
    with pytest.raises(RuntimeError, match="the workers have ended, after an error"):
        next(batches)
    code = {datasets.be_killed: -9, datasets.exit_7: 7}[fault]
    assert str(caught.value).splitlines() == [
        f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly",
        f"worker 1: {process.name}, pid {process.pid}, exit code {code}",
    ]
    assert str(caught.value.__cause__) in (
        f"DataLoader worker (pid {process.pid}) is killed by signal: Killed. ",
        f"DataLoader worker (pid {process.pid}) exited unexpectedly with exit code 7. Details are lost due to "
        "multiprocessing. Rerunning with num_workers=0 may give better error trace.",
    )


def test_death_is_reported_in_torchs_words():
    chains = []

    def act(T, D):
        class Killing(datasets.Faulty):
            pass

        with pytest.raises(RuntimeError) as caught:
            list(fork(T, Killing(datasets.exit_7)))
        error = caught.value
        chains.append([re.sub(r"\d+", "N", str(e).splitlines()[0]) for e in (error, error.__cause__)])

    assert_same(act)
    theirs, (report, cause) = chains
    # torch's handler of the signal that a child's end sends may come first, and raise the cause alone
    assert theirs in ([report, cause], [cause, "None"])


def test_worker_killed_from_outside_is_reported():
    loader = loader_with(None, persistent_workers=True)
    batches = iter(loader)
    assert [next(batches) for _ in range(8)] == list(range(8))
    os.kill(batches._workers[0].pid, signal.SIGKILL)
    batches._workers[0].join()
    with pytest.raises(RuntimeError, match=r"exited unexpectedly\nworker 0: .* exit code -9"):
        list(loader)


def test_time_limit():
    with pytest.raises(RuntimeError, match=r"^DataLoader timed out after 0\.5 seconds$"):
        list(loader_with(datasets.sleep_2, num_workers=1, timeout=0.5))


def test_leaving_a_loop_ends_the_workers():
    for batch in loader_with(None):
        if batch == 2:
            break
    assert not children()


def test_iterators_live_beside_each_other():
    outer = loader_with(None)
    assert [(a, b) for a in outer for b in (loader_with(None) if a == 3 else [0])] == [
        *((a, 0) for a in range(3)),
        *((3, b) for b in range(8)),
        *((a, 0) for a in range(4, 8)),
    ]


def test_copy_in_a_forked_child_leaves_the_workers_alone():
    batches = iter(loader_with(None))
    assert next(batches) == 0
    pid = os.fork()
    if pid == 0:
        del batches
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(batches) == [1, 2, 3, 4, 5, 6, 7]


# ---------------------------------------------------------------- whole programs
PROGRAM = """
import sys, time, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {folder!r})
import loader_datasets as datasets
from minitorch.utils.data import DataLoader

if __name__ == "__main__":
    loader = DataLoader(datasets.Faulty({fault}), None, num_workers=2, multiprocessing_context={method!r})
    batches = iter(loader)
    print(next(batches), *[worker.pid for worker in batches._workers], flush=True)
    {then}
"""
WAIT = "list(batches)"
REST = "time.sleep(60)"


def start(tmp_path, method, fault="datasets.sleep", then=WAIT):
    """A program in a session of its own, once its workers run; and their ids."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(folder=str(pathlib.Path(__file__).parent), fault=fault, method=method, then=then))
    program = subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # a shell that puts the tests in the background makes them, and what they start, deaf to it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    first, *workers = program.stdout.readline().split()
    assert first == "0", program.communicate()[1]
    return program, list(map(int, workers))


def session(sid):
    """The processes of a session: the children of a process that was killed, too."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its_session) == sid and state != "Z":
            found.append(int(path.parent.name))
    return found


def assert_all_end(program, within):
    end = time.monotonic() + within
    while session(program.pid):
        assert time.monotonic() < end, f"left: {[command_of(pid) for pid in session(program.pid)]}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("method", "then"),
    [("fork", WAIT), ("spawn", WAIT), ("fork", REST)],
    ids=["fork-waiting", "spawn-waiting", "fork-elsewhere"],
)
def test_ctrl_c_ends_all_processes(tmp_path, method, then):
    """As a terminal does it: the signal goes to the program and its workers; one of these is at work for a minute."""
    program, _ = start(tmp_path, method, then=then)
    time.sleep(0.1)
    os.killpg(program.pid, signal.SIGINT)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert errors.count("Traceback (most recent call last)") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert_all_end(program, 10)


def test_program_that_catches_ctrl_c_goes_on_without_workers(tmp_path):
    then = """
    try:
        list(batches)
    except KeyboardInterrupt:
        print([worker.exitcode for worker in batches._workers], list(DataLoader(datasets.Faulty(), None))[-1])
    """
    program, _ = start(tmp_path, "fork", then=then)
    time.sleep(0.1)
    os.killpg(program.pid, signal.SIGINT)
    output, errors = program.communicate(timeout=30)
    assert re.fullmatch(r"\[(0|-15), (0|-15)\] 7\n", output), errors
    assert errors == ""
    assert_all_end(program, 10)


def test_interrupts_do_not_disturb_a_worker_on_its_way_out():
    class Channel:
        def ended(self):
            return True

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    try:
        with ended_by_interrupt(Channel()):
            interrupt()  # the terminal's
            with pytest.raises(SystemExit):
                interrupt()  # the main process's
        interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("method", METHODS)
def test_workers_end_when_their_program_is_killed(tmp_path, method):
    program, workers = start(tmp_path, method, fault="None", then=REST)
    assert set(workers) < set(session(program.pid))
    program.kill()
    program.communicate()
    assert_all_end(program, 15)


def test_program_may_end_in_the_middle_of_an_epoch(tmp_path):
    program, _ = start(tmp_path, "fork", fault="None", then="sys.exit(5)")
    _, errors = program.communicate(timeout=30)
    assert (program.returncode, errors) == (5, "")
    assert_all_end(program, 10)


# ---------------------------------------------------------------- other systems
def test_datagrams_and_unlinked_files_serve_where_linuxs_own_means_are_missing(monkeypatch):
    """What macOS has: no sockets of packets, no anonymous memory."""
    import socket

    pairs = functools.partial(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(socket, "socketpair", lambda *_: pairs())
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")
    loader = DataLoader(numbers(minitorch, 100), 10, num_workers=2, multiprocessing_context="fork")
    assert minitorch.cat([batch[0] for batch in loader]).tolist() == list(range(100))
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader_with(datasets.be_killed))


def test_systems_without_such_sockets_are_refused(monkeypatch):
    import socket

    monkeypatch.delattr(socket, "send_fds")
    with pytest.raises(NotImplementedError, match="num_workers > 0 is not supported by minitorch on this system"):
        iter(DataLoader([1], num_workers=1))


def test_too_many_open_files_are_reported_in_torchs_words():
    script = """
        import os, resource, warnings
        warnings.simplefilter("ignore")
        import minitorch as torch
        from minitorch.utils.data import DataLoader, TensorDataset
        from minitorch.utils.data._utils import pool

        loader = DataLoader(TensorDataset(torch.zeros(8, 3)), 2, num_workers=1, multiprocessing_context="fork")
        batches = iter(loader)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        try:
            next(batches)
        except RuntimeError as error:
            print(str(error)[:80])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("Too many open files. Communication with the workers is no longer"), done.stderr
