"""Several threads at once, and a process forked after kernels have run."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import minitorch as torch
from minitorch.autograd import grad_mode

THREADS = 4


@pytest.fixture(autouse=True)
def frequent_switches():
    """The interpreter changes threads as often as it can: what may go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work, n=THREADS):
    """work(i) in n threads that start together; their results, or the first error."""
    results, errors, gate = [None] * n, [], threading.Barrier(n)

    def run(i):
        try:
            gate.wait()
            results[i] = work(i)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def training_run(seed, steps=30):
    """The loss curve of a small network: loops, matrix products, broadcasts, updates in place."""
    draw = np.random.default_rng(seed)
    x, y = torch.from_numpy(draw.random((8, 5))), torch.from_numpy(draw.random((8, 1)))
    w = torch.from_numpy(draw.random((5, 4))).requires_grad_()
    v = torch.from_numpy(draw.random((4, 1))).requires_grad_()
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    losses = []
    for _ in range(steps):
        hidden = torch.tanh(x @ w)
        loss = ((hidden @ v + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, v, b):
                p -= 0.1 * p.grad
                p.grad = None
        losses.append(loss.item())
    return losses


def test_separate_graphs_compute_as_if_alone():
    expected = [training_run(i) for i in range(THREADS)]
    assert in_threads(training_run) == expected


def test_shared_leaf_collects_every_threads_gradient():
    w = torch.ones(3, requires_grad=True)
    each = 50

    def work(i):
        for _ in range(each):
            (w * (i + 1)).sum().backward()

    in_threads(work)
    assert w.grad.tolist() == [each * sum(range(1, THREADS + 1))] * 3


def test_shared_graph_may_be_walked_by_all():
    x = torch.ones(4, requires_grad=True)
    y = ((x * 2).exp() * x).sum()
    alone = torch.autograd.grad(y, x, retain_graph=True)[0].tolist()

    def work(i):
        return [torch.autograd.grad(y, x, retain_graph=True)[0].tolist() for _ in range(20)]

    assert in_threads(work) == [[alone] * 20] * THREADS


def test_grad_mode_is_per_thread():
    seen = {}
    inside, checked = threading.Event(), threading.Event()

    def other():
        inside.wait()
        x = torch.ones(2, requires_grad=True)
        seen["other"] = torch.is_grad_enabled(), (x * 2).requires_grad
        checked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with torch.no_grad():
        inside.set()
        checked.wait()
        seen["own"] = torch.is_grad_enabled()
    thread.join()
    assert seen == {"other": (True, True), "own": False}


def test_inference_mode_is_per_thread():
    with torch.inference_mode():
        (seen,) = in_threads(lambda i: (torch.is_inference_mode_enabled(), torch.ones(2).is_inference()), 1)
    assert seen == (False, False)


def test_grad_mode_switches_do_not_leak_between_threads():
    def work(i):
        x = torch.ones(2, requires_grad=True)
        wrong = 0
        for _ in range(300):
            with torch.set_grad_enabled(i % 2 == 0):
                wrong += (x * 2).requires_grad is not (i % 2 == 0)
            wrong += not (x * 2).requires_grad
        return wrong

    assert in_threads(work) == [0] * THREADS


def test_hook_may_start_a_pass_while_other_threads_run_theirs():
    def work(i):
        inner, outer = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        y = outer * 3

        def hook(g):
            with torch.enable_grad():
                (inner * 2).sum().backward()

        y.register_hook(hook)
        for _ in range(20):
            y.sum().backward(retain_graph=True)
        return inner.grad.tolist(), outer.grad.tolist()

    assert in_threads(work) == [([40.0] * 2, [60.0] * 2)] * THREADS


def run_script(text, timeout=120):
    """The output of a fresh interpreter: only there is a call of an op its first."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_calls_of_all_ops_may_come_from_several_threads():
    out = run_script(
        """
        import sys, threading
        sys.setswitchinterval(1e-6)
        import minitorch as torch

        names = "exp log sqrt sin cos tan tanh sigmoid relu abs neg floor ceil sign".split()
        names += "reciprocal sum mean clone".split()
        gate, errors = threading.Barrier(6), []

        def work(i):
            x = torch.tensor([0.5, 1.5], requires_grad=True)
            try:
                gate.wait()
                for name in names[3 * i :] + names[: 3 * i]:  # each builds others at the same time
                    y = getattr(torch, name)(x)
                    y.sum().backward()
                for f in (torch.add, torch.mul, torch.sub, torch.div, torch.maximum, torch.atan2):
                    f(x, x + 1).sum().backward()
                (x * 1).mul_(2).add_(x).exp_().sum().backward()
                results.append([round(v, 3) for v in x.grad.tolist()])
            except BaseException as e:
                errors.append(repr(e))

        results = []
        threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
        for t in threads: t.start()
        for t in threads: t.join()
        assert not errors, errors
        print(len(results), all(r == results[0] for r in results))
        """
    )
    assert out.split() == ["6", "True"]


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

# Python 3.12 warns of any fork in a process with threads, NumPy's BLAS included
FORK = """
    import os, sys, threading, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    import minitorch as torch

    def step():
        x = torch.arange(6.0).reshape(2, 3).requires_grad_()
        w = torch.ones(3, 2, requires_grad=True)
        (torch.tanh(x @ w) * 2).sum().backward()
        return w.grad.tolist()
"""
CHILD = """
    def in_child():
        if step() != expected:
            os._exit(3)
        y = torch.ones(4, requires_grad=True)
        (y.sigmoid() / 3).mean().backward()  # ops whose first call is in the child
        os._exit(0 if y.grad is not None else 4)
"""


@needs_fork
def test_child_computes_after_kernels_have_run():
    out = run_script(
        FORK
        + "    expected = step()\n"
        + CHILD
        + """
    pid = os.fork()
    if pid == 0:
        in_child()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert step() == expected
    print(status)
    """
    )
    assert out.split() == ["0"]


def forks_beside(work):
    """A script: a thread repeats `work` on a leaf that four forked children use as well."""
    return (
        FORK
        + f"""
    sys.setswitchinterval(1e-5)
    shared = torch.ones(3, requires_grad=True)
    {work}
    expected, stop = step(), threading.Event()

    def repeat():
        while not stop.is_set():
            {work}

    def in_child():
        signal.alarm(60)
        shared.grad = None
        for _ in range(3):
            (shared * 2).sum().backward()
        torch.manual_seed(0)
        draws = torch.rand(3).tolist()
        os._exit(0 if (shared.grad.tolist(), step(), draws) == ([6.0] * 3, expected, first) else 3)

    import signal
    torch.manual_seed(0)
    first = torch.rand(3).tolist()
    thread = threading.Thread(target=repeat)
    thread.start()
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            in_child()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    thread.join()
    """
    )


@needs_fork
def test_child_compiles_though_a_thread_was_compiling_at_the_fork(tmp_path):
    out = run_script(
        FORK
        + f"""
    import signal, time
    os.environ["MINITORCH_CACHE"] = {str(tmp_path)!r}
    x = torch.ones(4)
    F = torch.nn.functional
    F.elu(x)  # all is imported: a fork in the middle of an import is beyond any library's help
    busy = threading.Event()

    def compile_all():
        busy.set()
        for function in (F.silu, F.softplus, torch.sigmoid, torch.rsqrt):
            function(x)

    thread = threading.Thread(target=compile_all)
    thread.start()
    busy.wait()
    while True:
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            os._exit(0 if F.leaky_relu(x).tolist() == [1.0] * 4 else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if not thread.is_alive():
            break
        time.sleep(0.03)
    """
    )
    assert set(out.split()) == {"0"}


@needs_fork
def test_child_calls_llvm_though_a_thread_was_in_it_at_the_fork():
    out = run_script(
        FORK
        + """
    import signal
    from llvmlite import binding
    torch.nn.functional.elu(torch.ones(4))  # loads a kernel
    sys.setswitchinterval(1e-5)
    stop = threading.Event()

    def call():
        while not stop.is_set():
            binding.get_host_cpu_features()

    thread = threading.Thread(target=call)
    thread.start()
    statuses = set()
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            os._exit(0 if binding.get_host_cpu_name() else 3)
        statuses.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    thread.join()
    print(*statuses)
    """
    )
    assert out.split() == ["0"]


@needs_fork
def test_fork_waits_for_locks_that_another_thread_takes_in_any_order():
    out = run_script(
        FORK
        + """
    import signal, time
    from minitorch._fork import fork_safe_lock
    earlier, later, holds = fork_safe_lock(), fork_safe_lock(), threading.Event()

    def take_both():
        with later:
            holds.set()
            time.sleep(0.3)  # meanwhile the fork begins to take locks
            with earlier:
                pass

    signal.alarm(60)
    thread = threading.Thread(target=take_both)
    thread.start()
    holds.wait()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if earlier.acquire(blocking=False) and later.acquire(blocking=False) else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    )
    assert out.split() == ["0"]


@needs_fork
@pytest.mark.parametrize(
    "work",
    ["((shared * 3).exp() * shared).sum().backward()", "torch.randn(50_000)"],
    ids=["backward", "randn"],
)
def test_child_computes_though_a_thread_was_busy_at_the_fork(work):
    assert run_script(forks_beside(work)).split() == ["0"] * 4


def test_a_thread_that_ends_without_grad_leaves_no_trace():
    def ends_in_no_grad():
        torch.set_grad_enabled(False)
        seen.append(threading.get_ident() in grad_mode.UNUSUAL)

    seen = []
    thread = threading.Thread(target=ends_in_no_grad)
    thread.start()
    thread.join()
    assert seen == [True]
    assert thread.ident not in grad_mode.UNUSUAL
