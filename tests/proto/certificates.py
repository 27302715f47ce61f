# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for a test, made by the openssl command: an authority, and what it signs."""
import os
import pathlib
import subprocess


class Authority:
    """Files in a directory: NAME.pem and NAME.key."""

    def __init__(self, where, name="ca"):
        self.where = pathlib.Path(where)
        self.name = name
        self.ca = str(self.where / f"{name}.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", f"/CN=test authority {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.where, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stderr)

    def issue(self, name, names=("localhost",), client=False, days=2):
        """(certificate, key) for these DNS names and 127.0.0.1."""
        text = ("extendedKeyUsage=clientAuth\n" if client else
                "extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1,IP:::1," + ",".join(f"DNS:{each}" for each in names) + "\n")
        (self.where / f"{name}.ext").write_text("basicConstraints=CA:FALSE\n" + text)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key",
                     "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        os.chmod(self.where / f"{name}.key", 0o600)
        return str(self.where / f"{name}.pem"), str(self.where / f"{name}.key")
