"""Every class of PyTorch's own module database: printing, initial numbers, outputs, gradients, copies, errors."""

import copy
import io
import itertools
import pickle
import warnings

import numpy as np
import pytest
import torch
from compare import EverySample, assert_same_error, outcome
from opinfo import converted
from torch.testing._internal.common_modules import FunctionInput, module_db

import minitorch

INFOS = {info.module_cls.__name__: info for info in module_db}
# outputs that depend on random numbers in another way than torch draws them
RANDOM = {"FractionalMaxPool2d", "FractionalMaxPool3d"}
# what the database lacks: arguments and input shapes
MORE = {
    "AlphaDropout": ((), [(4, 5)]),
    "ChannelShuffle": ((2,), [(1, 4, 2, 2)]),
    "CosineSimilarity": ((), [(4, 5), (4, 5)]),
    "Dropout": ((0.5,), [(8, 8)]),
    "Dropout1d": ((0.5,), [(8, 8, 3)]),
    "Dropout2d": ((0.3,), [(4, 3, 5, 5)]),
    "Dropout3d": ((0.3,), [(4, 3, 2, 2, 2)]),
    "Flatten": ((), [(2, 3, 4)]),
    "Fold": (((4, 4), 2), [(1, 8, 9)]),
    "Identity": ((), [(3, 4)]),
    "LPPool1d": ((2, 3), [(1, 3, 7)]),
    "PairwiseDistance": ((), [(4, 5), (4, 5)]),
    "PixelShuffle": ((2,), [(1, 4, 3, 3)]),
    "PixelUnshuffle": ((2,), [(1, 1, 4, 4)]),
    "TripletMarginLoss": ((), [(4, 5), (4, 5), (4, 5)]),
    "Unflatten": ((1, (2, 3)), [(4, 6)]),
    "Unfold": ((2,), [(1, 2, 4, 4)]),
    "Upsample": ((None, 2), [(1, 2, 3, 3)]),
    "UpsamplingBilinear2d": ((None, 2), [(1, 2, 3, 3)]),
    "UpsamplingNearest2d": ((None, 2), [(1, 2, 3, 3)]),
}
NAMES = sorted({*INFOS, *MORE})


class Input:
    """Arguments of the class and of its forward."""

    def __init__(self, constructor, forward):
        self.constructor, self.forward = constructor, forward


def inputs(name, training, limit):
    torch.manual_seed(0)
    np.random.seed(0)
    if name not in INFOS:
        args, shapes = MORE[name]
        tensors = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]
        return [Input(FunctionInput(*args), FunctionInput(*tensors))]
    info = INFOS[name]
    made = info.module_inputs_func(info, "cpu", torch.float64, requires_grad=True, training=training)
    return [Input(i.constructor_input, i.forward_input) for i in itertools.islice(made, limit)]


def ours_of(value, leaves):
    """The value with minitorch's tensors in it; those that require grad are collected."""
    if isinstance(value, torch.Tensor):
        made = converted(value)
        if value.requires_grad:
            made.requires_grad_()
            leaves.append(made)
        return made
    if isinstance(value, (tuple, list)) and type(value) in (tuple, list):
        return type(value)(ours_of(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: ours_of(v, leaves) for k, v in value.items()}
    if isinstance(value, torch.nn.Module):  # of the numbers that it has, in the class of the same name
        return minitorch.load(io.BytesIO(saved(value)), weights_only=False)
    return converted(value)


def saved(module):
    buffer = io.BytesIO()
    torch.save(module, buffer)
    return buffer.getvalue()


def theirs_of(value, leaves):
    if isinstance(value, torch.Tensor):
        made = value.detach().clone()
        if value.requires_grad:
            made.requires_grad_()
            leaves.append(made)
        return made
    if type(value) in (tuple, list):
        return type(value)(theirs_of(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: theirs_of(v, leaves) for k, v in value.items()}
    return value


def tensors_in(value):
    if hasattr(value, "grad_fn"):
        return [value]
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in tensors_in(v)]
    return []


def step(t, module, forward, convert):
    """(outputs, gradients of inputs, gradients of parameters) after backward with a fixed cotangent."""
    leaves = []
    args, kwargs = convert(list(forward.args), leaves), convert(dict(forward.kwargs), leaves)
    t.manual_seed(1)
    outputs = tensors_in(module(*args, **kwargs))
    roots = [o for o in outputs if o.requires_grad]
    total = sum((o * t.linspace(-1, 1, o.numel(), dtype=o.dtype).reshape(o.shape)).sum() for o in roots)
    if roots:
        total.backward()
    return outputs, [x.grad for x in leaves], [p.grad for p in module.parameters()]


def assert_close(ours, theirs, what):
    assert len(ours) == len(theirs), f"{len(ours)} {what}, torch {len(theirs)}"
    for a, b in zip(ours, theirs):
        a, b = (None if x is None else x.detach().numpy() for x in (a, b))
        if a is None or b is None:  # no gradient and an all-zero one are the same
            assert all(x is None or not x.any() for x in (a, b)), f"{what}: one of both is None"
            continue
        assert a.dtype == b.dtype, f"{what}: dtype"
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8, err_msg=what)


def compare(name, training, limit):
    cls = getattr(torch.nn, name)
    with EverySample() as sample, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, case in enumerate(inputs(name, training, limit)):
            with sample(name, i, "train" if training else "eval"):
                args, kwargs = case.constructor.args, case.constructor.kwargs
                torch.manual_seed(0)
                theirs = cls(*args, **kwargs).double().train(training)
                minitorch.manual_seed(0)
                made = getattr(minitorch.nn, name)(*ours_of(list(args), []), **ours_of(dict(kwargs), []))
                ours = made.double().train(training)
                assert repr(ours) == repr(theirs)
                if case.forward is None:
                    continue
                if name.startswith("Lazy"):
                    step(torch, theirs, case.forward, theirs_of)
                    step(minitorch, ours, case.forward, ours_of)
                    ours.load_state_dict({k: converted(v) for k, v in theirs.state_dict().items()})
                    theirs.zero_grad()
                    ours.zero_grad()
                check(name, ours, theirs, case)


def check(name, ours, theirs, case):
    own, expected = ours.state_dict(), theirs.state_dict()
    assert list(own) == list(expected)
    assert_close([own[k] for k in expected], list(expected.values()), "initial numbers")
    twins = [ours, copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))]
    reference = step(torch, theirs, case.forward, theirs_of)
    for twin in twins:
        found = step(minitorch, twin, case.forward, ours_of)
        if name in RANDOM:
            assert [tuple(o.shape) for o in found[0]] == [tuple(o.shape) for o in reference[0]]
            continue
        for a, b, what in zip(found, reference, ("outputs", "gradients of inputs", "gradients of parameters")):
            assert_close(a, b, what)
        after = twin.state_dict()
        assert_close([after[k] for k in expected], list(theirs.state_dict().values()), "state afterwards")


@pytest.mark.parametrize("name", NAMES)
def test_module_is_torchs(name):
    compare(name, True, 2)
    compare(name, False, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_module_is_torchs_on_every_input(name):
    compare(name, True, 60)
    compare(name, False, 60)


@pytest.mark.parametrize("name", sorted(n for n, i in INFOS.items() if i.module_error_inputs_func is not None))
def test_wrong_arguments_raise_torchs_errors(name):
    info = INFOS[name]
    with EverySample() as sample, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, wrong in enumerate(
            info.module_error_inputs_func(info, "cpu", torch.float64, requires_grad=False, training=True)
        ):
            case = wrong.module_error_input

            def run(nn, convert, case=case):
                module = getattr(nn, name)(
                    *convert(list(case.constructor_input.args), []), **convert(dict(case.constructor_input.kwargs), [])
                )
                if case.forward_input is not None:
                    forward = case.forward_input
                    module(*convert(list(forward.args), []), **convert(dict(forward.kwargs), []))

            with sample(name, i):
                ours, theirs = outcome(run, minitorch.nn, ours_of), outcome(run, torch.nn, theirs_of)
                assert_same_error(ours.error, theirs.error)
