"""The window that the image engine sees, and how a frame is brought to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ShapeError

RESIZE = ("bilinear", "bicubic")
LONG_SIDE = 2048


@dataclass(frozen=True)
class Window:
    """Height and width in pixels; how frames are resized and cut, as ``manifest.json`` describes it.

    ``slide``: the frame's short side becomes ``short_side`` (its long side at most ``long_side``), and windows are
    cut every ``stride`` pixels. ``whole``: the frame is resized to cover one window.
    """

    mode: str
    height: int
    width: int
    stride: tuple[int, int] | None = None
    short_side: int | None = None
    long_side: int = LONG_SIDE
    resize: str = "bilinear"

    def __post_init__(self) -> None:
        if self.mode not in ("slide", "whole"):
            raise ShapeError(f"window mode is {self.mode!r}, expected slide or whole")
        if self.resize not in RESIZE:
            raise ShapeError(f"resize is {self.resize!r}, expected one of {', '.join(RESIZE)}")
        if min(self.height, self.width) < 1:
            raise ShapeError(f"the window is {self.height}x{self.width}, expected positive sides")
        if self.mode == "slide":
            self._check_slide()

    def _check_slide(self) -> None:
        if self.stride is None or self.short_side is None:
            raise ShapeError("sliding windows need a stride and a short side")
        for stride, side in zip(self.stride, (self.height, self.width), strict=True):
            if not 1 <= stride <= side:
                raise ShapeError(
                    f"the stride is {stride}, expected 1 to {side}: more would leave gaps between windows"
                )
        if not 1 <= self.short_side <= self.long_side:
            raise ShapeError(
                f"the short side is {self.short_side}, expected 1 to the long side, {self.long_side}"
            )

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    def grid(self, patch_size: int) -> tuple[int, int]:
        """Patches per column and row. Raises `ShapeError` where patches do not fill the window."""
        for side in self.size:
            if side % patch_size:
                below = side // patch_size * patch_size
                near = f"{below} or {below + patch_size}" if below else str(patch_size)
                raise ShapeError(
                    f"the window is {self.height}x{self.width}, but {side} is not a multiple of the model's "
                    f"patch size {patch_size}; take {near}"
                )
        return self.height // patch_size, self.width // patch_size

    def manifest(self) -> dict[str, Any]:
        """The ``window`` entry of the manifest."""
        entry: dict[str, Any] = {"mode": self.mode, "height": self.height, "width": self.width}
        if self.mode == "slide":
            assert self.stride is not None
            entry |= {"stride": list(self.stride), "short_side": self.short_side, "long_side": self.long_side}
        return entry | {"resize": self.resize}


def sliding(
    crop: int = 224, stride: int | None = None, short_side: int = 336, resize: str = "bilinear"
) -> Window:
    """Square windows; a stride of None is half of the window."""
    stride = max(crop // 2, 1) if stride is None else stride
    return Window("slide", crop, crop, (stride, stride), short_side, resize=resize)


def whole(height: int, width: int, resize: str = "bilinear") -> Window:
    """The whole frame at one fixed size."""
    return Window("whole", height, width, resize=resize)
