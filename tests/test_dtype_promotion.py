"""Which dtype a result has: every pair of dtypes, as tensors with dimensions, 0-dim tensors and Python numbers."""

from itertools import product

import pytest
from compare import ALL, PAIR, EverySample, assert_same_outcome, both

KINDS = "tensor", "zero-dim"
NUMBERS = True, 2, 2.5
OPERATIONS = "add", "sub", "mul", "div", "eq", "maximum", "pow", "bitwise_and", "floor_divide", "atan2"


def operand(ns, dtype, kind):
    return ns.tensor([3, 1] if kind == "tensor" else 3).to(getattr(ns, dtype))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_tensors_give_torchs_dtype(operation):
    with EverySample() as sample:
        for a, b in product(ALL, ALL):
            for kinds in product(KINDS, KINDS):
                ours, theirs = both(
                    lambda ns: getattr(ns, operation)(operand(ns, a, kinds[0]), operand(ns, b, kinds[1]))
                )
                with sample(a, b, kinds):
                    assert_same_outcome(ours, theirs)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o not in ("maximum", "atan2")])
def test_tensor_and_number_give_torchs_dtype(operation):
    with EverySample() as sample:
        for a, number, kind in product(ALL, NUMBERS, KINDS):
            ours, theirs = both(lambda ns: getattr(ns, operation)(operand(ns, a, kind), number))
            with sample(a, number, kind):
                assert_same_outcome(ours, theirs)


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_default_dtype_decides_for_integers_and_floats(default):
    with EverySample() as sample:
        try:
            for ns in PAIR:
                ns.set_default_dtype(getattr(ns, default))
            for a, kind in product(ALL, KINDS):
                for name, compute in {
                    "div": lambda x: x / 2,
                    "exp": lambda x: x.exp(),
                    "add": lambda x: x + 1.5,
                    "sqrt": lambda x: x.sqrt(),
                }.items():
                    ours, theirs = both(lambda ns: compute(operand(ns, a, kind)))
                    with sample(a, kind, name):
                        assert_same_outcome(ours, theirs)
            for data in (1.5, [1, 2.5], [True, 1.0], 3, [True]):
                with sample(data):
                    assert_same_outcome(*both(lambda ns: ns.tensor(data)))
            with sample("factories"):
                assert_same_outcome(
                    *both(lambda ns: [ns.ones(2), ns.full((2,), 1.5), ns.arange(0, 1, 0.5), ns.get_default_dtype()])
                )
        finally:
            for ns in PAIR:
                ns.set_default_dtype(ns.float32)


def test_in_place_results_must_fit_the_tensor():
    with EverySample() as sample:
        for a, b in product(ALL, ALL):
            for operation in ("add_", "mul_", "div_", "eq_", "copy_"):
                ours, theirs = both(lambda ns: getattr(operand(ns, a, "tensor"), operation)(operand(ns, b, "zero-dim")))
                with sample(a, operation, b):
                    assert_same_outcome(ours, theirs)


def test_promote_types_and_can_cast_are_torchs():
    for a, b in product(ALL, ALL):
        ours, theirs = both(
            lambda ns: (ns.promote_types(getattr(ns, a), getattr(ns, b)), ns.can_cast(getattr(ns, a), getattr(ns, b)))
        )
        assert_same_outcome(ours, theirs)


def test_result_type_is_torchs():
    with EverySample() as sample:
        for a, b in product(ALL, ALL):
            for kinds in product(KINDS, KINDS):
                with sample(a, b, kinds):
                    assert_same_outcome(
                        *both(lambda ns: ns.result_type(operand(ns, a, kinds[0]), operand(ns, b, kinds[1])))
                    )
        for a, number, kind in product(ALL, NUMBERS, KINDS):
            with sample(a, number, kind):
                assert_same_outcome(*both(lambda ns: ns.result_type(operand(ns, a, kind), number)))
                assert_same_outcome(*both(lambda ns: ns.result_type(number, operand(ns, a, kind))))
        for x, y in product(NUMBERS, NUMBERS):
            with sample(x, y):
                assert_same_outcome(*both(lambda ns: ns.result_type(x, y)))


def test_dtype_objects_say_what_torchs_say():
    names = [*ALL, "float", "double", "long", "int", "short", "half", "bfloat16", "float16"]
    for name in names:
        ours, theirs = both(lambda ns: getattr(ns, name))
        for question in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
            assert getattr(ours.value, question) == getattr(theirs.value, question), (name, question)
        assert repr(ours.value) == repr(theirs.value)


@pytest.mark.parametrize("bounds", [(-7, None), (None, -7), (3, -7)])
def test_clamp_in_place_by_a_wider_dtype_narrows_the_result_not_the_bounds(bounds):
    def program(ns):
        wide = [None if b is None else ns.tensor([b, b], dtype=ns.int32) for b in bounds]
        return ns.tensor([5, 200], dtype=ns.uint8).clamp_(*wide)

    assert_same_outcome(*both(program))


@pytest.mark.parametrize("name", ["nansum", "nanmean", "mean"])
def test_a_sum_or_mean_has_the_dtype_of_out_or_torchs_refusal(name):
    dtypes = "float32", "float64", "bfloat16", "int64", "bool"
    with EverySample() as sample:
        for a, out, dtype, dim in product(dtypes, dtypes, (None, *dtypes), (None, 1)):

            def program(ns):
                x = ns.tensor([[3.0, 1.0, 2.0], [0.1, 2.0, 5.0]]).to(getattr(ns, a))
                if x.is_floating_point():
                    x[0, 2] = float("nan")
                options = {} if dtype is None else {"dtype": getattr(ns, dtype)}
                result = getattr(ns, name)(x, dim, out=ns.empty(0, dtype=getattr(ns, out)), **options)
                return str(result.dtype).split(".")[1], result.double()

            with sample(a, out, dtype, dim):
                assert_same_outcome(*both(program))


@pytest.mark.parametrize(
    "name",
    "binary_cross_entropy binary_cross_entropy_with_logits mse_loss huber_loss smooth_l1_loss kl_div "
    "soft_margin_loss".split(),
)
def test_a_loss_has_torchs_dtype_or_its_refusal(name):
    with EverySample() as sample:
        for a, b in product(("float32", "float64", "bfloat16", "int64"), ALL):
            with sample(a, b):
                assert_same_outcome(*both(lambda ns: _loss(ns, name, a, b)))
        for a, b, weight in product(("float32", "float64"), ("float32", "float64"), ("float32", "float64", "int64")):
            for option in ("weight", "pos_weight"):
                if (option == "weight" and name.startswith("binary")) or name.endswith("logits"):
                    with sample(a, b, option, weight):
                        assert_same_outcome(*both(lambda ns: _loss(ns, name, a, b, **{option: weight})))


def _loss(ns, name, a, b, **weights):
    x, y = ns.tensor([[1, 0], [1, 1]]).to(getattr(ns, a)), ns.tensor([[1, 0], [0, 1]]).to(getattr(ns, b))
    given = {option: ns.tensor([1, 2]).to(getattr(ns, dtype)) for option, dtype in weights.items()}
    result = getattr(ns.nn.functional, name)(x, y, reduction="sum", **given)
    return str(result.dtype), result.float()


@pytest.mark.parametrize("shapes", [((3,), (2, 3)), ((), (3,)), ((2, 3), (3,))], ids=str)
def test_soft_margin_loss_takes_no_target_larger_than_its_input(shapes):
    assert_same_outcome(*both(lambda ns: ns.nn.functional.soft_margin_loss(*[ns.ones(s) for s in shapes])))
