"""Where the windows of a frame lie: the specification of ``window_plan.h``."""

from __future__ import annotations

from dataclasses import dataclass, replace

MAX_WINDOWS = 1024


@dataclass(frozen=True)
class WindowPlan:
    """The windows of one frame. Lengths are in pixels, grids in patches.

    Frame (source) -> resized frame (net) -> windows of it, all of one size -> zero-padded to the engine's
    size -> patch grid. Windows are ordered row-major: ``ys`` outer, ``xs`` inner.
    """

    source_h: int
    source_w: int
    net_h: int
    net_w: int
    window_h: int
    window_w: int
    padded_h: int
    padded_w: int
    pad_top: int
    pad_left: int
    ys: tuple[int, ...]
    xs: tuple[int, ...]
    grid_h: int
    grid_w: int

    @property
    def windows(self) -> int:
        """Number of windows, W."""
        return len(self.ys) * len(self.xs)

    def with_grid(self, grid_h: int, grid_w: int) -> WindowPlan:
        """The same windows with another number of patches in each."""
        return replace(self, grid_h=grid_h, grid_w=grid_w)


def window_starts(length: int, crop: int, stride: int) -> tuple[int, ...]:
    """Starts of windows of length ``crop`` along an axis: every ``stride``, the last shifted back inside."""
    count = max(length - crop + stride - 1, 0) // stride + 1
    return tuple(max(min(i * stride + crop, length) - crop, 0) for i in range(count))


def single_window(size: tuple[int, int], grid: tuple[int, int]) -> WindowPlan:
    """One window that is the frame itself: a patch grid stretched over an image of ``size`` (H, W)."""
    return make_plan(size, net=size, crop=size, stride=size, grid=grid)


def make_plan(
    source: tuple[int, int],
    *,
    net: tuple[int, int],
    crop: tuple[int, int],
    stride: tuple[int, int],
    grid: tuple[int, int],
    padded: tuple[int, int] | None = None,
) -> WindowPlan:
    """The plan of given sizes, all (height, width). ``padded=None``: windows are not padded.

    A frame smaller than the crop gives a smaller window, which padding surrounds (top and left get half,
    rounded down).
    """
    window = (min(crop[0], net[0]), min(crop[1], net[1]))
    padded = padded or window
    return WindowPlan(
        source_h=source[0],
        source_w=source[1],
        net_h=net[0],
        net_w=net[1],
        window_h=window[0],
        window_w=window[1],
        padded_h=padded[0],
        padded_w=padded[1],
        pad_top=(padded[0] - window[0]) // 2,
        pad_left=(padded[1] - window[1]) // 2,
        ys=window_starts(net[0], crop[0], stride[0]),
        xs=window_starts(net[1], crop[1], stride[1]),
        grid_h=grid[0],
        grid_w=grid[1],
    )


def slide_plan(
    source: tuple[int, int],
    *,
    crop: tuple[int, int],
    stride: tuple[int, int],
    short_side: int,
    long_side: int,
    grid: tuple[int, int],
) -> WindowPlan:
    """Sliding windows over the frame resized to ``short_side``, its long side at most ``long_side``."""
    scale = min(long_side / max(source), short_side / min(source))
    return _bundle_plan(source, scale, crop, stride, grid)


def whole_plan(source: tuple[int, int], *, crop: tuple[int, int], grid: tuple[int, int]) -> WindowPlan:
    """The frame resized so that it just covers one window; what sticks out gets further windows."""
    scale = max(crop[0] / source[0], crop[1] / source[1])
    return _bundle_plan(source, scale, crop, crop, grid)


def _bundle_plan(
    source: tuple[int, int],
    scale: float,
    crop: tuple[int, int],
    stride: tuple[int, int],
    grid: tuple[int, int],
) -> WindowPlan:
    net = (max(1, int(source[0] * scale + 0.5)), max(1, int(source[1] * scale + 0.5)))
    plan = make_plan(source, net=net, crop=crop, stride=stride, grid=grid, padded=crop)
    if plan.windows > MAX_WINDOWS:
        raise ValueError(
            f"a frame of {source} needs {plan.windows} windows, at most {MAX_WINDOWS} are allowed"
        )
    return plan
