"""Blocks that vision models are made of, and operators on boxes and regions."""

from .drop_block import DropBlock2d, DropBlock3d, drop_block2d, drop_block3d
from .misc import MLP, Conv2dNormActivation, Conv3dNormActivation, FrozenBatchNorm2d, Permute, SqueezeExcitation
from .stochastic_depth import StochasticDepth, stochastic_depth
