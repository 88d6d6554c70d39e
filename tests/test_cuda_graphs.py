"""CUDA graphs on an emulated GPU: what is captured is done at replays alone, on the memory of the capture."""

import pytest
from emulated_gpu import emulated
from host_kernels import host_kernels

import minitorch as torch
from minitorch._kernels.cuda import array, runtime


@pytest.fixture(params=[False, True], ids=["each array its own memory", "cached memory"])
def gpu(request):
    with emulated(caching=request.param, lazy=True) as device:
        yield device


def filled(value, shape=(4,)):
    """A new tensor of one number, by work that a graph can hold."""
    x = torch.empty(shape, device="cuda")
    array.fill(x.array, value)
    return x


def test_captured_work_is_done_at_each_replay(gpu):
    x = filled(0)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert torch.cuda.is_current_stream_capturing()
        array.fill(x.array, 5)
        y = filled(7)
    assert not torch.cuda.is_current_stream_capturing()
    assert x.tolist() == [0.0] * 4
    graph.replay()
    assert x.tolist() == [5.0] * 4 and y.tolist() == [7.0] * 4
    array.fill(x.array, 1)
    graph.replay()
    assert x.tolist() == [5.0] * 4


def test_a_graphs_memory_is_its_own(gpu):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = filled(3)
    place = y.data_ptr()
    others = [torch.empty(4, device="cuda") for _ in range(20)]
    assert place not in {t.data_ptr() for t in others}
    graph.replay()
    assert y.tolist() == [3.0] * 4


def test_what_a_capture_drops_it_may_use_again_but_nobody_else():
    with emulated(caching=True) as device:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            first = filled(1)
            place = first.data_ptr()
            del first
            assert filled(2).data_ptr() == place
        with torch.cuda.stream(torch.cuda.Stream()):
            assert all(torch.empty(4, device="cuda").data_ptr() != place for _ in range(3))
        reserved = torch.cuda.memory_reserved()
        graph.reset()
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() < reserved
        assert device.launched == []


def test_graphs_share_a_pool(gpu):
    first, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(first):
        x = filled(1)
    with torch.cuda.graph(second, pool=first.pool()):
        y = filled(2)
    assert first.pool() == second.pool() and x.data_ptr() != y.data_ptr()
    del first, x
    second.replay()
    assert y.tolist() == [2.0] * 4


def test_what_cannot_be_captured_is_refused(gpu):
    graph = torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match="operation not permitted when stream is capturing"), torch.cuda.graph(graph):
        filled(1).tolist()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        torch.cuda.CUDAGraph().replay()
    with pytest.raises(RuntimeError, match="non-default stream"):
        torch.cuda.CUDAGraph().capture_begin()
    assert filled(4).tolist() == [4.0] * 4  # the device goes on


def test_random_numbers_move_on_at_each_replay(gpu):
    torch.manual_seed(3)
    state = torch.cuda.default_generators[0].stream
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert state.take(6)[:2] == (0, 0)
        seed, before, place = state.take(4)
        assert (seed, before) == (0, 8) and place
    assert state.offset == 0
    graph.replay()
    assert state.offset == 12
    runtime.synchronize()
    assert gpu.bytes_at(place, 16).view("u8").tolist() == [3, 0]
    graph.replay()
    runtime.synchronize()
    assert gpu.bytes_at(place, 16).view("u8").tolist() == [3, 12] and state.offset == 24


def test_copies_from_the_host_stay_with_the_graph(gpu):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x = torch.tensor([1.0, 2.0]).cuda()
    for _ in range(2):
        graph.replay()
        assert x.tolist() == [1.0, 2.0]


def test_streams_join_a_capture_by_events(gpu):
    side = torch.cuda.Stream()
    x, graph = filled(0), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            array.fill(x.array, 6)
        torch.cuda.current_stream().wait_stream(side)
    assert x.tolist() == [0.0] * 4
    graph.replay()
    assert x.tolist() == [6.0] * 4


def test_an_optimizer_in_a_graph_counts_its_steps_on_the_gpu():
    with emulated(), host_kernels():
        w = torch.ones(3, device="cuda", requires_grad=True)
        w.grad = torch.ones(3, device="cuda")
        plain = torch.optim.Adam([w])
        plain.step()
        twin = torch.ones(3, requires_grad=True)
        twin.grad = torch.ones(3)
        expected = torch.optim.Adam([twin])
        for _ in range(3):
            expected.step()
        again = torch.ones(3, device="cuda", requires_grad=True)
        again.grad = torch.ones(3, device="cuda")
        captured = torch.optim.Adam([again], capturable=True)
        for _ in range(3):
            captured.step()
        assert captured.state[again]["step"].is_cuda and captured.state[again]["step"].item() == 3.0
        assert torch.allclose(again.cpu(), twin, atol=1e-6)
        refused = pytest.raises(RuntimeError, match="for an instance of Adam but param_groups' capturable is False")
        with refused, torch.cuda.graph(torch.cuda.CUDAGraph()):
            plain.step()
