"""`grad_fn._saved_other` and the like: what a node keeps, under torch's names.

Properties: with a `__getattr__` in its class every read of a node's slot takes four times as long. Torch keeps
more, such as a tensor's sizes where ours are known from the gradient; what no gradient here needs is not shown.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from .op import Op

# torch's words where they are not ours, op by op; "" for what torch does not keep
_WORDS: dict[str, dict[str, str]] = {
    "addmm": {"input_shape": ""},
    "addmv": {"input_shape": ""},
    "adaptive_avg_planes": {"maps": ""},
    "attention_in_blocks": {
        "queries": "query", "keys": "key", "values": "value", "mask": "attn_mask", "out": "output", "sums": "",
        "dropout": "",
    },
    "avg_pool_planes": {"maps": ""},
    "baddbmm": {"input_shape": ""},
    "batch_norm_train": {"input": "input", "mean": "result1", "var": ""},
    "cholesky_factor": {"out": "L"},
    "choose": {"condition": "condition", "input_shape": "", "other_shape": ""},
    "constant_pad": {"pads": "pad"},
    "convolution_forward": {"input": "input", "input_shape": "", "weight_shape": ""},
    "convolution_transpose": {"input": "input", "input_shape": "", "weight_shape": ""},
    "cross_entropy_with_slopes": {"input": "", "slopes": ""},
    "embedding_rows": {"weight_shape": ""},
    "gather": {"input_shape": ""},
    "group_norm_rows": {
        "input": "input", "groups": "group", "mean": "result1", "rstd": "result2",
    },
    "index": {"places": ""},
    "inverse_matrix": {"out": "inverse"},
    "layer_norm_rows": {"input": "input", "dims": "", "eps": "", "mean": "result1", "rstd": "result2"},
    "linear_2d": {"input": "mat1", "weight": "", "bias_shape": ""},
    "max_pool_planes": {"kernel": "kernel_size", "indices": "result1", "input_shape": ""},
    "nll_loss_of_classes": {"input_shape": ""},
    "slice_dim": {"stop": "end"},
    "squeeze_dims": {"dims": ""},
    "unsqueeze": {"input_shape": ""},
    "upsample_nearest2d": {"maps": ""},
}  # fmt: skip


def _dims(node: Any) -> Any:
    return (node.dim,) if isinstance(node.dim, int) else node.dim


def _bound(name: str, node: Any) -> Any:
    """A bound of clamp, which has an infinite one where none was given."""
    value = getattr(node, name)
    return None if math.isinf(value) else value


def _each_dimension(node: Any) -> list[Any]:
    """A basic index without its ellipsis: an entry for each dimension of the input."""
    index = list(node.index)
    at = index.index(...) if ... in index else len(index)
    taken = sum(i is not None and i is not ... for i in index)
    return [*index[:at], *[slice(None)] * (len(node.input_shape) - taken), *index[at + 1 :]]


def _selected(node: Any) -> tuple[int, int]:
    """(dim, index) of the last select that torch makes of an index."""
    index = _each_dimension(node)
    last = max(d for d, i in enumerate(index) if isinstance(i, int))
    return sum(not isinstance(i, int) for i in index[:last]), index[last]


def _sliced(node: Any) -> tuple[int, slice]:
    """(dim, slice) of the last slice that torch makes of an index."""
    index = [(d, s) for d, s in enumerate(_each_dimension(node)) if isinstance(s, slice)]
    return next((found for found in reversed(index) if found[1] != slice(None)), index[-1])


def _end(node: Any) -> int:
    """Where the last slice ends; torch's way to say "open" where it ends with the dimension, as most such do."""
    dim, found = _sliced(node)
    return 2**63 - 1 if found.stop in (None, node.input_shape[dim]) else found.stop


def _second_factor(node: Any) -> Any:
    """The weight of a linear layer as torch multiplies by it."""
    weight = _kept("weight", node)
    return None if weight is None else weight.t()


# of what is kept, and what follows from it
_VALUES: dict[str, dict[str, Callable[[Any], Any]]] = {
    **{
        name: {"dim": _dims}
        for name in ("amax", "amin", "logsumexp_dims", "mean", "norm_of_vectors", "sum", "variance")
    },
    "basic_select": {"dim": lambda n: _selected(n)[0], "index": lambda n: _selected(n)[1]},
    "basic_slice": {
        "dim": lambda n: _sliced(n)[0],
        "start": lambda n: _sliced(n)[1].start or 0,
        "end": _end,
        "step": lambda n: _sliced(n)[1].step or 1,
    },
    "clamp_between": {"min": partial(_bound, "low"), "max": partial(_bound, "high")},
    "convolution_forward": {"transposed": lambda n: False},
    "convolution_transpose": {"transposed": lambda n: True},
    "embedding_rows": {"weight_sym_argsize_0": lambda n: n.weight_shape[0]},
    "gelu_by_erf": {"approximate": lambda n: "none"},
    "gelu_by_tanh": {"approximate": lambda n: "tanh"},
    "linear_2d": {"mat2": _second_factor, "alpha": lambda n: 1, "beta": lambda n: 1},
    "mean": {"dim": _dims, "self_sym_numel": lambda n: math.prod(n.input_shape)},
    "pow_0": {"exponent": lambda n: 0},
    "pow_1": {"exponent": lambda n: 1},
    "pow_2": {"exponent": lambda n: 2},
    "pow_3": {"exponent": lambda n: 3},
    "pow_half": {"exponent": lambda n: 0.5},
    "pow_minus_1": {"exponent": lambda n: -1},
    "pow_minus_2": {"exponent": lambda n: -2},
    "pow_minus_half": {"exponent": lambda n: -0.5},
    "squeeze_dims": {"dim": lambda n: n.dims[0] if len(n.dims) == 1 else n.dims},
}
_REPLACED = {"basic_slice": "index", "clamp_between": "low high"}  # by those of _VALUES


def saved_attributes(op: Op) -> dict[str, property]:
    """The properties of the class of an op's nodes; those of tensors with `_raw_saved_` too, which takes hooks."""
    hidden = _REPLACED.get(op.name, "").split()
    words = {op.tensors[0]: "self", "out": "result", **_WORDS.get(op.name, {}), **dict.fromkeys(hidden, "")}
    found = {}
    for k in {k for t in op.edges for k in op.kept(t)}:
        word = words.get(k, k)
        if k.endswith("_shape") and k not in words:
            of = k.removesuffix("_shape")
            word = f"{words.get(of, of)}_sym_sizes"
        if not word or k.endswith(("_dtype", "_geometry")):
            continue
        found[f"_saved_{word}"] = property(partial(_kept, k))
        if not op.is_plain(k):
            found[f"_raw_saved_{word}"] = property(partial(_raw, k))
    for word, value in _VALUES.get(op.name, {}).items():
        found[f"_saved_{word}"] = property(value)
    return found


def _kept(k: str, node: Any) -> Any:
    """A kept value; None for what no gradient of this call needs."""
    return node.unpack(k) if hasattr(node, k) else None


def _raw(k: str, node: Any) -> Any:
    from .packed import SavedTensor

    return SavedTensor(node, k)
