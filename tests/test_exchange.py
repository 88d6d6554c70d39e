"""Tensors handed to NumPy, torch, pickle and copy, and taken from them: aliasing, dtypes and torch's refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch

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
        return type(e), str(e).splitlines()[0]


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_to_python(name):
    f = CONVERSIONS[name]
    assert outcome(f, minitorch) == outcome(f, torch)
