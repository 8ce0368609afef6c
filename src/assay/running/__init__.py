"""Running models: files become torch modules and modules files, with examples to run them on.

A file is still never executed: ``network`` builds a module out of what a format has read.
"""
