"""Lets `import torchvision` succeed beside a torch build that its compiled operators do not fit.

The wheel's operators are linked against CUDA builds of torch. torchvision can do without them, except that two of its
modules ask for the schemas of `nms` and `qnms` when imported; so these are declared where the library does not load.
"""

import importlib.util
import pathlib

import torch

_schemas = None  # the operators vanish with the Library object


def allow_torchvision() -> None:
    """Declares what `import torchvision` asks for, if its own library does not load; call before that import."""
    global _schemas
    spec = importlib.util.find_spec("torchvision")
    if spec is None or _schemas is not None:
        return
    try:
        torch.ops.load_library(str(pathlib.Path(spec.submodule_search_locations[0], "_C.so")))
    except OSError:
        _schemas = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _schemas.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
