# What vocabseg builds on. Each lack is one message with the command that cures it.
find_package(Threads REQUIRED)
include(VocabsegHighway)

find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp)
if(NOT NLOHMANN_JSON_INCLUDE_DIR)
  message(FATAL_ERROR "nlohmann/json.hpp is missing. Install it with: sudo apt-get install nlohmann-json3-dev")
endif()

# OpenVINO: where CMake looks, else in the wheel that a Python interpreter has.
function(vocabseg_find_openvino)
  find_package(OpenVINO QUIET COMPONENTS Runtime)
  if(NOT OpenVINO_FOUND)
    find_program(VOCABSEG_PYTHON3 NAMES python3 python)
    if(VOCABSEG_PYTHON3)
      execute_process(
        COMMAND ${VOCABSEG_PYTHON3} -c
          "import importlib.util, pathlib; print(pathlib.Path(importlib.util.find_spec('openvino').origin).parent / 'cmake')"
        OUTPUT_VARIABLE wheel_dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      if(wheel_dir)
        set(OpenVINO_DIR ${wheel_dir} CACHE PATH "Folder of OpenVINOConfig.cmake" FORCE)
        find_package(OpenVINO QUIET COMPONENTS Runtime)
      endif()
    endif()
  endif()
  set(OpenVINO_FOUND ${OpenVINO_FOUND} PARENT_SCOPE)
  set(OpenVINO_VERSION ${OpenVINO_VERSION} PARENT_SCOPE)
endfunction()

set(OpenVINO_FOUND FALSE)
if(VOCABSEG_OPENVINO)
  vocabseg_find_openvino()
endif()
if(OpenVINO_FOUND)
  message(STATUS "OpenVINO ${OpenVINO_VERSION} in ${OpenVINO_DIR}")
elseif(VOCABSEG_PYTHON)
  message(FATAL_ERROR "OpenVINO is missing; the Python extension needs it. Install it with: pip install openvino==2026.4.1")
else()
  message(STATUS "Building without the OpenVINO engine. To have it: pip install openvino==2026.4.1, then configure again "
                 "with that environment's python3 first on PATH, or with -DOpenVINO_DIR=<site-packages>/openvino/cmake")
endif()
