"""Every row of the table of ops, checked against torch in every way that a row allows."""

import warnings

import numpy as np
import pytest
import torch
from compare import (
    LAYOUTS,
    PAIR,
    EverySample,
    array_of,
    assert_close,
    assert_same,
    assert_same_outcome,
    both,
    outcome,
    strides,
    tensor,
)
from optable import CASES, POINTWISE, Call, as_dtype
from sampling import sampled

import minitorch
from minitorch._ops.apply import apply
from minitorch._ops.op import OPS


def parametrize(cases, one_in=1):
    """Every case; all but one in so many in the slow run only."""
    cases = list(cases)
    names = [c.name for c in cases]
    ids = [n if names.count(n) == 1 else f"{n}-{names[:i].count(n)}" for i, n in enumerate(names)]
    return pytest.mark.parametrize("case", sampled(cases, one_in), ids=ids)


def in_dtype(ns, call):
    """A call whose dtype= is meant in this namespace."""
    if "dtype" not in call.kwargs:
        return call
    return Call(*call.args, **{**call.kwargs, "dtype": getattr(ns, call.kwargs["dtype"])})


def run(ns, case, arrays, call, requires_grad=False):
    tensors = [tensor(ns, a, requires_grad) for a in arrays]
    return case.call(ns, tensors, in_dtype(ns, call)), tensors


def differentiable(value):
    values = value if isinstance(value, (tuple, list)) else [value]
    return [v for v in values if v.requires_grad]


def gradients(ns, case, arrays, call, seed, create_graph=False, requires_grad=True):
    """The gradients of a random weighting of the outputs; with create_graph also those of a weighting of them."""
    value, tensors = run(ns, case, arrays, call, requires_grad)
    outputs = differentiable(value)
    if not outputs:
        return "no output requires grad"
    rng = np.random.default_rng(seed)
    weights = [
        tensor(ns, np.asarray(rng.uniform(0.5, 1.5, o.shape)).astype(arrays[0].dtype), create_graph) for o in outputs
    ]
    first = ns.autograd.grad(outputs, tensors, weights, create_graph=create_graph, allow_unused=True)
    if not create_graph:
        return first
    again = [g for g in first if g is not None and g.requires_grad]
    if not again:
        return first, "no gradient requires grad"
    seeds = [tensor(ns, np.asarray(rng.uniform(0.5, 1.5, g.shape))) for g in again]
    return first, ns.autograd.grad(again, [*tensors, *weights], seeds, allow_unused=True)


def accumulates_zero(ours, theirs):
    """A gradient that is None in one framework and zero in the other is the same gradient."""
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs):
        pairs = [accumulates_zero(a, b) for a, b in zip(ours, theirs)]
        return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    if theirs is None and ours is not None and not array_of(ours).any():
        return None, None
    if ours is None and theirs is not None and not array_of(theirs).any():
        return None, None
    return ours, theirs


def copies(arrays):
    return [a.copy() for a in arrays]


# A loop is compiled for each dtype and number of dimensions: the quick run takes all of a row's shapes in float64 only.
shapes_by_dtype = pytest.mark.parametrize(
    "most",
    [
        pytest.param(lambda dtype: {"float64": None, "float32": 2}.get(dtype, 1), id="quick"),
        pytest.param(lambda dtype: None, id="all shapes", marks=pytest.mark.slow),
    ],
)


@shapes_by_dtype
@parametrize(CASES)
def test_values_dtypes_shapes_and_errors_are_torchs(case, most, rng):
    with EverySample() as sample:
        for dtype in case.dtypes:
            for shapes, call in case.samples(most(dtype)):
                arrays = case.arrays(shapes, dtype, rng)
                ours, theirs = both(lambda ns: run(ns, case, copies(arrays), call)[0])
                with sample(case, dtype, shapes, call):
                    assert_same_outcome(ours, theirs, case.tolerance.get(dtype), check_strides=case.view)


@shapes_by_dtype
@parametrize([c for c in CASES if c.gradient])
def test_gradients_are_torchs(case, most, rng):
    with EverySample() as sample:
        for dtype in ("float64", "float32"):
            for shapes, call in case.samples(most(dtype)):
                arrays = case.arrays(shapes, dtype, rng)
                ours, theirs = both(lambda ns: gradients(ns, case, copies(arrays), call, 1))
                with sample(case, dtype, shapes, call):
                    assert_same_outcome(ours, theirs, case.tolerance.get(dtype))


@parametrize([c for c in CASES if c.gradient and c.double])
def test_double_gradients_are_torchs(case, rng):
    with EverySample() as sample:
        for shapes, call in case.samples():
            if sum(map(np.prod, shapes)) > 1000:
                continue
            arrays = case.arrays(shapes, "float64", rng)
            ours, theirs = both(lambda ns: gradients(ns, case, copies(arrays), call, 1, True))
            with sample(case, shapes, call):
                if ours.error is None and theirs.error is None:
                    a, b = accumulates_zero(ours.value, theirs.value)
                    if b != (theirs.value[0], "no gradient requires grad"):
                        assert_same(a, b, 1e-10)
                else:
                    assert_same_outcome(ours, theirs)


@parametrize([c for c in CASES if c.edges])
def test_values_at_the_edges_are_torchs(case):
    with EverySample() as sample:
        for dtype in ("float64", "float32"):
            arrays = edge_arrays(case, case.edges, dtype)
            for call in case.calls:
                ours, theirs = both(lambda ns: run(ns, case, copies(arrays), call)[0])
                with sample(case, dtype, call):
                    assert_same_outcome(ours, theirs, zeros=case.zeros)


@parametrize([c for c in CASES if c.edges and c.gradient])
def test_gradients_at_the_edges_are_torchs(case):
    arrays = edge_arrays(case, case.edges if case.grad_edges is None else case.grad_edges, "float64")
    with EverySample() as sample:
        for call in case.calls:
            ours, theirs = both(lambda ns: gradients(ns, case, copies(arrays), call, 1))
            with sample(case, call):
                assert_same_outcome(ours, theirs)


def edge_arrays(case, edges, dtype):
    """Every edge, for two tensors every pair, for three every triple of a few."""
    count = len(next(s for s in case.inputs if s))
    grid = np.meshgrid(*[np.array(edges if count < 3 else edges[::2])] * count, indexing="ij")
    return [g.ravel().astype(dtype) for g in grid]


@parametrize([c for c in CASES if not c.listed], one_in=3)
def test_layout_of_the_inputs_changes_nothing(case, rng):
    with EverySample() as sample:
        for shapes, call in case.samples():
            if not any(len(s) > 1 for s in shapes) or sum(map(np.prod, shapes)) > 1000:
                continue
            arrays = case.arrays(shapes, "float64", rng)
            for layout in list(LAYOUTS)[1:]:
                made = [LAYOUTS[layout](a) for a in arrays]
                remade = [LAYOUTS[layout](a) for a in arrays]
                pair = outcome(run, minitorch, case, made, call), outcome(run, torch, case, remade, call)
                with sample(case, layout, shapes, call):
                    values = [o._replace(value=o.value and o.value[0]) for o in pair]
                    assert_same_outcome(*values, 1e-10, check_strides=case.view)
                    if case.gradient and pair[1].error is None:
                        made, remade = [[LAYOUTS[layout](a) for a in arrays] for _ in PAIR]
                        ours = outcome(gradients, minitorch, case, made, call, 1)
                        theirs = outcome(gradients, torch, case, remade, call, 1)
                        assert_same_outcome(ours, theirs, 1e-10)


@parametrize(POINTWISE)
def test_layout_of_pointwise_results_is_torchs(case, rng):
    with EverySample() as sample:
        for shapes in [s for s in case.inputs if len(set(s)) == 1 and len(s[0]) > 1]:
            arrays = case.arrays(shapes, "float64", rng)
            for layout in ("transposed", "sliced"):
                made, remade = [[LAYOUTS[layout](a) for a in arrays] for _ in PAIR]
                ours = outcome(run, minitorch, case, made, case.calls[0])
                theirs = outcome(run, torch, case, remade, case.calls[0])
                if theirs.error is None:
                    with sample(case, layout, shapes):
                        assert strides(ours.value[0]) == strides(theirs.value[0])


def in_place_name(case):
    """The name of the twin, where both frameworks have one."""
    name = case.name.split(".")[-1] + "_"
    methods = not case.name.startswith("nn") and not case.listed
    return name if methods and hasattr(torch.Tensor, name) and hasattr(minitorch.Tensor, name) else None


@parametrize([c for c in CASES if in_place_name(c)])
def test_in_place_twin_writes_the_same_and_has_the_same_gradient(case, rng):
    name = in_place_name(case)

    def twin(ns, arrays, call, track):
        leaves = [tensor(ns, a, track) for a in arrays]
        target = leaves[0].clone() if track else leaves[0]
        result = getattr(target, name)(*leaves[1:], *call.args, **call.kwargs)
        assert result is target
        if not track:
            return target, target._version > 0, tensor(ns, arrays[0])
        if not result.requires_grad:
            return result
        (result * tensor(ns, np.arange(1.0, 1 + np.prod(result.shape)).reshape(result.shape))).sum().backward()
        return result, [t.grad for t in leaves]

    with EverySample() as sample:
        for dtype in case.dtypes:
            for shapes, call in case.samples():
                arrays = case.arrays(shapes, dtype, rng)
                for track in (False, True) if dtype == "float64" and case.gradient else (False,):
                    ours, theirs = both(lambda ns: twin(ns, copies(arrays), call, track))
                    with sample(case, dtype, shapes, call, "tracked" * track):
                        assert_same_outcome(ours, theirs, case.tolerance.get(dtype))


@parametrize([c for c in CASES if c.numbers])
def test_numbers_serve_as_second_operand(case, rng):
    with EverySample() as sample:
        for dtype in case.dtypes:
            array = case.arrays([(2, 3)], dtype, rng)[0]
            for number in case.numbers:
                for call in case.calls:
                    ours, theirs = both(lambda ns: case.call(ns, (tensor(ns, array.copy()), number), call))
                    with sample(case, dtype, number, call):
                        assert_same_outcome(ours, theirs)


OPERATORS = "add sub mul truediv floordiv mod pow eq ne lt le gt ge and or xor matmul".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_take_tensors_and_numbers_on_either_side(name, rng):
    import operator

    names = {"and": operator.and_, "or": operator.or_}
    apply_operator = names.get(name) or getattr(operator, name)
    inplace = getattr(operator, "i" + name, None)
    with EverySample() as sample:
        for dtype in ("float32", "float64", "int64", "uint8", "bool"):
            array = as_dtype(rng.uniform(0.6, 3, (2, 2)), dtype)
            for other in (2, 3, 0.5, True, -1, "tensor", None, "x", [1, 2]):
                for function in (apply_operator, lambda a, b: apply_operator(b, a), inplace):
                    if function is None:
                        continue

                    def compute(ns, function=function, other=other):
                        x = tensor(ns, array.copy())
                        return function(x, tensor(ns, array.copy()) if other == "tensor" else other)

                    ours, theirs = both(compute)
                    with sample(name, dtype, other):
                        if theirs.error is not None and isinstance(theirs.error, TypeError):
                            assert isinstance(ours.error, TypeError)
                        else:
                            assert_same_outcome(ours, theirs)


@parametrize([c for c in CASES if c.out])
def test_out_receives_the_result(case, rng):
    def into(ns, arrays, call, dtype, shape):
        out = ns.zeros(shape, dtype=getattr(ns, dtype))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            tensors = [tensor(ns, a) for a in arrays]
            result = case.call(ns, tensors, Call(*call.args, **call.kwargs, out=out))
        assert result is out
        return out, sorted({str(w.message).split(" (Triggered")[0] for w in seen if "resized" in str(w.message)})

    with EverySample() as sample:
        for shapes, call in case.samples()[:12]:
            arrays = case.arrays(shapes, "float64", rng)
            plain = outcome(run, torch, case, copies(arrays), call)
            if plain.error is not None:
                continue
            for dtype in ("float64", "float32", "int64") if case.casts_out else ("float64",):
                for shape in (plain.value[0].shape, (0,), (1, 7)):
                    ours, theirs = both(lambda ns: into(ns, copies(arrays), call, dtype, shape))
                    with sample(case, shapes, call, dtype, tuple(shape)):
                        assert_same_outcome(ours, theirs)


RECORDED = [c for c in CASES if c.name.split(".")[-1] in OPS]


@parametrize(RECORDED)
def test_generated_function_does_what_apply_does(case, rng):
    op = OPS[case.name.split(".")[-1]]
    with EverySample() as sample:
        for dtype in case.dtypes:
            for shapes, call in case.samples():
                if len(shapes) != len(op.tensors) or call.kwargs or len(op.tensors) + len(call.args) > len(op.params):
                    continue
                rest = {p: op.defaults[p] for p in op.params[len(shapes) + len(call.args) :]}
                arrays = case.arrays(shapes, dtype, rng)

                def one(function, arrays=arrays, call=call, rest=rest):
                    track = arrays[0].dtype.kind == "f"
                    tensors = [tensor(minitorch, a, track) for a in copies(arrays)]
                    value = function(*tensors, *call.args, **rest)
                    if not isinstance(value, minitorch.Tensor) or not value.requires_grad:
                        return value
                    return value, minitorch.autograd.grad(value, tensors, minitorch.ones_like(value), allow_unused=True)

                made, general = outcome(one, op.function), outcome(one, lambda *a, **k: apply(op, *a, *k.values()))
                with sample(case, dtype, shapes, call):
                    if made.error is None:
                        equal(made.value, general.value)


def equal(a, b):
    if isinstance(a, minitorch.Tensor):
        assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
        assert_close(a.detach().numpy(), b.detach().numpy())
    elif isinstance(a, tuple):
        for x, y in zip(a, b):
            equal(x, y)
    else:
        assert a == b


@parametrize(CASES)
def test_meta_tensors_have_the_shape_and_dtype_of_the_cpus(case, rng):
    with EverySample() as sample:
        for dtype in case.dtypes:
            for shapes, call in case.samples():
                arrays = case.arrays(shapes, dtype, rng)
                cpu = outcome(run, minitorch, case, copies(arrays), call)

                def on_meta(arrays=arrays, call=call):
                    tensors = [tensor(minitorch, a).to("meta") for a in copies(arrays)]
                    return case.call(minitorch, tensors, in_dtype(minitorch, call))

                meta = outcome(on_meta)
                with sample(case, dtype, shapes, call):
                    if any(word in str(cpu.error) for word in ("ZeroDivision", "setStorage")):
                        continue  # what only values and memory can show
                    assert (cpu.error is None) == (meta.error is None), (cpu.error, meta.error)
                    if cpu.error is None:
                        same_geometry(cpu.value[0], meta.value)
                    else:
                        assert (type(cpu.error), str(cpu.error)) == (type(meta.error), str(meta.error))


def same_geometry(cpu, meta):
    if isinstance(cpu, (tuple, list)):
        for c, m in zip(cpu, meta):
            same_geometry(c, m)
    else:
        assert meta.is_meta
        assert (cpu.dtype, cpu.shape) == (meta.dtype, meta.shape)


@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "div", "floor_divide", "remainder", "pow", "eq", "xlogy", "fmod"]
)
def test_numbers_as_first_operand_are_taken_or_refused_as_torchs(name):
    with EverySample() as sample:
        for first, second in [
            (2, 3),
            (2.5, "tensor"),
            (1, "tensor"),
            (True, "tensor"),
            ("x", "tensor"),
            ("tensor", "x"),
        ]:
            for dtype in ("float32", "int64"):

                def compute(ns, first=first, second=second, dtype=dtype):
                    operands = [
                        ns.tensor([1, 2]).to(getattr(ns, dtype)) if o == "tensor" else o for o in (first, second)
                    ]
                    return getattr(ns, name)(*operands)

                with sample(name, first, second, dtype):
                    assert_same_outcome(*both(compute))


@pytest.mark.parametrize("name", ["add", "rsub", "mul", "pow", "eq", "clamp", "lerp", "where", "__rsub__", "__rpow__"])
def test_complex_numbers_are_refused_by_name(name):
    x = minitorch.ones(2)
    function = getattr(minitorch, name, None) or getattr(minitorch.Tensor, name)
    with pytest.raises(NotImplementedError, match="complex numbers are not supported"):
        function(*{"lerp": (x, x), "where": (x > 0, x)}.get(name, (x,)), 1j)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["var", "std"])
def test_gradient_of_a_variance_without_degrees_of_freedom_is_torchs(name, dtype):
    for values, dim, correction in (
        ([1.0, 2.0, 4.0], None, 3),
        ([1.0, 2.0, 4.0], 0, 3),
        ([1.0, 2.0, 3.0], None, 4.5),
        ([[1.0, 2.0], [1.0, 5.0]], 0, 2),
        (3.0, 0, 1),
    ):

        def gradient(ns, values=values, dim=dim, correction=correction):
            x = ns.tensor(values, dtype=getattr(ns, dtype), requires_grad=True)
            getattr(x, name)(dim=dim, correction=correction).sum().backward()
            return x.grad

        assert_same_outcome(*both(gradient))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_ldexp_scales_to_the_ends_of_the_range(dtype):
    def compute(ns):
        x = ns.tensor([0.0, 1.0, -1.5, 3e-5, float("inf"), float("nan")], dtype=getattr(ns, dtype))
        x = x[:, None].repeat(1, 11)  # torch warns of its own broadcasting
        exponents = ns.tensor([0, 1, -3, 20, -20, 130, -140, 1000, -1060, 3000, -3000])
        made = ns.ldexp(x, exponents), ns.ldexp(x, ns.tensor(7)), ns.ldexp(x, exponents.to(ns.int16))
        return [str(y.dtype) for y in made], *[y.double() for y in made]

    assert_same_outcome(*both(compute))


def test_ldexp_passes_gradients():
    def compute(ns):
        x = ns.tensor([1.0, -2.0, 3.0], requires_grad=True)
        y = ns.ldexp(x, ns.tensor([1, 5, 0]))  # torch computes 2**-3 in integers there, 0
        y.sum().backward()
        return y, x.grad

    assert_same_outcome(*both(compute))


@pytest.mark.parametrize(
    "call",
    [
        lambda ns, x: ns.lerp(x, x, 0.5),
        lambda ns, x: ns.lerp(x, x, x),
        lambda ns, x: x.lerp_(x.clone(), 0.5),
        lambda ns, x: ns.lerp(x, x.to(ns.uint16), 0.5),
        lambda ns, x: ns.clamp(x, True),
        lambda ns, x: ns.clamp(x, max=True),
        lambda ns, x: ns.clamp(x, True, False),
        lambda ns, x: ns.clamp(x, 0, 1),
        lambda ns, x: ns.mm(x[None], x[:, None].to(ns.uint16)),
    ],
)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_what_has_no_kernel_for_integers_says_so(call, dtype):
    assert_same_outcome(*both(lambda ns: call(ns, ns.ones(3).to(getattr(ns, dtype)))))
