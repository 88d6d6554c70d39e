"""torch.masked: what torch's op database (`test_opinfo.py`) has no samples of."""

import subprocess
import sys
from inspect import signature

import numpy as np
import pytest
import torch
from compare import EverySample, assert_same_outcome, both, tensor

import minitorch

REDUCTIONS = ("sum", "prod", "amax", "amin", "argmax", "argmin", "mean", "median", "norm", "var", "std", "logsumexp")
ALONG = ("cumsum", "cumprod", "softmax", "log_softmax", "softmin")
SUPPORTED = (*REDUCTIONS, *ALONG, "normalize", "logaddexp")
VALUES = [[1.5, -2.0, 0.0, 4.0], [3.0, 3.0, -1.0, 0.5], [2.0, 7.0, 1.0, -6.0]]
MASK = [[True, False, True, True], [False, False, False, False], [True, True, False, True]]


def call(ns, name, input, dim, **kwargs):
    """The function along one dimension."""
    function = getattr(ns.masked, name)
    if name == "logaddexp":
        return function(input, input, input_mask=kwargs.pop("mask"), **kwargs)
    order = (3.0,) if name in ("norm", "normalize") else ()
    return function(input, *order, dim, **kwargs)


@pytest.mark.parametrize("name", SUPPORTED)
def test_arguments_and_their_defaults_are_torchs(name):
    mine, theirs = (signature(getattr(ns.masked, name)).parameters.values() for ns in (minitorch, torch))
    assert [(p.name, p.kind, p.default) for p in mine] == [(p.name, p.kind, p.default) for p in theirs]


def test_the_names_are_torchs():
    assert sorted(minitorch.masked.__all__) == sorted(torch.masked.__all__)


@pytest.mark.parametrize("name", SUPPORTED)
def test_dtypes_and_lanes_without_elements_are_torchs(name):
    def run(ns, dtype, to, mask):
        mask = None if mask is None else tensor(ns, np.array(mask))
        return call(
            ns,
            name,
            tensor(ns, np.array(VALUES)).to(getattr(ns, dtype)),
            1,
            dtype=ns.float64 if to else None,
            mask=mask,
        )

    with EverySample() as sample:
        for dtype in ("float64", "float32", "float16", "int64", "int32", "uint8", "bool"):
            for to in (False, True):
                for mask in (None, MASK, MASK[2], [[1.0], [0.0], [2.0]]):
                    ours, theirs = both(run, dtype, to, mask)
                    with sample(f"{dtype} {to} {mask}"):
                        assert_same_outcome(ours, theirs, 2e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("name", SUPPORTED)
def test_gradients_with_lanes_without_elements_are_torchs(name):
    def run(ns):
        x = tensor(ns, np.array(VALUES) + 0.25, True)
        y = call(ns, name, x, 1, mask=tensor(ns, np.array(MASK)))
        if not y.requires_grad:
            return y
        return y, ns.autograd.grad((y * tensor(ns, np.arange(1.0, 1 + y.numel()).reshape(y.shape))).sum(), x)

    assert_same_outcome(*both(run), 1e-9)


@pytest.mark.parametrize("dim", [None, (), (0, 2), (2, -2), -1, 3, (0, 0), (0, -3)])
@pytest.mark.parametrize("name", [n for n in REDUCTIONS if not n.startswith("arg")])
def test_dimensions_are_torchs(name, dim):
    def run(ns):
        x = tensor(ns, np.arange(24.0).reshape(2, 3, 4))
        mask = tensor(ns, np.arange(24).reshape(2, 3, 4) % 5 < 3)
        order = (2.0,) if name == "norm" else ()
        return [
            getattr(ns.masked, name)(x, *order, dim, keepdim=k, mask=m) for k in (False, True) for m in (mask, None)
        ]

    assert_same_outcome(*both(run), 1e-12)


@pytest.mark.parametrize("dim", [None, -1, 1, 3])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_are_torchs(name, dim):
    def run(ns):
        x = tensor(ns, np.arange(24.0).reshape(2, 3, 4) * 5 % 7)
        mask = tensor(ns, np.arange(24).reshape(2, 3, 4) % 5 < 3)
        return [
            getattr(ns.masked, name)(x, dim, keepdim=k, dtype=ns.int32, mask=m)
            for k in (False, True)
            for m in (mask, None)
        ]

    assert_same_outcome(*both(run))


WRONG = {
    "mask of more dimensions": lambda ns, x: ns.masked.sum(x, mask=ns.ones(1, 2, 3)),
    "mask of another shape": lambda ns, x: ns.masked.sum(x, mask=ns.ones(2) > 0),
    "unbiased and correction": lambda ns, x: ns.masked.var(x, unbiased=True, correction=1),
    "mean in integers": lambda ns, x: ns.masked.mean(x, dtype=ns.int64),
    "mean of integers": lambda ns, x: ns.masked.mean(x.long()),
    "norm of integers": lambda ns, x: ns.masked.norm(x.long(), -float("inf"), mask=x > 0),
    "extreme of bools": lambda ns, x: ns.masked.amax(x > 0, mask=x > 0),
    "median of integers without one": lambda ns, x: ns.masked.median(x.long(), mask=x > 100),
    "dim of a running sum": lambda ns, x: ns.masked.cumsum(x, 2),
    "axis": lambda ns, x: ns.masked.sum(x, axis=1),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_torchs_errors(name):
    ours, theirs = both(lambda ns: WRONG[name](ns, tensor(ns, np.arange(6.0).reshape(2, 3))))
    assert theirs.error is not None
    assert_same_outcome(ours, theirs)


def test_variance_of_everything_and_of_numbers_of_degrees_of_freedom_is_torchs():
    def run(ns):
        x = tensor(ns, np.arange(12.0).reshape(3, 4), True)
        mask = tensor(ns, np.array(MASK))
        found = [ns.masked.var(x, 1, u, mask=m) for u in (True, False) for m in (None, mask)]
        found += [ns.masked.std(x, correction=c, mask=m) for c in (0, 1, 2, 7, 20) for m in (None, mask)]
        return found, ns.autograd.grad(found[3][0], x)

    assert_same_outcome(*both(run), 1e-12)


def test_masks_that_are_sparse_serve_and_sparse_inputs_are_refused_by_name():
    x = minitorch.tensor(VALUES)
    mask = minitorch.tensor(MASK)
    assert minitorch.masked.sum(x, mask=mask.float().to_sparse()).item() == minitorch.masked.sum(x, mask=mask).item()
    for name in SUPPORTED:
        with pytest.raises(NotImplementedError, match=rf"torch\.masked\.{name} .*sparse"):
            call(minitorch, name, x.to_sparse(), 1, mask=mask)


@pytest.mark.parametrize("name", ["MaskedTensor", "masked_tensor", "as_masked_tensor"])
def test_masked_tensors_are_refused_by_name(name):
    with pytest.raises(NotImplementedError, match=rf"torch\.masked\.{name} is not supported"):
        getattr(minitorch.masked, name)(minitorch.ones(2), minitorch.ones(2) > 0)
    assert minitorch.masked.is_masked_tensor(minitorch.ones(2)) is False


def test_programs_that_import_torch_masked_run(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import torch\nimport torch.masked\nfrom torch.masked import is_masked_tensor, mean\n"
        "x = torch.tensor([1.0, 2.0, 9.0])\nprint(mean(x, mask=x < 5).item(), torch.masked.amin(x).item())\n"
    )
    said = subprocess.run([sys.executable, "-m", "minitorch", str(program)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1.5", "1.0"]
