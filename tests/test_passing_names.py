"""Names that programs touch in passing, of devices and libraries that are not there: what torch's CPU build says."""

import importlib
import re
import typing
import warnings

import pytest
import torch
import torch.distributed.nn
from torch.utils.flop_counter import FlopCounterMode as TorchFlopCounterMode

import minitorch
from minitorch.utils.flop_counter import FlopCounterMode

# the same value, or an error of the same class and first line
SAME = """
cuda.is_available() | cuda.device_count() | cuda.is_initialized() | cuda.current_device() | cuda.get_device_name(0)
cuda.get_device_capability() | cuda.get_device_properties(0) | cuda.memory_allocated() | cuda.max_memory_allocated()
cuda.memory_reserved("cuda") | cuda.max_memory_reserved() | cuda.memory_stats() | cuda.mem_get_info()
cuda.synchronize() | cuda.empty_cache() | cuda.ipc_collect() | cuda.init() | cuda.initial_seed()
cuda.manual_seed(0) | cuda.manual_seed_all(0) | cuda.seed() | cuda.seed_all() | cuda.get_rng_state()
cuda.get_rng_state_all() | cuda.set_rng_state_all([]) | cuda.Event() | cuda.Event(enable_timing=True)
cuda.Stream() | cuda.current_stream() | cuda.set_device(-1) | cuda.device(0).__enter__() | cuda.device(-1).__enter__()
cuda.device_of(ones(1)).__enter__() | cuda.stream(None).__enter__() | cuda.is_bf16_supported()
cuda.get_arch_list() | cuda.get_gencode_flags() | cuda.FloatTensor(3) | cuda.LongTensor([1])
cuda.nvtx.range_push("x") | cuda.CUDAGraph() | cuda.can_device_access_peer(0, 1) | cuda.default_generators
cuda.set_per_process_memory_fraction(0.5) | cuda.has_half | isinstance(ones(1), cuda.FloatTensor)
ones(1).cuda() | ones(1).to("cuda") | ones(1).to("cuda:1") | ones(1, device="cuda") | tensor([1], device="cuda")
arange(3, device="cuda:0") | nn.Linear(1, 1).cuda() | nn.Linear(1, 1).to("cuda") | nn.Linear(1, 1, device="cuda")
ones(1).to("mps") | ones(1).to("xpu") | nn.Linear(1, 1).to(device("mps")) | ones(1).is_pinned()
backends.cudnn.benchmark | backends.cudnn.deterministic | backends.cudnn.enabled | backends.cudnn.allow_tf32
backends.cudnn.version() | backends.cudnn.is_available() | backends.cudnn.is_acceptable(ones(1))
backends.mps.is_available() | backends.mps.is_built() | backends.cuda.is_built() | backends.cuda.matmul.allow_tf32
backends.cuda.matmul.allow_fp16_reduced_precision_reduction
backends.cuda.flash_sdp_enabled() | backends.cuda.mem_efficient_sdp_enabled() | backends.cuda.math_sdp_enabled()
backends.mha.get_fastpath_enabled() | backends.opt_einsum.is_available() | backends.cpu.get_cpu_capability()
accelerator.is_available() | accelerator.current_accelerator() | accelerator.device_count()
accelerator.current_device_index() | accelerator.synchronize() | accelerator.memory_allocated()
accelerator.set_device_index(0) | accelerator.device_index(0).__enter__() | accelerator.device_index(None).__enter__()
mps.is_available() | mps.device_count() | mps.synchronize() | mps.empty_cache() | mps.manual_seed(1) | mps.seed()
mps.current_allocated_memory() | mps.driver_allocated_memory() | mps.set_per_process_memory_fraction(0.5)
xpu.is_available() | xpu.device_count() | xpu.manual_seed_all(1) | xpu.empty_cache() | xpu.synchronize()
xpu.current_device() | xpu.get_device_name() | xpu.memory_allocated() | xpu.Stream()
distributed.is_initialized() | distributed.is_nccl_available() | distributed.is_torchelastic_launched()
distributed.get_rank() | distributed.get_world_size() | distributed.barrier() | distributed.get_backend()
nn.parallel.data_parallel(nn.Linear(1, 1), ones(1, 1))
nn.parallel.DistributedDataParallel(nn.Linear(1, 1)) | nn.DataParallel(nn.Linear(2, 3))
compiler.is_compiling() | compiler.reset() | compiler.set_stance("force_eager")(len)([1, 2])
_dynamo.reset() | _dynamo.is_compiling() | is_vulkan_available() | onnx.is_in_onnx_export()
version.cuda | version.hip | version.xpu | version.debug | get_device_module("meta")
_C._nn._parse_to("cpu") | _C._nn._parse_to(float16) | _C._nn._parse_to("meta", float64, True)
_C._nn._parse_to(ones(1)) | _C._nn._parse_to(device="cpu", memory_format=channels_last) | _C._nn._parse_to()
_C._nn._parse_to(dtype=float16, non_blocking=True) | _C._nn._parse_to("xx") | _C._nn.gelu is nn.functional.gelu
_C._log_api_usage_once("x") | isinstance(Tensor, _C._TensorMeta) | isinstance(nn.ReLU(), _dynamo.OptimizedModule)
jit.is_scripting() | jit.is_tracing() | jit.annotate(int, 1) | jit.Final
nn.attention.SDPBackend.MATH.value | nn.attention.SDPBackend.ERROR.value
"""
EXPRESSIONS = [expression.strip() for line in SAME.strip().splitlines() for expression in line.split("|")]


def said(namespace, expression):
    """What an expression gives, or its error's class and first line."""
    try:
        return repr(eval(expression, dict(vars(namespace), **names(namespace))))
    except Exception as e:
        return type(e).__name__, str(e).split("\n")[0].replace("minitorch", "torch")


def names(namespace):
    heads = {word for expression in (*EXPRESSIONS, *SELDOM.split("\n")) for word in re.findall(r"\w+", expression)}
    return {name: getattr(namespace, name) for name in heads if hasattr(namespace, name)}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_answer_is_that_of_torch_for_the_cpu(expression):
    if torch.cuda.is_available():
        pytest.skip("torch has a GPU here")
    assert said(minitorch, expression) == said(torch, expression)


SELDOM = """
sym_not(True)
sym_not("a")
sym_float(2)
sym_int(-2.7)
sym_sqrt(4)
sym_max(3, 2.0)
sym_max(True, 2)
sym_min(1, nan)
sym_max("a", 1)
sym_ite(True, 1, 2)
sym_ite(1, 1, 2)
sym_ite(True, 1, 2.0)
sym_sum([1, 2.0])
sym_sum(())
isinstance(3, (SymInt, SymFloat, SymBool))
nuclear_norm(tensor([[1.0, 2], [3, 4]]))
nuclear_norm(arange(12.0).view(2, 2, 3), (0, 1), True)
nuclear_norm(eye(2), keepdim=True)
nuclear_norm(ones(3))
nuclear_norm(eye(2), out=ones(()))
frobenius_norm(arange(12.0).view(2, 2, 3), (0, 1), True)
frobenius_norm(arange(6.0).view(2, 3), 1)
frobenius_norm(arange(6.0).view(2, 3), ())
native_dropout(ones(10), 0.5, True)
native_dropout(ones(3), 0.5, False)
native_dropout(ones(3), 1.0, None)
native_dropout(ones(3, requires_grad=True), 0.0, True)[1]
embedding_renorm_(arange(6.0).view(3, 2), tensor([[2, 1], [2, 2]]), 1.0, 2.0)
embedding_renorm_(ones(3, 2), tensor([0, 0]), 1.0, 1.0)
addmv_(ones(2), ones(2, 2), ones(2), beta=3, alpha=2)
is_distributed(ones(1))
jagged
legacy_contiguous_format
lstsq(ones(2, 1), ones(2, 2))
solve(ones(2, 1), ones(2, 2))
math.pi
"""


@pytest.mark.filterwarnings("ignore:.* just left for JIT compatibility:UserWarning")
@pytest.mark.parametrize("expression", SELDOM.strip().splitlines())
def test_what_is_seldom_used_gives_what_torch_gives(expression):
    def given(namespace):
        namespace.manual_seed(0)
        text = said(namespace, expression)
        return text if isinstance(text, str) else (text[0], text[1].split(" is now removed.")[0])

    assert given(minitorch) == given(torch)


@pytest.mark.parametrize("name", ["eig", "symeig", "matrix_rank"])
def test_what_torch_removed_says_what_is_there_instead(name):
    for namespace in (minitorch, torch):
        with pytest.raises(RuntimeError, match=r"This function was deprecated since version 1\.9 and is now removed"):
            getattr(namespace, name)(namespace.eye(2))


def test_a_leaf_is_not_renormed_in_place():
    for namespace in (minitorch, torch):
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
            namespace.embedding_renorm_(namespace.ones(2, 2, requires_grad=True), namespace.tensor([0]), 1.0, 2.0)


def test_there_are_no_symbols():
    with pytest.raises(NotImplementedError, match="SymInt is not supported by minitorch"):
        minitorch.SymInt(1)


def test_what_torch_can_and_minitorch_cannot_is_told_truly():
    assert not minitorch.distributed.is_available()
    assert not any(getattr(minitorch.backends, name).is_available() for name in ("mkl", "mkldnn", "openmp", "nnpack"))


SETTINGS = ["cudnn.benchmark", "cudnn.deterministic", "cudnn.enabled", "cuda.matmul.allow_tf32", "mkldnn.enabled"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_of_a_back_end_keeps_its_value(setting):
    place, _, name = setting.rpartition(".")
    for namespace in (minitorch, torch):
        target = eval(place, vars(namespace.backends))
        before = getattr(target, name)
        setattr(target, name, not before)
        assert getattr(target, name) is not before
        setattr(target, name, before)


def test_flags_of_a_back_end_hold_within_a_context():
    cudnn, kernels = minitorch.backends.cudnn, minitorch.backends.cuda
    with cudnn.flags(enabled=False, benchmark=True):
        assert (cudnn.enabled, cudnn.benchmark) == (False, True)
    assert (cudnn.enabled, cudnn.benchmark) == (True, False)
    with kernels.sdp_kernel(enable_flash=False):
        assert not kernels.flash_sdp_enabled() and kernels.math_sdp_enabled()
    kernels.enable_flash_sdp(False)
    assert not kernels.flash_sdp_enabled()
    kernels.enable_flash_sdp(True)
    with pytest.raises(AttributeError, match="no setting 'alow_tf32'; there are allow_tf32"):
        kernels.matmul.alow_tf32 = True


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("compile", lambda f: minitorch.compile(f)),
        ("compile", lambda f: minitorch.compile(mode="max-autotune")(f)),
        ("jit.script", lambda f: minitorch.jit.script(f)),
        ("jit.trace", lambda f: minitorch.jit.trace(f, minitorch.ones(2))),
        ("jit.trace_module", lambda f: minitorch.jit.trace_module(f, {"forward": minitorch.ones(2)})),
    ],
)
def test_a_compiler_gives_back_what_it_is_given_and_says_so_once(name, call, monkeypatch):
    monkeypatch.setattr("minitorch._not_compiled._said", set())
    model = minitorch.nn.Linear(2, 2)
    with pytest.warns(UserWarning, match=f"torch.{name} gives back what it was given"):
        assert call(model) is model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(len) is len


def test_a_module_that_is_compiled_stays_as_it_is_and_says_so_once(monkeypatch):
    monkeypatch.setattr("minitorch._not_compiled._said", set())
    model = minitorch.nn.Linear(2, 2)
    x = minitorch.ones(1, 2)
    before = model(x)
    with pytest.warns(UserWarning, match="torch.compile gives back what it was given"):
        assert model.compile(mode="max-autotune", fullgraph=True) is None
    assert model(x).equal(before)
    for namespace in (minitorch, torch):
        with pytest.raises(RuntimeError, match="Either mode or options can be specified"):
            namespace.nn.Tanh().compile(mode="default", options={})
    with pytest.raises(AssertionError, match="A callable function is expected, but <class 'int'> is provided"):
        minitorch.compile(1)


def test_compile_as_a_decorator(monkeypatch):
    monkeypatch.setattr("minitorch._not_compiled._said", {"compile"})

    @minitorch.compile
    def plain(x):
        return x + 1

    @minitorch.compile(fullgraph=True, dynamic=False)
    def with_options(x):
        return x + 2

    assert plain(1) == 2 and with_options(1) == 3
    message = "Either mode or options can be specified, but both can't be specified at the same time."
    for namespace in (minitorch, torch):
        with pytest.raises(RuntimeError, match=message):
            namespace.compile(len, mode="default", options={})


def test_marks_of_torchscript_leave_functions_as_they_are():
    jit = minitorch.jit
    for mark in (jit.export, jit.unused, jit.ignore, jit.ignore(drop=True), jit.script_method, jit.interface):
        assert mark(len) is len

    class Net(jit.ScriptModule):
        @jit.script_method
        def forward(self, x):
            return x * 2

    assert Net()(3) == 6 and isinstance(Net(), minitorch.nn.Module)
    with jit.optimized_execution(True), jit.fuser("fuser1"):
        pass


@pytest.mark.parametrize("value", [1, "a", [1, 2], ["a"], (1, "a"), {"a": 1}, {"a": "b"}, None, [[1], [2]]])
def test_isinstance_of_torchscript_looks_inside_containers(value):
    kinds = [int, str, list[int], list[str], tuple[int, str], dict[str, int], typing.Optional[int], list[list[int]]]  # noqa: UP045
    for kind in kinds:
        assert minitorch.jit.isinstance(value, kind) == torch.jit.isinstance(value, kind), kind


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: minitorch.jit.save(None, "f"), "state_dict"),
        (lambda: minitorch.jit.load("f"), "load_state_dict"),
        (lambda: minitorch.onnx.export(None, (), "f"), "export from PyTorch"),
        (lambda: minitorch.distributed.init_process_group("gloo"), "is_available"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(call, remedy):
    with pytest.raises(NotImplementedError, match=rf"not supported by minitorch.*{remedy}"):
        call()


@pytest.mark.parametrize("flag", ["has_cuda", "has_cudnn", "has_mps"])
def test_flags_of_old_warn_as_torch(flag):
    messages = []
    for namespace in (minitorch, torch):
        with pytest.warns(UserWarning, match=flag) as caught:
            assert getattr(namespace, flag) is False
        messages.append(str(caught[0].message))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("module", ["functional", "types", "compiler", "jit", "onnx"])
def test_modules_have_names_of_torch_only(module):
    ours, theirs = importlib.import_module(f"minitorch.{module}"), importlib.import_module(f"torch.{module}")
    assert [name for name in ours.__all__ if not hasattr(theirs, name)] == []


def test_a_star_import_brings_functions_and_no_modules():
    ours, theirs = {}, {}
    exec("from minitorch import *", ours)
    exec("from torch import *", theirs)
    assert {"save", "load", "tensor", "float32", "FloatTensor", "no_grad", "compile", "autocast"} <= ours.keys()
    assert ours.keys() - dir(torch) == set()
    assert not {"nn", "optim", "autograd", "has_cuda"} & ours.keys() and "nn" not in theirs


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "case",
    [
        lambda ns: (ns.ones(2), ns.ones(2) + 1e-6),
        lambda ns: (ns.ones(2), ns.ones(2) * 2),
        lambda ns: (ns.ones(1), ns.ones(1).double() * 3),
        lambda ns: (ns.ones(1).half(), ns.ones(1).double() * 3),
        lambda ns: (ns.ones(1).long(), [2]),
        lambda ns: (1.0, 2.0),
        lambda ns: (ns.ones(2), 1.0),
        lambda ns: (ns.ones(2), ns.ones(2), 1e-3),
        lambda ns: (ns.ones(2), ns.ones(2) * 1.01, 0.1, 0.1),
        lambda ns: (ns.tensor([ns.nan]), ns.tensor([ns.nan])),
        lambda ns: (ns.ones(1), [2.0], None, None, True, "not so"),
    ],
)
def test_assert_allclose_says_what_torchs_says(case):
    def said(namespace):
        try:
            return namespace.testing.assert_allclose(*case(namespace))
        except Exception as e:
            return type(e), str(e)

    assert said(minitorch) == said(torch)


def test_assert_allclose_is_deprecated():
    with pytest.warns(FutureWarning, match="assert_allclose.* is deprecated since 1.12"):
        minitorch.testing.assert_allclose(1.0, 1.0)


def test_names_under_their_full_paths_are_the_same():
    from minitorch.autograd.variable import Variable

    assert Variable is minitorch.autograd.Variable
    assert minitorch.ScriptModule is minitorch.jit.ScriptModule
    assert minitorch.backends.cuda.SDPBackend is minitorch.nn.attention.SDPBackend


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (lambda: minitorch.PyTorchFileReader("file.pt"), "torch.PyTorchFileReader"),
        (lambda: minitorch.autograd.profiler.emit_nvtx().__enter__(), "emit_nvtx"),
        (lambda: minitorch.autograd.profiler.emit_itt().__enter__(), "emit_itt"),
        (lambda: FlopCounterMode().__enter__(), "FlopCounterMode"),
    ],
)
def test_what_libraries_name_but_seldom_use_is_refused_when_used(action, name):
    with pytest.raises(NotImplementedError, match=f"{name} is not supported by minitorch"):
        action()


def test_marks_for_a_profiler_that_are_switched_off_do_nothing():
    with minitorch.autograd.profiler.emit_nvtx(enabled=False) as marks:
        assert marks is None


def test_a_counter_of_operations_begins_at_nothing():
    for counter in (FlopCounterMode(display=False), TorchFlopCounterMode(display=False)):
        assert (counter.get_total_flops(), dict(counter.get_flop_counts())) == (0, {"Global": {}})


@pytest.mark.parametrize("name", ["all_reduce", "all_gather", "all_to_all"])
@pytest.mark.filterwarnings("ignore:.*torch.distributed.nn.functional:FutureWarning")
def test_collectives_with_gradients_need_a_group(name):
    for ns in (minitorch, torch):
        arguments = ([ns.ones(1)], [ns.ones(1)]) if name == "all_to_all" else (ns.ones(1),)
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            getattr(ns.distributed.nn, name)(*arguments)


@pytest.mark.parametrize(
    "module",
    "distributions autograd nn optim utils.data nn.functional nn.init nn.parameter nn.modules random autograd.profiler "
    "autograd.grad_mode autograd.gradcheck optim.lr_scheduler linalg special func".split(),
)
def test_a_star_import_of_a_module_brings_what_torchs_does(module):
    def names(package):
        found = {}
        exec(f"from {package}.{module} import *", found)
        return found.keys() - {"__builtins__"}

    here = importlib.import_module(f"minitorch.{module}")
    assert names("minitorch") == {name for name in names("torch") if hasattr(here, name)}
