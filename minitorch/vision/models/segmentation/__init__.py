"""Models that name the class of every pixel."""

from .deeplabv3 import *
from .fcn import *
from .lraspp import *
