#include "fake_state.hpp"

namespace fake_cuda {

thread_local Context* current = nullptr;

State& state() {
  static auto* only = new State;  // outlives every user
  return *only;
}

int enter(const char* call, bool releases) {
  ++state().calls[call];
  const auto found = state().failures.find(call);
  if (found != state().failures.end()) return found->second;
  if (releases || state().fail_in == 0 || --state().fail_in > 0) return 0;
  state().failed = call;
  return state().failure;
}

}  // namespace fake_cuda

extern "C" {

int cuGetErrorName(int result, const char** text) {
  static const std::map<int, const char*> names = {
      {1, "CUDA_ERROR_INVALID_VALUE"},       {2, "CUDA_ERROR_OUT_OF_MEMORY"},
      {100, "CUDA_ERROR_NO_DEVICE"},         {201, "CUDA_ERROR_INVALID_CONTEXT"},
      {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {400, "CUDA_ERROR_INVALID_HANDLE"},
      {500, "CUDA_ERROR_NOT_FOUND"},         {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
  const auto found = names.find(result);
  *text = found == names.end() ? nullptr : found->second;
  return found == names.end() ? fake_cuda::kInvalidValue : 0;
}

int cuGetErrorString(int result, const char** text) {
  *text = "as the test wanted";
  return result == 0 ? fake_cuda::kInvalidValue : 0;
}

}  // extern "C"
