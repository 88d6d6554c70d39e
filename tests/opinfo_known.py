"""Rows of torch's database that fail, each with its reason."""

_COMPLEX = "some of its wrong inputs are complex tensors, which cannot be built"
_ROUNDS_ONCE = "torch rounds every partial sum to 16 bits; minitorch sums in 32 bits and is closer to float64's result"
_OVERFLOWS = "torch overflows on the way, to nan"

KNOWN: dict[tuple[str, str], str] = {
    ("_unsafe_masked_index_put_accumulate", "float16"): _ROUNDS_ONCE,
    ("_unsafe_masked_index_put_accumulate", "bfloat16"): _ROUNDS_ONCE,
    **{
        (f"_segment_reduce.{by}", kind): _ROUNDS_ONCE
        for by in ("lengths", "offsets")
        for kind in ("float16", "bfloat16")
    },
    ("gradient", "errors"): _COMPLEX,
    ("gradient", "messages"): _COMPLEX,
    ("masked_fill", "errors"): _COMPLEX,
    ("masked_fill", "messages"): _COMPLEX,
    **{(f"nn.functional.conv{n}d", kind): _COMPLEX for n in (1, 2, 3) for kind in ("errors", "messages")},
    **{(f"nn.functional.conv_transpose{n}d", kind): _ROUNDS_ONCE for n in (2, 3) for kind in ("float16", "bfloat16")},
    **{
        (f"nn.functional.linear_cross_entropy.{way}", "double gradient"): "torch's chunked form gives zeros"
        for way in ("chunked", "chunked_none")
    },
    ("matrix_exp", "float16"): _OVERFLOWS,
    ("matrix_exp", "bfloat16"): _OVERFLOWS,
    ("matrix_exp", "float32"): "torch computes in single precision, with an error above the tolerance",
}
