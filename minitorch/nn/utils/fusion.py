"""Batch norms folded into the layer before, for inference."""

import copy
from typing import Any

import minitorch
from minitorch._tensor import Tensor
from minitorch.nn.parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def _fused(w: Tensor, b: Any, mean: Tensor, var: Tensor, eps: float, bn_w: Any, bn_b: Any, dim: int) -> Any:
    """Weight and bias of the one layer that computes both; outputs are dimension `dim` of w."""
    scale = minitorch.rsqrt(var + eps)
    if bn_w is not None:
        scale = scale * bn_w
    shape = [1] * w.dim()
    shape[dim] = -1
    bias = (0 if b is None else b) - mean
    fused = bias * scale + (0 if bn_b is None else bn_b)
    needs = w.requires_grad, True if b is None else b.requires_grad
    return Parameter((w * scale.reshape(shape)).to(w.dtype), needs[0]), Parameter(fused.to(w.dtype), needs[1])


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Same as torch.nn.utils.fusion.fuse_conv_bn_weights: weight and bias of the fused convolution."""
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Same as torch.nn.utils.fusion.fuse_linear_bn_weights: weight and bias of the fused linear layer."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _statistics(bn: Any) -> tuple[Tensor, Tensor]:
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("Only support fusion for inference where running_mean and running_var are tracked")
    return bn.running_mean, bn.running_var


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Same as torch.nn.utils.fusion.fuse_conv_bn_eval: a convolution that does both, for eval mode.

    >>> from minitorch import nn
    >>> fuse_conv_bn_eval(nn.Conv2d(1, 2, 3).eval(), nn.BatchNorm2d(2).eval())
    Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
    """
    if conv.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused, (mean, var) = copy.deepcopy(conv), _statistics(bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Same as torch.nn.utils.fusion.fuse_linear_bn_eval: a linear layer that does both, for eval mode."""
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
    fused, (mean, var) = copy.deepcopy(linear), _statistics(bn)
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, mean, var, bn.eps, bn.weight, bn.bias)
    return fused
