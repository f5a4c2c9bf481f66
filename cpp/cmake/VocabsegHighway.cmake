# Google Highway: the distribution's (Debian 12 and Ubuntu 24.04 have 1.0), or a pinned release where that is older.
option(VOCABSEG_FETCH_HIGHWAY "Download and build Highway 1.0.3 instead of using the system's" OFF)

if(VOCABSEG_FETCH_HIGHWAY)
  include(FetchContent)
  if(POLICY CMP0135)
    cmake_policy(SET CMP0135 NEW)  # a new archive is built anew
  endif()
  set(HWY_ENABLE_TESTS OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
  set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
  FetchContent_Declare(highway
    URL https://deb.debian.org/debian/pool/main/h/highway/highway_1.0.3.orig.tar.gz
        https://github.com/google/highway/archive/refs/tags/1.0.3.tar.gz
    URL_HASH SHA256=566fc77315878473d9a6bd815f7de78c73734acdcb745c3dde8579560ac5440e)
  FetchContent_MakeAvailable(highway)
  if(NOT TARGET hwy::hwy)
    add_library(hwy::hwy ALIAS hwy)
  endif()
else()
  find_package(hwy 1.0 CONFIG QUIET)
  if(NOT hwy_FOUND)
    message(FATAL_ERROR "Google Highway 1.0 or newer is missing. Install it with: sudo apt-get install libhwy-dev "
                        "(where that is older, as on Ubuntu 22.04, configure with -DVOCABSEG_FETCH_HIGHWAY=ON)")
  endif()
endif()
