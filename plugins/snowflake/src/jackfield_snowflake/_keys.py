"""Key pairs: read a private key, and create tokens signed with it. All of it blocks."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any, Final

import orjson

from jackfield import MissingCredentialError
from jackfield.plugin import Token

__all__ = ["der_of", "make_token"]

_LIFETIME: Final = 3540  # the service accepts at most an hour


def make_token(pem: str, passphrase: str | None, *, account: str, user: str) -> Token:
    """Create a token (RS256) with a private key.

    Source: docs.snowflake.com, key-pair authentication and REST authentication (2026): the issuer is
    `ACCOUNT.USER.SHA256:` and the fingerprint of the public key; account without its region, upper case.

    Raises:
        MissingCredentialError: The private key is not valid, or the passphrase is wrong.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    key = _load(pem, passphrase)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fingerprint = base64.b64encode(hashlib.sha256(public).digest()).decode()
    name = f"{account_in_token(account)}.{user.upper()}"
    now = int(time.time())
    claims = {"iss": f"{name}.SHA256:{fingerprint}", "sub": name, "iat": now, "exp": now + _LIFETIME}
    signed = b".".join(_url64(orjson.dumps(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return Token((signed + b"." + _url64(signature)).decode(), now + _LIFETIME)


def der_of(pem: str, passphrase: str | None) -> bytes:
    """Return a private key as the driver requires it: DER, PKCS#8, not encrypted."""
    from cryptography.hazmat.primitives import serialization

    key: bytes = _load(pem, passphrase).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key


def account_in_token(account: str) -> str:
    """Return the name of an account in tokens: without region, upper case.

    Source: docs.snowflake.com, the example that creates a token in Python (2026).
    """
    return account.partition("-" if ".global" in account else ".")[0].upper()


def _load(pem: str, passphrase: str | None) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None if passphrase is None else passphrase.encode())
    except TypeError:
        asked = "is encrypted; name its private_key_passphrase" if passphrase is None else "is not encrypted"
        raise MissingCredentialError(f"the private key {asked}") from None
    except ValueError:
        raise MissingCredentialError(
            "private_key is not a valid private key in PEM, or private_key_passphrase is not its passphrase"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise MissingCredentialError("Snowflake accepts RSA keys; private_key is of another kind")
    return key


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
