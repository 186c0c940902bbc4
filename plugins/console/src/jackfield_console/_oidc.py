"""Log-in by OpenID Connect: the authorization code with a proof key (PKCE), and an ID token whose signature is checked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode

import aiohttp
import attrs

from jackfield import ConfigurationError

from ._security import hash_token

if TYPE_CHECKING:
    from ._settings import OidcSettings

__all__ = ["Identity", "OidcClient", "OidcError"]

_ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]
"""Signatures by a public key only: neither "none" nor one by a shared secret is accepted."""
_LEEWAY: Final = 60
_LONGEST: Final = 1_000_000
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)


class OidcError(Exception):
    """The service did not vouch for somebody; the message is for the log, not for the page."""


@attrs.frozen(kw_only=True)
class Identity:
    """Whom the service vouches for.

    Attributes:
        name: The user's name.
        role: admin or viewer; None: they may not log in.
    """

    name: str
    role: str | None


class OidcClient:
    """A client of one service.

    Args:
        settings: The table `[console.oidc]`.
        redirect_uri: Where the service sends browsers back.
    """

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._found: Mapping[str, Any] | None = None
        self._keys: Mapping[str, Any] | None = None

    async def begin(self, seed: str) -> str:
        """Return the address to which the browser is sent.

        Args:
            seed: A secret of the browser's cookie, from which state, nonce and proof key are made.

        Raises:
            OidcError: The service cannot be asked.
        """
        found = await self._discover()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": _derive("state", seed),
            "nonce": _derive("nonce", seed),
            "code_challenge": _challenge(_derive("verifier", seed)),
            "code_challenge_method": "S256",
        }
        address = str(found["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"

    @staticmethod
    def state_of(seed: str) -> str:
        """Return the state that comes back with the browser that was sent."""
        return _derive("state", seed)

    async def finish(self, code: str, seed: str) -> Identity:
        """Exchange a code for an ID token, and return whom it names.

        Raises:
            OidcError: The service refuses the code, or the token is not valid.
        """
        found = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": _derive("verifier", seed),
        }
        answer = await self._ask(str(found["token_endpoint"]), form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the answer of the token endpoint has no ID token")
        return self._identify(await self._verify(token, _derive("nonce", seed)))

    async def _verify(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Return the claims of an ID token that is signed by the service, for us, now, and for this log-in."""
        try:
            from joserfc import jwt
            from joserfc.errors import JoseError
            from joserfc.jwk import KeySet
        except ModuleNotFoundError as error:
            raise ConfigurationError('console.oidc: pip install "jackfield-console[oidc]"') from error
        claims = None
        for again in (False, True):
            try:
                keys = KeySet.import_key_set(dict(await self._read_keys(again=again)))  # type: ignore[arg-type]
                claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
                break
            except (JoseError, ValueError) as error:  # perhaps by a key that is newer than ours
                if again:
                    raise OidcError(f"the ID token is not valid: {error}") from error
        if claims is None:
            raise OidcError("the ID token has no claims")
        try:
            jwt.JWTClaimsRegistry(
                leeway=_LEEWAY,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except JoseError as error:
            raise OidcError(f"the ID token is not for this log-in: {error}") from error
        if (
            isinstance(claims["aud"], list)
            and len(claims["aud"]) > 1
            and claims.get("azp") != self._settings.client_id
        ):
            raise OidcError("the ID token is for several clients, and not ours by azp")
        return claims

    def _identify(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get(self._settings.user_claim)
        if not isinstance(name, str):
            raise OidcError(f"the ID token has no claim {self._settings.user_claim!r}")
        if self._settings.user_claim == "email" and claims.get("email_verified") is not True:
            raise OidcError("the service has not verified this e-mail address")
        groups = claims.get(self._settings.group_claim, ())
        mine = {
            name,
            *([groups] if isinstance(groups, str) else [one for one in groups if isinstance(one, str)]),
        }
        if mine & set(self._settings.admins):
            return Identity(name=name, role="admin")
        may_look = "*" in self._settings.viewers or bool(mine & set(self._settings.viewers))
        return Identity(name=name, role="viewer" if may_look else None)

    # The service

    async def _discover(self) -> Mapping[str, Any]:
        if self._found is None:
            address = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._ask(address)
            if found.get("issuer") != self._settings.issuer:
                raise OidcError(f"{address} names another issuer: {found.get('issuer')!r}")
            if not all(isinstance(found.get(f"{name}_endpoint"), str) for name in ("authorization", "token")):
                raise OidcError(f"{address} names no endpoints")
            self._found = found
        return self._found

    async def _read_keys(self, *, again: bool) -> Mapping[str, Any]:
        if self._keys is None or again:
            found = await self._discover()
            self._keys = await self._ask(str(found.get("jwks_uri", "")))
        return self._keys

    async def _ask(self, address: str, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Get a JSON object, or post a form for one; redirects are not followed."""
        headers = {}
        if form is not None and self._settings.client_secret is not None:
            revealed = await asyncio.to_thread(self._settings.client_secret.reveal)
            # Both are form-encoded first (RFC 6749, 2.3.1).
            pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(revealed)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as http,
                http.request(
                    "GET" if form is None else "POST",
                    address,
                    data=form,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                body = await answer.content.read(_LONGEST)
                if answer.status != 200:
                    raise OidcError(f"{address} answers with status {answer.status}")
                value = json.loads(body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OidcError(f"{address} cannot be asked: {str(error) or type(error).__name__}") from error
        if not isinstance(value, dict):
            raise OidcError(f"{address} answers with something else than a JSON object")
        return value


def _derive(what: str, seed: str) -> str:
    return hash_token(f"oidc {what}:{seed}")


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
