"""A backend without TensorRT: the "engine" is the ONNX graph behind a header, and OpenVINO runs it.

Workers read what to pretend from the environment variable FAKE_TENSORRT, a JSON object:
``machine``: fields of Machine; ``log``: a file that gets one line per build; ``noise``, ``delay``: precision → standard
deviation added to features, seconds per run; ``fail``: network file name → what happens to its build (``memory``,
``kill``, ``error``, ``hang``).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import onnx

from vocabseg.errors import EngineError
from vocabseg.tensorrt.key import Machine

BACKEND = "fake_tensorrt:FakeTensorRT"
MACHINE = {
    "tensorrt": "10.3.0",
    "compute_capability": "8.7",
    "device": "Fake",
    "tegra": False,
    "free_bytes": 4 << 30,
}
_HEADER = b"FAKEPLAN"


class FakeTensorRT:
    def __init__(self) -> None:
        self.settings = json.loads(os.environ.get("FAKE_TENSORRT", "{}"))

    def machine(self) -> Machine:
        return Machine(**(MACHINE | self.settings.get("machine", {})))

    def build(self, request, progress):
        name = Path(request.graph).name
        self._log({"graph": name, "workspace": request.workspace, "options": dict(request.options)})
        progress(0.25)
        sys.stdout.write("what a library prints must not break the protocol\n")
        {"memory": out_of_memory, "kill": kill, "error": fail, "hang": hang, None: lambda: None}[
            self.settings.get("fail", {}).get(name)
        ]()
        progress(0.75)
        return _HEADER + Path(request.graph).read_bytes(), ["a warning"]

    def _log(self, entry) -> None:
        if "log" in self.settings:
            with open(self.settings["log"], "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def open(self, plan: bytes, rebuild: str = "", allow_smaller_batch: bool = False) -> FakeSession:
        if not plan.startswith(_HEADER):
            raise EngineError("not a plan")
        return FakeSession(plan.removeprefix(_HEADER), self.settings)


class FakeSession:
    def __init__(self, graph: bytes, settings) -> None:
        import openvino

        model = onnx.load_from_string(graph)
        precision = {entry.key: entry.value for entry in model.metadata_props}["precision"]
        self._noise = settings.get("noise", {}).get(precision, 0.0)
        self._delay = settings.get("delay", {}).get(precision, 0.0)
        self.inputs = [value.name for value in model.graph.input]
        self.outputs = [value.name for value in model.graph.output]
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        self._model = core.compile_model(core.read_model(graph), "CPU", options)

    def run(self, inputs):
        time.sleep(self._delay)
        results = [np.array(value) for value in self._model(dict(inputs)).values()]
        random = np.random.default_rng(0)
        results[0] = results[0] + self._noise * random.standard_normal(results[0].shape).astype(np.float32)
        return dict(zip(self.outputs, results, strict=True))

    def close(self) -> None:
        self._model = None


def out_of_memory() -> None:
    raise EngineError("TensorRT could not build it: out of memory; build with --low-memory")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise RuntimeError("a fault in the backend")


def hang() -> None:
    time.sleep(60)
