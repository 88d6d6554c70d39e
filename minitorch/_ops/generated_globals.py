"""The globals of generated functions."""

from heapq import heappush
from typing import Any

import numpy as np

from minitorch._dtype import BOOL_NUMPY, FLOAT32_NUMPY, FLOATS, HALVES
from minitorch._kernels import layout
from minitorch._kernels.cpu import loops
from minitorch._tensor import Tensor, new, wrap
from minitorch.autograd._lines import getframe, noted, noted_frame
from minitorch.autograd.engine import accumulate
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, check_inference, state
from minitorch.autograd.node import DeadEnd, next_key

from .scope import FEW, SMALL


def for_generated_code() -> dict[str, Any]:
    """What every generated function may name."""
    from . import (
        activations,
        apply,
        arithmetic,
        check,
        copies,
        inplace,
        nodes,
        number_first,
        operands,
        public,
        reductions,
        saved_names,
    )

    return {
        "BOOL_NUMPY": BOOL_NUMPY,
        "FLOAT32_NUMPY": FLOAT32_NUMPY,
        "CONSTANTS": operands.CONSTANTS,
        "FLOATS": FLOATS,
        "HALVES": HALVES,
        "FREED_VALUE": nodes.FREED_VALUE,
        "LARGE": loops.LARGE,
        "beats_numpy": loops.beats_numpy,
        "beats_numpy_in_place": loops.beats_numpy_in_place,
        "Loops": loops.Loops,
        "NO_GRAD": NO_GRAD,
        "NUMBERS": operands.NUMBERS,
        "ONE": 1,
        "OpNode": nodes.OpNode,
        "saved_attributes": saved_names.saved_attributes,
        "shown_edges": nodes.shown_edges,
        "SMALL": SMALL,
        "FEW": FEW,
        "Tensor": Tensor,
        "accumulate": accumulate,
        "apply": apply.apply,
        "apply_inplace": apply.apply_inplace,
        "as_it_was": nodes.as_it_was,
        "asarray": np.asarray,
        "kept_copy": nodes.kept_copy,
        "check_inference": check_inference,
        "check_inplace": inplace.check_inplace,
        "refuse_bool": operands.refuse_bool,
        "write_result": arithmetic.write_result,
        "check_hardtanh": activations.check_hardtanh,
        "check_heaviside": arithmetic.check_heaviside,
        "check_lambd": activations.check_lambd,
        "check_lerp": arithmetic.check_lerp,
        "check_overlap": copies.check_overlap,
        "DeadEnd": DeadEnd,
        "empty": np.empty,
        "empty_result": layout.empty_result,
        "for_out": inplace.for_out,
        "functions": public.FUNCTIONS,
        "geometry": nodes.geometry,
        "getframe": getframe,
        "heappush": heappush,
        "in_new_order": number_first.in_new_order,
        "inplace_number": operands.inplace_number,
        "inplace_operands": operands.inplace_operands,
        "into": inplace.into,
        "ndarray": np.ndarray,
        "missing_argument": check.missing_argument,
        "new": new,
        "next_key": next_key,
        "no_kernel": check.no_kernel,
        "number_argument": operands.number_argument,
        "number_operand": operands.number_operand,
        "operand_error": operands.operand_error,
        "promote": operands.promote,
        "rebase": inplace.rebase,
        "renewed_edge": inplace.renewed_edge,
        "refuse_bool_operand": operands.refuse_bool_operand,
        "refuse_float_result": operands.refuse_float_result,
        "scaled_sum": arithmetic.scaled_sum,
        "stale": nodes.stale,
        "state": state,
        "UNUSUAL": UNUSUAL,
        "refuse_integer_quotient": arithmetic.refuse_integer_quotient,
        "refuse_zero_division": arithmetic.refuse_zero_division,
        "rounded_division": arithmetic.rounded_division,
        "unrounded": arithmetic.unrounded,
        "sum_to": reductions.sum_to,
        "to_float": operands.to_float,
        "total": loops.total,
        "unusual_operands": operands.unusual_operands,
        "noted": noted,
        "noted_frame": noted_frame,
        "wrap": wrap,
    }
