"""Progress of slow work behind a call: `report` it in a plugin, show it with `listening` in a program.

with listening(lambda stage, done, total: print(stage, done, total)):
    reply = await mesh.chat("local:smollm2-135m", "Hello")
"""

from ._progress import ProgressListener, listening, report

__all__ = ["ProgressListener", "listening", "report"]
