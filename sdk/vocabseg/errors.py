"""One exception class per cause. Every message says what was got, what was expected, and what to run next.

The C++ core raises the same classes (``cpp/include/vocabseg/error.hpp``); the binding translates them one to one.
"""


class VocabsegError(RuntimeError):
    """Base of everything that vocabseg raises on purpose."""


class BundleError(VocabsegError):
    """A bundle is missing, incomplete, altered, of another schema, or points outside its folder."""


class BackendUnavailable(VocabsegError):
    """The engine that was asked for cannot run on this machine."""


class EngineError(VocabsegError):
    """An engine failed while it compiled or ran a network."""


class EngineMismatch(EngineError):
    """A built engine is of another graph, TensorRT, device or profile than the one it is asked to run as."""


class OutOfMemory(EngineError):
    """A device has too little memory for a run."""


class ImageError(VocabsegError):
    """An image cannot be read, or its type, shape or size is not one that can be segmented."""


class MaskError(VocabsegError):
    """Masks do not fit the image, or a run-length code is not valid."""


class VocabularyError(VocabsegError):
    """Words, templates or stored text embeddings cannot be used."""


class CacheError(VocabsegError):
    """The cache folder cannot be used as it was told to."""


class ShapeError(VocabsegError):
    """Arguments of an op do not fit together."""


class WeightsError(VocabsegError):
    """A state dict is not in a layout that vocabseg reads."""


class OfflineError(VocabsegError):
    """A weights hub cannot be reached."""


class ParityError(VocabsegError):
    """An engine's results are too far from the stored reference."""


class Cancelled(VocabsegError):
    """The work was cancelled by its caller."""
