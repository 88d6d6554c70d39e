"""gradcheck finds wrong gradients, lets right ones pass, and says about both what torch's says."""

import inspect

import pytest
import torch

import minitorch
from minitorch._ops.generate import make_functions
from minitorch._ops.op import OPS, pointwise
from minitorch.autograd import GradcheckError, gradcheck

BOTH = pytest.mark.parametrize("t", [minitorch, torch], ids=["minitorch", "torch"])
MODES = pytest.mark.parametrize("fast_mode", [False, True], ids=["slow", "fast"])


def leaf(t, *values, shape=None):
    x = t.tensor(values or (0.5, 1.5, -0.3), dtype=t.float64)
    return (x if shape is None else x.reshape(shape)).requires_grad_()


def with_gradient(change):
    """x * x whose gradient passes through `change`."""

    def square(x):
        y = x * x
        y.register_hook(change)
        return y

    return square


# what a hook may do to a gradient that gradcheck must notice
WRONG = {
    "doubled": lambda g: g * 2,
    "negated": lambda g: -g,
    "one percent off": lambda g: g * 1.01,
    "dropped": lambda g: g * 0,
    "shifted": lambda g: g + 1,
    "reversed": lambda g: g.flip(0),
}


@BOTH
@MODES
@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradient_is_found(t, name, fast_mode):
    square = with_gradient(WRONG[name])
    with pytest.raises(t.autograd.gradcheck.__globals__["GradcheckError"], match="Jacobian mismatch"):
        t.autograd.gradcheck(square, leaf(t), fast_mode=fast_mode)
    assert not t.autograd.gradcheck(square, leaf(t), fast_mode=fast_mode, raise_exception=False)


def cube_plus(x):
    return x * x * x + x


@pytest.fixture
def planted():
    """Makes a pointwise op of the test's own, with the gradient formula that the test gives."""
    made = []

    def make(gradient):
        # a name for each formula: generated code is found by the op's name
        op = pointwise(name=f"cube_plus_{gradient.__name__}", title="CubePlus")(cube_plus)
        op.grad("x")(gradient)
        made.append(op.name)
        return make_functions(op)[op.name]

    yield make
    for name in made:
        del OPS[name]


def right_formula(g, x):
    return g * (3.0 * x * x + 1.0)


def formula_with_a_wrong_factor(g, x):
    return g * (2.0 * x * x + 1.0)


def formula_without_a_term(g, x):
    return g * (3.0 * x * x)


@MODES
def test_right_formula_of_an_op_passes(planted, fast_mode):
    assert gradcheck(planted(right_formula), leaf(minitorch), fast_mode=fast_mode)


@MODES
@pytest.mark.parametrize("formula", [formula_with_a_wrong_factor, formula_without_a_term])
def test_wrong_formula_of_an_op_is_found(planted, formula, fast_mode):
    with pytest.raises(GradcheckError, match="output 0 with respect to input 0"):
        gradcheck(planted(formula), leaf(minitorch), fast_mode=fast_mode)


def detached_derivative(t):
    """x ** 3 whose gradient forgets that it depends on x."""

    def cube(x):
        y = x.detach() ** 3 + x * 0
        y.register_hook(lambda g: g)
        return y + (3 * x.detach() ** 2) * (x - x.detach())

    return cube


@BOTH
@MODES
def test_wrong_second_derivative_is_found(t, fast_mode):
    cube = detached_derivative(t)
    assert t.autograd.gradcheck(lambda x: x**3, leaf(t), fast_mode=fast_mode)
    with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"):
        t.autograd.gradgradcheck(cube, leaf(t), fast_mode=fast_mode)
    assert not t.autograd.gradgradcheck(cube, leaf(t), fast_mode=fast_mode, raise_exception=False)


RIGHT = {
    "exp": lambda x, y: x.exp(),
    "product": lambda x, y: x * y,
    "two outputs": lambda x, y: (x * y, (x + y).sum()),
    "a list": lambda x, y: [x * 2, y * 3],
    "unused input": lambda x, y: x * 1,
    "reduction": lambda x, y: (x * y).sum(),
    "broadcast": lambda x, y: x.reshape(3, 1) * y,
    "view": lambda x, y: x.reshape(3, 1).t() @ y.reshape(3, 1),
    "in place": lambda x, y: (x * 1).mul_(y),
    "the input itself": lambda x, y: x,
    "one constant output": lambda x, y: (x * y, y.detach()),
    "nothing": lambda x, y: (),
}


@BOTH
@MODES
@pytest.mark.parametrize("name", RIGHT)
def test_right_gradient_passes(t, name, fast_mode):
    if name == "one constant output" and t is torch:
        fast_mode = False
    inputs = leaf(t), leaf(t, 1.0, -2.0, 0.7)
    assert t.autograd.gradcheck(RIGHT[name], inputs, fast_mode=fast_mode) is True


@BOTH
@MODES
@pytest.mark.parametrize("name", ["exp", "product", "two outputs", "reduction", "broadcast", "view", "in place"])
def test_right_second_derivative_passes(t, name, fast_mode):
    inputs = leaf(t), leaf(t, 1.0, -2.0, 0.7)
    assert t.autograd.gradgradcheck(RIGHT[name], inputs, fast_mode=fast_mode) is True


def test_inputs_are_as_before():
    x = leaf(minitorch, shape=(1, 3)).detach().t().requires_grad_()
    before, version = x.tolist(), x._version
    gradcheck(lambda x: x.exp(), x)
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda x: x * (1 / (x.tolist() == before)), x)
    assert x.tolist() == before
    assert x._version == version
    assert x.grad is None


def test_fast_mode_leaves_the_random_numbers_alone():
    minitorch.manual_seed(0)
    state = minitorch.get_rng_state().tolist()
    assert gradcheck(lambda x: x.exp(), leaf(minitorch), fast_mode=True)
    assert minitorch.get_rng_state().tolist() == state


def both_errors(function, **options):
    """The error of each library, as (class, message)."""
    found = []
    for t in (minitorch, torch):
        with pytest.raises(Exception) as caught:
            function(t, t.autograd.gradcheck, **options)
        found.append((caught.type, str(caught.value)))
    return found


def test_message_of_a_mismatch_is_torchs():
    (ours, text), (theirs, expected) = both_errors(lambda t, check: check(with_gradient(lambda g: g * 2), leaf(t)))
    assert text == expected
    assert (ours.__name__, ours.__base__) == (theirs.__name__, theirs.__base__)


def test_message_names_output_and_input():
    def two(x, y):
        wrong = y * x
        wrong.register_hook(lambda g: g * 2)
        return x + y, wrong

    (_, text), (_, expected) = both_errors(lambda t, check: check(two, (leaf(t), leaf(t))))
    assert text == expected
    assert text.startswith("Jacobian mismatch for output 1 with respect to input 0")


def test_fast_message_shows_the_full_jacobians():
    (_, text), (_, expected) = both_errors(
        lambda t, check: check(with_gradient(lambda g: g * 2), leaf(t), fast_mode=True)
    )
    assert text.split("\n")[0] == expected.split("\n")[0]
    tail = expected.index("Numerical:")
    assert text[text.index("Numerical:") :].split("The max")[0] == expected[tail:].split("The max")[0]


def unreproducible():
    calls = iter(range(1, 1000))
    return with_gradient(lambda g: g * (1 + 1e-9 * next(calls)))


ERRORS = {
    "not reentrant": lambda t, check: check(unreproducible(), leaf(t)),
    "not reentrant, fast": lambda t, check: check(unreproducible(), leaf(t), fast_mode=True),
    "constant added": lambda t, check: check(with_gradient(lambda g: g + 1e-7), leaf(t)),
    "detached": lambda t, check: check(lambda x: (x * x).detach(), leaf(t)),
    "no input requires grad": lambda t, check: check(lambda x: x, leaf(t).detach()),
    "expanded input": lambda t, check: check(lambda x: x, t.ones(1, dtype=t.float64).expand(3).requires_grad_()),
    "input written to": lambda t, check: check(lambda x: x.mul_(2), leaf(t)),
    "neither direction": lambda t, check: check(lambda x: x, leaf(t), check_backward_ad=False),
    "random function": lambda t, check: check(lambda x: x * t.rand(3, dtype=t.float64), leaf(t)),
    "nan": lambda t, check: check(lambda x: x.sqrt(), leaf(t, -1.0)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_torchs(name):
    (ours, text), (theirs, expected) = both_errors(ERRORS[name])
    assert ours.__name__ == theirs.__name__
    assert text.split("\n")[0] == expected.split("\n")[0]


def test_nondet_tol_permits_small_differences():
    assert gradcheck(unreproducible(), leaf(minitorch), nondet_tol=1e-6)


@BOTH
def test_single_precision_input_warns_and_fails(t):
    x = t.tensor([0.3, 0.7], dtype=t.float32, requires_grad=True)
    with (
        pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"),
        pytest.raises(RuntimeError, match="Jacobian mismatch"),
    ):
        t.autograd.gradcheck(lambda x: x.exp(), x)


@BOTH
def test_tolerances_decide(t):
    slightly_wrong = with_gradient(lambda g: g * 1.01)
    # torch sends this hook None where it tries undefined gradients
    wide = {"check_undefined_grad": False}
    assert t.autograd.gradcheck(slightly_wrong, leaf(t), rtol=0.1, **wide)
    assert t.autograd.gradcheck(slightly_wrong, leaf(t), atol=0.1, **wide)
    assert not t.autograd.gradcheck(slightly_wrong, leaf(t), raise_exception=False, **wide)
    assert t.autograd.gradcheck(lambda x: x.exp(), leaf(t), eps=1e-4)


@BOTH
def test_other_arguments_pass_through(t):
    assert t.autograd.gradcheck(lambda x, n: x * n, (leaf(t), 3))
    assert t.autograd.gradcheck(lambda x, i: x * i, [leaf(t), t.tensor([1, 2, 3])])


@BOTH
def test_grad_outputs_may_be_given(t):
    weight = t.ones(3, dtype=t.float64, requires_grad=True)
    assert t.autograd.gradgradcheck(lambda x: x.exp(), leaf(t), weight)
    assert t.autograd.gradgradcheck(lambda x: x.exp(), leaf(t), gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize("function", ["gradcheck", "gradgradcheck"])
def test_signature_is_torchs(function):
    ours = inspect.signature(getattr(minitorch.autograd, function)).parameters
    theirs = inspect.signature(getattr(torch.autograd, function)).parameters
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]


BATCHED = {
    "elementwise": lambda t, x: (x.sin() * x).cumsum(0),
    "several outputs": lambda t, x: (x.exp(), x.sum(), x.reshape(3, 1)),
    "a matrix": lambda t, x: t.linalg.inv(t.diag(x + 3)),
    "not of every element": lambda t, x: x[:2] * 2,
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("name", BATCHED)
@BOTH
def test_right_gradients_are_right_under_vmap(t, name):
    def function(x):
        return BATCHED[name](t, x)

    assert t.autograd.gradcheck(function, leaf(t), check_batched_grad=True)
    assert t.autograd.gradcheck(function, leaf(t), check_forward_ad=True, check_batched_forward_grad=True)
    assert t.autograd.gradgradcheck(function, leaf(t), check_batched_grad=True)


def backward_by(t, formula):
    """x * 2, with this backward."""

    class Function(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return formula(g)

    return Function.apply


def twice_but_thrice_under_vmap(t):
    class Twice(t.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, x):
            return x * 3, in_dims[0]

    return Twice.apply


def test_gradients_that_are_wrong_under_vmap_alone_are_found():  # torch's check knows no `vmap` of a Function
    function = backward_by(minitorch, twice_but_thrice_under_vmap(minitorch))
    assert gradcheck(function, leaf(minitorch))
    with pytest.raises(GradcheckError, match="For output 0 and input 0"):
        gradcheck(function, leaf(minitorch), check_batched_grad=True)
    assert not gradcheck(function, leaf(minitorch), check_batched_grad=True, raise_exception=False)


@BOTH
def test_gradients_that_vmap_cannot_compute_are_found(t):
    function = backward_by(t, lambda g: g * 2 if g.sum().item() < 1e9 else g)
    assert t.autograd.gradcheck(function, leaf(t))
    with pytest.raises(RuntimeError, match="While computing batched gradients, got: "):
        t.autograd.gradcheck(function, leaf(t), check_batched_grad=True)


# torch compiles some of its forward-mode formulas at their first use, by deprecated means of its own
COMPILES = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")


@pytest.mark.parametrize("backward", [True, False])
@BOTH
@COMPILES
def test_right_forward_mode_passes(t, backward):
    two = {"check_forward_ad": True, "check_backward_ad": backward}
    assert t.autograd.gradcheck(lambda x, y: (x.exp() * y, (x * y).sum()), (leaf(t), leaf(t)), **two)
    over = {"check_fwd_over_rev": True, "check_rev_over_rev": backward, "check_undefined_grad": backward}
    assert t.autograd.gradgradcheck(lambda x: x.exp() * x, leaf(t), **over)


@COMPILES
def test_wrong_forward_mode_is_found():
    def wrong(t):
        class Wrong(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

            @staticmethod
            def jvp(ctx, v):
                return v * 3

        return Wrong.apply

    (_, text), (_, expected) = both_errors(lambda t, check: check(wrong(t), leaf(t), check_forward_ad=True))
    assert text == expected
    assert text.startswith("Jacobian computed with forward mode mismatch for output 0")


def test_checks_that_need_another_say_so():
    for options in (
        {"check_forward_ad": False, "check_batched_forward_grad": True},
        {"check_forward_ad": True, "check_backward_ad": False, "check_batched_grad": True},
    ):
        ours, theirs = both_errors(lambda t, check: check(lambda x: x, leaf(t), **options))
        assert ours == theirs


def test_module_path_holds_the_same_names():
    from minitorch.autograd.gradcheck import GradcheckError as error
    from minitorch.autograd.gradcheck import gradcheck as check

    assert check is minitorch.autograd.gradcheck
    assert error is GradcheckError
