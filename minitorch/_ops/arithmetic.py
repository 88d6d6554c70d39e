"""Arithmetic that other ops express: names without a formula of their own."""
