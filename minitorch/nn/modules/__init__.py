"""The layers, losses and containers of minitorch.nn."""

from .activation import LogSoftmax, ReLU, Sigmoid, Softmax, Softmax2d, Tanh
from .container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .conv import Conv2d
from .flatten import Flatten, Unflatten
from .linear import Bilinear, Identity, Linear
from .loss import CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from .module import Module
from .pooling import MaxPool2d

__all__ = [
    "Bilinear",
    "Conv2d",
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "L1Loss",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Tanh",
    "Unflatten",
]
