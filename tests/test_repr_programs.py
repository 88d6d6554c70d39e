"""What programs print: tensors with their graph, shapes, dtypes and modules, as the same program does with torch."""

import warnings
from collections import OrderedDict

import pytest
import torch

import minitorch

TENSORS = """
torch.tensor([1.0, 2.0, 3.0])
torch.tensor(3.5)
torch.tensor(7)
torch.tensor(True)
torch.tensor([])
torch.tensor([[]])
torch.zeros(0)
torch.zeros(0, 3)
torch.zeros(2, 0, 4)
torch.zeros(0, dtype=torch.int64)
torch.zeros(0, dtype=torch.int32)
torch.zeros(0, 2, dtype=torch.bool)
torch.zeros(0, dtype=torch.float16)
torch.tensor([1, 2, 3])
torch.tensor([1, -20, 300])
torch.tensor([[1, 2], [-3, 4]])
torch.tensor([True, False])
torch.tensor([[True], [False]])
torch.tensor([1, 2], dtype=torch.int8)
torch.tensor([1, 2], dtype=torch.int16)
torch.tensor([1, 2], dtype=torch.int32)
torch.tensor([1, 255], dtype=torch.uint8)
torch.tensor([1.0, 2.0], dtype=torch.float64)
torch.tensor([1.0, 2.5], dtype=torch.float16)
torch.tensor([1.0, 2.5], dtype=torch.bfloat16)
torch.tensor(0.1, dtype=torch.bfloat16)
torch.tensor(0.1, dtype=torch.float16)
torch.tensor([0.1, 65504.0], dtype=torch.float16)
torch.tensor([1e-3, 1e30], dtype=torch.bfloat16)
torch.tensor([float("nan"), 1.0], dtype=torch.float16)
torch.tensor([float("inf"), -1.0], dtype=torch.bfloat16)
torch.arange(2000, dtype=torch.float16)
torch.arange(2000).to(torch.bfloat16)
torch.zeros(0, dtype=torch.bfloat16)
torch.ones(2, 3, dtype=torch.float16).requires_grad_()
torch.ones(2, 3, dtype=torch.bfloat16) * 2
torch.tensor([0.0, -0.0])
torch.tensor([float("nan")])
torch.tensor([float("inf"), float("-inf"), float("nan")])
torch.tensor([1.0, float("nan"), float("inf")])
torch.tensor([1.5, float("inf")])
torch.tensor([1e10, 1.0])
torch.tensor([1e-10, 1.0])
torch.tensor([1e-5])
torch.tensor([123456.0, 0.5])
torch.tensor([99999999.0])
torch.tensor([100000000.0])
torch.tensor([1e9])
torch.tensor([1e38, -1e38])
torch.tensor([1e-45])
torch.tensor([1e300], dtype=torch.float64)
torch.tensor([1 / 3, 2 / 3, 1.0])
torch.tensor([[1.0, 1000.0], [0.001, 1.0]])
torch.tensor([[1.0, 1001.0], [0.0001, 1.0]])
torch.tensor([12345.678])
torch.tensor([0.5, 0.25])
torch.tensor([-1.0, 1.0])
torch.tensor(-0.0)
torch.tensor(float("nan"))
torch.tensor(1e-20)
torch.tensor(2**62)
torch.tensor(-(2**63))
torch.tensor([2**62, 1])
torch.arange(10)
torch.arange(10.0)
torch.arange(30)
torch.arange(100.0)
torch.arange(1000)
torch.arange(1001)
torch.arange(1001.0)
torch.arange(10000).reshape(100, 100)
torch.arange(10000.0).reshape(100, 100) / 7
torch.arange(2000).reshape(2, 1000)
torch.arange(2000).reshape(1000, 2)
torch.arange(1200).reshape(10, 10, 12)
torch.arange(1200.0).reshape(3, 4, 100)
torch.arange(24).reshape(2, 3, 4)
torch.arange(16.0).reshape(2, 2, 2, 2)
torch.arange(5000).reshape(2, 5, 10, 50) % 7 == 0
torch.zeros(3, 3)
torch.ones(2, 2, 2)
torch.eye(4)
torch.full((2, 3), 0.125)
torch.full((3,), 7)
torch.full((2,), True)
torch.linspace(0, 1, 5)
torch.logspace(0, 5, 6)
torch.linspace(-1, 1, 40)
torch.arange(6).reshape(2, 3).t()
torch.arange(12.0).reshape(3, 4)[:, 1]
torch.arange(12.0).reshape(3, 4)[::2]
torch.arange(12.0).reshape(3, 4)[1, 2]
torch.arange(3.0).expand(2, 3)
torch.arange(8.0).as_strided((2, 2), (4, 1), 1)
torch.arange(4).unsqueeze(0)
torch.arange(6.0).reshape(2, 3).flip(0)
torch.arange(4.0).view(torch.int32)
torch.arange(6).unfold(0, 3, 1)
torch.ones(2, requires_grad=True)
torch.ones((), requires_grad=True)
torch.zeros(0, requires_grad=True)
torch.ones(2, dtype=torch.float64, requires_grad=True)
torch.arange(2000.0).requires_grad_()
torch.ones(2, requires_grad=True) + 1
torch.ones(2, requires_grad=True) - 1
torch.ones(2, requires_grad=True) * 2
torch.ones(2, requires_grad=True) / 2
torch.ones(2, requires_grad=True) ** 2
torch.ones(2, requires_grad=True) ** 3
torch.ones(2, requires_grad=True) ** torch.ones(2)
2 ** torch.ones(2, requires_grad=True)
-torch.ones(2, requires_grad=True)
1 - torch.ones(2, requires_grad=True)
1 / torch.ones(2, requires_grad=True)
torch.ones(2, requires_grad=True).exp()
torch.ones(2, requires_grad=True).log()
torch.ones(2, requires_grad=True).sqrt()
torch.ones(2, requires_grad=True).sin().cos()
torch.ones(2, requires_grad=True).tanh()
torch.ones(2, requires_grad=True).sigmoid()
torch.ones(2, requires_grad=True).relu()
torch.ones(2, requires_grad=True).abs()
torch.ones(2, requires_grad=True).clamp(0, 1)
torch.ones(2, requires_grad=True).sum()
torch.ones(2, 2, requires_grad=True).sum(0)
torch.ones(2, 2, requires_grad=True).mean()
torch.ones(2, 2, requires_grad=True).mean(1)
torch.ones(2, 2, requires_grad=True).prod()
torch.ones(2, 2, requires_grad=True).var()
torch.ones(2, 2, requires_grad=True).std(0)
torch.ones(2, 2, requires_grad=True).norm()
torch.ones(2, 2, requires_grad=True).max()
torch.ones(2, 2, requires_grad=True).max(0)
torch.ones(2, 2, requires_grad=True).min(1).values
torch.ones(2, 2, requires_grad=True).amax(0)
torch.ones(2, 2, requires_grad=True).cumsum(0)
torch.ones(2, 2, requires_grad=True).cumprod(1)
torch.ones(2, 2, requires_grad=True).sort()
torch.ones(2, 2, requires_grad=True).topk(1)
torch.ones(2, 2, requires_grad=True).logsumexp(0)
torch.ones(2, 2, requires_grad=True).softmax(0)
torch.ones(2, 2, requires_grad=True).log_softmax(0)
torch.ones(2, 2, requires_grad=True) @ torch.ones(2, 2)
torch.ones(2, 2, requires_grad=True) @ torch.ones(2)
torch.ones(2, requires_grad=True) @ torch.ones(2)
torch.ones(2, 2, 2, requires_grad=True) @ torch.ones(2, 2, 2)
torch.addmm(torch.ones(2), torch.ones(2, 2, requires_grad=True), torch.ones(2, 2))
torch.einsum("ij,jk->ik", torch.ones(2, 2, requires_grad=True), torch.ones(2, 2))
torch.ones(2, 3, requires_grad=True).t()
torch.ones(2, 3, requires_grad=True).T
torch.ones(2, 3, requires_grad=True).view(3, 2)
torch.ones(2, 3, requires_grad=True).reshape(6)
torch.ones(2, 3, requires_grad=True).permute(1, 0)
torch.ones(2, 3, requires_grad=True).transpose(0, 1)
torch.ones(2, 1, requires_grad=True).squeeze()
torch.ones(2, 1, requires_grad=True).squeeze(1)
torch.ones(2, requires_grad=True).unsqueeze(0)
torch.ones(2, requires_grad=True).expand(3, 2)
torch.ones(2, requires_grad=True).repeat(2)
torch.ones(4, requires_grad=True).chunk(2)
torch.ones(4, requires_grad=True).split([1, 3])
torch.ones(2, 2, requires_grad=True).unbind()
torch.ones(4, requires_grad=True)[1:3]
torch.ones(4, requires_grad=True)[2]
torch.ones(4, requires_grad=True)[[0, 2]]
torch.ones(4, requires_grad=True)[torch.tensor([True, False, True, False])]
torch.ones(4, requires_grad=True)[None]
torch.ones(4, requires_grad=True)[...]
torch.ones(3, 3, requires_grad=True).diagonal()
torch.ones(3, 3, requires_grad=True).tril()
torch.ones(3, requires_grad=True).gather(0, torch.tensor([0, 2]))
torch.ones(3, requires_grad=True).index_select(0, torch.tensor([0, 2]))
torch.ones(3, requires_grad=True).masked_fill(torch.tensor([True, False, True]), 0.0)
torch.ones(3, requires_grad=True).scatter(0, torch.tensor([0]), 5.0)
torch.where(torch.tensor([True, False]), torch.ones(2, requires_grad=True), 0.0)
torch.cat([torch.ones(1, requires_grad=True), torch.zeros(1)])
torch.stack([torch.ones(1, requires_grad=True), torch.zeros(1)])
torch.maximum(torch.ones(1, requires_grad=True), torch.zeros(1))
torch.ones(2, requires_grad=True).clone()
torch.ones(2, requires_grad=True).detach()
torch.ones(2, requires_grad=True).double()
torch.ones(2, requires_grad=True).half()
torch.ones(2, requires_grad=True).contiguous()
torch.ones(2, requires_grad=True).flip(0)
torch.ones(2, requires_grad=True).roll(1)
(torch.ones(2, requires_grad=True) * 1).add_(1)
(torch.ones(2, requires_grad=True) * 1).mul_(2)
(torch.ones(2, requires_grad=True) * 1).zero_()
(torch.ones(2, requires_grad=True) * 1)[0].mul_(2)
torch.zeros(2).copy_(torch.ones(2, requires_grad=True))
torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 2, requires_grad=True))
torch.nn.functional.linear(torch.ones(1, 2), torch.ones(3, 2, requires_grad=True), torch.ones(3))
torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2, requires_grad=True))
torch.nn.functional.max_pool2d(torch.ones(1, 1, 2, 2, requires_grad=True), 2)
torch.nn.functional.avg_pool2d(torch.ones(1, 1, 2, 2, requires_grad=True), 2)
torch.nn.functional.cross_entropy(torch.ones(2, 3, requires_grad=True), torch.tensor([0, 1]))
torch.nn.functional.mse_loss(torch.ones(2, requires_grad=True), torch.zeros(2))
torch.nn.functional.binary_cross_entropy_with_logits(torch.ones(2, requires_grad=True), torch.zeros(2))
torch.nn.functional.nll_loss(torch.ones(2, 3, requires_grad=True), torch.tensor([0, 1]))
torch.nn.functional.gelu(torch.ones(2, requires_grad=True))
torch.nn.functional.silu(torch.ones(2, requires_grad=True))
torch.nn.functional.elu(torch.ones(2, requires_grad=True))
torch.nn.functional.leaky_relu(torch.ones(2, requires_grad=True))
torch.nn.functional.softplus(torch.ones(2, requires_grad=True))
torch.nn.functional.layer_norm(torch.ones(2, 2, requires_grad=True), (2,))
torch.nn.functional.batch_norm(torch.ones(2, 2, requires_grad=True), torch.zeros(2), torch.ones(2))
torch.nn.functional.embedding(torch.tensor([0]), torch.ones(2, 3, requires_grad=True))
torch.nn.functional.pad(torch.ones(2, requires_grad=True), (1, 1))
torch.nn.functional.normalize(torch.ones(2, requires_grad=True), dim=0)
torch.nn.functional.interpolate(torch.ones(1, 1, 2, requires_grad=True), scale_factor=2)
torch.nn.functional.one_hot(torch.tensor([0, 2]))
torch.linalg.inv(torch.eye(2).requires_grad_())
torch.linalg.det(torch.eye(2).requires_grad_())
torch.linalg.solve(torch.eye(2).requires_grad_(), torch.ones(2))
torch.linalg.norm(torch.ones(2, requires_grad=True))
torch.linalg.svd(torch.eye(2))
torch.linalg.qr(torch.eye(2))
torch.nn.Parameter(torch.ones(2))
torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
torch.nn.Parameter(torch.ones(2), requires_grad=False)
torch.nn.Parameter(torch.ones(2)) * 2
torch.empty(2, 3, device="meta")
torch.empty(2, 3, device="meta", dtype=torch.int64)
torch.empty(2, device="meta", requires_grad=True) * 2
torch.tensor([[0, 1.0], [2.0, 0]]).to_sparse()
torch.sparse_coo_tensor([[0, 1], [1, 0]], [3.0, 4.0], (2, 2))
torch.sparse_coo_tensor([[0, 1, 1], [1, 0, 0]], [3, 4, 5], (2, 2))
torch.sparse_coo_tensor([[0, 1, 1], [1, 0, 0]], [3.0, 4.0, 5.0], (2, 2)).coalesce()
torch.zeros(2, 2).to_sparse()
torch.sparse_coo_tensor([[0, 1]], [3.0, 4.0], (2,), requires_grad=True)
torch.ones(2, 3).shape
torch.ones(()).shape
torch.ones(2, 3).size()
torch.ones(2, 3).stride()
torch.ones(2, 3).shape[1:]
torch.ones(2, 3).shape + (4,)
torch.Size([1, 2])
torch.float32
torch.bfloat16
torch.device("cpu")
torch.device("cuda", 1)
torch.strided
torch.channels_last
torch.sparse_coo
torch.finfo(torch.float32)
torch.iinfo(torch.int8)
torch.ones(2).max(0)
torch.ones(2).sort()
torch.tensor([1, 1, 2]).unique(return_counts=True)
torch.tensor([[1, 2], [3, 4]]).nonzero()
torch.tensor([1.0, 2.0]) > 1
torch.tensor([1.0, 2.0]).to(torch.int32)
torch.tensor([1.5]).type()
torch.ones(2, requires_grad=True).sum().grad_fn.name()
"""

MODULES = """
nn.Linear(2, 3)
nn.Linear(2, 3, bias=False)
nn.Linear(in_features=10, out_features=1, dtype=torch.float64)
nn.Bilinear(2, 3, 4)
nn.Bilinear(2, 3, 4, bias=False)
nn.Identity()
nn.Identity(54, unused=1)
nn.Conv2d(1, 2, 3)
nn.Conv2d(1, 2, (3, 5))
nn.Conv2d(1, 2, 3, stride=2)
nn.Conv2d(1, 2, 3, padding=1)
nn.Conv2d(1, 2, 3, padding="same")
nn.Conv2d(1, 2, 3, padding="valid")
nn.Conv2d(1, 2, 3, dilation=2)
nn.Conv2d(2, 4, 3, groups=2)
nn.Conv2d(1, 2, 3, bias=False)
nn.Conv2d(1, 2, 3, padding=2, padding_mode="circular")
nn.Conv2d(2, 4, 3, 2, (1, 2), (2, 1), 2, False, "reflect")
nn.MaxPool2d(2)
nn.MaxPool2d(3, stride=2)
nn.MaxPool2d((3, 2), stride=(2, 1), padding=1)
nn.MaxPool2d(2, dilation=2, ceil_mode=True)
nn.ReLU()
nn.ReLU(inplace=True)
nn.ReLU(True)
nn.Sigmoid()
nn.Tanh()
nn.Softmax()
nn.Softmax(dim=1)
nn.Softmax(-1)
nn.LogSoftmax()
nn.LogSoftmax(dim=1)
nn.Softmax2d()
nn.Flatten()
nn.Flatten(0)
nn.Flatten(1, 2)
nn.Unflatten(1, (2, 3))
nn.Unflatten(1, torch.Size([2, 3]))
nn.L1Loss()
nn.MSELoss()
nn.MSELoss(reduction="sum")
nn.NLLLoss()
nn.NLLLoss(torch.ones(3))
nn.CrossEntropyLoss()
nn.CrossEntropyLoss(weight=torch.ones(3), label_smoothing=0.1)
nn.Module()
nn.Sequential()
nn.Sequential(nn.Linear(1, 2))
nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
nn.Sequential(nn.Linear(1, 2), nn.Linear(1, 2), nn.Linear(1, 2))
nn.Sequential(nn.Sequential(nn.Linear(1, 2), nn.ReLU()), nn.Sequential(), nn.Flatten())
nn.Sequential(OrderedDict(first=nn.Linear(1, 2), then=nn.Tanh()))
nn.ModuleList()
nn.ModuleList([nn.Linear(1, 2)])
nn.ModuleList([nn.Linear(1, 2), nn.Linear(1, 2)])
nn.ModuleList([nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU(), nn.Linear(1, 2)])
nn.ModuleList([nn.Sequential(nn.Linear(1, 1)), nn.Sequential(nn.Linear(1, 1))])
nn.ModuleDict()
nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.ReLU()})
nn.ModuleDict([["a", nn.Linear(1, 2)], ["b", nn.ModuleList([nn.ReLU(), nn.ReLU()])]])
nn.ParameterList()
nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2, 3))])
nn.ParameterList([torch.ones(2), 3])
nn.ParameterDict()
nn.ParameterDict({"w": nn.Parameter(torch.ones(2)), "s": 1.5})
nn.Linear(2, 3).double()
nn.Linear(2, 3, device="meta")
nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 10), nn.LogSoftmax(1))
nn.Parameter(torch.ones(2))
nn.Buffer(torch.ones(2))
"""

OPTIONS = [
    {"precision": 2},
    {"sci_mode": True},
    {"threshold": 5, "edgeitems": 1},
    {"linewidth": 40},
    {"profile": "full"},
]


def lines(table):
    return table.strip().splitlines()


def printed(program, lib):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return repr(eval(program, {"torch": lib, "nn": lib.nn, "OrderedDict": OrderedDict}))


def test_tables_are_as_long_as_claimed():
    assert len(set(lines(TENSORS))) >= 250 and len(set(lines(MODULES))) >= 60


@pytest.mark.parametrize("program", lines(TENSORS))
def test_a_tensor_prints_as_torchs(program):
    assert printed(program, minitorch) == printed(program, torch)


@pytest.mark.parametrize("program", lines(MODULES))
def test_a_module_prints_as_torchs(program):
    assert printed(program, minitorch) == printed(program, torch)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_print_options_mean_what_they_do_in_torch(options):
    plain = [program for program in lines(TENSORS) if "grad" not in program and "nn." not in program]
    for lib in (torch, minitorch):
        lib.set_printoptions(**options)
    try:
        assert [printed(p, minitorch) for p in plain] == [printed(p, torch) for p in plain]
    finally:
        for lib in (torch, minitorch):
            lib.set_printoptions(profile="default")


def test_str_and_format_are_the_repr():
    for lib in (torch, minitorch):
        t = lib.ones(2, 2)
        assert str(t) == f"{t}" == f"{t!r}" == repr(t)
