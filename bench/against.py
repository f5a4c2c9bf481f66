"""Whole frames of the runtime against the published pipelines: results compared first, then time and memory."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .measure import extra_memory, peak_memory, seconds, summary

if TYPE_CHECKING:
    import torch

AGREEMENT = 0.995  # of labels, both sides in float32: the rest are ties of two words
ROUNDS = 3
SIDES = ("ours", "ours_float32", "plain")


@dataclass(frozen=True)
class Case:
    """A method, its windows, and whether its official code sees the frame's middle at the window's size only."""

    method: str
    window: str
    middle: bool = False

    def picture(self, frame: np.ndarray) -> np.ndarray:
        if not self.middle:
            return frame
        import cv2

        height, width = (int(side) for side in self.window.split("x"))
        side = min(frame.shape[:2])
        top, left = ((length - side) // 2 for length in frame.shape[:2])
        return cv2.resize(frame[top : top + side, left : left + side], (width, height))


def cases(model: str) -> list[Case]:
    """Windows as the official configurations have them: sliding, whole (ResCLIP on VOC), the middle (CLIPtrase)."""
    if model == "tiny":
        return [Case("scclip", "slide"), Case("resclip", "112x176"), Case("cliptrase", "224x224", True)]
    return [
        Case("scclip", "slide"),
        Case("resclip", "336x448"),
        Case("resclip", "slide"),
        Case("cliptrase", "224x224", True),
        Case("cliptrase", "336x336", True),
    ]


def ours(path: Path, threads: int, precision: str) -> Callable[[np.ndarray], np.ndarray]:
    """A frame to labels, by the runtime."""
    from .methods import open_bundle

    segmenter = open_bundle(path, threads, precision)
    return lambda frame: segmenter(frame, scores=False).labels


def plain(model: str, case: Case, path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """A frame to labels, by the published pipeline."""
    import torch

    from vocabseg import Vocabulary

    from . import method_bundles, pipelines
    from .methods import words_of

    torch.set_num_threads(threads)
    visual = method_bundles.source(model).visual
    text = torch.from_numpy(Vocabulary.load(words_of(path)).embeddings)
    return lambda frame: plain_labels(case, visual, text, frame, method_bundles, pipelines)


def plain_labels(
    case: Case, visual: Any, text: torch.Tensor, frame: np.ndarray, method_bundles: Any, pipelines: Any
) -> np.ndarray:
    plan = method_bundles.plan(case.window, frame.shape[:2], visual.config.patch_size)
    if case.method != "cliptrase":
        return pipelines.segment(getattr(pipelines, case.method), visual, text, frame, plan)
    settings = method_bundles.method("cliptrase")
    return pipelines.cliptrase(visual, text, frame, plan, settings.eps, settings.min_samples)


def side(name: str, model: str, case: Case, path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    if name == "plain":
        return plain(model, case, path, threads)
    return ours(path, threads, "auto" if name == "ours" else "float32")


def memory(name: str, model: str, case: Case, path: Path, threads: int, frame: np.ndarray) -> dict:
    """Bytes that the first frame and a later one take beyond what is there before, and the process's peak.

    For a process of its own. What is kept from the first frame on, such as an engine's packed weights, is in the
    first figure and not in the second.
    """
    work = side(name, model, case, path, threads)
    loading = peak_memory()
    first = extra_memory(lambda: work(frame))
    peak = max(loading or 0, peak_memory() or 0)
    later = extra_memory(lambda: work(frame))
    return {"first_frame_bytes": first, "later_frame_bytes": later, "process_bytes": peak}


def compare(case: Case, args: argparse.Namespace, make_bundle: Callable[..., Path]) -> dict:
    from .methods import frames

    pictures = [case.picture(frame) for frame in frames(*args.size, min(args.rounds, ROUNDS))]
    path = make_bundle(case.method, case.window, pictures[0])
    setting = (args.model, case, path, args.threads)
    sides = {name: side(name, *setting) for name in SIDES}
    labels = {name: work(pictures[0]) for name, work in sides.items()}
    agreement = {name: float((labels[name] == labels["plain"]).mean()) for name in SIDES[:2]}
    if agreement["ours_float32"] < AGREEMENT:
        raise SystemExit(f"{case.method}: only {agreement['ours_float32']:.4f} of the labels agree")
    samples: dict[str, list[float]] = {name: [] for name in SIDES}
    for picture in pictures:
        for name, work in sides.items():
            samples[name].append(1e3 * seconds(lambda w=work: w(picture)))  # noqa: B023
    row = {"method": case.method, "window": case.window, "agreement": agreement}
    row["ms"] = {name: summary(values) for name, values in samples.items()}
    row["samples_ms"] = samples
    row["memory"] = {name: alone(memory, name, *setting, pictures[0]) for name in SIDES}
    row["times_faster"] = {
        name: float(np.median(np.array(samples["plain"]) / samples[name])) for name in SIDES[:2]
    }
    if not args.json:
        print(line(row), flush=True)
    return row


def alone(work: Callable[..., dict], *arguments: Any) -> dict:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def line(row: dict) -> str:
    text = f"{row['method']:<10} {row['window']:<8}"
    for name in SIDES:
        memory = row["memory"][name]
        text += f"  {name} {row['ms'][name]['p50']:.0f} ms, {memory['first_frame_bytes'] / 1e6:.0f} MB"
        text += (
            f" (later {memory['later_frame_bytes'] / 1e6:.0f}, process {memory['process_bytes'] / 1e6:.0f})"
        )
        if name != "plain":
            text += f", {row['times_faster'][name]:.1f}x, labels {100 * row['agreement'][name]:.2f} %"
    return text
