"""Every test that takes ``op`` runs once for each implementation of its module's ``OP`` (or of the test's own
``@pytest.mark.op("name")``), and the core's once on each instruction set that the machine has.

With VOCABSEG_TEST_DEVICE=cuda the implementations for GPUs run instead, on tensors there."""

from __future__ import annotations

import pytest
from device import DEVICE, on_device, on_host

from vocabseg import _core, ops
from vocabseg.ops.registry import ON_GPU


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "op" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("op")
    name = marker.args[0] if marker else metafunc.module.OP
    runs = []
    for item in ops.implementations(name, DEVICE):
        if item.available and (DEVICE == "cpu" or item.id.rpartition("/")[2] in ON_GPU):
            targets = _core.ops.supported_targets() if item.id.endswith("/cpu") else [""]
            runs += [(name, item.id, target) for target in targets]
    metafunc.parametrize(
        "op", runs, indirect=True, ids=[f"{id}-{target}".strip("-") for _, id, target in runs]
    )


@pytest.fixture
def op(request: pytest.FixtureRequest):
    """The public function, bound to one implementation and one instruction set; it fails if another one runs."""
    name, impl, target = request.param
    function = getattr(ops, name)
    _core.ops.force_target(target)

    def call(*args, **kwargs):
        sent, settings = on_device(args, kwargs)
        with ops.record() as used:
            result = function(*sent, impl=impl, **settings)
        assert set(used) <= {impl}
        assert target in ("", _core.ops.active_target())
        return on_host(result, args[0])

    yield call
    _core.ops.force_target("")
