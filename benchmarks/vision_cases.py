"""Two models as people use them: VGG16 looks at one picture, ResNet18 learns from eight small ones."""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Callable
from typing import Any

Step = Callable[[], Any]


def models(T: Any) -> Any:
    """`vision.models` of minitorch, or torchvision's."""
    if T.__name__ != "torch":
        return importlib.import_module("minitorch.vision.models")
    tests = str(pathlib.Path(__file__).parents[1] / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    importlib.import_module("torchvision_shim").allow_torchvision()
    return importlib.import_module("torchvision.models")


def vgg16(T: Any) -> Step:
    # The default first numbers: to draw the paper's would take longer than to measure.
    model = models(T).vgg16(init_weights=False).eval()
    x = T.randn(1, 3, 224, 224)

    def step():
        with T.no_grad():
            return model(x)

    return step


def resnet18(T: Any) -> Step:
    model = models(T).resnet18()
    x, y = T.randn(8, 3, 64, 64), T.randint(0, 1000, (8,))
    loss_of, optimizer = T.nn.CrossEntropyLoss(), T.optim.SGD(model.parameters(), lr=1e-2)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step
