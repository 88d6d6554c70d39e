"""The worker processes of one iteration over a DataLoader: started, asked, watched and ended."""

import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from minitorch.utils.data._utils import MP_STATUS_CHECK_INTERVAL
from minitorch.utils.data._utils.channel import Channel, Message
from minitorch.utils.data._utils.worker import work

REPEAT_AFTER = 0.1  # seconds that a worker has to end by itself after Ctrl-C


class WorkerPool:
    """Worker `i` answers what `ask(i, request)` sends it; `answer` waits for the next answer of any of them."""

    def __init__(self, context: Any, num_workers: int, arguments: Callable[[int], tuple[Any, ...]]):
        self.pid = os.getpid()
        self.processes: list[Any] = []
        self.channels: list[Channel] = []
        self.waiting: list[deque[Message]] = [deque() for _ in range(num_workers)]
        self.working = [True] * num_workers
        self.poll = select.poll()
        self.owner: dict[int, int] = {}  # a descriptor that can be waited for, and whose it is
        try:
            for i in range(num_workers):
                self._start(context, i, arguments(i))
        except BaseException:
            self.close(0)
            raise

    def _start(self, context: Any, i: int, arguments: tuple[Any, ...]) -> None:
        ours, theirs = Channel.pair()
        self.channels.append(ours)
        process = context.Process(target=work, args=(theirs, *arguments), daemon=True)
        # Ctrl-C while a process is being started would print the traceback of that
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.processes.append(process)
        for fd in (ours.fileno(), process.sentinel):
            self.poll.register(fd, select.POLLIN)
            self.owner[fd] = i

    def ask(self, i: int, request: Any) -> None:
        """Send worker i a request, as soon as it has room for it."""
        self.waiting[i].append(self.channels[i].packed(request))
        self._send_waiting()

    def _send_waiting(self) -> None:
        for channel, messages in zip(self.channels, self.waiting):
            try:
                while messages and channel.send(messages[0]):
                    messages.popleft()
            except OSError:
                messages.clear()  # it has died, which `answer` reports

    def answer(self, timeout: float = 0, first: int = 0) -> Any:
        """The next answer, of worker `first` if it has one; None if there is none in time.

        A RuntimeError if a worker died. Whatever is raised, an answer may be lost: all workers are ended.
        """
        end = time.monotonic() + timeout if timeout else None
        try:
            while True:
                self._send_waiting()
                for i in (first, *range(len(self.channels))):
                    if self.working[i]:
                        try:
                            return self.channels[i].receive()
                        except BlockingIOError:
                            pass
                        except EOFError:
                            raise self._death([i]) from self._cause(i)
                left = MP_STATUS_CHECK_INTERVAL
                if end is not None:
                    left = min(left, end - time.monotonic())
                if left <= 0:
                    return None
                self._wait(left)
        except BaseException:  # Ctrl-C included
            self.close(0)
            raise

    def _wait(self, seconds: float) -> None:
        """Until some worker has answered or died, which raises."""
        if not any(self.working):
            raise RuntimeError("DataLoader: the workers have ended, after an error")
        ready = {self.owner[fd] for fd, _ in self.poll.poll(seconds * 1000)}
        dead = [i for i in ready or range(len(self.processes)) if self.working[i] and self._died(i)]
        if dead:
            raise self._death(dead) from self._cause(dead[0])

    def _died(self, i: int) -> bool:
        """Whether worker i has ended and left no answer."""
        return not self.processes[i].is_alive() and not self.channels[i].poll(0)

    def _death(self, dead: list[int]) -> RuntimeError:
        for i in dead:
            self.processes[i].join(MP_STATUS_CHECK_INTERVAL)
        pids = ", ".join(str(self.processes[i].pid) for i in dead)
        lines = [f"DataLoader worker (pid(s) {pids}) exited unexpectedly"]
        for i in dead:
            process = self.processes[i]
            lines.append(f"worker {i}: {process.name}, pid {process.pid}, exit code {process.exitcode}")
        return RuntimeError("\n".join(lines))

    def _cause(self, i: int) -> RuntimeError:
        process = self.processes[i]
        process.join(MP_STATUS_CHECK_INTERVAL)
        code = process.exitcode
        if code is not None and code < 0:
            text = f"DataLoader worker (pid {process.pid}) is killed by signal: {signal.strsignal(-code)}. "
            if -code == signal.SIGBUS:
                text += "It is possible that dataloader's workers are out of shared memory. "
            return RuntimeError(text)
        return RuntimeError(
            f"DataLoader worker (pid {process.pid}) exited unexpectedly with exit code {code}. Details are lost due to "
            "multiprocessing. Rerunning with num_workers=0 may give better error trace."
        )

    def dismiss(self, i: int) -> None:
        """Let worker i end: nothing is expected of it any more."""
        self.working[i] = False
        for fd in (self.channels[i].fileno(), self.processes[i].sentinel):
            self.poll.unregister(fd)
        self.channels[i].end()

    def close(self, patience: float = MP_STATUS_CHECK_INTERVAL) -> None:
        """End all workers; those still at work after `patience` seconds are terminated."""
        if os.getpid() != self.pid:
            return  # a forked copy of this object: the workers are its parent's
        for channel in self.channels:
            channel.end()
        end = time.monotonic() + patience
        for process in self.processes:
            process.join(min(patience, REPEAT_AFTER))
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)  # see worker.ended_by_interrupt
        for process in self.processes:
            process.join(max(end - time.monotonic(), 0))
            if process.is_alive():
                process.terminate()
                process.join(1)
            if process.is_alive():
                process.kill()
                process.join()
        self.working = [False] * len(self.working)
