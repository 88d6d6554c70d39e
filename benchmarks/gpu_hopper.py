"""Hopper's instructions and the products made of them, on a real GPU: what `gemm.WGMMA_FROM` waits for.

Two kernels, each as small as it can be, tell a wrong reading of the PTX ISA from a wrong kernel: one copies a box and
shows shared memory byte by byte, one multiplies two boxes. Both must give what the emulator (`tests/simt_hopper.py`)
gives. Then the kernel of products itself is held against torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitorch._kernels.cuda import array as arrays
from minitorch._kernels.cuda import gemm, gemm_hopper, runtime
from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import Kernel

# ruff: noqa: F405 - the words of kernels

BOX = gemm_hopper.BOX
LAYOUTS = [(True, True), (True, False), (False, True), (False, False)]  # whether K is contiguous in A, in B
CASES = [(kind, *layout) for kind in ("bf16", "f16") for layout in LAYOUTS] + [("tf32", True, True)]
TOLERANCES = {"bf16": 5e-3, "f16": 1e-3, "tf32": 2e-3}  # of the largest result: one rounding, or those of the operands


def _needs_hopper() -> None:
    capability = runtime.gpu().capability
    if capability != gemm_hopper.CAPABILITY:
        raise NotImplementedError(f"wgmma is for compute capability 9.0, and this GPU has {capability}")


@contextmanager
def multiplying(on_wgmma: bool) -> Iterator[None]:
    """Within, products run on wgmma wherever it can serve them, or nowhere."""
    before = gemm.WGMMA_FROM
    gemm.WGMMA_FROM = 0 if on_wgmma else float("inf")
    try:
        yield
    finally:
        gemm.WGMMA_FROM = before


def copied(source, out):
    """A box of 64 rows from (8, 3) on, as it lies in shared memory; every thread arrives, one brings the bytes."""
    barriers = shared_array(1, u8)
    s = dynamic_shared(0, u4)
    s = advance(s, (0 - shared_address(s, 0)) % 1024 // 4)
    if threadIdx.x == 0:
        mbarrier_init(barriers, 0, 65)
        mbarrier_fence()
    syncthreads()
    if threadIdx.x == 0:
        mbarrier_expect(barriers, 0, BOX)
        copy_box(s, 0, source, 8, 3, 0, barriers, 0)
    mbarrier_arrive(barriers, 0)
    mbarrier_wait(barriers, 0, 0)
    for q in static(32):
        out[threadIdx.x * 32 + q] = s[threadIdx.x * 32 + q]


COPIED = Kernel(copied, "map u4*", 64, shared=BOX + 1024)


@functools.cache
def multiplied(kind: str, deep_a: bool, deep_b: bool) -> Kernel:
    """A kernel of one slice: 64 rows by 64 columns, each thread's sums in a row."""
    depth = gemm_hopper.depth_of(kind)
    multiply: Any = gemm_hopper.MULTIPLY[kind]
    step_a, step_b = (2 if deep else 128 for deep in (deep_a, deep_b))

    def multiplied(a, b, out):
        barriers = shared_array(1, u8)
        s = dynamic_shared(0, u1)
        s = advance(s, (0 - shared_address(s, 0)) % 1024)
        if threadIdx.x == 0:
            mbarrier_init(barriers, 0, 1)
            mbarrier_fence()
        syncthreads()
        if threadIdx.x == 0:
            mbarrier_expect(barriers, 0, 2 * BOX)
            gemm_hopper.bring(s, 0, a, 0, 0, 0, barriers, 0, 64, depth, deep_a)
            gemm_hopper.bring(s, BOX, b, 0, 0, 0, barriers, 0, 64, depth, deep_b)
        mbarrier_wait(barriers, 0, 0)
        sums = regs(32, fill=0.0)
        left = gemm_hopper.descriptor(s, 0, deep_a)
        right = gemm_hopper.descriptor(s, BOX, deep_b)
        wgmma_fence()
        for q in static(4):
            sums[:] = multiply(32, not deep_a, not deep_b, left + q * step_a, right + q * step_b, *sums[:])
        wgmma_commit()
        sums[:] = wgmma_wait(32, *sums[:])
        for q in static(32):
            out[threadIdx.x * 32 + q] = sums[q]

    return Kernel(multiplied, "map map f4*", 128, shared=2 * BOX + 1024, wgmma=True)


def _both(kernel: Kernel, kind: str, operands: list[tuple[np.ndarray, bool]], out: np.ndarray) -> tuple[Any, Any]:
    """What the GPU gives, and the emulator; operands are matrices with whether K is contiguous in them."""
    from tests import simt
    from tests.simt_hopper import TensorMap

    code, ours, theirs, kept = "tf32" if kind == "tf32" else "u2", [], [], []
    for x, deep in operands:
        (lines, length), size = x.shape, x.itemsize
        sizes, strides = (length, lines, 1), (length * size, lines * length * size)
        box = gemm_hopper.box_of(kind, deep, 64)
        kept.append(arrays.from_host(x))  # alive until the kernel has run
        ours.append(runtime.gpu().driver.tensor_map(kept[-1].pointer, code, sizes, strides, box))
        theirs.append(TensorMap(x, 0, code, sizes, strides, box))
    result, expected = arrays.from_host(out), out.copy()
    kernel.launch(1, *ours, result)
    simt.run(kernel, 1, *theirs, expected)
    return result.to_host(), expected


def _stored(kind: str, x: np.ndarray) -> np.ndarray:
    """Numbers as the bits that a kernel reads: bfloat16 is the upper half of float32."""
    if kind == "tf32":
        return x
    return x.astype(np.float16).view(np.uint16) if kind == "f16" else (x.view(np.uint32) >> 16).astype(np.uint16)


def smoke_copy(kind: str) -> Callable[[Any], Any]:
    """The bytes of a box at the edge of an array: the swizzle, zeros outside, the rounding to tf32."""

    def run(b: Any) -> dict[str, Any]:
        _needs_hopper()
        x = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
        ours, expected = _both(COPIED, kind, [(_stored(kind, x), True)], np.zeros(BOX // 4, np.uint32))
        return {"words that differ": int((ours != expected).sum()), "holds": bool((ours == expected).all())}

    return run


def smoke_wgmma(kind: str, deep_a: bool, deep_b: bool) -> Callable[[Any], Any]:
    """One slice of two operands, smaller than their boxes, in one layout."""

    def run(b: Any) -> dict[str, Any]:
        _needs_hopper()
        r = np.random.default_rng(0)
        shapes = [(56, 24) if deep else (24, 56) for deep in (deep_a, deep_b)]
        x, y = (_stored(kind, r.standard_normal(shape).astype(np.float32)) for shape in shapes)
        kernel = multiplied(kind, deep_a, deep_b)
        ours, expected = _both(kernel, kind, [(x, deep_a), (y, deep_b)], np.zeros(128 * 32, np.float32))
        error = float(np.abs(ours - expected).max() / np.abs(expected).max())
        return {"error": error, "allowed": 1e-5, "holds": error <= 1e-5}

    return run


def smoke_product(kind: str, deep_a: bool, deep_b: bool) -> Callable[[Any], Any]:
    """Products of tensors in one layout against torch's in float64, of two sizes of tiles and in batches."""

    def run(b: Any) -> dict[str, Any]:
        _needs_hopper()
        dtype = {"bf16": "bfloat16", "f16": "float16", "tf32": "float32"}[kind]
        sizes = [(1, 1104, 2056, 264), (3, 1104, 2056, 520)] if not b.dry else [(1, 16, 24, 16), (2, 16, 264, 72)]
        assert [gemm_hopper.columns_for(m, n, batch) for batch, m, n, _ in sizes] == [128, 256]
        worst, asked = 0.0, sum(gemm_hopper.wgmma.cache_info()[:2])
        for batch, m, n, k in sizes:
            r = np.random.default_rng(0)
            shapes = [(batch, m, k) if deep_a else (batch, k, m), (batch, n, k) if deep_b else (batch, k, n)]
            x, y = (r.standard_normal(shape).astype(np.float32) for shape in shapes)

            def multiply(T: Any, device: str, wide: bool, x: Any = x, y: Any = y) -> Any:
                s, t = (T.tensor(v).to(getattr(T, dtype)).to(device) for v in (x, y))
                s, t = (v.double() if wide else v for v in (s, t))
                return T.bmm(s if deep_a else s.transpose(1, 2), t.transpose(1, 2) if deep_b else t)

            b.ours.backends.cuda.matmul.allow_tf32 = kind == "tf32"
            try:
                with multiplying(True):
                    ours = multiply(b.ours, "cuda", False).float().cpu().numpy()
            finally:
                b.ours.backends.cuda.matmul.allow_tf32 = False
            theirs = multiply(b.theirs, "cpu", True).numpy()
            worst = max(worst, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        assert sum(gemm_hopper.wgmma.cache_info()[:2]) == asked + 2, "a product ran on other kernels"
        return {"error": worst, "allowed": TOLERANCES[kind], "holds": worst <= TOLERANCES[kind]}

    return run


def smoke_items() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """(name, work) of each item, the smallest first."""
    for kind in ("bf16", "tf32"):
        yield f"wgmma: copy_box of {kind}", smoke_copy(kind)
    for make, title in ((smoke_wgmma, "one slice"), (smoke_product, "product")):
        for kind, deep_a, deep_b in CASES:
            yield f"wgmma: {title} of {kind} {'nt'[not deep_a]}{'nt'[deep_b]}", make(kind, deep_a, deep_b)
