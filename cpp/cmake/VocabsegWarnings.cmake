# Warnings for vocabseg's own targets; what they include from others is not affected. With sanitizers GCC takes members
# of an empty std::optional for uninitialised ones that are read: gcc.gnu.org, Instrumentation Options.
function(vocabseg_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${VOCABSEG_WARNINGS_AS_ERRORS}>:-Werror>)
  if(VOCABSEG_SANITIZERS AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
endfunction()
