"""W0 to W9: whole steps of training, from one recorded operation to ResNet18, and the time and memory each takes.

Each row is measured in processes of its own, so that the peak of resident memory is this step's alone. Models that
`reference/` has are taken from there, and from their twins in `examples/` for minitorch: what is measured is what is
read.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from benchmarks import vision_cases
from benchmarks.processes import Failed, Plan, ask, beside, middle, taking_turns
from benchmarks.results import ROOT, Row, compared, target_at

Step = Callable[[], Any]
MOST_MEMORY = 1.0  # of torch's peak


@cache
def program(framework: str, name: str) -> Any:
    """The module reference/<name>.py, or its twin in examples/ for any framework but torch."""
    folder = "reference" if framework == "torch" else "examples"
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", ROOT / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def training(T: Any, model: Any, loss_of: Any, x: Any, y: Any, optimizer: Any = None) -> Step:
    optimizer = optimizer or T.optim.SGD(model.parameters(), lr=1e-2)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def classifier(T: Any, model: Any, *shape: int, optimizer: Any = None) -> Step:
    x, y = T.randn(*shape), T.randint(0, 10, shape[:1])
    return training(T, model, T.nn.CrossEntropyLoss(), x, y, optimizer)


def of_reference(name: str, *shape: int) -> Callable[[Any], Step]:
    """A step of the model of that name, on random numbers of this shape."""

    def make(T: Any) -> Step:
        module = program(T.__name__, name)
        module.DEVICE = T.get_default_device()
        return classifier(T, module.make_model(), *shape)

    return make


def recorded_op(T: Any) -> Step:
    a, b = T.randn(32, requires_grad=True), T.randn(32)
    return lambda: a * b


def linear_fit(T: Any) -> Step:
    module = program(T.__name__, "linear_fit")
    module.DEVICE = T.get_default_device()
    x, y = module.make_data()
    w, b = module.make_parameters()

    def step():
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with T.no_grad():
            for parameter in (w, b):
                parameter -= 1e-2 * parameter.grad
                parameter.grad.zero_()
        return loss

    return step


def thermometer(T: Any, model: Any, lr: float) -> Step:
    module = program(T.__name__, "linear_fit")
    module.DEVICE = T.get_default_device()
    x, y = (values.unsqueeze(1) for values in module.make_data())
    return training(T, model, T.nn.MSELoss(), x, y, T.optim.SGD(model.parameters(), lr=lr))


def linear_layer(T: Any) -> Step:
    return thermometer(T, T.nn.Linear(1, 1), 1e-2)


def small_mlp(T: Any) -> Step:
    nn = T.nn
    return thermometer(T, nn.Sequential(nn.Linear(1, 13), nn.Tanh(), nn.Linear(13, 1)), 1e-3)


def normalized_cnn(T: Any) -> Step:
    nn = T.nn
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    return classifier(T, model, 64, 3, 32, 32, optimizer=T.optim.Adam(model.parameters(), lr=1e-3))


def lstm(T: Any) -> Step:
    """The last of 28 rows of 28 pixels tells the class."""

    class Model(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = T.nn.LSTM(28, 64, batch_first=True), T.nn.Linear(64, 10)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1, :])

    return classifier(T, Model(), 64, 28, 28)


class Workload(NamedTuple):
    """A row; `target` is the most that ours / torch may be with one thread."""

    name: str
    make: Callable[[Any], Step]
    target: float


WORKLOADS = (
    Workload("W0 one recorded op, 32 elements", recorded_op, 0.80),
    Workload("W1 linear fit", linear_fit, 0.25),
    Workload("W1m nn.Linear + MSE + SGD", linear_layer, 0.15),
    Workload("W2 MLP 1-13-1", small_mlp, 0.20),
    Workload("W3 MLP 784-128-10, batch 64", of_reference("mlp", 64, 784), 0.60),
    Workload("W4 MNIST CNN, batch 50", of_reference("mnist_cnn", 50, 1, 28, 28), 0.90),
    Workload("W5 CIFAR-quick, batch 64", of_reference("cifar_quick", 64, 3, 32, 32), 1.00),
    Workload("W6 CNN with BatchNorm, Dropout and Adam, batch 64", normalized_cnn, 1.00),
    Workload("W7 LSTM(28, 64), 28 steps, batch 64", lstm, 1.00),
    Workload("W8 VGG16 inference, one picture of 224x224", vision_cases.vgg16, 1.10),
    Workload("W9 ResNet18 training, batch 8, 64x64", vision_cases.resnet18, 1.10),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def rows(plan: Plan) -> Iterator[Row]:
    seconds = 0.1 if plan.quick else 0.5
    for threads in plan.threads:
        for name, _, target in filter(plan.wants, WORKLOADS):
            measures = {
                side: lambda _, f=framework: ask("workload", f, name, seconds, threads=threads)
                for side, framework in plan.sides.items()
            }
            try:
                taken = taking_turns(plan.rounds, measures)
            except Failed as failure:
                yield Row("workloads", name, "s", None, threads=threads, note=failure.reason)
                continue
            yield compared(taken, Row("workloads", name, "s", None, target=target_at(target, threads), threads=threads))
            peak = beside(middle(taken), "peak")
            yield Row("workloads", f"{name}: peak memory", "MiB", *peak, target=MOST_MEMORY, threads=threads)
