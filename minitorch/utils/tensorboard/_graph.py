"""A model as TensorBoard's graph: one call of it, recorded operation by operation.

torch traces the model for its compiler and shows that; here the operations are those that ran, each within the
modules that called it: "Net/Linear[fc]/linear_2d".
"""

from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.step_stats_pb2 import DeviceStepStats, StepStats
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef

from minitorch.autograd.grad_mode import no_grad, state


class _Recorder:
    """The interceptor that sees the operations, and the modules that are being called."""

    def __init__(self) -> None:
        self.scopes: list[str] = []
        self.nodes: list[NodeDef] = []
        self.names: dict[str, int] = {}  # how often each has been used
        self.made_by: dict[int, tuple[Any, str]] = {}  # id -> (tensor, kept so that no other gets its id; its node)

    def add(self, kind: str, title: str, tensor: Any, inputs: list[str], scoped: bool = True) -> str:
        """A node that gives the tensor."""
        name = "/".join([*self.scopes, title] if scoped else [title])
        used = self.names[name] = self.names.get(name, -1) + 1
        name += f"_{used}" if used else ""
        attr = {}
        if hasattr(tensor, "shape"):
            sizes = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in tensor.shape])
            attr["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[sizes]))
        self.nodes.append(NodeDef(name=name, op=kind, input=inputs, attr=attr))
        return name

    def put(self, tensor: Any, name: str) -> None:
        self.made_by[id(tensor)] = tensor, name

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        with state.below(self):
            out = op.function(*args)
        inputs = [self.made_by[id(t)][1] for t in _tensors(args) if id(t) in self.made_by]
        results = list(_tensors((out,)))
        name = self.add("aten::" + op.name, op.name, results[0] if results else None, inputs)
        for t in results:
            self.put(t, name)
        return out


def _tensors(values: Any) -> Any:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())
        elif hasattr(value, "array"):
            yield value


def graph(model: Any, args: Any, verbose: bool = False) -> tuple[GraphDef, RunMetadata]:
    """The graph of model(*args), and what TensorBoard wants to know of the run."""
    recorder = _Recorder()
    titles = {module: f"{type(module).__name__}[{name.rpartition('.')[2]}]" for name, module in model.named_modules()}
    titles[model] = type(model).__name__
    args = args if isinstance(args, (tuple, list)) else (args,)
    for i, t in enumerate(_tensors(args)):
        recorder.put(t, recorder.add("IO Node", f"input/{i}", t, [], scoped=False))
    for path, parameter in [*model.named_parameters(), *model.named_buffers()]:
        *parents, last = path.split(".")
        recorder.scopes = [titles[model], *[titles[m] for m in _along(model, parents)]]
        recorder.put(parameter, recorder.add("Parameter", last, parameter, []))
    recorder.scopes = []

    def enter(module: Any, _: Any) -> None:
        recorder.scopes.append(titles[module])

    def leave(module: Any, *_: Any) -> None:
        recorder.scopes.pop()

    handles = [m.register_forward_pre_hook(enter) for m in titles]
    handles += [m.register_forward_hook(leave, always_call=True) for m in titles]
    state.interceptors = (*state.interceptors, recorder)
    state.refresh()
    try:
        with no_grad():
            out = model(*args)
    finally:
        state.interceptors = tuple([i for i in state.interceptors if i is not recorder])
        state.refresh()
        for handle in handles:
            handle.remove()
    recorder.scopes = []
    for i, t in enumerate(_tensors((out,))):
        recorder.add("IO Node", f"output/{i}", t, [recorder.made_by[id(t)][1]] if id(t) in recorder.made_by else [])
    made = GraphDef(node=recorder.nodes, versions=VersionDef(producer=22))
    if verbose:
        print(made)
    return made, RunMetadata(step_stats=StepStats(dev_stats=[DeviceStepStats(device="/device:CPU:0")]))


def _along(module: Any, names: list[str]) -> Any:
    for name in names:
        module = module.get_submodule(name)
        yield module
