"""What modules within a model compute, as the output of another model."""

import re
from collections import OrderedDict
from typing import Any

from minitorch import nn

__all__ = ["create_feature_extractor", "get_graph_node_names"]

Nodes = list[str] | dict[str, str]


class _FeatureExtractor(nn.Module):
    """A model with the children, parameters and buffers of another one; its output is a dict of theirs."""

    def __init__(self, model: nn.Module, nodes: dict[bool, dict[str, str]]) -> None:
        super().__init__()
        for name in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
            self.__dict__[name] = model.__dict__[name]
        self.__dict__["_model"] = model  # not a child: names in the state_dict stay as they are
        self._calls = {
            mode: {_call(model, node): key for node, key in wanted.items()} for mode, wanted in nodes.items()
        }
        self.train(model.training)

    def train(self, mode: bool = True) -> "_FeatureExtractor":
        self._model.training = mode
        super().train(mode)
        return self

    def forward(self, *args: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        wanted = self._calls[self.training]
        results: dict[str, Any] = {}
        counts: dict[str, int] = {}

        def watch(name: str) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                count = counts[name] = counts.get(name, -1) + 1
                for number in (count, None):  # None is the last call: each one replaces those before
                    if (name, number) in wanted:
                        results.pop(wanted[name, number], None)
                        results[wanted[name, number]] = output

            return self._model.get_submodule(name).register_forward_hook(hook)

        handles = [watch(name) for name in dict.fromkeys(name for name, _ in wanted)]
        try:
            self._model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
        if missing := wanted.values() - results.keys():
            raise ValueError(
                f"the model did not compute {sorted(missing)} in {'training' if self.training else 'eval'} mode"
            )
        return OrderedDict(results)


def _call(model: nn.Module, node: str) -> tuple[str, int | None]:
    """The module that a node names, and which of its calls: relu_1 is relu's second; None is a container's last."""
    modules = dict(model.named_modules())
    if node in modules and node:
        return node, None if modules[node]._modules else 0
    numbered = re.fullmatch(r"(.+)_(\d+)", node)
    if numbered is not None and numbered.group(1) in modules:
        return numbered.group(1), int(numbered.group(2))
    raise NotImplementedError(
        f"create_feature_extractor: node {node!r} is no module of the model, and only modules can be named"
    )


def create_feature_extractor(
    model: nn.Module,
    return_nodes: Nodes | None = None,
    train_return_nodes: Nodes | None = None,
    eval_return_nodes: Nodes | None = None,
    tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> nn.Module:
    """A model that returns what the named modules of `model` compute: `{name: output}`, or under the names in a dict.

    It shares all parameters with `model`, and runs all of it. Nodes are modules only: results of functions such as
    `flatten` raise NotImplementedError.

    >>> import minitorch as torch
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> features = create_feature_extractor(model, {"1": "hidden"})(torch.ones(5, 4))
    >>> features["hidden"].shape
    torch.Size([5, 3])
    """
    if tracer_kwargs is not None or concrete_args is not None:
        raise NotImplementedError("create_feature_extractor: tracer_kwargs and concrete_args are not supported")
    by_mode = (train_return_nodes, eval_return_nodes)
    if return_nodes is None and by_mode == (None, None):
        raise ValueError(
            "Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, should be specified"
        )
    if (train_return_nodes is None) != (eval_return_nodes is None):
        raise ValueError(
            "If any of `train_return_nodes` and `eval_return_nodes` are specified, then both should be specified"
        )
    if return_nodes is not None and train_return_nodes is not None:
        raise ValueError("If `train_return_nodes` and `eval_return_nodes` are specified, then both should be specified")
    nodes: dict[bool, dict[str, str]] = {}
    for mode, named in zip((True, False), by_mode):
        chosen: Any = return_nodes if named is None else named
        nodes[mode] = dict(chosen) if isinstance(chosen, dict) else {str(node): str(node) for node in chosen}
    return _FeatureExtractor(model, nodes)


def get_graph_node_names(model: nn.Module, *args: Any, **kwargs: Any) -> tuple[list[str], list[str]]:
    """Not supported: there is no graph to read the names from."""
    raise NotImplementedError(
        "get_graph_node_names is not supported; the names of modules are in model.named_modules()"
    )
