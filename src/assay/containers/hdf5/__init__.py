"""HDF5 files as Keras writes them: objects, attributes, datasets and how they are stored."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"
