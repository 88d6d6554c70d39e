"""What surrounds training: checkpoints, warm starts, hooks, shapes, saved tensors, profiles, devices."""

import logging
import os
import random
import tempfile
import time
import warnings
from collections import OrderedDict
from functools import partial
from typing import Optional

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch import Tensor
from torch.autograd import profiler
from torch.nn.parameter import Parameter
from torch.optim import swa_utils
from torch.utils.checkpoint import checkpoint
from torch.utils.data import ConcatDataset, IterableDataset, TensorDataset, get_worker_info

SEED = 19
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False
torch.set_printoptions(precision=3, sci_mode=False)
logging.basicConfig(level=logging.WARNING)
print(tuple(int(p) for p in torch.__version__.split("+")[0].split(".")[:2]) >= (2, 0), torch.get_num_threads() >= 1)
print(torch.cuda.device_count() >= 0, torch.device("cpu"), torch.distributed.is_available() in (True, False))


class Net(nn.Module):
    def __init__(self, hidden: int = 16, head: Optional[nn.Module] = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc1 = nn.LazyLinear(hidden)
        self.head = head or nn.Linear(hidden, 3)
        self.scale = Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv(x)), (2, 2))
        x = torch.flatten(x, start_dim=1)
        x = checkpoint(lambda t: torch.tanh(self.fc1(t)), x, use_reentrant=False)
        return self.head(x) * self.scale


class Stream(IterableDataset):
    def __iter__(self):
        assert get_worker_info() is None
        return (torch.full((2,), float(i)) for i in range(5))


net = Net()
x, y = torch.randn(8, 1, 10, 10), torch.randint(0, 3, (8,))
shapes = []
handles = [
    layer.register_forward_hook(lambda m, i, o, name=name: shapes.append((name, tuple(i[0].shape), tuple(o.shape))))
    for name, layer in net.named_children()
]
net(x)
for handle in handles:
    handle.remove()
print(shapes, net, sep="\n")
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
average = swa_utils.AveragedModel(net)
norms = []
net.scale.register_hook(lambda grad: norms.append(grad.abs().item()))
for step in range(20):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    average.update_parameters(net)
    print(f"{step} {loss.item():.8g}")
print(len(norms), f"{average(x).sum().item():.4f}", average.n_averaged.item())

for param_tensor in net.state_dict():
    print(param_tensor, "\t", net.state_dict()[param_tensor].size())
print([sorted(group) for group in optimizer.state_dict()["param_groups"]])
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pt")
    torch.save({"epoch": 5, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "loss": 0.4}, path)
    state = torch.load(path, weights_only=True)
    other = Net(head=nn.Linear(16, 3))
    other(x)
    state["model"]["renamed.weight"] = state["model"].pop("head.weight")
    print(other.load_state_dict(state["model"], strict=False))
    optim.SGD(other.parameters(), lr=0.1).load_state_dict(state["optimizer"])
    torch.save(net, path)
    net.eval()
    print(torch.equal(torch.load(path, weights_only=False).eval()(x), net(x)))
    try:
        other.load_state_dict(state["model"])
    except RuntimeError as error:
        print(str(error).splitlines()[0])

packed = []
with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t.numel()) or t, lambda t: t):
    (torch.randn(5, requires_grad=True).exp() ** 2).sum().backward()
print(sum(packed) > 0)
with profiler.profile() as prof:
    net(x)
print(len(prof.key_averages()) > 0)
seq = nn.Sequential(OrderedDict([("a", nn.Linear(4, 4)), ("act", nn.ReLU()), ("b", nn.Linear(4, 2))]))
seq.apply(lambda m: isinstance(m, nn.Linear) and nn.init.eye_(m.weight))
print(seq.a.weight, seq[-1], [n for n, _ in seq.named_modules()], sep="\n")
start = time.perf_counter()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    F.mse_loss(torch.zeros(2), torch.zeros(2, 1))
print(len(caught), caught[0].category.__name__)
both = ConcatDataset([TensorDataset(torch.arange(3)), TensorDataset(torch.arange(3, 5))])
print([item[0].item() for item in both], [batch.tolist() for batch in torch.utils.data.DataLoader(Stream(), 2)])
jacobian = torch.func.jacrev(partial(torch.pow, exponent=3))(torch.tensor([1.0, 2.0]))
print(jacobian, torch.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3)), "fork" in mp.get_all_start_methods())
with torch.autocast("cpu", dtype=torch.bfloat16):
    print(seq(torch.ones(1, 4)).dtype)
scaler = torch.amp.GradScaler("cpu", enabled=False)
scaler.step(optimizer)
scaler.update()
with torch.autograd.set_detect_anomaly(True):
    seq(torch.ones(1, 4)).sum().backward()
print(f"{nn.utils.parameters_to_vector(seq.parameters()).sum():.4f}", time.perf_counter() > start)
