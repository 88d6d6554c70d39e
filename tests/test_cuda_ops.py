"""Every row of the table of ops on a GPU's tensors, with the CPU's kernels in place of the GPU's.

What is shown here is all that lies around kernels: that arguments, views, gradients and errors do not take a tensor on
a GPU for one on the CPU.
"""

import numpy as np
import pytest
from compare import EverySample, array_of, assert_close
from emulated_gpu import emulated
from host_kernels import host_kernels
from optable import CASES
from test_ops import in_dtype, parametrize

import minitorch


@pytest.fixture(autouse=True)
def gpu():
    with emulated() as device, host_kernels():
        yield device


def computed(case, arrays, call, device, requires_grad):
    """What a row's op and its gradients are on a device; of a call that is refused, the error."""
    minitorch.manual_seed(0)
    tensors = [minitorch.tensor(a, device=device, requires_grad=requires_grad) for a in arrays]
    try:
        value = case.call(minitorch, tensors, in_dtype(minitorch, call))
    except Exception as error:
        return type(error), str(error)
    outputs = [t for t in (value if isinstance(value, (tuple, list)) else [value]) if isinstance(t, minitorch.Tensor)]
    for t in outputs:
        assert t.device == minitorch.device(device), f"a result on {t.device}"
    result = [t.detach().cpu() for t in outputs]
    outputs = [t for t in outputs if t.requires_grad]
    if requires_grad and outputs:
        ones = [minitorch.ones_like(t) for t in outputs]
        grads = minitorch.autograd.grad(outputs, tensors, ones, allow_unused=True)
        result += [g if g is None else g.cpu() for g in grads]
    return result if outputs or result else value


def agree(ours, theirs):
    """The same results, but for sums in another order."""
    if not isinstance(ours, list) or not isinstance(theirs, list):
        assert ours == theirs
        return
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype is b.dtype
            assert_close(array_of(a), array_of(b), None)


@parametrize(CASES[::5])
def test_ops_on_a_gpu_are_those_on_the_cpu(case, rng):
    compare(case, rng)


@pytest.mark.slow
@parametrize([c for i, c in enumerate(CASES) if i % 5])
def test_the_other_ops_on_a_gpu_are_those_on_the_cpu(case, rng):
    compare(case, rng)


def compare(case, rng):
    """Every small sample of a row on both devices."""
    with EverySample() as sample:
        for dtype in case.dtypes:
            gradient = case.gradient and dtype == "float32"
            for shapes, call in case.samples():
                if max(map(np.prod, shapes), default=0) > 100:
                    continue
                arrays = case.arrays(shapes, dtype, rng)
                with sample(case, dtype, shapes, call):
                    agree(
                        computed(case, arrays, call, "cuda:0", gradient), computed(case, arrays, call, "cpu", gradient)
                    )
