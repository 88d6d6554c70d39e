"""torchvision.transforms: changing images, at random or not."""

from . import autoaugment, functional, transforms
from .autoaugment import *  # noqa: F403
from .transforms import *  # noqa: F403
