"""torchvision.transforms.v2.functional: what the transforms do to pictures, masks, boxes and points."""

from ..._matrices import InterpolationMode
from ._boxes import clamp_bounding_boxes, clamp_keypoints, convert_bounding_box_format
from ._geometry import *  # noqa: F403
from ._pictures import *  # noqa: F403
from ._registry import is_pure_tensor, register_kernel
