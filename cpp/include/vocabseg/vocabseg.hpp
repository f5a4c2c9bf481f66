// Everything of libvocabseg:
//
//   vocabseg::Segmenter seg{vocabseg::Bundle::open("demo")};
//   seg.set_vocabulary({"road", "car, truck, van", "background: sky"});
//   vocabseg::Segmentation out = seg.segment({pixels, width, height, row_stride});
#pragma once

#include "vocabseg/bundle.hpp"
#include "vocabseg/cuda_kernels.hpp"
#include "vocabseg/engine.hpp"
#include "vocabseg/error.hpp"
#include "vocabseg/segmenter.hpp"
#include "vocabseg/settings.hpp"
#include "vocabseg/text_encoder.hpp"
#include "vocabseg/tokenizer.hpp"
#include "vocabseg/vocabulary.hpp"
