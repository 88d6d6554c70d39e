"""Same as torch.autograd.variable: where Variable is found by its full path."""

from minitorch.autograd import Variable

__all__ = ["Variable"]
