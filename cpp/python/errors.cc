#include "bindings.hpp"
#include "vocabseg/error.hpp"

namespace py = pybind11;

namespace vocabseg {
namespace {

// Raises `name` of vocabseg.errors where C++ throws Exception. Translators registered last are
// tried first, so the base class is registered first.
template <class Exception>
void translate(const char* name) {
  static py::object* type = nullptr;
  type = new py::object(py::module_::import("vocabseg.errors").attr(name));  // lives to the end
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Exception& error) {
      py::set_error(*type, error.what());
    }
  });
}

}  // namespace

void bind_errors(py::module_&) {
  translate<VocabsegError>("VocabsegError");
  translate<BundleError>("BundleError");
  translate<BackendUnavailable>("BackendUnavailable");
  translate<EngineError>("EngineError");
  translate<EngineMismatch>("EngineMismatch");
  translate<OutOfMemory>("OutOfMemory");
  translate<ParityError>("ParityError");
  translate<CacheError>("CacheError");
  translate<ImageError>("ImageError");
  translate<VocabularyError>("VocabularyError");
  translate<MaskError>("MaskError");
  translate<ShapeError>("ShapeError");
  translate<Cancelled>("Cancelled");
}

}  // namespace vocabseg
