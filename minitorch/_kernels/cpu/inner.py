"""The decorator of what kernels alone call: compiled as far as a kernel can take it in, and no further.

Numba optimizes every function and makes machine code of it, then takes its optimized form into each caller, optimizes
all of that and makes machine code of it again: what lies two calls deep is paid for three times. An inner function's
code goes into the kernel as it is, and LLVM works on the whole once. Attention's first use went from 3.4 to 2.1 s.
"""

import secrets
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.typed_passes import NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes

# What kernels have none of: closures, and expressions over whole arrays. The passes look for them all the same.
UNUSED = (InlineClosureLikes, NopythonRewrites)


class _Ingredients(JITCodeLibrary):
    """Code for other libraries to take in: no machine code, so no address and no place for Numba's environment."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name):
        return 0

    @property
    def codegen(self):
        return self

    def set_env(self, name, environment):
        pass


class _Compiler(Compiler):
    def define_pipelines(self):
        # Numba numbers functions from 1 in each process. Of two kernels on disk, each with a function made by the same
        # maker (`planes_of`), the one loaded second would call the first one's: the linker goes by the name.
        self.state.func_id.unique_id = secrets.randbits(63)
        self.state.library = _Ingredients(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        (pipeline,) = super().define_pipelines()
        pipeline.passes = [step for step in pipeline.passes if step[0] not in UNUSED]
        return [pipeline]


def inner(**options: Any) -> Any:
    """numba.njit for a function that is called from compiled code only."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(**{"error_model": "numpy", "pipeline_class": _Compiler, **wrappers, **options})
