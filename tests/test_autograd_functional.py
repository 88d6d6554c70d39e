"""autograd.functional: values, structures, graphs and errors against torch's."""

import opinfo
import pytest
import torch

import minitorch

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # of torch's own
BOTH = pytest.mark.parametrize("ns", [torch, minitorch], ids=["torch", "minitorch"])


def vector(ns):
    return ns.tensor([0.5, -1.5, 2.0], dtype=ns.float64)


def poly(x):
    return (x**3).sum()


def two(x, y):
    return (x.sin() * y * y).sum()


def mixed(x, y):
    return x * y.sum(), x[:2].exp()


CALLS = {
    "jacobian": lambda ns, f, x, k: f.jacobian(lambda x: x.cumsum(0) * x, x, **k),
    "jacobian of two": lambda ns, f, x, k: f.jacobian(lambda x, y: x.outer(y), (x, x[:2]), **k),
    "jacobian of tuples": lambda ns, f, x, k: f.jacobian(mixed, (x, x + 1), **k),
    "jacobian of a tuple of one": lambda ns, f, x, k: f.jacobian(lambda x: (x * 2,), (x,), **k),
    "jacobian of a scalar": lambda ns, f, x, k: f.jacobian(poly, x, **k),
    "jacobian of what depends on one": lambda ns, f, x, k: f.jacobian(lambda x, y: x * 2, (x, x), **k),
    "hessian": lambda ns, f, x, k: f.hessian(poly, x, **k),
    "hessian of two": lambda ns, f, x, k: f.hessian(two, (x, x + 1), **k),
    "hessian of a tuple of one": lambda ns, f, x, k: f.hessian(poly, (x,), **k),
    "hessian of one element": lambda ns, f, x, k: f.hessian(lambda x: (x**3).sum()[None], x, **k),
    "vjp": lambda ns, f, x, k: f.vjp(lambda x: x.sin() * x, x, x, **k),
    "vjp without v": lambda ns, f, x, k: f.vjp(poly, x, **k),
    "vjp of tuples": lambda ns, f, x, k: f.vjp(mixed, (x, x + 1), (x, x[:2]), **k),
    "jvp": lambda ns, f, x, k: f.jvp(lambda x: x.sin() * x, x, x, **k),
    "jvp without v": lambda ns, f, x, k: f.jvp(lambda x: x * ns.ones(2), x[:1], **k),
    "jvp of tuples": lambda ns, f, x, k: f.jvp(mixed, (x, x + 1), (x, -x), **k),
    "vhp": lambda ns, f, x, k: f.vhp(poly, x, x, **k),
    "vhp of two": lambda ns, f, x, k: f.vhp(two, (x, x + 1), (x, -x), **k),
    "vhp without v": lambda ns, f, x, k: f.vhp(poly, x[:1], **k),
    "hvp": lambda ns, f, x, k: f.hvp(poly, x, x, **k),
    "hvp of two": lambda ns, f, x, k: f.hvp(two, (x, x + 1), (x, -x), **k),
    "hvp of a linear function": lambda ns, f, x, k: f.hvp(lambda x: x.sum() * 2, x, x, **k),
}  # fmt: skip
OPTIONS = {
    "plain": {},
    "create_graph": {"create_graph": True},
    "strict": {"strict": True},
    "vectorize": {"vectorize": True},
    "forward": {"vectorize": True, "strategy": "forward-mode"},
}


def options(case, k):
    if case.startswith("hessian") and "strategy" in k:
        return {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}
    return k


ROWS = [
    (case, name)
    for case in CALLS
    for name in OPTIONS
    if case.startswith(("jacobian", "hessian")) or name not in ("vectorize", "forward")
]


def outcome(ns, case, name):
    k = OPTIONS[name]
    x = vector(ns).requires_grad_("create_graph" in k)
    try:
        found = CALLS[case](ns, ns.autograd.functional, x, options(case, k))
    except RuntimeError as e:  # in strict mode
        return str(e)
    graph = name != "forward" or case.startswith("jacobian")  # there torch leaves one on the Hessian
    return [(t.detach(), graph and t.requires_grad) for t in opinfo.leaves(found, ns.Tensor)], structure(found)


def structure(value):
    return [structure(v) for v in value] if isinstance(value, (tuple, list)) else None


@pytest.mark.parametrize(("case", "name"), ROWS)
def test_call_is_torchs(case, name):
    theirs, mine = outcome(torch, case, name), outcome(minitorch, case, name)
    if isinstance(theirs, str):
        assert mine == theirs
        return
    assert mine[1] == theirs[1]
    opinfo.assert_same(mine[0], theirs[0])


@BOTH
@pytest.mark.parametrize("name", ["jacobian", "hessian"])
def test_matrix_can_be_differentiated(ns, name):
    x = vector(ns).requires_grad_()
    f = ns.autograd.functional
    if name == "jacobian":
        out = f.jacobian(lambda x: x**3, x, create_graph=True)
        expected = 6 * x
    else:
        out = f.hessian(poly, x, create_graph=True)
        expected = ns.full((3,), 6.0, dtype=ns.float64)
    (g,) = ns.autograd.grad(out.sum(), x)
    assert g.tolist() == expected.tolist()


@BOTH
def test_nothing_is_left_in_grad(ns):
    x = vector(ns).requires_grad_()
    ns.autograd.functional.jacobian(ns.sin, x)
    ns.autograd.functional.hvp(poly, x, x.detach())
    assert x.grad is None


@BOTH
def test_products_agree_within_no_grad(ns):
    x = vector(ns)
    with ns.no_grad():
        assert ns.autograd.functional.vhp(poly, x, x)[1].tolist() == (6 * x * x).tolist()


ERRORS = {
    "inputs of a number": lambda ns, f, x: f.jacobian(poly, 1.0),
    "inputs of a tuple with a number": lambda ns, f, x: f.vjp(poly, (x, 1.0)),
    "inputs of a list": lambda ns, f, x: f.hessian(poly, [x]),
    "output of a number": lambda ns, f, x: f.jacobian(lambda x: 1.0, x),
    "output of a tuple with a number": lambda ns, f, x: f.vjp(lambda x: (x, 1.0), x),
    "strategy": lambda ns, f, x: f.jacobian(poly, x, strategy="sideways"),
    "outer strategy": lambda ns, f, x: f.hessian(poly, x, outer_jacobian_strategy="sideways"),
    "forward and create_graph": lambda ns, f, x: f.jacobian(poly, x, create_graph=True, strategy="forward-mode"),
    "forward and strict": lambda ns, f, x: f.jacobian(poly, x, strict=True, strategy="forward-mode"),
    "forward, not vectorised": lambda ns, f, x: f.jacobian(poly, x, strategy="forward-mode"),
    "outer forward, not vectorised": lambda ns, f, x: f.hessian(poly, x, outer_jacobian_strategy="forward-mode"),
    "strict and vectorize": lambda ns, f, x: f.jacobian(poly, x, strict=True, vectorize=True),
    "hessian of a vector": lambda ns, f, x: f.hessian(lambda x: x * 2, x),
    "hessian of a tuple": lambda ns, f, x: f.hessian(lambda x: (x.sum(),), x),
    "vhp of a vector": lambda ns, f, x: f.vhp(lambda x: x * 2, x, x),
    "hvp of a tuple": lambda ns, f, x: f.hvp(lambda x: (x.sum(),), x, x),
    "v missing": lambda ns, f, x: f.vjp(lambda x: x * 2, x),
    "v missing, of jvp": lambda ns, f, x: f.jvp(lambda x: x * 2, x),
    "v missing, of vhp": lambda ns, f, x: f.vhp(poly, x),
    "v of another shape": lambda ns, f, x: f.vjp(lambda x: x * 2, x, x[:2]),
    "v of another length": lambda ns, f, x: f.vjp(mixed, (x, x), (x,)),
    "v of two for one": lambda ns, f, x: f.jvp(lambda x: x * 2, x, (x, x)),
    "v of a number": lambda ns, f, x: f.hvp(poly, x, 1.0),
    "v of another shape in a tuple": lambda ns, f, x: f.jvp(mixed, (x, x), (x, x[:1])),
    "strict, no graph": lambda ns, f, x: f.jacobian(lambda x: x.detach() * 2, x, strict=True),
    "strict, unused": lambda ns, f, x: f.jacobian(lambda x, y: x * 2, (x, x), strict=True),
    "strict, unused in vjp": lambda ns, f, x: f.vjp(lambda x, y: x.sum(), (x, x), strict=True),
    "strict, unused in jvp": lambda ns, f, x: f.jvp(lambda x, y: x.sum(), (x, x), (x, x), strict=True),
    "strict, linear, with graph": lambda ns, f, x: f.jacobian(lambda x: x * 2, x, create_graph=True, strict=True),
    "strict, linear": lambda ns, f, x: f.hessian(lambda x: x.sum(), x, strict=True),
    "strict, linear, vhp": lambda ns, f, x: f.vhp(lambda x: x.sum(), x, x, strict=True),
    "strict, linear, hvp": lambda ns, f, x: f.hvp(lambda x: x.sum(), x, x, strict=True),
    "strict, second unused": lambda ns, f, x: f.vhp(lambda x, y: poly(x), (x, x), (x, x), strict=True),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_torchs(case):
    raised = []
    for ns in (torch, minitorch):
        with pytest.raises(Exception) as e:
            ERRORS[case](ns, ns.autograd.functional, vector(ns))
        raised.append((e.type.__name__, str(e.value).split("\n")[0].replace("minitorch", "torch")))
    assert raised[0] == raised[1]
