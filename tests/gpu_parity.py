"""Rows of the tests' table of ops, ours on a GPU against torch's: what `benchmarks/gpu.py` asks of a real one."""

import numpy as np
from compare import assert_same_outcome, outcome
from optable import CASES
from test_ops import in_dtype

import minitorch

SMALL = 24  # elements of an input, on an emulated GPU


def rows(dry):
    """(name, case); on an emulated GPU one in twenty."""
    names = [c.name for c in CASES]
    named = [(c.name if names.count(c.name) == 1 else f"{c.name} {i}", c) for i, c in enumerate(CASES)]
    return named[::20] if dry else named


def compare_case(bench, case):
    """Every sample of a row, values and gradients, in float32 and integers; what differs, and what is missing."""
    import torch

    rng, counts, wrong = np.random.default_rng(0), {"same": 0, "missing": 0}, []
    for dtype in [d for d in case.dtypes if d in ("float32", "int64", "bool")]:
        for shapes, call in case.samples():
            if bench.dry and max(map(np.prod, shapes), default=0) > SMALL:
                continue
            arrays = case.arrays(shapes, dtype, rng)
            ours = outcome(_computed, minitorch, case, arrays, call, "cuda")
            if isinstance(ours.error, NotImplementedError) and "not implemented for device" in str(ours.error):
                counts["missing"] += 1
                continue
            theirs = outcome(_computed, torch, case, arrays, call, bench.devices[torch])
            try:
                if ours.error is None or theirs.error is None:
                    assert_same_outcome(ours, theirs, 1e-4)
                counts["same"] += 1
            except Exception as error:
                wrong.append(f"{dtype} {shapes} {call}: {str(error).strip().splitlines()[0]}")
            if bench.dry:
                break
    return {**counts, "wrong": wrong[:20], "holds": not wrong}


def _computed(ns, case, arrays, call, device):
    """The result and the inputs' gradients, brought to the CPU."""
    tensors = [ns.tensor(a, device=device) for a in arrays]
    tracked = case.gradient and tensors and all(t.dtype.is_floating_point for t in tensors)
    tensors = [t.requires_grad_() for t in tensors] if tracked else tensors
    value = case.call(ns, tensors, in_dtype(ns, call))
    outputs = [t for t in (value if isinstance(value, (tuple, list)) else [value]) if isinstance(t, ns.Tensor)]
    grads = [t for t in outputs if t.requires_grad]
    found = ns.autograd.grad(grads, tensors, [ns.ones_like(t) for t in grads], allow_unused=True) if grads else ()
    return [t.detach().cpu() for t in outputs], [g if g is None else g.cpu() for g in found]
