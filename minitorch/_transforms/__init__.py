"""Function transforms. Read `levels.py`, then `reverse.py`, `forward.py` and `vmap.py`.

A transform that changes what ops mean is a level: an interceptor on `autograd.grad_mode.state.interceptors`, whose
`call(op, args)` gets every recorded op. The innermost level gets an op first and calls it again for the levels below.

- `vmap` replaces a batch of values by one tensor whose array is a `BatchedArray`, and computes on whole batches
  (`batching.py`, `batch_rules.py`).
- Forward mode keeps beside a tensor its tangent, and computes both.
- Reverse mode needs no level: below all others the ops record the usual graph.
"""
