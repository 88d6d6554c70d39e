"""Kernels to machine code without a GPU: the cache of cubins, and what is said where the compiler is missing."""

import sys

import pytest

from minitorch._kernels.cuda import compiler
from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import Kernel

# ruff: noqa: F405 - the words of kernels


def double(n, x, out):
    i = blockIdx.x * 64 + threadIdx.x
    if i < n:
        out[i] = 2.0 * x[i]


def made():
    return Kernel(double, "i4 f4* f4*", 64)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MINITORCH_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_machine_code_is_kept_for_other_processes(folder, monkeypatch):
    pytest.importorskip("cuda.bindings.nvvm")
    first = compiler.compile(made(), "sm_90")
    assert first.code[:4] == b"\x7fELF" and first.registers and first.entry == "double"
    monkeypatch.setattr(compiler, "ptx", None)  # what is on disk needs no compiler
    assert compiler.compile(made(), "sm_90") == first


def test_damaged_machine_code_is_made_anew(folder, monkeypatch):
    pytest.importorskip("cuda.bindings.nvvm")
    monkeypatch.setattr(compiler.cache, "_warned", False)
    first = compiler.compile(made(), "sm_90")
    (file,) = folder.glob("*.cubin")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="is damaged"):
        assert compiler.compile(made(), "sm_90").registers == first.registers


def test_a_missing_compiler_is_named_with_the_remedy(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(ImportError, match=r'pip install "minitorch-engine\[cuda\]"'):
        compiler.compile(made(), "sm_90")


def returns_early(x):
    if x[0] > 0.0:
        return x[0]
    x[0] = 1.0
    return None


def dynamic_register(x):
    v = regs(4, fill=0.0)
    x[0] = v[threadIdx.x]


def bits_of_floats(x):
    x[0] = f4(x[0] << 1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (returns_early, "a kernel returns nothing"),
        (dynamic_register, "must be known before the kernel runs"),
        (bits_of_floats, r"use bits\(\)"),
    ],
)
def test_what_kernels_cannot_say_is_refused_with_the_line(function, message):
    with pytest.raises(SyntaxError, match=rf"{message}.*line \d+ of a kernel"):
        Kernel(function, "f4*", 32).lowered  # noqa: B018 - it is made when it is asked for
