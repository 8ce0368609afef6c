"""Tensors of two models, matched by their codes."""
