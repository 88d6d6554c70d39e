"""Activation functions of `nn.functional`: formulas and their gradients."""
