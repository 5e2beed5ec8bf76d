# What `cmake --install` gives beside the program (cli/): headers, the library, find_package(bitnet)
# and bitnet.pc. tests/install builds a consumer against the result.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(bitnet PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/bitnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS bitnet EXPORT bitnetTargets)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)
install(EXPORT bitnetTargets NAMESPACE bitnet:: DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/bitnetConfig.cmake.in bitnetConfig.cmake
  INSTALL_DESTINATION ${package_folder})
# Before 1.0 a minor version may break the API.
write_basic_package_version_file(bitnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/bitnetConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/bitnetConfigVersion.cmake
  DESTINATION ${package_folder})

# bitnet.pc finds the prefix from its own place, so that an installed tree can be moved.
set(pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH prefix_from_pkgconfig /${pkgconfig_folder} /)
string(REGEX REPLACE "/$" "" prefix_from_pkgconfig ${prefix_from_pkgconfig})
# Users of a static library link what it needs; those whose compiler is not of C++ ask for --static.
set(bitnet_pcre2_library)
set(bitnet_cxx_libraries)
get_target_property(library_type bitnet TYPE)
get_target_property(link_libraries bitnet LINK_LIBRARIES)
if(library_type STREQUAL "STATIC_LIBRARY")
  if("pcre2-8" IN_LIST link_libraries)
    set(bitnet_pcre2_library " -lpcre2-8")
  endif()
  foreach(library stdc++ c++ m)
    if(library IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
      string(APPEND bitnet_cxx_libraries " -l${library}")
    endif()
  endforeach()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/bitnet.pc.in bitnet.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/bitnet.pc DESTINATION ${pkgconfig_folder})
