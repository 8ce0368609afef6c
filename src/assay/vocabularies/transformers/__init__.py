"""Transformers known by their configuration: the graph written down in ONNX's operators."""
