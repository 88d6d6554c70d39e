"""Same as torch.multiprocessing: Python's multiprocessing, with tensors sent through shared memory.

A tensor that goes through a queue or pipe, or to a new process, is moved into shared memory and only its place is
sent: both processes then see the same elements.

>>> import minitorch.multiprocessing as mp
>>> mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
True
"""

import multiprocessing
import sys
from multiprocessing import *  # noqa: F403

from . import reductions
from .reductions import get_all_sharing_strategies, get_sharing_strategy, set_sharing_strategy
from .spawn import (
    ENV_VAR_PARALLEL_START,
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = ["set_sharing_strategy", "get_sharing_strategy", "get_all_sharing_strategies"]
__all__ += multiprocessing.__all__

init_reductions = reductions.init_reductions
