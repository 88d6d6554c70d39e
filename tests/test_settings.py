"""Settings of the whole program, torch.range and torch.testing, as torch's."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from compare import PAIR, assert_same, assert_same_outcome, first_line, outcome

import minitorch


def seen_by(call):
    """What a call gives, its error and its warnings, in minitorch and in torch."""
    results = []
    for mod in PAIR:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = outcome(call, mod)
        results.append((got, [(w.category.__name__, first_line(w.message)) for w in caught]))
    (ours, our_warnings), (theirs, their_warnings) = results
    assert our_warnings == their_warnings
    return ours, theirs


@pytest.fixture(autouse=True)
def _settings_as_before():
    yield
    for mod in PAIR:
        mod.use_deterministic_algorithms(False)
        mod.set_float32_matmul_precision("highest")
        mod.set_num_threads(1)


CALLS = [
    lambda m: m.set_num_threads(0),
    lambda m: m.set_num_threads(1.5),
    lambda m: m.set_num_threads("a"),
    lambda m: (m.set_num_threads(2), m.get_num_threads()),
    lambda m: m.set_num_interop_threads(0),
    lambda m: m.set_num_interop_threads(2.0),
    lambda m: m.set_float32_matmul_precision("foo"),
    lambda m: m.set_float32_matmul_precision(3),
    lambda m: (m.set_float32_matmul_precision("medium"), m.get_float32_matmul_precision()),
    lambda m: m.use_deterministic_algorithms(3),
    lambda m: m.use_deterministic_algorithms(True, warn_only=3),
    lambda m: (m.use_deterministic_algorithms(True), m.are_deterministic_algorithms_enabled(),
               m.is_deterministic_algorithms_warn_only_enabled(), m.get_deterministic_debug_mode()),
    lambda m: (m.use_deterministic_algorithms(True, warn_only=True), m.are_deterministic_algorithms_enabled(),
               m.is_deterministic_algorithms_warn_only_enabled(), m.get_deterministic_debug_mode()),
    lambda m: (m.set_deterministic_debug_mode("error"), m.get_deterministic_debug_mode()),
    lambda m: (m.set_deterministic_debug_mode(1), m.get_deterministic_debug_mode()),
    lambda m: m.set_deterministic_debug_mode("foo"),
    lambda m: m.set_deterministic_debug_mode(3),
    lambda m: m.set_deterministic_debug_mode(1.5),
    lambda m: m.set_warn_always(1),
    lambda m: m.is_warn_always_enabled(),
    lambda m: m.set_flush_denormal(1),
    lambda m: m.set_flush_denormal(False),
    lambda m: [m.typename(v) for v in (3, "a", [], m.ones(1), m.ones(1).long(), m.ones(1, dtype=m.bool))],
    lambda m: str(m.channels_last_3d),
    lambda m: [m.ones(2, 3, 4, 5, 6).is_contiguous(memory_format=m.channels_last_3d),
               m.ones(2, 4, 5, 6, 3).permute(0, 4, 1, 2, 3).is_contiguous(memory_format=m.channels_last_3d)],
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_settings_are_those_of_torch(call):
    assert_same_outcome(*seen_by(call))


def test_interop_threads_are_set_once():
    code = (
        "import minitorch as torch\n"
        "torch.set_num_interop_threads(2); print(torch.get_num_interop_threads())\n"
        "try: torch.set_num_interop_threads(2)\n"
        "except RuntimeError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "2"
    assert "cannot set number of interop threads" in done.stdout


def test_the_number_of_threads_comes_from_the_environment_and_reaches_blas():
    code = (
        "import minitorch as torch; from minitorch._kernels.cpu.threads import blas\n"
        "of_blas = blas('get_num_threads') or torch.get_num_threads\n"
        "print(torch.get_num_threads()); torch.set_num_threads(1); print(of_blas())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["2", "1"]


RANGES = [
    lambda m: m.range(1, 4),
    lambda m: m.range(1, 2, 0.5),
    lambda m: m.range(0, 3, dtype=m.int64),
    lambda m: m.range(3, 1),
    lambda m: m.range(1, 3, 0),
    lambda m: m.range(1, 3, -1),
    lambda m: m.range(5, 1, -1.5),
    lambda m: m.range(0, float("inf")),
    lambda m: m.range(0, 3, out=m.empty(0)),
    lambda m: m.range(0, 1, device="meta"),
    lambda m: m.range(0.5, 3.2, dtype=m.int32),
    lambda m: m.range(1, 3, dtype=m.float64, requires_grad=True),
    lambda m: m.range(1, 3, dtype=m.bool),
    lambda m: m.range(start=0, end=4, step=2),
]


@pytest.mark.parametrize("call", RANGES)
def test_range_is_that_of_torch(call):
    assert_same_outcome(*seen_by(call))


# ---------------------------------------------------------------------- torch.testing
def pairs(m):
    """Values to compare: (actual, expected, options)."""
    t, nan, inf = m.tensor, float("nan"), float("inf")
    return [
        (t([1.0, 2.0]), t([1.0]), {}),
        (t([1.0, 2.0]), t([1.0, 3.0]), {}),
        (t([1.0, 2.0]), t([1.0, 2.000001]), {}),
        (t([1.0, 2.0]), t([1.0, 2.1]), {"rtol": 0.1, "atol": 0}),
        (1.0, 2.0, {}),
        (1.0, 1.0 + 1e-9, {}),
        (1, 2, {}),
        (0.5, 0, {"check_dtype": False}),
        (nan, nan, {}),
        (nan, nan, {"equal_nan": True}),
        (inf, inf, {}),
        (inf, 1.0, {}),
        (t(1.0), t(2.0), {}),
        (t([1.0]), t([1.0], dtype=m.float64), {}),
        (t([1.0]), t([2.0], dtype=m.float64), {"check_dtype": False}),
        (t([1, 2, 3]), t([1, 3, 3]), {}),
        (t([1, 2, 3]), t([1, 3, 3]), {"rtol": 0.5, "atol": 0}),
        (t([True, False]), t([True, True]), {}),
        (t([nan]), t([nan]), {}),
        (t([nan, 1.0]), t([nan, 1.0]), {"equal_nan": True}),
        (t([inf, 1.0]), t([1.0, 1.0]), {}),
        (m.zeros(3, 4), m.eye(3, 4), {}),
        (m.zeros(0), m.zeros(0), {}),
        (t([1.0]).half(), t([1.1]).half(), {}),
        (t([1.0]).bfloat16(), t([1.1]).bfloat16(), {}),
        ([t([1.0])], [t([1.0]), t([2.0])], {}),
        ([t([1.0]), t([2.0])], (t([1.0]), t([3.0])), {}),
        ([1, 2, 3], [1, 2, 4], {}),
        ({"a": t([1.0])}, {"b": t([1.0])}, {}),
        ({"a": 1}, {"a": 1, "b": 2}, {}),
        ({"a": t([1.0]), "b": [t([2.0])]}, {"a": t([1.0]), "b": [t([5.0])]}, {}),
        (1.0, t(1.0), {}),
        ("a", "b", {}),
        ("a", 1, {}),
        (None, None, {}),
        (None, 1.0, {}),
        (True, False, {}),
        (1, 1.0, {}),
        (m.ones(2, 3).t(), m.ones(3, 2), {"check_stride": True}),
        (m.ones(2, 3).t(), m.ones(3, 2), {}),
        (t([1.0]), t([1.0]), {"rtol": 1e-3}),
        (t([1.0]), t([1.0]), {"atol": 1e-3}),
        (t([1.0]), t([2.0]), {"msg": "words"}),
        (t([1.0]), t([2.0]), {"msg": lambda text: "my " + text}),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), {}),
        (np.array([1.0, 2.0]), t([1.0, 3.0]), {}),
        (m.nn.Parameter(t([1.0])), t([1.0]), {}),
        (m.nn.Parameter(t([1.0])), t([1.0]), {"allow_subclasses": False}),
        (m.ones(2, device="meta"), m.ones(2), {}),
    ]


@pytest.mark.parametrize("number", range(len(pairs(minitorch))))
def test_assert_close_says_what_torch_says(number):
    texts = []
    for mod in PAIR:
        actual, expected, options = pairs(mod)[number]
        error = outcome(mod.testing.assert_close, actual, expected, **options).error
        texts.append(
            (type(error).__name__, str(error).replace("minitorch._tensor", "torch").replace("minitorch", "torch"))
        )
    assert texts[0] == texts[1]


MADE = [
    {"dtype": "float32"}, {"dtype": "float64", "low": 0, "high": 1}, {"dtype": "int64"}, {"dtype": "bool"},
    {"dtype": "uint8", "low": -5, "high": 300}, {"dtype": "float32", "noncontiguous": True},
    {"dtype": "int32", "low": 0, "high": 2, "exclude_zero": True}, {"dtype": "float32", "requires_grad": True},
    {"dtype": "float32", "low": 0, "high": 0, "exclude_zero": True}, {"dtype": "float32", "low": 3, "high": 1},
    {"dtype": "uint8", "low": 300, "high": 400}, {"dtype": "int64", "requires_grad": True},
    {"dtype": "float32", "low": float("nan")},
]  # fmt: skip


@pytest.mark.parametrize("options", MADE)
def test_made_tensors_are_those_of_torch(options):
    def call(mod):
        mod.manual_seed(3)
        return mod.testing.make_tensor(3, 4, device="cpu", **{**options, "dtype": getattr(mod, options["dtype"])})

    ours, theirs = seen_by(call)
    assert_same_outcome(ours, theirs)
    if theirs.error is None:
        assert_same(ours.value, theirs.value, check_strides=True)
        assert ours.value.requires_grad == theirs.value.requires_grad
