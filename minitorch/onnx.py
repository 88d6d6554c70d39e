"""Same as torch.onnx, of which there is the answer that nothing is exported."""

from typing import Any, NoReturn

__all__ = ["OnnxExporterError", "export", "is_in_onnx_export"]


class OnnxExporterError(RuntimeError):
    """Raised by torch's exporter: never here, but programs catch it."""


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """NotImplementedError: minitorch writes no ONNX files."""
    raise NotImplementedError(
        "torch.onnx.export is not supported by minitorch: save the parameters, torch.save(model.state_dict(), file), "
        "and export from PyTorch"
    )


def is_in_onnx_export() -> bool:
    """Whether an export is under way: never."""
    return False
