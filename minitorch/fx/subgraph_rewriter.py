"""`replace_pattern`: finds in a graph what a pattern does, and puts something else in its place."""

from collections.abc import Callable
from typing import Any, NamedTuple

from minitorch import nn

from ._symbolic_trace import symbolic_trace
from .graph import Graph
from .graph_module import GraphModule
from .node import Node

__all__ = ["Match", "replace_pattern"]


class Match(NamedTuple):
    """Where a pattern was found: the pattern's last node, and for each of its nodes that of the graph."""

    anchor: Node
    nodes_map: dict[Node, Node]


def _graph_of(program: Any) -> Graph:
    return program.graph if isinstance(program, GraphModule) else symbolic_trace(program).graph


def _matches(pattern: Any, found: Any, known: dict[Node, Any]) -> bool:
    """Whether an argument is what the pattern has in its place; `known` gets what its nodes stand for."""
    if not isinstance(pattern, Node):
        if isinstance(pattern, (list, tuple)):
            same = isinstance(found, (list, tuple)) and len(pattern) == len(found)
            return same and all(_matches(p, f, known) for p, f in zip(pattern, found))
        if isinstance(pattern, dict):
            same = isinstance(found, dict) and pattern.keys() == found.keys()
            return same and all(_matches(p, found[k], known) for k, p in pattern.items())
        return type(pattern) is type(found) and pattern == found
    if pattern in known:
        return known[pattern] is found
    if pattern.op == "placeholder":
        known[pattern] = found
        return True
    if not isinstance(found, Node) or pattern.op != found.op or pattern.target != found.target:
        return False
    known[pattern] = found
    return _matches(pattern.args, found.args, known) and _matches(pattern.kwargs, found.kwargs, known)


def _is_closed(known: dict[Node, Any], last: Node) -> bool:
    """Whether nobody outside of what was found uses a result within it."""
    inner = {found for node, found in known.items() if node.op != "placeholder"}
    return all(user in inner for node in inner if node is not last for user in node.users)


def replace_pattern(
    gm: GraphModule,
    pattern: Callable[..., Any] | nn.Module,
    replacement: Callable[..., Any] | nn.Module,
) -> list[Match]:
    """Replace in gm each group of calls that does what `pattern` does by the calls of `replacement`.

    Both take the same arguments, and return one result. Returns where the pattern was found.

    >>> import minitorch as torch
    >>> gm = symbolic_trace(lambda x: torch.relu(x) + 1)
    >>> len(replace_pattern(gm, lambda x: torch.relu(x), lambda x: torch.sigmoid(x)))
    1
    >>> [node.name for node in gm.graph.nodes]
    ['x', 'sigmoid', 'add', 'output']
    """
    wanted, instead = _graph_of(pattern), _graph_of(replacement)
    result = wanted.output_node().args[0]
    if not isinstance(result, Node) or not isinstance(instead.output_node().args[0], Node):
        raise NotImplementedError(
            "replace_pattern: patterns and replacements that return several results are not supported"
        )
    inputs = wanted.find_nodes(op="placeholder")
    matches: list[Match] = []
    replaced: set[Node] = set()
    for node in list(gm.graph.nodes):
        known: dict[Node, Any] = {}
        if node.op in ("placeholder", "output") or not _matches(result, node, known) or not _is_closed(known, node):
            continue
        inner = [found for n, found in known.items() if n.op != "placeholder"]
        if replaced.isdisjoint(inner):
            replaced.update(inner)
            matches.append(Match(result, known))
    swapped: dict[Any, Any] = {}  # what was replaced since, and may be an input of a later match
    for match in matches:
        last = match.nodes_map[result]
        given = [match.nodes_map.get(n) for n in inputs]
        new: dict[Node, Any] = {
            n: swapped.get(found, found) for n, found in zip(instead.find_nodes(op="placeholder"), given)
        }
        with gm.graph.inserting_before(last):
            swapped[last] = gm.graph.graph_copy(instead, new)
        last.replace_all_uses_with(swapped[last])
        done = {found for n, found in match.nodes_map.items() if n.op != "placeholder"}
        for node in [n for n in reversed(gm.graph.nodes) if n in done]:
            gm.graph.erase_node(node)
    gm.recompile()
    return matches
