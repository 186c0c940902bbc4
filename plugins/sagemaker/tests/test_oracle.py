"""AWS's own client as oracle: both drive one loopback endpoint, and the client reads our fake's answers and streams.

boto3 builds the operation; the container's body is the caller's own affair there, so what is compared is everything
around it: address, headers, signature. Our bodies are given to it as they are.
"""

import asyncio
import json

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from moto.server import ThreadedMotoServer
from sagemaker_endpoints import EVENTS, KEYS, asked, exception, part, ref, translated

from jackfield import Mesh, NotFoundError
from jackfield.testing import Answer, RecordingServer

COMPARED = (
    "content-type", "accept", "x-amzn-sagemaker-accept", "x-amzn-sagemaker-content-type", "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-target-model", "x-amzn-sagemaker-target-variant", "x-amzn-sagemaker-target-container-hostname",
    "x-amzn-sagemaker-inference-component", "x-amzn-sagemaker-requestttlseconds",
    "x-amzn-sagemaker-invocationtimeoutseconds", "x-amzn-sagemaker-inputlocation",
)  # fmt: skip
ENTRIES = {
    "plain": {},
    "eula": {"custom_attributes": "accept_eula=true"},
    "multi-model": {"target_model": "models/a b.tar.gz", "target_variant": "AllTraffic"},
    "containers": {"target_container": "second"},
    "components": {"endpoint": "shared-endpoint", "inference_component": "ic-1"},
    "asynchronous": {"asynchronous": {"poll": 0.01}},
    "asynchronous limits": {"asynchronous": {"poll": 0.01, "seconds": 600, "waits": 900}},
}
NAMES = {
    "custom_attributes": "CustomAttributes", "target_model": "TargetModel", "target_variant": "TargetVariant",
    "target_container": "TargetContainerHostname", "inference_component": "InferenceComponentName",
}  # fmt: skip
MODES = ("lmi", "tgi", "openai", "llama", "llama-dialogs", "claude", "cohere-chat")


@pytest.fixture
def client():
    """Makes clients of boto3, and closes them."""
    made = []

    def make(server, name="sagemaker-runtime"):
        one = boto3.client(
            name, region_name="eu-central-1", endpoint_url=server.url, aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="made-up-secret-key", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
async def server():
    async with RecordingServer() as server:
        yield server


def entry(mode, **more):
    return {"id": "my-endpoint", "mode": mode, "kind": "chat", "prompt": "single", **more}


def config(server, *entries, **more):
    connection = {
        "provider": "sagemaker", "credentials": "a", "region": "eu-central-1", "base_url": server.url, "s3_url": server.url,
        "control_url": server.url, "rate": {"hour": "1"}, "models": list(entries), "retry": {"attempts": 1}, **more,
    }  # fmt: skip
    return {"credentials": {"a": {"kind": "aws", **KEYS}}, "connections": {"c": connection}}


def compared(request):
    headers = {name: request.headers[name] for name in COMPARED if name in request.headers}
    if headers.get("accept") == "*/*":  # what every HTTP client says that was told nothing
        del headers["accept"]
    return request.method, request.path_qs, headers, request.body


def signature_of(request, server):
    """Sign what arrived once more, by botocore, at the time that it names."""
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    shown = {name: request.headers[name] for name in names if name not in ("host", "x-amz-date")}
    again = AWSRequest(request.method, f"{server.url}{request.path_qs}", headers=shown, data=request.body)
    service = request.headers["authorization"].split("/")[3]
    auth = SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", "made-up-secret-key"), service, "eu-central-1")
    again.context["timestamp"] = request.headers["x-amz-date"]
    again.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    return auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)


def signed_by(request):
    return request.headers["authorization"].partition("Signature=")[2]


def call_of(theirs, wire, how):
    """The client's call for a wire of ours."""
    given = {NAMES[key]: value for key, value in how.items() if key in NAMES}
    body = (
        wire.body
        if isinstance(wire.body, bytes)
        else json.dumps(wire.body, separators=(",", ":"), ensure_ascii=False).encode()
    )
    name = how.get("endpoint", "my-endpoint")
    if "asynchronous" in how:
        limits = {"seconds": "InvocationTimeoutSeconds", "waits": "RequestTTLSeconds"}
        given.update({limits[key]: value for key, value in how["asynchronous"].items() if key in limits})
        return lambda: theirs.invoke_endpoint_async(
            EndpointName=name, Body=body, ContentType="application/json", Accept="application/json", **given
        )
    if wire.stream:
        given.pop("TargetModel", None)
        return lambda: theirs.invoke_endpoint_with_response_stream(
            EndpointName=name, Body=body, ContentType="application/json", **given
        )
    return lambda: theirs.invoke_endpoint(
        EndpointName=name, Body=body, ContentType="application/json", Accept="application/json", **given
    )


def done(call):
    """Make a call and leave nothing open."""
    body = call().get("Body")
    if body is not None:
        list(body)
        body.close()


def good(wire):
    if wire.stream:
        return Answer.stream([part(b'{"token":{"id":1,"text":"Hi"},"generated_text":"Hi"}\n')], EVENTS)
    return Answer.json([{"generated_text": "Hi"}])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("how", ENTRIES)
@pytest.mark.parametrize("mode", ["lmi", "tgi"])
async def test_requests_are_those_of_the_official_client(client, server, mode, how, stream):
    declared = {key: value for key, value in ENTRIES[how].items() if not (stream and key == "target_model")}
    if stream and "asynchronous" in declared:
        return
    model = ref(mode, prompt="single", **declared)
    wire = translated(model, asked("Äpfel & Birnen", stream=stream, max_tokens=3)).wire
    if "asynchronous" in declared:
        server.route(
            "POST",
            "*",
            Answer.json({"InferenceId": "i"}, 202, {"X-Amzn-SageMaker-OutputLocation": "s3://bucket/out/1"}),
        )
        server.route("GET", "*", good(wire))
    else:
        server.answer(good(wire), good(wire))
    async with Mesh.from_config(config(server, entry(mode, **declared, underlying=model.underlying))) as mesh:
        if stream:
            async with mesh.stream_chat("c:my-endpoint", "Äpfel & Birnen", max_tokens=3) as answer:
                assert [e async for e in answer]
        else:
            await mesh.chat("c:my-endpoint", "Äpfel & Birnen", max_tokens=3)
    await asyncio.to_thread(done, call_of(client(server), wire, declared))
    mine, theirs = server.requests[0], server.requests[-1]
    assert signed_by(mine) == signature_of(mine, server)
    assert signed_by(theirs) == signature_of(theirs, server), "the check knows the client's own signature too"
    if "asynchronous" in declared:
        for request in (mine, theirs):  # of the envelope; the container's own is in another header
            request.headers._values.pop("content-type", None)
    assert compared(mine) == compared(theirs)
    service = "/eu-central-1/sagemaker/aws4_request"
    assert service in mine.headers["authorization"]
    assert service in theirs.headers["authorization"]


async def test_the_comparison_can_fail(client, server):
    wire = translated(ref("lmi"), asked(max_tokens=3)).wire
    server.answer(good(wire), good(wire))
    await asyncio.to_thread(done, call_of(client(server), wire, {}))
    await asyncio.to_thread(
        done, call_of(client(server), wire, {"custom_attributes": "accept_eula=true", "endpoint": "other"})
    )
    one, other = server.requests
    assert compared(one) != compared(other)
    other.headers._values["authorization"] = one.headers["authorization"]
    assert signed_by(other) != signature_of(other, server)


async def test_the_client_reads_our_streams_and_we_read_what_it_parses(client, server):
    pieces = [
        part(b'{"token":{"id":1,"te'),
        part(b'xt":"\xc3'),
        part(b'\xa4"},"generated_text":"\xc3\xa4"}\n'),
    ]
    server.answer(Answer.stream(pieces, EVENTS), Answer.stream(pieces, EVENTS))
    wire = translated(ref("lmi"), asked(stream=True)).wire
    answer = await asyncio.to_thread(call_of(client(server), wire, {}))
    parts = await asyncio.to_thread(lambda: [event["PayloadPart"]["Bytes"] for event in answer["Body"]])
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(pieces))
    assert parts == [event.payload for event in buffer]
    async with (
        Mesh.from_config(config(server, entry("lmi"))) as mesh,
        mesh.stream_chat("c:my-endpoint", "x") as stream,
    ):
        assert [e async for e in stream]
    assert stream.response.text == "ä"


async def test_the_client_raises_what_we_raise_inside_a_stream(client, server):
    from botocore.exceptions import EventStreamError

    broken = [
        part(b'{"token":{"id":1,"text":"He"}}\n'),
        exception("ModelStreamError", Message="slow", ErrorCode="ModelInvocationTimeExceeded"),
    ]
    server.answer(Answer.stream(broken, EVENTS), Answer.stream(broken, EVENTS))
    wire = translated(ref("lmi"), asked(stream=True)).wire
    answer = await asyncio.to_thread(call_of(client(server), wire, {}))
    with pytest.raises(EventStreamError, match="slow"):
        await asyncio.to_thread(lambda: list(answer["Body"]))
    async with Mesh.from_config(config(server, entry("lmi"))) as mesh:
        with pytest.raises(TimeoutError, match="slow") as caught:
            async with mesh.stream_chat("c:my-endpoint", "x") as stream:
                async for _ in stream:
                    pass
    assert caught.value.phase == "server"
    assert caught.value.partial.text == "He"


# moto: AWS as somebody else has built it


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()

    class At:
        url = "http://{}:{}".format(*server.get_host_and_port())

    yield At
    server.stop()


@pytest.mark.real_time
async def test_an_endpoint_of_moto(moto):
    """moto's runtime gives the answers that are queued for it, and lists the endpoints that were made."""
    results = {
        "results": [
            {"Body": json.dumps([{"generated_text": "From moto."}]), "ContentType": "application/json"}
        ]
    }
    import urllib.request

    def queue(results):
        path = f"{moto.url}/moto-api/static/sagemaker/endpoint-results"
        data = json.dumps({**results, "region": "eu-central-1", "account_id": "123456789012"}).encode()
        urllib.request.urlopen(urllib.request.Request(path, data, method="POST"))

    await asyncio.to_thread(queue, results)
    async with Mesh.from_config(config(moto, entry("tgi"))) as mesh:
        reply = await mesh.chat("c:my-endpoint", "Hello")
        assert reply.text == "From moto."


@pytest.mark.real_time
async def test_the_endpoints_that_moto_lists(client, moto):
    def make():
        control = client(moto, "sagemaker")
        role = "arn:aws:iam::123456789012:role/r"
        control.create_model(
            ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://b/m"}
        )
        variant = {
            "VariantName": "v",
            "ModelName": "m",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.t2.medium",
        }
        control.create_endpoint_config(EndpointConfigName="e", ProductionVariants=[variant])
        for name in ("my-endpoint", "other-endpoint"):
            control.create_endpoint(EndpointName=name, EndpointConfigName="e")

    await asyncio.to_thread(make)
    async with Mesh.from_config(config(moto, entry("tgi"))) as mesh:
        cards = {card.id: card.allowed for card in await mesh.models("c")}
    assert cards == {"my-endpoint": True, "other-endpoint": False}


@pytest.mark.real_time
async def test_an_asynchronous_endpoint_with_motos_s3(client, moto, server):
    """The submission is answered by our server; input, output and failure lie in moto's S3."""
    s3 = client(moto, "s3")

    def make():
        s3.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket="my-bucket", Key="out/done 1.json", Body=b'{"generated_text":"From S3."}')
        s3.put_object(
            Bucket="my-bucket",
            Key="failed/2",
            Body=b"Received server error (500) from primary: out of memory",
        )

    await asyncio.to_thread(make)

    def submitted(output, failure):
        places = {"X-Amzn-SageMaker-OutputLocation": output, "X-Amzn-SageMaker-FailureLocation": failure}
        return Answer.json({"InferenceId": "1"}, 202, places)

    declared = entry("lmi", asynchronous={"input": "s3://my-bucket/in", "poll": 0.01})
    made = config(server, declared, s3_url=moto.url)
    server.answer(
        submitted("s3://my-bucket/out/done 1.json", "s3://my-bucket/failed/1"),
        submitted("s3://my-bucket/out/never", "s3://my-bucket/failed/2"),
        Answer.json(
            {"Message": "Endpoint my-endpoint of account 1 not found."},
            400,
            {"x-amzn-errortype": "ValidationError"},
        ),
    )
    async with Mesh.from_config(made) as mesh:
        reply = await mesh.chat("c:my-endpoint", "x" * 200_000)
        assert reply.text == "From S3."
        with pytest.raises(Exception, match="out of memory") as caught:
            await mesh.chat("c:my-endpoint", "short")
        assert type(caught.value).__name__ == "ServerError"
        with pytest.raises(NotFoundError):
            await mesh.chat("c:my-endpoint", "short")
    large, small, _ = server.requests
    location = large.headers["x-amzn-sagemaker-inputlocation"]
    assert large.body == b""
    stored = await asyncio.to_thread(
        lambda: s3.get_object(Bucket="my-bucket", Key=location.removeprefix("s3://my-bucket/"))
    )
    assert len(stored["Body"].read()) > 200_000
    assert b"short" in small.body
    assert "x-amzn-sagemaker-inputlocation" not in small.headers
