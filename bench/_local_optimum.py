"""optimum's `generate` at work on wishes that come as lines of JSON: `_local_optimum.py FOLDER THREADS`.

`_local_optimum.py --prepare GGUF FOLDER` makes the folder: transformers reads the GGUF file, optimum exports it. This
runs in an environment of its own, with torch.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["HF_HUB_OFFLINE"] = "1"


def prepare(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, name = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        task = ["--task", "text-generation-with-past"]
        command = [sys.executable, "-m", "optimum.exporters.onnx", "--model", temporary, *task, str(folder)]
        subprocess.run(command, check=True)


class Optimum:
    def __init__(self, folder: str, threads: int) -> None:
        import onnxruntime
        import torch
        from optimum.onnxruntime import ORTModelForCausalLM

        torch.set_num_threads(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.torch = torch
        self.model = ORTModelForCausalLM.from_pretrained(folder, session_options=options)

    def generate(self, prompt: int, tokens: int, rows: int = 1) -> list[float]:
        """Make answers of exactly so many tokens, greedily; when each step came, since the request."""
        times: list[float] = []

        def clock(*_: Any, **__: Any) -> Any:
            times.append(time.perf_counter() - began)
            return self.torch.zeros(rows, dtype=self.torch.bool)  # asked after each step whether to stop

        ids = self.torch.randint(100, 40_000, (rows, prompt))
        length = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "pad_token_id": 0}
        began = time.perf_counter()
        self.model.generate(
            ids, attention_mask=self.torch.ones_like(ids), stopping_criteria=[clock], **length
        )
        return times

    def single(self, prompt: int, tokens: int) -> dict[str, Any]:
        times = self.generate(prompt, tokens)
        return {"gaps": [after - before for before, after in itertools.pairwise(times)]}

    def rows(self, prompt: int, tokens: int, rows: int) -> dict[str, Any]:
        times = self.generate(prompt, tokens, rows)
        return {"rate": rows * (len(times) - 1) / (times[-1] - times[0])}

    def prefill(self, prompt: int) -> dict[str, Any]:
        return {"rate": prompt / self.generate(prompt, 1)[0]}


def main() -> None:
    if sys.argv[1] == "--prepare":
        prepare(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    subject = Optimum(sys.argv[1], int(sys.argv[2]))
    print('{"ready": true}', flush=True)
    for line in iter(sys.stdin.readline, ""):
        wish = json.loads(line)
        print(json.dumps(getattr(subject, wish.pop("do"))(**wish)), flush=True)


if __name__ == "__main__":
    main()
