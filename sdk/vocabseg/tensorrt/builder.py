"""A graph to a TensorRT engine: strongly typed, so precision is the graph's own on every TensorRT from 10.3 to 11.

``trt`` is the imported module everywhere: tensorrt, or tensorrt_rtx in tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import EngineError
from ..files import write_atomic
from .backend import BuildRequest

Configure = Callable[[Any], None]


def build_plan(
    trt: Any, request: BuildRequest, progress: Callable[[float], None], configure: Configure | None = None
) -> tuple[bytes, list[str]]:
    """The serialised engine and the warnings of its build.

    configure: is given the builder's configuration last. Raises `EngineError` with TensorRT's own words.
    """
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(request.graph)):
        errors = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise EngineError(f"TensorRT cannot read {request.graph.name}: {'; '.join(errors) or logger.errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace)
    config.builder_optimization_level = request.options["optimization_level"]
    if not request.options["tf32"]:
        config.clear_flag(trt.BuilderFlag.TF32)
    if request.options["low_memory"]:
        config.set_memory_pool_limit(trt.MemoryPoolType.TACTIC_DRAM, request.workspace)
        config.max_aux_streams = 0
    add_profile(builder, network, config, request)
    load_timings(config, request)
    config.progress_monitor = make_monitor(trt, progress)
    if configure is not None:
        configure(config)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(build_failure(request, logger.errors))
    save_timings(config, request)
    return bytes(plan), logger.warnings


def add_profile(builder: Any, network: Any, config: Any, request: BuildRequest) -> None:
    """The batches of each input. Raises `EngineError` where the graph has other inputs."""
    names = {network.get_input(index).name for index in range(network.num_inputs)}
    if names != set(request.profile):
        raise EngineError(
            f"{request.graph.name} has the inputs {', '.join(sorted(names))}, the bundle's manifest says "
            f"{', '.join(sorted(request.profile))}; export the bundle again with: vocabseg export"
        )
    profile = builder.create_optimization_profile()
    for name, shapes in request.profile.items():
        profile.set_shape(name, *map(tuple, shapes))
    if config.add_optimization_profile(profile) < 0:
        raise EngineError(f"TensorRT refuses the batches {dict(request.profile)} of {request.graph.name}")


def build_failure(request: BuildRequest, errors: list[str]) -> str:
    said = "; ".join(errors[-3:]) or "no reason given"
    memory = any("memory" in error.lower() for error in errors)
    hint = (
        "free memory, or build with --low-memory and a smaller --batch"
        if memory
        else "vocabseg doctor shows what is installed"
    )
    return f"TensorRT could not build {request.graph.name}: {said}; {hint}"


def load_timings(config: Any, request: BuildRequest) -> None:
    """What earlier builds measured. TensorRT ignores a cache of another version or device."""
    content = b""
    if request.timing_cache is not None and request.timing_cache.is_file():
        content = request.timing_cache.read_bytes()
    timings = config.create_timing_cache(content)
    if timings is None and content:
        timings = config.create_timing_cache(b"")
    if timings is not None:
        config.set_timing_cache(timings, False)


def save_timings(config: Any, request: BuildRequest) -> None:
    timings = config.get_timing_cache()
    if request.timing_cache is None or timings is None:
        return
    try:
        request.timing_cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(request.timing_cache, bytes(timings.serialize()))
    except OSError:
        return  # it only costs time


def make_logger(trt: Any) -> Any:
    """A logger that keeps warnings and errors, in order."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.warnings: list[str] = []
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)
            elif severity == trt.ILogger.WARNING:
                self.warnings.append(message)

    return Logger()


def make_monitor(trt: Any, progress: Callable[[float], None]) -> Any:
    """Tells ``progress`` the share of the build that is done, from TensorRT's nested phases."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.phases = Phases()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self.phases.start(name, parent, steps)

        def phase_finish(self, name: str) -> None:
            self.phases.finish(name)
            progress(self.phases.share())

        def step_complete(self, name: str, step: int) -> bool:
            self.phases.step(name, step)
            progress(self.phases.share())
            return True

    return Monitor()


class Phases:
    """The share that is done of a tree of phases, which never falls."""

    def __init__(self) -> None:
        self._open: dict[str, list[Any]] = {}  # name -> [parent, steps, done]
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        self._open[name] = [parent, max(steps, 1), 0]

    def step(self, name: str, step: int) -> None:
        if name in self._open:
            self._open[name][2] = step + 1

    def finish(self, name: str) -> None:
        parent, _, _ = self._open.pop(name, (None, 1, 0))
        if parent is None and not self._open:
            self._share = 1.0

    def share(self) -> float:
        for name in self._open:
            self._share = max(self._share, self._reached(name))
        return self._share

    def _reached(self, name: str) -> float:
        """The share of the whole at which an open phase stands, by its place in its parents."""
        parent, steps, done = self._open[name]
        inside = min(done / steps, 1.0)
        while parent in self._open:
            above, steps, done = self._open[parent]
            inside = min((done + inside) / steps, 1.0)
            parent = above
        return inside
