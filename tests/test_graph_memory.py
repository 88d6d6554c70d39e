"""What graphs keep alive, and what frees them: deep ones too, without the garbage collector."""

import gc
import subprocess
import sys
import weakref

import pytest

import minitorch


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_chain_of_100_000_ops_runs_backward_and_is_freed(create_graph):
    x = minitorch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000 if not create_graph else 20_000):
        y = y * 1.0
    (g,) = minitorch.autograd.grad(y, x, create_graph=create_graph)
    assert g.item() == 1.0
    del y, g


def test_a_chain_of_10_000_views_and_writes_is_freed():
    x = minitorch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    for _ in range(10_000):
        y.select(0, 0).add_(1.0)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y


def graphs():
    """name -> function that builds a graph and returns tensors whose memory must die with the last reference."""
    m = minitorch

    def plain(x):
        return [x * 2, (x * x).exp().sum()]

    def saved_output(x):
        y = x.exp()
        return [y, y.sigmoid().tanh().sum()]

    def views(x):
        y = x * 1
        return [y, y.view(-1), y.t(), y.t().select(0, 0)]

    def written(x):
        y = x * 1
        y.mul_(2)
        y.relu_()
        return [y]

    def written_view(x):
        y = x * 1
        v = y.select(0, 1)
        v.mul_(3)
        v.exp_()
        return [y, v, y.sum()]

    def several_outputs(x):
        y = x * 1
        a, b = y.unbind(0)[:2]
        values, _ = y.max(1)
        return [y, a, b, a * b, values, m.cat([a, b])]

    def retained(x):
        y = x * 2
        y.retain_grad()
        return [y, y.sum()]

    def hooked(x):
        y = x * 2
        y.register_hook(lambda g: g * 2)
        return [y, y.sum()]

    def grads(x):
        y = (x * x).sum()
        return [y, *m.autograd.grad(y, x, create_graph=True)]

    def matrices(x):
        return [x @ x.t(), (x @ x.t()).softmax(-1), x.var(), x.logsumexp(0)]

    return [plain, saved_output, views, written, written_view, several_outputs, retained, hooked, grads, matrices]


@pytest.mark.parametrize("backward", [False, True], ids=["dropped", "after_backward"])
@pytest.mark.parametrize("build", graphs(), ids=lambda f: f.__name__)
def test_memory_is_freed_without_the_garbage_collector(build, backward):
    gc.disable()
    try:
        x = minitorch.arange(12.0).reshape(3, 4).div(7).requires_grad_()
        made = build(x)
        if backward:
            sum(t.sum() for t in made if t.requires_grad).backward()
        died = [weakref.ref(t) for t in (x, *made)]
        arrays = [weakref.ref(t.array) for t in made if t.array.base is None]
        nodes = [weakref.ref(t.grad_fn) for t in made if t.grad_fn is not None]
        del made, x
        alive = [r for r in (*died, *arrays, *nodes) if r() is not None]
        assert not alive
    finally:
        gc.enable()


def test_saved_values_are_freed_by_backward():
    x = minitorch.ones(10, requires_grad=True)
    y = x * 2
    z = y.exp()
    kept = weakref.ref(z.array)
    loss = z.sum()
    del z
    assert kept() is not None
    loss.backward()
    assert kept() is None


EXCHANGES = {
    "data": lambda x: setattr(x, "data", minitorch.zeros(2)),
    "data of what was a leaf": lambda x: setattr(x.requires_grad_(False), "data", minitorch.zeros(2)),
    "resize_": lambda x: x.requires_grad_(False).resize_(20),
    "set_": lambda x: minitorch.no_grad()(x.set_)(minitorch.zeros(2)),
    "out=": lambda x: minitorch.zeros(2, out=x.requires_grad_(False).resize_(0)),
    "share_memory_": lambda x: x.share_memory_(),
}


@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_a_leaf_keeps_no_memory_that_it_has_left(exchange):
    x = minitorch.ones(10, requires_grad=True)
    before = weakref.ref(x.array)
    exchange(x)
    assert before() is None


def test_first_gradient_is_taken_over_without_a_copy():
    x = minitorch.ones(3, requires_grad=True)
    y = x * minitorch.full((3,), 2.0)
    seen = []
    y.register_hook(lambda g: seen.append(g.array.__array_interface__["data"][0]))
    y.sum().backward()
    before = x.grad.data_ptr()
    (x * 2).sum().backward()
    assert x.grad.data_ptr() == before, "a second pass adds into the same memory"


def test_resident_memory_stays_flat_over_training_steps():
    code = """
import gc, resource
gc.disable()
import minitorch as torch
w = torch.ones(20, 20, requires_grad=True)
x = torch.ones(8, 20)
def step():
    loss = ((x @ w).relu() ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w.sub_(w.grad * 1e-9)
    w.grad = None
for _ in range(300): step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3000): step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 1000, f"{grown} KiB more"
