"""Memory on the CPU: what is counted, and what happens when there is not enough."""

import pytest

import minitorch as torch
from minitorch._kernels.cpu import heap

SIZE = 40 * 2**20


@pytest.mark.skipif(not heap.memory_stats(), reason="this C library does not count")
def test_stats_follow_an_array():
    def allocated():
        return heap.memory_stats()["allocated_bytes.all.current"]

    before = allocated()
    x = torch.empty(SIZE // 4)
    assert SIZE <= allocated() - before < SIZE + 2**20
    del x
    assert abs(allocated() - before) < 2**20
    stats = heap.memory_stats()
    both = stats["allocated_bytes.all.current"] + stats["inactive_split_bytes.all.current"]
    assert stats["reserved_bytes.all.current"] == both


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.empty(2**50),
        lambda x: torch.zeros(2**50),
        lambda x: x.expand(2**50) + 1.0,
        lambda x: x.expand(2**50).clone(),
        lambda x: x.expand(2**50).exp(),
        lambda x: torch.sigmoid(x.expand(2**50)),
        lambda x: x.expand(2**25, 2**25) @ x.expand(2**25, 2**25),
        lambda x: torch.nn.functional.conv2d(x.expand(2**40, 1, 40, 40), x.expand(1, 1, 1, 1)),
    ],
)
def test_what_is_too_large_says_so_and_the_process_goes_on(call):
    x = torch.ones(1)
    with pytest.raises((MemoryError, RuntimeError), match=r"\d (bytes|[KMGTPE]iB)"):
        call(x)
    assert (x + 1).item() == 2.0
