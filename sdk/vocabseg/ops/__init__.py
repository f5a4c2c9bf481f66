"""The ops as functions of arrays: one function per op, one registry of implementations.

>>> from vocabseg import ops
>>> scores = ops.patch_text_similarity(features, text)              # [N, D], [Q, D] -> [Q, N]
>>> labels = ops.decode_labels(scores.reshape(-1, 14, 14), (480, 640))
>>> pooled, area = ops.mask_pool(features.reshape(14, 14, -1), masks)

Arrays are NumPy arrays, torch tensors or anything that speaks DLPack; results are of the kind of the first one.
Every function takes ``impl``: ``"auto"`` or an id of ``ops.implementations(name)``, such as ``"cpu"`` or
``"label_decoding/cpu"``; an implementation that is named runs or raises. ``threads`` is the number of CPU
threads (None: all); results are the same bits for any number.
"""

from ..kernels.common.window_plan import WindowPlan
from .attention import correlative_attention
from .clustering import cluster_maps, dbscan
from .decoding import decode_labels, upsample_scores
from .mask_forms import PackedMasks
from .pooling import mask_classification, mask_pool
from .preprocessing import preprocess, window_plan
from .refinement import pamr
from .registry import Implementation, choose, implementations, record
from .similarity import patch_text_similarity, top_classes

__all__ = [
    "Implementation",
    "PackedMasks",
    "WindowPlan",
    "choose",
    "cluster_maps",
    "dbscan",
    "correlative_attention",
    "decode_labels",
    "implementations",
    "mask_classification",
    "mask_pool",
    "pamr",
    "patch_text_similarity",
    "preprocess",
    "record",
    "top_classes",
    "upsample_scores",
    "window_plan",
]
