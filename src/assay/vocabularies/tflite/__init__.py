"""TensorFlow Lite: its flatbuffers' operators in ONNX's."""
