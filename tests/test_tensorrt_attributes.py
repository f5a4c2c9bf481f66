"""The SDK's TensorRT calls against what the bindings of 10.3, 10.16 and 11.4 have.

No TensorRT is needed: the names are in tests/data/tensorrt_attributes.json, see scripts/tensorrt_attributes.py. Variables
are recognised by their names, so code that calls TensorRT calls a builder ``builder`` and an engine ``engine``.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = json.loads((Path(__file__).parent / "data" / "tensorrt_attributes.json").read_text(encoding="utf-8"))
FOLDER = Path(__file__).parent.parent / "sdk" / "vocabseg" / "tensorrt"
FILES = ("builder.py", "session.py", "execution.py", "device.py")
VARIABLES = {
    "trt": "module",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "profile": "IOptimizationProfile",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "timings": "ITimingCache",
}
RETURNS = {"get_input": "ITensor", "get_error": "ParserError"}


def uses(source: str) -> Iterator[tuple[str, str, int]]:
    """Every (class, name, line) that a source takes from TensorRT."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__"):
            owner = kind(node.value)
            if owner is not None:
                yield owner, node.attr, node.lineno


def kind(node: ast.expr) -> str | None:
    """The TensorRT class of an expression; None for everything else."""
    if isinstance(node, ast.Name):
        return VARIABLES.get(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return RETURNS.get(node.func.attr) if kind(node.func.value) else None
    if not isinstance(node, ast.Attribute):
        return None
    if isinstance(node.value, ast.Name) and node.value.id == "self":
        return VARIABLES.get(node.attr.lstrip("_"))
    return node.attr if kind(node.value) == "module" else None


def missing(source: str, version: str) -> list[str]:
    names = DATA["versions"][version]
    return [
        f"line {line}: {owner}.{name}"
        for owner, name, line in uses(source)
        if name not in names.get(owner, ())
    ]


@pytest.mark.parametrize("version", DATA["versions"])
@pytest.mark.parametrize("file", FILES)
def test_every_name_exists(file: str, version: str) -> None:
    assert missing((FOLDER / file).read_text(encoding="utf-8"), version) == []


def test_the_lint_sees_the_calls() -> None:
    seen = {(owner, name) for file in FILES for owner, name, _ in uses((FOLDER / file).read_text())}
    assert {
        ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"),
        ("Builder", "build_serialized_network"),
        ("IExecutionContext", "execute_async_v3"),
        ("IExecutionContext", "set_device_memory"),
        ("IExecutionContext", "update_device_memory_size_for_shapes"),
        ("ExecutionContextAllocationStrategy", "USER_MANAGED"),
        ("ICudaEngine", "get_tensor_profile_shape"),
        ("ParserError", "desc"),
        ("module", "nptype"),
    } <= seen and len(seen) > 40


def test_no_other_file_calls_tensorrt() -> None:
    for path in FOLDER.glob("*.py"):
        if path.name not in FILES:
            assert not any(owner == "module" for owner, _, _ in uses(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize(
    "removed",
    [
        "config.set_flag(trt.BuilderFlag.FP16)",
        "builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))",
        "builder.platform_has_fast_fp16",
        "self._engine.device_memory_size",
        "config.int8_calibrator = x",
        "trt.IInt8EntropyCalibrator2",
    ],
)
def test_names_that_tensorrt_11_removed_are_caught(removed: str) -> None:
    assert missing(removed, "10.3.0") == []
    assert len(missing(removed, "11.4.0.106")) == 1


def test_names_that_10_3_does_not_have_are_caught() -> None:
    assert missing("network.add_attention(x)", "10.3.0") and not missing(
        "network.add_attention(x)", "10.16.0.72"
    )
