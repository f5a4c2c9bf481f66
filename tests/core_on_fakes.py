"""Opens bundles with the core's backend tensorrt on a CUDA driver and a TensorRT that are none, in a process of its own.

    python core_on_fakes.py < cases.json    LD_LIBRARY_PATH has both

A case is the arguments of a segmenter: bundle, precision, engines. Answers, as JSON: the class and text of the error, or
"opened" and the backend.
"""

from __future__ import annotations

import json
import sys

from vocabseg import _core


def answer(bundle: str, precision: str, engines: str) -> list[str]:
    try:
        opened = _core.Bundle.open(bundle)
        segmenter = _core.Segmenter(opened, "tensorrt", 1, precision, None, "", engines)
        return ["opened", segmenter.backend]
    except Exception as error:  # noqa: BLE001  the answer
        return [type(error).__name__, str(error)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps([answer(**case) for case in json.load(sys.stdin)]))
