"""Names that torch does not document and that programs use all the same."""

import importlib
import subprocess
import sys
import warnings

import pytest
import torch

import minitorch

BOTH = torch, minitorch


def test_helpers_of_transformers():
    for t in BOTH:
        module = t.nn.modules.transformer
        layer = t.nn.Linear(2, 2)
        copies = module._get_clones(layer, 3)
        assert len(copies) == 3
        assert copies[0].weight is not layer.weight
        assert module._get_activation_fn("gelu") is t.nn.functional.gelu
        with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
            module._get_activation_fn("tanh")


def test_types_of_sizes_are_unions():
    for name in dir(torch.nn.common_types):
        if name.startswith(("_size", "_ratio")):
            ours, theirs = (set(getattr(t.nn.common_types, name).__args__) for t in BOTH)
            assert ours == theirs, name


def test_classes_of_the_core():
    for t in BOTH:
        assert t._C.Generator is t.Generator
        assert t._C.Size is t.Size
        assert t._C._LinAlgError is t.linalg.LinAlgError


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_the_size_of_a_storage_counts_its_bytes():
    for t in BOTH:
        for storage in (t.ones(1000).untyped_storage(), t.ones(1000).storage()):
            assert 4000 < sys.getsizeof(storage) < 4200


MODULES = """
_VF _jit_internal autograd.variable cuda.amp.autocast_mode cuda.amp.common cuda.amp.grad_scaler cuda.comm
jit.annotations library nn.attention.bias optim._functional optim._multi_tensor utils._contextlib utils.collect_env
"""


@pytest.mark.parametrize("name", MODULES.split())
def test_modules_have_names_that_torchs_have(name):
    ours, theirs = (importlib.import_module(f"{root}.{name}") for root in ("minitorch", "torch"))
    public = getattr(ours, "__all__", [n for n in vars(ours) if not n.startswith("_") and callable(getattr(ours, n))])
    extra = {"refusing", "refusing_classes"}  # what makes the functions that refuse
    theirs = torch if name == "_VF" else theirs
    assert public
    assert [n for n in public if not hasattr(theirs, n) and n not in extra] == []


def test_tensors_in_one_dimension_and_back():
    for t in BOTH:
        tensors = [t.ones(2, 2), t.zeros(3), t.full((), 5.0)]
        flat = t._utils._flatten_dense_tensors(tensors)
        assert flat.tolist() == [1, 1, 1, 1, 0, 0, 0, 5]
        parts = t._utils._unflatten_dense_tensors(flat, tensors)
        assert [p.tolist() for p in parts] == [p.tolist() for p in tensors]
        parts[1].fill_(7)
        assert flat[4] == 7


def test_tensors_in_groups_of_a_type_and_a_size():
    taken = []
    for t in BOTH:
        tensors = [t.ones(n, dtype=d) for n, d in ((2, t.float32), (1, t.int64), (9, t.float32), (1, t.int64))]
        taken.append([[list(x.shape) for x in group] for group in t._utils._take_tensors(tensors, 20)])
    assert taken[0] == taken[1]


def test_initialisers_of_old():
    for t in BOTH:
        init, x = t.nn.init, t.empty(2, 2, requires_grad=True)
        for name, args in (("normal", (0, 1)), ("uniform", (0, 1)), ("trunc_normal", (0, 1, -2, 2)), ("fill", (3,))):
            assert getattr(init, f"_no_grad_{name}_")(x, *args) is x
        assert x.tolist() == [[3, 3], [3, 3]]
        assert init._no_grad_zero_(x).sum() == 0
        assert init._calculate_correct_fan(x, "fan_in") == 2


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_storages_of_one_dtype():
    for t in BOTH:
        assert t.FloatStorage([1, 2, 3]).tolist() == [1.0, 2.0, 3.0]
        assert t.LongStorage(3).size() == 3
        assert isinstance(t.ones(2).storage(), t.FloatStorage)
        assert not isinstance(t.ones(2).storage(), t.DoubleStorage)
        assert t.HalfStorage.dtype is t.float16
    with pytest.raises(AttributeError):
        minitorch.ComplexFloatStorage  # noqa: B018


def test_causal_biases():
    results = []
    for t in BOTH:
        bias, q, k = t.nn.attention.bias, t.arange(16.0).view(1, 2, 2, 4) / 16, t.arange(24.0).view(1, 2, 3, 4) / 24
        for make in (bias.causal_upper_left, bias.causal_lower_right):
            mask = make(2, 3)
            assert isinstance(mask, bias.CausalBias)
            out = t.nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=mask)
            results.append((mask._materialize().tolist(), mask.variant.name, out.flatten().numpy()))
        with pytest.raises(AssertionError, match="2D"):
            bias.causal_upper_left(2)
        with pytest.warns(UserWarning, match="NaNs"):
            bias.causal_lower_right(3, 2)
    for ours, theirs in zip(results[2:], results[:2], strict=True):
        assert ours[:2] == theirs[:2]
        assert ours[2] == pytest.approx(theirs[2])


def test_what_reads_as_torchs_core():
    for t in BOTH:
        assert t._C._get_tracing_state() is None
        assert not t._C._is_tracing()
        assert not isinstance(t, (t._C.Graph, t._C.Node, t._C.Value))
        assert isinstance(t.ones(1), t._C.TensorBase)
        assert t._C.device is t.device
        assert t._C.dtype is t.dtype
        assert t._C._VariableFunctions.sin(t.zeros(1)) == 0
        assert t._VF.tanh(t.zeros(1)) == 0
        assert t.nn.functional._Reduction.get_enum("mean") == 1
        assert t.sparse.torch is t.torch is t
        identity = t.distributions.transforms.ExpTransform().inv
        assert isinstance(identity, t.distributions.transforms._InverseTransform)


def test_a_context_manager_of_ones_own_is_a_decorator():
    for t in BOTH:
        entered = []

        class Counting(t.utils._contextlib._DecoratorContextManager):
            def __enter__(self):
                entered.append(1)

            def __exit__(self, *_):
                pass

        @Counting()
        def function(x):
            return x + 1

        assert [function(1), function(2), len(entered)] == [2, 3, 2]
        assert isinstance(t.no_grad(), t.autograd.grad_mode._DecoratorContextManager)


def test_a_function_of_two_is_chosen_by_a_flag():
    for t in BOTH:
        choose = t._jit_internal.boolean_dispatch(
            "flag", 1, False, lambda x, flag: "yes", lambda x, flag=0: "no", "m", "f"
        )
        assert [choose(1), choose(1, True), choose(1, flag=True), choose.__name__] == ["no", "yes", "yes", "f"]


REFUSED = "library.custom_op library.Library cuda.comm.broadcast distributed.ProcessGroup distributed.TCPStore"


@pytest.mark.parametrize("name", REFUSED.split())
def test_what_is_refused_says_so_when_used(name):
    module, _, name = name.rpartition(".")
    with pytest.raises(NotImplementedError, match=f"torch.{module}.{name} is not supported by minitorch"):
        getattr(importlib.import_module(f"minitorch.{module}"), name)("x::y")


def test_the_environment_is_described():
    command = [sys.executable, "-m", "minitorch.utils.collect_env"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"Python version: {sys.version.split()[0]} (64-bit runtime)" in text
    assert "numba version: " in text


def test_old_modules_of_amp_and_optim():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for t in BOTH:
            assert t.cuda.amp.grad_scaler.GradScaler is t.cuda.amp.GradScaler
            assert t.cuda.amp.autocast_mode.autocast is t.cuda.amp.autocast
    functional = importlib.import_module("minitorch.optim._functional")
    assert functional.adam is importlib.import_module("minitorch.optim.adam").adam


def test_vmap_before_it_was_public():
    for t in BOTH:
        module = importlib.import_module(f"{t.__name__}._vmap_internals")
        mapped = module._vmap(lambda a, b: a * b.sum(), in_dims=(0, None))
        assert mapped(t.ones(2, 3), t.ones(3)).tolist() == [[3.0] * 3] * 2


def test_settings_of_the_compiler_are_taken():
    for t in BOTH:
        config = importlib.import_module(f"{t.__name__}._inductor.config")
        config.coordinate_descent_tuning = True
        assert t._inductor.config is config


def test_operations_between_gpus_are_imported():
    for t in BOTH:
        functions = importlib.import_module(f"{t.__name__}.nn.parallel._functions")
        assert issubclass(functions.Broadcast, t.autograd.Function)
    with pytest.raises(NotImplementedError, match=r"nn\.parallel\._functions\.Broadcast is not supported"):
        functions.Broadcast.apply([0], minitorch.ones(1))


def test_pytree_is_there_without_an_import():
    for t in BOTH:
        assert t.utils._pytree.tree_leaves({"a": [1, 2]}) == [1, 2]


def test_optimizers_of_several_processes_are_imported_and_refused():
    from minitorch.distributed.optim import ZeroRedundancyOptimizer

    with pytest.raises(NotImplementedError, match=r"distributed\.optim\.ZeroRedundancyOptimizer is not supported"):
        ZeroRedundancyOptimizer([], minitorch.optim.SGD)


def test_cuda_refuses_the_cpu():
    for t in BOTH:
        for cpu in ("cpu", t.device("cpu")):
            with pytest.raises(RuntimeError, match="Invalid device, must be cuda device"):
                t.ones(2).cuda(cpu)


STORAGES = {
    "floats": lambda ns: ns.ones(2).untyped_storage(),
    "a view's": lambda ns: ns.tensor([1, 2])[1:].untyped_storage(),
    "none": lambda ns: ns.ones(0).untyped_storage(),
    "meta": lambda ns: ns.ones(2, 3, device="meta")[0].untyped_storage(),
    "meta, another dtype": lambda ns: ns.ones(3, device="meta").double().untyped_storage(),
    "typed": lambda ns: ns.tensor([1, 2]).storage(),
    "typed, none": lambda ns: ns.ones(0).storage(),
    "typed, meta": lambda ns: ns.ones(2, device="meta").storage(),
    "grad mode": lambda ns: ns.set_grad_enabled(True),
}


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("name", STORAGES)
def test_storages_and_modes_are_printed_as_by_torch(name):
    assert repr(STORAGES[name](minitorch)) == repr(STORAGES[name](torch))
