"""Bad matrices and wrong calls of linalg are refused as by torch."""

import pytest
from compare import EverySample, both, first_line

pytestmark = pytest.mark.filterwarnings("ignore:.*(deprecated|torch.lu_solve|torch.lu):UserWarning")  # torch's

BAD = {
    "not positive": ("cholesky cholesky_ex", lambda ns: ns.tensor([[[1.0, 0], [0, 1]], [[1.0, 2], [2, 1]]])),
    "singular": (
        "inv det slogdet lu_factor matrix_rank", lambda ns: ns.tensor([[[1.0, 0], [0, 1]], [[1.0, 2], [2, 4]]]),
    ),
    "one singular": ("inv solve lu_factor cond", lambda ns: ns.zeros(2, 2)),
    "rectangular": ("cholesky cholesky_ex inv det slogdet eigh eigvalsh matrix_exp matrix_power solve cond",
                    lambda ns: ns.ones(2, 3)),
    "vector": ("cholesky inv det slogdet eigh eigvalsh matrix_exp matrix_power qr svd svdvals lu lu_factor pinv cond "
               "matrix_rank solve", lambda ns: ns.ones(3)),
    "integers": ("cholesky inv det slogdet eigh eigvalsh matrix_exp qr svd svdvals lu lu_factor pinv matrix_rank solve",
                 lambda ns: ns.ones(3, 3, dtype=ns.int64)),
    "halves": ("cholesky inv det slogdet eigh eigvalsh qr svd svdvals lu lu_factor pinv matrix_rank solve",
               lambda ns: ns.ones(3, 3).half()),
    "nan": ("svd svdvals pinv", lambda ns: ns.full((3, 3), float("nan"))),
}  # fmt: skip


def second_argument(name, a, ns):
    return {"solve": (ns.ones(a.shape[-1], dtype=a.dtype),), "matrix_power": (2,)}.get(name, ())


def assert_torchs_error(ours, theirs):
    assert (ours.error is None) == (theirs.error is None), f"{ours.error!r} instead of {theirs.error!r}"
    if theirs.error is not None:
        assert type(ours.error).__name__ == type(theirs.error).__name__
        assert first_line(ours.error).split(" (error code")[0] == first_line(theirs.error).split(" (error code")[0]


@pytest.mark.parametrize("kind", BAD)
def test_errors_of_bad_matrices_are_torchs(kind):
    names, make = BAD[kind]
    with EverySample() as sample:
        for name in names.split():
            ours, theirs = both(lambda ns: getattr(ns.linalg, name)(make(ns), *second_argument(name, make(ns), ns)))
            with sample(kind, name):
                assert_torchs_error(ours, theirs)


WRONG_CALLS = {
    "UPLO": lambda ns: ns.linalg.eigh(ns.eye(2), UPLO="X"),
    "driver": lambda ns: ns.linalg.svd(ns.eye(2), driver="gesvd"),
    "qr mode": lambda ns: ns.linalg.qr(ns.eye(2), mode="x"),
    "lu pivot": lambda ns: ns.linalg.lu(ns.eye(2), pivot=False),
    "qr r": lambda ns: ns.linalg.qr(ns.ones(3, 2, requires_grad=True), mode="r").R.sum().backward(),
    "qr complete": lambda ns: ns.linalg.qr(ns.ones(3, 2, requires_grad=True), mode="complete").R.sum().backward(),
    "geqrf": lambda ns: ns.geqrf(ns.ones(3, 2, requires_grad=True)).a.sum().backward(),
    "inv_ex": lambda ns: ns.linalg.inv_ex(ns.zeros(2, 2), check_errors=True),
    "cholesky_ex": lambda ns: ns.linalg.cholesky_ex(ns.zeros(2, 2), check_errors=True),
    "lu_factor_ex": lambda ns: ns.linalg.lu_factor_ex(ns.zeros(2, 2), check_errors=True),
    "solve_ex": lambda ns: ns.linalg.solve_ex(ns.zeros(2, 2), ns.ones(2), check_errors=True),
    "solve batch": lambda ns: ns.linalg.solve(ns.ones(2, 3, 3), ns.ones(3, 3, 1)),
    "solve shape": lambda ns: ns.linalg.solve(ns.eye(3), ns.ones(2, 1)),
    "solve right": lambda ns: ns.linalg.solve(ns.eye(3), ns.ones(2, 2), left=False),
    "solve dtype": lambda ns: ns.linalg.solve(ns.eye(3), ns.ones(3, dtype=ns.float64)),
    "solve number": lambda ns: ns.linalg.solve(ns.eye(3), ns.tensor(1.0)),
    "triangular vector": lambda ns: ns.linalg.solve_triangular(ns.eye(3), ns.ones(3), upper=True),
    "triangular shape": lambda ns: ns.linalg.solve_triangular(ns.eye(3), ns.ones(2, 1), upper=True),
    "triangular_solve": lambda ns: ns.triangular_solve(ns.ones(2, 1), ns.eye(3)),
    "triangular_solve vector": lambda ns: ns.triangular_solve(ns.ones(3), ns.eye(3)),
    "cholesky_solve": lambda ns: ns.cholesky_solve(ns.ones(2, 1), ns.eye(3)),
    "cholesky_solve vector": lambda ns: ns.cholesky_solve(ns.ones(3, 1), ns.ones(3)),
    "cholesky_inverse": lambda ns: ns.cholesky_inverse(ns.zeros(2, 2)),
    "lu_solve dtype": lambda ns: ns.linalg.lu_solve(ns.eye(3), ns.ones(3, dtype=ns.int64), ns.ones(3, 1)),
    "lu_solve count": lambda ns: ns.linalg.lu_solve(ns.eye(3), ns.ones(2, dtype=ns.int32), ns.ones(3, 1)),
    "lu_solve zero": lambda ns: ns.linalg.lu_solve(ns.eye(3), ns.zeros(3, dtype=ns.int32), ns.ones(3, 1)),
    "lu_unpack dtype": lambda ns: ns.lu_unpack(ns.eye(3), ns.ones(3, dtype=ns.int64)),
    "lu_unpack zero": lambda ns: ns.lu_unpack(ns.eye(3), ns.zeros(3, dtype=ns.int32)),
    "lstsq shape": lambda ns: ns.linalg.lstsq(ns.eye(3), ns.ones(2, 1)),
    "lstsq dtype": lambda ns: ns.linalg.lstsq(ns.eye(3), ns.ones(3, 1, dtype=ns.float64)),
    "lstsq driver": lambda ns: ns.linalg.lstsq(ns.eye(3), ns.ones(3, 1), driver="x"),
    "lstsq dims": lambda ns: ns.linalg.lstsq(ns.ones(2, 4, 3), ns.ones(4)),
    "tensorinv": lambda ns: ns.linalg.tensorinv(ns.ones(2, 3, 4), ind=1),
    "tensorinv ind": lambda ns: ns.linalg.tensorinv(ns.eye(2), ind=0),
    "tensorsolve": lambda ns: ns.linalg.tensorsolve(ns.ones(2, 3), ns.ones(2)),
    "householder tau": lambda ns: ns.linalg.householder_product(ns.ones(3, 2), ns.ones(3)),
    "householder wide": lambda ns: ns.linalg.householder_product(ns.ones(2, 3), ns.ones(2)),
    "ormqr": lambda ns: ns.ormqr(ns.ones(3, 2), ns.ones(2), ns.ones(2, 3)),
    "matrix_power": lambda ns: ns.matrix_power(ns.eye(2), 2.0),
    "cond": lambda ns: ns.linalg.cond(ns.eye(2), p=3),
    "vander": lambda ns: ns.linalg.vander(ns.ones(3), N=1),
    "torch.vander": lambda ns: ns.vander(ns.ones(3), -1),
    "trace": lambda ns: ns.trace(ns.ones(3)),
    "cross": lambda ns: ns.cross(ns.ones(2, 4), ns.ones(2, 4)),
    "linalg.cross": lambda ns: ns.linalg.cross(ns.ones(2, 3), ns.ones(4, 3)),
    "inner": lambda ns: ns.inner(ns.ones(2, 3), ns.ones(2)),
    "vecdot": lambda ns: ns.linalg.vecdot(ns.ones(3), ns.ones(3, dtype=ns.float64)),
    "vecdot integers": lambda ns: ns.linalg.vecdot(ns.ones(3, dtype=ns.int64), ns.ones(3, dtype=ns.int64)),
    "tensordot": lambda ns: ns.tensordot(ns.ones(2, 3), ns.ones(2, 3), dims=1),
    "tensordot many": lambda ns: ns.tensordot(ns.ones(2, 3), ns.ones(2, 3), dims=3),
    "tensordot lists": lambda ns: ns.tensordot(ns.ones(2, 3), ns.ones(2, 3), dims=([0], [0, 1])),
    "multi_dot": lambda ns: ns.linalg.multi_dot([ns.ones(2, 3)]),
    "multi_dot middle": lambda ns: ns.linalg.multi_dot([ns.ones(2, 3), ns.ones(3), ns.ones(2, 2)]),
    "multi_dot shapes": lambda ns: ns.linalg.multi_dot([ns.ones(2, 3), ns.ones(2, 2), ns.ones(3, 3)]),
    "chain_matmul": lambda ns: ns.chain_matmul(ns.ones(3), ns.ones(3, 4)),
    "addmm shape": lambda ns: ns.addmm(ns.ones(3), ns.ones(2, 3), ns.ones(3, 4)),
    "addmm dtype": lambda ns: ns.addmm(ns.ones(4, dtype=ns.float64), ns.ones(2, 3), ns.ones(3, 4)),
    "addmm_": lambda ns: ns.ones(4).addmm_(ns.ones(2, 3), ns.ones(3, 4)),
    "addmv": lambda ns: ns.addmv(ns.ones(3), ns.ones(2, 3), ns.ones(3)),
    "addr": lambda ns: ns.addr(ns.ones(2, 4).long(), ns.ones(2).long(), ns.ones(4).long(), alpha=0.5),
    "addbmm": lambda ns: ns.addbmm(ns.ones(4), ns.ones(3, 2, 3), ns.ones(2, 3, 4)),
    "baddbmm": lambda ns: ns.baddbmm(ns.ones(4, dtype=ns.float64), ns.ones(2, 2, 3), ns.ones(2, 3, 4)),
    "bilinear": lambda ns: ns.nn.functional.bilinear(ns.ones(2, 3), ns.ones(3, 4), ns.ones(5, 3, 4)),
    "bilinear bias": lambda ns: ns.nn.functional.bilinear(ns.ones(2, 3), ns.ones(2, 4), ns.ones(5, 3, 4), ns.ones(4)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_errors_of_wrong_calls_are_torchs(name):
    ours, theirs = both(WRONG_CALLS[name])
    assert theirs.error is not None
    assert_torchs_error(ours, theirs)
