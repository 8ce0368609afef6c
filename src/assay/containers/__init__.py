"""Containers: how a file holds named values, whatever they mean.  Nothing in it is executed.

Zip archives, protobuf, FlatBuffers, HDF5, pickles, TensorFlow's checkpoints.  A container knows the
file's length, so that whatever is claimed in it is checked before it is believed or allocated.
"""
