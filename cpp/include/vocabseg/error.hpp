// One exception class per cause; the Python classes in vocabseg/errors.py have the same names.
// Every message says what was got, what was expected, and what to run next.
#pragma once

#include <stdexcept>

namespace vocabseg {

// Base of everything that vocabseg throws on purpose.
class VocabsegError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A bundle is missing, incomplete, altered, of another schema, or points outside its folder.
class BundleError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// The engine that was asked for cannot run on this machine.
class BackendUnavailable : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// An engine failed while it compiled or ran a network.
class EngineError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// A built engine is of another graph, TensorRT, device or profile than the one it is asked to run
// as.
class EngineMismatch : public EngineError {
 public:
  using EngineError::EngineError;
};

// A device has too little memory for a run.
class OutOfMemory : public EngineError {
 public:
  using EngineError::EngineError;
};

// An image's size or layout is not one that can be segmented.
class ImageError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// Masks do not fit the image, or a run-length code is not valid.
class MaskError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// Words, templates or stored text embeddings cannot be used.
class VocabularyError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// The cache folder cannot be used as it was told to.
class CacheError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// Arguments of an op do not fit together.
class ShapeError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// A state dict is not in a layout that vocabseg reads.
class WeightsError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// A weights hub cannot be reached.
class OfflineError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// An engine's results are too far from the stored reference.
class ParityError : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

// The work was cancelled by its caller.
class Cancelled : public VocabsegError {
 public:
  using VocabsegError::VocabsegError;
};

}  // namespace vocabseg
