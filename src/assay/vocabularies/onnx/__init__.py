"""ONNX: messages, operator sets, tensors; and a graph written as ONNX."""
