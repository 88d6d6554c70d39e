"""What conversions do to parameters: torch.__future__, torch.utils.swap_tensors, lazy modules; in both libraries."""

import importlib
import warnings
import weakref

import pytest
import torch
import torch.utils
from module_compare import outcome, same

import minitorch


@pytest.fixture
def conversions():
    """Sets how conversions treat parameters, in both libraries, until the test is over."""
    libraries = [importlib.import_module(f"{lib.__name__}.__future__") for lib in (minitorch, torch)]

    def choose(kind, value):
        for future in libraries:
            getattr(future, f"set_{kind}_module_params_on_conversion")(value)
            assert getattr(future, f"get_{kind}_module_params_on_conversion")() is value

    yield choose
    for kind in ("overwrite", "swap"):
        choose(kind, False)


CONVERSIONS = [
    lambda layer, state: layer.double(),
    lambda layer, state: layer.to("meta"),
    lambda layer, state: layer.to("meta").to_empty(device="cpu"),
    lambda layer, state: layer.load_state_dict(state),
    lambda layer, state: layer.load_state_dict(state, assign=True),
]


@pytest.mark.parametrize("kind", [None, "overwrite", "swap"])
def test_conversions_keep_parameters_as_torch_future_says(kind, conversions):
    if kind:
        conversions(kind, True)

    def scenario(lib):
        found = []
        for convert in CONVERSIONS:
            layer, other = lib.nn.Linear(2, 1), lib.nn.Linear(2, 1).state_dict()
            weight = layer.weight
            weight.grad = lib.ones(1, 2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                convert(layer, other)
            new = layer.weight
            found.append((new is weight, str(weight.dtype), str(new.dtype), str(weight.device), str(new.device)))
            found.append(
                (new.requires_grad, type(new).__name__, new.grad is None, new.grad is not None and str(new.grad.dtype))
            )
            found.append(new.data_ptr() == other["weight"].data_ptr() != 0)
        return found

    same(scenario)


def test_swapped_tensors_have_each_others_contents():
    def scenario(lib):
        x, p = lib.zeros(2), lib.nn.Parameter(lib.ones(3))
        x.note = 5
        first, second = id(x), id(p)
        lib.utils.swap_tensors(x, p)
        (x * 2).sum().backward()
        return type(x).__name__, type(p).__name__, x.tolist(), p.tolist(), x.grad.tolist(), p.note, (id(x), id(p)) == (
            first, second,
        ), hasattr(x, "note"), p.requires_grad  # fmt: skip

    same(scenario)

    def watched(lib):
        x, y = lib.zeros(1), lib.zeros(1)
        kept = weakref.ref(y)
        return outcome(lambda: lib.utils.swap_tensors(x, y)), kept() is y

    same(watched)


def test_lazy_modules_warn_of_nothing_and_have_no_memory_to_share():
    def scenario(lib):
        return (
            outcome(lambda: lib.nn.LazyLinear(3)),
            outcome(lambda: lib.nn.LazyLinear(3).share_memory()),
            outcome(lambda: lib.nn.LazyConv2d(3, 2).weight.share_memory_()),
        )

    same(scenario)
