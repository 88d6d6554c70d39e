"""Every CUDA kernel as machine code for sm_90: no spills, no local memory, no float64 among float32, what it claims."""

import importlib
import pkgutil

import numpy as np
import pytest
from sass import disassembler, faults

from minitorch._kernels import cuda
from minitorch._kernels.cuda import pointwise
from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import KERNELS, Kernel
from minitorch._ops.op import OPS

# ruff: noqa: F405 - the words of kernels


def float32_kernel(formula):
    """The kernel of a pointwise formula over arrays of float32."""
    how = (pointwise.Operand(np.dtype(np.float32), "each"),) * len(formula.arrays)
    return pointwise.flat(formula, how, np.dtype(np.float32))[0]


FORMULAS = (
    "bessel_j0", "bessel_y1", "chebyshev_polynomial_t", "hermite_polynomial_h", "igamma", "igammac",
    "laguerre_polynomial_l", "legendre_polynomial_p", "modified_bessel_i1", "modified_bessel_k0",
    "scaled_modified_bessel_k1", "spherical_bessel_j0",
)  # fmt: skip


def every_kernel():
    """What makes each kernel: those that modules of `_kernels/cuda` define, and what they list of generated ones."""
    makers = {}
    for module in pkgutil.iter_modules(cuda.__path__):
        if module.name not in ("launcher", "intrinsics", "emit"):  # no kernels, and LLVM or Numba at import
            found = importlib.import_module(f"{cuda.__name__}.{module.name}")
            listed = getattr(found, "REPRESENTATIVE", {})
            makers.update({f"{module.name}: {name}": make for name, make in listed.items()})
    for name in ("digamma", "polygamma_of_order", "zeta", "i0e", "i1e"):
        op = OPS[name]
        for formula in (op.formula, *[g.formula for g in op.gradients.values() if name != "digamma"]):
            makers[f"special functions: {formula.name}"] = lambda f=formula: float32_kernel(f)
    for name in FORMULAS:
        makers[f"special functions: {name}"] = lambda f=OPS[name].formula: float32_kernel(f)
    defined = {name: lambda k=k: k for name, k in KERNELS.items() if name.startswith(cuda.__name__)}
    return {**makers, **defined}


ALL = every_kernel()
SAMPLE = [
    "gemm_kernels: ffma ('f4', True, True, True, 128)",
    "gemm_kernels: mma ('tf32x3', True, True, True, 128)",
    "gemm_kernels: mma ('bf16', False, False, True, 128)",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_kernels_compiles_to_what_it_claims(name):
    disassembler()
    assert not faults(ALL[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_kernel_compiles_to_what_it_claims(name):
    disassembler()
    assert not faults(ALL[name]())


def spilling(n, x, y):
    values = regs(96)
    for k in static(96):
        values[k] = x[threadIdx.x * n + k]
    for _ in range(n):
        for k in static(96):
            values[k] = values[k] * values[(k * 7 + 1) % 96] + values[(k + 5) % 96]
    for k in static(96):
        y[threadIdx.x * 96 + k] = values[k]


def widening(x, y):
    y[threadIdx.x] = f4(f8(x[threadIdx.x]) * 1.1)


FAULTS = {
    "spills": (Kernel(spilling, "i4 f4* f4*", 1024), "spills"),
    "float64": (Kernel(widening, "f4* f4*", 32), "float64"),
    "scalar loads": (Kernel(widening, "f4* f4*", 32, vector=True), "128-bit"),
    "no tensor cores": (Kernel(widening, "f4* f4*", 32, tensor_cores=True), "tensor cores"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found(name):
    disassembler()
    kernel, message = FAULTS[name]
    assert any(message in fault for fault in faults(kernel))
