"""The figures of docs/methods: attention of two patches, and labels, of every method on the sample picture.

    python scripts/method_figures.py --weights demo_run/weights.safetensors --merges demo_run/merges.txt

Runs the demo model in float32 torch with the parameters of the demo table (vocabseg.eval.demo). Attention is that of
the last block, averaged over heads, in the one window that the first panel outlines.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vocabseg import methods, ops
from vocabseg.clip import CLIP, VisualTransformer, load_clip
from vocabseg.eval.demo import METHODS
from vocabseg.eval.dense import DenseSegmenter, text_rows
from vocabseg.methods import Method
from vocabseg.palette import make_palette
from vocabseg.train.bpe import Tokenizer, load_merges
from vocabseg.train.classes import CLASS_NAMES

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sdk" / "vocabseg" / "assets" / "sample.jpg"
ROWS = ("vanilla", "maskclip", "sclip", "clearclip", "naclip", "cliptrase", "resclip", "scclip")
SHORT_SIDE, CROP = 224, 112  # as the demo bundle resizes frames
WINDOW = (56, 14)  # of the resized picture: top and left
PATCHES = {"A": (3, 3), "B": (6, 5)}  # row and column in the window: the house, the grass
HEIGHT, GAP, TITLE, FONT = 200, 14, 34, 15
LEGEND_COLUMNS, LEGEND_LINE, SWATCH = 8, 22, 13
PAPER, INK, MARK, HEAT = (255, 255, 255), (25, 25, 25), (0, 255, 255), (200, 20, 20)
PHOTO_COLOURS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--merges", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "methods" / "images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model = load_clip(options.weights)
    tokenizer = Tokenizer(load_merges(options.merges.read_text(encoding="utf-8")), 32)
    text = text_rows(model, tokenizer, CLASS_NAMES)
    picture = np.asarray(Image.open(SAMPLE).convert("RGB"))
    for name in ROWS:
        method = methods.get(METHODS[name][0], **METHODS[name][1])
        sheet = figure(model, method, text, picture)
        path = options.out / f"{name}.png"
        sheet.save(path, optimize=True)
        sys.stdout.write(f"{path} {path.stat().st_size} bytes\n")


def figure(model: CLIP, method: Method, text: Tensor, picture: np.ndarray) -> Image.Image:
    """Picture, attention of the two patches, labels; side by side, with a legend."""
    scale = SHORT_SIDE / min(picture.shape[:2])
    labels = DenseSegmenter(model, method, text, scale, CROP)(picture)
    top, left = WINDOW
    size = [round(side * scale) for side in picture.shape[:2]]
    plan = ops.window_plan(size, crop=size, stride=size, patch=16, source=picture.shape[:2])
    window = ops.preprocess(picture, plan)[:, :, top : top + CROP, left : left + CROP]
    weights = attention(model.visual, method, torch.from_numpy(np.ascontiguousarray(window)), text)
    box = tuple(round(edge / scale) for edge in (left, top, left + CROP, top + CROP))
    crop = Image.fromarray(picture).crop(box)
    palette = make_palette(len(CLASS_NAMES))
    panels = {
        "picture, a window, two patches": outlined(picture, box),
        **{f"attention of patch {mark}": heat(crop, weights[place], mark) for mark, place in places()},
        f"labels, {method.name}": Image.fromarray(palette[labels]),
    }
    return with_few_colours(side_by_side(panels), palette)


def places() -> list[tuple[str, int]]:
    side = CROP // 16
    return [(mark, row * side + col) for mark, (row, col) in PATCHES.items()]


class Recorder(TorchFunctionMode):
    """Notes what the last block's values are multiplied with: the weights of its attention."""

    def __init__(self, visual: VisualTransformer) -> None:
        super().__init__()
        self.weights: list[Tensor] = []
        self._values: list[Tensor] = []
        block = visual.blocks[-1]
        self._attention, self._qkv = block.attn, block.attn.qkv
        block.attn.qkv = self._remember  # type: ignore[method-assign]

    def _remember(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self._qkv(x)
        self._values.append(v)
        return q, k, v

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("matmul", "__matmul__") and any(
            args[1] is value for value in self._values
        ):
            self.weights.append(args[0])
        return func(*args, **(kwargs or {}))

    def __exit__(self, *error: Any) -> None:
        del self._attention.qkv
        super().__exit__(*error)


@torch.inference_mode()
def attention(visual: VisualTransformer, method: Method, window: Tensor, text: Tensor) -> np.ndarray:
    """[N, N], mean over heads, class token left out. Of SC-CLIP's passes the first, of ResCLIP's the second."""
    with Recorder(visual) as recorder:
        method.features(visual, window, text)
    patches = (CROP // 16) ** 2
    if not recorder.weights:  # MaskCLIP: every patch attends to itself
        return np.eye(patches, dtype=np.float32)
    weights = recorder.weights[0 if method.name == "scclip" else -1][0].mean(0)
    return weights[-patches:, -patches:].numpy()


def heat(crop: Image.Image, weights: np.ndarray, mark: str) -> Image.Image:
    """The window in grey with the weights of its patches in red, the largest opaque; the patch itself outlined."""
    side = CROP // 16
    share = np.sqrt(weights / weights.max()).reshape(side, side)
    cells = Image.fromarray(np.rint(255 * share).astype(np.uint8))
    alpha = cells.resize((HEIGHT, HEIGHT), Image.Resampling.NEAREST)
    grey = crop.convert("L").resize((HEIGHT, HEIGHT), Image.Resampling.BILINEAR)
    faded = Image.blend(grey.convert("RGB"), Image.new("RGB", grey.size, PAPER), 0.25)
    faded.paste(Image.new("RGB", grey.size, HEAT), mask=alpha.point(lambda value: int(0.85 * value)))
    row, col = PATCHES[mark]
    edge = HEIGHT / side
    draw_mark(ImageDraw.Draw(faded), [edge * col, edge * row, edge * (col + 1), edge * (row + 1)], mark)
    return faded


def outlined(picture: np.ndarray, box: tuple[int, ...]) -> Image.Image:
    """The picture with the window and its two patches."""
    scale = HEIGHT / picture.shape[0]
    image = Image.fromarray(picture).resize(
        (round(picture.shape[1] * scale), HEIGHT), Image.Resampling.BILINEAR
    )
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = (edge * scale for edge in box)
    draw.rectangle((left, top, right, bottom), outline=PAPER, width=2)
    edge = (right - left) / (CROP // 16)
    for mark, (row, col) in PATCHES.items():
        x, y = left + edge * col, top + edge * row
        draw_mark(draw, [x, y, x + edge, y + edge], mark)
    return image


def draw_mark(draw: ImageDraw.ImageDraw, box: list[float], mark: str) -> None:
    draw.rectangle([round(edge) for edge in box], outline=MARK, width=2)
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw.text(centre, mark, PAPER, font(), anchor="mm", stroke_width=2, stroke_fill=INK)


def side_by_side(panels: dict[str, Image.Image]) -> Image.Image:
    """Titles over panels of one height, and room for the legend."""
    scaled = [
        image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.NEAREST)
        for image in panels.values()
    ]
    rows = -(-len(CLASS_NAMES) // LEGEND_COLUMNS)
    size = (
        sum(image.width + GAP for image in scaled) + GAP,
        TITLE + HEIGHT + 2 * GAP + rows * LEGEND_LINE,
    )
    sheet = Image.new("RGB", size, PAPER)
    draw, left = ImageDraw.Draw(sheet), GAP
    for title, image in zip(panels, scaled, strict=True):
        draw.text((left, TITLE - 10), title, INK, font(), anchor="ls")
        sheet.paste(image, (left, TITLE))
        left += image.width + GAP
    return sheet


def with_few_colours(sheet: Image.Image, palette: np.ndarray) -> Image.Image:
    """The sheet with its legend, in 256 colours: those of the classes and marks as they are, the photo's rounded."""
    photo = sheet.quantize(PHOTO_COLOURS, Image.Quantize.MEDIANCUT).getpalette() or []
    kept = [PAPER, INK, MARK, HEAT, *map(tuple, palette.tolist())]
    colours = Image.new("P", (1, 1))
    colours.putpalette([value for colour in kept for value in colour] + photo[: 3 * PHOTO_COLOURS])
    draw = ImageDraw.Draw(sheet)
    for index, name in enumerate(CLASS_NAMES):
        row, column = divmod(index, LEGEND_COLUMNS)
        left = GAP + column * (sheet.width - GAP) // LEGEND_COLUMNS
        top = TITLE + HEIGHT + GAP + row * LEGEND_LINE
        draw.rectangle((left, top, left + SWATCH, top + SWATCH), tuple(palette[index].tolist()), INK)
        draw.text((left + SWATCH + 7, top + SWATCH / 2), name, INK, font(), anchor="lm")
    return sheet.quantize(palette=colours, dither=Image.Dither.NONE)


def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT)


if __name__ == "__main__":
    main()
