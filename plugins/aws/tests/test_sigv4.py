"""Our signatures, checked by botocore: the same request at the same time gets the same `Authorization`."""

import datetime as dt
from types import SimpleNamespace

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, strategies as st

from jackfield_aws._sigv4 import SignatureV4

NOW = dt.datetime(2026, 11, 23, 1, 2, 3, tzinfo=dt.UTC)
RUNTIME = "https://bedrock-runtime.eu-central-1.amazonaws.com"
PATHS = [
    "/model/anthropic.claude-v2%3A1/invoke",
    "/model/anthropic.claude-v2:1/invoke-with-response-stream",
    "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.model-v1%3A0/converse-stream",
    "/model/arn:aws:bedrock:eu-central-1:123456789012:custom-model/a.b/converse",
    "/endpoints/my-endpoint/invocations-response-stream",
    "/a%20b/%C3%A9/~x.y_z-",
    "/foundation-models?byProvider=Anthropic&byInferenceType=ON_DEMAND",
    "/x?b=2&a=%20&a=1&c",
    "/",
    "",
]
HEADERS = {
    "Content-Type": "application/json", "User-Agent": "jackfield", "X-Amzn-SageMaker-Custom-Attributes": " accept_eula=true  x ",
    "X-Amzn-Trace-Id": "Root=1", "X-Forwarded-For": "::1", "Accept-Encoding": "gzip",
}  # fmt: skip
SENT_BY_OTHERS = ("User-Agent", "X-Forwarded-For", "Accept-Encoding")


def credentials(token=None, secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"):
    return ReadOnlyCredentials("AKIAIOSFODNN7EXAMPLE", secret, token, None)


class Stopped(dt.datetime):
    """The clock of an older botocore (1.40.0), which asks `datetime` itself."""

    @classmethod
    def utcnow(cls):
        return NOW.replace(tzinfo=None)


def stop_clock(patch):
    if hasattr(botocore.auth, "get_current_datetime"):
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: NOW)
    else:
        patch.setattr(botocore.auth, "datetime", SimpleNamespace(datetime=Stopped))


def of_botocore(kind, credentials, service, method, url, headers, body):
    """The header that botocore's own signer gives. It signs what it is shown, so proxies' headers are not shown."""
    shown = {name: value for name, value in headers.items() if name not in SENT_BY_OTHERS}
    request = AWSRequest(method, url, headers=shown, data=body)
    with pytest.MonkeyPatch.context() as patch:
        stop_clock(patch)
        kind(credentials, service, "eu-central-1").add_auth(request)
    return request.headers


def ours(credentials, service, method, url, headers, body):
    signature = SignatureV4(credentials, service, "eu-central-1")
    return signature.headers(method, url, headers, body, now=NOW.timestamp())


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjE+/="])
@pytest.mark.parametrize("path", PATHS)
def test_a_signature_is_botocores(path, token):
    for service, method, body in [
        ("bedrock", "POST", b'{"a": "\xc3\xa9"}'),
        ("sagemaker", "POST", b"\x00\x01"),
        ("bedrock", "GET", b""),
    ]:
        request = (method, RUNTIME + path, HEADERS, body)
        made = ours(credentials(token), service, *request)
        wanted = of_botocore(SigV4Auth, credentials(token), service, *request)
        assert made["Authorization"] == wanted["Authorization"]
        assert made["X-Amz-Date"] == wanted["X-Amz-Date"]
        assert made.get("X-Amz-Security-Token") == token


@pytest.mark.parametrize(
    "path", ["/bucket/a%20b/%C3%A9+x", "/bucket/a//b/../c", "/bucket?list-type=2&prefix=a%2Fb", "/"]
)
@pytest.mark.parametrize(
    "base",
    ["https://s3.eu-central-1.amazonaws.com", "http://127.0.0.1:5000", "https://b.s3.amazonaws.com:443"],
)
def test_s3_is_signed_by_its_own_rules(base, path):
    request = ("GET", base + path, {}, b"")
    made = ours(credentials("token"), "s3", *request)
    wanted = of_botocore(S3SigV4Auth, credentials("token"), "s3", *request)
    assert made["Authorization"] == wanted["Authorization"]
    assert made["X-Amz-Content-SHA256"] == wanted["X-Amz-Content-SHA256"]


def test_the_comparison_can_fail():
    good = ours(credentials(), "bedrock", "POST", RUNTIME + PATHS[0], HEADERS, b"{}")["Authorization"]
    for other in (
        ("POST", RUNTIME + PATHS[0], HEADERS, b"{ }"),
        ("PUT", RUNTIME + PATHS[0], HEADERS, b"{}"),
        ("POST", RUNTIME + PATHS[0].replace("%3A", ":"), HEADERS, b"{}"),
        ("POST", RUNTIME + PATHS[0], {**HEADERS, "Accept": "text/plain"}, b"{}"),
    ):
        assert of_botocore(SigV4Auth, credentials(), "bedrock", *other)["Authorization"] != good


segments = st.lists(
    st.text(st.sampled_from("abcXYZ019-._~:%/ +=@,;()'*!$&éß漢"), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
)


@given(segments, st.binary(max_size=64), st.sampled_from([None, "tok/en=="]))
def test_any_path_quoted_once_is_signed_as_botocore_signs_it(segments, body, token):
    from urllib.parse import quote

    url = RUNTIME + "/" + "/".join(quote(segment, safe="") for segment in segments)
    request = ("POST", url, {"Content-Type": "application/json"}, body)
    made = ours(credentials(token), "bedrock", *request)
    assert (
        made["Authorization"]
        == of_botocore(SigV4Auth, credentials(token), "bedrock", *request)["Authorization"]
    )


def test_a_new_day_has_a_key_of_its_own():
    signature = SignatureV4(credentials(), "bedrock", "eu-central-1")
    request = ("POST", RUNTIME + "/", {}, b"")
    first = signature.headers(*request, now=NOW.timestamp())
    signature.headers(*request, now=NOW.timestamp() + 86_400)
    assert signature.headers(*request, now=NOW.timestamp()) == first


def test_nothing_is_logged(caplog):
    caplog.set_level("DEBUG")
    ours(credentials("a-session-token"), "bedrock", "POST", RUNTIME + "/", {}, b"")
    assert not caplog.records


def test_the_header_host_of_a_proxy_is_signed_as_it_is_sent():
    request = ("POST", "http://127.0.0.1:8000/x", {"Host": "bedrock-runtime.eu-central-1.amazonaws.com"}, b"")
    made = ours(credentials(), "bedrock", *request)["Authorization"]
    assert made == of_botocore(SigV4Auth, credentials(), "bedrock", *request)["Authorization"]
