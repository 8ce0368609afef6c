"""How one model became another: told of each tensor, then of the whole.

It is asked once tensors are matched and what a network's freedoms allow is undone (``alignment``).
"""
