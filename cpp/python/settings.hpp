#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "vocabseg/settings.hpp"

namespace vocabseg {

// `log`: None, or a callable that takes a level name and a message.
inline Settings make_settings(const std::string& backend, int threads, const std::string& precision,
                              const pybind11::object& log) {
  Settings settings;
  settings.backend = backend;
  settings.threads = threads;
  settings.precision = precision;
  if (!log.is_none()) {
    // Settings are copied and destroyed without the GIL, so only a pointer to the object is copied.
    const std::shared_ptr<pybind11::object> callable(new pybind11::object(log),
                                                     [](pybind11::object* object) {
                                                       const pybind11::gil_scoped_acquire acquire;
                                                       delete object;
                                                     });
    settings.log = [callable](Level level, std::string_view message) {
      static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
      const pybind11::gil_scoped_acquire acquire;
      (*callable)(kNames[static_cast<int>(level)], pybind11::str(message.data(), message.size()));
    };
  }
  return settings;
}

}  // namespace vocabseg
