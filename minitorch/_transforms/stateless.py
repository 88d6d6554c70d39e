"""Modules as functions of their parameters: functional_call, stack_module_state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with other tensors in place of the parameters and buffers named.

    A tensor that the module has under several names is replaced under all of them, unless tie_weights=False.

    >>> import minitorch as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, torch.ones(2))
    tensor([3.])
    """
    given = _merged(parameter_and_buffer_dicts)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with replaced(module, given, tie_weights, strict):
        return module(*args, **({} if kwargs is None else kwargs))


def _merged(dicts: Any) -> dict[str, Any]:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence):
        raise ValueError(
            f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(dicts)}"
        )
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    merged: dict[str, Any] = {}
    repeated = []
    for d in dicts:
        repeated += [k for k in d if k in merged]
        merged.update(d)
    if repeated:
        raise ValueError(
            f"{list(dict.fromkeys(repeated))} appeared in multiple dictionaries; behavior of functional call is "
            "ambiguous"
        )
    return merged


def _tied(module: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, under all names that the module has for the same tensor."""
    names: dict[int, list[str]] = {}
    for tensors in (module.named_parameters, module.named_buffers):
        for name, t in tensors(remove_duplicate=False):
            names.setdefault(id(t), []).append(name)
    result = dict(given)
    for group in names.values():
        values = [given[n] for n in group if n in given]
        if not values or len(group) == 1:
            continue
        if any(v is not values[0] for v in values):
            raise ValueError(
                f"functional_call got multiple values for keys {[n for n in sorted(group) if n in given]}, which are "
                "tied. Consider using tie_weights=False"
            )
        result.update(dict.fromkeys(group, values[0]))
    return result


@contextmanager
def replaced(module: Any, given: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    """The module with other tensors, until the end of the block."""
    if tie_weights:
        given = _tied(module, given)
    if strict:
        _check_complete(module, given)
    homes = [(_owner(module, name), name.rpartition(".")[2], name) for name in given]
    tables = []
    for (owner, last, name), value in zip(homes, given.values(), strict=True):
        if not isinstance(value, Tensor):
            raise TypeError(f"{value} is not an instance of torch.Tensor")
        table = next((t for t in (owner._parameters, owner._buffers) if last in t), None)
        tables.append((name, owner.__dict__ if table is None else table, last))
    missing = object()
    before = [table.get(last, missing) for _, table, last in tables]
    for (_, table, last), value in zip(tables, given.values(), strict=True):
        table[last] = value
    try:
        yield
    finally:
        for (name, table, last), old in zip(tables, before, strict=True):
            if name in given and table.get(last) is not given[name]:
                given[name] = table[last]  # the module put another tensor there
            if old is missing:
                del table[last]
            else:
                table[last] = old


def _owner(module: Any, name: str) -> Any:
    """The submodule that a dotted name's last part belongs to."""
    for part in name.rpartition(".")[0].split("."):
        if part:
            if not hasattr(module, part):
                raise AttributeError(f"{type(module).__name__} has no attribute `{part}`")
            module = getattr(module, part)
    return module


def _check_complete(module: Any, given: dict[str, Any]) -> None:
    have = [
        *[n for n, _ in module.named_parameters(remove_duplicate=False)],
        *[n for n, _ in module.named_buffers(remove_duplicate=False)],
    ]
    unexpected, absent = sorted(set(given) - set(have)), sorted(set(have) - set(given))
    errors = []
    if unexpected:
        errors.append("Unexpected key(s): " + ", ".join(map(repr, unexpected)) + ".")
    if absent:
        errors.append("Missing key(s): " + ", ".join(map(repr, absent)) + ".")
    if errors:
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(errors))


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, buffers) of modules of one class, each stacked over the modules: what vmap makes an ensemble of.

    >>> import minitorch as torch
    >>> params, buffers = torch.func.stack_module_state([torch.nn.Linear(2, 1) for _ in range(3)])
    >>> params["weight"].shape
    torch.Size([3, 1, 2])
    """
    if not len(models):
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tables: list[dict[str, Any]]) -> dict[str, Any]:
        return {name: _stacked_leaf([t[name] for t in tables], name) for name in tables[0]}

    return stacked([dict(m.named_parameters()) for m in models]), stacked([dict(m.named_buffers()) for m in models])


def _stacked_leaf(tensors: list[Tensor], name: str) -> Tensor:
    if len({t.requires_grad for t in tensors}) > 1:
        raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    made = FUNCTIONS["stack"](tensors)
    return made.detach().requires_grad_() if tensors[0].requires_grad else made
