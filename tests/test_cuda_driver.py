"""The driver's calls and launches, on a stub of libcuda compiled here; what goes wrong, and what is said then."""

import ctypes
import inspect
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emulated_gpu import EmulatedDriver, forget

import minitorch
from minitorch._kernels.cuda import array, compiler, gemm, launch, runtime
from minitorch._kernels.cuda import driver as drivers
from minitorch._kernels.cuda.driver import CudaError, Driver
from minitorch._kernels.cuda.errors import Unavailable
from minitorch._tensor import wrap


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if shutil.which("gcc") is None:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("stub") / "libcuda.so.1"
    source = Path(__file__).with_name("stub_driver.c")
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(built), str(source)], check=True)
    return ctypes.CDLL(str(built))


@pytest.fixture
def stub(library):
    for name, value in {
        "init_status": 0,
        "version": 13000,
        "count": 1,
        "fail_launch": 0,
        "launches": 0,
        "arguments_read": 0,
    }.items():
        ctypes.c_int.in_dll(library, name).value = value
    driver = Driver(library)
    with drivers.use(driver):
        runtime.gpu()
        try:
            yield library
        finally:
            forget(driver)


class Recorded:
    """What `launch` asks of a kernel; its machine code is never looked at."""

    name, block, shared = "recorded", (128, 1, 1), 0

    def __init__(self, types):
        self.types = types.split()

    def arch(self, capability):
        return "sm_90"


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(launch, "compile", lambda kernel, arch: compiler.Cubin(b"cubin", "entry", 1, 0, 0, 0))


def arguments(library, count):
    return list((ctypes.c_uint64 * 8).in_dll(library, "last_arguments"))[:count]


def integer(library, name):
    return ctypes.c_int.in_dll(library, name)


@pytest.mark.parametrize("by_ctypes", [False, True])
def test_a_launch_hands_the_driver_each_argument_in_its_own_type(stub, no_compiler, by_ctypes, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1" if by_ctypes else "0")
    integer(stub, "arguments_read").value = 6
    x = array.empty((4,), np.dtype(np.float32))
    launch.launch(Recorded("f4* i4 f4 f8 i8 u2*"), (3, 2), x, -5, 1.5, 2.5, -(2**40), None)
    pointer, i4, f4, f8, i8, null = [v.to_bytes(8, "little") for v in arguments(stub, 6)]
    assert struct.unpack("Q", pointer)[0] == x.pointer != 0
    assert struct.unpack("i", i4[:4]) == (-5,) and struct.unpack("f", f4[:4]) == (1.5,)
    assert struct.unpack("d", f8) == (2.5,) and struct.unpack("q", i8) == (-(2**40),) and not any(null)
    assert list((ctypes.c_uint * 7).in_dll(stub, "last_sizes")) == [3, 2, 1, 128, 1, 1, 0]


def test_a_tensor_map_is_the_drivers_and_travels_with_the_launch(stub, no_compiler):
    x = array.empty((4, 6, 8), np.dtype(np.float32))
    made = drivers.current().tensor_map(x.pointer, "tf32", (8, 6, 4), (32, 192), (32, 128, 1))
    # tf32, three dimensions, ...; not interleaved, 128-byte swizzle, 256 bytes to the L2 cache, zeros outside
    fields = struct.unpack("16Q", made)
    assert fields == (11, 3, x.pointer, 8, 6, 4, 32, 192, 32, 128, 1, 1, 0, 3, 3, 0)
    integer(stub, "arguments_read").value = 3
    launch.launch(Recorded("i4 map f4*"), 1, 7, made, x)
    assert arguments(stub, 3) == [7, 11, x.pointer]


def test_a_product_on_wgmma_is_compiled_for_its_architecture(stub, monkeypatch):
    asked = []
    monkeypatch.setattr(gemm, "WGMMA_FROM", 0)
    monkeypatch.setattr(
        launch, "compile", lambda kernel, arch: asked.append(arch) or compiler.Cubin(b"", "entry", 1, 0, 0, 0)
    )
    x = minitorch.empty(300, 64, dtype=minitorch.bfloat16, device="cuda")
    integer(stub, "arguments_read").value = 7
    _ = x @ x.t()
    assert asked == ["sm_90a"] and arguments(stub, 7)[4] & 0xFFFFFFFF == 0  # no batches
    assert list((ctypes.c_uint * 7).in_dll(stub, "last_sizes")) == [9, 1, 1, 288, 1, 1, 99328]


def test_an_empty_grid_launches_nothing(stub, no_compiler):
    launch.launch(Recorded("i4"), 0, 1)
    assert integer(stub, "launches").value == 0


def test_a_launch_goes_to_the_current_stream(stub, no_compiler):
    runtime.set_stream(0x7777, 0)
    launch.launch(Recorded("i4"), 1, 1)
    assert ctypes.c_void_p.in_dll(stub, "last_stream").value == 0x7777


def test_what_a_kernel_cannot_count_is_refused(stub, no_compiler):
    with pytest.raises(NotImplementedError, match=r"recorded counts in 32 bits.* 2147483648 elements"):
        launch.launch(Recorded("i4 f4"), 1, 1 << 31, 1.0)
    with pytest.raises(struct.error):
        launch.launch(Recorded("i4"), 1, "no number")

    def spread(*shape):  # over one number in memory
        return wrap(array.empty((1,), np.dtype(np.float32)).restrided(shape, (0,) * len(shape)))

    for name, call in {
        "cumsum": lambda: minitorch.cumsum(spread(1 << 16, 1 << 15), 0),
        "embedding_rows": lambda: minitorch.nn.functional.embedding(
            minitorch.zeros(1 << 16, dtype=minitorch.int64, device="cuda"), spread(2, 1 << 15)
        ),
        "softmax_dim": lambda: minitorch.softmax(spread(1, 1 << 31), 1),
        "mv": lambda: minitorch.mv(spread(2, 1 << 31), spread(1 << 31)),
    }.items():
        with pytest.raises(NotImplementedError, match=rf"{name}\(\) is not implemented for device 'cuda'.*32 bits"):
            call()
    assert integer(stub, "launches").value == 0


def test_matrices_whose_lines_lie_too_far_apart_are_refused(stub, no_compiler):
    a = array.empty((1,), np.dtype(np.float32)).restrided((128, 8), (4 << 24, 4))
    with pytest.raises(NotImplementedError, match="128 lines that lie 16777216 elements apart"):
        minitorch.mm(wrap(a), minitorch.empty(8, 8, device="cuda"))


def test_a_grid_takes_65535_batches(stub, no_compiler):
    a = minitorch.empty(70000, 2, 2, device="cuda")
    before = integer(stub, "launches").value
    minitorch.bmm(a, a)
    assert integer(stub, "launches").value == before + 2
    assert list((ctypes.c_uint * 7).in_dll(stub, "last_sizes"))[:3] == [1, 1, 70000 - 65535]


def test_a_kernel_that_faults_is_named_when_launches_are_waited_for(stub, no_compiler, monkeypatch):
    integer(stub, "fail_launch").value = 700
    with pytest.raises(CudaError, match="CUDA error: an illegal memory access was encountered") as caught:
        launch.launch(Recorded("i4"), 1, 1)
    assert "CUDA_LAUNCH_BLOCKING=1" in str(caught.value) and caught.value.error_code == 700
    integer(stub, "fail_launch").value = 0
    monkeypatch.setattr(drivers, "BLOCKING", True)
    driver = drivers.current()

    def faulted(stream):
        raise driver.error(700)

    monkeypatch.setattr(driver, "synchronize_stream", faulted)
    with pytest.raises(CudaError, match="The kernel was recorded"):
        launch.launch(Recorded("i4"), 1, 1)


def test_arrays_go_to_the_device_and_back_in_every_layout(stub):
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for host in (a, a.transpose(2, 0, 1), a[:, ::2], a[1, 2], a[:0], np.broadcast_to(a[:, :1], (2, 3, 4))):
        x = array.from_host(host)
        assert x.shape == host.shape and np.array_equal(x.to_host(), host)
    part = array.from_host(a).transpose(2, 1, 0)
    assert np.array_equal(part[1:3, :, 1].to_host(), a.transpose(2, 1, 0)[1:3, :, 1])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "float32", "int64", "float64"])
def test_arrays_are_filled_with_one_number(stub, dtype):
    assert np.array_equal(array.filled((5,), 1, np.dtype(dtype)).to_host(), np.ones(5, dtype))
    value = -3 if dtype not in ("bool", "uint8") else 1
    assert np.array_equal(array.filled((), value, np.dtype(dtype)).to_host(), np.array(value, dtype))


def test_the_emulated_device_has_the_drivers_methods():
    def public(cls):
        return {name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")}

    only_with_machine_code = {"raw", "address_of", "load_module", "function"}
    only_with_machine_code |= {"allow_shared", "launch"}
    assert public(Driver) - only_with_machine_code <= public(EmulatedDriver)
    for name in public(Driver) - only_with_machine_code:
        ours = list(inspect.signature(getattr(EmulatedDriver, name)).parameters)
        assert ours == list(inspect.signature(getattr(Driver, name)).parameters), name


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"init_status": 100}, "No CUDA GPUs are available"),
        ({"init_status": 803}, "CUDA driver initialization failed, you might not have a CUDA gpu"),
        ({"version": 12040}, r"too old \(found version 12040\)"),
    ],
)
def test_a_driver_that_does_not_serve_says_why(library, state, message):
    for name, value in {"init_status": 0, "version": 13000, **state}.items():
        integer(library, name).value = value
    with pytest.raises(Unavailable, match=message):
        Driver(library)
    integer(library, "init_status").value, integer(library, "version").value = 0, 13000


def test_without_the_compiler_or_a_driver_the_cpu_works_on():
    code = (
        "import importlib.util, minitorch as torch\n"
        "find = importlib.util.find_spec\n"
        "for missing in (True, False):\n"
        "    found = None if missing else 1\n"
        "    importlib.util.find_spec = lambda n, *a: found if n.startswith('cuda') else find(n, *a)\n"
        "    try: torch.ones(2).cuda()\n"
        "    except AssertionError as e: print(str(e).splitlines()[0], '|', str(e).splitlines()[1])\n"
        "    print(torch.cuda.is_available(), torch.cuda.device_count(), torch.ones(2).sum().item())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    first, again, second, last = done.stdout.splitlines()
    assert first.startswith("Torch not compiled with CUDA enabled | Kernels for GPUs are compiled by NVVM")
    assert second.startswith("Torch not compiled with CUDA enabled | Found no NVIDIA driver on your system")
    assert again == last == "False 0 2.0"
