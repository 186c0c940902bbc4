"""The envelope of requests."""

from sagemaker_endpoints import MODE, asked, ref, translated
from sagemaker_texts import prompt

from jackfield.plugin import EmbedRequest


def test_addresses_and_headers():
    wire = translated(
        ref("lmi", endpoint="shared", inference_component="ic", custom_attributes="accept_eula=true"),
        prompt(stream=True),
    ).wire
    assert wire.path == "/endpoints/shared/invocations-response-stream"
    assert wire.headers == {
        "Content-Type": "application/json", "X-Amzn-SageMaker-Inference-Component": "ic",
        "X-Amzn-SageMaker-Custom-Attributes": "accept_eula=true",
    }  # fmt: skip
    for mode in MODE:
        request = EmbedRequest(inputs=("a",), input_type="query") if mode == "cohere-embed" else asked()
        made = translated(ref(mode, prompt="single"), request).wire
        assert "X-Amzn-SageMaker-Custom-Attributes" not in made.headers, (
            "accepting a licence is never the plugin's word"
        )
