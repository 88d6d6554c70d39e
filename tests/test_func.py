"""torch.func: values, structures and errors of the transforms against torch's."""

import numpy as np
import opinfo
import pytest
import torch

import minitorch

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # of torch's own
BOTH = pytest.mark.parametrize("ns", [torch, minitorch], ids=["torch", "minitorch"])


def vector(ns, *values):
    return ns.tensor(values or (0.5, -1.5, 2.0), dtype=ns.float64)


def poly(x):
    return (x**3).sum()


def two(x, y):
    return (x.sin() * y).sum()


def outputs(x):
    return {"a": x * x, "b": [x.sum(), x[:2].exp()]}


CALLS = {
    # gradients
    "grad": lambda ns, f, x: f.grad(poly)(x),
    "grad by argument 1": lambda ns, f, x: f.grad(two, argnums=1)(x, x * 2),
    "grad by argument -1": lambda ns, f, x: f.grad(two, argnums=-1)(x, x * 2),
    "grad by both": lambda ns, f, x: f.grad(two, argnums=(0, 1))(x, x * 2),
    "grad by one in a tuple": lambda ns, f, x: f.grad(two, argnums=(1,))(x, x * 2),
    "grad with aux": lambda ns, f, x: f.grad(lambda x: (poly(x), {"y": x * 2}), has_aux=True)(x),
    "grad of a dict": lambda ns, f, x: f.grad(lambda p: (p["w"] * p["l"][0]).sum())({"w": x, "l": [x + 1]}),
    "grad with keywords": lambda ns, f, x: f.grad(lambda x, n=1: (x * n).sum())(x, n=4),
    "grad where nothing depends": lambda ns, f, x: f.grad(lambda x: ns.ones((), dtype=ns.float64))(x),
    "grad of grad": lambda ns, f, x: f.grad(f.grad(f.grad(lambda x: x**4)))(x[2]),
    "grad of a closure": lambda ns, f, x: f.grad(lambda y: f.grad(lambda z: (x * y * z * z).sum())(x).sum())(x),
    "grad through a write": lambda ns, f, x: f.grad(lambda x: x.clone().mul_(x).add_(1).sum())(x),
    "grad through detach": lambda ns, f, x: f.grad(lambda x: (x * x.detach()).sum())(x),
    "grad within no_grad": lambda ns, f, x: f.grad(lambda x: no_grad_part(ns, x))(x),
    "grad_and_value": lambda ns, f, x: f.grad_and_value(poly)(x),
    "grad_and_value with aux": lambda ns, f, x: f.grad_and_value(lambda x: (poly(x), x), has_aux=True)(x),
    "grad_and_value by both": lambda ns, f, x: f.grad_and_value(two, (1, 0))(x, x * 2),
    # vjp, jvp, linearize
    "vjp": lambda ns, f, x: pulled(f.vjp(outputs, x), {"a": x, "b": [x[0], x[:2]]}),
    "vjp of two": lambda ns, f, x: pulled(f.vjp(lambda a, b: a * b, x, x + 1), x),
    "vjp of a structure": lambda ns, f, x: pulled(f.vjp(lambda p: p["a"] * p["b"][1], {"a": x, "b": (x, x * 2)}), x),
    "vjp with aux": lambda ns, f, x: with_aux(f.vjp(lambda x: (x.cos(), [x]), x, has_aux=True), x),
    "vjp called twice": lambda ns, f, x: (lambda v: (v(x), v(x * 2)))(f.vjp(ns.sin, x)[1]),
    "jvp": lambda ns, f, x: f.jvp(outputs, (x,), (x + 1,)),
    "jvp of two": lambda ns, f, x: f.jvp(lambda a, b: a * b, (x, x + 1), (x, x)),
    "jvp with aux": lambda ns, f, x: f.jvp(lambda x: (x.cos(), [x * 2]), (x,), (x,), has_aux=True),
    "jvp of a structure": lambda ns, f, x: f.jvp(lambda p: p["a"] * p["b"], ({"a": x, "b": x},), ({"a": x, "b": -x},)),
    "jvp of a constant": lambda ns, f, x: f.jvp(lambda x: ns.ones(2), (x,), (x,)),
    "jvp of jvp": lambda ns, f, x: f.jvp(lambda y: f.jvp(lambda z: z**3 * y, (y,), (x,))[1], (x,), (x,)),
    "jvp of grad": lambda ns, f, x: f.jvp(f.grad(poly), (x,), (x,)),
    "grad of jvp": lambda ns, f, x: f.grad(lambda y: f.jvp(poly, (y,), (x,))[1])(x),
    "grad by the direction of jvp": lambda ns, f, x: f.grad(lambda v: f.jvp(f.grad(poly), (x,), (v,))[1].sum())(x),
    "linearize": lambda ns, f, x: pushed(f.linearize(lambda x: x.sin() * 2, x), x),
    "linearize of two": lambda ns, f, x: pushed(f.linearize(lambda a, b: (a * b, a), x, x + 1), x, -x),
    # Jacobians
    "jacrev": lambda ns, f, x: f.jacrev(lambda x: x.cumsum(0) * x)(x),
    "jacrev of a structure": lambda ns, f, x: f.jacrev(outputs)(x),
    "jacrev by both": lambda ns, f, x: f.jacrev(lambda a, b: a.outer(b), argnums=(0, 1))(x, x[:2]),
    "jacrev with aux": lambda ns, f, x: f.jacrev(lambda x: (x * x, x), has_aux=True)(x),
    "jacrev by chunks": lambda ns, f, x: f.jacrev(lambda x: x.outer(x), chunk_size=2)(x),
    "jacrev of a scalar": lambda ns, f, x: f.jacrev(poly)(x),
    "jacfwd": lambda ns, f, x: f.jacfwd(lambda x: x.cumsum(0) * x)(x),
    "jacfwd of a structure": lambda ns, f, x: f.jacfwd(outputs)(x),
    "jacfwd by both": lambda ns, f, x: f.jacfwd(lambda a, b: a.outer(b), argnums=(0, 1))(x, x[:2]),
    "jacfwd with aux": lambda ns, f, x: f.jacfwd(lambda x: (x * x, x), has_aux=True)(x),
    "jacfwd of a matrix": lambda ns, f, x: f.jacfwd(lambda m: m @ m)(x.outer(x)),
    "hessian": lambda ns, f, x: f.hessian(poly)(x),
    "hessian by both": lambda ns, f, x: f.hessian(two, argnums=(0, 1))(x, x * 2),
    "hessian of a vector": lambda ns, f, x: f.hessian(lambda x: x**3)(x),
    "jacfwd of jacfwd": lambda ns, f, x: f.jacfwd(f.jacfwd(lambda x: x.sin() * x.sum()))(x),
    "jacrev of jacrev": lambda ns, f, x: f.jacrev(f.jacrev(lambda x: x.sin() * x.sum()))(x),
    "jacrev of jacfwd": lambda ns, f, x: f.jacrev(f.jacfwd(lambda x: x.sin() * x.sum()))(x),
    "third derivatives": lambda ns, f, x: f.jacfwd(f.hessian(poly))(x),
    # with vmap
    "vmap of grad": lambda ns, f, x: f.vmap(f.grad(lambda v: v.sin() ** 2))(x),
    "vmap of grad by a shared input": lambda ns, f, x: f.vmap(f.grad(two), (None, 0))(x, x.outer(x)),
    "vmap of hessian": lambda ns, f, x: f.vmap(f.hessian(poly))(x.outer(x)),
    "vmap of jacfwd": lambda ns, f, x: f.vmap(f.jacfwd(ns.sin))(x.outer(x)),
    "vmap of jvp": lambda ns, f, x: f.vmap(lambda a, b: f.jvp(ns.tanh, (a,), (b,)), (0, None))(x.outer(x), x),
    "vmap of vjp": lambda ns, f, x: f.vmap(lambda a: f.vjp(ns.tanh, a)[1](a))(x.outer(x)),
    "grad of vmap": lambda ns, f, x: f.grad(lambda w: f.vmap(lambda r: (r * w).sum().exp())(x.outer(x)).sum())(x),
    "jacrev of vmap": lambda ns, f, x: f.jacrev(f.vmap(lambda r: r.sin() * 2))(x),
    "jvp of vmap": lambda ns, f, x: f.jvp(f.vmap(lambda r: r.softmax(0)), (x.outer(x),), (x.outer(x),)),
    "vmap of vmap of grad": lambda ns, f, x: f.vmap(f.vmap(f.grad(two), (0, None)), (None, 0))(x[:, None], x[:, None]),
}  # fmt: skip


def no_grad_part(ns, x):
    with ns.no_grad():
        constant = x * 10
    return (x * constant).sum()


def pulled(made, cotangents):
    output, vjp_fn = made
    return output, vjp_fn(cotangents)


def with_aux(made, cotangents):
    output, vjp_fn, aux = made
    return output, vjp_fn(cotangents), aux


def pushed(made, *tangents):
    output, jvp_fn = made
    return output, jvp_fn(*tangents)


def test_all_names_are_there():
    assert set(torch.func.__all__) - {"rearrange"} <= set(minitorch.func.__all__)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CALLS)
def test_call_is_torchs(case):
    theirs = CALLS[case](torch, torch.func, vector(torch))
    opinfo.assert_same(plain(CALLS[case](minitorch, minitorch.func, vector(minitorch))), plain(theirs))


def plain(value):
    """Dicts as lists of pairs, which `assert_same` compares in order."""
    if isinstance(value, dict):
        return [(len(k), plain(v)) for k, v in value.items()]
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


ERRORS = {
    "grad of a vector": lambda ns, f, x: f.grad(lambda x: x * 2)(x),
    "grad of a number": lambda ns, f, x: f.grad(lambda x: 2.0)(x),
    "grad by a number": lambda ns, f, x: f.grad(poly)(2.0),
    "grad by integers": lambda ns, f, x: f.grad(lambda n: n.sum())(ns.arange(3)),
    "grad by too many": lambda ns, f, x: f.grad(poly, argnums=1)(x),
    "grad by too few": lambda ns, f, x: f.grad(poly, argnums=-2)(x),
    "grad by a string": lambda ns, f, x: f.grad(poly, argnums="x")(x),
    "grad by none": lambda ns, f, x: f.grad(poly, argnums=())(x),
    "grad by the same twice": lambda ns, f, x: f.grad(two, argnums=(0, 0))(x, x),
    "grad by floats": lambda ns, f, x: f.grad(two, argnums=(0, 0.5))(x, x),
    "grad without its aux": lambda ns, f, x: f.grad(poly, has_aux=True)(x),
    "vjp of a number": lambda ns, f, x: f.vjp(lambda x: 2.0, x),
    "vjp of nothing": lambda ns, f, x: f.vjp(lambda x: (), x),
    "vjp of integers": lambda ns, f, x: f.vjp(lambda x: x > 0, x),
    "vjp without its aux": lambda ns, f, x: f.vjp(poly, x, has_aux=True),
    "cotangent of another structure": lambda ns, f, x: f.vjp(outputs, x)[1]((x, x)),
    "cotangent of another shape": lambda ns, f, x: f.vjp(ns.sin, x)[1](x[:2]),
    "jvp of no tuple": lambda ns, f, x: f.jvp(ns.sin, x, x),
    "jvp in another structure": lambda ns, f, x: f.jvp(ns.sin, (x,), (x, x)),
    "jvp in another shape": lambda ns, f, x: f.jvp(ns.sin, (x,), (x[:2],)),
    "jvp at numbers": lambda ns, f, x: f.jvp(ns.sin, (1.0,), (1.0,)),
    "jvp at nothing": lambda ns, f, x: f.jvp(lambda: x, (), ()),
    "jvp of a number": lambda ns, f, x: f.jvp(lambda x: 1.0, (x,), (x,)),
    "jvp at integers": lambda ns, f, x: f.jvp(lambda n: n, (ns.arange(3),), (ns.arange(3),)),
    "jvp of a constant, strictly": lambda ns, f, x: f.jvp(lambda x: ns.ones(1), (x,), (x,), strict=True),
    "jacrev by chunks of 0": lambda ns, f, x: f.jacrev(poly, chunk_size=0)(x),
    "jacrev of a number": lambda ns, f, x: f.jacrev(lambda x: 1.0)(x),
    "jacrev by too many": lambda ns, f, x: f.jacrev(poly, argnums=2)(x),
    "jacfwd by too many": lambda ns, f, x: f.jacfwd(poly, argnums=2)(x),
    "jacfwd of a number": lambda ns, f, x: f.jacfwd(lambda x: 1.0)(x),
    "jacfwd, randomness": lambda ns, f, x: f.jacfwd(poly, randomness="some")(x),
    "linearize, another number": lambda ns, f, x: f.linearize(ns.sin, x)[1](x, x),
    "linearize, another shape": lambda ns, f, x: f.linearize(ns.sin, x)[1](x[:2]),
    "linearize, another dtype": lambda ns, f, x: f.linearize(ns.sin, x)[1](x.float()),
    "requires_grad_ within grad": lambda ns, f, x: f.grad(lambda x: x.clone().requires_grad_().sum())(x),
    "backward within grad": lambda ns, f, x: f.grad(lambda x: x.sum().backward())(x),
    "requires_grad_ within jvp": lambda ns, f, x: f.jvp(lambda x: x.clone().requires_grad_(), (x,), (x,)),
    "stack of no models": lambda ns, f, x: f.stack_module_state([]),
    "stack of models in two modes": lambda ns, f, x: f.stack_module_state([ns.nn.ReLU(), ns.nn.ReLU().eval()]),
    "stack of two classes": lambda ns, f, x: f.stack_module_state([ns.nn.ReLU(), ns.nn.Tanh()]),
    "stack of frozen and free": lambda ns, f, x: f.stack_module_state([layer(ns), layer(ns).requires_grad_(False)]),
    "functional_call, no dict": lambda ns, f, x: f.functional_call(layer(ns), 3, x),
    "functional_call, no dicts": lambda ns, f, x: f.functional_call(layer(ns), ({}, 3), x),
    "functional_call, twice": lambda ns, f, x: f.functional_call(layer(ns), ({"bias": x}, {"bias": x}), x),
    "functional_call, unknown, strictly": lambda ns, f, x: f.functional_call(layer(ns), {"w": x}, x, strict=True),
    "functional_call, missing, strictly": lambda ns, f, x: f.functional_call(layer(ns), {"bias": x}, x, strict=True),
    "functional_call, no such module": lambda ns, f, x: f.functional_call(layer(ns), {"a.w": x}, x),
    "functional_call, no tensor": lambda ns, f, x: f.functional_call(layer(ns), {"bias": 3}, x),
    "functional_call, tied to two values": lambda ns, f, x: f.functional_call(
        tied(ns), {"a.weight": x.outer(x), "b.weight": x.outer(x)}, x
    ),
}  # fmt: skip


def layer(ns):
    return ns.nn.Linear(3, 3)


def tied(ns):
    class Tied(ns.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = ns.nn.Linear(3, 3, bias=False).double(), ns.nn.Linear(3, 3, bias=False).double()
            self.b.weight = self.a.weight
            self.register_buffer("scale", ns.ones(3, dtype=ns.float64))

        def forward(self, x, *, shift=0.0):
            self.scale = self.scale * 2
            return self.b(self.a(x)) * self.scale + shift

    return Tied()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ERRORS)
def test_error_is_torchs(case):
    raised = []
    for ns in (torch, minitorch):
        with pytest.raises(Exception) as e:
            ERRORS[case](ns, ns.func, vector(ns))
        raised.append((e.type.__name__, str(e.value).split("\n")[0].replace("minitorch", "torch")))
    assert raised[0] == raised[1]


# ---------------------------------------------------------------------- the graph outside
@BOTH
def test_gradient_can_be_differentiated_from_outside(ns):
    x = vector(ns).requires_grad_()
    y = ns.func.grad(poly)(x)
    (g,) = ns.autograd.grad(y.sum(), x)
    assert g.tolist() == (6 * x).tolist()


@BOTH
def test_results_have_no_graph_without_one_outside(ns):
    x = vector(ns)
    gradient, value = ns.func.grad_and_value(poly)(x)
    assert not gradient.requires_grad and not value.requires_grad
    output, vjp_fn = ns.func.vjp(ns.sin, x)
    assert not output.requires_grad and not vjp_fn(x)[0].requires_grad
    assert not ns.func.jacrev(ns.sin)(x).requires_grad and not ns.func.hessian(poly)(x).requires_grad


@BOTH
def test_inputs_are_left_as_they_were(ns):
    x = vector(ns).requires_grad_()
    ns.func.grad(poly)(x)
    ns.func.jacfwd(ns.sin)(x)
    assert x.grad is None and x.is_leaf and x.requires_grad


@BOTH
def test_gradients_by_what_a_function_closes_over_flow_outside(ns):
    w = vector(ns).requires_grad_()
    ns.func.grad(lambda x: (x * x * w).sum())(vector(ns)).sum().backward()
    assert w.grad.tolist() == (2 * vector(ns)).tolist()


# ---------------------------------------------------------------------- modules
@BOTH
def test_functional_call_takes_tensors_for_parameters(ns):
    module = ns.nn.Linear(3, 2)
    before = module.weight
    out = ns.func.functional_call(module, {"weight": ns.ones(2, 3)}, (ns.ones(3),))
    assert out.tolist() == pytest.approx((module.bias + 3).tolist()) and module.weight is before


@BOTH
def test_functional_call_ties_weights(ns):
    module, eye = tied(ns), ns.eye(3, dtype=ns.float64)
    x = vector(ns)
    assert ns.func.functional_call(module, {"a.weight": eye * 3}, x).tolist() == (x * 9 * 2).tolist()
    module = tied(ns)
    part = ns.func.functional_call(module, {"a.weight": eye}, x, tie_weights=False)
    np.testing.assert_allclose(part.tolist(), (module.b(x) * 2).tolist())


@BOTH
def test_functional_call_keeps_buffers_apart(ns):
    module, x = tied(ns), vector(ns)
    given = ({"a.weight": ns.eye(3, dtype=ns.float64)}, {"scale": ns.full((3,), 5.0, dtype=ns.float64)})
    out = ns.func.functional_call(module, given, x, {"shift": 1.0})
    assert out.tolist() == (x * 10 + 1).tolist()
    assert module.scale.tolist() == [1.0] * 3 and given[1]["scale"].tolist() == [5.0] * 3


@BOTH
def test_functional_call_of_all_names_is_strict(ns):
    module = ns.nn.Linear(3, 2)
    state = {k: ns.zeros(v.shape) for k, v in module.state_dict().items()}
    assert ns.func.functional_call(module, state, ns.ones(3), strict=True).tolist() == [0.0, 0.0]


@BOTH
def test_ensemble_of_stacked_models(ns):
    models = [ns.nn.Sequential(ns.nn.Linear(3, 4), ns.nn.BatchNorm1d(4)).double().eval() for _ in range(3)]
    params, buffers = ns.func.stack_module_state(models)
    assert params["0.weight"].shape == (3, 4, 3) and params["0.weight"].is_leaf and params["0.weight"].requires_grad
    assert buffers["1.running_mean"].shape == (3, 4) and not buffers["1.running_mean"].requires_grad
    x = ns.randn(5, 3, dtype=ns.float64)
    out = ns.vmap(lambda p, b: ns.func.functional_call(models[0], (p, b), x))(params, buffers)
    for o, m in zip(out, models, strict=True):
        np.testing.assert_allclose(o.detach().numpy(), m(x).detach().numpy())


def model(ns):
    ns.manual_seed(0)
    return ns.nn.Sequential(
        ns.nn.Conv2d(1, 2, 3), ns.nn.ReLU(), ns.nn.MaxPool2d(2), ns.nn.Flatten(), ns.nn.Linear(8, 3)
    ).double()


@BOTH
def test_gradients_of_each_sample(ns):
    net, x, y = model(ns), ns.randn(4, 1, 6, 6, dtype=ns.float64), ns.tensor([0, 2, 1, 2])
    params = {k: p.detach() for k, p in net.named_parameters()}

    def loss(params, x, y):
        return ns.nn.functional.cross_entropy(ns.func.functional_call(net, params, x[None]), y[None])

    each = ns.vmap(ns.func.grad(loss), (None, 0, 0))(params, x, y)
    for i in range(4):
        net.zero_grad()
        ns.nn.functional.cross_entropy(net(x[i : i + 1]), y[i : i + 1]).backward()
        for name, p in net.named_parameters():
            np.testing.assert_allclose(each[name][i].numpy(), p.grad.numpy(), 1e-9, 1e-12)


@BOTH
def test_hessian_of_a_model_is_symmetric(ns):
    net, x = ns.nn.Sequential(ns.nn.Linear(3, 2), ns.nn.Tanh()).double(), vector(ns)
    params = {k: p.detach() for k, p in net.named_parameters()}
    h = ns.func.hessian(lambda p: ns.func.functional_call(net, p, x).pow(2).sum())(params)
    np.testing.assert_allclose(
        h["0.weight"]["0.bias"].numpy(), h["0.bias"]["0.weight"].permute(1, 2, 0).numpy(), 1e-10, 1e-14
    )


@BOTH
def test_batch_norm_without_statistics_is_batched(ns):
    net = ns.nn.Sequential(ns.nn.Linear(3, 2), ns.nn.BatchNorm1d(2))
    assert ns.func.replace_all_batch_norm_modules_(net) is net
    assert net[1].running_mean is None and not net[1].track_running_stats and list(net.buffers()) == []
    x = ns.randn(4, 5, 3)
    np.testing.assert_allclose(ns.vmap(net)(x)[2].detach().numpy(), net(x[2]).detach().numpy(), 1e-5, 1e-6)


def test_functionalize_is_refused():
    with pytest.raises(NotImplementedError, match="functionalize"):
        minitorch.func.functionalize(minitorch.sin)


def test_debug_unwrap_shows_the_batch():
    seen = []
    minitorch.vmap(lambda r: seen.append(minitorch.func.debug_unwrap(r)) or r)(minitorch.ones(3, 2))
    assert seen[0].shape == (3, 2)
