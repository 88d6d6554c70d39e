"""minitorch wip."""
from ._creation import FACTORIES
from ._ops import namespaces
from ._tensor import Tensor, Size
from ._device import device
from . import autograd
from .autograd import no_grad, enable_grad, set_grad_enabled, inference_mode
from ._dtype import *
globals().update(FACTORIES)
globals().update(namespaces.TORCH)
