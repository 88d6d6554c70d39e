"""Whole models trained on an emulated GPU, every kernel's own source run, beside the CPU."""

import numpy as np
import pytest
from emulated_gpu import emulated

import minitorch as torch
from minitorch.nn import functional as F


@pytest.fixture
def gpu():
    with emulated() as device:
        yield device


class LanguageModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 8)
        self.block = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.block(self.embedding(x))).flatten(0, 1)


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = torch.nn.LSTM(4, 5), torch.nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.layer(x)[0][-1])


def mlp():
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3))
    return net, torch.randn(4, 6), torch.tensor([0, 2, 1, 1])


def cnn():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(8, 3),
    )  # fmt: skip
    return net, torch.randn(2, 1, 4, 4), torch.tensor([0, 2])


def language_model():
    return LanguageModel(), torch.tensor([[0, 1, 2, 3]]), torch.tensor([1, 2, 3, 4])


def recurrent():
    return Recurrent(), torch.randn(3, 2, 4), torch.tensor([0, 2])


def trained(make, device, optimizer):
    """The losses of two steps and the gradients of the last."""
    torch.manual_seed(0)
    net, x, y = make()
    net, x, y = net.to(device), x.to(device), y.to(device)
    update = getattr(torch.optim, optimizer)(net.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        update.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        update.step()
        losses.append(loss.item())
    return losses, [p.grad.cpu().numpy() for p in net.parameters()]


def check(make, optimizer):
    torch.backends.cudnn.allow_tf32 = False  # as the CPU computes
    try:
        compare(make, optimizer)
    finally:
        torch.backends.cudnn.allow_tf32 = True


def compare(make, optimizer):
    (losses, grads), (expected, expected_grads) = (trained(make, d, optimizer) for d in ("cuda", "cpu"))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for ours, theirs in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_an_mlp_trains(gpu):
    check(mlp, "SGD")
    # a launch for each op and gradient, and one for the update of all parameters
    assert len(gpu.launched) < 50


@pytest.mark.slow
@pytest.mark.parametrize("make", [mlp, cnn, language_model, recurrent], ids=lambda f: f.__name__)
def test_models_train(gpu, make):
    check(make, "AdamW")


@pytest.mark.slow
def test_a_captured_step_trains_as_an_eager_one():
    losses = {}
    for captured in (False, True):
        with emulated(caching=True):
            torch.manual_seed(0)
            net, x, y = mlp()
            net, x, y = net.cuda(), x.cuda(), y.cuda()
            update = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

            def step(net=net, x=x, y=y, update=update):
                update.zero_grad()
                loss = F.cross_entropy(net(x), y)
                loss.backward()
                update.step()
                return loss

            side = torch.cuda.Stream()
            with torch.cuda.stream(side):
                step()
            losses[captured] = []
            if captured:
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    loss = step()
            for _ in range(2):
                if captured:
                    graph.replay()
                else:
                    loss = step()
                losses[captured].append(loss.item())
    assert losses[True] == losses[False]


def test_batch_cut_replicated_applied_and_gathered_is_the_batch(gpu):
    parallel = torch.nn.parallel
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2).eval(), torch.nn.ReLU()).cuda()
    net.append(net[0].__class__(2, 2, device="cuda"))
    x = torch.randn(4, 3, device="cuda", requires_grad=True)
    expected = net(x)
    replicas = parallel.replicate(net, [0, 0])
    pieces, arguments = parallel.scatter_gather.scatter_kwargs((x,), {}, [0, 0])
    found = parallel.gather(parallel.parallel_apply(replicas, pieces, arguments, [0, 0]), 0)
    torch.testing.assert_close(found, expected)
    leaves = [x, *net.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(expected.sum(), leaves), rtol=1e-5, atol=1e-6
    )
    assert not list(replicas[0].parameters())
    with pytest.warns(UserWarning, match="were scalars"):
        assert parallel.gather([x.sum(), x.sum()], "cpu").shape == (2,)
