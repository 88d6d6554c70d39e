"""Every name of `_kernels/scalar.py` works in the middle of a formula, not only as all of it."""

import importlib.util

import numpy as np
import pytest

from minitorch._kernels import scalar
from minitorch._kernels.codegen import Formula

UFUNCS = {name: f for name, f in vars(scalar).items() if isinstance(f, np.ufunc)}
OF_INTEGERS = {"gcd", "lcm", "left_shift", "right_shift"}
OPERANDS = {  # by what their functions take; only arccosh needs more than 1
    "floats": (UFUNCS.keys() - OF_INTEGERS - {"arccosh"}, np.array([0.25, 0.5, 0.75]), np.array([0.5, 0.125, -0.25])),
    "above 1": ({"arccosh"}, np.array([1.0, 1.5, 2.0]), np.ones(3)),
    "integers": (OF_INTEGERS, np.array([12, 5, 7]), np.array([3, 2, 1])),
}


@pytest.mark.parametrize("kind", OPERANDS)
def test_all_names_in_one_formula(kind, tmp_path):
    names, x, y = OPERANDS[kind]
    terms = [f"{k + 1.0} * {name}({', '.join('xy'[: UFUNCS[name].nin])})" for k, name in enumerate(sorted(names))]
    path = tmp_path / "formulas.py"
    path.write_text(f"from minitorch._kernels.scalar import *\n\n\ndef f(x, y):\n    return {' + '.join(terms)}\n")
    spec = importlib.util.spec_from_file_location("formulas", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = np.empty(3)
    Formula(module.f).flat()(x, y, found)
    wanted = sum((k + 1.0) * UFUNCS[name](*(x, y)[: UFUNCS[name].nin]) for k, name in enumerate(sorted(names)))
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(found, wanted, 1e-12)
