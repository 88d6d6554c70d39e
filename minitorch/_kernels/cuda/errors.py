"""What can go wrong with a GPU, one class and one message each, with what to do about it."""


class AcceleratorError(RuntimeError):
    """An error that a device reports, such as a kernel that read outside of its memory."""


class OutOfMemoryError(RuntimeError):
    """A device has no memory left for what was asked of it."""


for _error in (AcceleratorError, OutOfMemoryError):
    _error.__module__ = "minitorch"  # as programs print and pickle them


class Unavailable(RuntimeError):
    """There is no GPU that can be used: the message says why, and the remedy."""


def not_installed(what: str) -> AssertionError:
    """What is missing for GPUs altogether; the class and the first line are those of a torch built without CUDA."""
    return AssertionError(f"Torch not compiled with CUDA enabled\n{what}. Without a GPU use device='cpu'")
