"""The tiny bundle with built engines, and a machine that seems to run them: TensorRT, CUDA and a GPU stood in for."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import fake_bindings
from fake_gpu import FakeGpu
from fake_trt import FakeNetwork, FakeTrt
from tiny_bundle import BIAS, CONTEXT, text_rows, write_tiny_bundle
from vocabseg.bundle import read_manifest, write_manifest
from vocabseg.tensorrt import device
from vocabseg.tensorrt.key import EngineKey, Machine, canonical
from vocabseg.tensorrt.networks import Network, networks
from vocabseg.tensorrt.record import Record
from vocabseg.tensorrt.store import Store, plan_name

PATCHES, TOKENS = 16, (17, 5)
MACHINE = Machine("10.3.0", "8.7", "Orin", False)


def image_features(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the tiny bundle's image network computes, and tokens for a feedback network."""
    windows = given["windows"]
    means = windows.reshape(len(windows), 3, 4, 8, 4, 8).mean(axis=(3, 5)).reshape(len(windows), 3, PATCHES)
    raw = np.concatenate([means, np.full((len(windows), 1, PATCHES), BIAS, np.float32)], axis=1)
    features = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).transpose(0, 2, 1)
    return {"features": features, "tokens": np.broadcast_to(means[:, :1, :5], (len(windows), *TOKENS))}


def text_embedding(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    summed = text_rows()[given["tokens"]].sum(axis=1)
    return {"embedding": summed / np.linalg.norm(summed, axis=1, keepdims=True)}


def feedback_features(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"features": given["shared"][..., :4] + given["tokens"][:, 1:, :4]}


class Built:
    """bundle: its folder. gpu, trt: what stands for the machine. plans: tower to the engine's content."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *bindings: str) -> None:
        self.bundle, self.gpu = folder, FakeGpu()
        write_tiny_bundle(folder)
        add_feedback(folder)
        kinds = {
            "image": FakeNetwork(
                {"windows": ("float", (3, 32, 32))},
                {"features": ("float", (PATCHES, 4)), "tokens": ("float", TOKENS)},
                image_features,
                (1, 4),
            ),
            "feedback": FakeNetwork(
                {"shared": ("float", (PATCHES, PATCHES)), "tokens": ("float", TOKENS)},
                {"features": ("float", (PATCHES, 4))},
                feedback_features,
                (1, 4),
            ),
            "text": FakeNetwork(
                {"tokens": ("int64", (CONTEXT,))}, {"embedding": ("float", (4,))}, text_embedding, (1, 64)
            ),
        }
        self.networks = kinds
        self.trt = FakeTrt(self.gpu, {f"{tower} plan".encode(): kind for tower, kind in kinds.items()})
        self.store = Store(folder / "engines")
        self.store.prepare()
        for network in networks(folder, read_manifest(folder), "float32", (1, 2, 4)):
            self.store.write_record(self.engine(network))
        monkeypatch.setitem(sys.modules, "tensorrt", self.trt)
        monkeypatch.setattr(device, "is_tegra", lambda: False)
        fake_bindings.install(monkeypatch, self.gpu, *(bindings or fake_bindings.NAMES))

    def engine(self, network: Network) -> Record:
        key = EngineKey(network.onnx_sha256, network.precision, network.profile, MACHINE, {"tf32": False})
        plan, name = f"{network.tower} plan".encode(), plan_name(network.tower, "float32", key.digest())
        (self.store.folder / name).write_bytes(plan)
        return Record(
            tower=network.tower,
            key=json.loads(canonical(key.document())),
            digest=key.digest(),
            plan=name,
            plan_sha256=hashlib.sha256(plan).hexdigest(),
            plan_bytes=len(plan),
            inputs=list(network.profile),
            outputs=list(network.outputs),
            rebuild=["--precision", "float32", "--batch", "1,2,4"],
            build={},
            parity={"passed": True, "failures": []},
        )

    def record(self, tower: str = "image") -> Record:
        (found,) = (each for each in self.store.records() if each.tower == tower)
        return found


def add_feedback(folder: Path) -> None:
    """A second network, of the inputs that ResCLIP's has."""
    manifest = read_manifest(folder)
    manifest["image_encoder"]["extra_outputs"] = {"tokens": list(TOKENS)}
    (variant,) = manifest["image_encoder"]["variants"].values()
    manifest["feedback_encoder"] = {
        "input": "shared",
        "output": "features",
        "variants": {"float32": variant},
    }
    write_manifest(folder, {name: value for name, value in manifest.items() if name != "files"})
