"""The names of torch.library, which extends PyTorch's dispatcher: refused, as minitorch has none."""

from ._no_accelerator import refusing, refusing_classes

_INSTEAD = (
    "torch.library.{name} is not supported by minitorch, which has no dispatcher: write the op as a "
    "torch.autograd.Function, or as a function of tensors"
)
globals().update(
    refusing(
        "custom_op define fallthrough_kernel get_ctx get_kernel impl impl_abstract infer_schema opcheck "
        "register_autocast register_autograd register_fake register_kernel register_torch_dispatch register_vmap "
        "triton_op wrap_triton",
        NotImplementedError,
        _INSTEAD,
    )
)
globals().update(refusing_classes("torch.library", {"Library": _INSTEAD.format(name="Library")}, NotImplementedError))
