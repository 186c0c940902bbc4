"""What stands for models in tests: a llama in plain ONNX operators, in a folder as optimum writes it, and its numbers.

The graph is made without torch, from the operators' specification, and shares nothing with our converter: what both
compute alike is computed right, or wrong twice.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

TO_END = np.iinfo(np.int64).max


class _Nodes:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, value, kind=np.float32):
        self.count += 1
        self.constants.append(numpy_helper.from_array(np.array(value, kind), f"c{self.count}"))
        return f"c{self.count}"

    def __call__(self, operator, *inputs, name=None, **attributes):
        self.count += 1
        name = name or f"n{self.count}"
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name=f"{operator}{self.count}", **attributes)
        )
        return name

    def integers(self, *values):
        return self.constant(values, np.int64)


def plain_llama(model, *, positions=True):
    """Build the graph: keys and values are concatenated, positions and padding are told from outside."""
    make, weights = _Nodes(), model.weights()
    size, groups = model.head_dim, model.heads // model.kv_heads
    names = ["input_ids", "attention_mask", *(["position_ids"] if positions else [])]
    widths = {"attention_mask": "total"}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", widths.get(name, "tokens")])
        for name in names
    ]
    outputs = []

    def norm(x, weight):
        mean = make("ReduceMean", make("Mul", x, x), make.integers(-1), keepdims=1)
        root = make("Sqrt", make("Add", mean, make.constant(model.epsilon)))
        return make("Mul", make("Div", x, root), make.constant(weight))

    def linear(x, name):
        return make("MatMul", x, make.constant(weights[name].T))

    def heads(x, count):
        return make("Transpose", make("Reshape", x, make.integers(0, 0, count, size)), perm=[0, 2, 1, 3])

    def part(x, begin, end, axis):
        return make("Slice", x, *(make.integers(value) for value in (begin, end, axis)))

    length = make("Shape", "input_ids", start=1, end=2)
    total = make("Shape", "attention_mask", start=1, end=2)
    before = make("Sub", total, length)
    axis = make.integers(0)
    one, zero = make.constant(1, np.int64), make.constant(0, np.int64)
    keys = make("Range", zero, make("Squeeze", total, axis), one)
    queries = make("Range", make("Squeeze", before, axis), make("Squeeze", total, axis), one)
    causal = make(
        "LessOrEqual", make("Unsqueeze", keys, make.integers(0)), make("Unsqueeze", queries, make.integers(1))
    )
    real = make("Unsqueeze", make("Cast", "attention_mask", to=TensorProto.BOOL), make.integers(1, 2, 3))
    masked = make("Where", make("And", causal, real), make.constant(0), make.constant(-1e9))
    places = "position_ids" if positions else make("Unsqueeze", queries, make.integers(0))
    inverse = 1.0 / model.rope_base ** (np.arange(0, size, 2) / size)
    angles = np.tile(np.outer(np.arange(model.context), inverse), 2)
    cos, sin = (
        make("Unsqueeze", make("Gather", make.constant(table), places), make.integers(1))
        for table in (np.cos(angles), np.sin(angles))
    )

    def rotate(x):
        first, second = part(x, 0, size // 2, 3), part(x, size // 2, TO_END, 3)
        turned = make("Concat", make("Neg", second), first, axis=3)
        return make("Add", make("Mul", x, cos), make("Mul", turned, sin))

    def grown(x, layer, side):
        past, present = f"past_key_values.{layer}.{side}", f"present.{layer}.{side}"
        for infos, name, length in ((inputs, past, "past"), (outputs, present, "total")):
            shape = ["batch", model.kv_heads, length, size]
            infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return make("Unsqueeze", make("Concat", past, x, name=present, axis=2), make.integers(2))

    hidden = make("Gather", make.constant(weights["token_embd.weight"]), "input_ids")
    for layer in range(model.layers):
        at = f"blk.{layer}."
        x = norm(hidden, weights[at + "attn_norm.weight"])
        q = rotate(heads(linear(x, at + "attn_q.weight"), model.heads))
        q = make("Reshape", q, make.integers(0, model.kv_heads, groups, -1, size))
        k = grown(rotate(heads(linear(x, at + "attn_k.weight"), model.kv_heads)), layer, "key")
        v = grown(heads(linear(x, at + "attn_v.weight"), model.kv_heads), layer, "value")
        scores = make("MatMul", q, make("Transpose", k, perm=[0, 1, 2, 4, 3]))
        scores = make("Add", make("Mul", scores, make.constant(size**-0.5)), masked)
        mixed = make("MatMul", make("Softmax", scores, axis=-1), v)
        mixed = make("Reshape", mixed, make.integers(0, model.heads, -1, size))
        mixed = make("Reshape", make("Transpose", mixed, perm=[0, 2, 1, 3]), make.integers(0, 0, -1))
        hidden = make("Add", hidden, linear(mixed, at + "attn_output.weight"))
        x = norm(hidden, weights[at + "ffn_norm.weight"])
        gate = linear(x, at + "ffn_gate.weight")
        inner = make("Mul", make("Mul", gate, make("Sigmoid", gate)), linear(x, at + "ffn_up.weight"))
        hidden = make("Add", hidden, linear(inner, at + "ffn_down.weight"))
    head = weights.get("output.weight", weights["token_embd.weight"])
    make("MatMul", norm(hidden, weights["output_norm.weight"]), make.constant(head.T), name="logits")
    outputs.insert(
        0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", head.shape[0]])
    )
    graph = helper.make_graph(make.nodes, "llama", inputs, outputs, make.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17 + 4)], ir_version=10)


def write_optimum_folder(folder: Path, model, tokenizer, template: str, **config) -> Path:
    """Write a folder as optimum does, around a graph made here."""
    folder.mkdir(exist_ok=True)
    save_model(plain_llama(model, positions=config.pop("positions", True)), str(folder / "model.onnx"))
    body = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "eos_token_id": 2,
        "hidden_size": model.hidden,
        "max_position_embeddings": model.context,
        "num_attention_heads": model.heads,
        "num_hidden_layers": model.layers,
        "num_key_value_heads": model.kv_heads,
        "vocab_size": len(model.vocabulary()),
    }
    _write(folder / "config.json", {**body, **config})
    _write(
        folder / "generation_config.json",
        {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "eos_token_id": [0, 2]},
    )
    _write(
        folder / "tokenizer_config.json",
        {"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}, "chat_template": template},
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_genai_folder(folder: Path, model, made: Path, **changes) -> Path:
    """Write a folder as onnxruntime-genai's builder does, around the graph of a converted folder."""
    folder.mkdir(exist_ok=True)
    for name in ("model.onnx", "model.onnx.data", "tokenizer.json", "chat_template.jinja"):
        (folder / name).write_bytes((made / name).read_bytes())
    decoder = {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": "model.onnx",
        "head_size": model.head_dim,
        "hidden_size": model.hidden,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
        "num_attention_heads": model.heads,
        "num_hidden_layers": model.layers,
        "num_key_value_heads": model.kv_heads,
    }
    body = {
        "bos_token_id": 1,
        "context_length": model.context,
        "decoder": {**decoder, **changes.pop("decoder", {})},
        "eos_token_id": [0, 2],
        "pad_token_id": 0,
        "type": "llama",
        "vocab_size": len(model.vocabulary()),
    }
    search = {
        "do_sample": False,
        "temperature": 1.0,
        "top_k": 1,
        "top_p": 1.0,
        "past_present_share_buffer": True,
    }
    _write(folder / "genai_config.json", {"model": {**body, **changes}, "search": search})
    return folder


def reference_logits(model, tokens):
    """Compute the logits after each token in float64: llama as the papers have it, in plain numpy."""
    weights = {name: value.astype(np.float64) for name, value in model.weights().items()}
    length, size = len(tokens), model.head_dim

    def norm(x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + model.epsilon) * weight

    inverse = 1.0 / model.rope_base ** (np.arange(0, size, 2) / size)
    angles = np.outer(np.arange(length), inverse)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]

    def rotate(x):
        first, second = x[..., : size // 2], x[..., size // 2 :]
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)

    hidden = weights["token_embd.weight"][tokens]
    for layer in range(model.layers):
        at = f"blk.{layer}."
        x = norm(hidden, weights[at + "attn_norm.weight"])
        q = rotate((x @ weights[at + "attn_q.weight"].T).reshape(length, model.heads, size))
        k = rotate((x @ weights[at + "attn_k.weight"].T).reshape(length, model.kv_heads, size))
        v = (x @ weights[at + "attn_v.weight"].T).reshape(length, model.kv_heads, size)
        k, v = (np.repeat(side, model.heads // model.kv_heads, axis=1) for side in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) * size**-0.5
        scores += np.triu(np.full((length, length), -np.inf), 1)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", scores, v).reshape(length, -1)
        hidden = hidden + mixed @ weights[at + "attn_output.weight"].T
        x = norm(hidden, weights[at + "ffn_norm.weight"])
        gate = x @ weights[at + "ffn_gate.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (x @ weights[at + "ffn_up.weight"].T)
        hidden = hidden + inner @ weights[at + "ffn_down.weight"].T
    head = weights.get("output.weight", weights["token_embd.weight"])
    return norm(hidden, weights["output_norm.weight"]) @ head.T


def _write(path, body):
    path.write_text(json.dumps(body), encoding="utf-8")
