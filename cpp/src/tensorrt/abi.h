/* What libvocabseg_tensorrt.so and the core agree on: plain C, so that neither needs the other's
   compiler, and no exception crosses. A change of anything here raises VOCABSEG_TENSORRT_ABI. */
#ifndef VOCABSEG_TENSORRT_ABI_H
#define VOCABSEG_TENSORRT_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VOCABSEG_TENSORRT_ABI = 2, VOCABSEG_TENSORRT_RANK = 8 };

/* Of a tensor's values. */
enum { VOCABSEG_TENSORRT_FLOAT32 = 0, VOCABSEG_TENSORRT_INT64 = 1, VOCABSEG_TENSORRT_OTHER = 2 };

typedef struct vocabseg_tensorrt_engine vocabseg_tensorrt_engine;

/* What went wrong, as text that ends with a zero byte. */
typedef struct {
  char text[2048];
} vocabseg_tensorrt_error;

/* A tensor of a network. A length of -1 is chosen per run, of an input between the `smallest` and
   the `largest` of its profiles. */
typedef struct {
  const char* name; /* as long as the engine */
  int32_t is_input, type, rank;
  int64_t shape[VOCABSEG_TENSORRT_RANK];
  int64_t smallest[VOCABSEG_TENSORRT_RANK], largest[VOCABSEG_TENSORRT_RANK];
} vocabseg_tensorrt_tensor;

/* A tensor of a run in device memory, starting at a multiple of 256 bytes. */
typedef struct {
  const char* name;
  int32_t is_input, rank;
  int64_t shape[VOCABSEG_TENSORRT_RANK];
  void* data;
} vocabseg_tensorrt_view;

typedef struct {
  int32_t abi; /* first in every version */

  /* Of the TensorRT that is loaded: major * 10000 + minor * 100 + patch. */
  int32_t (*version)(void);

  /* Reads a serialised engine into the device whose CUDA context is current. Null: see `error`. */
  vocabseg_tensorrt_engine* (*open)(const void* plan, size_t bytes, vocabseg_tensorrt_error* error);
  void (*close)(vocabseg_tensorrt_engine* engine);

  /* Fills at most `capacity` tensors; how many there are. */
  int32_t (*tensors)(const vocabseg_tensorrt_engine* engine, vocabseg_tensorrt_tensor* tensors,
                     int32_t capacity);

  /* Sets the shapes of the runs to come; does not look at the views' data. How many bytes of device
     memory such a run works in, or -1: see `error`. */
  int64_t (*prepare)(vocabseg_tensorrt_engine* engine, const vocabseg_tensorrt_view* views,
                     int32_t count, void* stream, vocabseg_tensorrt_error* error);

  /* Queues a run on a stream, and does not wait for it. Every tensor has one view, with the shape
     that was prepared. It works in `memory`, of as many bytes as `prepare` said, which starts at a
     multiple of 256 bytes. One call at a time. 0: queued, else see `error`. */
  int32_t (*run)(vocabseg_tensorrt_engine* engine, const vocabseg_tensorrt_view* views,
                 int32_t count, void* memory, int64_t bytes, void* stream,
                 vocabseg_tensorrt_error* error);
} vocabseg_tensorrt_api;

/* The only symbol that the library exports. */
typedef const vocabseg_tensorrt_api* (*vocabseg_tensorrt_entry)(void);
#define VOCABSEG_TENSORRT_ENTRY "vocabseg_tensorrt"

#ifdef __cplusplus
}
#endif

#endif
