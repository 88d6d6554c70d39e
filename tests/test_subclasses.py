"""Tensor subclasses and `__torch_function__`: who is asked, of what, and what comes out, as in torch."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from compare import assert_same, assert_same_outcome, both, programs

import minitorch


def asked(ns, log):
    """A subclass that notes which functions it is asked about."""

    class Asked(ns.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append((func.__name__, [type(a).__name__ for a in args], sorted(kwargs or {})))
            return super().__torch_function__(func, types, args, kwargs or {})

    return Asked


CALLS = {
    "add": lambda ns, x, y: x + 1,
    "radd": lambda ns, x, y: 1 + x,
    "second": lambda ns, x, y: y * x,
    "rsub": lambda ns, x, y: 1 - x,
    "rpow": lambda ns, x, y: 2**x,
    "eq": lambda ns, x, y: x == y,
    "lt": lambda ns, x, y: x < 2,
    "neg": lambda ns, x, y: -x,
    "abs": lambda ns, x, y: abs(x),
    "matmul": lambda ns, x, y: x @ y,
    "getitem": lambda ns, x, y: x[1:],
    "iadd": lambda ns, x, y: x.add_(1),
    "alpha": lambda ns, x, y: ns.add(x, y, alpha=2),
    "relu": lambda ns, x, y: ns.relu(x),
    "sum": lambda ns, x, y: x.sum(0),
    "all": lambda ns, x, y: ns.mean(x),
    "max": lambda ns, x, y: x.max(0).values,
    "cat": lambda ns, x, y: ns.cat([y, x]),
    "stack": lambda ns, x, y: ns.stack((x, y)),
    "where": lambda ns, x, y: ns.where(y > 1, x, y),
    "linear": lambda ns, x, y: ns.nn.functional.linear(x, ns.eye(3)),
    "module": lambda ns, x, y: ns.nn.Flatten(0)(x),
    "size": lambda ns, x, y: x.size(),
    "shape": lambda ns, x, y: x.shape,
    "tolist": lambda ns, x, y: x.tolist(),
    "numel": lambda ns, x, y: x.numel(),
    "bool": lambda ns, x, y: bool((x > 0).all()),
    "len": lambda ns, x, y: len(x),
    "repr": lambda ns, x, y: repr(x),
    "detach": lambda ns, x, y: x.detach(),
    "to": lambda ns, x, y: x.to(ns.float64),
    "like": lambda ns, x, y: ns.ones_like(x),
    "new": lambda ns, x, y: x.new_zeros(2),
    "data": lambda ns, x, y: x.data,
    "grad": lambda ns, x, y: x.grad,
    "requires_grad": lambda ns, x, y: x.requires_grad,
    "chain": lambda ns, x, y: x.unsqueeze(0).exp(),
    "as_subclass": lambda ns, x, y: x.as_subclass(ns.Tensor),
    "is_tensor": lambda ns, x, y: ns.is_tensor(x),
    "hash": lambda ns, x, y: hash(x) == id(x),
}
NO_KEYWORDS = {"repr"}  # torch passes arguments at their defaults here


@pytest.mark.parametrize("call", CALLS)
def test_a_class_is_asked_what_torch_asks(call):
    def run(ns):
        log = []
        x = ns.tensor([1.0, 2.0, 3.0]).as_subclass(asked(ns, log))
        made = CALLS[call](ns, x, ns.tensor([3.0, 1.0, 2.0]))
        kind = type(made).__name__
        if isinstance(made, ns.Tensor):
            made = made.as_subclass(ns.Tensor)
        names = [entry if call not in NO_KEYWORDS else entry[:2] for entry in log if entry[0] != "as_subclass"]
        return names, kind, list(made) if kind == "Size" else made

    ours, theirs = both(run)
    assert ours.error is None, ours.error
    assert_same(ours.value, theirs.value)


# ---------------------------------------------------------------------- programs: each returns what must be equal
def results_of_a_plain_subclass(ns):
    class Plain(ns.Tensor):
        pass

    x = Plain([1.0, 2.0])
    made = [
        x + 1,
        1 + x,
        x.sum(),
        ns.exp(x),
        x.max(0).values,
        x[0],
        x.double(),
        x.clone(),
        ns.ones(2) * x,
        x.split(1)[1],
    ]
    return [type(m).__name__ for m in made], type(x.shape).__name__, repr(x * 2)


def attributes_stay_with_the_object(ns):
    class Noted(ns.Tensor):
        note = "class"

    x = ns.ones(2).as_subclass(Noted)
    x.note = "mine"
    return x.note, (x + 1).note, x.add_(1).note


def gradients_of_a_subclass(ns):
    class Plain(ns.Tensor):
        pass

    leaf = ns.tensor([1.0, 2.0], requires_grad=True)
    x = leaf.as_subclass(Plain)
    y = (x * x).sum()
    y.backward()
    own = ns.tensor([1.0, 2.0]).as_subclass(Plain).requires_grad_()
    (own.exp() * 2).sum().backward()
    return type(y).__name__, leaf.grad, type(leaf.grad).__name__, own.grad.as_subclass(ns.Tensor), own.is_leaf


def writes_to_a_subclass(ns):
    class Plain(ns.Tensor):
        pass

    leaf = ns.tensor([1.0, 2.0], requires_grad=True)
    x = (leaf * 1).as_subclass(Plain)
    x.mul_(3)
    x[0] = 5.0
    x.sum().backward()
    return leaf.grad, x.detach().as_subclass(ns.Tensor)


def parameters_of_a_subclass(ns):
    class Plain(ns.Tensor):
        pass

    p = ns.nn.Parameter(ns.ones(2).as_subclass(Plain))
    return (
        type(p).__name__,
        isinstance(p, ns.nn.Parameter),
        p.requires_grad,
        type(ns.nn.Parameter(ns.ones(2)) + 1).__name__,
    )


def make_subclass(ns):
    class Plain(ns.Tensor):
        pass

    x = ns.Tensor._make_subclass(Plain, ns.ones(2), True)
    return type(x).__name__, x.requires_grad, x.is_leaf, type(x + 1).__name__


def make_subclass_of_no_tensor(ns):
    ns.Tensor._make_subclass(ns.Tensor, 3)


def two_unrelated_subclasses(ns):
    class A(ns.Tensor):
        pass

    class B(ns.Tensor):
        pass

    ns.ones(2).as_subclass(A) + ns.ones(2).as_subclass(B)


def derived_class_is_asked_first(ns):
    log = []

    class A(ns.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append((cls.__name__, [t.__name__ for t in types]))
            return super().__torch_function__(func, types, args, kwargs)

    class B(A):
        pass

    return type(ns.add(ns.ones(2).as_subclass(A), ns.ones(2).as_subclass(B))).__name__, log


def functions_of_ones_own(ns):
    handled = {}

    class Scalar:
        def __init__(self, value):
            self.value = value

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func not in handled:
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    handled[ns.mean] = lambda x: x.value / 2
    handled[ns.add] = lambda x, y: ("added", getattr(x, "value", None), getattr(y, "value", None))
    handled[ns.nn.functional.cross_entropy] = lambda x, y, **_: "entropy"
    return (
        ns.mean(Scalar(3)), ns.add(Scalar(3), 1), ns.add(ns.ones(1), Scalar(2)),
        ns.nn.functional.cross_entropy(Scalar(1), 2),
    )  # fmt: skip


def function_that_nobody_handles(ns):
    class Refuses:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    ns.exp(Refuses())


def functions_with_overrides(ns):
    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, len(args), kwargs

    def mine(x, k=1):
        if ns.overrides.has_torch_function((x,)):
            return ns.overrides.handle_torch_function(mine, (x,), x, k=k)
        return "plain"

    is_tensor_like = ns.overrides.is_tensor_like
    unary, variadic = ns.overrides.has_torch_function_unary, ns.overrides.has_torch_function_variadic
    return (
        mine(Duck(), 2), mine(ns.ones(1)), is_tensor_like(Duck()), is_tensor_like(ns.ones(1)), is_tensor_like(3),
        unary(Duck()), unary(ns.ones(1)), variadic(1, Duck()), variadic(ns.nn.Parameter(ns.ones(1))),
    )  # fmt: skip


def disabled_by_the_class(ns):
    class Off(ns.Tensor):
        __torch_function__ = ns._C._disabled_torch_function_impl

    return type(ns.ones(2).as_subclass(Off) + 1).__name__


def disabled_for_a_while(ns):
    log = []
    x = ns.ones(2).as_subclass(asked(ns, log))
    with ns._C.DisableTorchFunctionSubclass():
        y = x.exp() + 1
    return log, type(y).__name__


def modes(ns):
    log = []

    class Mode(ns.overrides.TorchFunctionMode):
        def __init__(self, name):
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            log.append((self.name, func.__name__))
            return func(*args, **(kwargs or {}))

    x = ns.ones(2)
    with Mode("outer"):
        x + 1
        with Mode("inner"):
            ns.zeros(2)
        with ns._C.DisableTorchFunction():
            ns.exp(x)
    x.exp()
    return log


def mode_that_changes_results(ns):
    class Float64(ns.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            if func in (ns.zeros, ns.ones):
                kwargs["dtype"] = ns.float64
            return func(*args, **kwargs)

    with Float64():
        return ns.ones(2) + ns.zeros(2)


def names_of_functions(ns):
    name = ns.overrides.resolve_name
    return name(ns.nn.functional.linear), name(ns.linalg.norm), name(ns.Tensor.add_), name(ns.Tensor.shape.__get__)


PROGRAMS = programs(globals())


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_functions_stay_the_same_objects():
    code = """if 1:
        import inspect
        import minitorch as torch
        add, mean, relu, called = torch.add, torch.mean, torch.nn.functional.relu, torch.exp
        called(torch.ones(1))
        before = [inspect.signature(f) for f in (torch.mul, mean, torch.Tensor.size)]
        class Plain(torch.Tensor):
            pass
        assert (add, mean, relu, called) == (torch.add, torch.mean, torch.nn.functional.relu, torch.exp)
        assert before == [inspect.signature(f) for f in (torch.mul, mean, torch.Tensor.size)]
        x = torch.ones(2).as_subclass(Plain)
        for f in (lambda x: add(x, 1), mean, relu, called, lambda x: x * x):
            assert type(f(x)) is Plain and type(f(torch.ones(2))) is torch.Tensor
        assert torch.overrides.get_testing_overrides()[torch.add](1, 2) == -1
        assert torch.add in torch.overrides.get_overridable_functions()[torch]
        assert torch.overrides.is_tensor_method_or_property(torch.Tensor.add)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("function", ["mean", "exp", "neg", "sum"])
def test_an_object_that_is_no_tensor_is_asked_by_a_function_that_was_never_overridden(function):
    code = f"""if 1:
        import minitorch as torch
        class Duck:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__, types
        assert torch.{function}(Duck()) == ({function!r}, (Duck,)), torch.{function}(Duck())
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrapper_subclass_is_refused():
    with pytest.raises(NotImplementedError, match="_make_wrapper_subclass"):
        minitorch.Tensor._make_wrapper_subclass(minitorch.Tensor, (2,))


@pytest.mark.parametrize("function", [torch.add, torch.nn.functional.softmax])
def test_real_torchs_function_given_a_tensor_is_a_type_error(function):
    with pytest.raises(TypeError, match="is no function of minitorch"):
        function(minitorch.ones(2), 0)


def test_torch_itself_has_these_programs_right():
    assert torch.overrides.resolve_name(torch.Tensor.add_) == "torch.Tensor.add_"


# ---------------------------------------------------------------------- functions that check their own arguments
DUCKS = {
    "mse_loss": lambda ns, duck, x: ns.nn.functional.mse_loss(x, duck),
    "cross_entropy": lambda ns, duck, x: ns.nn.functional.cross_entropy(duck, ns.tensor([0, 1])),
    "linear": lambda ns, duck, x: ns.nn.functional.linear(x, duck),
    "clamp_min": lambda ns, duck, x: ns.clamp_min(duck, 1),
    "rsub": lambda ns, duck, x: ns.rsub(duck, 1),
}


@pytest.mark.parametrize("name", DUCKS)
def test_class_that_is_no_tensor_decides_about_functions_that_check_their_own_arguments(name):
    # in a process of its own, where no class has switched the questions on
    code = f"""
import importlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_subclasses import DUCKS

class Duck:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func.__name__

for ns in map(importlib.import_module, ("torch", "minitorch")):
    print(DUCKS[{name!r}](ns, Duck(), ns.ones(2, 3)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [name, name]


def test_subclasses_and_autocast_meet_in_any_order():
    """Both put code in front of functions that a program may have called by then, or not."""
    steps = {
        "plain": "x.sum(0)",
        "subclass": "x.as_subclass(Named).sum(0)",
        "autocast": "with torch.autocast('cpu'): x @ x",
    }
    for order in itertools.permutations(steps):
        program = "import minitorch as torch\nclass Named(torch.Tensor): pass\nx = torch.ones(2, 2)\n"
        program += "\n".join(steps[s] for s in order)
        program += "\nprint(type(x.as_subclass(Named).sum(0, dtype=torch.float64)).__name__)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout == "Named\n", (order, done.stderr)


def test_autocast_stands_once_in_front_of_a_function():
    with minitorch.autocast("cpu"):
        pass
    for name in ("sum", "softmax", "exp", "cumsum", "matmul"):
        f, fronts = getattr(minitorch, name), 0
        while "_inner" in (f.__kwdefaults__ or ()):
            fronts += "_front" in f.__kwdefaults__
            f = f.__kwdefaults__["_inner"]
        assert fronts < 2, name
