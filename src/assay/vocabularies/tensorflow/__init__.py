"""TensorFlow and TF.js graphs: nodes, variables and functions in ONNX's operators."""
