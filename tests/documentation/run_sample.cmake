# cmake -Dprogram=... -Dexpected=FILE -P run_sample.cmake: runs a sample and compares what it prints.
cmake_minimum_required(VERSION 3.25)

list(REMOVE_ITEM program "")
file(READ ${expected} wanted)
execute_process(COMMAND ${program} OUTPUT_VARIABLE found COMMAND_ERROR_IS_FATAL ANY)
if(NOT found STREQUAL wanted)
  message(FATAL_ERROR "expected\n${wanted}found\n${found}")
endif()
