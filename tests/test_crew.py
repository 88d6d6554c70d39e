"""Operations shared among threads: same bits as alone, after forks, in workers, and from several Python threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import minitorch as torch
import minitorch.nn.functional as F
from minitorch._kernels import cache
from minitorch._kernels.cpu import products, recurrent, threads
from minitorch.utils.data import DataLoader, Dataset

conv = cache.load_file("cpu.conv")


@pytest.fixture(autouse=True)
def everything_is_shared(monkeypatch):
    """The smallest operation is split, whatever the machine."""
    monkeypatch.setattr(threads, "SERIAL", 0)
    yield
    torch.set_num_threads(1)


def members():
    return [t for t in threading.enumerate() if t.name.startswith("minitorch-")]


def convolutions(seed, groups=1):
    """A convolution and its gradients, as bytes."""
    draw = np.random.default_rng(seed)
    n, c, k, h, w = (int(draw.integers(1, m)) for m in (6, 5, 40, 20, 20))
    taps, stride, dilation = (int(draw.integers(1, 4)) for _ in range(3))
    if taps == 1:
        k += 32  # only blocks of filters are shared then: two of them, however wide the vectors are
    x = torch.from_numpy(draw.standard_normal((n, c * groups, h + 9, w + 9), "f")).requires_grad_()
    weight = torch.from_numpy(draw.standard_normal((k * groups, c, taps, taps), "f")).requires_grad_()
    bias = torch.from_numpy(draw.standard_normal(k * groups, "f"))
    out = F.conv2d(x, weight, bias, stride, taps // 2, dilation, groups)
    out.backward(torch.from_numpy(draw.standard_normal(out.shape, "f")))
    return [t.detach().numpy().tobytes() for t in (out, x.grad, weight.grad)]


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_convolutions_have_the_same_bits_at_any_number_of_threads(seed, groups):
    alone = convolutions(seed, groups)
    for n in (2, 3, 5):
        torch.set_num_threads(n)
        assert convolutions(seed, groups) == alone
    assert len(members()) == 4


@pytest.mark.parametrize("images", [1, 5])
def test_convolution_by_winograd_has_the_same_bits_at_any_number_of_threads(images):
    draw = np.random.default_rng(images)
    x, g = (draw.standard_normal((images, channels, 27, 30), "f") for channels in (64, 72))
    w, found = draw.standard_normal((72, 64, 3, 3), "f"), []
    assert conv.conv_winograd.pays(1.0, x, g) and conv.conv_winograd.pays(1.0, g, x)
    assert conv.conv_winograd_weights.pays(1.0, x, g)
    for n in (1, 2, 3, 5):
        torch.set_num_threads(n)
        out, dx, dw = map(np.empty_like, (g, x, w))
        conv.convolution(x, w, None, (1, 1), (1, 1), (1, 1), 1, out)
        conv.convolution_transpose(g, w, None, (1, 1), (1, 1), (1, 1), 1, dx)
        conv.convolution_backward_weight(g, x, (1, 1), (1, 1), (1, 1), 1, dw)
        found.append([a.tobytes() for a in (out, dx, dw)])
    assert found == [found[0]] * 4 and len(members()) == 4


SHAPES = [(64, 784, 128), (300, 5, 200), (1, 400, 700), (700, 400, 1), (513, 129, 67)]


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_products_have_the_same_bits_at_any_number_of_threads(m, k, n, dtype):
    draw = np.random.default_rng(0)
    ends = [(draw.standard_normal((3, m, k)).astype(dtype), draw.standard_normal((3, k, n)).astype(dtype))]
    a, b = ends[0]
    ends += [
        (a.swapaxes(1, 2).copy().swapaxes(1, 2), b),
        (a, b.swapaxes(1, 2).copy().swapaxes(1, 2)),
        (a[:, :, ::-1], b),
    ]
    ends = [(a[0], b[0]) for a, b in ends] + ends[:2]
    torch.use_deterministic_algorithms(True)
    try:
        found = []
        for threads_ in (1, 2, 5):
            torch.set_num_threads(threads_)
            found.append([products.matmul(*e) if e[0].ndim == 3 else products.dot(*e) for e in ends])
    finally:
        torch.use_deterministic_algorithms(False)
    for end, *results in zip(ends, *found, strict=True):
        np.testing.assert_allclose(results[0], np.matmul(*end), rtol=0, atol=k * np.finfo(dtype).eps * 4)
        assert len({r.tobytes() for r in results}) == 1


@pytest.mark.parametrize("by_blas", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_have_the_same_bits_at_any_number_of_threads(kind, by_blas, monkeypatch):
    if not by_blas:
        monkeypatch.setattr(recurrent, "blas_function", lambda dtype, kind: 0)
    torch.manual_seed(0)
    layer, x = getattr(torch.nn, kind)(5, 12, bidirectional=True), torch.randn(4, 70, 5)

    def outputs_and_gradients():
        out, _ = layer(x)
        gradients = torch.autograd.grad(out, [*layer.parameters()], torch.cos(out.detach()))
        return torch.cat([t.detach().reshape(-1) for t in (out, *gradients)])

    found = at_several_counts(outputs_and_gradients)
    out = found[: x.shape[0] * x.shape[1] * 24].reshape(*x.shape[:2], 24)
    np.testing.assert_allclose(out, layer.double()(x.double())[0].detach().numpy(), 1e-5, 1e-6)


def adam_steps():
    parameter = torch.nn.Parameter(torch.linspace(-1, 1, 70_000))
    optimizer = torch.optim.Adam([parameter], amsgrad=True)
    for _ in range(3):
        parameter.grad = torch.sin(parameter.detach() * 50)
        optimizer.step()
    return parameter.detach()


def layer_norm_gradients():
    x = (torch.arange(70_000.0) % 977).view(350, 200).requires_grad_()
    weight, bias = (torch.linspace(1, 2, 200).requires_grad_() for _ in range(2))
    out = F.layer_norm(x, (200,), weight, bias)
    return torch.cat([g.reshape(-1) for g in torch.autograd.grad(out, [x, weight, bias], torch.cos(out.detach()))])


VALUES = (np.arange(70_000) % 911 / 911).astype("f")
LARGE_OPERATIONS = {
    "softmax": lambda T, x: x.softmax(1),
    "log_softmax": lambda T, x: x.log_softmax(1),
    "sum of rows": lambda T, x: x.sum(1),
    "sum": lambda T, x: x.sum(),
    "mean": lambda T, x: x.mean(),
    "prod": lambda T, x: (x * 1e-3 + 1).prod(),
    "sum of integers": lambda T, x: (x * 1000).long().sum(),
}


@pytest.mark.parametrize("name", LARGE_OPERATIONS)
def test_large_operations_have_the_same_bits_at_any_number_of_threads(name):
    import torch as real

    x, operation = torch.from_numpy(VALUES.reshape(350, 200)), LARGE_OPERATIONS[name]
    found = at_several_counts(lambda: operation(torch, x))
    wanted = operation(real, real.from_numpy(VALUES.reshape(350, 200))).numpy()
    np.testing.assert_allclose(found, wanted, 2e-6)


OF_TWO = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
OF_ONE = {"exp": np.exp, "log": np.log, "tanh": np.tanh}  # of float64 there is a loop for exp alone


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, "f") for name in (*OF_TWO, *OF_ONE)] + [(name, "d") for name in (*OF_TWO, "exp")]
)
def test_operations_that_numpy_has_are_shared_with_the_same_bits(name, dtype):
    values = np.linspace(0.5, 3, 150_000).astype(dtype)
    operands = [values, values[::-1].copy()] if name in OF_TWO else [values]
    x, *others = map(torch.from_numpy, operands)
    found = at_several_counts(lambda: getattr(x, name)(*others))
    np.testing.assert_allclose(found, {**OF_TWO, **OF_ONE}[name](*operands), 3e-7)


def cross_entropy_gradients():
    x = torch.from_numpy(VALUES.reshape(350, 200)).requires_grad_()
    torch.nn.functional.cross_entropy(x, torch.arange(350) % 200).backward()
    return x.grad


@pytest.mark.parametrize("made", [adam_steps, layer_norm_gradients, cross_entropy_gradients])
def test_steps_and_gradients_have_the_same_bits_at_any_number_of_threads(made):
    assert np.isfinite(at_several_counts(made)).all()


def at_several_counts(operation):
    """What the operation gives, the same at 1, 2 and 5 threads."""
    torch.use_deterministic_algorithms(True)
    try:
        found = []
        for n in (1, 2, 5):
            torch.set_num_threads(n)
            found.append(operation().numpy())
    finally:
        torch.use_deterministic_algorithms(False)
    assert len(members()) == 4
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    return found[0]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 700, 16), (2, 3, 130, 8)])
def test_attention_has_the_same_bits_at_any_number_of_threads(shape, causal):
    torch.manual_seed(0)
    ends = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    found = []
    for threads_ in (1, 2, 5):
        torch.set_num_threads(threads_)
        out = F.scaled_dot_product_attention(*ends, is_causal=causal)
        gradients = torch.autograd.grad(out, ends, torch.cos(out.detach()))
        found.append([t.detach().numpy().tobytes() for t in (out, *gradients)])
    assert found[0] == found[1] == found[2]


def test_large_products_are_shared(monkeypatch):
    if not products.blas_function("f", "gemm"):
        pytest.skip("NumPy has no OpenBLAS with integers of 64 bits here")
    asked = []
    share = threads.share
    monkeypatch.setattr(threads, "share", lambda work, items: asked.append(items) or share(work, items))
    torch.set_num_threads(2)
    torch.ones(64, 784) @ torch.ones(784, 128)
    F.linear(torch.ones(64, 784), torch.ones(128, 784), torch.ones(128))
    torch.ones(8, 64, 64) @ torch.ones(8, 64, 64)
    torch.ones(4, 4) @ torch.ones(4, 4)
    assert asked == [2, 2, 8]


def test_a_crew_has_one_thread_less_than_asked_for_and_ends_with_one():
    torch.set_num_threads(3)
    assert members() == []  # before anything is to be shared
    convolutions(0)
    assert len(members()) == 2
    torch.set_num_threads(1)
    assert members() == []
    convolutions(0)
    assert members() == []


def test_small_work_is_not_shared(monkeypatch):
    monkeypatch.setattr(threads, "SERIAL", 1000)
    torch.set_num_threads(2)
    assert threads.share(999, 100) == (0, 1)
    assert threads.share(1000, 1) == (0, 1)
    address, parts = threads.share(1000, 3)
    assert address and parts == 3


def test_every_part_is_done_once():
    counted = cache.load("count_parts", COUNTED).kernel
    torch.set_num_threads(4)
    for parts in (1, 2, 7, 1000):
        done = np.zeros(parts, np.int64)
        for _ in range(50):
            counted(threads.share(1, parts)[0], parts, done)
        assert (done == 50).all()


COUNTED = """from numba import njit
from minitorch._kernels.cpu.parallel import split
@njit
def part_(part, done):
    done[part] += 1
@njit(nogil=True)
def kernel(crew, parts, done):
    split(crew, part_, parts, (done,))
"""


def test_members_wake_after_a_long_sleep():
    counted = cache.load("count_parts", COUNTED).kernel
    torch.set_num_threads(3)
    done = np.zeros(4, np.int64)
    counted(threads.share(1, 4)[0], 4, done)
    while len(threads._crew.asleep) < 2:
        pass
    counted(threads.share(1, 4)[0], 4, done)
    assert done.tolist() == [2] * 4


def test_python_threads_share_one_crew():
    alone = [convolutions(i) for i in range(4)]
    torch.set_num_threads(3)
    seen, most = {}, 0

    def work(i):
        nonlocal most
        for _ in range(5):
            seen[i] = convolutions(i)
            most = max(most, len(members()))

    own = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in own:
        thread.start()
    for thread in own:
        thread.join()
    assert [seen[i] for i in range(4)] == alone
    assert most == 2


def test_the_number_of_threads_may_change_while_another_thread_computes():
    alone = convolutions(1)
    ends, wrong = threading.Event(), []

    def work():
        while not ends.is_set():
            if convolutions(1) != alone:
                wrong.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    for n in (2, 4, 1, 3) * 5:
        torch.set_num_threads(n)
    ends.set()
    thread.join()
    assert not wrong


FORKS = """
import os, sys, threading
sys.path.insert(0, {tests!r})
from test_crew import convolutions, members, threads, torch
threads.SERIAL = 0
alone = convolutions(2)
torch.set_num_threads(3)
ends = threading.Event()
def work():
    while not ends.is_set():
        convolutions(1)
busy = threading.Thread(target=work, daemon=True)
if {busy}:
    busy.start()
for _ in range(10):
    assert convolutions(2) == alone
    child = os.fork()
    if not child:
        before = len(members())
        same = convolutions(2) == alone
        os._exit(0 if same and before == 0 and len(members()) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert convolutions(2) == alone and len(members()) == 2
ends.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("busy", [False, True])
def test_both_sides_of_a_fork_compute_with_a_crew(busy):
    code = FORKS.format(tests=os.path.dirname(__file__), busy=busy)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


class Convolved(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        threads.SERIAL = 0
        kept = np.frombuffer(convolutions(i)[0], "f")
        return torch.tensor([torch.get_num_threads(), len(members()), float(kept.sum())])


def test_workers_of_a_loader_compute_on_one_thread():
    alone = [Convolved()[i][2].item() for i in range(4)]
    torch.set_num_threads(2)
    assert convolutions(0)
    found = torch.cat(list(DataLoader(Convolved(), num_workers=2)))
    assert found.tolist() == [[1, 0, total] for total in alone]
    assert torch.get_num_threads() == 2


def layers(dtype):
    """Activations, a batch norm and pooling with their gradients, over enough elements to be shared; as bytes."""
    draw = np.random.default_rng(3)
    x = torch.from_numpy(draw.standard_normal((20, 16, 15, 17)).astype(dtype)).requires_grad_()
    norm = torch.nn.BatchNorm2d(16, dtype=x.dtype)
    out = F.leaky_relu(F.silu(norm(x)) * x, 0.2)
    F.relu_(out)
    out = F.max_pool2d(out, 3, 2, 1)
    out.backward(torch.from_numpy(draw.standard_normal(out.shape).astype(dtype)))
    results = out, x.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var
    return [t.detach().numpy().tobytes() for t in results]


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_loops_and_norms_have_the_same_bits_at_any_number_of_threads(dtype):
    torch.use_deterministic_algorithms(True)
    try:
        alone = layers(dtype)
        for n in (2, 5):
            torch.set_num_threads(n)
            assert layers(dtype) == alone
    finally:
        torch.use_deterministic_algorithms(False)


def test_large_loops_are_shared(monkeypatch):
    asked = []
    share = threads.share
    monkeypatch.setattr(threads, "share", lambda work, items: asked.append(items) or share(work, items))
    torch.set_num_threads(2)
    F.relu(torch.ones(2**14))
    F.relu(torch.ones(2**16))
    F.leaky_relu(torch.ones(2**9, 2**8).T)
    F.leaky_relu(torch.ones(2**9, 2**9)[:, : 2**8])  # by lines
    F.leaky_relu(torch.ones(2**9, 2**9)[:, ::2])  # the loop over single elements is not
    assert asked == [8, 16, 64]
