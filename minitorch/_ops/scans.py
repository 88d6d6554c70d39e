"""Cumulative ops along a dimension: cumsum, cumprod, cummax, logcumsumexp."""
