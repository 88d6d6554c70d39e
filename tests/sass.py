"""Machine code of kernels as text: which instructions there are."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from minitorch._kernels.cuda import compiler

DOUBLE = r"D(ADD|MUL|FMA|SETP|MNMX|MMA)|F2F\.F64|F2F\.F32\.F64|I2F\.F64|MUFU\.\w*64"


def disassembler():
    """NVIDIA's nvdisasm, from its package; skips the test where that or the compiler is not installed."""
    pytest.importorskip("cuda.bindings.nvvm", reason="NVVM is not installed: pip install minitorch-engine[cuda]")
    for folder in map(Path, sys.path):
        for found in (folder / "nvidia").glob("*/bin/nvdisasm"):
            return found
    pytest.skip("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")


def instructions(cubin: compiler.Cubin) -> Counter:
    """How often each instruction, with its modifiers, is in the code."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin.code)
        file.flush()
        text = subprocess.run([disassembler(), "-c", file.name], capture_output=True, text=True, check=True).stdout
    return Counter(re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", text))


def faults(kernel) -> list[str]:
    """What is wrong with a kernel's machine code: spills, float64 where there is none, claims that do not hold."""
    cubin = compiler.compile(kernel, kernel.arch((9, 0)))
    found = instructions(cubin)
    wrong = []
    if cubin.spill_bytes or cubin.local_bytes:
        wrong.append(f"{cubin.spill_bytes} bytes of spills, {cubin.local_bytes} of local memory")
    local = [name for name in found if name.startswith(("LDL", "STL"))]
    double = [name for name in found if re.match(DOUBLE, name)]
    if local:
        wrong.append(f"local memory: {local}")
    if double and not any(code.startswith("f8") for code in kernel.types):
        wrong.append(f"float64: {double}")
    if kernel.vector and not any(name.startswith(("LDG", "LDGSTS")) and ".128" in name for name in found):
        wrong.append("no 128-bit load")
    if kernel.tensor_cores and not any(name.startswith("HMMA") for name in found):
        wrong.append("no tensor cores")
    if kernel.wgmma:
        products, waits, copies = (
            sum(n for name, n in found.items() if name.startswith(start))
            for start in ("HGMMA", "WARPGROUP.DEPBAR", "UTMALDG")
        )
        if not products or not copies:
            wrong.append("no wgmma, or no bulk copies")
        if waits > products // 4:  # what the assembler does where it cannot follow the sums
            wrong.append(f"wgmma one by one: {waits} waits for {products} products")
    return wrong
