# SPDX-License-Identifier: GPL-2.0-or-later
#
#   gp_room(plan SOURCES place.c diff.c … USES vendor_api model)
#
# One folder is one static library is one room. A room is included as "plan/place.h", and that name can only be
# resolved by a target that links the room: each room's headers are reached through a folder of its own that holds
# nothing but a link to it. So an arrow that is not declared here does not compile.
set(GP_ROOM_INCLUDES ${CMAKE_BINARY_DIR}/rooms)

function(gp_room_include target scope room)
  file(MAKE_DIRECTORY ${GP_ROOM_INCLUDES}/${room})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/reconciler/${room} ${GP_ROOM_INCLUDES}/${room}/${room} SYMBOLIC)
  target_include_directories(${target} ${scope} ${GP_ROOM_INCLUDES}/${room})
endfunction()

function(gp_room room)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(gp_${room} STATIC ${arg_SOURCES})
  gp_room_include(gp_${room} PUBLIC ${room})
  target_link_libraries(gp_${room} PUBLIC gp_compile_options ${arg_USES} PRIVATE ${arg_PRIVATE})
endfunction()

# A program of ours or of the tests: gp_program(NAME SOURCES … USES …).
function(gp_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE gp_compile_options ${arg_USES})
endfunction()
