"""nn.utils.prune against torch: masks from the same seed, one method after another, removal, errors."""

import pytest
import torch.nn.utils.prune  # noqa: F401 - torch.nn.utils alone lacks it
from compare import assert_same_outcome, both

import minitorch.nn.utils.prune

METHODS = {
    "identity": lambda p, m: p.identity(m, "weight"),
    "l1 share": lambda p, m: p.l1_unstructured(m, "weight", 0.3),
    "l1 number": lambda p, m: p.l1_unstructured(m, "weight", 5),
    "l1 none": lambda p, m: p.l1_unstructured(m, "weight", 0),
    "random": lambda p, m: p.random_unstructured(m, "weight", 0.5),
    "random rows": lambda p, m: p.random_structured(m, "weight", 0.5, 0),
    "random none": lambda p, m: p.random_structured(m, "weight", 0.0, 0),
    "norm of columns": lambda p, m: p.ln_structured(m, "weight", 2, 2, -1),
    "greatest of rows": lambda p, m: p.ln_structured(m, "weight", 0.5, float("inf"), 0),
    "too many": lambda p, m: p.l1_unstructured(m, "weight", 1000),
    "negative": lambda p, m: p.l1_unstructured(m, "weight", -1),
    "share above 1": lambda p, m: p.l1_unstructured(m, "weight", 1.5),
    "no number": lambda p, m: p.l1_unstructured(m, "weight", "all"),
    "slices of a vector": lambda p, m: p.ln_structured(m, "bias", 1, 2, 0),
    "no such dim": lambda p, m: p.ln_structured(m, "weight", 1, 2, 2),
    "no such parameter": lambda p, m: p.l1_unstructured(m, "wieght", 1),
    "scores of another shape": lambda p, m: p.l1_unstructured(m, "weight", 1, m.bias),
    "remove what is not pruned": lambda p, m: p.remove(m, "weight"),
}


def layer(ns):
    ns.manual_seed(3)
    return ns.nn.Linear(4, 6)


def state(ns, m):
    return (
        [(name, tuple(p.shape), p.detach()) for name, p in m.named_parameters()],
        [(name, b) for name, b in m.named_buffers()],
        m.weight.detach(),
        m(ns.ones(2, 4)).detach(),
        ns.nn.utils.prune.is_pruned(m),
        len(m._forward_pre_hooks),
    )


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_pruned_module_is_torchs(method):
    def run(ns):
        m = layer(ns)
        assert method(ns.nn.utils.prune, m) is m
        return state(ns, m)

    assert_same_outcome(*both(run))


def test_module_is_whole_after_an_error():
    m = layer(minitorch)
    before = m.weight.tolist()
    with pytest.raises(ValueError, match="smaller than the number of parameters"):
        minitorch.nn.utils.prune.l1_unstructured(m, "weight", 1000)
    assert [name for name, _ in m.named_parameters()] == ["bias", "weight"]
    assert m.weight.tolist() == before


@pytest.mark.parametrize("first", ["l1 share", "random rows"])
@pytest.mark.parametrize("second", ["l1 number", "norm of columns", "random", "identity"])
def test_one_method_after_another_is_torchs(first, second):
    def run(ns):
        m, prune = layer(ns), ns.nn.utils.prune
        METHODS[first](prune, m)
        METHODS[second](prune, m)
        prune.custom_from_mask(m, "bias", ns.tensor([1, 0, 1, 0, 1, 1]))
        (hook,) = [h for h in m._forward_pre_hooks.values() if h._tensor_name == "weight"]
        return state(ns, m), [type(h).__name__ for h in hook], len(hook), type(hook[0]).__name__

    assert_same_outcome(*both(run))


def test_training_moves_the_kept_weights_only():
    def run(ns):
        m = layer(ns)
        ns.nn.utils.prune.l1_unstructured(m, "weight", 0.5)
        optimizer = ns.optim.SGD(m.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            m(ns.ones(2, 4)).square().sum().backward()
            optimizer.step()
        trained = m.weight_orig.detach().clone()
        ns.nn.utils.prune.remove(m, "weight")
        return trained, state(ns, m), list(m.state_dict())

    assert_same_outcome(*both(run), 1e-5)


@pytest.mark.parametrize("method", ["L1Unstructured", "RandomUnstructured", "LnStructured"])
def test_several_parameters_are_pruned_as_one(method):
    def run(ns):
        prune, ms = ns.nn.utils.prune, [layer(ns), layer(ns)]
        options = {"amount": 0.4} | ({"n": 2} if method == "LnStructured" else {})
        scores = {(ms[1], "weight"): ns.arange(24.0).reshape(6, 4)}
        pairs = [(ms[0], "weight"), (ms[1], "weight"), (ms[0], "bias")]
        prune.global_unstructured(pairs, getattr(prune, method), scores, **options)
        prune.global_unstructured(pairs, getattr(prune, method), **options)
        return [state(ns, m) for m in ms]

    ours, theirs = both(run)
    if theirs.error is None:
        assert_same_outcome(ours, theirs)
    else:  # torch shows the class, which is not in the same module
        assert type(ours.error) is type(theirs.error)


def test_own_methods_and_tensors_without_a_module():
    def run(ns):
        class Even(ns.nn.utils.prune.BasePruningMethod):
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t, default_mask):
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        m = layer(ns)
        Even.apply(m, "weight")
        method = ns.nn.utils.prune.L1Unstructured(2)
        return (
            state(ns, m),
            method.prune(ns.arange(6.0)),
            method.prune(ns.arange(6.0), importance_scores=-ns.arange(6.0)),
        )

    assert_same_outcome(*both(run))


def test_containers_refuse_other_parameters_and_other_things():
    def run(ns, what):
        prune = ns.nn.utils.prune
        one, other = prune.L1Unstructured(1), prune.L1Unstructured(1)
        one._tensor_name, other._tensor_name = "weight", "bias"
        prune.PruningContainer(one).add_pruning_method(other if what == "other" else 3)

    for what in ("other", "number"):
        ours, theirs = both(run, what)
        assert type(ours.error) is type(theirs.error)
