"""TorchScript: its archived code followed symbolically, in ONNX's operators."""
