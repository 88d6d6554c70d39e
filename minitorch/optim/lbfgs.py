"""L-BFGS: a quasi-Newton method with a short memory, with a search along the line if wanted.

The recursion over the memory and the search for the strong Wolfe conditions are those of Nocedal and Wright, Numerical
Optimization, chapters 3 and 7; the limits and the cubic steps are minFunc's, as in torch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import minitorch
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import enable_grad, no_grad

from ._formula import check_lr
from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Same as torch.optim.LBFGS: all parameters are one vector, and `step` needs a closure.

    >>> import minitorch
    >>> w = minitorch.nn.Parameter(minitorch.tensor([3.0, -2.0]))
    >>> optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    13.0
    >>> closure().item() < 1e-9
    True
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        """All gradients as one vector."""
        parts = []
        for param in self._params:
            if param.grad is None:
                parts.append(param.new_zeros(param.numel()))
            else:
                parts.append((param.grad.to_dense() if param.grad.is_sparse else param.grad).reshape(-1))
        return minitorch.cat(parts, 0)

    def _move(self, length: Any, direction: Tensor) -> None:
        parts = direction.split([param.numel() for param in self._params])
        for param, part in zip(self._params, parts, strict=True):
            param.add_(part.view_as(param), alpha=float(length))

    @no_grad()
    def step(self, closure: Callable) -> Any:
        """Same as torch.optim.LBFGS.step: up to `max_iter` iterations; returns the loss before them."""
        assert len(self.param_groups) == 1, f"Expected exactly one param_group, but got {len(self.param_groups)}"
        closure = enable_grad()(closure)
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        state["func_evals"] += 1
        gradient = self._gradient()
        if gradient.abs().max() > self.param_groups[0]["tolerance_grad"]:
            self._iterate(closure, state, float(first_loss), gradient)
        return first_loss

    def _iterate(self, closure: Callable, state: dict[str, Any], loss: float, gradient: Tensor) -> None:
        group = self.param_groups[0]
        lr = group["lr"].squeeze() if isinstance(group["lr"], Tensor) else group["lr"]
        tolerance = group["tolerance_change"]
        evaluations = 1
        for i in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            state["d"] = direction = _direction(state, gradient, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = gradient.clone(), loss
            state["t"] = length = min(1.0, 1.0 / gradient.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = gradient.dot(direction)
            if slope > -tolerance:
                break
            before, counted = loss, 0
            if group["line_search_fn"] is not None:
                found, counted = self._search(closure, Point(length, loss, gradient, slope), direction, evaluations)
                state["t"], loss, gradient, _ = found
                length = state["t"]
                self._move(length, direction)
            else:
                self._move(length, direction)
                if i != group["max_iter"]:
                    loss, counted = float(closure()), 1
                    gradient = self._gradient()
            evaluations += counted
            state["func_evals"] += counted
            if (
                evaluations >= group["max_eval"]
                or gradient.abs().max() <= group["tolerance_grad"]
                or direction.mul(length).abs().max() <= tolerance
                or abs(loss - before) < tolerance
            ):
                break

    def _search(self, closure: Callable, start: "Point", direction: Tensor, evaluations: int) -> tuple["Point", int]:
        group = self.param_groups[0]
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        origin = [param.clone() for param in self._params]

        def probe(length: Any) -> Point:
            self._move(length, direction)
            loss, gradient = float(closure()), self._gradient()
            for param, value in zip(self._params, origin, strict=True):
                param.copy_(value)
            return Point(length, loss, gradient, gradient.dot(direction))

        return _strong_wolfe(probe, start, direction, group["max_eval"] - evaluations)


def _direction(state: dict[str, Any], gradient: Tensor, history_size: int) -> Tensor:
    """Where to go: the gradient times the inverse of the Hessian as the memory knows it."""
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return gradient.neg()
    memory = state["old_dirs"], state["old_stps"], state["ro"]
    change, moved = gradient.sub(state["prev_flat_grad"]), state["d"].mul(state["t"])
    curvature = change.dot(moved)
    if curvature > 1e-10:
        if len(memory[0]) == history_size:
            for kept in memory:
                kept.pop(0)
        for kept, new in zip(memory, (change, moved, 1.0 / curvature), strict=True):
            kept.append(new)
        state["H_diag"] = curvature / change.dot(change)
    weights = state.setdefault("al", [None] * history_size)
    pairs = list(enumerate(zip(*memory, strict=True)))
    q = gradient.neg()
    for i, (change, moved, inverse) in reversed(pairs):
        weights[i] = moved.dot(q) * inverse
        q.add_(change, alpha=-float(weights[i]))
    r = q.mul(state["H_diag"])
    for i, (change, moved, inverse) in pairs:
        r.add_(moved, alpha=float(weights[i] - change.dot(r) * inverse))
    return r


class Point(NamedTuple):
    """A place on the line: how far, the loss, the gradient and its product with the direction."""

    length: Any
    loss: float
    gradient: Tensor
    slope: Tensor


def _strong_wolfe(
    probe: Callable[[Any], Point],
    start: Point,
    direction: Tensor,
    evaluations: int,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:
    """A point with a smaller loss and a flatter slope, and how often the loss was computed.

    `start` has the length to try first, and the loss and slope at length 0.
    """

    def too_high(point: Point) -> bool:
        return bool(point.loss > start.loss + c1 * point.length * start.slope)

    def flat(point: Point) -> bool:
        return bool(abs(point.slope) <= -c2 * start.slope)

    previous = origin = start._replace(length=0)
    new, count = probe(start.length), 0
    bracket = None
    while bracket is None and count < evaluations:
        if too_high(new) or (count > 1 and new.loss >= previous.loss):
            bracket = [previous, new]
        elif flat(new):
            return new, count + 1
        elif new.slope >= 0:
            bracket = [previous, new]
        else:
            bounds = new.length + 0.01 * (new.length - previous.length), new.length * 10
            previous, new = new, probe(_cubic(previous, new, bounds))
            count += 1
    bracket = [origin, new] if bracket is None else bracket
    low = 0 if bracket[0].loss <= bracket[1].loss else 1
    size, stuck = direction.abs().max(), False
    while count < evaluations and not abs(bracket[1].length - bracket[0].length) * size < tolerance:
        least, most = sorted(point.length for point in bracket)
        length, stuck = _inside(_cubic(bracket[0], bracket[1]), least, most, stuck)
        new = probe(length)
        count += 1
        if too_high(new) or new.loss >= bracket[low].loss:
            bracket[1 - low] = new
            low = 0 if bracket[0].loss <= bracket[1].loss else 1
            continue
        if flat(new):
            return new, count + 1
        if new.slope * (bracket[1 - low].length - bracket[low].length) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = new
    return bracket[low], count + 1


def _inside(length: Any, least: Any, most: Any, stuck: bool) -> tuple[Any, bool]:
    """The length kept away from the ends, the second time in a row that it is near one; whether it was the first."""
    margin = 0.1 * (most - least)
    if not min(most - length, length - least) < margin:
        return length, False
    if not (stuck or length >= most or length <= least):
        return length, True
    nearer_most = abs(length - most) < abs(length - least)
    return (most - margin if nearer_most else least + margin), False


def _cubic(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through both points with their slopes is least, within the bounds."""
    a, b = (a, b) if a.length <= b.length else (b, a)
    least, most = (a.length, b.length) if bounds is None else bounds
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    d2 = square.sqrt()
    place = b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(place, least), most)
