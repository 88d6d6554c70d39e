"""no_grad, enable_grad, inference mode: what is recorded, and what inference tensors refuse, as in torch."""

import threading

import pytest
from compare import assert_same_outcome, both, leaf_of, programs

import minitorch


# ---------------------------------------------------------------------- programs: each returns what must be equal
def no_grad_stops_recording(ns):
    x = leaf_of(ns, 1)
    with ns.no_grad():
        y = x * 2
        with ns.enable_grad():
            z = x * 3
    return y.requires_grad, z.requires_grad, ns.is_grad_enabled()


def no_grad_as_decorator(ns):
    @ns.no_grad()
    def f(x):
        "documented"
        return x * 2

    @ns.no_grad
    def g(x):
        return x * 2

    x = leaf_of(ns, 1)
    return f(x).requires_grad, g(x).requires_grad, f.__name__, f.__doc__, ns.is_grad_enabled()


def no_grad_in_a_generator(ns):
    @ns.no_grad()
    def numbers():
        sent = yield ns.is_grad_enabled()
        yield ns.is_grad_enabled(), sent
        try:
            yield 1
        except KeyError:
            yield ns.is_grad_enabled()

    seen = []
    generator = numbers()
    seen.append((next(generator), ns.is_grad_enabled()))
    seen.append((generator.send(7), ns.is_grad_enabled()))
    next(generator)
    seen.append((generator.throw(KeyError), ns.is_grad_enabled()))
    return seen


def no_grad_survives_an_exception(ns):
    try:
        with ns.no_grad():
            raise KeyError
    except KeyError:
        pass
    return ns.is_grad_enabled()


def set_grad_enabled_as_function_and_context(ns):
    seen = []
    with ns.set_grad_enabled(False):
        seen.append(ns.is_grad_enabled())
    seen.append(ns.is_grad_enabled())
    ns.set_grad_enabled(False)
    seen.append(ns.is_grad_enabled())
    ns.set_grad_enabled(True)

    @ns.set_grad_enabled(False)
    def f():
        return ns.is_grad_enabled()

    return [*seen, f(), ns.is_grad_enabled()]


def factories_in_no_grad(ns):
    with ns.no_grad():
        x = ns.ones(2, requires_grad=True)
    return x.requires_grad, (x * 2).requires_grad


def inference_mode_flags(ns):
    x = leaf_of(ns, 1)
    with ns.inference_mode():
        y = x * 2
        v = x.view(1)
        seen = [
            y.requires_grad,
            y.is_inference(),
            v.is_inference(),
            ns.is_inference_mode_enabled(),
            ns.is_grad_enabled(),
        ]
    return [*seen, y.is_inference(), y.requires_grad]


def inference_tensor_saved(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    (ns.ones(1, requires_grad=True) * y).sum()


def inference_tensor_used_without_saving(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    return (ns.ones(1, requires_grad=True) + y).requires_grad, (y * 2).is_inference()


def inference_tensor_viewed_outside(ns):
    with ns.inference_mode():
        y = ns.arange(6.0).view(2, 3)
        inside = y[:, 1:]
    views = [y[0], y[:1, ::2], y.t(), y.view(-1), y[None], y.expand(2, 2, 3), y.diagonal(), inside, inside[0]]
    return [(v, v.requires_grad, v.is_inference(), (v * 2).is_inference()) for v in views], y[0, 1].item()


def inference_tensor_written_through_a_view(ns):
    with ns.inference_mode():
        y = ns.ones(2)
    y[:1].add_(1)


def inference_view_saved(ns):
    with ns.inference_mode():
        y = ns.ones(2)
    return y[:1] * ns.ones(1, requires_grad=True)


def inference_tensor_written_outside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    y.add_(1)


def inference_tensor_written_inside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
        y.add_(1)
    return y


def inference_tensor_requires_grad_outside(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    y.requires_grad_()


def inference_tensor_version(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    return y._version


def ordinary_tensor_written_in_inference_mode(ns):
    x = ns.ones(2)
    with ns.inference_mode():
        x.add_(1)
    return x, x._version, x.is_inference()


def clone_of_inference_tensor(ns):
    with ns.inference_mode():
        y = ns.ones(1)
    c = y.clone()
    c.requires_grad_()
    return c.is_inference(), c.requires_grad


@pytest.mark.parametrize("program", programs(globals()), ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program):
    assert_same_outcome(*both(program))


def test_grad_mode_is_per_thread():
    seen = {}
    entered, leave = threading.Event(), threading.Event()

    def other():
        with minitorch.no_grad():
            entered.set()
            leave.wait(10)
            seen["other"] = minitorch.is_grad_enabled()

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    seen["this"] = minitorch.is_grad_enabled()
    leave.set()
    thread.join()
    assert seen == {"this": True, "other": False}
