"""einsum against torch: equations, lists of integers, gradients and errors."""

import random

import numpy as np
import pytest
import torch
from compare import EverySample, assert_same, assert_same_error, both

import minitorch


def numbers(*shape):
    return np.random.default_rng(len(shape)).integers(-3, 4, shape).astype(float)


EQUATIONS = {
    "ij->ji": [(2, 3)],
    "ij": [(2, 3)],
    "ba": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "iij->j": [(3, 3, 2)],
    "iji->ij": [(3, 2, 3)],
    "ij->": [(2, 3)],
    "ij,jk": [(2, 3), (3, 4)],
    "ij,jk->ki": [(2, 3), (3, 4)],
    "ij,ij->ij": [(2, 3), (2, 3)],
    "ij,kj": [(2, 3), (4, 3)],
    "i,j->ij": [(2,), (3,)],
    "i,i": [(3,), (3,)],
    "bij,bjk->bik": [(5, 2, 3), (5, 3, 4)],
    "...ij,...jk->...ik": [(5, 1, 2, 3), (6, 3, 4)],
    "...ij,...jk": [(5, 2, 3), (3, 4)],
    "i...->...": [(3, 2, 4)],
    "...->...": [(3, 2)],
    "a...a->...": [(3, 2, 3)],
    "bn,anm,bm->ba": [(2, 5), (3, 5, 4), (2, 4)],
    "aB,cB->Bca": [(2, 3), (4, 3)],
    ",ij->ji": [(), (2, 3)],
    " i j , j k -> i k ": [(2, 3), (3, 4)],
    "ij,jk,kl,lm->im": [(2, 3), (3, 4), (4, 2), (2, 3)],
    "ij,jk->k": [(1, 3), (1, 4)],
    "ij,ij->i": [(2, 1), (2, 3)],
    "ij,jk->ik ": [(0, 3), (3, 2)],
    "ij,jk->ik": [(2, 0), (0, 2)],
}


def values_and_gradients(ns, call, arrays):
    tensors = [ns.tensor(a, requires_grad=True) for a in arrays]
    out = call(ns, tensors)
    (out * out).sum().backward()
    return [out.detach(), *[t.grad for t in tensors]]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_equations_give_torchs_values_and_gradients(equation):
    arrays = [numbers(*s) for s in EQUATIONS[equation]]
    ours, theirs = both(lambda ns: values_and_gradients(ns, lambda ns, t: ns.einsum(equation, *t), arrays))
    assert theirs.error is None
    assert ours.error is None, repr(ours.error)
    assert_same(ours.value, theirs.value)


def random_operand(rng, letters, sizes, ellipsis):
    names = [rng.choice(letters) for _ in range(rng.randint(0, 4))]
    shape = [1 if rng.random() < 0.15 and names.count(n) == 1 else sizes[n] for n in names]
    text = "".join(names)
    if ellipsis and rng.random() < 0.8:
        at, some = rng.randint(0, len(names)), ellipsis[rng.randint(0, len(ellipsis)) :]
        text = text[:at] + "..." + text[at:]
        shape[at:at] = [1 if rng.random() < 0.2 else n for n in some]
    return text, shape


def random_equation(rng):
    letters = rng.sample("abcdAB", rng.randint(1, 5))
    sizes = {n: rng.choice([0, 1, 2, 3, 3, 4]) for n in letters}
    ellipsis = [rng.choice([1, 2, 3]) for _ in range(rng.randint(0, 2))] if rng.random() < 0.4 else []
    operands = [random_operand(rng, letters, sizes, ellipsis) for _ in range(rng.randint(1, 3))]
    equation = ",".join(text for text, _ in operands)
    if rng.random() < 0.7:
        used = sorted(set(equation) - set(".,"))
        output = rng.sample(used, rng.randint(0, len(used)))
        if "..." in equation and rng.random() < 0.8:
            output.insert(rng.randint(0, len(output)), "...")
        equation += "->" + "".join(output)
    return equation, [shape for _, shape in operands]


def test_random_equations_give_torchs_results_and_errors():
    rng = random.Random(0)
    with EverySample() as sample:
        for _ in range(400):
            equation, shapes = random_equation(rng)
            arrays = [numbers(*s) for s in shapes]
            ours, theirs = both(lambda ns: values_and_gradients(ns, lambda ns, t: ns.einsum(equation, *t), arrays))
            with sample(equation, shapes):
                if theirs.error is not None:
                    assert_same_error(ours.error, theirs.error)
                    continue
                if ours.error is not None:
                    raise ours.error
                assert_same(*[[g for g, t in zip(o.value, theirs.value) if t is not None] for o in (ours, theirs)])


def test_lists_of_integers_say_the_same_as_an_equation():
    a, b = numbers(2, 3), numbers(3, 4)
    calls = (
        lambda ns, t: ns.einsum(t[0], [0, 1], t[1], [1, 2], [0, 2]),
        lambda ns, t: ns.einsum(t[0], [0, 1], t[1], [1, 27]),
        lambda ns, t: ns.einsum(t[0], [..., 1], [1, ...]),
        lambda ns, t: ns.einsum("ij,jk", t),
    )
    for call in calls:
        ours, theirs = both(lambda ns: call(ns, [ns.tensor(a), ns.tensor(b)]))
        assert ours.error is None, repr(ours.error)
        assert_same(ours.value, theirs.value)


def test_integers_stay_integers():
    for dtype in ("int64", "int8", "uint8"):
        a = numbers(3, 3).astype(dtype)
        for equation in ("ij->", "ij,jk", "ii->i", "ij,ij->i"):
            count = equation.count(",") + 1
            ours, theirs = both(lambda ns: ns.einsum(equation, *[ns.from_numpy(a)] * count))
            assert_same(ours.value, theirs.value)


def test_a_single_operand_without_sums_is_a_view():
    x = minitorch.zeros(2, 3)
    minitorch.einsum("ij->ji", x)[0, 1] = 5
    assert x[1, 0] == 5


WRONG = {
    "no operands": lambda ns: ns.einsum("ij"),
    "too few": lambda ns: ns.einsum("ij,jk", ns.ones(2, 3)),
    "too many": lambda ns: ns.einsum("ij", ns.ones(2, 3), ns.ones(2)),
    "a digit": lambda ns: ns.einsum("i1", ns.ones(2, 3)),
    "a digit behind": lambda ns: ns.einsum("ij,j2->i", ns.ones(2, 3), ns.ones(3, 2)),
    "a digit in the output": lambda ns: ns.einsum("ij->1", ns.ones(2, 3)),
    "one dot": lambda ns: ns.einsum(".ij", ns.ones(2, 3)),
    "six dots": lambda ns: ns.einsum("......ij", ns.ones(2, 3)),
    "one dot in the output": lambda ns: ns.einsum("ij->.i", ns.ones(2, 3)),
    "six dots in the output": lambda ns: ns.einsum("...ij->......i", ns.ones(2, 3)),
    "two arrows": lambda ns: ns.einsum("ij->i->j", ns.ones(2, 3)),
    "too few letters": lambda ns: ns.einsum("i", ns.ones(2, 3)),
    "too many letters": lambda ns: ns.einsum("ijk...", ns.ones(2, 3)),
    "unequal diagonal": lambda ns: ns.einsum("ii", ns.ones(2, 3)),
    "unequal lengths": lambda ns: ns.einsum("ij,jk", ns.ones(2, 3), ns.ones(2, 3)),
    "unknown output": lambda ns: ns.einsum("ij->k", ns.ones(2, 3)),
    "twice in the output": lambda ns: ns.einsum("ij->ii", ns.ones(2, 3)),
    "an integer of 60": lambda ns: ns.einsum(ns.ones(2, 3), [0, 60]),
    "two dtypes": lambda ns: ns.einsum("ij,jk", ns.ones(2, 3), ns.ones(3, 2, dtype=ns.float64)),
    "a number": lambda ns: ns.einsum("ij", 3),
    "no equation": lambda ns: ns.einsum(3, ns.ones(2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_torchs(name):
    ours, theirs = both(WRONG[name])
    assert theirs.error is not None
    assert_same_error(ours.error, theirs.error)


def test_second_gradients_are_torchs():
    a, b = (minitorch.tensor(numbers(*s), requires_grad=True) for s in ((2, 3), (3, 2)))
    x, y = (torch.tensor(t.detach().numpy(), requires_grad=True) for t in (a, b))

    def second(ns, *t):
        (g,) = ns.autograd.grad(ns.einsum("ij,jk,ik->", t[0], t[1], (t[0] @ t[1])), t[0], create_graph=True)
        return ns.autograd.grad((g * g).sum(), t)

    for ours, theirs in zip(second(minitorch, a, b), second(torch, x, y)):
        assert_same(ours, theirs)
