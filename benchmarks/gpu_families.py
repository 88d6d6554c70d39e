"""The kernel families that `gpu.py` compares with torch on a GPU, values and gradients."""

from collections.abc import Callable
from typing import Any

# name -> (the call, shapes of its inputs); each runs with its gradients in float32
FAMILIES: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "pointwise": (lambda T, x, y: (x * y).sigmoid() + y.exp(), ((33, 17), (33, 17))),
    "broadcast": (lambda T, x, y: x * y + x, ((8, 1, 5), (3, 5))),
    "sum of rows": (lambda T, x: x.sum(-1), ((37, 65),)),
    "sum of columns": (lambda T, x: x.sum(0), ((65, 37),)),
    "mean of all": (lambda T, x: x.mean(), ((50, 41),)),
    "max": (lambda T, x: x.max(1)[0], ((13, 29),)),
    "var": (lambda T, x: x.var(-1), ((13, 29),)),
    "transpose": (lambda T, x: x.t().contiguous() * 2, ((33, 47),)),
    "cat": (lambda T, x, y: T.cat([x, y], 1), ((3, 4), (3, 5))),
    "index": (lambda T, x: x.index_select(0, T.tensor([2, 0, 2], device=x.device)), ((5, 7),)),
    "gather": (lambda T, x: x.gather(1, T.tensor([[1, 0], [2, 2]], device=x.device)), ((2, 3),)),
    "matmul": (lambda T, x, y: x @ y, ((20, 33), (33, 17))),
    "bmm": (lambda T, x, y: x @ y, ((3, 9, 10), (3, 10, 7))),
    "linear": (lambda T, x, w, c: T.nn.functional.linear(x, w, c), ((6, 10), (5, 10), (5,))),
    "conv2d": (lambda T, x, w: T.nn.functional.conv2d(x, w, padding=1), ((2, 3, 7, 7), (4, 3, 3, 3))),
    "depthwise conv2d": (
        lambda T, x, w: T.nn.functional.conv2d(x, w, padding=1, stride=2, groups=3), ((2, 3, 7, 7), (3, 1, 3, 3))
    ),
    "max_pool2d": (lambda T, x: T.nn.functional.max_pool2d(x, 2), ((2, 3, 8, 8),)),
    "softmax": (lambda T, x: x.softmax(-1), ((9, 33),)),
    "log_softmax": (lambda T, x: x.log_softmax(-1), ((9, 33),)),
    "cross_entropy": (
        lambda T, x: T.nn.functional.cross_entropy(x, T.tensor([0, 4, 2], device=x.device)), ((3, 5),)
    ),
    "layer_norm": (lambda T, x, w: T.nn.functional.layer_norm(x, (16,), w), ((5, 16), (16,))),
    "group_norm": (lambda T, x: T.nn.functional.group_norm(x, 2), ((2, 4, 5),)),
    "batch_norm": (lambda T, x: T.nn.functional.batch_norm(x, None, None, training=True), ((4, 3, 5),)),
    "embedding": (lambda T, w: T.nn.functional.embedding(T.tensor([1, 0, 1], device=w.device), w), ((4, 6),)),
    "attention": (
        lambda T, q, k, v: T.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        ((1, 2, 9, 16), (1, 2, 9, 16), (1, 2, 9, 16)),
    ),
    "attention behind a mask": (
        lambda T, q, k, v: T.nn.functional.scaled_dot_product_attention(
            q, k, v, T.ones(9, 9, device=q.device).tril(3) > 0
        ),
        ((1, 2, 9, 16), (1, 2, 9, 16), (1, 2, 9, 16)),
    ),
    "cumsum": (lambda T, x: x.cumsum(1), ((3, 40),)),
    "interpolate": (lambda T, x: T.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"), ((1, 2, 4, 4),)),
    "mask": (lambda T, x: x[x > 0] ** 2, ((9, 33),)),
    "masked_scatter": (lambda T, x, y: x.masked_scatter(x > 0, y), ((9, 33), (297,))),
    "mixed index": (lambda T, x: x[T.tensor([2, 0, 2], device=x.device), :, T.tensor([1, 1, 0], device=x.device)],
                    ((4, 3, 2),)),
    "index_put": (
        lambda T, x, y: x.index_put((T.tensor([2, 0, 2], device=x.device),), y, accumulate=True), ((5, 7), (3, 7))
    ),
    "scatter_reduce": (
        lambda T, x, y: x.scatter_reduce(0, T.tensor([[1, 0], [1, 1]], device=x.device), y, "amax"), ((2, 2), (2, 2))
    ),
    "sort": (lambda T, x: x.sort(dim=1, stable=True)[0], ((3, 40),)),
    "topk": (lambda T, x: x.topk(2, 1)[0], ((3, 12),)),
    "median": (lambda T, x: x.median(1)[0], ((3, 9),)),
    "cummax": (lambda T, x: x.cummax(1)[0], ((3, 40),)),
    "logcumsumexp": (lambda T, x: x.logcumsumexp(1), ((3, 40),)),
    "cumprod": (lambda T, x: x.cumprod(1), ((3, 8),)),
    "addmm": (lambda T, c, x, y: T.addmm(c, x, y, beta=0.5, alpha=2), ((17,), (20, 33), (33, 17))),
    "digamma": (lambda T, x: T.digamma(x.abs() + 0.5) + T.lgamma(x.abs() + 0.5), ((33,),)),
    "pad": (lambda T, x: T.nn.functional.pad(x, (2, 1), "reflect"), ((2, 3, 5),)),
    "unfold": (lambda T, x: T.nn.functional.unfold(x, 3, padding=1), ((1, 2, 4, 5),)),
    "conv3d": (lambda T, x, w: T.nn.functional.conv3d(x, w, padding=1), ((1, 2, 3, 4, 4), (3, 2, 3, 3, 3))),
    "solve": (
        lambda T, x, y: T.linalg.solve(x.float() + 5 * T.eye(7, device=x.device), y.float()), ((2, 7, 7), (2, 7, 3))
    ),
    "cholesky": (lambda T, x: T.linalg.cholesky((x @ x.mT).float() + T.eye(7, device=x.device)), ((2, 7, 7),)),
    "slogdet": (lambda T, x: T.linalg.slogdet(x.float() + 5 * T.eye(7, device=x.device))[1], ((2, 7, 7),)),
    "qr": (lambda T, x: T.linalg.qr(x.float())[0].exp() @ T.linalg.qr(x.float())[1], ((2, 7, 5),)),
    "eigh": (lambda T, x: T.linalg.eigvalsh((x @ x.mT).float()), ((2, 5, 7),)),
    "svd": (lambda T, x: T.linalg.svdvals(x.float()), ((2, 7, 5),)),
    "lstsq": (
        lambda T, x, y: T.linalg.lstsq(x.float(), y.float(), driver="gels").solution, ((2, 7, 5), (2, 7, 3))
    ),
    "matrix_exp": (lambda T, x: T.linalg.matrix_exp(x.float() / 4), ((2, 5, 5),)),
    "ctc": (
        lambda T, x: T.nn.functional.ctc_loss(
            x.float().log_softmax(2), T.tensor([[1, 2], [2, 2]], device=x.device), (6, 5), (2, 2)
        ), ((6, 2, 4),)
    ),
    "diagonal": (lambda T, x: x.diagonal() * x.diag_embed().sum(), ((4, 5),)),
}  # fmt: skip
