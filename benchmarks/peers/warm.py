"""Asks provenance-kit of many pairs in one process, which loads PyTorch once; by its own Python.

Reads suspect and source, a JSON list a line; prints a line of what its command wrote for each.
"""

import contextlib
import io
import json
import sys

from provenancekit import cli

for line in sys.stdin:
    output, errors = io.StringIO(), io.StringIO()
    sys.argv = ["provenancekit", "compare", *json.loads(line), "--json", "--no-cache"]
    ends = contextlib.suppress(SystemExit)  # what it wrote says how it went
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), ends:
        cli.main()
    print(json.dumps([output.getvalue(), errors.getvalue()]), flush=True)
