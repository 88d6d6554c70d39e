"""minitorch prints every tensor exactly as torch does."""

from __future__ import annotations

import itertools
import math
import traceback
import types

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from minitorch import _tensor_str as ours

nan, inf = math.nan, math.inf


class Dtype:
    def __init__(self, name, is_floating_point):
        self.name, self.is_floating_point = name, is_floating_point

    def __str__(self):
        return self.name

    def __eq__(self, other):
        return self.name == str(other)

    __hash__ = None


class Tensor:
    """The part of a tensor that its repr reads, taken over from a torch tensor."""

    def __init__(self, theirs):
        self.shape = theirs.shape
        self.dtype = Dtype(str(theirs.dtype), theirs.is_floating_point())
        self.device = theirs.device
        self.requires_grad = theirs.requires_grad
        self._theirs = theirs

    @property
    def array(self):
        assert self.device.type != "meta", "a meta tensor has no values to print"
        return self._theirs.detach().numpy()

    @property
    def grad_fn(self):
        return self._theirs.grad_fn


def printed(tensor):
    return ours.tensor_repr(Tensor(tensor))


@pytest.fixture(scope="module", autouse=True)
def default_dtype():
    """Lets a test choose the default dtype of both libraries through torch's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minitorch._dtype.get_default_dtype", torch.get_default_dtype)
        yield


@pytest.fixture
def both_options():
    """Sets print options in both libraries, and puts the defaults back afterwards."""

    def choose(**options):
        torch.set_printoptions(**options)
        ours.set_printoptions(**options)

    yield choose
    choose(profile="default")


FLOAT_LISTS = [
    *([0.0], [-0.0], [1.0], [-1.0], [0.5], [nan], [inf], [-inf], [-nan]),
    *([0.0, nan], [nan, inf, -inf], [1.0, nan], [1.0, -inf], [1.5, -inf], [100.0, nan]),
    *([0.0, -0.0, 1.0], [-0.0, 0.0], [-0.0, 5.5], [-0.0, 12.0, inf], [1e-8, 0.0, nan]),
    *([1e-8], [1e8], [1e8 + 8, 1.0], [123456.789], [99999.5], [3e38, -3e38], [1e-45], [1e-40, 1.0]),
    *([1.0, 1000.0], [1.0, 1001.0], [1.5, 1500.0], [1.5, 1500.5], [-1.0, 1001.0], [2.0, -2000.0]),
    *([1e-4, 0.05], [9e-5], [1e-4], [1.1e-4], [1e-3, 0.99999], [0.99999, 1.5], [0.00005, 0.01]),
    *([1e8], [1e8, 1e6], [100000008.0], [1e9], [1e10, 1e9], [99999999.0, 12345678.0], [16777216.0]),
    *([0.1, 0.2, 0.3], [1 / 3, 2 / 3], [math.pi, math.e], [2.00005, 3.00015], [0.12345, 0.12355]),
    *([-1.5, 2.5], [-100.0, 3.0], [-1e5, 1e-5], [12.0, 3.75, -0.25], [65504.0, -6e-8], [6e-8]),
    *([1e5, 1e2], [1e5, 99.0], [7.0] * 3, [nan] * 4, [inf, 1e-9], [-inf, 1e9], [1e-30, 1e30]),
]


def seeded(*shape, scale=1.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    return (torch.randn(shape, generator=generator) * scale).to(dtype)


def value_cases():
    for dtype in (torch.float32, torch.float64, torch.float16):
        for values in FLOAT_LISTS:
            yield torch.tensor(values, dtype=dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        limits = torch.iinfo(dtype)
        for values in ([0], [-1, 10], [limits.min, limits.max], list(range(-20, 40))):
            yield torch.tensor(values, dtype=dtype)
    for values in ([0], [255, 3], list(range(60))):
        yield torch.tensor(values, dtype=torch.uint8)
    for values in ([True], [False], [True, True], [True, False] * 20):
        yield torch.tensor(values)


SHAPES = [
    *((), (1,), (7,), (40,), (1000,), (1001,), (5, 6), (1, 1), (30, 1), (3, 25), (2, 3, 4), (0,)),
    *((2, 1, 2, 3), (1, 1, 1, 1, 2), (0, 3), (3, 0), (2, 0, 4), (32, 32), (6, 200), (7, 200)),
    *((200, 7), (11, 10, 10), (3, 50, 8), (2, 2, 2, 150), (4, 4, 4, 4, 5), (8, 3, 8, 8)),
]


def shape_cases():
    for shape in SHAPES:
        yield seeded(*shape)
        yield seeded(*shape, scale=30).round()
        yield seeded(*shape, scale=1e6, dtype=torch.float64)
        yield seeded(*shape, scale=50).to(torch.int64)
        yield seeded(*shape, scale=50).to(torch.uint8)
        yield seeded(*shape) > 0


def suffix_cases():
    for base in (seeded(3), seeded(4, 4), seeded(2000), seeded(0, 3), seeded()):
        leaf = base.requires_grad_()
        yield leaf
        yield leaf * 2
        yield leaf.double().exp()
        yield leaf.log_softmax(-1)
    for dtype in (torch.float32, torch.float64, torch.int64, torch.bool):
        for shape in ((), (0,), (3,), (2, 3), (40, 50)):
            yield torch.empty(shape, dtype=dtype, device="meta")
    meta = torch.empty(2, 3, device="meta", requires_grad=True)
    yield from (meta, meta * 2, (meta * 2).double())


def stride_cases():
    base = seeded(6, 8)
    yield from (base.T, base[::2, 1::3], base[:, 0], base[0].expand(4, 8), base[1:3].mT, base[2, 3])
    yield seeded(60, 50).T
    yield seeded(3, 4, 500).permute(2, 0, 1)


ALL_CASES = [*value_cases(), *shape_cases(), *suffix_cases(), *stride_cases()]


def label(case):
    return f"{case.dtype}-{list(case.shape)}-{case.device}".replace("torch.", "")


@pytest.mark.parametrize("case", ALL_CASES, ids=label)
def test_repr_is_that_of_torch(case):
    assert printed(case) == repr(case)


OPTION_SETS = [
    *({"precision": 0}, {"precision": 1}, {"precision": 8}, {"precision": 20}),
    *({"sci_mode": True}, {"sci_mode": False}, {"sci_mode": True, "precision": 0}),
    *({"threshold": 0}, {"threshold": 5}, {"threshold": 5, "edgeitems": 1}, {"threshold": inf}),
    *({"threshold": 0, "edgeitems": 0}, {"threshold": 0, "edgeitems": 0, "linewidth": 15}),
    *({"threshold": 20, "edgeitems": 2, "linewidth": 20}, {"linewidth": 1}, {"linewidth": -5}),
    *({"linewidth": 31}, {"linewidth": 44}, {"linewidth": 200}, {"linewidth": 60, "precision": 2}),
    *({"profile": "short"}, {"profile": "full"}, {"profile": "unheard of"}, {"profile": "default"}),
    {"profile": "short", "precision": 3, "linewidth": 50},
]
SMALL_CASES = [case for case in ALL_CASES if case.numel() <= 2000]


@pytest.mark.parametrize("options", OPTION_SETS, ids=str)
def test_repr_under_print_options_is_that_of_torch(both_options, options):
    both_options(**options)
    assert ours.get_printoptions() == torch._tensor_str.get_printoptions()
    for case in SMALL_CASES[::3]:
        assert printed(case) == repr(case), label(case)


@pytest.mark.parametrize(
    "case",
    [
        seeded(9),
        seeded(2, 7).double(),
        seeded(2, 2, 3).requires_grad_(),
        seeded(4).double().requires_grad_() * 2,
        torch.arange(60),
        torch.arange(60).reshape(3, 20) > 9,
        torch.empty(0, 3, dtype=torch.float64, requires_grad=True),
        torch.empty(2, 3, dtype=torch.float64, device="meta", requires_grad=True),
        torch.tensor(1.5, dtype=torch.float64, requires_grad=True),
    ],
    ids=label,
)
def test_every_linewidth_breaks_lines_where_torch_does(both_options, case):
    for linewidth in range(1, 110):
        both_options(linewidth=linewidth)
        assert printed(case) == repr(case), linewidth


@pytest.mark.parametrize("case", SMALL_CASES[::7], ids=label)
def test_dtype_is_shown_unless_it_is_the_default_dtype(case):
    torch.set_default_dtype(torch.float64)
    try:
        assert printed(case) == repr(case)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_subclass_prints_its_own_name():
    class Picture(Tensor):
        pass

    theirs = seeded(3, 9)
    their_class = type("Picture", (torch.Tensor,), {})
    assert ours.tensor_repr(Picture(theirs)) == repr(theirs.as_subclass(their_class))


def test_a_parameter_prints_as_a_tensor():
    parameter = torch.nn.Parameter(seeded(2, 3))
    our_class = type("Parameter", (Tensor,), {})
    text = "Parameter containing:\n" + ours.tensor_repr(our_class(parameter))
    assert text == repr(parameter)


def test_a_view_with_an_overwritten_base_prints_an_invalid_grad_fn():
    base = torch.ones(3, 2, requires_grad=True) * 1
    view = base.split(1, 1)[0]
    base.mul_(2)
    with pytest.raises(RuntimeError):
        _ = view.grad_fn
    assert printed(view) == repr(view)


def test_a_device_other_than_cpu_is_named():
    on_gpu = Tensor(torch.ones(2, dtype=torch.float64))
    on_gpu.device = torch.device("cuda:0")
    text = ours.tensor_repr(on_gpu)
    assert text == "tensor([1., 1.], device='cuda:0', dtype=torch.float64)"


def test_an_array_of_negative_strides_prints_like_its_copy():
    fake = Tensor(torch.arange(6.0).reshape(2, 3))
    values = fake.array[::-1, ::-1]
    fake._theirs = types.SimpleNamespace(detach=lambda: types.SimpleNamespace(numpy=lambda: values), grad_fn=None)
    assert ours.tensor_repr(fake) == repr(torch.tensor(values.copy()))


def test_only_the_corners_of_a_large_tensor_are_read(monkeypatch):
    seen = []
    real = ours._python_numbers
    monkeypatch.setattr(ours, "_python_numbers", lambda a: seen.append(a.size) or real(a))
    large = torch.zeros(1000, 1000)
    large[500, 500] = 1e9
    assert printed(large) == repr(large)
    assert seen == [36]


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "a"},
        {"precision": -1},
        {"precision": 2.5},
        {"threshold": "a"},
        {"edgeitems": "a", "threshold": 3},
        {"edgeitems": 1.5, "threshold": 3},
        {"linewidth": "a"},
        {"linewidth": inf},
    ],
    ids=str,
)
def test_an_unusable_option_is_accepted_and_raises_when_printing(both_options, options):
    case = seeded(9)
    both_options(**options)
    with pytest.raises((TypeError, ValueError, OverflowError)) as theirs:
        repr(case)
    # torch's frames hold a guard that turns its functorch off for as long as the error lives
    traceback.clear_frames(theirs.tb)
    with pytest.raises(theirs.type) as mine:
        printed(case)
    assert str(mine.value) == str(theirs.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda module: module.set_printoptions(foo=1),
        lambda module: module.set_printoptions(1, 2, 3, 4, None, True, 7),
        lambda module: module.printoptions(4),
        lambda module: module.printoptions(foo=1).__enter__(),
    ],
)
def test_an_unknown_option_is_refused_in_torchs_words(call):
    with pytest.raises(TypeError) as theirs:
        call(torch._tensor_str)
    with pytest.raises(TypeError) as mine:
        call(ours)
    assert str(mine.value) == str(theirs.value)


def test_options_accumulate_as_in_torch(both_options):
    for options in (
        {"precision": 2, "sci_mode": True},
        {"linewidth": 44},
        {"profile": "full", "edgeitems": 5},
        {"threshold": 7, "sci_mode": False},
        {"profile": []},
        {"profile": "short"},
    ):
        both_options(**options)
        assert ours.get_printoptions() == torch._tensor_str.get_printoptions()


def test_printoptions_puts_everything_back_after_an_error(both_options):
    both_options(precision=7, sci_mode=True)
    before = ours.get_printoptions()
    with pytest.raises(KeyError), ours.printoptions(profile="full", linewidth=9):
        assert ours.get_printoptions()["sci_mode"] is None
        raise KeyError
    assert ours.get_printoptions() == before


HARD_NUMBERS = [
    sign * number
    for number in (0.0, nan, inf, 5e-324, 1e-45, 1e-40, 6e-8, 1e-4, 9.9999e-5, 0.99995, 999.5)
    + (1000.0, 1001.0, 99999.5, 65504.0, 1e8, 1e8 + 8, 16777217.0, 3.4e38, 1.7e308)
    for sign in (1, -1)
]
NUMBERS = st.one_of(
    st.sampled_from(HARD_NUMBERS),
    st.floats(width=32),
    st.floats(-100, 100, width=16),
    st.floats(-1e4, 1e4),
    st.integers(-2000, 2000).map(float),
    st.integers(-(2**60), 2**60).map(float),
    st.integers(-12, 12).map(lambda power: 10.0**power),
)


@st.composite
def float_tensors(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    some = draw(st.lists(NUMBERS, min_size=1, max_size=12))
    values = list(itertools.islice(itertools.cycle(some), math.prod(shape)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.float16]))
    tensor = torch.tensor(values, dtype=torch.float64).reshape(shape).to(dtype)
    return tensor.permute(draw(st.permutations(range(tensor.ndim))))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 9),
        "threshold": st.integers(0, 60),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.integers(5, 100),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(float_tensors(), OPTIONS)
def test_any_float_tensor_prints_as_in_torch_under_any_options(case, options):
    with torch._tensor_str.printoptions(**options), ours.printoptions(**options):
        assert printed(case) == repr(case)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    hnp.arrays(
        st.sampled_from([np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    OPTIONS,
)
def test_any_integer_tensor_prints_as_in_torch_under_any_options(values, options):
    case = torch.from_numpy(values)
    with torch._tensor_str.printoptions(**options), ours.printoptions(**options):
        assert printed(case) == repr(case)
