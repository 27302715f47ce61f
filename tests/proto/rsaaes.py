# SPDX-License-Identifier: GPL-2.0-or-later
"""A viewer's side of RSA-AES (rfbproto.rst, security types 5 and 129). AES comes from libcrypto, EAX and RSA are done here."""
import ctypes
import functools
import hashlib
import secrets
import struct
import subprocess

KINDS = {5: (16, hashlib.sha1), 129: (32, hashlib.sha256)}  # bytes of a key and a random number, the hash
BITS = 2048


class Cipher:
    """AES of libcrypto, 16-byte blocks without padding."""

    _lib = ctypes.CDLL("libcrypto.so.3")
    for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_cbc", "EVP_aes_256_cbc", "EVP_aes_128_ctr", "EVP_aes_256_ctr"):
        getattr(_lib, _name).restype = ctypes.c_void_p

    @classmethod
    def run(cls, mode, key, start, data):
        lib = cls._lib
        context = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
        kind = ctypes.c_void_p(getattr(lib, f"EVP_aes_{8 * len(key)}_{mode}")())
        out, size = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
        done = (lib.EVP_EncryptInit_ex(context, kind, None, key, start) and lib.EVP_CIPHER_CTX_set_padding(context, 0) and
                lib.EVP_EncryptUpdate(context, out, ctypes.byref(size), data, len(data)))
        lib.EVP_CIPHER_CTX_free(context)
        if not done or size.value != len(data):
            raise AssertionError("libcrypto does not encrypt")
        return out.raw[:size.value]


def twice(block):
    """A number of GF(2^128) doubled, as CMAC (NIST SP 800-38B) has it."""
    value = int.from_bytes(block, "big") << 1
    return (value & (1 << 128) - 1 ^ (0x87 if value >> 128 else 0)).to_bytes(16, "big")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


class Eax:
    """EAX with 16-byte tags (Bellare, Rogaway, Wagner: The EAX Mode of Operation)."""

    def __init__(self, key):
        self.key = key
        self.first = twice(Cipher.run("cbc", key, bytes(16), bytes(16)))
        self.second = twice(self.first)

    def mac(self, number, data):
        data = bytes(15) + bytes([number]) + data
        last = data[len(data) - (len(data) % 16 or 16):]
        rest = data[:len(data) - len(last)]
        last = xor(last, self.first) if len(last) == 16 else xor((last + b"\x80").ljust(16, b"\0"), self.second)
        return Cipher.run("cbc", self.key, bytes(16), rest + last)[-16:]

    def seal(self, nonce, head, data):
        start = self.mac(0, nonce)
        sealed = Cipher.run("ctr", self.key, start, data) if data else b""
        return sealed, xor(xor(start, self.mac(1, head)), self.mac(2, sealed))

    def open(self, nonce, head, sealed, tag):
        start = self.mac(0, nonce)
        if xor(xor(start, self.mac(1, head)), self.mac(2, sealed)) != tag:
            raise AssertionError("RSA-AES: the tag is wrong")
        return Cipher.run("ctr", self.key, start, sealed) if sealed else b""


class Stream:
    """Messages of RSA-AES over another stream: length, sealed bytes, tag; their number is the nonce."""

    LARGEST = 8192

    def __init__(self, inner, send_key, receive_key, rest=b""):
        self.inner, self.sender, self.receiver = inner, Eax(send_key), Eax(receive_key)
        self.sent = self.received = 0
        self.raw, self.plain = bytearray(rest), bytearray()

    def settimeout(self, seconds):
        self.inner.settimeout(seconds)

    def fileno(self):
        return self.inner.fileno()

    def close(self):
        self.inner.close()

    def sendall(self, data):
        for at in range(0, len(data), self.LARGEST):
            self.inner.sendall(self.sealed(data[at:at + self.LARGEST]))

    def sealed(self, piece):
        head = struct.pack(">H", len(piece))
        sealed, tag = self.sender.seal(self.sent.to_bytes(16, "little"), head, bytes(piece))
        self.sent += 1
        return head + sealed + tag

    def recv(self, size):
        while not self.plain:
            if not self.open_one():
                data = self.inner.recv(1 << 16)
                if not data:
                    return b""
                self.raw += data
        out = bytes(self.plain[:size])
        del self.plain[:size]
        return out

    def open_one(self):
        if len(self.raw) < 2:
            return False
        length = int.from_bytes(self.raw[:2], "big")
        if len(self.raw) < length + 18:
            return False
        head, sealed, tag = bytes(self.raw[:2]), bytes(self.raw[2:2 + length]), bytes(self.raw[2 + length:18 + length])
        del self.raw[:18 + length]
        self.plain += self.receiver.open(self.received.to_bytes(16, "little"), head, sealed, tag)
        self.received += 1
        return True


@functools.lru_cache(maxsize=None)
def key_pair(bits=BITS):
    """(modulus, public exponent, private exponent) of a new key: the numbers of PKCS #1's RSAPrivateKey."""
    der = subprocess.run(f"openssl genrsa -traditional {bits} 2>/dev/null | openssl rsa -traditional -outform DER 2>/dev/null",
                         shell=True, check=True, capture_output=True).stdout
    numbers, at = [], 0

    def head(at):
        length, at = der[at + 1], at + 2
        if length & 128:
            count = length & 127
            length, at = int.from_bytes(der[at:at + count], "big"), at + count
        return length, at

    _, at = head(0)
    while len(numbers) < 4:
        length, at = head(at)
        numbers.append(int.from_bytes(der[at:at + length], "big"))
        at += length
    return tuple(numbers[1:])


def public(bits, modulus, exponent):
    size = (bits + 7) // 8
    return struct.pack(">I", bits) + modulus.to_bytes(size, "big") + exponent.to_bytes(size, "big")


def read_public(client):
    bits, = client.unpack(">I")
    if not 1024 <= bits <= 8192:
        raise AssertionError(f"an RSA key of {bits} bits")
    size = (bits + 7) // 8
    data = client.read(2 * size)
    modulus, exponent = int.from_bytes(data[:size], "big"), int.from_bytes(data[size:], "big")
    return modulus, exponent, size, struct.pack(">I", bits) + data


def sealed_for(number, modulus, exponent, size):
    """RSAES-PKCS1-v1_5 (RFC 8017 7.2.1), with its length before it."""
    padding = bytes(secrets.choice(range(1, 256)) for _ in range(size - 3 - len(number)))
    block = b"\0\2" + padding + b"\0" + number
    return struct.pack(">H", size) + pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(size, "big")


def perform(client, kind, user, password):
    size, digest = KINDS[kind]
    their_modulus, their_exponent, their_size, their_key = read_public(client)
    modulus, exponent, secret = key_pair()
    our_key = public(BITS, modulus, exponent)
    ours = secrets.token_bytes(size)
    client.send(our_key + sealed_for(ours, their_modulus, their_exponent, their_size))
    length, = client.unpack(">H")
    block = pow(int.from_bytes(client.read(length), "big"), secret, modulus).to_bytes(BITS // 8, "big")
    theirs = block[block.index(b"\0", 2) + 1:]
    if len(theirs) != size:
        raise AssertionError(f"a random number of {len(theirs)} bytes")
    stream = Stream(client.sock, digest(theirs + ours).digest()[:size], digest(ours + theirs).digest()[:size],
                    rest=bytes(client.buffer))
    client.buffer.clear()
    client.sock = stream
    client.send(digest(our_key + their_key).digest())
    if client.read(digest().digest_size) != digest(their_key + our_key).digest():
        raise AssertionError("RSA-AES: the server's hash is wrong")
    subtype, = client.read(1)
    name = user.encode() if subtype == 1 else b""
    word = password.encode()
    client.send(bytes([len(name)]) + name + bytes([len(word)]) + word)
