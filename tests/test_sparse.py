"""Sparse tensors in coordinate form against torch's: parts, arithmetic, products, gradients, printing, errors."""

import copy
import pickle

import numpy as np
import pytest
import torch
from compare import PAIR, assert_same, both, first_line

import minitorch

pytestmark = pytest.mark.filterwarnings("ignore:Sparse (invariant checks|CSR tensor support):UserWarning")  # torch's

ROW, COLUMN, STORED = [0, 1, 1, 2, 1], [2, 0, 3, 1, 0], [1.0, 2.0, 3.0, 4.0, -5.0]  # (1, 0) stands there twice
DENSE = np.array([[0.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 3.0], [0.0, 4.0, 0.0, 0.0]])
RIGHT = np.arange(8.0).reshape(4, 2) - 3


def twice(ns, dtype="float64"):
    return ns.sparse_coo_tensor([ROW, COLUMN], STORED, (3, 4), dtype=getattr(ns, dtype))


def sparse(ns, array=DENSE, *dims):
    return ns.tensor(array).to_sparse(*dims)


def parts(t):
    """What of a sparse tensor can be compared; of a dense one itself."""
    if not t.is_sparse:
        return t
    values = t._values()
    return [
        t._indices(),
        values,
        t.to_dense(),
        tuple(t.shape),
        t.is_coalesced(),
        t.sparse_dim(),
        t.dense_dim(),
        t._nnz(),
    ]


VALUES = {
    "to_sparse": sparse,
    "to_sparse of blocks": lambda ns: sparse(ns, DENSE, 1),
    "to_sparse of nothing": lambda ns: sparse(ns, np.zeros((2, 3))),
    "to_sparse of a number": lambda ns: ns.tensor(3.0).to_sparse(),
    "to_sparse of no elements": lambda ns: sparse(ns, np.zeros((0, 3))),
    "to_sparse(layout=)": lambda ns: ns.tensor(DENSE).to_sparse(layout=ns.sparse_coo),
    "to_sparse_coo": lambda ns: ns.eye(2).to_sparse_coo(),
    "sparse to_sparse_coo": lambda ns: sparse(ns).to_sparse_coo(),
    "sparse to_sparse": lambda ns: sparse(ns).to_sparse(),
    "sparse_coo_tensor": twice,
    "without a size": lambda ns: ns.sparse_coo_tensor([[0, 2], [1, 0]], [1.0, 2.0]),
    "of a size only": lambda ns: ns.sparse_coo_tensor((2, 3)),
    "of blocks": lambda ns: ns.sparse_coo_tensor([[2, 0]], ns.ones(2, 3), (4, 3)),
    "of integers": lambda ns: ns.sparse_coo_tensor([[2, 0]], [5, 6], (4,)),
    "coalesce": lambda ns: twice(ns).coalesce(),
    "coalesce of blocks": lambda ns: ns.sparse_coo_tensor([[2, 0, 2]], ns.ones(3, 2), (4, 2)).coalesce(),
    "to_dense of dense": lambda ns: ns.tensor(DENSE).to_dense(),
    "to a dtype": lambda ns: twice(ns).to(ns.float32),
    "transpose": lambda ns: twice(ns).transpose(0, 1).coalesce(),
    "t": lambda ns: sparse(ns).t().coalesce(),
    "select": lambda ns: sparse(ns)[1],
    "unsqueeze": lambda ns: twice(ns).unsqueeze(1),
    "unsqueeze, last": lambda ns: sparse(ns).unsqueeze(-1),
    "unsqueeze of blocks": lambda ns: sparse(ns, DENSE, 1).unsqueeze(2),
    "unsqueeze of blocks, between": lambda ns: sparse(ns, DENSE, 1).unsqueeze(1),
    "cat": lambda ns: ns.cat([sparse(ns), twice(ns)]),
    "cat, columns": lambda ns: ns.cat([twice(ns), sparse(ns), twice(ns)], -1),
    "cat of blocks": lambda ns: ns.cat([sparse(ns, DENSE, 1), sparse(ns, DENSE, 1)]),
    "cat in blocks": lambda ns: ns.cat([sparse(ns, DENSE, 1), sparse(ns, DENSE[:, :2], 1)], 1),
    "cat of dtypes": lambda ns: ns.cat([twice(ns), twice(ns, "float32")]),
    "stack": lambda ns: ns.stack([sparse(ns), twice(ns)], 1),
    "vstack": lambda ns: ns.vstack([sparse(ns), twice(ns)]),
    "index_select": lambda ns: sparse(ns).index_select(1, ns.tensor([2, 0, 2])).coalesce(),
    "index_select of blocks": lambda ns: sparse(ns, DENSE, 1).index_select(1, ns.tensor([2, 0, 2])),
    "zeros_like": lambda ns: ns.zeros_like(twice(ns)),
    "zeros_like of blocks": lambda ns: ns.zeros_like(sparse(ns, DENSE, 1), dtype=ns.int64),
    "zeros_like(layout=)": lambda ns: ns.zeros_like(twice(ns), layout=ns.strided),
    "empty_like": lambda ns: ns.empty_like(twice(ns)),
    "new_zeros": lambda ns: twice(ns).new_zeros(2, 3),
    "rows": lambda ns: list(sparse(ns))[1],
    "any": lambda ns: twice(ns).any(),
    "round": lambda ns: (twice(ns) / 3).round(),
    "norm": lambda ns: twice(ns).norm(),
    "norm, p": lambda ns: twice(ns).norm(1),
    "zero_": lambda ns: twice(ns).zero_(),
    "add_": lambda ns: twice(ns).add_(sparse(ns)).coalesce(),
    "sub_": lambda ns: sparse(ns).sub_(sparse(ns, DENSE * 2)).coalesce(),
    "mul_ by a number": lambda ns: twice(ns).mul_(3),
    "mul_": lambda ns: sparse(ns).mul_(sparse(ns, DENSE[::-1] + DENSE)).coalesce(),
    "div_": lambda ns: twice(ns).div_(4),
    "neg_": lambda ns: twice(ns).neg_(),
    "copy_": lambda ns: twice(ns).copy_(sparse(ns)),
    "neg": lambda ns: -twice(ns),
    "abs": lambda ns: twice(ns).abs(),
    "relu": lambda ns: twice(ns).relu().coalesce(),
    "mul by a number": lambda ns: twice(ns) * 3,
    "div by a number": lambda ns: twice(ns) / 4,
    "add": lambda ns: (twice(ns) + sparse(ns)).coalesce(),
    "sub": lambda ns: (sparse(ns) - sparse(ns, DENSE * 2)).coalesce(),
    "add(alpha=)": lambda ns: ns.add(twice(ns), sparse(ns), alpha=0.5).coalesce(),
    "mul": lambda ns: (twice(ns).coalesce() * sparse(ns, DENSE[::-1] + DENSE)).coalesce(),
    "dense + sparse": lambda ns: ns.ones(3, 4, dtype=ns.float64) + twice(ns),
    "sum": lambda ns: ns.sparse.sum(twice(ns)),
    "sum of rows": lambda ns: ns.sparse.sum(twice(ns), 0),
    "sparse.mm": lambda ns: ns.sparse.mm(twice(ns), ns.tensor(RIGHT)),
    "sparse.mm of two": lambda ns: ns.sparse.mm(sparse(ns), sparse(ns, RIGHT)).coalesce(),
    "mm": lambda ns: ns.mm(sparse(ns), ns.tensor(RIGHT)),
    "@": lambda ns: sparse(ns) @ ns.tensor(RIGHT),
    "spmm": lambda ns: ns.spmm(sparse(ns), ns.tensor(RIGHT)),
    "mv": lambda ns: ns.mv(sparse(ns), ns.tensor(RIGHT[:, 0])),
    "sparse.addmm": lambda ns: ns.sparse.addmm(ns.ones(3, 2).double(), sparse(ns), ns.tensor(RIGHT), beta=2, alpha=0.5),
    "addmm": lambda ns: ns.addmm(ns.ones(3, 2).double(), sparse(ns), ns.tensor(RIGHT)),
    "sparse_mask": lambda ns: ns.tensor(DENSE + 1).sparse_mask(sparse(ns)),
    "deepcopy": lambda ns: copy.deepcopy(twice(ns)),
    "pickle": lambda ns: pickle.loads(pickle.dumps(twice(ns))),
}


@pytest.mark.parametrize("name", VALUES)
def test_parts_of_the_result_are_torchs(name):
    assert_same(*(parts(VALUES[name](ns)) for ns in PAIR))


# functions of the matrix and of what it is multiplied by
GRADIENTS = {
    "to_sparse and back": lambda ns, x, y: x.to_sparse().to_dense() * 2,
    "blocks": lambda ns, x, y: x.to_sparse(1).to_dense(),
    "coalesce": lambda ns, x, y: x.to_sparse().coalesce().values(),
    "sparse.mm": lambda ns, x, y: ns.sparse.mm(x.to_sparse(), y),
    "addmm": lambda ns, x, y: ns.sparse.addmm(y[:3] * 2, x.to_sparse(), y),
    "sum": lambda ns, x, y: ns.sparse.sum(x.to_sparse()),
    "mm": lambda ns, x, y: ns.mm(x.to_sparse(), y),
    "mm of dense and sparse": lambda ns, x, y: ns.mm(y.t(), x.to_sparse().t()),
    "sparse.mm of dense and sparse": lambda ns, x, y: ns.sparse.mm(y.t(), x.to_sparse().t()),
    "@": lambda ns, x, y: x.to_sparse() @ y,
    "spmm": lambda ns, x, y: ns.spmm(x.to_sparse(), y),
    "dsmm": lambda ns, x, y: ns.dsmm(x.to_sparse(), y),
    "mv": lambda ns, x, y: ns.mv(x.to_sparse(), y[:, 0]),
    "torch.addmm": lambda ns, x, y: ns.addmm(y[:3] * 2, x.to_sparse(), y, alpha=0.5),
    "mm of a transpose": lambda ns, x, y: ns.mm(x.to_sparse().t(), y[:3]),
    "mm of a multiple": lambda ns, x, y: ns.mm(-x.to_sparse() * 3 / 2, y),
    "mm of a sum": lambda ns, x, y: ns.mm(x.to_sparse() + twice(ns), y),
    "mm and sparse.mm": lambda ns, x, y: ns.mm(x.to_sparse(), y) + ns.sparse.mm(x.to_sparse(), y),
    "gradient of mm's gradient": lambda ns, x, y: ns.autograd.grad(
        (ns.mm(x.to_sparse(), y) ** 2).sum(), y, create_graph=True
    )[0],
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_torchs(name):
    def gradients(ns):
        x, y = ns.tensor(DENSE, requires_grad=True), ns.tensor(RIGHT, requires_grad=True)
        (GRADIENTS[name](ns, x, y) * 1.5).sum().backward()
        return [t.grad if t.grad is None or not t.grad.is_sparse else t.grad.to_dense() for t in (x, y)]

    for ours, theirs in zip(gradients(minitorch), gradients(torch), strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assert_same(ours, theirs)


def test_gradient_of_the_values_passes_repeated_indices():
    def gradient(ns):
        values = ns.tensor(STORED, requires_grad=True)
        s = ns.sparse_coo_tensor([ROW, COLUMN], values, (3, 4))
        (ns.sparse.mm(s, ns.tensor(RIGHT, dtype=ns.float32)) ** 2).sum().backward()
        return values.grad

    assert_same(gradient(minitorch), gradient(torch))


LEAF_GRADIENTS = {
    "sparse.mm": lambda ns, s, y: ns.sparse.mm(s, y),
    "sparse.addmm": lambda ns, s, y: ns.sparse.addmm(y[:3], s, y),
    "sparse.sum": lambda ns, s, y: ns.sparse.sum(s),
    "to_dense": lambda ns, s, y: s.to_dense(),
    "values": lambda ns, s, y: s.coalesce().values(),
    "mm": lambda ns, s, y: ns.mm(s, y),
    "mm of dense and sparse": lambda ns, s, y: ns.mm(y.t(), s.t()),
    "mv": lambda ns, s, y: ns.mv(s, y[:, 0]),
    "addmm": lambda ns, s, y: ns.addmm(y[:3], s, y),
    "mm of a coalesced": lambda ns, s, y: ns.mm(s.coalesce(), y),
    "mm of a sum": lambda ns, s, y: ns.mm(s + s, y),
    "mm and sparse.mm": lambda ns, s, y: ns.mm(s, y) + ns.sparse.mm(s, y),
    "sum": lambda ns, s, y: s.sum(),
}


@pytest.mark.parametrize("way", ["backward", "autograd.grad"])
@pytest.mark.parametrize("name", LEAF_GRADIENTS)
def test_gradient_of_a_sparse_leaf_is_torchs(name, way):
    def gradient(ns):
        s, y = twice(ns).requires_grad_(), ns.tensor(RIGHT)
        total = (LEAF_GRADIENTS[name](ns, s, y) ** 2).sum()
        if way == "backward":
            total.backward()
            assert s.is_leaf
        g = s.grad if way == "backward" else ns.autograd.grad(total, s)[0]
        return (g._indices(), g._values().detach()) if g.is_sparse else g.detach()

    assert_same(gradient(minitorch), gradient(torch))


def test_a_sparse_leafs_gradients_add_up_and_are_cleared():
    def gradients(ns):
        s, y = twice(ns).requires_grad_(), ns.tensor(RIGHT)
        ns.mm(s, y).sum().backward()
        ns.mm(s, y).sum().backward()
        added = s.grad.clone()
        s.grad = None
        ns.sparse.mm(s, y).sum().backward()
        return added, s.grad.to_dense().detach()

    assert_same(gradients(minitorch), gradients(torch))


def test_a_sparse_leaf_that_was_not_used_is_refused():
    def unused(ns):
        return ns.autograd.grad(ns.ones(2, requires_grad=True).sum(), twice(ns).requires_grad_())

    ours, theirs = both(unused)
    assert type(ours.error) is type(theirs.error) is RuntimeError
    assert "appears to not have been used in the graph" in first_line(ours.error)


def test_names_of_a_product_with_dense_gradient_are_torchs():
    ours, theirs = (ns.mm(twice(ns).requires_grad_(), ns.tensor(RIGHT)).grad_fn.name() for ns in PAIR)
    assert ours == theirs


REFUSED = {
    "is_grads_batched": lambda ns, s: ns.autograd.grad(
        ns.sparse.mm(s, ns.tensor(RIGHT)), s, ns.ones(2, 3, 2), is_grads_batched=True
    ),
    "reduce": lambda ns, s: ns.sparse.mm(s, ns.tensor(RIGHT), "sum"),
    "register_hook": lambda ns, s: s.register_hook(lambda g: g),
    "torch.smm": lambda ns, s: s.smm(ns.tensor(RIGHT)),
    "torch.hspmm": lambda ns, s: ns.hspmm(s, ns.tensor(RIGHT)),
    "torch.sspaddmm": lambda ns, s: ns.sspaddmm(s, s, ns.tensor(RIGHT)),
    "torch.sparse.softmax": lambda ns, s: ns.sparse.softmax(s, 1),
    "ones_like": lambda ns, s: ns.ones_like(s),
    "rand_like": lambda ns, s: ns.rand_like(s),
    "new_full": lambda ns, s: s.new_full((2,), 1.0),
    "to": lambda ns, s: s.to("meta"),
    "sparse_coo_tensor": lambda ns, s: ns.sparse_coo_tensor((2, 2), device="meta"),
    "sparse_mask": lambda ns, s: s.sparse_mask(s),
    "mul_": lambda ns, s: (s * 2).mul_(2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_missing_names_itself(name):
    with pytest.raises(NotImplementedError, match=name):
        REFUSED[name](minitorch, twice(minitorch).requires_grad_())


def batch(ns, count=2):
    """Matrices (count, 2, 3); one element is stored twice."""
    return ns.sparse_coo_tensor([[0, 0, 1, 0], [0, 1, 1, 0], [0, 2, 1, 0]], [1.0, 2.0, 3.0, 5.0], (count, 2, 3))


BATCHES = {
    "leaf": lambda ns: batch(ns).requires_grad_(),
    "made from a dense batch": lambda ns: batch(ns).to_dense().requires_grad_(),
}


@pytest.mark.parametrize("name", BATCHES)
def test_bmm_and_its_gradients_are_torchs(name):
    def run(ns):
        s, y = BATCHES[name](ns), ns.arange(12.0).reshape(2, 3, 2).requires_grad_()
        product = ns.bmm(s if s.is_sparse else s.to_sparse(), y)
        return product, ns.autograd.grad((product**2).sum(), (s, y))

    assert_same(run(minitorch), run(torch))


def test_bmm_gives_values_their_gradient():
    def gradient(ns):
        values = ns.tensor([1.0, 2.0, 5.0], requires_grad=True)
        s = ns.sparse_coo_tensor([[0, 1, 0], [0, 1, 0], [0, 2, 0]], values, (2, 2, 3))
        return ns.autograd.grad((ns.bmm(s, ns.arange(12.0).reshape(2, 3, 2)) ** 2).sum(), values)

    assert_same(gradient(minitorch), gradient(torch))


PRINTED = {
    "coalesced": sparse,
    "uncoalesced": lambda ns: twice(ns, "float32"),
    "empty": lambda ns: ns.sparse_coo_tensor((2, 3)),
    "blocks": lambda ns: ns.sparse_coo_tensor([[2, 0]], ns.ones(2, 3), (4, 3)),
    "requires_grad": lambda ns: ns.sparse_coo_tensor([[1]], [2.0], (3,), requires_grad=True),
    "integers": lambda ns: ns.sparse_coo_tensor([[1]], [2], (3,)),
}


@pytest.mark.parametrize("name", PRINTED)
def test_repr_is_torchs(name):
    ours, theirs = (repr(PRINTED[name](ns)) for ns in PAIR)
    assert ours == theirs


BAD = {
    "to_dense in a dtype": lambda ns: twice(ns).to_dense(ns.float32),
    "indices of an uncoalesced tensor": lambda ns: twice(ns).indices(),
    "values of an uncoalesced tensor": lambda ns: twice(ns).values(),
    "coalesce of a dense tensor": lambda ns: ns.ones(2).coalesce(),
    "indices of a dense tensor": lambda ns: ns.ones(2).indices(),
    "values of a dense tensor": lambda ns: ns.ones(2).values(),
    "numpy": lambda ns: twice(ns).numpy(),
    "too few values": lambda ns: ns.sparse_coo_tensor([[0, 1]], [1.0], (2,)),
    "indices without a second dimension": lambda ns: ns.sparse_coo_tensor(ns.zeros(1, 1, 1).long(), [1.0], (2,)),
    "size of another rank": lambda ns: ns.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2, 2)),
    "mm of other sizes": lambda ns: ns.sparse.mm(twice(ns), ns.ones(3, 2).double()),
    "bmm of sparse and sparse": lambda ns: ns.bmm(batch(ns), batch(ns)),
    "bmm of other sizes": lambda ns: ns.bmm(batch(ns), ns.ones(2, 2, 3)),
    "bmm of another count": lambda ns: ns.bmm(batch(ns, 3), ns.ones(2, 3, 2)),
    "bmm of a matrix": lambda ns: ns.bmm(twice(ns), ns.ones(2, 4, 3).double()),
    "bmm with a matrix": lambda ns: ns.bmm(batch(ns), ns.ones(3, 2)),
    "bmm of another dtype": lambda ns: ns.bmm(batch(ns), ns.ones(2, 3, 2).double()),
    "sparse + dense": lambda ns: twice(ns) + ns.ones(3, 4).double(),
    "cat with dense": lambda ns: ns.cat([twice(ns), ns.eye(3)]),
    "cat of other sizes": lambda ns: ns.cat([twice(ns), sparse(ns, DENSE[:2])], 1),
    "cat of blocks and elements": lambda ns: ns.cat([twice(ns), sparse(ns, DENSE, 1)]),
    "cat, dim": lambda ns: ns.cat([twice(ns)], 2),
    "norm of a dimension": lambda ns: twice(ns).norm(dim=0),
    "reshape": lambda ns: twice(ns).reshape(12),
    "flatten": lambda ns: ns.flatten(twice(ns)),
    "contiguous": lambda ns: twice(ns).contiguous(),
    "expand": lambda ns: twice(ns).expand(2, 3, 4),
    "repeat": lambda ns: twice(ns).repeat(2, 1),
    "assignment": lambda ns: twice(ns).__setitem__(0, 1),
    "storage": lambda ns: twice(ns).untyped_storage(),
    "copy_ of a dense one": lambda ns: twice(ns).copy_(ns.ones(3, 4)),
    "add_ to integers": lambda ns: sparse(ns, DENSE.astype(int)).div_(2),
    "sparse_dim too large": lambda ns: ns.ones(2).to_sparse(2),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_torchs(name):
    ours, theirs = both(BAD[name])
    assert theirs.error is not None
    assert type(ours.error).__name__ == type(theirs.error).__name__
    assert first_line(ours.error) == first_line(theirs.error)


@pytest.mark.parametrize("size", [(3, 3), (2, 4)])
def test_indices_outside_the_size_are_refused(size):
    with pytest.raises(RuntimeError, match="size is inconsistent with indices"):
        minitorch.sparse_coo_tensor([ROW, COLUMN], STORED, size)
    with pytest.raises(RuntimeError, match="found negative index -1 for dim 0"):
        minitorch.sparse_coo_tensor([[-1]], [1.0], (2,))


def test_a_write_leaves_values_that_others_hold():
    def run(ns):
        s = sparse(ns)
        values = s.values()
        s.mul_(2)
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
            s.detach().clone().requires_grad_().mul_(2)
        return values, s.stride(), s.stride(0)

    assert_same(run(minitorch), run(torch))


def test_gradients_pass_through_cat_and_stack():
    x = minitorch.tensor(DENSE, requires_grad=True)
    weight = minitorch.arange(24.0, dtype=minitorch.float64).reshape(2, 3, 4)
    y = x.to_sparse()
    (minitorch.stack([y, y]).to_dense() * weight).sum().backward()
    y = x.to_sparse()
    (minitorch.cat([y, y]).to_dense() * weight.reshape(6, 4)).sum().backward()
    assert_same(x.grad, torch.tensor(2 * weight.sum(0).numpy() * (DENSE != 0)))


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "bsc"])
def test_other_layouts_say_that_they_are_missing(kind):
    with pytest.raises(NotImplementedError, match=f"torch.sparse_{kind} is not supported"):
        minitorch.ones(2, 2).to_sparse(layout=getattr(minitorch, f"sparse_{kind}"))
    with pytest.raises(NotImplementedError, match=f"torch.sparse_{kind} is not supported"):
        getattr(minitorch.ones(2, 2), f"to_sparse_{kind}")()
    with pytest.raises(NotImplementedError, match=f"torch.sparse_{kind} is not supported"):
        getattr(minitorch, f"sparse_{kind}_tensor")([0, 1], [0], [1.0])


def test_ops_without_a_sparse_meaning_name_themselves():
    with pytest.raises(NotImplementedError, match="Could not run 'aten::cos' with arguments from the 'SparseCPU'"):
        twice(minitorch).cos()


# ---------------------------------------------------------------------- constructors of old
OLD = """
sparse.FloatTensor(tensor([[0, 1], [1, 0]]), tensor([1.0, 2.0]), Size([2, 3]))
sparse.FloatTensor(tensor([[0, 1], [1, 0]]), tensor([1.0, 2.0]).double())
sparse.LongTensor(2, 3)
sparse.DoubleTensor(Size([3]))
sparse.FloatTensor().shape
sparse.FloatTensor(2, 2).type()
sparse.FloatTensor, sparse.HalfTensor.dtype, sparse.FloatTensor.is_sparse, FloatTensor.is_sparse
[isinstance(x, t) for x in (ones(2), sparse.FloatTensor(2)) for t in (FloatTensor, sparse.FloatTensor)]
"""


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("expression", OLD.strip().splitlines())
def test_constructors_of_old_are_torchs(expression):
    assert repr(eval(expression, dict(vars(minitorch), sparse=minitorch.sparse))) == repr(
        eval(expression, dict(vars(torch)))
    )


def test_constructors_of_old_warn():
    with pytest.warns(UserWarning, match=r"SparseTensor\(indices, values, shape, \*, device=\) is deprecated"):
        minitorch.sparse.FloatTensor(minitorch.tensor([[0], [1]]), minitorch.ones(1), (2, 2))
