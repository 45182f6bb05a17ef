# The C files of runtime/embed, and those of base and runtime that do the same inside a built library, as one bitcode file
# in a C array. clang must be of LLVM's version or older; it needs no headers of the target's C library.
find_program(EMBED_CLANG NAMES clang-${LLVM_VERSION_MAJOR} clang HINTS ${LLVM_TOOLS} REQUIRED)
find_program(EMBED_LINK NAMES llvm-link HINTS ${LLVM_TOOLS} NO_DEFAULT_PATH REQUIRED)

file(GLOB embed_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtime/embed/*.c)
list(APPEND embed_sources ${CMAKE_SOURCE_DIR}/base/random.c ${CMAKE_SOURCE_DIR}/base/tensors.c
     ${CMAKE_SOURCE_DIR}/runtime/constrain.c ${CMAKE_SOURCE_DIR}/runtime/finite.c
     ${CMAKE_SOURCE_DIR}/runtime/optimizer.c ${CMAKE_SOURCE_DIR}/runtime/schedule.c)
file(GLOB embed_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtime/embed/*.h ${CMAKE_SOURCE_DIR}/runtime/embed/*.def
     ${CMAKE_SOURCE_DIR}/runtime/embed/include/*.h ${CMAKE_SOURCE_DIR}/runtime/*.h ${CMAKE_SOURCE_DIR}/base/*.h
     ${CMAKE_SOURCE_DIR}/base/*.def)

# Optimisation is left to `dlc build`, which knows the CPU; -O2 here only lets the code be optimised.
set(embed_flags -std=gnu11 -O2 -Xclang -disable-llvm-passes -ffp-contract=off -fno-math-errno -fPIC -fvisibility=hidden
    -fno-stack-protector -fno-asynchronous-unwind-tables -nostdlibinc -isystem ${CMAKE_SOURCE_DIR}/runtime/embed/include
    -I${CMAKE_SOURCE_DIR}/runtime/embed -I${CMAKE_SOURCE_DIR}/runtime -I${CMAKE_SOURCE_DIR}/base -DDLC_EMBED -D_GNU_SOURCE
    -Wall -Wextra -Werror)

# embed_runtime(name triple flags..): embed_<name>[] and embed_<name>_length.
function(embed_runtime name triple)
  set(folder ${CMAKE_BINARY_DIR}/generated/embed-${name})
  file(MAKE_DIRECTORY ${folder})
  foreach(source IN LISTS embed_sources)
    get_filename_component(base ${source} NAME_WE)
    set(object ${folder}/${base}.bc)
    add_custom_command(OUTPUT ${object}
      COMMAND ${EMBED_CLANG} --target=${triple} ${ARGN} ${embed_flags} -emit-llvm -c ${source} -o ${object}
      DEPENDS ${source} ${embed_headers} VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(array ${CMAKE_BINARY_DIR}/generated/embed_${name}.c)
  add_custom_command(OUTPUT ${array}
    COMMAND ${EMBED_LINK} ${objects} -o ${folder}/runtime.bc
    COMMAND ${CMAKE_COMMAND} -DINPUTS=${folder}/runtime.bc -DOUTPUT=${array} -DNAME=embed_${name}
            -P ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
    DEPENDS ${objects} ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)
  set(embedded_runtimes ${embedded_runtimes} ${array} PARENT_SCOPE)
endfunction()
