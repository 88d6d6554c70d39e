"""Datasets that workers started by any method can load: this module imports no torch, which would take seconds."""

import os
import random
import signal
import time

import numpy as np

import minitorch as torch
from minitorch.utils.data import Dataset, IterableDataset, get_worker_info


class Faulty(Dataset):
    """Numbers; item 3 does what it was told to do."""

    def __init__(self, fault=None):
        self.fault = fault

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return self.fault() if i == 3 and self.fault else i


class TwoArguments(Exception):
    """It cannot be made from a message alone."""

    def __init__(self, a, b):
        super().__init__(a, b)


def raise_value_error():
    raise ValueError("bad item 3")


def raise_key_error():
    raise KeyError("bad item 3")


def raise_two_arguments():
    raise TwoArguments("bad", "item 3")


def raise_local_error():
    class Local(Exception):
        pass

    raise Local("bad item 3")


def return_unpicklable():
    return lambda: None


def return_with_history():
    return torch.ones(1, requires_grad=True) * 2


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exit_7():
    os._exit(7)


def sleep():
    time.sleep(60)


def fail_at_start(worker_id):
    raise ValueError(f"worker {worker_id} cannot start")


def sleep_2():
    time.sleep(2)


class Drawing(Dataset):
    """What each kind of random number generator gives in a worker, and which worker it is."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        info = get_worker_info()
        return i, info.id, info.num_workers, info.seed, random.random(), np.random.rand(), torch.rand(2)


class Computing(Dataset):
    """Items that kernels compute, with gradients."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        x = torch.arange(6.0).reshape(2, 3).add(i).requires_grad_()
        torch.tanh(x @ torch.ones(3, 2)).sigmoid().sum().backward()
        return x.grad


class Parts(IterableDataset):
    """The workers' own parts of the numbers below n, of different lengths."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers + info.id))


def first(batch):
    return batch[0]
