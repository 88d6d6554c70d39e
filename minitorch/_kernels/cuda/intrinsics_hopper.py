"""The instructions behind Hopper's words, as in `intrinsics.py`: barriers in shared memory, bulk copies, wgmma.

All is written as PTX ("mbarrier", "Data Movement and Conversion Instructions: cp.async.bulk.tensor", "Asynchronous
Warpgroup Level Matrix Multiply-Accumulate Instructions"), since LLVM's dialect here is older than the instructions.
"""

from llvmlite import ir

from .intrinsics import F4, I64, WORDS, _asm, _parts, _shared_address, word

NOTHING = ir.VoidType()


@word
def shared_address(builder, values, codes):
    return _shared_address(builder, *values, codes[1])


def _on_barrier(text, letters):
    def build(builder, values, codes):
        operands = [_shared_address(builder, *values[:2], codes[1]), *values[2:]]
        _asm(builder, text, NOTHING, operands, f"{letters},~{{memory}}")

    return build


# a label within braces is this instruction's own
_WAIT = "{.reg .pred p; AGAIN: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], $1; @!p bra AGAIN;}"
WORDS.update(
    mbarrier_init=_on_barrier("mbarrier.init.shared::cta.b64 [$0], $1;", "r,r"),
    mbarrier_expect=_on_barrier("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r"),
    mbarrier_arrive=_on_barrier("mbarrier.arrive.shared::cta.b64 _, [$0];", "r"),
    mbarrier_wait=_on_barrier(_WAIT, "r,r"),
)


@word
def mbarrier_fence(builder, values, codes):
    _asm(builder, "fence.mbarrier_init.release.cluster;", NOTHING, [], "~{memory}")
    _asm(builder, "fence.proxy.async.shared::cta;", NOTHING, [], "~{memory}")


@word
def copy_box(builder, values, codes):
    target, i, tensor_map, x, y, z, barrier, j = values
    operands = [
        _shared_address(builder, target, i, codes[1]),
        builder.ptrtoint(tensor_map, I64),
        x,
        y,
        z,
        _shared_address(builder, barrier, j, codes[7]),
    ]
    text = (
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
        "[$0], [$1, {$2, $3, $4}], [$5];"
    )
    _asm(builder, text, NOTHING, operands, "r,l,r,r,r,r,~{memory}")


def _sums(builder, text, sums, others=(), letters=""):
    """An instruction that changes sums in place: results $0 on, then the other operands."""
    count = len(sums)
    tied = [str(k) for k in range(count)]
    constraints = ",".join([*["=f"] * count, *letters, *tied, "~{memory}"])
    struct = ir.LiteralStructType([F4] * count)
    out = _asm(builder, text, struct, [*others, *sums], constraints, convergent=True)
    return _parts(builder, out, count)


def _wgmma(kind, depth):
    def build(builder, values, codes, count, wide_a, wide_b):
        a, b, *sums = values
        if len(sums) != count or (depth == 8 and (wide_a or wide_b)):
            raise TypeError(f"wgmma_{kind}: {len(sums)} sums where {count} are announced, or tf32 with K not fast")
        places = ", ".join(f"${k}" for k in range(count))
        layouts = "" if depth == 8 else f", {int(wide_a)}, {int(wide_b)}"
        text = (
            f"{{.reg .pred p; setp.eq.u32 p, 0, 0; wgmma.mma_async.sync.aligned.m64n{2 * count}k{depth}"
            f".f32.{kind}.{kind} {{{places}}}, ${count}, ${count + 1}, p, 1, 1{layouts};}}"
        )
        return _sums(builder, text, sums, (a, b), "ll")

    return build


WORDS.update(wgmma_bf16=_wgmma("bf16", 16), wgmma_f16=_wgmma("f16", 16), wgmma_tf32=_wgmma("tf32", 8))


def _alone(text):
    def build(builder, values, codes):
        _asm(builder, text, NOTHING, [], "~{memory}", convergent=True)

    return build


WORDS.update(wgmma_fence=_alone("wgmma.fence.sync.aligned;"), wgmma_commit=_alone("wgmma.commit_group.sync.aligned;"))


@word
def wgmma_wait(builder, values, codes, count):
    """The sums are operands, so that nothing that reads them comes before it."""
    return _sums(builder, "wgmma.wait_group.sync.aligned 0;", values)
