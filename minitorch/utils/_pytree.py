"""Nested containers as flat lists of leaves: tuples, lists, dicts, named tuples, deques and registered classes.

None is a leaf, as in torch.utils._pytree. A dict's leaves come in the order of its keys' insertion.
"""

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from minitorch._layout import Size

PyTree = Any
Leaf = Callable[[Any], bool] | None


class TreeSpec:
    """The shape of a tree: a container's type, what else it needs to be made again, and the specs of its parts.

    >>> from minitorch.utils._pytree import tree_structure
    >>> spec = tree_structure([1, (2, 3)])
    >>> spec.num_leaves, spec.num_children
    (3, 2)
    """

    def __init__(self, type: Any, context: Any, children_specs: list["TreeSpec"]):
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves: int = sum(c.num_leaves for c in children_specs)
        self.num_nodes: int = 1 + sum(c.num_nodes for c in children_specs)
        self.num_children = len(children_specs)

    def is_leaf(self) -> bool:
        """Whether this is the shape of a single leaf."""
        return False

    def children(self) -> list["TreeSpec"]:
        """The specs of the parts."""
        return list(self.children_specs)

    def unflatten(self, leaves: Any) -> PyTree:
        """The tree of this shape with these leaves."""
        return tree_unflatten(leaves, self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (self.type, self.context, self.children_specs) == (other.type, other.context, other.children_specs)

    def __hash__(self) -> int:
        return hash((self.type, repr(self.context), tuple(self.children_specs)))

    def __repr__(self) -> str:
        return self._text(0)

    def _text(self, indent: int) -> str:
        inner = (",\n" + " " * (indent + 2)).join(c._text(indent + 2) for c in self.children_specs)
        return f"TreeSpec({self.type.__name__}, {self.context}, [{inner}])"


class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])
        self.num_leaves = 1

    def is_leaf(self) -> bool:
        return True

    def _text(self, indent: int) -> str:
        return "*"


class NodeDef(NamedTuple):
    """How containers of a type are taken apart, (parts, context), and made again of these."""

    type: Any
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Any, Any], Any]


def _dict_of(kind: Any) -> NodeDef:
    return NodeDef(kind, lambda t: (list(t.values()), list(t)), lambda parts, keys: kind(zip(keys, parts, strict=True)))


def _sequence_of(kind: Any) -> NodeDef:
    return NodeDef(kind, lambda t: (list(t), None), lambda parts, _: kind(parts))


# by type, those of all named tuples under `namedtuple`
SUPPORTED_NODES: dict[Any, NodeDef] = {
    node.type: node
    for node in (
        _sequence_of(tuple),
        _sequence_of(list),
        NodeDef(Size, lambda t: (list(t), None), lambda parts, _: tuple(parts)),
        _dict_of(dict),
        _dict_of(OrderedDict),
        NodeDef(
            defaultdict,
            lambda t: (list(t.values()), [t.default_factory, list(t)]),
            lambda parts, context: defaultdict(context[0], zip(context[1], parts, strict=True)),
        ),
        NodeDef(deque, lambda t: (list(t), t.maxlen), lambda parts, maxlen: deque(parts, maxlen)),
        NodeDef(namedtuple, lambda t: (list(t), type(t)), lambda parts, kind: kind(*parts)),
    )
}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Any, Any], Any],
    *,
    serialized_type_name: str | None = None,
) -> None:
    """Make a class a container: flatten_fn(x) gives (parts, context), unflatten_fn(parts, context) x again."""
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)


def _get_node_type(tree: Any) -> Any:
    """The type under which a container is registered: `namedtuple` of all named tuples."""
    kind = tree.__class__
    return namedtuple if issubclass(kind, tuple) and hasattr(kind, "_fields") else kind


def _node(tree: Any) -> Any:
    """(kind, parts, context) of a container, None of a leaf."""
    kind = _get_node_type(tree)
    node = SUPPORTED_NODES.get(kind)
    if node is None:
        return None
    parts, context = node.flatten_fn(tree)
    return kind, list(parts), context


def tree_flatten(tree: PyTree, is_leaf: Leaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, and its shape.

    >>> from minitorch.utils._pytree import tree_flatten, tree_unflatten
    >>> leaves, spec = tree_flatten({"a": 1, "b": [2, 3]})
    >>> leaves, tree_unflatten([x * 10 for x in leaves], spec)
    ([1, 2, 3], {'a': 10, 'b': [20, 30]})
    """
    node = None if is_leaf is not None and is_leaf(tree) else _node(tree)
    if node is None:
        return [tree], LeafSpec()
    kind, parts, context = node
    leaves: list[Any] = []
    specs = []
    for part in parts:
        more, spec = tree_flatten(part, is_leaf)
        leaves += more
        specs.append(spec)
    return leaves, TreeSpec(kind, context, specs)


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> PyTree:
    """The tree of this shape with these leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but got item of type "
            f"{type(treespec)}."
        )
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
            f"holds {treespec.num_leaves} items ({treespec})."
        )
    return _made(iter(leaves), treespec)


def _made(leaves: Iterator[Any], spec: TreeSpec) -> PyTree:
    if spec.is_leaf():
        return next(leaves)
    parts = [_made(leaves, s) for s in spec.children_specs]
    return SUPPORTED_NODES[spec.type].unflatten_fn(parts, spec.context)


def tree_leaves(tree: PyTree, is_leaf: Leaf = None) -> list[Any]:
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: PyTree, is_leaf: Leaf = None) -> Iterator[Any]:
    """An iterator over the leaves."""
    return iter(tree_leaves(tree, is_leaf))


def tree_structure(tree: PyTree, is_leaf: Leaf = None) -> TreeSpec:
    """The shape of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_is_leaf(tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Whether this is no container."""
    return (is_leaf is not None and is_leaf(tree)) or _node(tree) is None


def tree_map(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: Leaf = None) -> PyTree:
    """The tree with func(leaf, ...) for each leaf, the further arguments from the same places of `rests`.

    >>> from minitorch.utils._pytree import tree_map
    >>> tree_map(lambda x, y: x + y, (1, [2]), (10, [20]))
    (11, [22])
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves, *[_flatten_up_to(r, spec) for r in rests]]
    return tree_unflatten([func(*row) for row in zip(*columns, strict=True)], spec)


def _flatten_up_to(tree: PyTree, spec: TreeSpec) -> list[Any]:
    """The parts of a tree at the places of the spec's leaves."""
    if spec.is_leaf():
        return [tree]
    node = _node(tree)
    if node is None or node[0] is not spec.type:
        raise ValueError(f"Type mismatch; expected {spec.type!r}, but got {type(tree)!r}.")
    if len(node[1]) != spec.num_children:
        raise ValueError(f"Node arity mismatch; expected {spec.num_children}, but got {len(node[1])}.")
    if node[2] != spec.context:
        raise ValueError(f"Node context mismatch; expected {spec.context!r}, but got {node[2]!r}.")
    return [leaf for part, s in zip(node[1], spec.children_specs, strict=True) for leaf in _flatten_up_to(part, s)]


def tree_map_(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: Leaf = None) -> PyTree:
    """Call func on each leaf and return the tree as it was."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _predicate(types: Any) -> Callable[[Any], bool]:
    return (lambda x: isinstance(x, types)) if isinstance(types, (type, tuple)) or hasattr(types, "__args__") else types


def tree_map_only(
    types: Any, func: Callable[[Any], Any] | None = None, tree: PyTree = None, is_leaf: Leaf = None
) -> PyTree:
    """The tree with func(leaf) for the leaves of these types (or for which `types` is true), the others as they are."""
    if func is None:
        return lambda f: _only(types, f)
    return tree_map(_only(types, func), tree, is_leaf=is_leaf)


def _only(types: Any, func: Callable[[Any], Any]) -> Callable[[Any], Any]:
    wanted = _predicate(types)
    return lambda x: func(x) if wanted(x) else x


def tree_map_only_(types: Any, func: Callable[[Any], Any], tree: PyTree, is_leaf: Leaf = None) -> PyTree:
    """tree_map_ for the leaves of these types."""
    return tree_map_(_only(types, func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Whether pred holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Whether pred holds for any leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(types: Any, pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Whether pred holds for all leaves of these types."""
    wanted = _predicate(types)
    return all(pred(x) for x in tree_iter(tree, is_leaf) if wanted(x))


def tree_any_only(types: Any, pred: Callable[[Any], bool], tree: PyTree, is_leaf: Leaf = None) -> bool:
    """Whether pred holds for any leaf of these types."""
    wanted = _predicate(types)
    return any(pred(x) for x in tree_iter(tree, is_leaf) if wanted(x))


def _broadcast_to_and_flatten(tree: PyTree, treespec: TreeSpec, is_leaf: Leaf = None) -> list[Any] | None:
    """The leaves of a tree whose leaves may stand for whole subtrees of the spec; None if it does not fit."""
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    node = _node(tree)
    if treespec.is_leaf() or node[0] is not treespec.type or node[2] != treespec.context:
        return None
    if len(node[1]) != treespec.num_children:
        return None
    result: list[Any] = []
    for part, spec in zip(node[1], treespec.children_specs, strict=True):
        flat = _broadcast_to_and_flatten(part, spec, is_leaf)
        if flat is None:
            return None
        result += flat
    return result
