"""The names that minitorch offers, against torch's: which exist, and whether torch's calls fit their signatures.

torch's names are those of `torch.overrides.get_testing_overrides()`; arguments and defaults come from its operator
schemas, and for functions written in Python from their signature. A deliberate difference is a row of `DIFFERENT`.
"""

import ast
import functools
import inspect
import pathlib
import re

import pytest
import torch

import minitorch
from minitorch._absent import NAMES
from minitorch._ops import namespaces
from minitorch._ops.generate import built

# families that minitorch does not claim: (reason, what their names contain)
NOT_EVERYDAY = {
    "complex numbers": ("complex", "conj", "resolve_neg", "is_neg", "imag", "polar", "stft", "fft.", "eigvals", "eig",
                        "view_as_real_copy"),
    "quantization": ("quant", "q_scale", "q_zero_point", "q_per_channel", "int_repr", "_mm_packed", "fbgemm",
                     "choose_qp", "qscheme"),
    "other back ends": ("cudnn", "miopen", "mkldnn", "vulkan", "xpu", "ipu", "xla", "mps", "mtia", "maia", "nested"),
    "sparse layouts": ("sparse", "csr", "csc", "bsr", "bsc", "crow_", "ccol_", "row_indices", "col_indices",
                       "to_dense", "hspmm", "smm", "sspaddmm", "saddmm"),
    "graph capture": ("fake_", "sym_", "fused_moving", "_assert", "functional_", "rowwise_prune",
                      "slice_inverse"),
    "named tensors": ("names", "rename", "align_", "refine_"),
    "internals of torch": ("native_", "_cdata", "_grad_fn", "volatile", "_values_copy", "indices_copy", "values_copy",
                           "batch_norm_", "const_data_ptr", "storage_type", "module_load"),
    "recurrent kernels, used through nn": ("gru", "lstm", "rnn_"),
    "several machines": ("is_distributed",),
    "what only Python 2 calls": ("__div__", "__idiv__", "__long__", "__nonzero__"),
}  # fmt: skip

# further names by themselves, and why
NOT_CLAIMED = {
    "torch.Tensor.resize": "deprecated in torch",
    "torch.Tensor.resize_as": "deprecated in torch",
    "torch.Tensor.storage": "deprecated in torch",
    "torch.frobenius_norm": "deprecated in torch",
    "torch.nuclear_norm": "deprecated in torch",
    "torch.Tensor.index": "of functorch.dim",
    "torch.Tensor.__setstate__": "reads what torch's own pickles hold",
}

# torch.name -> why its signature differs
DIFFERENT: dict[str, str] = {
    "torch.Tensor.__repr__": "tensor_contents= is for wrapper subclasses, which need __torch_dispatch__",
    **dict.fromkeys(
        "torch.binary_cross_entropy_with_logits torch.cosine_embedding_loss torch.hinge_embedding_loss torch.kl_div "
        "torch.margin_ranking_loss torch.triplet_margin_loss".split(),
        "the schema's default is the mean, but called without a reduction torch's function reduces nothing",
    ),
}

# what minitorch has and torch has not
ADDITIONS: dict[str, set[str]] = {
    # a tensor's own state (see `_tensor.py`); torch keeps the same in C++
    "torch.Tensor": {"array", "base", "created", "edge", "retired", "version", "view_version"},
}

NAMESPACES = {
    "torch": (torch, minitorch),
    "torch.Tensor": (torch.Tensor, minitorch.Tensor),
    "torch.nn.functional": (torch.nn.functional, minitorch.nn.functional),
    "torch.linalg": (torch.linalg, minitorch.linalg),
    "torch.special": (torch.special, minitorch.special),
}

# one parameter of ours that takes what torch's overloads call by two names, both accepted by keyword:
# (torch's name, ours at this place)
SHARED_PLACES = {
    ("value", "src"),  # scatter of a number
    ("unbiased", "dim"),  # var(input, unbiased)
    ("other", "dim"),  # max of two tensors
    ("dtype", "size"),  # view
    ("repeats", "input"),  # repeat_interleave of repeats alone
}


def everyday_names() -> list[str]:
    """torch's overridable functions and attributes by public name, without the families of NOT_EVERYDAY."""
    functions = torch.overrides.get_testing_overrides()
    candidates = {torch.overrides.resolve_name(function) for function in functions} - {None}
    # resolve_name knows one name of a function only: torch.bilinear is torch.nn.functional.bilinear
    for place, (there, _) in NAMESPACES.items():
        for last in dir(there):
            value = getattr(there, last, None)
            if callable(value) and value in functions:
                candidates.add(f"{place}.{last}")
    names = set()
    for candidate in candidates:
        name = candidate.removesuffix(".__get__").replace("torch.functional.", "torch.")
        words = name.split(".")
        if words[-1].startswith("_") and not words[-1].startswith("__"):
            continue
        if name in NOT_CLAIMED or any(word in name for family in NOT_EVERYDAY.values() for word in family):
            continue
        if ".".join(words[:-1]) in NAMESPACES:
            names.add(name)
    return sorted(names)


def ours(name: str):
    place, _, last = name.rpartition(".")
    return getattr(NAMESPACES[place][1], last, None)


def theirs(name: str):
    place, _, last = name.rpartition(".")
    return getattr(NAMESPACES[place][0], last)


def exists(name: str) -> bool:
    place, _, last = name.rpartition(".")
    return hasattr(NAMESPACES[place][1], last)


EVERYDAY = everyday_names()
FUNCTIONS = [n for n in EVERYDAY if callable(ours(n))]


def test_everyday_names_exist(capsys):
    missing = [n for n in EVERYDAY if not exists(n)]
    found = len(EVERYDAY) - len(missing)
    with capsys.disabled():
        print(f"\n{found} of {len(EVERYDAY)} everyday names of torch exist; missing: {' '.join(missing) or 'none'}")
    assert not missing


@pytest.mark.parametrize("place", NAMESPACES)
def test_every_public_name_is_one_of_torch(place):
    there, here = NAMESPACES[place]
    ours = {n for n in dir(here) if not n.startswith("_") and not hasattr(there, n)} - {"standin", "vision", "warm"}
    assert ours == ADDITIONS.get(place, set()), "names that torch lacks, and that ADDITIONS does not list"


@pytest.mark.parametrize("place", NAMESPACES)
def test_functions_are_called_by_a_name_that_they_are_found_under(place):
    here = NAMESPACES[place][1]
    functions = {n: getattr(here, n) for n in dir(here) if inspect.isfunction(getattr(here, n)) and n[0] != "_"}
    lost = [n for n, f in functions.items() if f not in [getattr(p, f.__name__, None) for p in (here, minitorch)]]
    assert lost == []  # torch.special.expit is torch.sigmoid


def test_what_is_known_to_be_missing_is_told_from_a_misspelling():
    with pytest.raises(AttributeError, match=r"no attribute 'export': torch\.export is not supported"):
        _ = minitorch.export
    with pytest.raises(AttributeError, match=r"no attribute 'zeroes'$"):
        _ = minitorch.zeroes


@pytest.mark.filterwarnings("ignore")
def test_every_name_of_torch_is_there_or_said_to_be_missing():
    for name in dir(torch):
        if not name.startswith("_") and not hasattr(minitorch, name):
            with pytest.raises(AttributeError, match=rf"torch\.{name} is not supported, see the README"):
                getattr(minitorch, name)
    assert not {name for name in NAMES if hasattr(minitorch, name)}, "listed as missing, but there"
    assert minitorch.DisableTorchFunctionSubclass is minitorch._C.DisableTorchFunctionSubclass


def test_a_name_cannot_be_given_to_two_functions():
    with pytest.raises(RuntimeError, match=r"nn.functional.relu is given to two functions"):
        namespaces._place("relu", print, ["nn.functional"])


# ---------------------------------------------------------------------- signatures
empty = inspect.Parameter.empty


def overloads(name: str):
    """The positional arguments of each overload that Python may call; None if torch does not list them.

    A call that fits none is answered with the list. Schemas alone have TorchScript's overloads too.
    """
    try:
        function = getattr(torch.ones(1), name.rpartition(".")[2]) if "Tensor" in name else theirs(name)
        function(*[object()] * 10)
    except Exception as e:
        found = re.findall(r"(?:\* |expected )\((.*)\)", str(e))
        return [re.findall(r"(\w+)(?: =|,|$)", line.partition("*")[0]) for line in found] or None


def calls(name: str):
    """What torch takes under this name: for each overload, [(argument, default or empty, keyword-only)].

    The first argument of a method, which is never named, is left out.
    """
    place, _, last = name.rpartition(".")
    method = place == "torch.Tensor"
    try:
        parameters = list(inspect.signature(theirs(name)).parameters.values())
    except (ValueError, TypeError):
        parameters = None  # written in C++
    if parameters is not None:
        if not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
            yield [(p.name, p.default, p.kind is p.KEYWORD_ONLY) for p in parameters[method:]]
        return
    prefix = {"torch.linalg": "linalg_", "torch.special": "special_"}.get(place, "")
    listed = overloads(name)
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{prefix}{last}"):
        arguments = schema.arguments
        if not arguments or str(arguments[0].type) not in ("Tensor", "List[Tensor]") or "Dimname" in str(schema):
            continue
        if any(a.alias_info is not None and a.kwarg_only for a in arguments):
            continue  # the forms with out=: see `takes_out`
        if any(a.name == "out_dtype" for a in arguments):
            continue  # for CUDA only
        arguments = [a for a in arguments if not (method and a.name == "self")]
        names = ["input" if a.name == "self" else a.name for a in arguments]
        if listed is not None and [n for n, a in zip(names, arguments) if not a.kwarg_only] not in listed:
            continue
        defaults = [a.default_value if a.has_default_value() else empty for a in arguments]
        yield list(zip(names, defaults, [a.kwarg_only for a in arguments]))


def takes_out(name: str) -> bool:
    place, _, last = name.rpartition(".")
    prefix = {"torch.linalg": "linalg_", "torch.special": "special_"}.get(place, "")
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{prefix}{last}")
    if refuses_out(name):
        return False  # whatever its documentation says: that of std_mean has one
    return "out" in documented(name) and any(
        a.alias_info is not None and a.kwarg_only for s in schemas for a in s.arguments
    )


@functools.cache
def functions_with_out() -> dict[str, bool]:
    """Whether torch's own stubs have an `out` among the arguments of each function of `torch`."""
    stubs = ast.parse((pathlib.Path(torch.__file__).parent / "_C" / "_VariableFunctions.pyi").read_text("utf-8"))
    found: dict[str, bool] = {}
    for node in ast.walk(stubs):
        if isinstance(node, ast.FunctionDef):
            names = [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]
            found[node.name] = found.get(node.name, False) or "out" in names
    return found


def refuses_out(name: str) -> bool:
    place, _, last = name.rpartition(".")
    return place == "torch" and inspect.isbuiltin(theirs(name)) and not functions_with_out().get(last, True)


def documented(name: str) -> list[str]:
    """The words that the first line of torch's documentation has for the arguments: its parser may have others."""
    head = re.search(r"\((.*?)\)", getattr(theirs(name), "__doc__", None) or "")
    return [] if head is None else [a.partition("=")[0].strip(" *") for a in head[1].split(",")]


def same_default(mine, default, overloaded: bool) -> bool:
    """Whether no user can tell the two apart: a scalar is a list of it, None no list, False or a missing argument."""
    if overloaded and mine is None:
        return True
    if default == "valid":
        return mine == 0  # the padding of a convolution, by its overload with words
    if isinstance(mine, minitorch.memory_format):
        return default is None or isinstance(default, int)  # schemas have numbers for these
    if isinstance(mine, minitorch.layout):
        return default is None or str(default) == str(mine)
    if isinstance(default, (list, tuple)):
        default = list(default)
        wide = list(mine) if isinstance(mine, (list, tuple)) else [mine] * len(default)
        return wide == default or (mine is None and not default)
    return mine == default or (mine in (None, False) and default in (None, False))


def fits(signature: inspect.Signature, call, name: str, overloaded: bool) -> str:
    """Why torch's call does not fit our signature, or nothing."""
    parameters = list(signature.parameters.values())
    own = [parameters[0].name] if name.startswith("torch.Tensor.") else []
    in_documentation = documented(name)
    words = getattr(ours(name), "words", {})  # other spellings: see `public.py`
    renamed = {}
    is_special = name.rpartition(".")[2].startswith("__")  # Python calls these, by position
    for argument, given in (("all", call), ("required", [c for c in call if c[1] is empty])):
        try:
            bound = signature.bind(*own, *[a[0] for a in given if not a[2]], **{a[0]: 0 for a in given if a[2]})
        except TypeError as e:
            return f"{argument} arguments: {e}"
        for mine, value in bound.arguments.items():
            is_variadic = signature.parameters[mine].kind is inspect.Parameter.VAR_POSITIONAL
            if not isinstance(value, str) or is_variadic or value in (mine, *own):
                continue
            documents = mine in in_documentation and value not in in_documentation
            if not (is_special or documents or (value, mine) in SHARED_PLACES or words.get(value) == mine):
                return f"{value} is called {mine}"
            renamed[value] = mine
    if is_special:
        return ""
    try:
        signature.bind(*own, **{renamed.get(a[0], a[0]): 0 for a in call})
    except TypeError as e:
        return f"by keyword: {e}"
    for argument, default, _ in call:
        mine = signature.parameters.get(argument)
        if default is not empty and mine is not None and not same_default(mine.default, default, overloaded):
            return f"{argument}={mine.default!r}, torch {default!r}"
    return ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torchs_calls_fit(name):
    signature = inspect.signature(built(ours(name)))
    given = list(calls(name))
    faults = [f for f in (fits(signature, c, name, len(given) > 1) for c in given) if f]
    if takes_out(name) and not {"out", "kwargs"} & set(signature.parameters):
        faults.append("no out=")
    if refuses_out(name) and "out" in signature.parameters:
        faults.append("out=, which torch refuses")
    if name in DIFFERENT:
        assert faults, f"{name} is listed in DIFFERENT without need"
    else:
        assert not faults, f"{name}{signature}: {faults}"


def test_a_tensor_answers_every_question_about_its_kind():
    theirs, ours = torch.ones(2), minitorch.ones(2)
    kinds = [name for name in dir(theirs) if name.startswith("is_") and isinstance(getattr(theirs, name), bool)]
    assert len(kinds) > 15
    assert {name: getattr(ours, name) for name in kinds} == {name: getattr(theirs, name) for name in kinds}
    assert ours.is_distributed() is theirs.is_distributed() is False
