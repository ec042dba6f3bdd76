# How kist is compiled: warnings are errors, ccache and mold where they are there.
find_program(CCACHE ccache)
if(CCACHE)
  # Depend mode: what a file includes is learnt from its compilation, so a miss is not preprocessed beforehand.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}/.. CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

find_program(MOLD mold)
if(MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ccache and a precompiled header agree only with this.
  add_compile_options(-fpch-preprocess)
  # The compiler collects its garbage from 1 GiB on only: with the precompiled header in memory it did so all the time.
  add_compile_options(--param=ggc-min-heapsize=1048576)
  # g++ 12 is wrong about these where it optimises std::string, std::variant and std::optional; the sanitizers look instead.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-deprecated-declarations)  # libstdc++ 12's own std::stable_sort
endif()
add_compile_definitions(_FILE_OFFSET_BITS=64)
# SHA-256 without EVP (src/base/digest.cpp) is in OpenSSL 3 too, deprecated.
add_compile_definitions(OPENSSL_API_COMPAT=0x10100000L)

if(KIST_SANITIZE)
  add_compile_options(-fsanitize=${KIST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${KIST_SANITIZE})
endif()
if(KIST_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
