"""Keras: its configurations in ONNX's operators, its variables as weights."""
