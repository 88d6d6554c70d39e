"""Trees of containers: taken apart and made again as by torch.utils._pytree."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest
import torch
import torch.utils._pytree as theirs

import minitorch
import minitorch.utils._pytree as ours

Pair = namedtuple("Pair", "left right")
TREES = [
    (1, [2, {"a": 3}]),
    Pair(1, [2]),
    {"p": Pair(Pair(1, 2), ()), "q": None},
    defaultdict(list, a=1),
    deque([1, [2]], 3),
    OrderedDict(b=1, a=(2, 3)),
    [[], {}, ()],
    "leaf",
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_trees_have_torchs_leaves_specs_and_types(tree):
    def seen(lib):
        leaves, spec = lib.tree_flatten(tree)
        kind = lib._get_node_type(tree)
        node = lib.SUPPORTED_NODES.get(kind)
        parts = None if node is None else (node.type, *node.flatten_fn(tree))
        made = None if node is None else node.unflatten_fn(parts[1], parts[2])
        return (
            leaves,
            repr(spec),
            kind,
            parts,
            made,
            lib.tree_map(lambda x: [x], tree),
            lib.tree_unflatten(leaves, spec),
        )

    assert seen(ours) == seen(theirs)


def test_a_size_is_a_container():
    def seen(lib, ns):
        size = ns.Size([2, 3])
        return lib.tree_leaves(size), repr(lib.tree_structure(size)), lib.tree_map(str, size)

    assert seen(ours, minitorch) == seen(theirs, torch)


def test_results_of_operations_keep_their_type():
    result = minitorch.tensor([[1, 2], [4, 3]]).max(1)
    doubled = ours.tree_map(lambda t: t * 2, result)
    assert type(doubled) is type(result)
    assert doubled.values.tolist() == [4, 8]
    assert doubled.indices.tolist() == [2, 0]
