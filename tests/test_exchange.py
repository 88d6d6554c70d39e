"""Tensors handed to NumPy, torch, pickle and copy, and taken from them: aliasing, dtypes and torch's refusals."""

import copy
import inspect
import math
import operator
import pickle
import warnings

import numpy as np
import pytest
import torch
from compare import assert_same_outcome, both

import minitorch

NUMPY_DTYPES = "float32 float64 float16 int8 int16 int32 int64 uint8 bool".split()
BOTH = pytest.mark.parametrize("ns", [torch, minitorch], ids=["torch", "minitorch"])


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_dlpack_shares_memory_with_numpy_both_ways(dtype):
    t = minitorch.zeros(2, 3, dtype=getattr(minitorch, dtype)).t()
    a = np.from_dlpack(t)
    assert a.dtype == dtype and a.strides == t.numpy().strides
    a[1, 0] = 1
    assert t[1, 0] == 1
    back = minitorch.from_dlpack(a)
    back[0, 1] = 1
    assert a[0, 1] == 1 and back.dtype is t.dtype


@pytest.mark.parametrize("dtype", [*NUMPY_DTYPES, "bfloat16"])
def test_dlpack_shares_memory_with_torch_both_ways(dtype):
    t = minitorch.ones(2, 3, dtype=getattr(minitorch, dtype))
    theirs = torch.from_dlpack(t)
    assert theirs.dtype is getattr(torch, dtype)
    theirs[0, 1] = 0
    assert t[0, 1] == 0
    ours = minitorch.from_dlpack(theirs)
    ours[1, 2] = 0
    assert t[1, 2] == 0 and ours.dtype is t.dtype


def test_raw_capsule_keeps_strides_and_is_taken_once():
    t = minitorch.arange(4).reshape(2, 2).t()
    capsule = minitorch.utils.dlpack.to_dlpack(t)
    assert minitorch.utils.dlpack.from_dlpack(capsule).stride() == (1, 2)
    with pytest.raises(RuntimeError, match="consumed only once"):
        minitorch.from_dlpack(capsule)


def test_from_dlpack_copies_on_request():
    a = np.zeros(3)
    t = minitorch.from_dlpack(a, copy=True)
    a[0] = 1
    assert t[0] == 0


@BOTH
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m: np.from_dlpack(m.ones(2, requires_grad=True)), BufferError, "require gradient, use tensor.detach"),
        (lambda m: m.ones(2, device="meta").__dlpack__(), BufferError, "Cannot pack tensors on meta"),
        (lambda m: m.ones(2).__dlpack__(stream=3), AssertionError, "stream should be None on cpu."),
        (lambda m: m.from_dlpack(3), RuntimeError, "received an invalid capsule"),
        (lambda m: m.from_dlpack(np.array(["a"])), BufferError, "only supports signed/unsigned integers"),
    ],
)
def test_dlpack_refusals(ns, make, error, message):
    with pytest.raises(error, match=message):
        make(ns)


def test_from_dlpack_refuses_negative_strides():
    with pytest.raises(ValueError, match="negative stride"):
        minitorch.from_dlpack(np.arange(3)[::-1])


@BOTH
@pytest.mark.filterwarnings("ignore:The given NumPy array is not writ")
def test_from_dlpack_takes_read_only_arrays(ns):
    assert ns.from_dlpack(np.broadcast_to(np.arange(3), (2, 3))).shape == (2, 3)


@BOTH
def test_pickle_keeps_strides_dtype_and_requires_grad(ns):
    x = ns.arange(6.0).reshape(2, 3).t().requires_grad_()
    y = pickle.loads(pickle.dumps(x))
    assert y.stride() == (1, 3) and y.requires_grad and y.tolist() == x.tolist()


@BOTH
def test_pickled_result_of_an_operation_is_a_leaf(ns):
    y = pickle.loads(pickle.dumps(ns.ones(2, requires_grad=True) * 2))
    assert y.is_leaf and y.requires_grad and y.tolist() == [2, 2]


def test_public_functions_are_pickled_by_their_names():
    T = minitorch
    places = T, T.Tensor, T.nn.functional, T.linalg, T.special
    functions = [f for p in places for name, f in vars(p).items() if inspect.isfunction(f) and not name.startswith("_")]
    assert len(functions) > 1000
    assert all(pickle.loads(pickle.dumps(f)) is f for f in functions)


def test_a_wrong_call_of_a_method_is_refused_in_torchs_words():
    assert_same_outcome(*both(lambda ns: ns.ones(2).register_hook()))


@BOTH
def test_copy_shares_memory_and_deepcopy_does_not(ns):
    x = ns.zeros(2, requires_grad=True)
    assert copy.copy(x).data_ptr() == x.data_ptr() and copy.copy(x) is not x
    assert copy.deepcopy(x).data_ptr() != x.data_ptr()


@BOTH
def test_deepcopy_keeps_shared_storage_shared(ns):
    x = ns.arange(10.0)
    a, b = copy.deepcopy((x, x[2:]))
    a[3] = -1
    assert b[1] == -1


@BOTH
def test_from_numpy_aliases(ns):
    a = np.zeros(3)
    t = ns.from_numpy(a)
    a[1] = 5
    t[2] = 7
    assert t.tolist() == [0, 5, 7] and a.tolist() == [0, 5, 7]


class Interface:
    """Something that is an array by its `__array_interface__` alone, with the length a sequence has."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__

    def __len__(self):
        return len(self.array)

    def __getitem__(self, i):
        return self.array[i]


@BOTH
@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
def test_array_interface_of_others_is_taken_in(ns):
    t = ns.as_tensor(Interface(np.arange(6.0).reshape(2, 3)))
    assert t.tolist() == [[0, 1, 2], [3, 4, 5]] and str(t.dtype) == "torch.float64"


CONVERSIONS = {
    "int of a fraction": lambda m: int(m.tensor(2.5)),
    "int of nan": lambda m: int(m.tensor(float("nan"))),
    "int of inf": lambda m: int(m.tensor(float("inf"))),
    "float of two": lambda m: float(m.ones(2)),
    "int of two": lambda m: int(m.ones(2)),
    "bool of two": lambda m: bool(m.ones(2)),
    "bool of none": lambda m: bool(m.ones(0)),
    "item of two": lambda m: m.ones(2).item(),
    "index by a float": lambda m: [1, 2][m.tensor(1.0)],
    "index by a bool": lambda m: [1, 2][m.tensor(True)],
    "range": lambda m: list(range(m.tensor(3))),
    "complex": lambda m: complex(m.tensor(3)),
    "format of a number": lambda m: f"{m.tensor(3.14159):.2f}",
    "format of two": lambda m: f"{m.ones(2):.2f}",
    "len of a number": lambda m: len(m.tensor(1)),
    "iteration over a number": lambda m: iter(m.tensor(1)),
    "iteration": lambda m: [a.item() for a in m.arange(3)],
    "contains": lambda m: (2 in m.arange(3), 5 in m.arange(3)),
    "contains a string": lambda m: "a" in m.arange(3),
    "tolist": lambda m: (m.tensor([[True, False]]).tolist(), m.tensor(3).tolist(), m.zeros(2, 0).tolist()),
    "numpy of a tensor with grad": lambda m: np.asarray(m.ones(1, requires_grad=True)),
    "tensor of tensors": lambda m: m.tensor([m.tensor(1.0), m.tensor(2.0)]).tolist(),
    "negative strides": lambda m: m.from_numpy(np.arange(3)[::-1]),
    "strings": lambda m: m.from_numpy(np.array(["a"])),
    "a list": lambda m: m.from_numpy([1]),
    "other byte order": lambda m: m.from_numpy(np.arange(3, dtype=">i4")),
    "frombuffer": lambda m: m.frombuffer(bytearray(b"abcd"), dtype=m.uint8).tolist(),
}


def outcome(f, ns):
    try:
        return f(ns)
    except Exception as e:
        return type(e), (str(e).splitlines() or [""])[0]


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_to_python(name):
    f = CONVERSIONS[name]
    assert outcome(f, minitorch) == outcome(f, torch)


# programs over conversions to and from Python, NumPy, buffers, copies and pickles, whose value or error is torch's
PROGRAMS = """
(bool(torch.tensor(0)), bool(torch.tensor(1.5)), bool(torch.tensor(float("nan"))), bool(torch.zeros(1,1,1)))
bool(torch.ones(1, device="meta"))
torch.ones(1, device="meta").item()
torch.ones(2, device="meta").tolist()
torch.ones(2, device="meta").numpy()
float(torch.tensor(True))
int(torch.tensor(-2.7))
int(torch.tensor([True]))
float(torch.ones(0))
complex(torch.ones(2))
complex(torch.ones(1, requires_grad=True))
torch.ones(0).item()
[type(torch.tensor(v).item()).__name__ for v in (1, 1.0, True)]
torch.tensor(255, dtype=torch.uint8).item()
(torch.tensor(0.1, dtype=torch.float16).item(), torch.tensor(0.1, dtype=torch.bfloat16).item())
(torch.tensor([0.1, 2], dtype=torch.float16).tolist(), torch.tensor([0.1, 2], dtype=torch.bfloat16).tolist())
torch.ones(2, requires_grad=True).tolist()
torch.arange(6).reshape(2, 3).t().tolist()
[type(x).__name__ for x in torch.tensor([True, False]).tolist()]
operator.index(torch.tensor(3, dtype=torch.uint8))
operator.index(torch.tensor([1, 2]))
operator.index(torch.tensor(True))
[0, 1, 2][torch.tensor([2])]
[0, 1, 2, 3][torch.tensor(1):torch.tensor(3)]
math.sqrt(torch.tensor(4.0))
math.floor(torch.tensor(4.5))
math.ceil(torch.tensor(4.5))
math.trunc(torch.tensor(4.5))
repr(round(torch.tensor(4.567), 2))
repr(round(torch.tensor(4.567)))
repr(divmod(torch.tensor(7), 2))
repr(abs(torch.tensor(-7)))
len({torch.tensor(1), torch.tensor(1)})
f"{torch.tensor(3.14159):>10.2f}|{torch.tensor(7):05d}|{torch.tensor(True)}|{torch.tensor([1.0])}"
f"{torch.tensor([1.0]):.2f}"
f"{torch.ones((), device='meta')}"
"%.3f %d %s" % (torch.tensor(1.5), torch.tensor(3), torch.tensor([1]))
[repr(x) for x in torch.arange(4).reshape(2, 2)]
[repr(x) for x in torch.ones(2, requires_grad=True)]
list(torch.zeros(0, 3))
(lambda t: ([x.add_(1) for x in t], t.tolist())[1])(torch.zeros(3))
(lambda a, b: (a.item(), b.item()))(*torch.tensor([1, 2]))
[(a.item(), b.item()) for a, b in zip(torch.arange(2), torch.arange(2))]
repr(sum(torch.arange(4)))
repr(max(torch.tensor([3, 1, 2])))
[t.item() for t in sorted(torch.tensor([3, 1, 2]))]
[t.item() for t in reversed(torch.arange(3))]
[(i, t.item()) for i, t in enumerate(torch.arange(2))]
repr(list(torch.arange(2)))
(len(torch.zeros(3, 2)), len(torch.zeros(0, 2)))
(torch.tensor(2) in torch.arange(3), None)
None in torch.arange(3)
[1] in torch.arange(3)
(np.asarray(torch.arange(3)).tolist(), str(np.asarray(torch.arange(3)).dtype))
str(np.asarray(torch.arange(3), dtype=np.float32).dtype)
(np.asarray(t := torch.zeros(2)).__setitem__(0, 5), t.tolist())[1]
(np.array(t := torch.zeros(2)).__setitem__(0, 5), t.tolist())[1]
np.array(torch.ones(1, requires_grad=True))
np.asarray(torch.ones(1, dtype=torch.bfloat16))
str(np.asarray(torch.ones(1, dtype=torch.float16)).dtype)
repr(np.sin(torch.tensor([0.0, 1.0])))
repr(np.add(torch.tensor([0.0, 1.0]), 1))
repr(np.concatenate([torch.ones(1), torch.zeros(1)]))
repr(np.stack([torch.ones(1), torch.zeros(1)]))
repr(np.transpose(torch.ones(1, 2)))
repr(np.reshape(torch.ones(4), (2, 2)))
repr(np.argmax(torch.tensor([0.0, 1.0])))
repr(np.dot(torch.ones(2), torch.ones(2)))
repr(np.isfinite(torch.ones(2)))
repr(np.abs(torch.tensor([-1.0])))
repr(np.where(torch.tensor([True, False]), 1, 2))
bool(np.allclose(torch.ones(2), torch.ones(2)))
np.testing.assert_allclose(torch.ones(2), np.ones(2))
np.exp(torch.ones(1, requires_grad=True))
repr(np.ones(2) + torch.ones(2))
repr(torch.ones(2) + np.ones(2))
repr(np.ones(2, np.float32) * torch.ones(2))
repr(torch.ones(2) * np.float64(2))
repr(np.float64(2) * torch.ones(2))
repr(np.float32(2) * torch.ones(2))
repr(torch.ones(2) * np.int64(2))
repr(np.int64(2) + torch.arange(2))
repr(np.ones(2) < torch.ones(2))
repr(np.ones(2) == torch.ones(2))
repr(torch.ones(2) == np.ones(2))
repr(operator.iadd(np.ones(2), torch.ones(2)))
repr(operator.iadd(torch.ones(2), np.ones(2)))
repr(torch.ones(2) @ np.ones(2, np.float32))
repr(np.ones(2, np.float32) @ torch.ones(2))
repr(np.arange(5)[torch.tensor([1, 2])])
repr(np.arange(5)[torch.tensor(1)])
repr(torch.arange(5)[np.array([1, 2])])
repr(torch.arange(3)[np.array([True, False, True])])
((t := torch.zeros(3)).__setitem__(slice(0, 2), np.ones(2)), repr(t))
((a := np.zeros(3)).__setitem__(slice(0, 2), torch.ones(2)), repr(a))
(torch.asarray(a := np.zeros(2)).add_(1), a.tolist())[1]
(torch.asarray(a := np.zeros(2), copy=True).add_(1), a.tolist())[1]
torch.asarray([1.0], copy=False)
torch.asarray(t := torch.ones(2)) is t
repr(torch.asarray(np.zeros(2), dtype=torch.float32))
torch.asarray(np.zeros(2), dtype=torch.float32, copy=False)
repr(torch.asarray([1.0], requires_grad=True))
repr(torch.asarray(torch.ones(1, requires_grad=True)))
repr(torch.asarray(3))
repr(torch.asarray(bytearray(b"ab"), dtype=torch.uint8))
repr(torch.asarray(np.broadcast_to(np.zeros(1), (2,))))
repr(torch.asarray(np.float32(2)))
(torch.as_tensor(a := np.zeros(2)).add_(1), a.tolist())[1]
torch.as_tensor(t := torch.ones(2)) is t
repr(torch.as_tensor(torch.ones(2), dtype=torch.float64))
repr(torch.as_tensor([1, 2.5]))
repr(torch.as_tensor(np.float64(3)))
repr(torch.as_tensor(torch.ones(1, requires_grad=True) * 2))
(torch.tensor(a := np.zeros(2)).add_(1), a.tolist())[1]
repr(torch.tensor([np.ones(2), np.zeros(2)]))
torch.tensor([[1, 2], [3]])
torch.tensor(["a"])
torch.tensor(None)
torch.tensor({})
repr(torch.tensor([1, 2.0, True]))
repr(torch.tensor([True, 2]))
torch.tensor(2**64)
torch.tensor(i for i in range(3))
repr(torch.tensor(range(3)))
repr(torch.tensor(((1, 2), (3, 4))))
repr(torch.tensor([np.int32(1), np.int32(2)]))
repr(torch.tensor(np.bool_(True)))
repr(torch.tensor([[], []]))
repr(torch.from_numpy(np.array(3.0)))
repr(torch.from_numpy(np.zeros((0, 2))))
torch.from_numpy(np.zeros((3, 4))[:, ::2]).stride()
torch.from_numpy(np.zeros((3, 4), order="F")).stride()
torch.from_numpy(np.zeros(2, dtype="datetime64[s]"))
torch.from_numpy(np.array([None]))
torch.from_numpy(np.float32(1))
repr(torch.from_numpy(np.zeros(2, np.uint16)))
repr(torch.frombuffer(bytearray(8), dtype=torch.int32))
(b := bytearray(2), torch.frombuffer(b, dtype=torch.uint8).add_(1), bytes(b))[2]
repr(torch.frombuffer(bytearray(range(8)), dtype=torch.uint8, count=2, offset=3))
torch.frombuffer(bytearray(7), dtype=torch.int32)
torch.frombuffer(bytearray(0), dtype=torch.int32)
torch.frombuffer(bytearray(4), dtype=torch.int32, offset=9)
torch.frombuffer(bytearray(4), dtype=torch.int32, count=5)
torch.frombuffer(3, dtype=torch.int32)
repr(torch.frombuffer(bytearray(4), dtype=torch.float32, requires_grad=True))
((t := torch.zeros(2)).numpy().__setitem__(0, 3), t.tolist())[1]
torch.ones(2, requires_grad=True).numpy(force=True).tolist()
torch.ones(2, requires_grad=True).numpy()
torch.no_grad()(lambda: torch.ones(2, requires_grad=True).numpy())().tolist()
torch.no_grad()(lambda: np.concatenate([torch.nn.Parameter(torch.ones(2)), np.zeros(1)]))().tolist()
torch.inference_mode()(lambda x: np.asarray(x, dtype=np.float64))(torch.ones(2, requires_grad=True) * 2).tolist()
torch.zeros(2, 3).t().numpy().strides
torch.zeros(1).expand(3).numpy().strides
repr(copy.copy(torch.ones(2, requires_grad=True)))
(lambda x: (x.sum().backward(), repr(copy.deepcopy(x).grad)))(torch.ones(2, requires_grad=True))[1]
copy.deepcopy(torch.ones(2, requires_grad=True) * 2)
(lambda v: (v.stride(), v.storage_offset(), v.untyped_storage().nbytes()))(copy.deepcopy(torch.arange(10.0)[2::3]))
repr(copy.deepcopy(torch.nn.Linear(1, 1)).weight.requires_grad)
(lambda a: a[0] is a[1])(copy.deepcopy([t := torch.ones(1), t]))
(lambda v: (v.stride(), v.tolist()))(pickle.loads(pickle.dumps(torch.arange(10.0)[2::3])))
(lambda ab: (ab[0].add_(1), ab[1].tolist()))(pickle.loads(pickle.dumps((x := torch.zeros(4), x[1:3]))))[1]
[repr(pickle.loads(pickle.dumps(torch.ones(2).to(d)))) for d in (torch.half, torch.bfloat16, torch.bool)]
repr(pickle.loads(pickle.dumps(torch.nn.Parameter(torch.ones(2)))))
[repr(pickle.loads(pickle.dumps(v))) for v in (torch.Size([1]), torch.half, torch.device("cpu"))]
[repr(pickle.loads(pickle.dumps(v))) for v in (torch.strided, torch.preserve_format)]
pickle.loads(pickle.dumps(torch.float32)) is torch.float32
(lambda x: (x.sum().backward(), pickle.loads(pickle.dumps(x)).grad))(torch.ones(2, requires_grad=True))[1]
(lambda x: (setattr(x, "note", 3), pickle.loads(pickle.dumps(x)).note))(torch.ones(2))[1]
repr(pickle.loads(pickle.dumps(torch.zeros(0, 3))))
repr(pickle.loads(pickle.dumps(torch.tensor(3))))
repr(pickle.loads(pickle.dumps(torch.ones(1).to_sparse())))
repr(pickle.loads(pickle.dumps(torch.ones(1, device="meta"))))
(x := torch.zeros(4)).untyped_storage().data_ptr() == x[1:].untyped_storage().data_ptr()
torch.zeros(4)[1:3].untyped_storage().nbytes()
[torch.zeros(1, dtype=d).element_size() for d in (torch.float16, torch.bfloat16, torch.int8, torch.float64)]
[torch.zeros(1, dtype=d).type() for d in (torch.float16, torch.bfloat16, torch.int8, torch.float64, torch.bool)]
repr(torch.zeros(1).type("torch.DoubleTensor"))
torch.zeros(1).type("torch.FooTensor")
(torch.equal(torch.ones(2), torch.ones(2)), torch.ones(2).equal(torch.ones(3)))
(torch.ones(2) == None, torch.ones(2) != None)
torch.ones(2) == "a"
torch.ones(2) < "a"
torch.ones(2) + None
torch.ones(2) + "a"
"a" + torch.ones(2)
torch.ones(2) + [1, 2]
[1, 2] * torch.tensor(2)
[1, 2] * torch.ones(2)
torch.Tensor.__array_priority__
not torch.tensor(0)
repr(torch.tensor(0) and 1)
1 if torch.ones(2) else 2
(t := torch.arange(3)).__delitem__(0)
(setattr(t := torch.ones(1), "foo", 2), t.foo)[1]
torch.ones(1).nope
(setattr(t := torch.ones(2), "data", torch.zeros(3)), repr(t))[1]
[isinstance(torch.ones(1), c) for c in (torch.Tensor, torch.FloatTensor, torch.LongTensor)]
(torch.is_tensor(torch.ones(1)), torch.is_tensor(1))
memoryview(torch.ones(1))
tuple(int(v) for v in torch.ones(1).__dlpack_device__())
__import__("json").dumps(torch.ones(1).tolist())
repr(torch.FloatTensor([1, 2]))
torch.LongTensor(2, 3).shape
repr(torch.Tensor([1, 2]))
repr(torch.Tensor())
"""


@pytest.mark.parametrize("program", PROGRAMS.strip().splitlines())
@pytest.mark.filterwarnings("ignore")  # NumPy's about __array_wrap__, torch's about read-only memory
def test_program_ends_as_in_torch(program):
    def run(ns):
        return repr(
            eval(program, {"torch": ns, "np": np, "copy": copy, "pickle": pickle, "math": math, "operator": operator})
        )

    assert outcome(run, minitorch) == outcome(run, torch)


# ---------------------------------------------------------------------- storages
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "int16"])
def test_a_typed_storage_acts_as_torchs(dtype):
    def run(t):
        x = t.tensor([[4, 1, 0], [5, 3, 1]], dtype=getattr(t, dtype))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            s = x[1:].t().storage()
        s[0] = 0
        s[-1] = 0
        facts = len(s), s.size(), s.nbytes(), s.element_size(), s.is_shared(), s.type(), str(s.dtype), str(s.device)
        again = s.clone().fill_(1)
        return repr(s), facts, s.tolist(), list(s), x, s[1], again.tolist(), s.copy_(again)[0], x

    assert_same_outcome(*both(run))


@pytest.mark.parametrize("index", [6, -7, slice(0, 2), "a"])
def test_a_typed_storage_refuses_other_indices(index):
    def run(t):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = t.zeros(6).storage()
        try:
            return storage[index]
        except (IndexError, RuntimeError) as e:
            return type(e), str(e).replace("minitorch", "torch")

    assert_same_outcome(*both(run))
