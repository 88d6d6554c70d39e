"""Gradients against finite differences.

The full check compares the Jacobian of each output with respect to each input, entry by entry: a
column of the numerical one is a central difference, a column of the analytical one is a backward
pass from one element of the output. The fast check compares a single number instead, v' J u for
random directions u and v, and finds the full Jacobians only if that one is wrong, for the message.
Forward mode gives a column of the Jacobian for each element of the input; it is compared in full.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Jacobians = list[np.ndarray]  # of one output: one per differentiable input, (input's elements, output's elements)


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` for a gradient that is wrong."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether func's gradients equal finite differences: GradcheckError, or False, if not.

    Each output is sent back alone, so `check_undefined_grad` has nothing more to check here; `masked` would matter to
    sparse inputs only. `check_batched_grad` and `check_batched_forward_grad` run the derivatives under vmap too.

    >>> import minitorch as torch
    >>> x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(lambda x: x.exp().sum(), x)
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    _require(check_backward_ad, "check_backward_ad", check_batched_grad=check_batched_grad)
    _require(check_forward_ad, "check_forward_ad", check_batched_forward_grad=check_batched_forward_grad)
    values = _tupled(inputs)
    try:
        wanted = _differentiable_inputs(values)
        result = func(*values)
        outputs = _differentiable(result)
        if not outputs:
            _check_constant(func, values, wanted, result, eps)
            return True
        if check_backward_ad:
            check = _check_directions if fast_mode else _check_jacobians
            check(func, values, wanted, outputs, eps, atol, rtol, nondet_tol, check_grad_dtypes)
            _check_zero_gives_zero(outputs, wanted)
        if check_forward_ad:
            _check_forward(func, values, wanted, eps, atol, rtol)
        _check_batched(func, values, wanted, outputs, check_batched_grad, check_batched_forward_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """`gradcheck` of func's gradients, functions of `inputs` and `grad_outputs` (else random).

    >>> import minitorch as torch
    >>> x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(lambda x: x.exp(), x)
    True
    """
    from . import grad

    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    _require(
        check_rev_over_rev, "check_rev_over_rev", check_undefined_grad=check_undefined_grad,
        check_batched_grad=check_batched_grad,
    )  # fmt: skip
    values = _tupled(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*values))
        directions = tuple([_random_like(o, gen_non_contig_grad_outputs) for o in outputs])
    else:
        directions = _tupled(grad_outputs)

    def gradients(*args: Any) -> tuple[Any, ...]:
        given, weights = args[: len(values)], args[len(values) :]
        inner = [a for a in given if _needs_grad(a)]
        found = grad(_differentiable(func(*given)), inner, weights, create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    return gradcheck(
        gradients, values + directions, eps=eps, atol=atol, rtol=rtol, nondet_tol=nondet_tol,
        raise_exception=raise_exception, check_grad_dtypes=check_grad_dtypes, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev, check_batched_grad=check_batched_grad, fast_mode=fast_mode,
    )  # fmt: skip


# ---------------------------------------------------------------------- arguments
def _require(have: bool, needed: str, **flags: bool) -> None:
    for name, value in flags.items():
        if value and not have:
            raise AssertionError(f"Setting {name}=True requires {needed} to be True")


def _tupled(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _needs_grad(value: Any) -> bool:
    return bool(getattr(value, "requires_grad", False))


def _differentiable(result: Any) -> list[Any]:
    return [o for o in _tupled(result) if _needs_grad(o)]


def _differentiable_inputs(values: tuple[Any, ...]) -> list[Any]:
    """The inputs that require grad; torch's complaints if finite differences cannot serve them."""
    import warnings

    from minitorch._dtype import float64

    wanted = [v for v in values if _needs_grad(v)]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    for i, v in enumerate(values):
        if not _needs_grad(v):
            continue
        if v.dtype is not float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=3,
            )
        if any(s == 0 and n > 1 for n, s in zip(v.shape, v.stride(), strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before "
                "passing it to gradcheck."
            )
    return wanted


def _random_like(output: Any, strided: bool) -> Any:
    """A direction for an output, in [-1, 1); `strided` makes one that is not contiguous."""
    from minitorch._creation import empty

    shape = (*output.shape, 2) if strided else output.shape
    made = empty(shape, dtype=output.dtype, device=output.device).uniform_(-1, 1)
    return (made.select(-1, 0) if strided else made).requires_grad_()


# ---------------------------------------------------------------------- derivatives
def _values(outputs: Any) -> list[np.ndarray]:
    """Copies, since a function may return the input that is to change; integers as float64."""
    arrays = [o.detach().numpy() for o in outputs]
    return [a.astype(a.dtype if a.dtype.kind == "f" else np.float64) for a in arrays]


def _difference(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    array: np.ndarray,
    step: Any,
    eps: float,
    pick: Any,
) -> list[np.ndarray]:
    """(f(x + eps step) - f(x - eps step)) / (2 eps) of each output; `array` is x's memory."""
    before = array.copy()
    try:
        array[...] = before + eps * step
        high = _values(pick(func(*values)))
        array[...] = before - eps * step
        low = _values(pick(func(*values)))
    finally:
        array[...] = before
    return [(h - b) / (2 * eps) for h, b in zip(high, low, strict=True)]


def _numerical(
    func: Callable[..., Any], values: tuple[Any, ...], wanted: list[Any], eps: float, pick: Any
) -> list[Jacobians]:
    """Jacobians by finite differences: [output][input]."""
    columns = []
    for t in wanted:
        array = t.detach().numpy()
        step = np.zeros(array.shape, array.dtype)
        rows = []
        for i in np.ndindex(array.shape):
            step[i] = 1
            rows.append(_difference(func, values, array, step, eps, pick))
            step[i] = 0
        columns.append(rows)
    outputs = _values(pick(func(*values)))
    return [
        [np.array([row[k].reshape(-1) for row in rows], o.dtype).reshape(len(rows), o.size) for rows in columns]
        for k, o in enumerate(outputs)
    ]


def _pulled_back(output: Any, wanted: list[Any], direction: np.ndarray, check_dtypes: bool) -> list[np.ndarray]:
    """The gradient of `direction . output` for each input, zeros where there is none."""
    from minitorch._creation import from_numpy

    from . import grad

    found = grad(output, wanted, from_numpy(direction), retain_graph=True, allow_unused=True)
    for t, g in zip(wanted, found, strict=True):
        if g is not None and g.shape != t.shape:
            raise GradcheckError("Analytical gradient has incorrect size")
        if check_dtypes and g is not None and g.dtype is not t.dtype:
            raise GradcheckError("Gradient has dtype mismatch")
    return [
        np.zeros(tuple(t.shape), direction.dtype) if g is None else g.detach().numpy().copy()
        for t, g in zip(wanted, found, strict=True)
    ]


def _reproducible(
    output: Any, wanted: list[Any], direction: np.ndarray, nondet_tol: float, dtypes: bool
) -> list[np.ndarray]:
    """`_pulled_back`, twice: both times the same up to nondet_tol."""
    first = _pulled_back(output, wanted, direction, dtypes)
    second = _pulled_back(output, wanted, direction, dtypes)
    for a, b in zip(first, second, strict=True):
        if np.abs(a - b).max(initial=0.0) > nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                "matches numerical gradient.The tolerance for nondeterminism "
                f"was {nondet_tol}.\nPass nondet_tol=<tolerance> if the difference is expected."
            )
    return first


def _analytical(output: Any, wanted: list[Any], nondet_tol: float, dtypes: bool) -> Jacobians:
    """Jacobians of one output by backward passes."""
    size = output.numel()
    jacobians = [np.zeros((t.numel(), size), t.detach().numpy().dtype) for t in wanted]
    for k in range(size):
        direction = np.zeros(tuple(output.shape), output.detach().numpy().dtype)
        direction.reshape(-1)[k] = 1
        for jacobian, g in zip(jacobians, _reproducible(output, wanted, direction, nondet_tol, dtypes), strict=True):
            jacobian[:, k] = g.reshape(-1)
    return jacobians


def _forward(func: Callable[..., Any], values: tuple[Any, ...], wanted: list[Any]) -> list[Jacobians]:
    """Jacobians by forward mode: [output][input]."""
    from minitorch._creation import from_numpy

    from . import forward_ad

    columns = []
    for t in wanted:
        rows = []
        for i in np.ndindex(tuple(t.shape)):
            direction = np.zeros(tuple(t.shape), t.detach().numpy().dtype)
            direction[i] = 1
            with forward_ad.dual_level():
                dual = forward_ad.make_dual(t, from_numpy(direction))
                made = _differentiable(func(*[dual if v is t else v for v in values]))
                found = [(o, forward_ad.unpack_dual(o).tangent) for o in made]
            rows.append([np.zeros(o.numel()) if d is None else d.detach().numpy().reshape(-1) for o, d in found])
        columns.append(rows)
    outputs = _values(_differentiable(func(*values)))
    return [
        [np.array([row[k] for row in rows], o.dtype).reshape(len(rows), o.size) for rows in columns]
        for k, o in enumerate(outputs)
    ]


# ---------------------------------------------------------------------- comparisons
def _mismatch(output: int, input: int, numerical: Any, analytical: Any, mode: str = "") -> str:
    return (
        f"Jacobian {mode}mismatch for output {output} with respect to input {input},\n"
        f"numerical:{_shown(numerical)}\nanalytical:{_shown(analytical)}\n"
    )


def _shown(value: Any) -> Any:
    from minitorch._creation import from_numpy

    return from_numpy(value) if isinstance(value, np.ndarray) else value


def _close(analytical: Any, numerical: Any, rtol: float, atol: float) -> bool:
    return bool(np.allclose(analytical, numerical, rtol, atol))


def _check_jacobians(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    wanted: list[Any],
    outputs: list[Any],
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    dtypes: bool,
) -> None:
    numerical = _numerical(func, values, wanted, eps, _differentiable)
    for i, (output, expected) in enumerate(zip(outputs, numerical, strict=True)):
        found = _analytical(output, wanted, nondet_tol, dtypes)
        for j, (a, n) in enumerate(zip(found, expected, strict=True)):
            if not _close(a, n, rtol, atol):
                raise GradcheckError(_mismatch(i, j, n, a))


def _check_forward(
    func: Callable[..., Any], values: tuple[Any, ...], wanted: list[Any], eps: float, atol: float, rtol: float
) -> None:
    expected = _numerical(func, values, wanted, eps, _differentiable)
    for i, (found, numerical) in enumerate(zip(_forward(func, values, wanted), expected, strict=True)):
        for j, (a, n) in enumerate(zip(found, numerical, strict=True)):
            if not _close(a, n, rtol, atol):
                raise GradcheckError(_mismatch(i, j, n, a, "computed with forward mode "))


def _check_batched(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    wanted: list[Any],
    outputs: list[Any],
    backward: bool,
    forward: bool,
) -> None:
    if not (backward or forward):
        return
    from . import _batched_gradients

    if forward:
        _batched_gradients.check_batched_forward(func, values, wanted)
    if backward:
        _batched_gradients.check_batched_backward(outputs, wanted)


def _check_directions(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    wanted: list[Any],
    outputs: list[Any],
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    dtypes: bool,
) -> None:
    # a generator of its own: the check leaves the user's random numbers alone
    draw = np.random.default_rng(0)
    steps = [_direction(draw, t) for t in wanted]
    weights = [_direction(draw, o) for o in outputs]
    pushed = [
        _difference(func, values, t.detach().numpy(), u, eps, _differentiable)
        for t, u in zip(wanted, steps, strict=True)
    ]
    for i, (output, v) in enumerate(zip(outputs, weights, strict=True)):
        found = _reproducible(output, wanted, v, nondet_tol, dtypes)
        for j, (g, u) in enumerate(zip(found, steps, strict=True)):
            n, a = float((pushed[j][i] * v).sum()), float((g * u).sum())
            # the directions have no negative entries, so the sums bound how entries'
            # errors of atol add up
            if not _close(a, n, rtol, atol * float(u.sum() * v.sum())):
                raise GradcheckError(
                    _mismatch(i, j, n, a)
                    + _full_jacobians(func, values, wanted, output, (i, j), eps, nondet_tol, dtypes)
                )


def _direction(draw: Any, t: Any) -> np.ndarray:
    """A random direction of unit length, without negative entries."""
    values = draw.random(tuple(t.shape))
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-30), t.detach().numpy().dtype)


def _full_jacobians(
    func: Callable[..., Any],
    values: tuple[Any, ...],
    wanted: list[Any],
    output: Any,
    place: tuple[int, int],
    eps: float,
    nondet_tol: float,
    dtypes: bool,
) -> str:
    i, j = place
    n = _numerical(func, values, wanted, eps, _differentiable)[i][j]
    a = _analytical(output, wanted, nondet_tol, dtypes)[j]
    return (
        "\nThese two numbers are one random projection of the Jacobians (fast mode). The "
        "Jacobians themselves:\n\n"
        f"Numerical:\n {_shown(n)}\nAnalytical:\n{_shown(a)}\n\n"
        f"The max per-element difference (slow mode) is: {np.abs(a - n).max(initial=0.0)}.\n"
    )


def _check_constant(
    func: Callable[..., Any], values: tuple[Any, ...], wanted: list[Any], result: Any, eps: float
) -> None:
    """Outputs without a graph must not depend on the inputs."""
    from minitorch._tensor import Tensor

    def tensors(result: Any) -> Sequence[Any]:
        return [o for o in _tupled(result) if isinstance(o, Tensor)]

    for jacobians in _numerical(func, values, wanted, eps, tensors):
        if any(j.any() for j in jacobians):
            raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_zero_gives_zero(outputs: list[Any], wanted: list[Any]) -> None:
    """A gradient is linear in what arrives: nothing must come of zeros."""
    from minitorch._creation import zeros_like

    from . import grad

    zeros = [zeros_like(o) for o in outputs]
    for g in grad(outputs, wanted, zeros, retain_graph=True, allow_unused=True):
        if g is not None and g.detach().numpy().any():
            raise GradcheckError("backward not multiplied by grad_output")
