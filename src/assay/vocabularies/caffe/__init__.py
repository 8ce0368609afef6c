"""Caffe: its schema, its layers in ONNX's operators, its blobs as weights."""
