"""Pictures and other files, read with their name in the error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minitorch.vision._pillow import pillow


@contextmanager
def named(path: Any) -> Iterator[None]:
    """Errors of reading name the file in a line of their own: the readers only say what is wrong."""
    try:
        yield
    except Exception as e:
        if getattr(e, "errno", None) is not None or str(path) in str(e):
            raise
        raise _first_made(type(e), f"{e}\nThe file is {path}") from e


def _first_made(kind: type[Exception], message: str) -> Exception:
    """An error of this class, or of the first of its bases that a message alone makes."""
    for base in kind.__mro__:
        try:
            return base(message)
        except TypeError:
            continue
    raise AssertionError("BaseException takes a message")


def open_picture(path: Any, mode: str | None = None) -> Any:
    """The picture in a file, read whole; converted, if `mode` is given."""
    image = pillow()
    with named(path), open(path, "rb") as file:
        picture = image.open(file)
        if mode is None:
            picture.load()
            return picture
        return picture.convert(mode)


def scipy_io(purpose: str) -> Any:
    """scipy.io, which reads .mat files."""
    try:
        import scipy.io
    except ImportError as e:
        raise ImportError(f"{purpose} are .mat files, which need SciPy: pip install scipy") from e
    return scipy.io


def loadmat(path: Any, purpose: str, **options: Any) -> dict[str, Any]:
    """The variables of a .mat file."""
    io = scipy_io(purpose)
    with named(path):
        try:
            return io.loadmat(path, **options)
        except (TypeError, IndexError, KeyError) as e:  # what SciPy's reader stumbles over in a broken file
            raise ValueError(f"not a .mat file that SciPy can read ({type(e).__name__}: {e})") from e
