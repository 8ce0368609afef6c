"""TorchScript: its archived code followed symbolically, in ONNX's operators [torch.jit].

``inputs`` is the door: a ``Program`` gives its graph.  Down from it: ``machine`` follows statements
and expressions (``branches`` where data decide), ``calls`` finds what is called, ``source`` the
code, ``archived`` the stored values; ``values`` is what flows, ``graph`` what is made of it.  Rules
of operators: ``scalars`` and ``containers`` compute, all others (``operators``) add to the graph.
"""
