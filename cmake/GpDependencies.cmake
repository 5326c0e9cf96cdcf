# SPDX-License-Identifier: GPL-2.0-or-later
# One interface target per library that we use. Their Debian packages: contrib/packages.txt.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(gp_dependency name module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(dep_${name} INTERFACE)
  target_link_libraries(dep_${name} INTERFACE PkgConfig::${name})
  add_library(dep::${name} ALIAS dep_${name})
endfunction()

gp_dependency(yaml yaml-0.1)
gp_dependency(json json-c)
gp_dependency(pci libpci)
gp_dependency(uuid uuid)
if(GP_TESTS)
  gp_dependency(check check)
endif()

# libvirt is loaded on demand (its 57 libraries cost 8 ms a start), so only its headers are needed to build.
pkg_check_modules(libvirt REQUIRED libvirt)
add_library(dep_libvirt INTERFACE)
target_include_directories(dep_libvirt SYSTEM INTERFACE ${libvirt_INCLUDE_DIRS})
target_link_libraries(dep_libvirt INTERFACE ${CMAKE_DL_LIBS})
add_library(dep::libvirt ALIAS dep_libvirt)

# So is libxml2 (with ICU and libstdc++ 2 ms a start), which plain documents do not need.
pkg_check_modules(libxml REQUIRED libxml-2.0)
add_library(dep_xml INTERFACE)
target_include_directories(dep_xml SYSTEM INTERFACE ${libxml_INCLUDE_DIRS})
target_link_libraries(dep_xml INTERFACE ${CMAKE_DL_LIBS})
add_library(dep::xml ALIAS dep_xml)

if(GP_SANITIZE)
  # The sanitizers stand in for the XDR functions and look for the real ones when a program starts. libvirt would bring
  # libtirpc along too late for that, and then calls nothing.
  find_library(tirpc NAMES libtirpc.so.3)
  if(tirpc)
    target_link_options(dep_libvirt INTERFACE "LINKER:--push-state,--no-as-needed,${tirpc},--pop-state")
  endif()
endif()
