"""Variance, quantiles, median, mode, covariance."""
