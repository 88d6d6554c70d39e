"""What users get wrong most with tensors and gradients: a program, PyTorch's error, ours."""

import numpy as np
import pytest
import torch
from compare import assert_same_mistake, assert_same_outcome, both, f, leaf, longs

import minitorch

SHAPES = {
    "add": lambda ns: ns.ones(2, 3) + ns.ones(2),
    "cat, a list of lists": lambda ns: ns.cat([[1.0], [2.0]]),
    "cat, dim": lambda ns: ns.cat([ns.ones(2, 3), ns.ones(2, 3)], dim=2),
    "cat, other sizes": lambda ns: ns.cat([ns.ones(2, 3), ns.ones(3, 4)], dim=1),
    "cat, three sizes": lambda ns: ns.cat([ns.ones(2, 3), ns.ones(2, 3), ns.ones(2, 4)]),
    "cat, devices": lambda ns: ns.cat([ns.ones(2), None]),
    "stack, sizes": lambda ns: ns.stack([ns.ones(2, 3), ns.ones(2, 4)]),
    "stack, a tensor and a number": lambda ns: ns.stack([ns.ones(2), 1.0]),
    "stack, dim": lambda ns: ns.stack([ns.ones(2)], dim=3),
    "matmul, sizes": lambda ns: ns.matmul(ns.ones(2, 3), ns.ones(4, 5)),
    "matmul, vectors": lambda ns: ns.matmul(ns.ones(3), ns.ones(4)),
    "matmul, a matrix and a vector": lambda ns: ns.ones(2, 3) @ ns.ones(2),
    "matmul, dtypes": lambda ns: ns.ones(2, 2) @ ns.ones(2, 2).long(),
    "matmul with NumPy": lambda ns: ns.ones(2, 2) @ [[1.0]],
    "bmm of matrices": lambda ns: ns.bmm(ns.ones(2, 3), ns.ones(3, 2)),
    "mm of batches": lambda ns: ns.mm(ns.ones(2, 2, 3), ns.ones(3, 2)),
    "dot of matrices": lambda ns: ns.dot(ns.ones(2, 2), ns.ones(2, 2)),
    "dot, dtypes": lambda ns: ns.dot(ns.ones(2), ns.ones(2).long()),
    "addmm, sizes": lambda ns: ns.addmm(ns.ones(3), ns.ones(2, 3), ns.ones(3, 4)),
    "einsum, sizes": lambda ns: ns.einsum("ij,jk->ik", ns.ones(2, 3), ns.ones(4, 5)),
    "einsum, operands": lambda ns: ns.einsum("ij,jk->ik", ns.ones(2, 3)),
    "einsum, letters": lambda ns: ns.einsum("ij->ik", ns.ones(2, 3)),
    "view": lambda ns: ns.ones(2, 3).view(4),
    "view, an inferred size": lambda ns: ns.ones(2, 3).view(4, -1),
    "view of a transposed": lambda ns: ns.ones(2, 3).t().view(-1),
    "view, a float": lambda ns: ns.ones(4).view(2.0, 2),
    "reshape": lambda ns: ns.ones(2, 3).reshape(4, 2),
    "reshape, a negative size": lambda ns: ns.ones(4).reshape(-2, 2),
    "expand": lambda ns: ns.ones(2, 3).expand(2, 4),
    "expand, fewer": lambda ns: ns.ones(2, 3).expand(3),
    "repeat, fewer": lambda ns: ns.ones(2, 3).repeat(2),
    "permute": lambda ns: ns.ones(2, 3).permute(0, 1, 2),
    "transpose": lambda ns: ns.ones(2, 3).transpose(0, 2),
    "squeeze": lambda ns: ns.ones(2, 3).squeeze(2),
    "squeeze of None": lambda ns: ns.ones(1, 2).squeeze(None),
    "chunk by nothing": lambda ns: ns.ones(4).chunk(0),
    "split": lambda ns: ns.ones(4).split([1, 2]),
    "unbind": lambda ns: ns.ones(2).unbind(1),
    "flip": lambda ns: ns.ones(2).flip(1),
    "roll without dims": lambda ns: ns.ones(2, 2).roll((1, 2)),
    "sum, dim": lambda ns: ns.ones(2, 3).sum(dim=2),
    "mean of integers": lambda ns: longs(ns, 1, 2).mean(),
    "max, None": lambda ns: ns.ones(2).max(None),
    "argmax, dim": lambda ns: ns.ones(2).argmax(1),
    "topk": lambda ns: ns.ones(2).topk(3),
    "sort, dim": lambda ns: ns.ones(2).sort(1),
    "std of integers": lambda ns: longs(ns, 1, 2).std(),
    "gather, dims": lambda ns: ns.ones(2, 3).gather(1, longs(ns, 0)),
    "gather, index of floats": lambda ns: ns.ones(2, 3).gather(1, ns.zeros(2, 1)),
    "gather, out of range": lambda ns: ns.ones(2, 3).gather(1, longs(ns, 3, 0).reshape(2, 1)),
    "gather, sizes": lambda ns: ns.ones(2, 3).gather(1, ns.zeros(3, 1).long()),
    "scatter, dims": lambda ns: ns.zeros(2, 3).scatter_(1, longs(ns, 0), 1.0),
    "scatter, dtypes": lambda ns: ns.zeros(2, 3).scatter_(1, ns.zeros(2, 1).long(), ns.ones(2, 1).double()),
    "scatter, out of range": lambda ns: ns.zeros(2, 3).scatter_(1, ns.full((2, 1), 3), 1.0),
    "scatter, sizes": lambda ns: ns.zeros(2, 3).scatter_(1, ns.zeros(2, 4).long(), ns.ones(2, 3)),
    "scatter_add, index of int32": lambda ns: ns.zeros(3).scatter_add_(0, ns.zeros(3).int() + 5, ns.ones(3)),
    "index_select, floats": lambda ns: ns.ones(3).index_select(0, ns.ones(1)),
    "index_select, out of range": lambda ns: ns.ones(3).index_select(0, longs(ns, 3)),
    "index_add_, sizes": lambda ns: ns.zeros(3).index_add_(0, longs(ns, 0, 1), ns.ones(3)),
    "masked_fill, shapes": lambda ns: ns.ones(2, 3).masked_fill(ns.ones(2).bool(), 0.0),
    "masked_fill_, no mask": lambda ns: ns.ones(2).masked_fill_(None, 0.0),
    "index_add_ of a list": lambda ns: ns.ones(2).index_add_(0, [0], ns.ones(1)),
    "scatter_, index of a list": lambda ns: ns.ones(2).scatter_(0, [0], 1.0),
    "addmm_ of a list": lambda ns: ns.ones(1, 1).addmm_([[1.0]], ns.ones(1, 1)),
    "clamp_ of nothing by more": lambda ns: ns.ones(5, 0).clamp_(ns.ones(5, 5)),
    "lerp_ of nothing by more": lambda ns: ns.ones(5, 0).lerp_(ns.ones(5, 5), 0.5),
    "resize_ without a size": lambda ns: ns.ones(2).resize_(),
    "view_as of a list": lambda ns: ns.ones(2).view_as([1, 2]),
    "masked_fill, mask of floats": lambda ns: ns.ones(2).masked_fill(ns.ones(2), 0.0),
    "masked_select, mask of bytes": lambda ns: ns.ones(2).masked_select(ns.ones(2).long()),
    "where, dtypes of the condition": lambda ns: ns.where(longs(ns, 0, 1), 1.0, 2.0),
    "index out of range": lambda ns: ns.ones(2, 3)[2],
    "index, second dimension": lambda ns: ns.ones(2, 3)[:, 3],
    "index by a float": lambda ns: ns.ones(3)[1.0],
    "index by a text": lambda ns: ns.ones(3)["a"],
    "index by floats": lambda ns: ns.ones(3)[ns.ones(2)],
    "index by tensors of other shapes": lambda ns: ns.ones(4, 4)[longs(ns, 0, 1), longs(ns, 0, 1, 2)],
    "index by a mask of another shape": lambda ns: ns.ones(2, 3)[ns.ones(3, 3).bool()],
    "index, too many": lambda ns: ns.ones(2)[0, 0],
    "assign another shape": lambda ns: ns.zeros(2, 3).__setitem__(0, ns.ones(2)),
    "assign a text": lambda ns: ns.zeros(2).__setitem__(0, "a"),
    "assign None": lambda ns: ns.zeros(2).__setitem__(0, None),
    "assign behind the end": lambda ns: ns.zeros(2).__setitem__(5, 1.0),
}

CONVERSIONS = {
    "item of many": lambda ns: ns.ones(2).item(),
    "float of many": lambda ns: float(ns.ones(2)),
    "int of many": lambda ns: int(ns.ones(2)),
    "bool of many": lambda ns: bool(ns.ones(2) > 0),
    "index by a float tensor": lambda ns: [1, 2][ns.tensor(1.0)],
    "range of a tensor": lambda ns: range(ns.tensor(2.0)),
    "numpy of a leaf": lambda ns: leaf(ns, 2).numpy(),
    "numpy of a result": lambda ns: (leaf(ns, 2) * 2).numpy(),
    "np.array of a leaf": lambda ns: __import__("numpy").array(leaf(ns, 2)),
    "tensor of objects": lambda ns: ns.tensor([object()]),
    "tensor of texts": lambda ns: ns.tensor(["1", "2"]),
    "tensor of a dict": lambda ns: ns.tensor({"a": 1}),
    "tensor, ragged": lambda ns: ns.tensor([[1.0, 2.0], [3.0]]),
    "tensor, requires_grad of a number": lambda ns: ns.tensor([1.0], requires_grad=1),
    "from_numpy of text": lambda ns: ns.from_numpy(__import__("numpy").array(["a"])),
    "from_numpy of a tensor": lambda ns: ns.from_numpy(ns.ones(2)),
    "Tensor of a text": lambda ns: ns.Tensor("a"),
    "dtype by a word": lambda ns: ns.ones(2).to("float32"),
    "dtype by a word, beside a device": lambda ns: ns.ones(2).to("cpu", "float32"),
    "dtype of a sum by a word": lambda ns: ns.ones(2).sum(dtype="float32"),
    "result_type of a text": lambda ns: ns.result_type("a", ns.ones(2)),
    "tensor of NumPy's class": lambda ns: ns.tensor(__import__("numpy").float32),
    "memory format by a word": lambda ns: ns.ones(2).is_contiguous(memory_format="channels_last"),
    "type by a word": lambda ns: ns.ones(2).type("float32"),
    "view in another dtype": lambda ns: ns.ones(3).view(ns.float64),
    "device, a word": lambda ns: ns.ones(2).to("gpu"),
    "device, no GPU": lambda ns: ns.ones(2).to("cuda"),
    "device, cuda()": lambda ns: ns.ones(2).cuda(),
    "device of a module": lambda ns: ns.nn.Linear(1, 1).to("gpu"),
    "module to integers": lambda ns: ns.nn.Linear(1, 1).to(ns.int64),
    "out, dtype": lambda ns: ns.mul(ns.ones(2), 0.5, out=ns.ones(2).long()),
    "out of a tuple": lambda ns: ns.add(ns.ones(2), 1, out=(ns.ones(2),)),
    "out of max": lambda ns: ns.max(ns.ones(2, 2), 0, out=ns.ones(2)),
    "out of matmul, dtype": lambda ns: ns.matmul(ns.ones(2, 2), ns.ones(2, 2), out=ns.ones(2, 2).double()),
    "out, one for two": lambda ns: ns.topk(ns.ones(2), 1, out=ns.ones(1)),
    "out, three for two": lambda ns: ns.max(ns.ones(2, 2), 0, out=(ns.ones(2), longs(ns, 0), longs(ns, 0))),
    "out of rand, a number": lambda ns: ns.rand(2, out=1),
    "alpha, a flag": lambda ns: ns.add(ns.ones(2), ns.ones(2), alpha=True),
    "eps, a list": lambda ns: f(ns).layer_norm(ns.ones(2, 3), (3,), eps=[1e-5]),
    "out that requires grad": lambda ns: ns.mm(ns.ones(2, 2), leaf(ns, 2, 2), out=ns.ones(2, 2)),
    "generator of a number": lambda ns: ns.rand(2, generator=0),
    "randint, empty range": lambda ns: ns.randint(5, 5, (2,)),
    "randint without a size": lambda ns: ns.randint(5),
    "randint, a number as size": lambda ns: ns.randint(0, 5, 3),
    "multinomial of too many": lambda ns: ns.multinomial(ns.ones(2), 3),
    "multinomial, negative": lambda ns: ns.multinomial(-ns.ones(2), 1),
    "bernoulli, probabilities": lambda ns: ns.bernoulli(ns.full((2,), 2.0)),
    "normal, negative std": lambda ns: ns.normal(0.0, -1.0, (2,)),
    "arange, step": lambda ns: ns.arange(0, 5, -1),
    "arange, step of nothing": lambda ns: ns.arange(0, 5, 0),
    "linspace, steps of a float": lambda ns: ns.linspace(0, 1, 2.5),
    "linspace without steps": lambda ns: ns.linspace(0, 1),
    "full without a value": lambda ns: ns.full((2,)),
    "zeros of a float": lambda ns: ns.zeros(2.5),
    "zeros, negative": lambda ns: ns.zeros(2, -1),
    "clamp, a text": lambda ns: ns.ones(2).clamp("a"),
    "pow of a text": lambda ns: ns.ones(2) ** "a",
    "compare with a text": lambda ns: ns.ones(2) < "a",
    "add of a list": lambda ns: ns.ones(2) + [1, 2],
    "bitwise and of floats": lambda ns: ns.ones(2) & 1,
    "set_default_dtype of integers": lambda ns: ns.set_default_dtype(ns.int64),
    "load of no file": lambda ns: ns.load("/nowhere/at/all.pt"),
    "save of no folder": lambda ns: ns.save(ns.ones(2), "/nowhere/at/all.pt"),
}


def twice(ns):
    y = leaf(ns, 2).exp().sum()
    y.backward()
    y.backward()


def saved_then_written(ns):
    x = leaf(ns, 2)
    y = x.sigmoid()
    y.mul_(2)
    y.sum().backward()


def weights_written(ns):
    model = ns.nn.Linear(2, 2)
    loss = model(ns.ones(1, 2)).pow(2).sum()
    model.weight += 1
    loss.backward()


def second_order_without_graph(ns):
    x = leaf(ns, 2)
    (g,) = ns.autograd.grad((x**3).sum(), x)
    ns.autograd.grad(g.sum(), x)


def wrong_function(ns, forward=None, backward=None):
    class Square(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(ns, x) if forward else x * x

        @staticmethod
        def backward(ctx, g):
            return backward(ns, g)

    Square.apply(leaf(ns, 2)).sum().backward()


def hooked(ns):
    x = leaf(ns, 2)
    x.register_hook(lambda g: ns.ones(3))
    (x * 2).sum().backward()


def under_no_grad(ns):
    with ns.no_grad():
        y = (leaf(ns, 2) * 2).sum()
    y.backward()


AUTOGRAD = {
    "backward twice": twice,
    "backward of many": lambda ns: (leaf(ns, 2) * 2).backward(),
    "backward of a constant": lambda ns: ns.ones(2).sum().backward(),
    "backward under no_grad": under_no_grad,
    "backward, gradient's shape": lambda ns: (leaf(ns, 2) * 2).backward(ns.ones(3)),
    "backward, gradient of a number": lambda ns: (leaf(ns, 2) * 2).backward(1.0),
    "set_grad_enabled, a number": lambda ns: ns.set_grad_enabled(1),
    "set_detect_anomaly, a text": lambda ns: ns.autograd.set_detect_anomaly("yes"),
    "grad for a number": lambda ns: ns.autograd.grad(leaf(ns, 2).sum(), [1]),
    "backward for a number": lambda ns: leaf(ns, 2).sum().backward(inputs=[1]),
    "grad, unused": lambda ns: ns.autograd.grad(leaf(ns, 2).sum(), leaf(ns, 2)),
    "grad of a constant": lambda ns: ns.autograd.grad(leaf(ns, 2).sum(), ns.ones(2)),
    "grad, many outputs": lambda ns: (lambda x: ns.autograd.grad(x * 2, x))(leaf(ns, 2)),
    "second order without a graph": second_order_without_graph,
    "in place on a leaf": lambda ns: leaf(ns, 2).add_(1),
    "+= on a leaf": lambda ns: leaf(ns, 2).__iadd__(1),
    "assign to a leaf": lambda ns: leaf(ns, 2).__setitem__(0, 0.0),
    "fill of a leaf": lambda ns: leaf(ns, 2).zero_(),
    "write to what was saved": saved_then_written,
    "weights written before backward": weights_written,
    "requires_grad of integers": lambda ns: longs(ns, 1).requires_grad_(),
    "requires_grad of a result": lambda ns: setattr(leaf(ns, 2) * 2, "requires_grad", False),
    "requires_grad, a number": lambda ns: setattr(ns.ones(2), "requires_grad", 1),
    "grad, another shape": lambda ns: setattr(leaf(ns, 2), "grad", ns.ones(3)),
    "grad, another dtype": lambda ns: setattr(leaf(ns, 2), "grad", ns.ones(2).double()),
    "grad, a number": lambda ns: setattr(leaf(ns, 2), "grad", 1.0),
    "detach_ of a view": lambda ns: (leaf(ns, 2) * 2)[0].detach_(),
    "deepcopy of a result": lambda ns: __import__("copy").deepcopy(leaf(ns, 2) * 2),
    "hook on a constant": lambda ns: ns.ones(2).register_hook(print),
    "hook, gradient's shape": hooked,
    "retain_grad of a constant": lambda ns: ns.ones(2).retain_grad(),
    "write to a view of several": lambda ns: (leaf(ns, 4) * 2).unbind()[0].add_(1),
    "write to a view of chunks": lambda ns: (leaf(ns, 4) * 2).chunk(2)[0].mul_(2),
    "Function called": lambda ns: ns.autograd.Function()(ns.ones(2)),
    "Function, gradients' number": lambda ns: wrong_function(ns, backward=lambda ns, g: (g, g)),
    "Function, gradient's shape": lambda ns: wrong_function(ns, backward=lambda ns, g: ns.ones(3)),
    "Function, result of backward": lambda ns: wrong_function(ns, backward=lambda ns, g: 1.0),
    "Function, result of forward": lambda ns: wrong_function(ns, forward=lambda ns, x: "a"),
    "gradcheck, shapes": lambda ns: ns.autograd.gradcheck(lambda x: x * 2, (ns.ones(2),)),
    "jacobian of a text": lambda ns: ns.autograd.functional.jacobian(lambda x: "a", ns.ones(2)),
    "checkpoint without use_reentrant": lambda ns: ns.utils.checkpoint.checkpoint(
        None, ns.ones(2), use_reentrant=False
    ),
}


TABLE = {
    f"{group}: {name}": program
    for group, programs in {"shapes": SHAPES, "conversions": CONVERSIONS, "autograd": AUTOGRAD}.items()
    for name, program in programs.items()
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLE)
def test_mistake_with_tensors_ends_as_in_torch(name):
    assert_same_mistake(TABLE[name], own_words=name == "conversions: full without a value")


NO_MISTAKES = {
    "a Python type as dtype": lambda ns: ns.ones(2).to(float),
    "a Python type beside a device": lambda ns: ns.ones(2).to("cpu", int),
    "unique of no rows": lambda ns: ns.unique(ns.ones(0, 3), dim=0),
    "unique of rows of nothing": lambda ns: ns.unique(ns.ones(3, 0)),
    "neighbours of no rows": lambda ns: ns.unique_consecutive(ns.ones(0, 3), dim=0),
    "embedding of width nothing, bounded": lambda ns: f(ns).embedding(longs(ns, 0), ns.ones(2, 0), max_norm=1.0),
    "mse_loss of a mask": lambda ns: f(ns).mse_loss(ns.ones(2) > 0, ns.zeros(2)),
    "local_response_norm of integers": lambda ns: f(ns).local_response_norm(ns.arange(6).reshape(1, 2, 3), 2),
    "requires_grad of None": lambda ns: ns.zeros(2, requires_grad=None),
    "order of a norm as a flag": lambda ns: ns.norm(ns.arange(3.0), True),
    "polygamma of a tensor's order": lambda ns: ns.polygamma(ns.tensor(1), ns.ones(2)),
    "halves beside float32 weights": lambda ns: (
        f(ns).layer_norm(ns.arange(3.0).half(), (3,), ns.ones(3), ns.ones(3)).float()
    ),
}


@pytest.mark.parametrize("program", NO_MISTAKES.values(), ids=NO_MISTAKES)
def test_what_looks_like_a_mistake_gives_torchs_result(program):
    assert_same_outcome(*both(program))


NO_DIMENSIONS = """
x.mean(dim="a")
x.mean(dim=(0, 1.5))
x.sum(dim=1.0)
x.std(dim="a")
torch.std_mean(x, dim="a")
x.amax(dim="a")
x.all(dim="a")
x.softmax(dim="a")
torch.nn.functional.log_softmax(x, dim="a")
torch.nn.Softmax("a")(x)
torch.cat([x], dim="a")
torch.stack([x], dim="a")
x.unsqueeze("a")
x.squeeze("a")
x.transpose("a", 0)
x.gather("a", x.long())
x.index_select("a", x[0].long())
x.select("a", 0)
x.diagonal(dim1="a")
x.nansum(dim="a")
x.count_nonzero(dim="a")
x.unfold("a", 1, 1)
x.stride("a")
x.size("a")
torch.linalg.vector_norm(x, dim="a")
"""


@pytest.mark.parametrize("expression", NO_DIMENSIONS.strip().splitlines())
def test_what_is_no_dimension_is_refused_by_the_name_of_what_was_called(expression):
    def called(ns):
        with pytest.raises(TypeError) as error:
            eval(expression, {"torch": ns, "x": ns.ones(2, 3)})
        return str(error.value).split("(")[0]

    assert called(minitorch) == called(torch) != ""


NO_SIZES = {
    "reshape": lambda ns: ns.ones(4).reshape("a"),
    "reshape, the second": lambda ns: ns.ones(4).reshape(2, "a"),
    "reshape, the second of a list": lambda ns: ns.ones(4).reshape([2, "a"]),
    "reshape, the first of two": lambda ns: ns.ones(4).reshape(2.0, 2),
    "reshape, the first of a tuple": lambda ns: ns.ones(4).reshape((2.0, 2)),
    "view": lambda ns: ns.ones(4).view(1.5),
    "view, a list": lambda ns: ns.ones(4).view([1.5]),
    "view, the second": lambda ns: ns.ones(4).view(1, 1.5),
    "permute": lambda ns: ns.ones(4).permute(0.0),
    "torch.permute": lambda ns: ns.permute(ns.ones(4), (0.0,)),
    "flip": lambda ns: ns.ones(4).flip(0.5),
    "torch.flip": lambda ns: ns.flip(ns.ones(4), (0.5,)),
    "repeat": lambda ns: ns.ones(4).repeat(1.5),
    "repeat, the second": lambda ns: ns.ones(4).repeat(1, 1.5),
    "expand": lambda ns: ns.ones(4).expand(1.5),
    "tile": lambda ns: ns.ones(4).tile(1.5),
    "roll": lambda ns: ns.ones(4).roll(1.5),
    "roll, dims": lambda ns: ns.ones(4).roll(1, 1.5),
    "broadcast_to": lambda ns: ns.broadcast_to(ns.ones(4), 1.5),
    "resize_": lambda ns: ns.ones(4).resize_(1.5),
    "ones": lambda ns: ns.ones([1.5]),
    "full": lambda ns: ns.full((2.5,), 1),
    "ones, a tensor": lambda ns: ns.ones([ns.tensor(1.5)]),
}


@pytest.mark.parametrize("name", NO_SIZES)
def test_what_is_no_size_is_refused_in_torchs_words(name):
    assert_same_mistake(NO_SIZES[name])


NUMBERS = """
y[0] = 1j
y[:] = 1j
y[0] = 1 + 0j
y.fill_(1j)
y.long()[0] = 1j
(y > 2).fill_(1j)
y[2**63]
y[2**70]
y[-(2**70)]
y[2**70] = 1
y.reshape(3, 1)[0, 2**63]
y[["a"]]
y["a"]
y[np.array(["a"])]
y[np.array([None])]
nn.Hardtanh(2, 1)
"""


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")
@pytest.mark.parametrize("line", NUMBERS.strip().splitlines())
def test_numbers_and_texts_out_of_place_end_as_in_torch(line):
    def run(ns):
        y = ns.ones(3)
        exec(line, {"y": y, "np": np, "nn": ns.nn})
        return y

    assert_same_outcome(*both(run))


ARRAYS = """
torch.exp(a)
torch.exp(a[0])
torch.add(torch.ones(2), a)
torch.matmul(a, a)
torch.cat([a])
torch.stack([a])
torch.sum(a)
torch.max(a)
torch.reshape(a, (2,))
torch.softmax(a, 0)
torch.flip(a, [0])
torch.zeros_like(a)
torch.pow(a, 2)
torch.ones(2).copy_(a)
torch.nn.functional.relu(a)
torch.nn.Linear(2, 3)(a)
torch.nn.functional.cross_entropy(torch.ones(2, 2), a)
torch.nn.utils.rnn.pad_sequence([a])
torch.nn.utils.rnn.pad_sequence([torch.ones(1), 1])
"""


@pytest.mark.parametrize("expression", ARRAYS.strip().splitlines())
def test_an_array_where_a_tensor_should_be_is_refused_in_torchs_words(expression):
    assert_same_mistake(lambda ns: eval(expression, {"torch": ns, "a": np.ones(2)}))


def test_a_module_may_be_defined_where_nothing_has_a_name():
    for ns in (minitorch, torch):
        scope = {"ns": ns}
        exec("class Net(ns.nn.Module):\n    forward = lambda self, x: x * 2", scope)
        assert scope["Net"]()(3) == 6
