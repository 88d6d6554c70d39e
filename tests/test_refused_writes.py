"""Writes that torch refuses: to memory that an operand shares, of numbers that do not fit, past foreign memory."""

import numpy as np
import pytest
import torch
from compare import assert_same_outcome, both

import minitorch

INDEX = [[0, 1, 0], [1, 1, 0]]
OVERLAPS = {
    "gather": lambda T, x: T.gather(x, 0, T.tensor(INDEX), out=x),
    "take": lambda T, x: T.take(x, T.tensor(INDEX), out=x),
    "index_select": lambda T, x: T.index_select(x, 0, T.tensor([0, 1]), out=x),
    "masked_select": lambda T, x: T.masked_select(x, x > 2, out=x),
    "add to a part": lambda T, x: T.add(x.view(-1)[:3], 1, out=x.view(-1)[1:4]),
    "add to all": lambda T, x: T.add(x, 1, out=x),
    "scatter_": lambda T, x: x.scatter_(0, T.tensor(INDEX), x),
    "scatter_add_": lambda T, x: x.scatter_add_(0, T.tensor(INDEX), x),
    "index_add_": lambda T, x: x.index_add_(0, T.tensor([0, 1]), x),
    "index_copy_": lambda T, x: x.index_copy_(0, T.tensor([0, 1]), x),
    "index_put_": lambda T, x: x.index_put_((T.tensor([0, 1]),), x),
    "mask assigned from itself": lambda T, x: x.__setitem__(x > 2, x[0, 0]),
    "cat": lambda T, x: T.cat([x, x], out=x),
}
NUMBERS = (300, -1, -300, 2**40, -1.5, 1e10, float("nan"), 2**63, -(2**70))
FILLS = {
    "fill_": lambda T, x, v: x.fill_(v),
    "masked_fill_": lambda T, x, v: x.masked_fill_(T.tensor([True, False]), v),
    "index_fill_": lambda T, x, v: x.index_fill_(0, T.tensor([1]), v),
    "assignment": lambda T, x, v: x.__setitem__(1, v),
    "full": lambda T, x, v: T.full((2,), v, dtype=x.dtype),
}


def outcome(function, T, x, *args):
    """The values left in x, or the error."""
    try:
        made = function(T, x, *args)
    except (RuntimeError, ValueError, OverflowError) as e:
        return type(e).__name__, str(e).splitlines()[0]
    return (x if made is None else made).tolist()


@pytest.mark.parametrize("name", OVERLAPS)
def test_memory_shared_with_an_operand_is_refused_where_torch_refuses_it(name):
    theirs, mine = (outcome(OVERLAPS[name], T, T.arange(6.0).reshape(2, 3)) for T in (torch, minitorch))
    assert mine == theirs


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "bool", "float32"])
def test_numbers_that_do_not_fit_are_refused_and_others_wrap_as_in_torch(name, dtype):
    for number in NUMBERS:
        made = [outcome(FILLS[name], T, T.zeros(2, dtype=getattr(T, dtype)), number) for T in (torch, minitorch)]
        assert str(made[1]) == str(made[0]), number


def test_memory_of_a_numpy_array_does_not_grow():
    for T in (torch, minitorch):
        with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
            T.from_numpy(np.zeros(2)).resize_(3)
        assert T.from_numpy(np.zeros(4)).resize_(2).tolist() == [0.0, 0.0]


def test_elements_that_share_memory_are_not_written_to_whatever_the_tensor_came_of():
    def run(ns):
        x = ns.ones(2, 1).expand(2, 3).detach()
        y = ns.from_numpy(np.ones((3, 2)).T)
        return y.mul_(2), x.mul_(2)

    assert_same_outcome(*both(run))


EXACT = {
    "mm": lambda T, x, out: T.mm(x, x, out=out),
    "matmul": lambda T, x, out: T.matmul(x, x, out=out),
    "matmul of a vector": lambda T, x, out: T.matmul(x, x[0], out=out.resize_(2)),
    "matmul of vectors": lambda T, x, out: T.matmul(x[0], x[0], out=out),
    "dot": lambda T, x, out: T.dot(x[0], x[0], out=out),
    "mv": lambda T, x, out: T.mv(x, x[0], out=out.resize_(2)),
    "addmm": lambda T, x, out: T.addmm(x, x, x, out=out),
    "addmv": lambda T, x, out: T.addmv(x[0], x, x[0], out=out),
    "addbmm": lambda T, x, out: T.addbmm(x, x[None], x[None], out=out),
    "baddbmm": lambda T, x, out: T.baddbmm(x, x[None], x[None], out=out),
    "bmm": lambda T, x, out: T.bmm(x[None], x[None], out=out),
    "multi_dot": lambda T, x, out: T.linalg.multi_dot([x, x], out=out),
    "tensordot": lambda T, x, out: T.tensordot(x, x, 1, out=out),
    "vecdot": lambda T, x, out: T.linalg.vecdot(x, x, out=out),
    "inv": lambda T, x, out: T.linalg.inv(x, out=out),
    "solve": lambda T, x, out: T.linalg.solve(x, x, out=out),
    "det": lambda T, x, out: T.linalg.det(x, out=out),
    "norm": lambda T, x, out: T.linalg.norm(x, out=out),
    "vector_norm": lambda T, x, out: T.linalg.vector_norm(x, out=out),
    "softmax": lambda T, x, out: T.softmax(x, 1, out=out),
    "log_softmax": lambda T, x, out: T.log_softmax(x, 1, out=out),
    "logcumsumexp": lambda T, x, out: T.logcumsumexp(x, 1, out=out),
    "ceil": lambda T, x, out: T.ceil(x, out=out),
    "round": lambda T, x, out: T.round(x, out=out),
    "frac": lambda T, x, out: T.frac(x, out=out),
    "sgn": lambda T, x, out: T.sgn(x, out=out),
    "msort": lambda T, x, out: T.msort(x, out=out),
    "renorm": lambda T, x, out: T.renorm(x, 1, 0, 1, out=out),
    "quantile": lambda T, x, out: T.quantile(x, 0.5, out=out),
    "histc": lambda T, x, out: T.histc(x, out=out),
    "heaviside": lambda T, x, out: T.heaviside(x, x, out=out),
    "nan_to_num": lambda T, x, out: T.nan_to_num(x, out=out),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int64"])
@pytest.mark.parametrize("name", EXACT)
def test_results_are_cast_for_out_only_where_torch_casts_them(name, dtype):
    def call(T):
        x = T.tensor([[2.0, 0.5], [0.25, 1.5]])
        return EXACT[name](T, x, T.empty(0, dtype=getattr(T, dtype)))

    assert_same_outcome(*both(call))
