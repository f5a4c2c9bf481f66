// Reads lines of "arch, shared bytes and warps of a multiprocessor, warps, registers, shared bytes of a block";
// prints how many blocks are resident, by NVIDIA's cuda_occupancy.h.
#include <cstddef>
#include <cuda_occupancy.h>
#include <iostream>

int main() {
  int arch, shared_per_multiprocessor, max_warps, warps, registers, shared;
  while (std::cin >> arch >> shared_per_multiprocessor >> max_warps >> warps >> registers >> shared) {
    cudaOccDeviceProp device;
    device.computeMajor = arch / 10;
    device.computeMinor = arch % 10;
    device.maxThreadsPerBlock = 1024;
    device.maxThreadsPerMultiprocessor = 32 * max_warps;
    device.regsPerBlock = device.regsPerMultiprocessor = 64 * 1024;
    device.warpSize = 32;
    device.sharedMemPerBlock = 48 * 1024;
    device.sharedMemPerMultiprocessor = shared_per_multiprocessor;
    device.sharedMemPerBlockOptin = shared_per_multiprocessor - 1024;
    device.reservedSharedMemPerBlock = 1024;
    device.numSms = 1;
    cudaOccFuncAttributes function;
    function.maxThreadsPerBlock = 1024;
    function.numRegs = registers;
    function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    function.maxDynamicSharedSizeBytes = shared;
    cudaOccDeviceState state;
    state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    cudaOccResult result{};
    if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &state, 32 * warps, shared) !=
        CUDA_OCC_SUCCESS) {
      return 1;
    }
    std::cout << result.activeBlocksPerMultiprocessor << '\n';
  }
}
