# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer's side of RFB security: None, VncAuth, VeNCrypt 0.2 with all its subtypes, RSA-AES (5 and 129).

    wish = Security("x509Plain", user="u", password="p", ca="ca.pem")

The words are those of the configuration. Without one the best-known type is taken that the server offers.
"""
import pathlib
import ssl
import struct

import rsaaes

TYPES = {"none": 1, "vncauth": 2, "rsaAes": 5, "vencrypt": 19, "rsaAes256": 129}
SUBTYPES = {"plain": 256, "tlsNone": 257, "tlsVnc": 258, "tlsPlain": 259, "x509None": 260, "x509Vnc": 261, "x509Plain": 262}


class Refused(Exception):
    """The server said why, or closed during the handshake."""


def client_context(ca=None, certificate=None, key=None, anonymous=False, check=True):
    """For TLS: `anonymous` as VeNCrypt's TLS* have it, which TLS 1.3 does not know; else a server that `ca` vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if anonymous:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
    elif ca and check:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


class Security:
    def __init__(self, kind=None, user="", password=None, ca=None, certificate=None, key=None, server_name=None):
        self.kind, self.user, self.password, self.server_name = kind, user, password, server_name
        self.tls = {"ca": ca and str(pathlib.Path(ca)), "certificate": certificate, "key": key}
        self.subtypes = None         # of VeNCrypt that the server offered

    def choose(self, offered):
        if self.kind in SUBTYPES:
            kind = TYPES["vencrypt"]
        elif self.kind:
            kind = TYPES[self.kind]
        else:
            kind = 2 if self.password is not None and 2 in offered else 1 if 1 in offered else offered[0]
        if kind not in offered:
            raise Refused(f"the server offers {offered}, not {self.kind or kind}")
        return kind

    def perform(self, client, kind):
        if kind == 2:
            self.vnc(client)
        elif kind == 19:
            self.vencrypt(client)
        elif kind in (5, 129):
            rsaaes.perform(client, kind, self.user, self.password or "")

    def vnc(self, client):
        client.send(vnc_response(self.password or "", client.read(16)))

    def vencrypt(self, client):
        """VeNCrypt 0.2 (rfbproto.rst)."""
        if client.read(2) != b"\0\2":
            raise AssertionError("VeNCrypt of another version")
        client.send(b"\0\2")
        if client.read(1) != b"\0":
            raise Refused("VeNCrypt 0.2 is not taken")
        self.subtypes = list(client.unpack(f">{client.read(1)[0]}I"))
        subtype = SUBTYPES.get(self.kind) or self.subtypes[0]
        if subtype not in self.subtypes:
            raise Refused(f"the server offers {self.subtypes}, not {self.kind}")
        client.send(struct.pack(">I", subtype))
        if subtype != SUBTYPES["plain"]:
            if client.read(1) != b"\1":
                raise Refused("TLS is not taken")
            self.upgrade(client, subtype < SUBTYPES["x509None"])
        if subtype in (SUBTYPES["tlsVnc"], SUBTYPES["x509Vnc"]):
            self.vnc(client)
        elif subtype in (SUBTYPES["plain"], SUBTYPES["tlsPlain"], SUBTYPES["x509Plain"]):
            self.plain(client)

    def upgrade(self, client, anonymous):
        if client.buffer:
            raise AssertionError(f"{len(client.buffer)} bytes came before TLS")
        context = client_context(anonymous=anonymous, **({} if anonymous else self.tls))
        client.sock.settimeout(client.timeout)
        try:
            client.sock = context.wrap_socket(client.sock, server_hostname=self.server_name)
        except ssl.SSLError as error:
            raise Refused(f"TLS: {error}") from error

    def plain(self, client):
        user, password = self.user.encode(), (self.password or "").encode()
        client.send(struct.pack(">II", len(user), len(password)) + user + password)


# ---- DES, for VncAuth: FIPS 46-3, one block at a time ----

_IP = [58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24,
       16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31,
       23, 15, 7]
_FP = [_IP.index(i + 1) + 1 for i in range(64)]
_E = [(i * 4 + j - 1) % 32 + 1 for i in range(8) for j in range(6)]
_P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
_PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36, 63, 55, 47,
        39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
_PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30, 40,
        51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
_ROTATE = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
_S = [
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
]
_S = [[int(c, 16) for c in s.replace(" ", "")] for s in _S]


def _permute(value, width, table):
    out = 0
    for position in table:
        out = out << 1 | (value >> (width - position)) & 1
    return out


def _des_block(key, block):
    k = _permute(int.from_bytes(key, "big"), 64, _PC1)
    c, d = k >> 28, k & 0xfffffff
    value = _permute(int.from_bytes(block, "big"), 64, _IP)
    left, right = value >> 32, value & 0xffffffff
    for turn in _ROTATE:
        c = (c << turn | c >> (28 - turn)) & 0xfffffff
        d = (d << turn | d >> (28 - turn)) & 0xfffffff
        mixed = _permute(right, 32, _E) ^ _permute(c << 28 | d, 56, _PC2)
        out = 0
        for i in range(8):
            six = (mixed >> (42 - 6 * i)) & 63
            out = out << 4 | _S[i][((six >> 4) & 2 | six & 1) * 16 + ((six >> 1) & 15)]
        left, right = right, left ^ _permute(out, 32, _P)
    return _permute(right << 32 | left, 64, _FP).to_bytes(8, "big")


def vnc_response(password, challenge):
    """RFB 7.2.2: DES with each byte of the password bit-reversed."""
    key = password.encode()[:8].ljust(8, b"\0")
    key = bytes(int(f"{b:08b}"[::-1], 2) for b in key)
    return _des_block(key, challenge[:8]) + _des_block(key, challenge[8:])


def password_file(password):
    """What `vncpasswd -f` writes: the password, by a key that everybody knows."""
    key = bytes(int(f"{b:08b}"[::-1], 2) for b in (23, 82, 107, 6, 35, 78, 88, 7))
    return _des_block(key, password.encode()[:8].ljust(8, b"\0"))
