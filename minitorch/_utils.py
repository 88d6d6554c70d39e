"""The names of torch._utils that call tensors back to life in pickles which torch wrote."""

from .serialization._storages import REBUILD

globals().update({name.rpartition(".")[2]: f for name, f in REBUILD.items() if name.startswith("torch._utils.")})
