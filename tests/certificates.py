"""Certificates of the tests' own: an authority that nobody knows, and a server called localhost."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    """The files: that of the authority, and the server's certificate with its key."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them in `folder`."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine")

    def make(key: Path, certificate: Path, *words: str) -> None:
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate]
        subprocess.run([openssl, *map(str, new), *words], check=True, capture_output=True)

    made = Certificates(folder / "authority.crt", folder / "server.crt", folder / "server.key")
    authority_key = folder / "authority.key"
    make(authority_key, made.authority, "-subj", "/CN=Test authority")
    signed = ["-CA", str(made.authority), "-CAkey", str(authority_key), "-addext", "subjectAltName=DNS:localhost"]
    make(made.key, made.certificate, "-subj", "/CN=localhost", *signed)
    return made
