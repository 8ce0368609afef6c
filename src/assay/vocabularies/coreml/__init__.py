"""Core ML: neural networks, ML Programs and pipelines in ONNX's operators."""
