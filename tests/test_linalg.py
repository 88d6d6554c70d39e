"""Linear algebra against torch: values, gradients, double gradients, named results and errors."""

import warnings

import numpy as np
import pytest
import torch
from compare import EverySample, array_of, assert_close, assert_same, both, first_line, outcome

import minitorch
from minitorch._ops.deprecated import warn_deprecated

pytestmark = pytest.mark.filterwarnings("ignore:.*(deprecated|torch.lu_solve|torch.lu):UserWarning")  # torch's


def random(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape)


def positive(*shape):
    a = random(*shape, shape[-1])
    return a @ a.swapaxes(-1, -2) + np.eye(shape[-1])


def lower(*shape):
    return np.tril(random(*shape, shape[-1])) + 3 * np.eye(shape[-1])


def lu_of(ns, a):
    return ns.linalg.lu_factor(a)


SQUARE = random(3, 3), random(2, 3, 3), random(2, 0, 4, 4), random(0, 0), random(1, 1), random(40, 40) / 6
RECTANGULAR = (*SQUARE[:5], random(5, 3), random(3, 5), random(2, 4, 2), random(0, 3), random(3, 0))
SYMMETRIC = positive(3), positive(2, 4), positive(1), positive(0)

# what is differentiated is the same for both signs of a singular or eigenvector
UNARY = {
    "cholesky": (lambda ns, a: ns.linalg.cholesky(a), SYMMETRIC),
    "cholesky upper": (lambda ns, a: ns.linalg.cholesky(a, upper=True), SYMMETRIC),
    "torch.cholesky": (lambda ns, a: a.cholesky(), SYMMETRIC),
    "cholesky_ex": (lambda ns, a: ns.linalg.cholesky_ex(a), SYMMETRIC),
    "cholesky_inverse": (lambda ns, a: ns.cholesky_inverse(a), (lower(3), lower(2, 3))),
    "cholesky_inverse upper": (lambda ns, a: ns.cholesky_inverse(a.mT, True), (lower(3), lower(2, 3))),
    "lu": (lambda ns, a: ns.linalg.lu(a), RECTANGULAR),
    "lu_factor": (lambda ns, a: ns.linalg.lu_factor(a), RECTANGULAR),
    "lu_factor_ex": (lambda ns, a: ns.linalg.lu_factor_ex(a), RECTANGULAR),
    "Tensor.lu": (lambda ns, a: a.lu(get_infos=True), RECTANGULAR),
    "lu_unpack": (lambda ns, a: ns.lu_unpack(*ns.linalg.lu_factor(a)), RECTANGULAR),
    "qr": (lambda ns, a: ns.linalg.qr(a), RECTANGULAR),
    "qr complete": (lambda ns, a: ns.linalg.qr(a, "complete"), (random(3, 3), random(3, 5))),
    "torch.qr": (lambda ns, a: a.qr(), RECTANGULAR),
    "eigvalsh": (lambda ns, a: ns.linalg.eigvalsh(a + a.mT), SQUARE),
    "eigvalsh U": (lambda ns, a: ns.linalg.eigvalsh(a, UPLO="U"), SQUARE[:2]),
    "eigh": (lambda ns, a: [x * x for x in ns.linalg.eigh(a + a.mT)], SQUARE),
    "eigh of one triangle": (lambda ns, a: [x * x for x in ns.linalg.eigh(a)], SQUARE[:2]),
    "svdvals": (lambda ns, a: ns.linalg.svdvals(a), RECTANGULAR),
    "svd": (lambda ns, a: [x * x for x in ns.linalg.svd(a, False)], RECTANGULAR),
    "svd of all": (lambda ns, a: ns.linalg.svd(a).S, RECTANGULAR),
    "torch.svd": (lambda ns, a: a.svd().V.square(), RECTANGULAR),
    "inv": (lambda ns, a: ns.linalg.inv(a), SQUARE),
    "inv_ex": (lambda ns, a: ns.linalg.inv_ex(a), SQUARE),
    "inverse": (lambda ns, a: a.inverse(), SQUARE),
    "det": (lambda ns, a: ns.linalg.det(a), SQUARE),
    "det of singular": (lambda ns, a: a.det(), (np.diag([2.0, 0.0, 3.0]), np.diag([2.0, 3.0, 4.0, 0.0]))),
    "slogdet": (lambda ns, a: ns.linalg.slogdet(a), SQUARE),
    "torch.slogdet": (lambda ns, a: a.slogdet(), SQUARE),
    "logdet": (lambda ns, a: a.logdet(), SYMMETRIC),
    "logdet of negative": (lambda ns, a: a.logdet(), (np.diag([-1.0, 2.0]),)),
    "pinv": (lambda ns, a: ns.linalg.pinv(a), RECTANGULAR),
    "pinv tolerant": (lambda ns, a: ns.linalg.pinv(a, atol=0.9, rtol=0.3), RECTANGULAR[:2]),
    "pinv hermitian": (lambda ns, a: ns.linalg.pinv(a + a.mT, hermitian=True), SQUARE[:2]),
    "pinverse": (lambda ns, a: a.pinverse(), (random(4, 2) @ random(2, 3),)),
    "matrix_exp": (lambda ns, a: ns.matrix_exp(a), SQUARE),
    "matrix_exp scaled": (lambda ns, a: ns.linalg.matrix_exp(a), (30 * random(2, 3, 3), np.zeros((2, 2)))),
    "matrix_power": (lambda ns, a: [a.matrix_power(n) for n in (0, 1, 2, 3, 5)], SQUARE[:2]),
    "matrix_power of inverse": (lambda ns, a: ns.linalg.matrix_power(a, -2), SQUARE[:2]),
    "matrix_rank": (lambda ns, a: ns.linalg.matrix_rank(a), (*RECTANGULAR, random(4, 2) @ random(2, 3))),
    "matrix_rank tolerant": (lambda ns, a: ns.linalg.matrix_rank(a, atol=0.9, rtol=0.3), RECTANGULAR[:2]),
    "matrix_rank hermitian": (lambda ns, a: ns.linalg.matrix_rank(a, hermitian=True), SYMMETRIC[:3]),
    "tensorinv": (lambda ns, a: ns.linalg.tensorinv(a, ind=1), (random(6, 2, 3),)),
    "vander": (lambda ns, a: ns.linalg.vander(a, N=4), (random(3), random(2, 3))),
    "torch.vander": (lambda ns, a: [ns.vander(a.detach(), *n) for n in ((), (2, True), (0,))], (random(3),)),
    "trace": (lambda ns, a: a.trace(), (random(3, 3), random(2, 3), random(0, 2))),
    "diagonal": (lambda ns, a: ns.linalg.diagonal(a, offset=1), RECTANGULAR),
    "householder_product": (
        lambda ns, a: ns.linalg.householder_product(a, a[..., 0, :]), (random(3, 3), random(2, 4, 2)),
    ),
    "ormqr": (
        lambda ns, a: [a.ormqr(a[..., 0, :], a[..., :2], t, s) for t, s in ((True, False), (True, True))],
        (random(3, 3), random(2, 4, 2)),
    ),
    "ormqr right": (lambda ns, a: a.ormqr(a[..., 0, :], a.mT, False), (random(3, 3), random(2, 4, 2))),
    "cond": (lambda ns, a: [ns.linalg.cond(a), ns.linalg.cond(a, -2)], (*RECTANGULAR[:2], random(5, 3))),
}  # fmt: skip

BINARY = {
    "solve": (lambda ns, a, b: ns.linalg.solve(a, b), (
        (random(3, 3), random(3)), (random(3, 3), random(3, 2)), (random(2, 3, 3), random(3, 4)),
        (random(2, 3, 3), random(2, 3)), (random(3, 3), random(2, 3, 1)), (random(0, 0), random(0, 2)),
    )),
    "solve from the right": (lambda ns, a, b: ns.linalg.solve(a, b, left=False), ((random(3, 3), random(2, 3)),)),
    "solve_ex": (lambda ns, a, b: ns.linalg.solve_ex(a, b), ((random(3, 3), random(3)),)),
    "solve_triangular": (
        lambda ns, a, b: [
            ns.linalg.solve_triangular(x, b, upper=u, unitriangular=unit)
            for x, u in ((a, False), (a.mT, True)) for unit in (False, True)
        ],
        ((lower(3), random(3, 2)), (lower(2, 3), random(3, 2)),
         (lower(70) / 9, random(70, 2)), (lower(0), random(0, 2))),
    ),
    "solve_triangular from the right": (
        lambda ns, a, b: ns.linalg.solve_triangular(a, b, upper=True, left=False), ((lower(3), random(2, 3)),)
    ),
    "triangular_solve": (
        lambda ns, b, a: [b.triangular_solve(a, u, t) for u in (True, False) for t in (True, False)],
        ((random(3, 2), lower(3)), (random(3, 2), lower(2, 3))),
    ),
    "cholesky_solve": (
        lambda ns, b, a: [b.cholesky_solve(a), b.cholesky_solve(a, True)],
        ((random(3, 2), lower(3)), (random(3, 2), lower(2, 3))),
    ),
    "lu_solve": (
        lambda ns, a, b: [
            ns.linalg.lu_solve(*lu_of(ns, a), b), ns.linalg.lu_solve(*lu_of(ns, a), b, adjoint=True),
            ns.linalg.lu_solve(*lu_of(ns, a), b.mT, left=False), b.lu_solve(*lu_of(ns, a)),
        ], ((random(3, 3), random(3, 2)), (random(2, 3, 3), random(2, 3, 1))),
    ),
    "lstsq": (lambda ns, a, b: ns.linalg.lstsq(a, b), (
        (random(4, 3), random(4, 2)), (random(3, 4), random(3, 2)), (random(2, 4, 3), random(2, 4)),
    )),
    "lstsq gelsd": (lambda ns, a, b: ns.linalg.lstsq(a, b, driver="gelsd"), ((random(4, 3), random(4, 2)),)),
    "lstsq gels": (lambda ns, a, b: ns.linalg.lstsq(a, b, driver="gels"), ((random(4, 3), random(4, 2)),)),
    "tensorsolve": (lambda ns, a, b: ns.linalg.tensorsolve(a, b), ((random(2, 3, 6), random(2, 3)),)),
    "tensorsolve moved": (lambda ns, a, b: ns.linalg.tensorsolve(a, b, dims=(0,)), ((random(6, 2, 3), random(2, 3)),)),
    "kron": (lambda ns, a, b: ns.kron(a, b), ((random(2, 3), random(2)), (random(2), random(3, 1, 2)))),
    "inner": (
        lambda ns, a, b: a.inner(b), ((random(2, 3), random(4, 3)), (random(3), random(3)), (random(2), random())),
    ),
    "vdot": (lambda ns, a, b: a.vdot(b), ((random(3), random(3)),)),
    "vecdot": (lambda ns, a, b: ns.linalg.vecdot(a, b, dim=0), ((random(3, 2), random(3, 1)), (random(3), random(3)))),
    "cross": (lambda ns, a, b: a.cross(b), ((random(2, 3), random(2, 3)), (random(3, 3), random(3, 3)))),
    "linalg.cross": (lambda ns, a, b: ns.linalg.cross(a, b), ((random(2, 3), random(1, 3)),)),
    "tensordot": (lambda ns, a, b: [ns.tensordot(a, b, 1), ns.tensordot(a, b, ([0, 2], [2, 0]))], (
        (random(2, 4, 3), random(3, 4, 2)), (random(2, 4, 1), random(3, 4, 2)),
    )),
    "tensordot of all": (lambda ns, a, b: ns.tensordot(a, b), ((random(2, 3), random(2, 3)),)),
    "addmv": (lambda ns, a, b: ns.addmv(b, a, b, alpha=2, beta=0.5), ((random(3, 3), random(3)),)),
    "addr": (
        lambda ns, a, b: ns.addr(a, b, b, alpha=2, beta=0.5), ((random(3, 3), random(3)), (random(1, 3), random(3))),
    ),
    "addmm": (lambda ns, a, b: b.addmm(a, a, beta=0), ((random(3, 3), random(3)), (random(3, 3), random(1, 3)))),
    "baddbmm": (
        lambda ns, a, b: b.baddbmm(a, a, alpha=-1, beta=3),
        ((random(2, 3, 3), random(3)), (random(0, 3, 3), random(3))),
    ),
    "addbmm": (
        lambda ns, a, b: b.addbmm(a, a, alpha=-1, beta=3), ((random(2, 3, 3), random(3)), (random(0, 3, 3), random(3))),
    ),
    "multi_dot": (lambda ns, a, b: [
        ns.linalg.multi_dot([b, a, a, b]), ns.linalg.multi_dot([a, b]), ns.chain_matmul(a, a, a), ns.chain_matmul(a),
    ], ((random(3, 3), random(3)),)),
}  # fmt: skip


def gradients(ns, function, arrays):
    """Values, the first gradients of a weighting of them, and the gradients of those by inputs and weights."""
    tensors = [ns.tensor(a, requires_grad=True) for a in arrays]
    value = function(ns, *tensors)
    flat = list(value) if isinstance(value, (tuple, list)) else [value]
    flat = [v for f in flat for v in (f if isinstance(f, (tuple, list)) else [f])]
    outputs = [v for v in flat if v.requires_grad]
    if not outputs:
        return value, None, None
    rng = np.random.default_rng(1)
    weights = [ns.tensor(rng.uniform(0.5, 1.5, tuple(o.shape)), requires_grad=True) for o in outputs]
    first = ns.autograd.grad(outputs, tensors, weights, create_graph=True, allow_unused=True)
    again = [g for g in first if g is not None and g.requires_grad]
    seeds = [ns.tensor(rng.uniform(0.5, 1.5, tuple(g.shape))) for g in again]
    second = ns.autograd.grad(again, [*tensors, *weights], seeds, allow_unused=True) if again else ()
    return value, first, second


def arrays_of(tensors, like):
    """Gradients as arrays; None is zero."""
    return [np.zeros(np.shape(a)) if t is None else array_of(t) for t, a in zip(tensors, like)]


def assert_gradients(ours, theirs, arrays, tolerance=1e-8):
    assert_same(list(ours[0]) if isinstance(ours[0], tuple) else ours[0],
                list(theirs[0]) if isinstance(theirs[0], tuple) else theirs[0], tolerance)  # fmt: skip
    assert (ours[1] is None) == (theirs[1] is None), "requires_grad of the outputs"
    if ours[1] is None:
        return
    for a, b in zip(arrays_of(ours[1], arrays), arrays_of(theirs[1], arrays)):
        np.testing.assert_allclose(a, b, tolerance, tolerance * max(1, np.abs(b).max(initial=0)))
    for a, b in zip(ours[2], theirs[2]):
        if b is not None and np.isfinite(array_of(b)).all():
            a = np.zeros(b.shape) if a is None else array_of(a)
            np.testing.assert_allclose(
                a, array_of(b), tolerance, 10 * tolerance * max(1, np.abs(array_of(b)).max(initial=0))
            )


@pytest.mark.parametrize("name", UNARY)
def test_values_and_gradients_of_a_matrix_are_torchs(name):
    function, inputs = UNARY[name]
    with EverySample() as sample:
        for a in inputs:
            with sample(name, a.shape):
                assert_gradients(gradients(minitorch, function, [a]), gradients(torch, function, [a]), [a])


@pytest.mark.parametrize("name", BINARY)
def test_values_and_gradients_of_two_are_torchs(name):
    function, inputs = BINARY[name]
    with EverySample() as sample:
        for arrays in inputs:
            with sample(name, [a.shape for a in arrays]):
                assert_gradients(gradients(minitorch, function, arrays), gradients(torch, function, arrays), arrays)


def test_results_are_named_as_torchs():
    a = positive(3)
    calls = {
        "cholesky_ex": lambda ns, a: ns.linalg.cholesky_ex(a), "lu": lambda ns, a: ns.linalg.lu(a),
        "lu_factor": lambda ns, a: ns.linalg.lu_factor(a), "lu_factor_ex": lambda ns, a: ns.linalg.lu_factor_ex(a),
        "lu_unpack": lambda ns, a: ns.lu_unpack(*ns.linalg.lu_factor(a)), "qr": lambda ns, a: ns.linalg.qr(a),
        "torch.qr": lambda ns, a: ns.qr(a), "svd": lambda ns, a: ns.linalg.svd(a), "torch.svd": lambda ns, a: ns.svd(a),
        "eigh": lambda ns, a: ns.linalg.eigh(a), "inv_ex": lambda ns, a: ns.linalg.inv_ex(a),
        "solve_ex": lambda ns, a: ns.linalg.solve_ex(a, a), "slogdet": lambda ns, a: ns.linalg.slogdet(a),
        "torch.slogdet": lambda ns, a: ns.slogdet(a), "geqrf": lambda ns, a: ns.geqrf(a),
        "lstsq": lambda ns, a: ns.linalg.lstsq(a, a), "triangular_solve": lambda ns, a: ns.triangular_solve(a, a),
        "lu with info": lambda ns, a: ns.lu(a, get_infos=True),
    }  # fmt: skip
    with EverySample() as sample:
        for name, call in calls.items():
            ours, theirs = call(minitorch, minitorch.tensor(a)), call(torch, torch.tensor(a))
            with sample(name):
                assert type(ours).__name__ == type(theirs).__name__
                assert ours._fields == tuple(k for k in type(theirs).__dict__ if k in ours._fields)
                assert repr(ours).split("=")[0] == repr(theirs).split("=")[0]


def test_eigenvalues_of_general_matrices_say_that_complex_numbers_are_missing():
    for name in ("eig", "eigvals"):
        with pytest.raises(NotImplementedError, match="complex"):
            getattr(minitorch.linalg, name)(minitorch.eye(2))


def test_integer_products_are_torchs():
    rng = np.random.default_rng(0)
    with EverySample() as sample:
        for dtype in ("int64", "int32", "int16", "int8", "uint8"):
            a, b = (rng.integers(0, 100, s).astype(dtype) for s in ((2, 3, 4), (2, 4, 5)))
            calls = {
                "bmm": lambda ns, a, b: ns.bmm(a, b), "mm": lambda ns, a, b: a[0] @ b[0],
                "mv": lambda ns, a, b: a[0] @ b[0, :, 0],
                "dot": lambda ns, a, b: a[0, 0].dot(b[0, :, 0]),
                "addmm": lambda ns, a, b: ns.addmm(a[0, :, :1], a[0], b[0], alpha=2.7),
                "addbmm": lambda ns, a, b: ns.addbmm(a[0, :, :1], a, b, beta=2),
                "tensordot": lambda ns, a, b: ns.tensordot(a[0], b[0], 1),
                "trace": lambda ns, a, b: a[0].trace(), "kron": lambda ns, a, b: ns.kron(a[0], b[0]),
                "power": lambda ns, a, b: ns.matrix_power(a[0, :, :3], 3),
            }  # fmt: skip
            for name, call in calls.items():
                ours, theirs = both(lambda ns: call(ns, ns.from_numpy(a), ns.from_numpy(b)))
                with sample(dtype, name):
                    assert_same(ours.value, theirs.value)


def test_inplace_products_write_to_their_own_tensor():
    shapes_of = {
        "addmm_": ((2, 4), (2, 3), (3, 4)),
        "addmv_": ((2,), (2, 3), (3,)),
        "addr_": ((2, 3), (2,), (3,)),
        "baddbmm_": ((2, 2, 4), (2, 2, 3), (2, 3, 4)),
        "addbmm_": ((2, 4), (3, 2, 3), (3, 3, 4)),
    }
    for name, shapes in shapes_of.items():
        results = []
        for ns in (minitorch, torch):
            x, *others = [ns.tensor(random(*s)) for s in shapes]
            assert getattr(x, name)(*others, beta=0.5, alpha=2) is x
            results.append(x.numpy())
        np.testing.assert_allclose(*results)


def test_out_receives_the_results():
    a = minitorch.tensor(positive(3))
    Q, R = minitorch.empty(0, dtype=a.dtype), minitorch.empty(0, dtype=a.dtype)
    minitorch.linalg.qr(a, out=(Q, R))
    np.testing.assert_allclose((Q @ R).numpy(), a.numpy())
    result = minitorch.empty(3, 3, dtype=a.dtype)
    minitorch.linalg.inv(a, out=result)
    np.testing.assert_allclose((result @ a).numpy(), np.eye(3), atol=1e-12)


def test_equal_singular_values_leave_the_gradient_of_the_values_finite():
    a = minitorch.eye(3, dtype=minitorch.float64).requires_grad_()
    minitorch.linalg.svd(a).S.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), np.eye(3), atol=1e-12)
    a.grad = None
    minitorch.linalg.eigh(a).eigenvalues.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), np.eye(3), atol=1e-12)


def test_approximations_of_low_rank_find_a_matrix_of_low_rank():
    minitorch.manual_seed(0)
    a = minitorch.tensor(random(8, 2) @ random(2, 6))
    for x in (a, a.mT):
        U, S, V = minitorch.svd_lowrank(x, q=2)
        np.testing.assert_allclose((U * S @ V.mT).numpy(), x.numpy(), atol=1e-9)
        U, S, V = minitorch.pca_lowrank(x, q=3)
        np.testing.assert_allclose((U * S @ V.mT).numpy(), (x - x.mean(0)).numpy(), atol=1e-9)


def test_orthogonal_init_gives_orthogonal_matrices():
    w = minitorch.nn.init.orthogonal_(minitorch.empty(4, 3))
    np.testing.assert_allclose((w.mT @ w).numpy(), np.eye(3), atol=1e-5)


@pytest.mark.parametrize("driver", ["gelsy", "gelsd"])
def test_least_squares_of_a_broadcast_matrix_are_torchs(driver):
    ours, theirs = (
        ns.linalg.lstsq(ns.tensor(random(1, 5, 3)), ns.tensor(random(2, 5, 2)), driver=driver)
        for ns in (minitorch, torch)
    )
    for mine, its in zip(ours, theirs, strict=True):
        assert_same(mine, its, 1e-10)


LAID_OUT = {
    "lu_factor": lambda ns, a, b: ns.linalg.lu_factor(a),
    "lu": lambda ns, a, b: ns.linalg.lu(a[..., :3]),
    "qr": lambda ns, a, b: ns.linalg.qr(a[..., :3]),
    "svd": lambda ns, a, b: [*ns.linalg.svd(a[..., :3]), *ns.svd(a)],
    "eigh": lambda ns, a, b: ns.linalg.eigh(a),
    "cholesky": lambda ns, a, b: [ns.linalg.cholesky(a), ns.linalg.cholesky(a, upper=True), ns.cholesky_inverse(a)],
    "inv": lambda ns, a, b: [ns.linalg.inv(a), ns.linalg.matrix_power(a, -1)],
    "solve": lambda ns, a, b: [ns.linalg.solve(a, b), ns.linalg.solve(a, b.mT, left=False), ns.cholesky_solve(b, a)],
    "solve of vectors": lambda ns, a, b: ns.linalg.solve(a, b[..., 0]),
    "lu_solve": lambda ns, a, b: ns.linalg.lu_solve(*ns.linalg.lu_factor(a), b),
    "lu_solve right": lambda ns, a, b: ns.linalg.lu_solve(*ns.linalg.lu_factor(a), b.mT, left=False),
    "solve_triangular": lambda ns, a, b: ns.linalg.solve_triangular(a, b, upper=True),
    "solve_triangular right": lambda ns, a, b: ns.linalg.solve_triangular(a, b.mT, upper=False, left=False),
    "triangular_solve": lambda ns, a, b: ns.triangular_solve(b, a),
    "lstsq": lambda ns, a, b: ns.linalg.lstsq(a[..., :3], b).solution,
    "geqrf": lambda ns, a, b: ns.geqrf(a),
    "householder_product": lambda ns, a, b: ns.linalg.householder_product(a, a[..., 0]),
    "ormqr": lambda ns, a, b: ns.ormqr(a, a[..., 0], b),
}


@pytest.mark.parametrize("name", LAID_OUT)
@pytest.mark.parametrize("lead", [(), (2,)])
def test_results_are_laid_out_by_columns_where_torchs_are(name, lead):
    a, b = np.broadcast_to(positive(5), (*lead, 5, 5)), random(*lead, 5, 4)
    ours, theirs = (LAID_OUT[name](ns, ns.tensor(a), ns.tensor(b)) for ns in (minitorch, torch))
    for x, y in zip(*(r if isinstance(r, (tuple, list)) else [r] for r in (ours, theirs)), strict=True):
        assert (tuple(x.shape), x.stride()) == (tuple(y.shape), y.stride())


def test_lobpcg_says_that_it_is_missing():
    with pytest.raises(NotImplementedError, match="lobpcg is not supported by minitorch"):
        minitorch.lobpcg(minitorch.eye(9), 1)


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.parametrize(
    "call",
    [
        lambda ns, a: ns.cholesky(a),
        lambda ns, a: a.qr(),
        lambda ns, a: a.lu(),
        lambda ns, a: ns.lu_solve(a, *ns.linalg.lu_factor(a)),
        lambda ns, a: ns.triangular_solve(a, a),
        lambda ns, a: ns.chain_matmul(a, a),
        lambda ns, a: ns.frobenius_norm(a, 0),
        lambda ns, a: ns.nuclear_norm(a),
    ],
)
def test_what_torch_replaced_is_warned_of_once(call):
    def text(ns):
        with pytest.warns(UserWarning, match="is deprecated") as seen:
            call(ns, ns.eye(3))
        return [first_line(w.message) for w in seen]

    warn_deprecated.cache_clear()
    ours = text(minitorch)
    with warnings.catch_warnings(action="error"):
        call(minitorch, minitorch.eye(3))
    torch.set_warn_always(True)
    try:
        assert ours == text(torch)
    finally:
        torch.set_warn_always(False)


def linear_with_bias(ns, shape, bias):
    x, w, b = (ns.tensor(random(*s), requires_grad=True) for s in (shape, (5, 4), bias))
    out = ns.nn.functional.linear(x, w, b)
    (out * ns.tensor(random(*out.shape))).sum().backward()
    return out, type(out.grad_fn).__name__, x.grad, w.grad, b.grad


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (4,)])
@pytest.mark.parametrize("bias", [(5,), (1,), (), (3, 5), (1, 5), (2, 3, 5), (2, 1, 5), (3, 1), (4, 5)])
def test_a_bias_of_linear_broadcasts_as_torchs(shape, bias):
    ours, theirs = (outcome(linear_with_bias, ns, shape, bias) for ns in (minitorch, torch))
    assert (ours.error is None) == (theirs.error is None)
    if ours.error is None:
        assert_same(ours.value, theirs.value)
    else:
        assert (type(ours.error), first_line(ours.error)) == (type(theirs.error), first_line(theirs.error))


def test_a_bias_for_each_row_is_batched():
    x, w, b = (minitorch.tensor(random(*s)) for s in ((6, 3, 4), (5, 4), (3, 5)))
    linear = minitorch.nn.functional.linear
    batched = minitorch.vmap(linear, (0, None, None))(x, w, b)
    assert_close(batched.numpy(), np.stack([linear(v, w, b).numpy() for v in x]))
