# Warnings for vocabseg's own targets; what they include from others is not affected.
function(vocabseg_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra
    $<$<BOOL:${VOCABSEG_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()
