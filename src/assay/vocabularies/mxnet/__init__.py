"""MXNet: its symbols in ONNX's operators."""
