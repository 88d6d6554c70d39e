"""Gradient functions that modules need for themselves."""

from typing import Any

from minitorch.autograd import Function


class BackwardHookFunction(Function):
    """The identity on several tensors, as one node whose gradients module hooks can watch."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple:
        ctx.mark_non_differentiable(*(arg for arg in args if not arg.requires_grad))
        return args

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple:
        return grads
