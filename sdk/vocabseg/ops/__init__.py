"""The ops as functions of NumPy arrays: one function per op, one registry of implementations.

>>> from vocabseg import ops
>>> scores = ops.patch_text_similarity(features, text)              # [N, D], [Q, D] -> [Q, N]
>>> labels = ops.decode_labels(scores.reshape(-1, 14, 14), (480, 640))
>>> pooled, area = ops.mask_pool(features.reshape(14, 14, -1), masks)

Every function takes ``impl``: ``"auto"`` or an id of ``ops.implementations(name)``, such as ``"cpu"`` or
``"label_decoding/cpu"``; an implementation that is named runs or raises. ``threads`` is the number of CPU
threads (None: all); results are the same bits for any number.
"""

from ..kernels.common.window_plan import WindowPlan
from .decoding import decode_labels, upsample_scores
from .frame import pamr, preprocess, window_plan
from .pooling import mask_pool
from .registry import Implementation, implementations, record
from .similarity import patch_text_similarity

__all__ = [
    "Implementation",
    "WindowPlan",
    "decode_labels",
    "implementations",
    "mask_pool",
    "pamr",
    "patch_text_similarity",
    "preprocess",
    "record",
    "upsample_scores",
    "window_plan",
]
