# TensorRT 10.3 or newer: the system's, a folder's, or PyPI's wheel, which has the library but no headers.
# Sets VOCABSEG_NVINFER_INCLUDE, VOCABSEG_NVINFER_LIBRARY and VOCABSEG_CUDART_INCLUDE, or VOCABSEG_TENSORRT_PROBLEM.
set(TensorRT_ROOT "" CACHE PATH "Folder with TensorRT's include and lib")
option(VOCABSEG_FETCH_TENSORRT_HEADERS "Download the headers of TensorRT 10.14 and use the library of PyPI's wheel" OFF)
set(VOCABSEG_SITE_PACKAGES "" CACHE PATH "Folder of the wheels that pip installed (setup.py sets this)")

set(VOCABSEG_TENSORRT_HEADERS_VERSION 10.14)
set(VOCABSEG_TENSORRT_WHEEL_COMMAND "pip install 'tensorrt>=${VOCABSEG_TENSORRT_HEADERS_VERSION},<11'")

# NVIDIA's headers (Apache-2.0), in a wheel on PyPI that carries them.
function(vocabseg_fetch_tensorrt_headers)
  include(FetchContent)
  if(POLICY CMP0135)
    cmake_policy(SET CMP0135 NEW)
  endif()
  FetchContent_Declare(tensorrt_headers
    URL https://files.pythonhosted.org/packages/01/db/065d4b52e3550f7f981ddd81dc525435622acbabf467226196447e0f2547/kernel_lens-2.0.1-py3-none-any.whl
    URL_HASH SHA256=07cc714e8b5e7f34b672f7c7fad93febe7c747be5837ba276b1527370134ffe0)
  FetchContent_MakeAvailable(tensorrt_headers)
  set(VOCABSEG_NVINFER_INCLUDE ${tensorrt_headers_SOURCE_DIR}/kernel_lens/include/tensorrt PARENT_SCOPE)
endfunction()

# A newer library of the same major version serves older headers: docs.nvidia.com/deeplearning/tensorrt, Support Policies.
function(vocabseg_find_tensorrt_wheel)
  set(library ${VOCABSEG_SITE_PACKAGES}/tensorrt_libs/libnvinfer.so.10)
  file(GLOB records ${VOCABSEG_SITE_PACKAGES}/tensorrt_cu*_libs-*.dist-info)
  string(REGEX MATCH "_libs-([0-9]+([.][0-9]+)*)" found "${records}")
  if(NOT EXISTS ${library} OR (found AND CMAKE_MATCH_1 VERSION_LESS VOCABSEG_TENSORRT_HEADERS_VERSION))
    if(NOT found)
      set(CMAKE_MATCH_1 none)
    endif()
    message(FATAL_ERROR "VOCABSEG_FETCH_TENSORRT_HEADERS needs the library of TensorRT 10, "
      "${VOCABSEG_TENSORRT_HEADERS_VERSION} or newer, in '${VOCABSEG_SITE_PACKAGES}/tensorrt_libs'; found: ${CMAKE_MATCH_1}. "
      "Install it first: ${VOCABSEG_TENSORRT_WHEEL_COMMAND}")
  endif()
  set(VOCABSEG_NVINFER_LIBRARY ${library} PARENT_SCOPE)
endfunction()

function(vocabseg_tensorrt_version header result)
  file(STRINGS ${header} lines REGEX "define (NV_TENSORRT|TRT)_(MAJOR|MINOR)(_ENTERPRISE)? +[0-9]+")
  string(REGEX REPLACE "[^;]*MAJOR[^;0-9]*([0-9]+)[^;]*;[^;]*MINOR[^;0-9]*([0-9]+).*" "\\1.\\2" version "${lines}")
  set(${result} ${version} PARENT_SCOPE)
endfunction()

if(VOCABSEG_FETCH_TENSORRT_HEADERS)
  vocabseg_find_tensorrt_wheel()
  vocabseg_fetch_tensorrt_headers()
else()
  find_path(VOCABSEG_NVINFER_INCLUDE NvInfer.h HINTS ${TensorRT_ROOT} PATH_SUFFIXES include
    include/${CMAKE_LIBRARY_ARCHITECTURE} DOC "Folder of NvInfer.h")
  find_library(VOCABSEG_NVINFER_LIBRARY nvinfer HINTS ${TensorRT_ROOT} PATH_SUFFIXES lib DOC "libnvinfer.so")
endif()
find_path(VOCABSEG_CUDART_INCLUDE cuda_runtime_api.h HINTS /usr/local/cuda $ENV{CUDA_HOME} PATH_SUFFIXES include
  targets/${CMAKE_SYSTEM_PROCESSOR}-linux/include DOC "Folder of cuda_runtime_api.h")
if(NOT VOCABSEG_CUDART_INCLUDE)
  set(VOCABSEG_CUDART_INCLUDE ${PROJECT_SOURCE_DIR}/cpp/tensorrt/cuda)
endif()

set(VOCABSEG_TENSORRT_PROBLEM "")
if(NOT VOCABSEG_NVINFER_INCLUDE)
  set(VOCABSEG_TENSORRT_PROBLEM "there is no NvInfer.h")
else()
  vocabseg_tensorrt_version(${VOCABSEG_NVINFER_INCLUDE}/NvInferVersion.h version)
  if(version VERSION_LESS 10.3)
    set(VOCABSEG_TENSORRT_PROBLEM "TensorRT in ${VOCABSEG_NVINFER_INCLUDE} is ${version}")
  elseif(VOCABSEG_PYTHON AND NOT VOCABSEG_NVINFER_LIBRARY)
    set(VOCABSEG_TENSORRT_PROBLEM "there is no libnvinfer.so beside ${VOCABSEG_NVINFER_INCLUDE}/NvInfer.h")
  endif()
endif()
