// What TensorRT's headers need of CUDA, for machines without its toolkit: opaque handles.
#pragma once

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
