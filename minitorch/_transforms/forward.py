"""Forward mode: beside a tensor its tangent, the derivative in one direction, through every op.

An op's tangent comes from the record it has anyway (`tangent_rules.py`). This file says where tangents are kept: in
`tangents` of the tensor's `__dict__`, by level. A tangent lies in memory as its tensor does, so a view's tangent is the
same view of its base's tangent, and a write through a view reaches all of them.

A batch's tangent is kept by the tensor under all batches, so that a backward pass, which works there, finds it.
"""

import threading
from typing import Any

from minitorch._creation import empty_strided
from minitorch._dtype import OF_NUMPY
from minitorch._kernels.strided import element_strides
from minitorch._ops.intercepted import InPlace
from minitorch._ops.nodes import titled
from minitorch._ops.op import OPS
from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor

from .levels import Level, innermost, logical, on_copy, physical, tensors_in, writes


class _Switch(threading.local):
    """Whether tangents are computed, and the level of `autograd.forward_ad` if one is entered."""

    enabled = True
    level: Any = None


switch = _Switch()


def kept(t: Tensor) -> dict[Any, Tensor]:
    """The tangents of a tensor, by level."""
    return t.__dict__.setdefault("tangents", {})


class Forward(Level):
    """Dual numbers at one level."""

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        duals = [t for t in tensors_in(args) if self.tangent(t) is not None] if switch.enabled else []
        if not duals:
            return self.beneath(op.function, *args)
        if isinstance(op, InPlace):
            return self._write(op, args)
        from .tangent_rules import tangents_of

        out = self.beneath(on_copy(op.function) if writes(op) else op.function, *args)
        several = out if isinstance(out, (tuple, list)) else (out,)
        if not any(isinstance(o, Tensor) and o.is_floating_point() for o in several):
            return out
        found = self.beneath(tangents_of, self, op, args, several)
        shared = [self.tangent(t).version for t in duals]  # type: ignore[union-attr]
        is_view = getattr(op, "kind", "") == "view" or op.__class__ is type
        for o, t in zip(several, found, strict=True):
            if t is not None and not any(o is a for a in args):
                if not is_view and any(t.version is v for v in shared):
                    t = self.beneath(OPS["clone"].function, t)
                self.attach(o, t)
        return out

    def call_function(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A user-defined Function: its forward, then its jvp."""
        duals = [t for t in tensors_in(args) if self.tangent(t) is not None] if switch.enabled else []
        if not duals:
            return super().call_function(cls, args, kwargs)
        from .custom import pushed

        out, tangents = self.beneath(
            pushed, [self.tangent(a) if isinstance(a, Tensor) else None for a in args], cls, args, kwargs
        )
        for o, t in zip(out if isinstance(out, tuple) else (out,), tangents, strict=True):
            if t is not None and isinstance(o, Tensor):
                self.attach(o, t)
        return out

    def refuse_out(self, op: Any, out: Tensor, result: Tensor) -> None:
        """What `out=` asks."""
        if switch.enabled and (self.tangent(out) is not None or self.tangent(result) is not None):
            raise NotImplementedError(
                f"Trying to use forward AD with {op.name}_out that does not support it because it is an out= function"
            )

    # ------------------------------------------------------------------ reading and attaching
    def tangent(self, t: Tensor) -> Tensor | None:
        """The tangent of t at this level."""
        p, levels = innermost(t)
        found = p.__dict__.get("tangents", {}).get(self)
        if found is None and p.base is not None:
            of_base = p.base.__dict__.get("tangents", {}).get(self)
            if of_base is None:
                return None
            found = kept(p)[self] = self.beneath(_same_view, p, p.base, of_base)
        return None if found is None else logical(found, levels)

    def attach(self, t: Tensor, tangent: Tensor) -> None:
        """Make `tangent` the tangent of t; a copy of it, if it lies otherwise in memory."""
        p, levels = innermost(t)
        kept(p)[self] = self.beneath(_fitted, p, physical(tangent, levels))
        node = p.edge
        if node is not None and "out" in node.__class__.__dict__.get("__slots__", ()):  # see OpNode.unpack
            node.__dict__["tangents"] = kept(p)

    def make_dual(self, primal: Tensor, tangent: Tensor) -> Tensor:
        """A view of `primal` with this tangent."""
        if primal.shape != tangent.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is "
                f"not supported. Tensor is of size {list(primal.shape)} while the given forward gradient is of size "
                f"{list(tangent.shape)}."
            )
        if self.tangent(primal) is not None:
            raise RuntimeError(
                "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level "
                f"{self.number} is not supported."
            )
        levels = innermost(tangent)[1]
        dual = titled(self.beneath(lambda: _spread_like(primal, levels)), "ViewBackward0")
        p, levels = innermost(dual)
        q = self.beneath(physical, tangent, levels)
        kept(p)[self] = q if q.array.strides == p.array.strides else self.beneath(_fitted, p, q)
        return dual

    def primal(self, t: Tensor) -> Tensor:
        """A view of t without a tangent at this level."""
        view = self.beneath(OPS["basic_alias"].function, t, (Ellipsis,))
        p = innermost(view)[0]
        p.__dict__["tangents"] = {k: v for k, v in p.__dict__.get("tangents", {}).items() if k is not self}
        if p.base is not None and self in p.base.__dict__.get("tangents", {}):
            p.base = None  # else the tangent would be found through it
        return view

    number = 0

    # ------------------------------------------------------------------ writes
    def _write(self, op: InPlace, args: tuple[Any, ...]) -> Any:
        """An in-place op: its result's tangent is written over the old one, so that all views see it."""
        from .tangent_rules import CONSTANT, LINEAR, tangent_of_write, zeros

        name, x = op.op.name, args[0]
        old = self.tangent(x)
        before = None if old is None else self.beneath(OPS["clone"].function, old)
        tangents = {p: self.tangent(a) for p, a in zip(op.op.params, args, strict=True) if isinstance(a, Tensor)}
        if not x.is_floating_point():
            return self.beneath(op.function, *args)
        if name in CONSTANT:
            self.beneath(op.function, *args)
            if old is not None:
                self.beneath(FUNCTIONS["zero_"], old)
        elif LINEAR.get(name) and len(LINEAR[name].split()) == 1:
            self.beneath(op.function, *args)
            target = self._fresh(x) if old is None else old
            joint = LINEAR[name].split("+")
            others = {p: tangents[p] for p in joint[1:]}
            rest = [
                a if p not in others else self.beneath(zeros, a) if others[p] is None else others[p]
                for p, a in zip(op.op.params[1:], args[1:], strict=True)
            ]
            self.beneath(op.function, target, *rest)
        else:
            new = self.beneath(tangent_of_write, self, op, args, tangents)
            self.beneath(op.function, *args)
            self.beneath(FUNCTIONS["copy_from_"], self._fresh(x) if old is None else old, new)
        self._remember(x, op.op, before)
        return x

    def _fresh(self, x: Tensor) -> Tensor:
        """A tangent of zeros for a tensor without one; for a view, a part of its base's."""
        p, levels = innermost(x)
        whole = p if p.base is None else p.base
        kept(whole)[self] = self.beneath(_zeros_laid_out_as, whole)
        found = kept(p)[self] = (
            kept(whole)[self] if whole is p else self.beneath(_same_view, p, whole, kept(whole)[self])
        )
        return logical(found, levels)

    def _remember(self, x: Tensor, record: Any, before: Tensor | None) -> None:
        """Give the copy of the old value that the written tensor's node keeps its tangent, for a later backward."""
        (p, levels), written = innermost(x), record.tensors[0]
        node: Any = p.edge if p.base is None else getattr(p.base.edge, "writer", None)
        if node is None or getattr(node, "op", None) is not record:
            return
        node.__dict__["tangents"] = kept(p)
        if before is None:
            return
        value = getattr(node, written, None)
        if isinstance(value, Tensor) and value is not p and value.array.shape == p.array.shape:
            kept(value)[self] = physical(before, levels)


def _spread_like(primal: Tensor, levels: tuple[Any, ...]) -> Tensor:
    """An alias of primal that is batched at least at these levels."""
    mine = innermost(primal)[1]
    wanted = tuple(sorted({*mine, *levels}, key=lambda level: level.number))
    if wanted == mine:
        return OPS["basic_alias"].function(primal, (Ellipsis,))
    return logical(physical(primal, wanted), wanted)


def _same_view(p: Tensor, base: Tensor, of_base: Tensor) -> Tensor:
    """The part of the base's tangent that lies as p does in its base."""
    start = p.storage_offset() - base.storage_offset() + of_base.storage_offset()
    return OPS["as_strided"].function(of_base, p.array.shape, element_strides(p.array), start)


def _laid_out_as(p: Tensor) -> Tensor:
    return empty_strided(p.array.shape, element_strides(p.array), dtype=OF_NUMPY[p.array.dtype], device=p.device)


def _zeros_laid_out_as(p: Tensor) -> Tensor:
    return FUNCTIONS["zero_"](_laid_out_as(p))


def _fitted(p: Tensor, tangent: Tensor) -> Tensor:
    """The tangent in p's shape and layout."""
    if tangent.array.dtype != p.array.dtype:
        tangent = OPS["to_copy"].function(tangent, p.array.dtype)
    if tangent.array.shape != p.array.shape:
        tangent = OPS["expand_to"].function(tangent, p.array.shape)
    if tangent.array.strides == p.array.strides or not p.array.size:
        return tangent
    if any(s == 0 and n > 1 for n, s in zip(p.array.shape, p.array.strides, strict=True)):
        return tangent
    return FUNCTIONS["copy_from_"](_laid_out_as(p), tangent)
