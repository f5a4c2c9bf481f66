"""Every test that takes ``op`` runs once for each implementation of its module's ``OP``."""

from __future__ import annotations

import pytest

from vocabseg import ops


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "op" in metafunc.fixturenames:
        found = ops.implementations(metafunc.module.OP)
        metafunc.parametrize("op", [item.id for item in found if item.available], indirect=True)


@pytest.fixture
def op(request: pytest.FixtureRequest):
    """The public function, bound to one implementation; it fails if another one runs."""
    function = getattr(ops, request.module.OP)

    def call(*args, **kwargs):
        with ops.record() as used:
            result = function(*args, impl=request.param, **kwargs)
        assert set(used) <= {request.param}
        return result

    return call
