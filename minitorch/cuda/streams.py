"""Same as torch.cuda.streams: queues of work on a GPU, and the events by which they wait for each other."""

from typing import Any

from minitorch._device import device as Device

from ._devices import available, index_of, runtime

__all__ = ["Event", "ExternalStream", "Stream", "StreamContext", "current_stream", "default_stream", "stream"]


class Stream:
    """A queue of work on a GPU; work of different streams may run at once.

    `priority`: 0, or less for streams that go first.
    """

    def __new__(cls, device: Any = None, priority: int = 0, **kwargs: Any) -> Any:
        if not available():
            raise RuntimeError("torch.cuda.Stream requires CUDA support")
        return object.__new__(cls)

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any):
        given = kwargs.get("stream_id")
        index = kwargs["device_index"] if "device_index" in kwargs else index_of(device)
        self._gpu = runtime().gpu(index)
        least, greatest = self._gpu.driver.priority_range()
        self.priority = min(max(priority, greatest), least)
        self.cuda_stream = self._gpu.pooled_stream(self.priority) if given is None else given

    stream_id = property(lambda self: self.cuda_stream)
    device_type = 1  # as torch numbers the types of devices
    device_index = property(lambda self: self._gpu.index)

    @property
    def device(self) -> Device:
        return self._gpu.device

    @property
    def _as_parameter_(self) -> Any:
        import ctypes

        return ctypes.c_void_p(self.cuda_stream)

    def _driver(self) -> Any:
        return runtime().gpu(self._gpu.index).driver

    def synchronize(self) -> None:
        """Wait for all that the stream was given."""
        self._driver().synchronize_stream(self.cuda_stream)

    def query(self) -> bool:
        """Whether the stream has nothing left to do."""
        return self._driver().is_stream_done(self.cuda_stream)

    def wait_event(self, event: "Event") -> None:
        """Let what the stream is given from now on wait for an event."""
        event.wait(self)

    def wait_stream(self, stream: "Stream") -> None:
        """Let what the stream is given from now on wait for what another one was given so far."""
        self.wait_event(stream.record_event())

    def record_event(self, event: "Event | None" = None) -> "Event":
        """An event that happens when the stream has come here."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def is_capturing(self) -> bool:
        """Whether what the stream is given is kept for a graph."""
        return self._driver().is_capturing(self.cuda_stream)

    def __enter__(self) -> "Stream":
        self._context = StreamContext(self)
        self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(*error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.device, self.cuda_stream) == (other.device, other.cuda_stream)

    def __hash__(self) -> int:
        return hash((self.cuda_stream, self.device))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """A stream that another library made, given by its address."""

    def __init__(self, stream_ptr: int, device: Any = None, **kwargs: Any):
        super().__init__(device, stream_id=stream_ptr)


class Event:
    """A place in a stream: others can wait for it, and the time between two can be measured."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if not available():
            raise RuntimeError("Tried to instantiate dummy base class Event")
        return object.__new__(cls)

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, external: bool = False
    ):
        if interprocess:
            raise NotImplementedError("Event(interprocess=True) is not supported by minitorch")
        self._timing, self._blocking = enable_timing, blocking
        self.cuda_event = 0
        self._gpu: Any = None

    def record(self, stream: Stream | None = None) -> None:
        """Let the event happen when the stream, the current one unless given, has come here."""
        stream = current_stream() if stream is None else stream
        driver = stream._driver()
        if not self.cuda_event:
            self.cuda_event, self._gpu = driver.create_event(self._timing, self._blocking), stream._gpu
        elif self._gpu is not stream._gpu:
            raise RuntimeError(
                f"Event device {self._gpu.index} does not match recording stream's device {stream._gpu.index}."
            )
        driver.record_event(self.cuda_event, stream.cuda_stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Let what the stream, the current one unless given, does from now on wait for the event."""
        stream = current_stream() if stream is None else stream
        if self.cuda_event:
            stream._driver().wait_event(stream.cuda_stream, self.cuda_event)

    def query(self) -> bool:
        """Whether all that was before the event is done."""
        return not self.cuda_event or self._gpu.driver.is_event_done(self.cuda_event)

    def synchronize(self) -> None:
        """Wait for the event."""
        if self.cuda_event:
            self._gpu.driver.synchronize_event(self.cuda_event)

    def elapsed_time(self, end_event: "Event") -> float:
        """The milliseconds from this event to another one; both with `enable_timing`, and both over."""
        for event in (self, end_event):
            if not event._timing:
                raise ValueError("Both events must be created with argument 'enable_timing=True'.")
            if not event.cuda_event:
                raise ValueError("Both events must be recorded before calculating elapsed time.")
            if not event.query():
                raise RuntimeError("Both events must be completed before calculating elapsed time.")
        return self._gpu.driver.elapsed(self.cuda_event, end_event.cuda_event)

    def __del__(self) -> None:
        if getattr(self, "cuda_event", 0):
            self._gpu.driver.destroy_event(self.cuda_event)

    def __repr__(self) -> str:
        return f"<torch.cuda.Event {self.cuda_event:#x}>" if self.cuda_event else "<torch.cuda.Event uninitialized>"


class StreamContext:
    """A context in which a stream is the current one of its GPU, and the GPU the current one; None changes nothing."""

    def __init__(self, stream: Stream | None):
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is None:
            return
        module, index = runtime(), self.stream._gpu.index
        self._before = module.current_index(), module.current_stream(index)
        module.set_index(index)
        module.set_stream(self.stream.cuda_stream, index)

    def __exit__(self, *_: object) -> None:
        if self.stream is None:
            return
        device, stream = self._before
        runtime().set_stream(stream, self.stream._gpu.index)
        runtime().set_index(device)


def stream(stream: Stream | None) -> StreamContext:
    """A context in which what is computed goes to another stream."""
    return StreamContext(stream)


def current_stream(device: Any = None) -> Stream:
    """The stream that work goes to in this thread."""
    index = index_of(device)
    return Stream(stream_id=runtime().current_stream(index), device_index=index)


def default_stream(device: Any = None) -> Stream:
    """The stream that work goes to unless another is chosen."""
    return Stream(stream_id=0, device_index=index_of(device))


def set_stream(stream: Stream | None) -> None:
    """Let work go to another stream from now on."""
    if stream is not None:
        runtime().set_index(stream._gpu.index)
        runtime().set_stream(stream.cuda_stream, stream._gpu.index)
