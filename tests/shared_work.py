"""What processes started by any method run in tests: this module imports no torch, which would take seconds."""

import os
import signal
import time

import minitorch as torch


def add_one(t):
    t += 1


def send(queue, done):
    """A tensor, a view of it and a Parameter in one message; then wait until they are received."""
    x = torch.arange(6.0).reshape(2, 3)
    queue.put((x, x[1], torch.nn.Parameter(x * 2)))
    done.wait(60)


def double_all(queue, done):
    for t in iter(queue.get, None):
        t *= 2
        done.put(t.tolist())


def give_back(queue, back, done):
    back.put(queue.get())
    done.wait(60)


def square(x):
    return x * x


def train(model, seed):
    """Hogwild: this process's own share of the steps on everyone's parameters."""
    torch.manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(200):
        x = torch.randn(8, 2)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), x @ torch.tensor([[2.0], [-1.0]]) + 0.5).backward()
        optimizer.step()


def fill(i, t):
    t[i] = i + 10


def fail(i, t):
    if i == 1:
        raise ValueError("process 1 is bad")
    time.sleep(30)


def die(i, t):
    if i == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(30)


def leave(i, t):
    os._exit(5)
