"""The bad-input table: a call, torch's error, ours. `pytest -s -k table tests/test_errors.py` prints it."""

import argparse
import inspect
import math
import pickle
import re

import pytest
import torch
from compare import assert_same_error, assert_same_outcome, both, first_line, outcome

import minitorch


def f(ns):
    return ns.nn.functional


def leaf(ns, *shape):
    return ns.ones(*shape, requires_grad=True)


def second_backward(ns):
    y = (leaf(ns, 2) ** 2).sum()
    y.backward()
    y.backward()


def modified(ns):
    x = leaf(ns, 3)
    y = x.exp()
    z = y * 2 + y.sigmoid()
    y.add_(1)
    z.sum().backward()


def modified_without_recording(ns):
    layer = ns.nn.Linear(2, 3)
    y = layer(leaf(ns, 1, 2)).sum()
    with ns.no_grad():
        layer.weight.add_(1)
    y.backward()


def modified_by_what_is_recorded(ns):
    x = leaf(ns, 2) * 2
    y = x * x
    x.add_(1)
    y.sum().backward()


# what is tried -> the call
TABLE = {
    "saved weight of a layer modified": modified_without_recording,
    "saved factor modified": modified_by_what_is_recorded,
    # shapes
    "add shapes": lambda ns: ns.ones(2, 3) + ns.ones(2, 4),
    "mul shapes": lambda ns: ns.ones(2, 3) * ns.ones(3, 2),
    "add shapes, ranks": lambda ns: ns.ones(4, 2, 3) + ns.ones(4, 3),
    "add_ wider": lambda ns: ns.ones(3, 1).add_(ns.ones(1, 4)),
    "addcmul terms' shapes": lambda ns: ns.addcmul(ns.tensor(1.0), ns.ones(5, 5), ns.ones(4, 5)),
    "lerp, the third shape": lambda ns: ns.lerp(ns.ones(3), ns.ones(2, 3), ns.ones(4, 3)),
    "addcdiv_ terms' shapes": lambda ns: ns.tensor(1.0).addcdiv_(ns.ones(5, 5), ns.ones(4, 5)),
    "broadcast_shapes": lambda ns: ns.broadcast_shapes((5, 3), 4),
    "broadcast_shapes, negative": lambda ns: ns.broadcast_shapes((1,), -1),
    "broadcast_shapes, a float": lambda ns: ns.broadcast_shapes(2.5),
    "interpolate to nothing": lambda ns: f(ns).interpolate(ns.ones(1, 2, 3), 0),
    "interpolate a plane to nothing": lambda ns: f(ns).interpolate(ns.ones(1, 2, 3, 3), 0),
    "split from the back": lambda ns: ns.ones(2, 5).split([1, 3], -1),
    "take_along_dim of int32": lambda ns: ns.take_along_dim(ns.ones(1, 5), ns.zeros(1, 2).int(), 1),
    "BatchNorm1d of doubles": lambda ns: ns.nn.BatchNorm1d(3)(ns.ones(2, 3).double()),
    "batch_norm, running moments of doubles": lambda ns: f(ns).batch_norm(
        ns.ones(2, 3), *[ns.ones(3).double()] * 2, ns.ones(3)
    ),
    "LayerNorm of doubles": lambda ns: ns.nn.LayerNorm(3)(ns.ones(2, 3).double()),
    "layer_norm, weight of doubles": lambda ns: f(ns).layer_norm(ns.ones(2, 3), (3,), ns.ones(3).double()),
    "layer_norm of halves, bias of doubles": lambda ns: f(ns).layer_norm(
        ns.ones(2, 3).half(), (3,), ns.ones(3), ns.ones(3).double()
    ),
    "layer_norm, bias of floats": lambda ns: f(ns).layer_norm(
        ns.ones(2, 3).half(), (3,), ns.ones(3).half(), ns.ones(3)
    ),
    "layer_norm of integers": lambda ns: f(ns).layer_norm(ns.ones(2, 3).int(), (3,), ns.ones(3).int(), ns.ones(3)),
    "GroupNorm of integers": lambda ns: ns.nn.GroupNorm(3, 3)(ns.ones(2, 3).int()),
    "group_norm of integers": lambda ns: f(ns).group_norm(ns.ones(2, 3).int(), 3),
    "prelu of another dtype": lambda ns: f(ns).prelu(ns.ones(5), ns.ones(1).double()),
    "matrix_norm of three": lambda ns: ns.linalg.matrix_norm(ns.ones(2, 2, 2), "fro", (0, 1, 2)),
    "binary_cross_entropy target": lambda ns: f(ns).binary_cross_entropy(ns.full((3,), 0.5), ns.full((3,), 2.0)),
    "binary_cross_entropy nan": lambda ns: f(ns).binary_cross_entropy(ns.full((3,), math.nan), ns.ones(3)),
    "binary_cross_entropy dtypes": lambda ns: f(ns).binary_cross_entropy(ns.full((3,), 2.0), ns.ones(3).double()),
    "embedding_bag of a vector": lambda ns: f(ns).embedding_bag(ns.zeros(2, 2).long(), ns.ones(5)),
    "fractional_max_pool2d to less than nothing": lambda ns: f(ns).fractional_max_pool2d(ns.ones(1, 1, 9, 9), 2, -3),
    "linspace of vectors": lambda ns: ns.linspace(ns.tensor(0.0), ns.ones(1), 3),
    "as_strided_scatter to one place twice": lambda ns: ns.as_strided_scatter(
        ns.ones(4), ns.ones(2, 2), (2, 2), (0, 1)
    ),
    "hash_tensor of nothing": lambda ns: ns.hash_tensor(ns.ones(0)),
    "hash_tensor along nothing": lambda ns: ns.hash_tensor(ns.ones(0, 3), 0),
    "hash_tensor's mode": lambda ns: ns.hash_tensor(ns.ones(3), mode=1),
    "hash_tensor of uint16": lambda ns: ns.hash_tensor(ns.ones(3, dtype=ns.uint16)),
    "hash_tensor's dim": lambda ns: ns.hash_tensor(ns.ones(3), dim="a"),
    "hash_tensor's out": lambda ns: ns.hash_tensor(ns.ones(3), out=ns.zeros((), dtype=ns.int64)),
    "_softmax_backward_data shapes": lambda ns: ns._softmax_backward_data(ns.ones(2), ns.ones(3), 0, ns.float32),
    "_softmax_backward_data dtypes": lambda ns: ns._softmax_backward_data(ns.ones(3), ns.ones(3), 0, ns.float16),
    "_unsafe_masked_index of None": lambda ns: ns._unsafe_masked_index(ns.ones(3), ns.ones(1).bool(), [None], 0.0),
    "copy_ shapes": lambda ns: ns.ones(3).copy_(ns.ones(4)),
    "mm shapes": lambda ns: ns.mm(ns.ones(2, 3), ns.ones(2, 3)),
    "bmm dtypes": lambda ns: ns.bmm(ns.ones(2, 2, 3).bool(), ns.ones(2, 3, 4)),
    "Linear of doubles": lambda ns: ns.nn.Linear(3, 4)(ns.ones(5, 2, 3).double()),
    "Linear of doubles without bias": lambda ns: ns.nn.Linear(3, 4, bias=False)(ns.ones(5, 2, 3).double()),
    "Linear of doubles of another length": lambda ns: ns.nn.Linear(3, 4)(ns.ones(2, 5).double()),
    "linear, weight of doubles": lambda ns: f(ns).linear(ns.ones(2, 3), ns.ones(4, 3).double(), ns.ones(4)),
    "linear, bias of doubles": lambda ns: f(ns).linear(ns.ones(2, 3), ns.ones(4, 3), ns.ones(4).double()),
    "LSTMCell of doubles": lambda ns: ns.nn.LSTMCell(3, 4)(ns.ones(2, 3).double()),
    "LSTM of a vector": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(3)),
    "RNN of four dims": lambda ns: ns.nn.RNN(3, 4)(ns.ones(2, 2, 2, 3)),
    "LSTM, one state": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(2, 1, 3), ns.ones(1, 1, 4)),
    "LSTM, one state in a tuple": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(2, 1, 3), (ns.ones(1, 1, 4),)),
    "LSTM, three states": lambda ns: ns.nn.LSTM(3, 4)(ns.ones(2, 1, 3), (ns.ones(1, 1, 4),) * 3),
    "LSTMCell, one state": lambda ns: ns.nn.LSTMCell(3, 4)(ns.ones(2, 3), ns.ones(2, 4)),
    "MultiheadAttention of doubles": lambda ns: ns.nn.MultiheadAttention(4, 2)(*[ns.ones(2, 1, 4).double()] * 3),
    "addmm dtypes": lambda ns: ns.addmm(ns.ones(4), ns.ones(2, 3), ns.ones(3, 4).double()),
    "addmm dtypes of other shapes": lambda ns: ns.addmm(ns.ones(4), ns.ones(2, 3).double(), ns.ones(5, 4)),
    "addbmm dtypes": lambda ns: ns.addbmm(ns.ones(4), ns.ones(2, 2, 3).int(), ns.ones(2, 3, 4).double()),
    "baddbmm dtypes": lambda ns: ns.baddbmm(ns.ones(2, 2, 4).half(), ns.ones(2, 2, 3), ns.ones(2, 3, 4)),
    "baddbmm, batch2 of doubles": lambda ns: ns.baddbmm(ns.ones(2, 2, 4), ns.ones(2, 2, 3), ns.ones(2, 3, 4).double()),
    "Bilinear of halves": lambda ns: ns.nn.Bilinear(3, 4, 5)(ns.ones(2, 3).half(), ns.ones(2, 4)),
    "Bilinear, the second of doubles": lambda ns: ns.nn.Bilinear(3, 4, 5, False)(ns.ones(2, 3), ns.ones(7, 4).double()),
    "bilinear, bias of doubles": lambda ns: ns.bilinear(
        ns.ones(2, 3), ns.ones(2, 4), ns.ones(5, 3, 4), ns.ones(6).double()
    ),
    "bilinear of bools": lambda ns: ns.bilinear(ns.ones(2, 3).bool(), ns.ones(2, 4).bool(), ns.ones(5, 3, 4).bool()),
    "mm vector": lambda ns: ns.mm(ns.ones(2), ns.ones(2, 3)),
    "matmul shapes": lambda ns: ns.ones(2, 3) @ ns.ones(2, 3),
    "matmul batches": lambda ns: ns.ones(2, 2, 3) @ ns.ones(3, 3, 2),
    "matmul of numbers": lambda ns: ns.tensor(1.0) @ ns.ones(3),
    "mv shapes": lambda ns: ns.mv(ns.ones(2, 3), ns.ones(2)),
    "dot shapes": lambda ns: ns.dot(ns.ones(2), ns.ones(3)),
    "bmm shapes": lambda ns: ns.bmm(ns.ones(2, 3, 4), ns.ones(2, 3, 4)),
    "linear shapes": lambda ns: f(ns).linear(ns.ones(2, 3), ns.ones(4, 5)),
    "view size": lambda ns: ns.ones(6).view(4, 2),
    "view strides": lambda ns: ns.ones(2, 3).t().view(6),
    "view two inferred": lambda ns: ns.ones(6).view(-1, -1),
    "view of nothing inferred": lambda ns: ns.ones(0).view(0, -1),
    "view of nothing": lambda ns: ns.ones(1).view(),
    "reshape to nothing": lambda ns: ns.ones(1).reshape(),
    "expand to nothing": lambda ns: ns.ones(()).expand(),
    "reshape size": lambda ns: ns.ones(6).reshape(5),
    "expand shorter": lambda ns: ns.ones(2, 3).expand(3),
    "expand size": lambda ns: ns.ones(2, 3).expand(4, 3),
    "cat shapes": lambda ns: ns.cat([ns.ones(2, 3), ns.ones(2, 4)]),
    "cat ranks": lambda ns: ns.cat([ns.ones(2), ns.ones(2, 4)]),
    "cat of nothing": lambda ns: ns.cat([]),
    "stack shapes": lambda ns: ns.stack([ns.ones(2), ns.ones(3)]),
    "stack of nothing": lambda ns: ns.stack([]),
    "permute count": lambda ns: ns.ones(2, 3).permute(0),
    "permute twice": lambda ns: ns.ones(2, 3).permute(0, 0),
    "t of 3 dims": lambda ns: ns.ones(2, 3, 4).t(),
    "split sizes": lambda ns: ns.ones(5).split([2, 2]),
    "negative size": lambda ns: ns.ones(2).expand(-2),
    "where shapes": lambda ns: ns.where(ns.ones(2, dtype=ns.bool), ns.ones(3), ns.ones(3)),
    "conv2d channels": lambda ns: f(ns).conv2d(ns.ones(1, 3, 5, 5), ns.ones(2, 4, 3, 3)),
    "conv2d kernel too large": lambda ns: f(ns).conv2d(ns.ones(1, 3, 2, 2), ns.ones(2, 3, 3, 3)),
    "conv2d rank": lambda ns: f(ns).conv2d(ns.ones(3, 3), ns.ones(2, 3, 3, 3)),
    "max_pool2d rank": lambda ns: f(ns).max_pool2d(ns.ones(3), 2),
    "max_pool2d padding": lambda ns: f(ns).max_pool2d(ns.ones(1, 1, 4, 4), 2, padding=2),
    "cross_entropy batch": lambda ns: f(ns).cross_entropy(ns.ones(3, 4), ns.zeros(2, dtype=ns.int64)),
    "cross_entropy class": lambda ns: f(ns).cross_entropy(ns.ones(3, 4), ns.full((3,), 4)),
    # dims
    "sum dim": lambda ns: ns.ones(2, 3).sum(2),
    "sum dim twice": lambda ns: ns.ones(2, 3).sum((0, 0)),
    "mean dim": lambda ns: ns.ones(2).mean(-2),
    "max dim": lambda ns: ns.ones(2).max(1),
    "softmax dim": lambda ns: ns.ones(2).softmax(1),
    "transpose dim": lambda ns: ns.ones(2).transpose(0, 1),
    "unsqueeze dim": lambda ns: ns.ones(2).unsqueeze(3),
    "squeeze dim": lambda ns: ns.ones(2).squeeze(1),
    "cat dim": lambda ns: ns.cat([ns.ones(2), ns.ones(2)], 1),
    "flatten order": lambda ns: ns.ones(2, 3).flatten(1, 0),
    "size dim": lambda ns: ns.ones(2).size(1),
    "unbind of a number": lambda ns: ns.tensor(1.0).unbind(),
    # indices
    "index out of range": lambda ns: ns.ones(2, 3)[2],
    "index negative": lambda ns: ns.ones(2, 3)[-3],
    "index dims": lambda ns: ns.ones(2, 3)[0, 0, 0],
    "index of a number": lambda ns: ns.tensor(1.0)[0],
    "index step": lambda ns: ns.ones(3)[::-1],
    "index float": lambda ns: ns.ones(3)[1.5],
    "index tensor out of range": lambda ns: ns.ones(3)[ns.tensor([0, 5])],
    "index mask shape": lambda ns: ns.ones(3)[ns.ones(4, dtype=ns.bool)],
    "index assign shape": lambda ns: ns.ones(3).__setitem__(slice(0, 2), ns.ones(3)),
    "select index": lambda ns: ns.ones(3).select(0, 3),
    "narrow": lambda ns: ns.ones(3).narrow(0, 2, 2),
    # empty inputs
    "max of nothing": lambda ns: ns.ones(0).max(),
    "argmax of nothing": lambda ns: ns.ones(0).argmax(),
    "amax of nothing": lambda ns: ns.ones(0, 2).amax(0),
    "item of nothing": lambda ns: ns.ones(0).item(),
    "item of many": lambda ns: ns.ones(2).item(),
    "bool of many": lambda ns: bool(ns.ones(2)),
    "bool of nothing": lambda ns: bool(ns.ones(0)),
    "len of a number": lambda ns: len(ns.tensor(1.0)),
    "iterate a number": lambda ns: list(ns.tensor(1.0)),
    # dtypes
    "mean of integers": lambda ns: ns.ones(2, dtype=ns.int64).mean(),
    "var of integers": lambda ns: ns.ones(2, dtype=ns.int64).var(),
    "exp_ of integers": lambda ns: ns.ones(2, dtype=ns.int64).exp_(),
    "add_ a float to integers": lambda ns: ns.ones(2, dtype=ns.int64).add_(1.5),
    "div_ of integers": lambda ns: ns.ones(2, dtype=ns.int64).div_(2),
    "minus a mask": lambda ns: -ns.ones(2, dtype=ns.bool),
    "sub of masks": lambda ns: ns.ones(2, dtype=ns.bool) - ns.ones(2, dtype=ns.bool),
    "sub of mask": lambda ns: ns.ones(2) - ns.ones(2, dtype=ns.bool),
    "sub of mask in place": lambda ns: ns.ones(2).sub_(ns.ones(2, dtype=ns.bool)),
    "not of floats": lambda ns: ~ns.ones(2),
    "and of floats": lambda ns: ns.ones(2) & ns.ones(2),
    "integer division by zero": lambda ns: ns.ones(2, dtype=ns.int64) // 0,
    "integer remainder by zero": lambda ns: ns.ones(2, dtype=ns.int64) % ns.zeros(2, dtype=ns.int64),
    "negative integer power": lambda ns: ns.ones(2, dtype=ns.int64) ** -1,
    "mm dtypes": lambda ns: ns.mm(ns.ones(2, 2), ns.ones(2, 2, dtype=ns.float64)),
    "mm of masks": lambda ns: ns.mm(ns.ones(2, 2, dtype=ns.bool), ns.ones(2, 2, dtype=ns.bool)),
    "relu of a mask": lambda ns: ns.relu(ns.ones(2, dtype=ns.bool)),
    "abs of a mask": lambda ns: ns.ones(2, dtype=ns.bool).abs(),
    "floor of a mask": lambda ns: ns.ones(2, dtype=ns.bool).floor(),
    "argmax of a mask": lambda ns: ns.ones(2, dtype=ns.bool).argmax(),
    "out dtype": lambda ns: ns.add(ns.ones(2), ns.ones(2), out=ns.ones(2, dtype=ns.int64)),
    "alpha": lambda ns: ns.add(ns.ones(2, dtype=ns.int64), ns.ones(2, dtype=ns.int64), alpha=0.5),
    "rounding_mode": lambda ns: ns.div(ns.ones(2), ns.ones(2), rounding_mode="up"),
    "where condition": lambda ns: ns.where(ns.ones(2), ns.ones(2), ns.ones(2)),
    "integer overflow": lambda ns: ns.ones(2, dtype=ns.int64) + 2**70,
    # what is no tensor, number or flag, to functions that other ops express
    "trace of a text": lambda ns: ns.trace("a"),
    "diff of a list": lambda ns: ns.diff([1.0, 2.0]),
    "reshape of None": lambda ns: ns.reshape(None, (2,)),
    "add to None": lambda ns: ns.add(None, ns.ones(2)),
    "broadcast_tensors of a text": lambda ns: ns.broadcast_tensors(ns.ones(2), "a"),
    "chunks as a flag": lambda ns: ns.chunk(ns.ones(4), True),
    "diff, a float": lambda ns: ns.diff(ns.ones(4), 1.5),
    "combinations' flag": lambda ns: ns.combinations(ns.ones(3), with_replacement="a"),
    "cholesky's flag": lambda ns: ns.linalg.cholesky(ns.eye(2), upper=None),
    "align_corners of a text": lambda ns: f(ns).interpolate(ns.ones(1, 1, 4), 8, mode="linear", align_corners="a"),
    "addmv's scale": lambda ns: ns.addmv(ns.ones(2), ns.ones(2, 2), ns.ones(2), beta="a"),
    "requires_grad of a text": lambda ns: ns.zeros(2, requires_grad="a"),
    "as_strided, a float": lambda ns: ns.as_strided(ns.ones(4), (1.5,), (1,)),
    "as_strided, a flag": lambda ns: ns.as_strided(ns.ones(4), (2,), (True,)),
    "layer_norm over a flag": lambda ns: f(ns).layer_norm(ns.ones(2, 1), (True,)),
    "pad by a float": lambda ns: f(ns).pad(ns.ones(2), (1.0, 0)),
    "batch_norm's dtypes": lambda ns: f(ns).batch_norm(ns.ones(2, 3), ns.zeros(3).double(), ns.ones(3).double()),
    "batch_norm's running moments": lambda ns: f(ns).batch_norm(ns.ones(2, 3), ns.zeros(3), None, training=True),
    # devices
    "device by number": lambda ns: ns.device(0),
    "factory on a device by number": lambda ns: ns.ones(2, device=1),
    "device name": lambda ns: ns.ones(2, device="gpu"),
    "device index": lambda ns: ns.device("cuda:x"),
    "mixed devices": lambda ns: ns.ones(2) + ns.ones(2, device="meta"),
    "item of meta": lambda ns: ns.ones((), device="meta").item(),
    "numpy of meta": lambda ns: ns.ones(2, device="meta").numpy(),
    "meta to cpu": lambda ns: ns.ones(2, device="meta").cpu(),
    # gradients
    "integers that require grad": lambda ns: ns.ones(2, dtype=ns.int64).requires_grad_(),
    "factory of integers that require grad": lambda ns: ns.ones(2, dtype=ns.int64, requires_grad=True),
    "backward twice": second_backward,
    "backward of many": lambda ns: (leaf(ns, 2) * 2).backward(),
    "backward of a constant": lambda ns: ns.ones(()).backward(),
    "backward gradient shape": lambda ns: (leaf(ns, 2) * 2).backward(ns.ones(3)),
    "write to a leaf": lambda ns: leaf(ns, 2).add_(1),
    "write to a view of a leaf": lambda ns: leaf(ns, 2)[0].mul_(2),
    "assign to a leaf": lambda ns: leaf(ns, 2).__setitem__(0, 5.0),
    "write to what was saved": modified,
    "numpy of a leaf": lambda ns: leaf(ns, 2).numpy(),
    "requires_grad of a result": lambda ns: (leaf(ns, 2) * 2).requires_grad_(False),
    "hook on a constant": lambda ns: ns.ones(2).register_hook(print),
    "retain_grad of a constant": lambda ns: ns.ones(2).retain_grad(),
    "grad of the wrong shape": lambda ns: setattr(leaf(ns, 2), "grad", ns.ones(3)),
    "out that requires grad": lambda ns: ns.add(leaf(ns, 2), 1, out=ns.ones(2)),
    "unused input": lambda ns: ns.autograd.grad(leaf(ns, 2).sum(), leaf(ns, 2)),
    "deepcopy of a result": lambda ns: __import__("copy").deepcopy(leaf(ns, 2) * 2),
    # types and keywords
    "add text": lambda ns: ns.add(ns.ones(2), "a"),
    "add None": lambda ns: ns.ones(2) + None,
    "cat a tensor": lambda ns: ns.cat(ns.ones(2)),
    "cat numbers": lambda ns: ns.cat([1, 2]),
    "exp of a number": lambda ns: ns.exp(1.0),
    "unknown keyword": lambda ns: ns.add(ns.ones(2), ns.ones(2), foo=1),
    "unknown keyword of a method": lambda ns: ns.ones(2).sum(axes=0),
    "unknown keyword of a factory": lambda ns: ns.zeros(2, foo=1),
    "too many arguments": lambda ns: ns.exp(ns.ones(2), ns.ones(2), ns.ones(2)),
    "no argument": lambda ns: ns.exp(),
    "unknown attribute": lambda ns: ns.ones(2).foo,
    "unknown function": lambda ns: ns.foo,
    "clamp of nothing": lambda ns: ns.clamp(ns.ones(2)),
    "dtype of text": lambda ns: ns.zeros(2, dtype="float32"),
    "tensor of text": lambda ns: ns.tensor("a"),
    "tensor ragged": lambda ns: ns.tensor([[1, 2], [3]]),
    "tensor of None": lambda ns: ns.tensor(None),
    "negative size of a factory": lambda ns: ns.empty(-1),
    "from_numpy of a list": lambda ns: ns.from_numpy([1]),
    "manual_seed of text": lambda ns: ns.manual_seed("a"),
    "Linear of text": lambda ns: ns.nn.Linear(2, 3)("a"),
    "SGD without parameters": lambda ns: ns.optim.SGD([], lr=0.1),
    "SGD learning rate": lambda ns: ns.optim.SGD([leaf(ns, 1)], lr=-1.0),
}

# where torch's first line is its own argument parser's, or names its C++ types: only the class is compared
CLASS_ONLY = {
    "unknown keyword", "unknown keyword of a method", "unknown keyword of a factory",
    "too many arguments", "no argument", "unknown attribute", "unknown function", "add text",
    "add None", "cat a tensor", "cat numbers", "dtype of text", "exp of a number",
    "manual_seed of text", "Linear of text", "mixed devices", "item of meta",
    "negative size of a factory", "max_pool2d rank",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_bad_input_is_torchs_error(name):
    ours, theirs = outcome(TABLE[name], minitorch), outcome(TABLE[name], torch)
    assert theirs.error is not None, "the table holds what torch refuses"
    if name in CLASS_ONLY:
        assert type(ours.error).__name__ == type(theirs.error).__name__, (ours, theirs)
    else:
        assert_same_error(ours.error, theirs.error)


def test_table_is_printed():
    for name, call in TABLE.items():
        ours, theirs = outcome(call, minitorch).error, outcome(call, torch).error
        print(f"{name:38} | {type(theirs).__name__}: {first_line(theirs)[:110]}")
        print(f"{'':38} | {type(ours).__name__}: {first_line(ours)[:110]}")


# torch's DataParallel looks for devices first, and its RNNBase has no forward
LAYERS = [n for n in dir(torch.nn) if inspect.isclass(getattr(torch.nn, n)) and n not in ("DataParallel", "RNNBase")]


@pytest.mark.parametrize("name", LAYERS)
def test_a_wrong_call_of_a_layer_names_it_as_torch_does(name):
    def wrong(*args, **kwargs):
        return lambda ns: getattr(ns.nn, name)(*args, **kwargs)

    def forward(ns):
        cls = getattr(ns.nn, name)
        cls.forward(cls.__new__(cls))

    for call in (wrong(), wrong(no_argument=1), wrong(*[1] * 40), forward):
        ours, theirs = outcome(call, minitorch), outcome(call, torch)
        if isinstance(theirs.error, TypeError):
            assert_same_error(ours.error, theirs.error)


NO_TENSORS = {
    "cross_entropy of a list": lambda ns: f(ns).cross_entropy([1.0, 2.0], ns.zeros(1).long()),
    "mse_loss to None": lambda ns: f(ns).mse_loss(ns.ones(2), None),
    "l1_loss of a list": lambda ns: f(ns).l1_loss([1.0], ns.ones(1)),
    "conv2d of a number": lambda ns: f(ns).conv2d(1.5, ns.ones(1, 1, 1, 1)),
    "group_norm of a text": lambda ns: f(ns).group_norm("a", 1),
    "dropout of None": lambda ns: f(ns).dropout(None, training=False),
    "pairwise_distance of a number": lambda ns: f(ns).pairwise_distance(1.5, ns.ones(2)),
    "interpolate None": lambda ns: f(ns).interpolate(None, 2),
    "softmax of a text in a dtype": lambda ns: ns.softmax("a", 0, dtype=ns.float32),
}


@pytest.mark.parametrize("name", NO_TENSORS)
def test_what_is_no_tensor_is_refused_as_torchs_python_or_its_parser_does(name):
    ours, theirs = outcome(NO_TENSORS[name], minitorch).error, outcome(NO_TENSORS[name], torch).error
    assert isinstance(theirs, (TypeError, AttributeError))
    assert isinstance(ours, type(theirs))
    assert "must be Tensor, not" in str(ours)


NUMBER_ARGUMENTS = {
    "leaky_relu": lambda ns, v: f(ns).leaky_relu(-ns.ones(2), v),
    "softplus": lambda ns, v: f(ns).softplus(ns.ones(2), v),
    "hardshrink": lambda ns, v: f(ns).hardshrink(ns.ones(2), v),
    "softshrink": lambda ns, v: f(ns).softshrink(ns.ones(2), v),
    "hardtanh": lambda ns, v: f(ns).hardtanh(ns.ones(2), v, 2.0),
    "threshold": lambda ns, v: f(ns).threshold(ns.ones(2), v, 1.0),
    "elu": lambda ns, v: f(ns).elu(-ns.ones(2), v),
    "celu": lambda ns, v: f(ns).celu(-ns.ones(2), v),
    "huber_loss": lambda ns, v: f(ns).huber_loss(ns.zeros(2), ns.ones(2), delta=v),
    "nan_to_num": lambda ns, v: ns.nan_to_num(ns.tensor([math.nan]), v),
    "addcmul": lambda ns, v: ns.addcmul(ns.ones(2), ns.ones(2), ns.ones(2), value=v),
    "logit": lambda ns, v: ns.logit(ns.ones(2), v),
}


@pytest.mark.parametrize("call", NUMBER_ARGUMENTS.values(), ids=NUMBER_ARGUMENTS)
@pytest.mark.parametrize("value", ["0-dim", "vector", "a", None])
def test_an_argument_that_is_one_number_may_be_a_tensor_of_no_dimensions_and_nothing_else(call, value):
    def run(ns):
        return call(ns, {"0-dim": ns.tensor(0.5), "vector": ns.ones(2)}.get(value, value))

    assert_same_outcome(*both(run))


def test_a_refused_write_leaves_the_tensor_as_it_was():
    for write in (
        lambda x: x.add_(minitorch.ones(4)),
        lambda x: x.copy_(minitorch.ones(4)),
        lambda x: x.exp_() if x.dtype == minitorch.int64 else x.add_(minitorch.ones(3, 3)),
    ):
        for dtype in (minitorch.float32, minitorch.int64):
            x = minitorch.tensor([1, 2, 3], dtype=dtype)
            with pytest.raises(RuntimeError):
                write(x)
            assert x.tolist() == [1, 2, 3]
            assert x._version == 0


def test_a_refused_write_to_a_leaf_leaves_it_as_it_was():
    x = minitorch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.mul_(2)
    assert x.tolist() == [1.0, 2.0]
    assert x.is_leaf


@pytest.mark.parametrize("name", ["hardtanh", "relu6", "hardshrink", "softshrink"])
def test_bounded_functions_have_no_gradient_at_nan(name):
    """As torch has it where it takes vectors: over 128 elements, of which it has no rest."""

    def gradient(ns):
        x = ns.full((128,), math.nan, requires_grad=True)
        getattr(f(ns), name)(x).sum().backward()
        return x.grad

    assert_same_outcome(*both(gradient))


def test_nan_losses_train_on_as_in_torch():
    for ns in (minitorch, torch):
        x = ns.tensor([0.0, 1.0], requires_grad=True)
        (x.log() * 0).sum().backward()
        assert x.grad[0].item() != x.grad[0].item()


@pytest.mark.parametrize("largest", [2**63 - 1, 2**63 - 2, 2**60])
def test_counts_of_numbers_too_large_to_count_are_refused(largest):
    """NumPy's own bincount writes before the start of its array for the first."""
    assert_same_outcome(*both(lambda ns: ns.bincount(ns.tensor([1, largest]))))


@pytest.mark.parametrize("kernel", [0, -1, (-(2**31), 2)], ids=str)
def test_fractional_windows_of_nothing_are_refused(kernel):
    """torch gives places outside the input for them, and a gradient would be written there."""
    with pytest.raises(RuntimeError, match="kernel size should be greater than zero"):
        f(minitorch).fractional_max_pool2d(leaf(minitorch, 1, 1, 9, 9), kernel, 2)


def test_the_names_of_errors_and_nodes_print_as_torchs():
    for ns, root in ((minitorch, "minitorch"), (torch, "torch")):
        x = leaf(ns, 2)
        assert str(ns.linalg.LinAlgError) == f"<class '{root}._C._LinAlgError'>"
        assert str(ns.OutOfMemoryError) == f"<class '{root}.OutOfMemoryError'>"
        for name, node in (
            ("MulBackward0", (x * 2).grad_fn),
            ("SumBackward1", x.sum(0).grad_fn),
            ("CatBackward0", ns.cat([x, x]).grad_fn),
            ("AccumulateGrad", (x * 2).grad_fn.next_functions[0][0]),
        ):
            assert str(type(node)) == f"<class '{name}'>"


def test_a_file_that_names_a_class_is_refused_in_torchs_words(tmp_path):
    pattern = r"WeightsUnpickler error: Unsupported global: GLOBAL (.*)$"
    for thing in (argparse.Namespace(x=1), print):
        said = []
        for ns in (minitorch, torch):
            ns.save([thing], tmp_path / "file")
            with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as error:
                ns.load(tmp_path / "file")
            said += re.findall(pattern, str(error.value), re.MULTILINE)
        assert said[0] == said[1]
