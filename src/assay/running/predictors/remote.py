"""A model behind a URL as a predictor.

``POST {"inputs": […]}`` is answered with ``{"outputs": [[…], …]}``, logits or probabilities, or
with ``{"labels": […]}``: one row or one class for each input, in their order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np

from assay.errors import BadOption, Overspent, UnfitModel, Unreachable
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

TIMEOUT_S = 30.0  # of one request
LARGEST = 1 << 26  # bytes of one reply: more are not read
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that another try may change


class _NoRedirects(HTTPRedirectHandler):
    """Queries go where they were meant to go."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


class Remote(Predictor):
    """A model behind a URL, asked in batches; what passes is tried again, later each time.

    Args:
        url: ``http`` or ``https``.
        batch: Inputs in one request.
        timeout_s: Of one request, until its last byte.
        tries: Requests for one batch, at most.
        wait_s: Before the second try; doubled before each further one.
        budget: Inputs that may be sent in all, those of repeated requests included.
        headers: For authorization.

    Raises:
        BadOption: the URL is of another kind, or an option makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        batch: int = 64,
        timeout_s: float = TIMEOUT_S,
        tries: int = 4,
        wait_s: float = 0.5,
        budget: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadOption(f"{url}: only http and https URLs are asked")
        if min(batch, tries) < 1 or not timeout_s > 0 or wait_s < 0:
            raise BadOption("batch and tries must be 1 or more, times positive")
        self.name, self.url, self.batch = url, url, batch
        self.timeout_s, self.tries, self.wait_s, self.budget = timeout_s, tries, wait_s, budget
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._opener = build_opener(_NoRedirects)

    def count(self, inputs: int) -> None:
        """Nothing yet: each request counts for itself."""

    def run(self, inputs: Array) -> Array:
        body = json.dumps({"inputs": inputs.tolist()}).encode()
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.wait_s * 2 ** (attempt - 1))
            self._spend(len(inputs))
            try:
                return self._read(self._reply(body))
            except HTTPError as error:
                failure: Exception = error
                error.close()
                if error.code not in _PASSING:
                    raise Unreachable(f"{self.url} refuses: {error}") from None
            except (URLError, HTTPException, OSError) as error:  # a timeout is an OSError
                failure = error
        raise Unreachable(f"{self.url} did not answer in {self.tries} tries: {failure}")

    def _spend(self, inputs: int) -> None:
        if self.budget is not None and self.asked + inputs > self.budget:
            raise Overspent(
                f"{self.url}: {inputs} more queries would pass the budget of {self.budget};"
                f" {self.asked} are spent"
            )
        self.asked += inputs

    def _reply(self, body: bytes) -> bytes:
        """The whole reply.  A server that sends a byte now and then does not hold it up."""
        end = time.monotonic() + self.timeout_s
        request = Request(self.url, body, self._headers)  # http(s) alone, see above
        parts, size = list[bytes](), 0
        with self._opener.open(request, timeout=self.timeout_s) as reply:
            while part := reply.read1(1 << 16):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise UnfitModel(f"{self.url}: the reply is larger than {LARGEST:,} bytes")
                if time.monotonic() > end:
                    raise TimeoutError(f"no whole reply in {self.timeout_s:g} s")
        return b"".join(parts)

    def _read(self, reply: bytes) -> Array:
        try:
            found = json.loads(reply)
        except (ValueError, RecursionError):
            raise UnfitModel(f"{self.url}: the reply is not JSON") from None
        if not isinstance(found, dict) or len({"outputs", "labels"} & found.keys()) != 1:
            raise UnfitModel(f"{self.url}: the reply has neither outputs nor labels, or both")
        hard = "labels" in found
        try:
            array = np.asarray(found["labels"] if hard else found["outputs"])
        except ValueError:
            raise UnfitModel(f"{self.url}: rows of the reply have different lengths") from None
        if array.dtype.kind not in ("iu" if hard else "fiu") or array.ndim != (1 if hard else 2):
            what = "labels (n,)" if hard else "outputs (n, classes)"
            raise UnfitModel(f"{self.url}: the reply does not hold {what} as numbers")
        return array if hard else array.astype(np.float64)
