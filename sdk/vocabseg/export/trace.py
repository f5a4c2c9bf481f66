"""Torch modules to ONNX graphs: one trace per tower and precision, then the passes that shape it for the engines."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator

import onnx_ir as ir
import torch
from torch import Tensor, nn

from ..clip import TextTransformer, VisualTransformer
from ..methods import Method
from ..methods.resclip import ResCLIP
from .naming import name_everything
from .passes import shape_for_engines

# The highest operator set that OpenVINO, ONNX Runtime and TensorRT 10.3 all read; the lowest with GELU as one operator.
OPSET = 20
IR_VERSION = 9

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Outputs whose rows are embeddings.
UNIT_OUTPUTS = ("features", "class_features")
_SMALLEST_NORM = 1e-12


class ImageEncoder(nn.Module):
    """Normalised windows [B, 3, H, W] float32 to unit patch features [B, N, D] and the method's other outputs, float32.

    The tower computes in ``dtype``; layer normalisation, softmax and the final normalisation in float32.
    """

    def __init__(self, visual: VisualTransformer, method: Method, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.visual = visual if dtype is torch.float32 else copy.deepcopy(visual).to(dtype)
        self.method = method
        self.dtype = dtype

    def forward(self, windows: Tensor) -> tuple[Tensor, ...]:
        outputs = self.method.outputs(self.visual, windows.to(self.dtype))
        return tuple(unit_rows(x) if name in UNIT_OUTPUTS else x.float() for name, x in outputs.items())


class FeedbackEncoder(nn.Module):
    """ResCLIP's second pass: the image tower's ``tokens``, S, and its ``attention`` where the method uses it, to unit
    features; all float32."""

    def __init__(
        self,
        visual: VisualTransformer,
        method: ResCLIP,
        grid: tuple[int, int],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.visual = visual if dtype is torch.float32 else copy.deepcopy(visual).to(dtype)
        self.method, self.grid, self.dtype = method, grid, dtype

    def forward(self, tokens: Tensor, shared: Tensor, attention: Tensor | None = None) -> Tensor:
        shared = shared if self.method.strict_paper else shared.half()
        attention = None if attention is None else attention.to(self.dtype)
        return unit_rows(
            self.method.feedback(self.visual, self.grid, tokens.to(self.dtype), shared, attention)
        )


class TextEncoder(nn.Module):
    """Token ids [T, L] int64 to unit embeddings [T, D] float32; precision as in ``ImageEncoder``."""

    def __init__(self, text: TextTransformer, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.text = text if dtype is torch.float32 else copy.deepcopy(text).to(dtype)

    def forward(self, tokens: Tensor) -> Tensor:
        return unit_rows(self.text(tokens))


def unit_rows(x: Tensor) -> Tensor:
    """Rows of length 1 in float32; a zero row stays zero."""
    x = x.float()
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(_SMALLEST_NORM)


@torch.inference_mode()
def output_shapes(
    visual: VisualTransformer, method: Method, size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """What the image tower gives for one window, ``features`` first."""
    outputs = method.outputs(visual, torch.zeros(1, 3, *size))
    return {name: tuple(values.shape[1:]) for name, values in outputs.items()}


@torch.inference_mode()
def trace_image(visual: VisualTransformer, method: Method, size: tuple[int, int], precision: str) -> ir.Model:
    """The image tower as ONNX: ``windows`` float32 [batch, 3, H, W] to ``features`` float32 [batch, N, D] and what
    else the method gives."""
    names = list(output_shapes(visual, method, size))
    module = ImageEncoder(visual, method, DTYPES[precision]).eval()
    with fixed_positions(module.visual, visual, method, size):
        return trace(module, {"windows": torch.zeros(2, 3, *size)}, names)


@torch.inference_mode()
def trace_feedback(
    visual: VisualTransformer, method: ResCLIP, grid: tuple[int, int], precision: str
) -> ir.Model:
    """ResCLIP's second pass as ONNX: ``tokens`` [batch, 1 + N, D], ``shared`` [batch, N, N] and, with RCS,
    ``attention`` [batch, heads, 1 + N, 1 + N] to ``features`` [batch, N, D], all float32."""
    config, patches = visual.config, grid[0] * grid[1]
    example = {
        "tokens": torch.zeros(2, 1 + patches, config.width),
        "shared": torch.zeros(2, patches, patches),
    }
    if method.rcs is not None:
        example["attention"] = torch.zeros(2, config.heads, 1 + patches, 1 + patches)
    return trace(FeedbackEncoder(visual, method, grid, DTYPES[precision]).eval(), example, ["features"])


@torch.inference_mode()
def trace_text(text: TextTransformer, precision: str) -> ir.Model:
    """The text tower as ONNX: ``tokens`` int64 [batch, L] to ``embedding`` float32 [batch, D]."""
    module = TextEncoder(text, DTYPES[precision]).eval()
    tokens = torch.zeros(2, text.config.context_length, dtype=torch.int64)
    return trace(module, {"tokens": tokens}, ["embedding"])


def trace(module: nn.Module, example: dict[str, Tensor], output_names: list[str]) -> ir.Model:
    batch = torch.export.Dim("batch")
    with quiet():
        program = torch.onnx.export(
            module,
            tuple(example.values()),
            dynamo=True,
            input_names=list(example),
            output_names=output_names,
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model
    model.ir_version = IR_VERSION
    shape_for_engines(model)
    name_everything(model, dict(module.named_parameters()))
    return model


@contextlib.contextmanager
def fixed_positions(
    target: VisualTransformer, source: VisualTransformer, method: Method, size: tuple[int, int]
) -> Iterator[None]:
    """Make ``target`` use one constant position table, resized in float32 by ``source``, for windows of ``size``."""
    grid = (size[0] // source.config.patch_size, size[1] // source.config.patch_size)
    table = source.positions(grid, method.position).float().clone()

    def positions(asked: tuple[int, int], position: str = "offset") -> Tensor:
        if asked != grid or position != method.position:
            raise ValueError(
                f"{method.name} asks for positions of {asked} ({position}), the window has {grid}"
            )
        return table

    target.positions = positions  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del target.positions


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporter reports its steps on stdout and warns about its own internals."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        level = logging.getLogger("torch.onnx").level
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            yield
        finally:
            logging.getLogger("torch.onnx").setLevel(level)
