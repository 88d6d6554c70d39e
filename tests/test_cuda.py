"""torch.cuda on an emulated GPU: devices, streams, events, graphs, memory, random numbers, files, training."""

import copy
import io
import pickle
from itertools import pairwise

import numpy as np
import pytest
from emulated_gpu import emulated
from host_kernels import host_kernels

import minitorch as torch
from minitorch._kernels.cuda import allocator as allocators
from minitorch._kernels.cuda import array, runtime
from minitorch.nn import functional as F


@pytest.fixture
def gpu():
    """A GPU whose ops are the CPU's kernels on copies: fast, and all but the kernels is what runs on a real one."""
    with emulated() as device, host_kernels():
        yield device


@pytest.fixture
def two_gpus():
    with emulated(devices=2) as device, host_kernels():
        yield device


@pytest.fixture
def caching():
    with emulated(caching=True, memory=64 << 20) as device:
        yield device


# ---------------------------------------------------------------------- devices
def test_a_gpu_says_what_it_is(gpu):
    assert torch.cuda.is_available() and torch.cuda.device_count() == 1 and torch.cuda.current_device() == 0
    assert torch.cuda.get_device_name() == "Emulated GPU" and torch.cuda.get_device_capability(0) == (9, 0)
    properties = torch.cuda.get_device_properties("cuda:0")
    assert properties.multi_processor_count == 4 and properties.total_memory == 64 << 20
    assert "major=9, minor=0, total_memory=64MB" in repr(properties)
    assert torch.cuda.is_bf16_supported() and torch.cuda.get_arch_list() == ["sm_90"]
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(1, device="cuda:1")


def test_tensors_go_to_a_gpu_and_back(gpu):
    x = torch.arange(6.0).reshape(2, 3)
    y = x.cuda()
    assert y.is_cuda and str(y.device) == "cuda:0" and y.get_device() == 0 and not y.is_cpu
    assert y.to("cuda") is y and y.cuda(0) is y and y.to(torch.device("cuda:0")) is y and y.to(0) is y
    assert torch.equal(y.cpu(), x) and torch.equal(y.t().cpu(), x.t()) and y.t().cpu().stride() == (1, 3)
    assert y.tolist() == x.tolist() and y[1, 2].item() == 5.0 and y.data_ptr() != 0
    assert repr(y[0]) == "tensor([0., 1., 2.], device='cuda:0')"
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        y.numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"])
def test_every_dtype_lives_on_a_gpu(gpu, dtype):
    dtype = getattr(torch, dtype)
    x = torch.tensor([[0, 1], [3, 5]]).to(dtype)
    assert torch.equal(x.cuda().cpu(), x) and x.cuda().dtype is dtype
    assert torch.equal(torch.ones(2, 2, dtype=dtype, device="cuda").cpu(), torch.ones(2, 2, dtype=dtype))
    assert torch.equal(x.cuda().float().cpu(), x.float())


def test_a_large_tensor_prints_its_corners(gpu):
    x = torch.arange(5000).reshape(50, 100)
    assert repr(x.cuda()) == repr(x)[:-1] + ", device='cuda:0')"


def test_factories_take_a_device(gpu):
    with torch.device("cuda"):
        assert torch.zeros(2).is_cuda and torch.nn.Linear(2, 2).weight.is_cuda
    made = {
        "full": torch.full((2,), 7, device="cuda"), "arange": torch.arange(1, 9, 3, device="cuda"),
        "linspace": torch.linspace(0, 1, 3, device="cuda"), "eye": torch.eye(2, device="cuda"),
        "tensor": torch.tensor([[1, 2]], device="cuda"), "like": torch.zeros_like(torch.ones(2, device="cuda")),
        "new": torch.ones(1, device="cuda").new_ones(3), "as": torch.as_tensor(np.ones(2), device="cuda"),
    }  # fmt: skip
    assert all(t.is_cuda for t in made.values())
    assert made["arange"].tolist() == [1, 4, 7] and made["full"].tolist() == [7, 7] and made["new"].tolist() == [1] * 3


def test_tensors_of_two_devices_do_not_meet(two_gpus):
    a, b, c = torch.ones(2), torch.ones(2, device="cuda:0"), torch.ones(2, device="cuda:1")
    for x, y in ((a, b), (b, c), (c, a)):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device") as caught:
            x + y
        assert f"{x.device} and {y.device}" in str(caught.value)
    assert (b + torch.tensor(1.0)).is_cuda  # a 0-dim tensor of the CPU goes along
    assert (b * 2).tolist() == [2.0, 2.0]


def test_the_current_gpu_is_where_new_tensors_go(two_gpus):
    with torch.cuda.device(1):
        assert torch.cuda.current_device() == 1 and torch.zeros(1, device="cuda").get_device() == 1
    assert torch.zeros(1, device="cuda").get_device() == 0
    x = torch.arange(3.0, device="cuda:1")
    with torch.cuda.device_of(x):
        assert torch.cuda.current_device() == 1
    assert (x * x).get_device() == 1  # work goes to the operands' device, whichever is current
    assert x.to("cuda:0").tolist() == [0.0, 1.0, 2.0]
    y = torch.zeros(3)
    y.copy_(x)
    assert y.tolist() == [0.0, 1.0, 2.0]


# ---------------------------------------------------------------------- gradients, modules, optimizers
def test_gradients_go_the_way_back(gpu):
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    y = w.cuda()
    assert y.grad_fn.name() == "ToCopyBackward0" and not y.is_leaf
    (y * y).sum().backward()
    assert w.grad.device.type == "cpu" and w.grad.tolist() == [2.0, -4.0]
    g = torch.autograd.grad((w.cuda() ** 3).sum(), w, create_graph=True)[0]
    assert torch.autograd.grad(g.sum(), w)[0].tolist() == [6.0, -12.0]


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(8, 4), torch.nn.LayerNorm(4), torch.nn.Dropout(0.0), torch.nn.Linear(4, 3),
    )  # fmt: skip


OPTIMIZERS = {
    "SGD": {"momentum": 0.9}, "AdamW": {"amsgrad": True}, "NAdam": {},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_a_gpu_is_training_on_the_cpu(gpu, name):
    losses = {}
    for device in ("cpu", "cuda"):
        net = model().to(device)
        optimizer = getattr(torch.optim, name)(net.parameters(), lr=0.01, **OPTIMIZERS[name])
        x, y = torch.randn(5, 1, 6, 6).to(device), torch.tensor([0, 1, 2, 1, 0], device=device)
        losses[device] = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses[device].append(loss.item())
        assert all(p.device.type == device and p.grad.device.type == device for p in net.parameters())
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-5)


def test_gradients_are_added_in_place(gpu):
    w = torch.ones(2, device="cuda", requires_grad=True)
    (w * 2).sum().backward()
    place = w.grad.data_ptr()
    (w * 3).sum().backward()
    assert w.grad.tolist() == [5.0, 5.0] and w.grad.data_ptr() == place


def test_autocast_and_a_scaler_serve_a_gpu(gpu):
    net = torch.nn.Linear(3, 2).cuda()
    optimizer, scaler = torch.optim.SGD(net.parameters(), lr=0.1), torch.amp.GradScaler("cuda", 8.0)
    with torch.autocast("cuda"):
        out = net(torch.ones(2, 3, device="cuda"))
        loss = out.exp().sum()
        assert out.dtype is torch.float16 and out.softmax(-1).dtype is loss.dtype is torch.float32
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32  # the CPU's tensors are not its concern
    scaler.scale(loss).backward()
    before = net.weight.tolist()
    scaler.step(optimizer)
    scaler.update()
    assert net.weight.tolist() != before and scaler.get_scale() == 8.0


# ---------------------------------------------------------------------- files
@pytest.mark.parametrize(
    ("location", "device"),
    [(None, "cuda:0"), ("cpu", "cpu"), ("cuda", "cuda:0"), ({"cuda:0": "cpu"}, "cpu"), (lambda s, _: s.cpu(), "cpu")],
    ids=["where they were", "cpu", "cuda", "a table", "a function"],
)
def test_files_keep_where_tensors_were(gpu, location, device):
    x = torch.arange(6.0, device="cuda").reshape(2, 3)
    file = io.BytesIO()
    torch.save({"x": x, "row": x[1], "p": torch.nn.Parameter(x)}, file)
    file.seek(0)
    read = torch.load(file, map_location=location)
    assert {str(t.device) for t in read.values()} == {device} and torch.equal(read["x"].cpu(), x.cpu())
    read["x"].zero_()
    assert read["row"].tolist() == [0.0, 0.0, 0.0]  # storages are shared as they were


def test_a_file_from_a_gpu_needs_one_or_a_map(gpu, monkeypatch):
    file = io.BytesIO()
    torch.save(torch.ones(1, device="cuda"), file)
    file.seek(0)
    with pytest.raises(RuntimeError, match=r"CUDA device 3 but torch.cuda.device_count\(\) is 1"):
        torch.load(file, map_location="cuda:3")
    file.seek(0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        torch.load(file)


def test_tensors_and_modules_are_copied_and_pickled(gpu):
    x = torch.arange(3.0, device="cuda")
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert made.is_cuda and torch.equal(made.cpu(), x.cpu()) and made.data_ptr() != x.data_ptr()
    net = torch.nn.Linear(2, 2).cuda()
    twin = torch.nn.Linear(2, 2)
    twin.load_state_dict(net.state_dict())
    assert twin.weight.is_cpu and torch.equal(twin.weight, net.weight.cpu())


# ---------------------------------------------------------------------- pinned memory
def test_pinned_memory_is_copied_while_the_program_goes_on():
    with emulated(lazy=True) as device:
        x = torch.arange(4.0).pin_memory()
        assert x.is_pinned() and not torch.arange(4.0).is_pinned() and x.tolist() == [0.0, 1.0, 2.0, 3.0]
        y = x.to("cuda", non_blocking=True)
        x.zero_()  # too soon: the copy has not begun
        assert y.tolist() == [0.0] * 4
        z = torch.ones(4).to("cuda", non_blocking=True)  # from ordinary memory the copy is made at once
        assert z.tolist() == [1.0] * 4
        assert device.pinned


def test_a_loader_pins_its_batches(gpu):
    data = torch.utils.data.TensorDataset(torch.arange(6.0), torch.arange(6))
    for x, y in torch.utils.data.DataLoader(data, batch_size=3, pin_memory=True):
        assert x.is_pinned() and y.is_pinned() and x.cuda(non_blocking=True).tolist() == x.tolist()


# ---------------------------------------------------------------------- random numbers
def test_the_generator_of_a_gpu_has_torchs_state(gpu):
    torch.manual_seed(5)
    assert torch.cuda.initial_seed() == 5
    state = torch.cuda.get_rng_state()
    assert state.tolist() == [5, *[0] * 15] and state.is_cpu
    philox = torch.cuda.default_generators[0].stream
    assert philox.take(3) == (5, 0, 0) and philox.take(5) == (5, 4, 0) and philox.offset == 12
    torch.cuda.set_rng_state(state)
    assert philox.offset == 0
    torch.cuda.manual_seed_all(9)
    assert torch.Generator("cuda").initial_seed() == 67280421310721 and philox.initial_seed == 9
    with torch.random.fork_rng():
        philox.take(4)
    assert philox.offset == 0


def test_shuffles_on_a_gpu_follow_the_seed(gpu):
    torch.manual_seed(1)
    first, second = torch.randperm(20, device="cuda"), torch.randperm(20, device="cuda")
    torch.manual_seed(1)
    assert torch.equal(first.cpu(), torch.randperm(20, device="cuda").cpu())
    assert sorted(second.tolist()) == list(range(20)) and first.tolist() != second.tolist()


# ---------------------------------------------------------------------- streams and events
def test_a_stream_waits_only_for_what_it_is_told_to():
    with emulated(lazy=True), host_kernels():
        x = torch.zeros(2, device="cuda")
        side = torch.cuda.Stream()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            assert torch.cuda.current_stream() == side != torch.cuda.default_stream()
            array.fill(x.array, 1)
        assert not side.query()
        torch.cuda.current_stream().wait_stream(side)
        y = x.cpu()
        assert y.tolist() == [1.0, 1.0] and side.query()


def test_events_measure_time(gpu):
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    assert start.query()
    start.record()
    torch.ones(2, device="cuda")
    end.record()
    end.synchronize()
    assert start.elapsed_time(end) > 0
    with pytest.raises(ValueError, match="enable_timing=True"):
        torch.cuda.Event().elapsed_time(end)
    with pytest.raises(ValueError, match="must be recorded"):
        start.elapsed_time(torch.cuda.Event(enable_timing=True))


def test_streams_come_from_a_pool_of_32(gpu):
    made = [torch.cuda.Stream() for _ in range(40)]
    assert len({s.cuda_stream for s in made}) == 32 and made[0] == made[32]
    assert torch.cuda.Stream(priority=-100).priority == -5


# ---------------------------------------------------------------------- memory
def test_memory_is_counted_and_kept(caching):
    before = torch.cuda.memory_allocated()
    x = torch.empty(1000, device="cuda")
    assert torch.cuda.memory_allocated() - before == 4096 and torch.cuda.memory_reserved() == 2 << 20
    place = x.data_ptr()
    del x
    assert torch.cuda.memory_allocated() == before and torch.cuda.max_memory_allocated() == before + 4096
    assert torch.empty(1000, device="cuda").data_ptr() == place
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() == 0 and not any(caching.allocations)
    torch.cuda.reset_peak_memory_stats()
    stats = torch.cuda.memory_stats()
    assert stats["allocated_bytes.all.peak"] == 0 and stats["segment.all.freed"] == stats["segment.all.allocated"] == 1
    assert torch.cuda.memory_stats_as_nested_dict()["segment"]["all"]["freed"] == 1
    assert "PyTorch CUDA memory summary, device ID 0" in torch.cuda.memory_summary()


def test_blocks_never_overlap_and_neighbours_become_one(caching):
    rng, live = np.random.default_rng(0), []
    allocator = runtime.gpu().allocator
    for _ in range(2000):
        if live and rng.random() < 0.5:
            live.pop(rng.integers(len(live)))
        else:
            live.append(allocator.allocate(int(rng.choice([100, 3000, 70_000, 600_000, 1_500_000])), 0))
        if len(live) > 15:
            live = live[5:]
        places = sorted((m.pointer, m.pointer + m.block.size) for m in live)
        assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert allocator.bytes.current == sum(m.block.size for m in live)
    live.clear()
    allocator.empty_cache()
    assert allocator.reserved.current == allocator.bytes.current == 0 and allocator.reserved.peak < 60 << 20


def test_memory_used_by_another_stream_waits_for_it():
    with emulated(caching=True, lazy=True) as device:
        side = torch.cuda.Stream()
        x = torch.empty(1000, device="cuda")
        place = x.data_ptr()
        with torch.cuda.stream(side):
            array.fill(x.array, 1)
        x.record_stream(side)
        del x
        y = torch.empty(1000, device="cuda")
        assert y.data_ptr() != place  # the other stream may still write there
        side.synchronize()
        assert torch.empty(1000, device="cuda").data_ptr() == place
        del device


def test_no_memory_left_is_said_in_torchs_words(caching):
    x = torch.empty(40 << 20, dtype=torch.uint8, device="cuda")
    with pytest.raises(torch.cuda.OutOfMemoryError) as caught:
        torch.empty(30 << 20, dtype=torch.uint8, device="cuda")
    assert torch.OutOfMemoryError is torch.cuda.OutOfMemoryError
    assert str(caught.value).startswith(
        "CUDA out of memory. Tried to allocate 30.00 MiB. GPU 0 has a total capacity of 64.00 MiB of which 24.00 MiB "
        "is free. Of the allocated memory 40.00 MiB is allocated by PyTorch, and 0 bytes is reserved by PyTorch but "
        "unallocated."
    )
    del x
    assert torch.empty(60 << 20, dtype=torch.uint8, device="cuda").numel() == 60 << 20  # what was kept is given back
    assert torch.cuda.mem_get_info() == (4 << 20, 64 << 20)


def test_a_fraction_of_the_memory_is_a_limit(caching):
    torch.cuda.set_per_process_memory_fraction(0.25)
    with pytest.raises(torch.cuda.OutOfMemoryError, match=r"16.00 MiB allowed"):
        torch.empty(20 << 20, dtype=torch.uint8, device="cuda")


def test_an_amount_is_shown_in_its_unit():
    assert [allocators.in_units(n) for n in (5, 2048, 20 << 20, 3 << 30)] == [
        "5 bytes", "2.00 KiB", "20.00 MiB", "3.00 GiB"
    ]  # fmt: skip


def test_a_kernel_that_faulted_is_reported(gpu):
    x = torch.ones(2, device="cuda")
    gpu.fail_with = 700
    with pytest.raises(torch.AcceleratorError, match="an illegal memory access was encountered"):
        x.tolist()
    assert (torch.ones(2) + 1).tolist() == [2.0, 2.0]
    gpu.fail_with = None


def test_what_asks_for_any_accelerator_finds_the_gpu(gpu):
    assert torch.accelerator.is_available() and str(torch.accelerator.current_accelerator()) == "cuda"
    assert torch.accelerator.current_device_index() == 0 and torch.accelerator.memory_allocated() >= 0
    assert torch.version.cuda == "13.0" and torch.backends.cuda.is_built()
    with torch.accelerator.device_index(0):
        torch.accelerator.synchronize()
