"""Vocabularies: each framework's operators in ONNX's words, weights in the canonical layout."""
