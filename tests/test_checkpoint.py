"""utils.checkpoint: gradients, random numbers and errors as in torch, and what is kept meanwhile."""

import re
import weakref

import pytest
import torch.utils.checkpoint
from compare import assert_same, assert_same_error, both, leaf_of

import minitorch


def checkpointed(ns, reentrant, function, *args, **options):
    return ns.utils.checkpoint.checkpoint(function, *args, use_reentrant=reentrant, **options)


# ---------------------------------------------------------------------- programs: each returns what must be equal
def gradients(ns, reentrant):
    w, x = leaf_of(ns, 3, 4), leaf_of(ns, 1, 2)
    calls = []

    def function(x, k, y):
        calls.append(1)
        return (x * w * k).exp().sin() + y, x * 2

    a, b = checkpointed(ns, reentrant, function, x, 0.1, ns.ones(2, dtype=ns.float64))
    before = len(calls)
    (a.sum() + (b * b).sum()).backward()
    return a, b, w.grad, x.grad, before, len(calls)


def several_in_a_row(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    y = x
    for _ in range(3):
        y = checkpointed(ns, reentrant, lambda y: (y * y).sin(), y)
    y.sum().backward()
    return y, x.grad


def one_within_another(ns, reentrant):
    x = leaf_of(ns, 1, 2)

    def outer(x):
        return checkpointed(ns, reentrant, lambda y: y.exp().sin(), x * 2) * x

    y = checkpointed(ns, reentrant, outer, x)
    y.sum().backward()
    return y, x.grad


def random_numbers(ns, reentrant):
    ns.manual_seed(0)
    x = ns.ones(20, requires_grad=True)
    y = checkpointed(ns, reentrant, lambda x: ns.nn.functional.dropout(x * 2, 0.5), x)
    y.sum().backward()
    return y, x.grad, ns.rand(2)


def random_numbers_that_are_not_kept(ns, reentrant):
    ns.manual_seed(0)
    x = ns.ones(20, requires_grad=True)
    y = checkpointed(ns, reentrant, lambda x: x * ns.rand(20), x, preserve_rng_state=False)
    y.sum().backward()
    return y, x.grad


def a_sequence(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    functions = [lambda t, k=k: (t * k).sin() for k in range(1, 6)]
    y = ns.utils.checkpoint.checkpoint_sequential(functions, 2, x, use_reentrant=reentrant)
    y.sum().backward()
    return y, x.grad


def graph_kept_for_a_second_pass(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    y = checkpointed(ns, reentrant, lambda x: (x * x).exp(), x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


def double_backward(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    y = checkpointed(ns, False, lambda x: (x * x).exp(), x)
    (g,) = ns.autograd.grad(y.sum(), x, create_graph=True)
    return ns.autograd.grad(g.sum(), x)


def gradient_of_an_input(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    return ns.autograd.grad(checkpointed(ns, reentrant, lambda x: x.exp(), x).sum(), x)


def unused_output(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    a, _ = checkpointed(ns, reentrant, lambda x: (x.exp(), x.sin()), x)
    a.sum().backward()
    return x.grad


def in_place_within(ns, reentrant):
    x = leaf_of(ns, 1, 2)

    def function(x):
        y = x * 2
        y.mul_(x)
        return y.exp()

    checkpointed(ns, reentrant, function, x).sum().backward()
    return x.grad


def keyword_arguments(ns, reentrant):
    x = leaf_of(ns, 1, 2)
    checkpointed(ns, reentrant, lambda x, k=2: (x * k).exp(), x, k=3).sum().backward()
    return x.grad


def contexts(ns, reentrant):
    import contextlib

    seen = []

    @contextlib.contextmanager
    def noting(name):
        seen.append(name)
        yield
        seen.append("end of " + name)

    x = leaf_of(ns, 1)
    y = checkpointed(ns, reentrant, lambda x: x.exp(), x, context_fn=lambda: (noting("first"), noting("again")))
    y.sum().backward()
    return seen


def unknown_determinism_check(ns, reentrant):
    checkpointed(ns, False, lambda x: x.exp(), leaf_of(ns, 1), determinism_check="much")


def outputs_without_gradient(ns, reentrant):
    x = leaf_of(ns, 1)
    checkpointed(ns, reentrant, lambda x: x.detach() * 2, x).sum().backward()


def other_tensors_the_second_time(ns, reentrant):
    sizes = [2, 1]
    x = leaf_of(ns, 1, 2)
    y = checkpointed(ns, False, lambda x: (x[: sizes.pop(0)] * 2).exp().sum(), x)
    y.backward()


def fewer_tensors_the_second_time(ns, reentrant):
    times = [2, 1]
    x = leaf_of(ns, 1, 2)

    def function(x):
        for _ in range(times.pop(0)):
            x = x.exp()
        return x

    checkpointed(ns, False, function, x).sum().backward()


def other_tensors_without_a_check(ns, reentrant):
    times = [1.0, 3.0]
    x = leaf_of(ns, 1, 2)
    y = checkpointed(ns, False, lambda x: (x * times.pop(0)).exp(), x, determinism_check="none")
    y.sum().backward()
    return x.grad


def without_early_stop(ns, reentrant):
    seen, x = [], leaf_of(ns, 1, 2)
    with ns.utils.checkpoint.set_checkpoint_early_stop(False):
        y = checkpointed(ns, False, lambda x: (x.exp(), seen.append(1))[0], x)
    y.sum().backward()
    z = checkpointed(ns, False, lambda x: (x.exp(), seen.append(1))[0], x)
    z.sum().backward()
    return len(seen)


def debug_and_a_context(ns, reentrant):
    checkpointed(ns, False, lambda x: x.exp(), leaf_of(ns, 1), debug=True, context_fn=lambda: None)


def debug_enabled_and_a_context(ns, reentrant):
    with ns.utils.checkpoint.set_checkpoint_debug_enabled(True):
        checkpointed(ns, False, lambda x: x.exp(), leaf_of(ns, 1), context_fn=lambda: None)


def device_states(ns, reentrant):
    return ns.utils.checkpoint.get_device_states(ns.ones(2), 3)


def policies(ns, reentrant):
    context = ns.utils.checkpoint.SelectiveCheckpointContext(is_recompute=False, op_output=2)
    return [(p.name, p.value) for p in ns.utils.checkpoint.CheckpointPolicy], context.is_recompute, context.op_output


PROGRAMS = [
    f
    for f in list(globals().values())
    if getattr(f, "__code__", None) and f.__code__.co_varnames[: f.__code__.co_argcount] == ("ns", "reentrant")
]


@pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "plain"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program_gives_what_torch_gives(program, reentrant):
    ours, theirs = both(lambda ns: program(ns, reentrant))
    if theirs.error is not None:
        assert_same_error(ours.error, theirs.error)
    elif ours.error is not None:
        raise ours.error
    else:
        assert_same(ours.value, theirs.value)


@pytest.mark.parametrize("ns", [minitorch, torch], ids=["ours", "torch"])
def test_form_that_is_not_named_warns(ns):
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        ns.utils.checkpoint.checkpoint(lambda x: x * 2, leaf_of(ns, 1))


@pytest.mark.parametrize("ns", [minitorch, torch], ids=["ours", "torch"])
def test_inputs_without_gradient_warn(ns):
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        ns.utils.checkpoint.checkpoint(lambda x: x * 2, ns.ones(1), use_reentrant=True)


def test_intermediate_results_are_freed():
    kept = []

    def function(x):
        y = x.exp()
        kept.append(weakref.ref(y))
        return y * y

    x = leaf_of(minitorch, 1)
    plain, checkpointed_ = function(x), minitorch.utils.checkpoint.checkpoint(function, x, use_reentrant=False)
    assert kept[0]() is not None
    assert kept[1]() is None
    assert plain.equal(checkpointed_)


# torch's own debug mode logs in a way that pytest's handlers of logs cannot take
def test_debug_changes_no_numbers():
    x = leaf_of(minitorch, 1, 2)
    checkpointed(minitorch, False, lambda x: (x * 3).exp(), x, debug=True).sum().backward()
    assert x.grad.allclose(3 * (x * 3).exp())


@pytest.mark.parametrize("program", [fewer_tensors_the_second_time, other_tensors_the_second_time])
def test_debug_lists_the_operations_of_both_runs(program):
    with minitorch.utils.checkpoint.set_checkpoint_debug_enabled(True), pytest.raises(RuntimeError) as caught:
        program(minitorch, False)
    assert type(caught.value) is type(caught.value.__cause__) is minitorch.utils.checkpoint.CheckpointError
    assert "because you passed `debug=True`" in str(caught.value)
    first, second = str(caught.value).split("during the original forward")[1].split("during recomputation")
    assert re.search(rf"float64\[\d?\] = exp\(float64\[\d\]\)  {re.escape(__file__)}:\d+, in", first)
    assert "exp" in second and first != second


def test_selective_checkpointing_is_refused_by_name():
    with pytest.raises(NotImplementedError, match="policy_fn_or_list"):
        minitorch.utils.checkpoint.create_selective_checkpoint_contexts([])
    with pytest.raises(NotImplementedError, match="GraphExecGroup"), minitorch.utils.checkpoint.GraphExecGroup():
        pass


def test_all_names_of_torch_exist():
    assert sorted(minitorch.utils.checkpoint.__all__) == sorted(torch.utils.checkpoint.__all__)
