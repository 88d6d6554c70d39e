"""A socket between the main process and a worker: whole messages, their tensors in segments of shared memory.

No lock, thread or file is involved, so neither a worker that is killed nor a main process that is killed can leave one
behind; descriptors on their way are closed by the system.

A new segment of 200 KB costs 0.2 ms for its pages, ten times what it takes to fill them. So the sender keeps its
segments: the receiver maps each once, says when the last tensor over it is gone, and it is filled again.
"""

import functools
import io
import os
import pickle
import select
import socket
import sys
from collections import ChainMap, deque
from collections.abc import Callable
from multiprocessing import util
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np

from minitorch import _sharing
from minitorch._sharing import Segment
from minitorch._tensor import Tensor
from minitorch.multiprocessing import reductions

INLINE = 1024  # bytes: what is longer goes into a segment, so that a message always fits the socket's buffer
MAX_PARTS = 128  # in one message: the system allows 253 new descriptors, and a process has about 1,000
PAGE = 4096

TOO_MANY = (
    "Too many open files. Communication with the workers is no longer possible. Please increase the limit using "
    "`ulimit -n` in the shell or change the sharing strategy by calling "
    "`torch.multiprocessing.set_sharing_strategy('file_system')` at the beginning of your code"
)

_forks = 0  # of this process: a child may use what it inherited, so memory seen by one is never filled again


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_count_fork)


class Slot(Segment):
    """A segment that its owner sends from, again and again."""

    __slots__ = ("announced", "lent", "number")

    number: int
    lent: int  # to how many tensors of the receiver
    announced: bool  # whether the receiver has mapped it


class Lease(Segment):
    """The first bytes of the other end's slot, in a segment mapped here. Returns the slot when no tensor is left."""

    __slots__ = ("forks", "number", "returns", "segment")

    def __init__(self, segment: Segment, number: int, size: int, returns: deque[tuple[int, bool]]):
        self.segment, self.number, self.returns, self.forks = segment, number, returns, _forks
        self.address, self.size = segment.address, size
        self.fd = self.name = self._bytes = None

    def __del__(self, *_: Any) -> None:
        self.returns.append((self.number, self.forks == _forks))


class Part(NamedTuple):
    """What is pickled in place of memory: the first bytes of a slot."""

    number: int
    size: int


class Arena:
    """The slots of one end of a channel."""

    def __init__(self) -> None:
        self.slots: dict[int, Slot] = {}
        self.idle: dict[int, Slot] = {}  # those not lent, though arrays of this process may lie in them
        self.dropped: list[int] = []
        self.made = 0
        self.keep = 0

    def take(self, size: int) -> Slot:
        """A slot of at least `size` bytes that nobody uses."""
        for slot in self.idle.values():
            if size <= slot.size <= 2 * size + PAGE and not slot.in_use():
                return slot
        slot = _sharing.create(max(-(-size // PAGE), 1) * PAGE, kind=Slot)
        self.made += 1
        slot.number, slot.lent, slot.announced = self.made, 0, False
        self.slots[slot.number] = self.idle[slot.number] = slot
        return slot

    def slot_of(self, array: np.ndarray) -> Slot | None:
        """The slot that an array fills from its beginning."""
        slot = _sharing.segment_of(array)
        if type(slot) is not Slot or self.slots.get(slot.number) is not slot:
            return None
        dense = array.flags.c_contiguous or array.flags.f_contiguous
        return slot if dense and array.size and array.ctypes.data == slot.address else None

    def lend(self, slots: list[Slot]) -> None:
        """Note that these are being sent."""
        for slot in slots:
            slot.lent += 1
            self.idle.pop(slot.number, None)

    def returned(self, number: int, reusable: bool) -> None:
        """The receiver has one tensor less in a slot."""
        slot = self.slots[number]
        slot.lent -= 1
        if slot.lent == 0:
            if reusable and len(self.idle) <= self.keep:
                self.idle[number] = slot
            else:
                del self.slots[number]
                self.dropped.append(number)


class Message(NamedTuple):
    """What the socket carries: text, and the descriptors of slots that the receiver has not mapped yet."""

    text: bytes
    new: list[Slot]


class _Pickler(ForkingPickler):
    """Tensors become parts of slots."""

    def __init__(self, file: Any, arena: Arena):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.sent: list[tuple[Slot, np.ndarray]] = []  # the arrays keep the slots from being taken meanwhile
        # no method of this object: in a cycle, it would keep the arrays until the garbage collector comes
        reduce = functools.partial(_reduce, arena, self.sent)
        table: Any = dict.fromkeys(reductions.tensor_classes, reduce)
        self.dispatch_table: Any = ChainMap(table, self.dispatch_table)

    def persistent_id(self, obj: Any) -> Any:
        return tuple(obj) if type(obj) is Part else None


def _reduce(arena: Arena, sent: list[tuple[Slot, np.ndarray]], t: Tensor) -> Any:
    reductions.check_sendable(t)
    if not isinstance(t.array, np.ndarray) or len(sent) >= MAX_PARTS:
        return t.__reduce_ex__(2)
    array, slot = t.array, arena.slot_of(t.array)
    if slot is None:
        slot = arena.take(t.array.nbytes)
        array = _sharing.array_in(slot, t.array)
        np.copyto(array.view(np.ndarray), t.array.view(np.ndarray))
    sent.append((slot, array))
    part = Part(slot.number, array.nbytes)
    return reductions.rebuild_tensor, (type(t), part, array.dtype, array.shape, array.strides, 0, t.requires_grad)


class _Unpickler(pickle.Unpickler):
    def __init__(self, text: bytes, lease: Callable[[Any], Segment]):
        super().__init__(io.BytesIO(text))
        self.lease = lease

    def persistent_load(self, pid: Any) -> Segment:
        return self.lease(pid)


class Channel:
    """One end of a pair of connected sockets."""

    def __init__(self, end: socket.socket):
        self.socket = end
        end.setblocking(False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(end, select.POLLIN)
        self._writable.register(end, select.POLLOUT)
        self.arena = Arena()
        self._mapped: dict[int, Segment] = {}  # the other end's slots
        self._returns: deque[tuple[int, bool]] = deque()

    def __reduce__(self) -> Any:
        return Channel, (self.socket,)

    @staticmethod
    def pair() -> tuple["Channel", "Channel"]:
        """The main process's end, which forked workers close, and a worker's."""
        if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "send_fds"):
            raise NotImplementedError(
                "DataLoader(): num_workers > 0 is not supported by minitorch on this system; it is on Linux"
            )
        kind = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
        ours, theirs = map(Channel, socket.socketpair(socket.AF_UNIX, kind))
        util.register_after_fork(ours, Channel.close)
        return ours, theirs

    def fileno(self) -> int:
        return self.socket.fileno()

    def poll(self, seconds: float) -> bool:
        """Whether there is something to receive within a time."""
        return bool(self._readable.poll(seconds * 1000))

    def packed(self, data: Any) -> Message:
        """What `send` takes; errors of pickling are raised here."""
        returns = [self._returns.popleft() for _ in range(len(self._returns))]
        dropped, self.arena.dropped = self.arena.dropped, []
        try:
            text, slots = self._dumped((returns, dropped, data))
        except BaseException:
            self._returns.extendleft(reversed(returns))
            self.arena.dropped = dropped + self.arena.dropped
            raise
        if len(text) > INLINE:
            long = self.arena.take(len(text))
            long.bytes()[: len(text)] = np.frombuffer(text, np.uint8)
            self.arena.lend([long])
            text, slots = b"\1" + pickle.dumps((long.number, len(text))), [long, *slots]
        else:
            text = b"\0" + text
        new = [slot for slot in dict.fromkeys(slots) if not slot.announced]
        for slot in new:
            slot.announced = True
        if slots:
            self.arena.keep = 4 * len(slots)  # the receiver has about one message, and some are on their way
        return Message(text, new)

    def _dumped(self, data: Any) -> tuple[bytes, list[Slot]]:
        file = io.BytesIO()
        pickler = _Pickler(file, self.arena)
        pickler.dump(data)
        slots = [slot for slot, _ in pickler.sent]
        self.arena.lend(slots)
        return file.getvalue(), slots

    def send(self, message: Message, seconds: float = 0) -> bool:
        """Whether the message could be sent within a time: the other end takes no more than it has room for."""
        if seconds and not self._writable.poll(seconds * 1000):
            return False
        try:
            socket.send_fds(self.socket, [message.text], [slot.fd for slot in message.new if slot.fd is not None])
        except BlockingIOError:
            return False
        for slot in message.new:
            slot.close_fd()
        return True

    def receive(self) -> Any:
        """The next message; BlockingIOError if there is none, EOFError if the other end is closed."""
        try:
            text, fds, flags, _ = socket.recv_fds(self.socket, INLINE + 1, MAX_PARTS + 1)
        except ConnectionError as error:
            raise EOFError from error
        if not text:
            raise EOFError
        if flags & socket.MSG_CTRUNC:
            for fd in fds:
                os.close(fd)
            raise RuntimeError(TOO_MANY)
        unused = iter(fds)

        def lease(part: tuple[int, int]) -> Lease:
            number, size = part
            segment = self._mapped.get(number)
            if segment is None:
                fd = next(unused)
                # without keeping the descriptor, or a thousand batches kept would use up all there are
                self._mapped[number] = segment = Segment(fd, os.fstat(fd).st_size, keep=False)
            return Lease(segment, number, size, self._returns)

        body: Any = text[1:]
        if text[0] == 1:
            body = lease(pickle.loads(body)).bytes().tobytes()
        returns, dropped, data = _Unpickler(body, lease).load()
        for number, reusable in returns:
            self.arena.returned(number, reusable)
        for number in dropped:
            self._mapped.pop(number, None)
        return data

    def close(self) -> None:
        """Close this process's descriptor; the other end notices when all processes have."""
        self.socket.close()

    def ended(self) -> bool:
        """Whether the other end has called `end`."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def end(self) -> None:
        """Close the connection itself: the other end notices at once, whoever has copies of this one."""
        try:
            self.socket.send(b"")  # datagrams' sockets say nothing by themselves
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end is gone
        self.socket.close()
