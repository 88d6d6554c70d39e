"""Event files: TensorBoard's own reader finds in ours what it finds in those of torch's writer."""

import builtins
import pathlib
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
import torch
from compare import assert_same_outcome, outcome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from torch.utils.tensorboard import SummaryWriter as TheirWriter

import minitorch
from minitorch.utils.tensorboard import SummaryWriter

mpl.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

RNG = np.random.default_rng(0)
IMAGE = RNG.random((3, 8, 12), dtype=np.float32)
BYTES = RNG.integers(0, 255, (5, 3, 4, 6), dtype=np.uint8)
NORMAL = RNG.normal(size=100).astype(np.float32)
LABELS, PREDICTIONS = RNG.integers(0, 2, 60), RNG.random(60).astype(np.float32)


def add_figure(w, mod):
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(1, 1))
    figure.gca().plot([1, 2])
    w.add_figure("figure", figure, 1)


CALLS = {
    "scalar": lambda w, mod: [w.add_scalar("loss", 1 / (i + 1), i, walltime=i) for i in range(3)],
    "scalar tensor": lambda w, mod: w.add_scalar("loss", mod.tensor([2.5]), 1),
    "scalar bfloat16": lambda w, mod: w.add_scalar("loss", mod.tensor(2.5).bfloat16(), 1),
    "scalar new style": lambda w, mod: w.add_scalar("loss", 0.1, 1, new_style=True),
    "scalar double": lambda w, mod: w.add_scalar("loss", 0.1, 1, new_style=True, double_precision=True),
    "scalars": lambda w, mod: w.add_scalars("run/14h", {"sin": 0.5, "cos": 0.25}, 3),
    "histogram": lambda w, mod: w.add_histogram("weights", mod.from_numpy(NORMAL), 2),
    "histogram of zeros": lambda w, mod: w.add_histogram("weights", mod.zeros(4), 2),
    "histogram auto": lambda w, mod: w.add_histogram("weights", NORMAL, 2, bins="auto"),
    "histogram few": lambda w, mod: w.add_histogram("weights", NORMAL, 2, max_bins=30),
    "histogram raw": lambda w, mod: w.add_histogram_raw("h", 0.0, 1.0, 3, 1.5, 1.0, [0.5, 1.0], [1, 2], 4),
    "image": lambda w, mod: w.add_image("picture", mod.from_numpy(IMAGE), 1),
    "image HWC": lambda w, mod: w.add_image("picture", IMAGE.transpose(1, 2, 0), 1, dataformats="HWC"),
    "image HW": lambda w, mod: w.add_image("picture", IMAGE[0], 1, dataformats="HW"),
    "image grey": lambda w, mod: w.add_image("picture", IMAGE[:1], 1),
    "images": lambda w, mod: w.add_images("pictures", mod.from_numpy(BYTES), 1),
    "images grey": lambda w, mod: w.add_images("pictures", BYTES[:, :1], 1),
    "boxes": lambda w, mod: w.add_image_with_boxes("boxes", mod.from_numpy(IMAGE), mod.tensor([[1, 1, 5, 6]]), 1),
    "boxes labels": lambda w, mod: w.add_image_with_boxes(
        "boxes", np.repeat(np.repeat(IMAGE, 8, 1), 8, 2), mod.tensor([[5, 5, 60, 50]]), 1, labels="cat"
    ),
    "figure": add_figure,
    "audio": lambda w, mod: w.add_audio("sound", mod.from_numpy(NORMAL.clip(-1, 1)), 1, sample_rate=8000),
    "text": lambda w, mod: w.add_text("notes", "*a* note \u00e4", 5),
    "pr curve": lambda w, mod: w.add_pr_curve("pr", mod.from_numpy(LABELS), mod.from_numpy(PREDICTIONS), 1),
    "pr curve weights": lambda w, mod: w.add_pr_curve("pr", LABELS, PREDICTIONS, 1, num_thresholds=9, weights=2.0),
    "pr curve raw": lambda w, mod: w.add_pr_curve_raw("pr", *[NORMAL[:5]] * 6, 1, num_thresholds=5),
    "custom scalars": lambda w, mod: w.add_custom_scalars(
        {"A": {"x": ["Multiline", ["a", "b"]], "y": ["Margin", ["a", "b", "c"]]}}
    ),
    "multiline": lambda w, mod: w.add_custom_scalars_multilinechart(["a", "b"]),
    "margin": lambda w, mod: w.add_custom_scalars_marginchart(["a", "b", "c"], title="t"),
    "mesh": lambda w, mod: w.add_mesh("mesh", mod.ones(1, 4, 3), mod.zeros(1, 4, 3, dtype=mod.uint8)),
    "tensor": lambda w, mod: w.add_tensor("t", mod.arange(6).reshape(2, 3), 1),
    "tensor half": lambda w, mod: w.add_tensor("t", mod.arange(6, dtype=mod.bfloat16), 1),
    "tensor bool": lambda w, mod: w.add_tensor("t", mod.ones(2, dtype=mod.bool), 1),
    "hparams": lambda w, mod: w.add_hparams(
        {"lr": 0.1, "name": "sgd", "nesterov": True, "n": 3, "none": None, "t": mod.tensor([2.0])},
        {"accuracy": 0.5, "loss": 2}, hparam_domain_discrete={"lr": [0.1, 0.2]}, run_name="run", global_step=7,
    ),
    "embedding": lambda w, mod: w.add_embedding(
        mod.arange(12.0).reshape(4, 3), metadata=["a", "b", "c", "d"], label_img=mod.ones(4, 3, 2, 2), global_step=2,
        tag="a/b",
    ),
    "embedding header": lambda w, mod: w.add_embedding(
        np.ones((2, 3)), metadata=[["a", 1], ["b", 2]], metadata_header=["name", "number"]
    ),
}  # fmt: skip


def contents(folder):
    """What the files of a folder hold: values of events in TensorBoard's form; bytes of others."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        place = str(path.relative_to(folder))
        if "tfevents" in path.name:
            events = found[str(pathlib.Path(place).parent)] = []
            for event in EventFileLoader(str(path)).Load():
                events.extend((event.step, str(value)) for value in event.summary.value)
        elif path.is_file():
            found[place] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", CALLS)
def test_the_reader_finds_what_torch_writes(name, tmp_path):
    for folder, writer, mod in (("ours", SummaryWriter, minitorch), ("theirs", TheirWriter, torch)):
        with writer(str(tmp_path / folder)) as w:
            CALLS[name](w, mod)
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "theirs")
    assert any(theirs.values())
    assert ours == theirs


def test_the_accumulator_finds_tags_and_values(tmp_path):
    with SummaryWriter(tmp_path) as w:
        for i in range(3):
            w.add_scalar("loss", 1 / (i + 1), i)
        w.add_histogram("weights", NORMAL, 0)
        w.add_image("picture", IMAGE, 0)
    accumulator = EventAccumulator(str(tmp_path)).Reload()
    assert accumulator.Tags()["scalars"] == ["loss"]
    assert [(s.step, s.value) for s in accumulator.Scalars("loss")] == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    assert accumulator.Histograms("weights")[0].histogram_value.num == 100
    assert (accumulator.Images("picture")[0].height, accumulator.Images("picture")[0].width) == (8, 12)


class Net(minitorch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = minitorch.nn.Sequential(minitorch.nn.Linear(3, 4), minitorch.nn.ReLU())
        self.head = minitorch.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x)) + 1


def test_a_graph_has_the_operations_within_their_modules(tmp_path):
    with SummaryWriter(tmp_path) as w:
        w.add_graph(Net(), minitorch.ones(5, 3))
    graph = EventAccumulator(str(tmp_path)).Reload().Graph()
    nodes = {node.name: node for node in graph.node}
    relu = nodes["Net/Sequential[body]/ReLU[1]/relu"]
    assert relu.op == "aten::relu"
    (linear,) = relu.input
    assert linear.startswith("Net/Sequential[body]/Linear[0]/")
    assert nodes[linear].input[0] == "input/0"
    assert "Net/Sequential[body]/Linear[0]/weight" in nodes[linear].input
    assert [d.size for d in relu.attr["_output_shapes"].list.shape[0].dim] == [5, 4]
    assert nodes["output/0"].input[0] == "Net/add"
    assert all(i in nodes for node in graph.node for i in node.input)
    assert minitorch.autograd.grad_mode.state.interceptors == ()


def test_a_model_that_fails_leaves_no_trace_in_it(tmp_path):
    model = Net()
    with SummaryWriter(tmp_path) as w, pytest.raises(RuntimeError):
        w.add_graph(model, minitorch.ones(5, 7))
    assert minitorch.autograd.grad_mode.state.interceptors == ()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_writer_goes_on_in_a_new_file_after_close(tmp_path):
    w = SummaryWriter(tmp_path, filename_suffix=".one")
    w.add_scalar("a", 1, 0)
    w.close()
    w.filename_suffix = ".two"
    w.add_scalar("a", 2, 1)
    w.flush()
    w.close()
    w.close()
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".one", ".two"]
    assert len(EventAccumulator(str(tmp_path)).Reload().Scalars("a")) >= 1


def test_events_from_a_purged_step_on_are_dropped(tmp_path):
    for start, purge in ((0, None), (2, 2)):
        with SummaryWriter(tmp_path, purge_step=purge, filename_suffix=f".{start}") as w:
            for step in range(start, 4):
                w.add_scalar("a", start * 10 + step, step)
    values = [s.value for s in EventAccumulator(str(tmp_path)).Reload().Scalars("a")]
    assert values == [0.0, 1.0, 22.0, 23.0]


def test_the_default_folder_is_named_by_time_and_host(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_lr") as w:
        assert w.get_logdir().startswith("runs") and w.get_logdir().endswith("_lr")


WRONG = [
    lambda w, mod: w.add_scalar("a", mod.ones(2)),
    lambda w, mod: w.add_scalar("a", object()),
    lambda w, mod: w.add_histogram("a", mod.ones(0)),
    lambda w, mod: w.add_histogram_raw("a", 0, 1, 1, 1, 1, [1], [1, 2]),
    lambda w, mod: w.add_image("a", mod.ones(3, 3)),
    lambda w, mod: w.add_image("a", mod.ones(3, 3), dataformats="HH"),
    lambda w, mod: w.add_audio("a", mod.ones(2, 2)),
    lambda w, mod: w.add_hparams([], {}),
    lambda w, mod: w.add_hparams({"a": []}, {}),
    lambda w, mod: w.add_hparams({"a": 1}, {}, {"a": 3}),
    lambda w, mod: w.add_custom_scalars_marginchart(["a"]),
    lambda w, mod: w.add_embedding(mod.ones(2, 2), metadata=["a"]),
    lambda w, mod: w.add_embedding(mod.ones(2)),
]


@pytest.mark.parametrize("call", WRONG)
def test_errors_are_those_of_torch(call, tmp_path):
    results = []
    for folder, writer, mod in (("ours", SummaryWriter, minitorch), ("theirs", TheirWriter, torch)):
        with writer(str(tmp_path / folder)) as w:
            results.append(outcome(call, w, mod))
    if "object at" in str(results[1].error):
        assert type(results[0].error) is type(results[1].error)
    else:
        assert_same_outcome(*results)


def test_videos_need_moviepy_and_say_so(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_moviepy(name, *args, **kwargs):
        if name.partition(".")[0] == "moviepy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_moviepy)
    with SummaryWriter(tmp_path) as w, pytest.raises(ImportError, match="add_video needs package moviepy"):
        w.add_video("a", minitorch.ones(1, 2, 3, 4, 4))


def test_videos_lie_side_by_side_as_in_torch():
    from torch.utils.tensorboard._utils import _prepare_video

    from minitorch.utils.tensorboard._arrays import as_video

    for n in (1, 2, 3, 4, 5, 8):
        v = RNG.random((n, 2, 3, 4, 5), dtype=np.float32)
        np.testing.assert_array_equal(as_video(v), _prepare_video(v))


def test_a_missing_package_is_named():
    code = (
        "import sys; sys.modules['tensorboard'] = None\n"
        "try: import minitorch.utils.tensorboard\n"
        "except ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install tensorboard" in done.stdout
