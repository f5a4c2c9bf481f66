"""Parts of a step side by side: one thread a part, instead of all threads on each small operation.

The threads wait for each other twice a step, not at every operation, which also bears a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

Part = Callable[[], Tensor]


class Workers:
    """Some threads, each with one PyTorch thread of its own."""

    def __init__(self, threads: int, bfloat16: bool) -> None:
        self.bfloat16 = bfloat16
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def _run(self, part: Part) -> Tensor:
        # autocast is a setting of the thread
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            return part().float()

    @contextmanager
    def forward(self, parts: Sequence[Part]) -> Iterator[list[Tensor]]:
        """Run the parts; inside, the caller takes its loss backward to the outputs; then the parts go backward.

        Gradients of one parameter come from two parts at most, so that their sum does not depend on the order.
        """
        outputs = list(self.pool.map(self._run, parts))
        leaves = [output.detach().requires_grad_() for output in outputs]
        yield leaves
        list(self.pool.map(lambda output, leaf: output.backward(leaf.grad), outputs, leaves))
