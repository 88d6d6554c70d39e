"""What a small call costs, counted in Python frames, and what compiled kernels compute in."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch
from minitorch._ops.op import OPS


def frames(function):
    """The Python functions entered by a call, once it was made from the same line before."""
    function()  # builds the op
    function()  # leaves the caller's code as that which was met last
    entered = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code.co_name != "kernel":  # machine code, which Numba shows to profilers
            entered.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return entered[1:]  # the first is `function`


# the frames that a call enters, at most; with tensors that require grad unless the call says otherwise
FRAMES = {
    "a + b": 1,
    "a * b": 1,
    "a - 1.5": 1,
    "a / b": 1,
    "-a": 1,
    "a ** 2": 2,
    "a.exp()": 1,
    "torch.relu(a)": 1,
    "a.detach()": 2,
    "plain * plain": 1,
    "plain.exp()": 1,
    "plain.add_(1)": 1,
    "a.sum()": 2,
    "a.mean()": 2,
    "a.t()": 2,
    "torch.mm(a, b)": 4,  # one of them asks whether threads share the product
    "a @ b": 10,
    "a[0]": 7,
    "a[1:]": 8,
    "a[index]": 12,
    "a.view(9)": 11,
}


def all_frames():
    """The frames of each call, and of a backward pass beyond those of its forward pass."""
    a, b = (minitorch.ones(3, 3, requires_grad=True) for _ in range(2))
    names = {"torch": minitorch, "a": a, "b": b, "plain": minitorch.ones(3, 3), "index": minitorch.tensor([0, 1])}
    found = {call: frames(eval(f"lambda: {call}", names)) for call in FRAMES}
    x = minitorch.tensor(2.0, requires_grad=True)

    def step():
        loss = x * x * x
        x.grad = None
        return loss

    found["backward"] = frames(lambda: step().backward())[len(frames(step)) :]
    return found


@pytest.fixture(scope="module")
def entered():
    """From a process of its own: a class with `__torch_function__` in another test adds a check to every call."""
    code = "import json, test_dispatch; print(json.dumps(test_dispatch.all_frames()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("call", FRAMES)
def test_frames_that_a_call_enters(call, entered):
    assert len(entered[call]) <= FRAMES[call], entered[call]


def test_backward_enters_one_frame_per_node_and_few_more(entered):
    # step, Tensor.backward, engine.backward_one, two nodes, AccumulateGrad and what it calls
    assert len(entered["backward"]) <= 10, entered["backward"]


def kernels():
    """A compiled loop of every formula that has one in the main job."""
    names = "relu sigmoid silu scaled_elu leaky_relu softplus clamp_low sign rsqrt".split()
    for name in names:
        op = OPS[name]
        yield name, op.formula
        for argument, gradient in op.gradients.items():
            yield f"{name}_grad_{argument}", gradient.formula


@pytest.mark.parametrize(("name", "formula"), list(kernels()), ids=lambda v: v if isinstance(v, str) else "")
def test_float32_kernels_compute_nothing_in_double(name, formula):
    # compiled anew: Numba shows no code of what it loads from its cache
    scope = {}
    exec(formula.source("flat").replace("cache=True", "cache=False"), scope)
    numbers = [0.5] * len(formula.scalars)
    kernel = scope["kernel"]
    arrays = [np.ones(4, np.float32) for _ in formula.arrays]
    kernel(*arrays, *numbers, np.empty(4, np.float32))
    (signature,) = kernel.signatures
    assert not doubles(kernel.inspect_llvm(signature))


def doubles(text):
    """The lines of LLVM's text that compute in double."""
    return [line for line in text.splitlines() if re.search(r"= f(add|sub|mul|div|cmp)\b.*\bdouble\b", line)]


def test_the_check_for_doubles_sees_a_planted_one():
    from numba import njit

    @njit
    def kernel(x, dest):
        for i in range(dest.size):
            dest[i] = 1.0 / (1.0 + x[i])

    kernel(np.ones(3, np.float32), np.empty(3, np.float32))
    assert doubles(kernel.inspect_llvm(kernel.signatures[0]))
