"""Pictures from the command line: files, folders, videos, standard input, the sample."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable, ImageError

IMAGES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
STDIN = "-"
_ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True)
class Picture:
    """``image``: what a segmenter takes. ``title``: its origin. ``stem``: unique, for names of outputs."""

    image: Any
    title: str
    stem: str


@dataclass(frozen=True)
class Source:
    """One picture, or the frames of a video. ``frames``: how many, None where the file does not tell."""

    path: str
    stem: str
    frames: int | None = 1

    @property
    def is_video(self) -> bool:
        return Path(self.path).suffix.lower() in VIDEOS

    def pictures(self) -> Iterator[Picture]:
        from ..images import as_rgb

        if self.is_video:
            yield from _video_frames(self.path, self.stem)
        elif self.path == STDIN:
            yield Picture(as_rgb(io.BytesIO(sys.stdin.buffer.read())), "standard input", self.stem)
        else:
            yield Picture(self.path, self.path, self.stem)


def expand(inputs: Sequence[str]) -> list[Source]:
    """Folders become their images, in order of name; stems are made unique. Raises `ImageError`."""
    paths = [path for given in inputs for path in _files(given)]
    seen: dict[str, int] = {}
    sources = []
    for path in paths:
        stem = "stdin" if path == STDIN else Path(path).stem
        seen[stem] = seen.get(stem, 0) + 1
        unique = stem if seen[stem] == 1 else f"{stem}_{seen[stem]}"
        video = Path(path).suffix.lower() in VIDEOS
        sources.append(Source(path, unique, _frame_count(path) if video else 1))
    return sources


def sample() -> str:
    """The picture that comes with vocabseg."""
    found = sorted(path for path in _ASSETS.glob("sample.*") if path.suffix in IMAGES)
    if not found:
        raise ImageError(f"the sample picture is not installed ({_ASSETS}/sample.*); reinstall vocabseg")
    return str(found[0])


def _files(given: str) -> list[str]:
    path = Path(given)
    if given == STDIN or path.is_file():
        return [given]
    if not path.is_dir():
        raise ImageError(f"no such image, folder or video: {given}")
    files = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in IMAGES)
    if not files:
        raise ImageError(f"the folder {given} holds no image ({', '.join(sorted(IMAGES))})")
    return files


def _open_video(path: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise BackendUnavailable(
            f"videos need PyAV to be read ({path}); run: pip install 'vocabseg[video]'"
        ) from error
    try:
        container = av.open(path)
    except (OSError, ValueError) as error:  # PyAV's errors derive from these
        raise ImageError(f"cannot read {path} as a video: {error}") from error
    if not container.streams.video:
        container.close()
        raise ImageError(f"{path} holds no video stream")
    return container


def _frame_count(path: str) -> int | None:
    with _open_video(path) as container:
        return container.streams.video[0].frames or None


def _video_frames(path: str, stem: str) -> Iterator[Picture]:
    with _open_video(path) as container:
        try:
            for index, frame in enumerate(container.decode(video=0), start=1):
                yield Picture(
                    frame.to_ndarray(format="rgb24"), f"{path} frame {index}", f"{stem}_{index:06d}"
                )
        except (OSError, ValueError) as error:
            raise ImageError(f"cannot decode {path}: {error}") from error
