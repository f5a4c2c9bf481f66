# cmake --install: library, headers and the CMake package `vocabseg` with its target vocabseg::vocabseg.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vocabseg)
set(installed_targets vocabseg)
if(NOT BUILD_SHARED_LIBS)
  list(APPEND installed_targets vocabseg_kernels)
  if(VOCABSEG_FETCH_HIGHWAY)
    list(APPEND installed_targets hwy)
  endif()
endif()
set_target_properties(vocabseg PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)

install(TARGETS ${installed_targets} EXPORT vocabsegTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/cpp/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT vocabsegTargets NAMESPACE vocabseg:: DESTINATION ${package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vocabsegConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/vocabsegConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vocabsegConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vocabsegConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/vocabsegConfigVersion.cmake
  DESTINATION ${package_dir})
