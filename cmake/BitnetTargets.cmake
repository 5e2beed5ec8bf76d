# Programs lie directly in the build folder: build/release/bitnet.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# Warnings and floating-point rules that every target of the project shares.
function(bitnet_target_defaults target)
  # No fused multiply-add behind our back: every ISA computes the same floats (docs/numerics.md).
  target_compile_options(${target} PRIVATE -ffp-contract=off)
  if(BITNET_DEVELOPER_MODE)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Werror)
  endif()
endfunction()

# One kernel file, compiled with its ISA's flags and always optimized: at -O0 inline functions would
# leave weak symbols holding instructions that other CPUs lack.
function(bitnet_isa_source target file)
  target_sources(${target} PRIVATE ${file})
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "-O3;${ARGN}")
endfunction()
