"""Tensors from nothing, from data, from NumPy: values, dtypes, memory."""

import numpy as np
import pytest
import torch
from compare import ALL, EverySample, assert_same_outcome, both

import minitorch

FACTORIES = {
    "zeros": [
        lambda ns: ns.zeros(2, 3),
        lambda ns: ns.zeros((2, 3)),
        lambda ns: ns.zeros([2]),
        lambda ns: ns.zeros(()),
        lambda ns: ns.zeros(0, 2),
        lambda ns: ns.zeros(2, dtype=ns.int8),
        lambda ns: ns.zeros(2, device="cpu"),
        lambda ns: ns.zeros(2, device="nowhere"),
        lambda ns: ns.zeros(ns.Size([2, 2])),
        lambda ns: ns.zeros(2, requires_grad=True).requires_grad,
    ],
    "ones": [
        lambda ns: ns.ones(2, 3),
        lambda ns: ns.ones(2, dtype=ns.bool),
        lambda ns: ns.ones(2, requires_grad=True, dtype=ns.int64),
    ],
    "full": [
        lambda ns: ns.full((2,), 7),
        lambda ns: ns.full((2,), 7.5),
        lambda ns: ns.full((2,), True),
        lambda ns: ns.full((), 1),
        lambda ns: ns.full((2,), 7, dtype=ns.float64),
        lambda ns: ns.full((2,), 1.9, dtype=ns.int32),
        lambda ns: ns.full((2,), float("nan")),
        lambda ns: ns.full(2, 1),
    ],
    "arange": [
        lambda ns: ns.arange(5),
        lambda ns: ns.arange(1, 5),
        lambda ns: ns.arange(1, 10, 3),
        lambda ns: ns.arange(5.0),
        lambda ns: ns.arange(0, 1, 0.1),
        lambda ns: ns.arange(5, 0, -2),
        lambda ns: ns.arange(0),
        lambda ns: ns.arange(5, dtype=ns.float32),
        lambda ns: ns.arange(1, 0),
        lambda ns: ns.arange(0, 5, 0),
        lambda ns: ns.arange(0, 2.5, 0.5, dtype=ns.int64),
        lambda ns: ns.arange(float("inf")),
        lambda ns: ns.arange(start=1, end=4),
        lambda ns: ns.arange(1, 4, step=2),
    ],
    "linspace": [
        lambda ns: ns.linspace(0, 1, 5),
        lambda ns: ns.linspace(3, -1, 7, dtype=ns.float64),
        lambda ns: ns.linspace(0, 1, 1),
        lambda ns: ns.linspace(0, 1, 0),
        lambda ns: ns.linspace(0, 10, 4, dtype=ns.int64),
        lambda ns: ns.linspace(0, 1, -1),
    ],
    "logspace": [lambda ns: ns.logspace(0, 2, 3), lambda ns: ns.logspace(0, 3, 4, base=2.0)],
    "eye": [
        lambda ns: ns.eye(3),
        lambda ns: ns.eye(2, 3),
        lambda ns: ns.eye(0),
        lambda ns: ns.eye(-1),
        lambda ns: ns.eye(2, dtype=ns.int64),
    ],
    "empty": [
        lambda ns: tuple(ns.empty(2, 3).shape),
        lambda ns: ns.empty(0, 3),
        lambda ns: ns.empty((2,), dtype=ns.uint8).dtype,
    ],
    "like": [
        lambda ns: ns.zeros_like(ns.ones(2, 3)),
        lambda ns: ns.ones_like(ns.zeros(2, dtype=ns.int16)),
        lambda ns: ns.full_like(ns.zeros(2), 3),
        lambda ns: ns.zeros_like(ns.zeros(2), dtype=ns.int64),
        lambda ns: ns.zeros_like(ns.zeros(2, 3).t()).stride(),
        lambda ns: ns.empty_like(ns.zeros(2, 3, 4).permute(2, 0, 1)).stride(),
    ],
    "new": [
        lambda ns: ns.ones(2, dtype=ns.float64).new_zeros(3),
        lambda ns: ns.ones(2, dtype=ns.int64).new_ones((2, 2)),
        lambda ns: ns.ones(2).new_full((2,), 3),
        lambda ns: ns.ones(2, dtype=ns.float64).new_tensor([1, 2]),
    ],
    "empty_strided": [lambda ns: ns.empty_strided((2, 3), (1, 2)).stride(), lambda ns: ns.empty_strided((2,), (1, 2))],
    "recorded out": [
        lambda ns: ns.zeros(2, out=ns.ones(2, requires_grad=True)),
        lambda ns: ns.arange(2.0, out=ns.ones(2, requires_grad=True)),
        lambda ns: ns.full((2,), 1.0, out=ns.ones(2, dtype=ns.float64, requires_grad=True), dtype=ns.float32),
        lambda ns: ns.rand(2, out=ns.ones(2, requires_grad=True)),
        lambda ns: ns.normal(ns.zeros(2), 1.0, out=ns.ones(2, requires_grad=True)),
    ],
    "legacy": [lambda ns: ns.Tensor([1, 2]), lambda ns: tuple(ns.Tensor(2, 3).shape), lambda ns: ns.Tensor([[1.5]])],
}


@pytest.mark.parametrize("name", FACTORIES)
def test_factory_makes_what_torchs_makes(name):
    with EverySample() as sample:
        for i, make in enumerate(FACTORIES[name]):
            ours, theirs = both(make)
            with sample(i):
                assert_same_outcome(ours, theirs, 1e-6)


DATA = [
    1,
    1.5,
    True,
    [],
    [[]],
    [1, 2],
    [1, 2.5],
    [True, 2],
    [True, False],
    [[1, 2], [3, 4]],
    ((1.0,), (2.0,)),
    (1, 2),
    [[1, 2], [3]],
    "text",
    None,
    [None],
    2**63 - 1,
    -(2**63),
    1e400,
    [np.float64(1.5)],
    np.float32(2),
    np.int16(3),
    np.array([1, 2], np.int8),
    np.array(1.5),
    np.array([True]),
    np.array(["a"]),
    np.array([1 + 2j]),
    np.array([object()]),
    range(3),
    {1},
    np.zeros((0, 3)),
    [np.array([1, 2]), np.array([3, 4])],
    np.zeros(2, ">f4"),
    float("nan"),
    [[[1]], [[2]]],
]


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy")
def test_tensor_infers_dtype_and_shape_from_data():
    with EverySample() as sample:
        for data in DATA:
            ours, theirs = both(lambda ns: ns.tensor(data))
            if theirs.error is None and "complex" in str(theirs.value.dtype):
                assert isinstance(ours.error, NotImplementedError)
                continue
            with sample(repr(data)):
                assert_same_outcome(ours, theirs)


def test_tensor_converts_to_every_dtype():
    with EverySample() as sample:
        for dtype in ALL:
            for data in ([0, 1, 2], [0.5, 1.5], [True, False], np.array([3.7, 1.2]), 100):
                with sample(dtype, repr(data)):
                    assert_same_outcome(*both(lambda ns: ns.tensor(data, dtype=getattr(ns, dtype))))


def test_tensor_of_tensors():
    with EverySample() as sample:
        for make in (
            lambda ns: ns.tensor([ns.tensor(1), ns.tensor(2.5)]),
            lambda ns: ns.tensor([ns.tensor(1), 2]),
            lambda ns: ns.tensor(ns.tensor([1.0])),
            lambda ns: ns.as_tensor(ns.ones(2)),
            lambda ns: ns.as_tensor([1, 2], dtype=ns.float64),
        ):
            with sample():
                assert_same_outcome(*both(make))


def test_tensor_copies_and_from_numpy_shares():
    a = np.zeros(3)
    copied, shared, kept = minitorch.tensor(a), minitorch.from_numpy(a), minitorch.as_tensor(a)
    a[0] = 7
    assert copied[0].item() == 0
    assert shared[0].item() == kept[0].item() == 7
    shared[1] = 5
    assert a[1] == 5
    assert shared.data_ptr() == a.__array_interface__["data"][0]


def test_numpy_shares_memory_both_ways():
    t = minitorch.zeros(2, 3)
    for a in (t.numpy(), np.asarray(t), t.detach().numpy()):
        a[0, 0] += 1
    assert t[0, 0].item() == 3
    assert np.asarray(t.t()).strides == (4, 12)
    assert np.array(t).base is None
    assert np.asarray(t, dtype=np.float64).dtype == np.float64


@pytest.fixture
def warned_each_time():
    """torch warns once in a process, and another test may have seen it."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


def test_from_numpy_errors_are_torchs(warned_each_time):
    readonly = np.zeros(2)
    readonly.flags.writeable = False
    with EverySample() as sample:
        for data in (
            [1],
            np.zeros(2, "U1"),
            np.zeros(3)[::-1],
            np.zeros(2, ">f8"),
            readonly,
            np.zeros(2, np.uint16),
            None,
        ):
            with sample(repr(data)):
                assert_same_outcome(*both(lambda ns: ns.from_numpy(data)))


def test_from_numpy_keeps_the_array_alive():
    t = minitorch.from_numpy(np.arange(1000.0))
    np.zeros(1000)
    assert t.sum().item() == 499500


def test_views_share_storage_with_offsets_and_strides_like_torchs():
    def describe(ns):
        x = ns.arange(24.0).reshape(2, 3, 4)
        views = [
            x,
            x[1],
            x[:, 1:],
            x.t() if x.ndim < 3 else x.transpose(0, 2),
            x[..., ::2],
            x.view(6, 4)[2],
            x.diagonal(0, 1, 2),
        ]
        return [
            (v.storage_offset(), v.stride(), tuple(v.shape), v.untyped_storage().nbytes(), v.is_contiguous())
            for v in views
        ] + [all(v.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for v in views)]

    assert_same_outcome(*both(describe))


def test_attributes_are_torchs():
    with EverySample() as sample:
        for question in (
            "ndim",
            "dim()",
            "numel()",
            "nelement()",
            "element_size()",
            "itemsize",
            "nbytes",
            "size()",
            "size(0)",
            "size(-1)",
            "size(5)",
            "stride()",
            "stride(1)",
            "stride(4)",
            "storage_offset()",
            "is_contiguous()",
            "is_floating_point()",
            "is_signed()",
            "is_leaf",
            "requires_grad",
            "is_cuda",
            "is_sparse",
            "is_meta",
            "layout.__class__.__name__",
            "type()",
            "tolist()",
            "item()",
            "device",
            "dtype",
            "T.shape",
            "mT.shape",
            "data.requires_grad",
            "_version",
            "is_complex()",
            "__len__()",
            "element_size()",
            "get_device()",
            "output_nr",
            "grad",
            "names_",
            "shape.numel()",
            "__contains__(3)",
            "is_pinned()",
        ):
            with sample(question):
                ours, theirs = both(lambda ns: eval(f"x.{question}", {"x": ns.arange(6.0).reshape(2, 3)}))
                if theirs.error is None and isinstance(theirs.value, torch.Size):
                    assert repr(ours.value) == repr(theirs.value)
                else:
                    assert_same_outcome(ours, theirs)


def test_size_is_torchs():
    with EverySample() as sample:
        for expression in (
            "s",
            "s[1:]",
            "s + (1,)",
            "s * 2",
            "s.numel()",
            "s == (2, 3)",
            "len(s)",
            "s[0]",
            "type(s[1:]).__name__",
            "(1,) + s",
        ):
            with sample(expression):
                ours, theirs = both(lambda ns: repr(eval(expression, {"s": ns.zeros(2, 3).shape})))
                assert_same_outcome(ours, theirs)


def test_python_conversions_are_torchs():
    with EverySample() as sample:
        for make in (
            "tensor(2.7)",
            "tensor([3])",
            "tensor([1, 2])",
            "tensor([])",
            "tensor(True)",
            "tensor(5)",
            "tensor([[1.5]])",
            "tensor(float('nan'))",
        ):
            for convert in (
                "float",
                "int",
                "bool",
                "len",
                "list",
                "iter",
                "hash",
                "complex",
                "__import__('operator').index",
                "[10, 20, 30, 40, 50, 60].__getitem__",
                "range",
            ):
                with sample(convert, make):
                    ours, theirs = both(lambda ns: eval(f"{convert}(ns.{make})", {"ns": ns}))
                    if convert in ("hash", "iter", "list") and theirs.error is None:
                        assert ours.error is None
                    else:
                        assert_same_outcome(ours, theirs)


def test_device_context_and_default_device():
    def devices(ns):
        seen = []
        with ns.device("meta"):
            seen += [ns.zeros(2), ns.tensor([1.0]), ns.arange(3), ns.ones(2, device="cpu").device]
            with ns.device("cpu"):
                seen.append(ns.zeros(1))
        return [*seen, ns.zeros(1).device]

    assert_same_outcome(*both(devices))


def test_device_objects_are_torchs():
    with EverySample() as sample:
        for expression in (
            "device('cpu')",
            "device('cpu', 0)",
            "device('cpu:1')",
            "device('cuda:0')",
            "device('cuda')",
            "device('meta')",
            "device('x')",
            "device('cuda:-1')",
            "device('cuda:a')",
            "device('')",
            "device(device('cpu'))",
            "device('cpu') == device('cpu:0')",
            "str(device('cuda:3'))",
            "device('cpu:0').index",
            "device('cpu').type",
            "device(type='cuda', index=1)",
            "device('cpu:0', 1)",
            "device(1.5)",
        ):
            with sample(expression):
                assert_same_outcome(*both(lambda ns: repr(eval(expression, {"device": ns.device}))))


def test_meta_tensors_refuse_to_give_values():
    with EverySample() as sample:
        for use in ("item()", "tolist()", "numpy()", "cpu()", "to('cpu')", "__bool__()"):
            with sample(use):
                ours, theirs = both(lambda ns: eval(f"x.{use}", {"x": ns.zeros(1, device="meta")}))
                assert type(ours.error) is type(theirs.error), (ours.error, theirs.error)


def test_conversions_keep_or_copy_as_torch_does():
    def identities(ns):
        x = ns.ones(2, 3)
        return [
            x.to(ns.float32) is x,
            x.to("cpu") is x,
            x.to(x) is x,
            x.float() is x,
            x.double() is x,
            x.contiguous() is x,
            x.t().contiguous().is_contiguous(),
            x.to(ns.float32, copy=True) is x,
            x.type(ns.float32) is x,
            x.cpu() is x,
            x.clone().data_ptr() == x.data_ptr(),
            x.detach().data_ptr() == x.data_ptr(),
            x.data.data_ptr() == x.data_ptr(),
            x.t().clone().stride(),
            x.view(6).data_ptr() == x.data_ptr(),
            x.expand(4, 2, 3).stride(),
            x.t().reshape(6).data_ptr() == x.data_ptr(),
        ]

    assert_same_outcome(*both(identities))


def test_casts_between_all_dtypes_give_torchs_values():
    values = [0.0, 1.0, -1.0, 2.9, -2.9, 127.0, 100.0]
    with EverySample() as sample:
        for a in ALL:
            for b in ALL:
                with sample(a, b):
                    if a.startswith("float") and b == "uint8":
                        data = [abs(v) for v in values]
                    else:
                        data = values
                    assert_same_outcome(
                        *both(lambda ns: ns.tensor(data, dtype=ns.float64).to(getattr(ns, a)).to(getattr(ns, b)))
                    )


def test_tensors_beyond_memory_and_beyond_numbers_are_torchs_error():
    with pytest.raises(
        RuntimeError, match=r"DefaultCPUAllocator: can't allocate memory: you tried to allocate 2\d+ bytes"
    ):
        minitorch.empty(2**59)
    for make in (lambda ns: ns.zeros(2**62, 4), lambda ns: ns.ones(2**31, 2**31, 2**31), lambda ns: ns.arange(2**62)):
        assert_same_outcome(*both(make))


def test_arange_counts_in_floats_but_for_int64():
    with EverySample() as sample:
        for dtype in ("int64", "int32", "uint8", "int8", "float32"):
            for bounds in [(3.1,), (0.0, 3.0, 1.5), (1, 5.5, 2), (2.1, -2.9, -1.0), (0.5, 3.1, 0.5)]:
                with sample(dtype, bounds):
                    assert_same_outcome(*both(lambda ns: ns.arange(*bounds, dtype=getattr(ns, dtype))))


def test_linspace_is_torchs_to_the_last_bit(rng):
    for _ in range(200):
        low, high = rng.normal(size=2) * 10
        steps = int(rng.integers(1, 200))
        for dtype in ("float32", "float64"):
            mine = minitorch.linspace(low, high, steps, dtype=getattr(minitorch, dtype)).numpy()
            assert (mine == torch.linspace(low, high, steps, dtype=getattr(torch, dtype)).numpy()).all()
