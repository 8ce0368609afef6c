"""A time-stamp authority of one's own: the command openssl, its root and its certificates."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CONFIG = """
[ tsa ]
default_tsa = config
[ config ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ordering = yes
ess_cert_id_alg = sha256
"""
EXTENSIONS = {
    "tsa": "extendedKeyUsage=critical,timeStamping",
    "twofold": "extendedKeyUsage=critical,timeStamping,codeSigning",
    "expired": "extendedKeyUsage=critical,timeStamping",
}
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Answers requests for time stamps, offline."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "tsa.cnf").write_text(CONFIG)
        (folder / "serial").write_text("01\n")
        self._run("req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
            "-subj", f"/CN={name} root")  # fmt: skip
        self._certify("tsa", name)

    @property
    def root(self) -> Path:
        """Its root certificate, in PEM."""
        return self.folder / "ca.pem"

    def answer(self, request: bytes, signer: str = "tsa") -> bytes:
        """What it answers a request with; ``signer`` is one of EXTENSIONS."""
        self.certificate(signer)
        (self.folder / "request.tsq").write_bytes(request)
        self._run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request.tsq", "-out",
            "answer.tsr", "-signer", f"{signer}.pem", "-inkey", f"{signer}.key")  # fmt: skip
        return (self.folder / "answer.tsr").read_bytes()

    def certificate(self, signer: str) -> Path:
        """What a signer signs with, in PEM."""
        found = self.folder / f"{signer}.pem"
        if not found.exists():
            self._certify(signer, signer)
        return found

    def accepts(self, response: bytes, message: bytes) -> bool:
        """Whether openssl holds a response for a time stamp of ``message``."""
        (self.folder / "judged.tsr").write_bytes(response)
        (self.folder / "message").write_bytes(message)
        command = ["ts", "-verify", "-data", "message", "-in", "judged.tsr", "-CAfile", "ca.pem"]
        return self._openssl(*command).returncode == 0

    def _certify(self, signer: str, name: str) -> None:
        (self.folder / "extensions").write_text(EXTENSIONS[signer])
        self._run("req", *CURVE, "-keyout", f"{signer}.key", "-out", "tsa.csr", "-subj",
            f"/CN={name}")  # fmt: skip
        days = "-1" if signer == "expired" else "3650"
        self._run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
            f"{signer}.pem", "-extfile", "extensions", "-days", days, "-CAcreateserial",
        )  # fmt: skip

    def _run(self, *arguments: str) -> None:
        result = self._openssl(*arguments)
        assert result.returncode == 0, result.stderr

    def _openssl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        openssl = shutil.which("openssl")
        assert openssl is not None, "the command openssl judges keys and gives time stamps"
        command = [openssl, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
