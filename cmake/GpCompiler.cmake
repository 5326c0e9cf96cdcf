# SPDX-License-Identifier: GPL-2.0-or-later
# How every target of ours is compiled. Nothing here is global: a target takes it by linking gp_compile_options.
add_library(gp_compile_options INTERFACE)
target_compile_features(gp_compile_options INTERFACE c_std_17)
target_compile_definitions(gp_compile_options INTERFACE _GNU_SOURCE GP_VERSION="${PROJECT_VERSION}")
target_compile_options(gp_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wwrite-strings -Wpointer-arith -Wcast-align -Wvla -Wformat=2 -Wundef -Wdouble-promotion
  -Wimplicit-fallthrough -Wnull-dereference
  -fno-common -fstack-protector-strong -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(gp_compile_options INTERFACE -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
if(GP_WERROR)
  target_compile_options(gp_compile_options INTERFACE -Werror)
endif()
if(GP_SANITIZE)
  target_compile_options(gp_compile_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                     -fno-omit-frame-pointer -Wno-null-dereference)
  target_link_options(gp_compile_options INTERFACE -fsanitize=address,undefined)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(gp_compile_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(GP_COVERAGE)
  # Counters are shared by threads.
  target_compile_options(gp_compile_options INTERFACE --coverage -fprofile-update=atomic -O0 -Wno-null-dereference -U_FORTIFY_SOURCE)
  target_link_options(gp_compile_options INTERFACE --coverage)
endif()
