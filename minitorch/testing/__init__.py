"""Same paths as torch.testing: tensors to test with, and assertions about them."""

from ._allclose import assert_allclose
from ._comparison import assert_close
from ._creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
