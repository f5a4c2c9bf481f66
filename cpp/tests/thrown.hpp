#pragma once

#include <string>

namespace vocabseg::test {

// The message of the error that a call throws, or "not thrown".
template <class Error, class Call>
std::string thrown(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "not thrown";
}

}  // namespace vocabseg::test
