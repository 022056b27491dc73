#!/usr/bin/env bash
# Layer check: includes point downwards only, and a third-party header stands only in the
# file or layer that is named for it. The build would often allow more (static libraries
# resolve late), so this is a test.
#
#   bash tests/tools/check_layers.sh [ROOT]      prints FILE:LINE: what; exit 1 if any
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
cd "$root"

# header prefix -> files (shell patterns under src/ and bench/) that may include it.
# Every other header in angle brackets has to be of the C library or POSIX (below).
# src/app/main.c prints the libraries' versions.
allowed() {
    case "$1" in
    msgpack.h | msgpack/*) echo "src/base/msgpack.c" ;;
    mpi.h) echo "src/io/mpi.c" ;;
    nettle/*) echo "src/base/hash.h" ;;
    cblas.h) echo "src/core/train*.c src/core/eval*.c src/core/blas.c src/app/blas_core.c src/core/related.c src/core/similar.c src/core/invert.c src/core/head_fit*.c src/app/cmd_eval*.c
                   src/app/cmd_bench*.c src/app/version.c bench/*.c" ;;
    librdkafka/*) echo "src/app/version.c src/io/kafka*.[ch] src/app/cmd_demo*.c src/app/demo*.[ch]" ;;
    hiredis/*) echo "src/io/redis*.[ch] src/io/store_redis*.c src/app/version.c" ;;
    uv.h) echo "src/engine/*.[ch] src/app/*.[ch]" ;;
    jansson.h) echo "src/engine/meta.c src/core/snapshot*.c src/core/manifest.c src/core/head_store.c src/core/trend.c src/core/features_json.c src/core/schema.c src/core/safetensors.c src/app/*.[ch]" ;;
    microhttpd.h) echo "src/io/http*.c" ;;
    yaml.h) echo "src/io/yaml*.c src/io/config*.c" ;;
    simdjson.h) echo "src/io/json_simd.cc" ;;
    elf.h) echo "src/app/program.c" ;; # the build ID
    langinfo.h) echo "src/app/*.c" ;; # whether the terminal shows UTF-8
    immintrin.h) echo "src/core/kernel*.[ch] src/core/train_vector* src/core/vmath*.[ch] src/base/vmath*.[ch]" ;;
    assert.h | complex.h | ctype.h | errno.h | fenv.h | float.h | inttypes.h | limits.h | \
        locale.h | math.h | signal.h | stdalign.h | stdarg.h | stdatomic.h | stdbool.h | \
        stddef.h | stdint.h | stdio.h | stdlib.h | string.h | strings.h | time.h | \
        dirent.h | fcntl.h | ftw.h | getopt.h | netdb.h | poll.h | pthread.h | pwd.h | \
        sched.h | spawn.h | termios.h | unistd.h | cpuid.h | link.h | dlfcn.h | \
        sys/*.h | netinet/*.h | arpa/*.h) echo "*" ;;
    # C++ library, in the one C++ file.
    cmath | cstdint | cstring | cstdlib | cstddef | new | memory | string | string_view) \
        echo "src/io/json_simd.cc" ;;
    *) echo "" ;;
    esac
}

rank() {
    case "$1" in
    base) echo 1 ;; core) echo 2 ;; io) echo 3 ;; engine) echo 4 ;; app) echo 5 ;;
    *) echo 0 ;;
    esac
}

# What core must not know (DESIGN 9: pure), although the C library has it.
impure="time.h pthread.h unistd.h fcntl.h poll.h dirent.h signal.h"

bad=0
complain() {
    echo "$1"
    bad=1
}

while IFS= read -r file; do
    layer=$(basename "$(dirname "$file")")
    mine=$(rank "$layer")
    [ "$mine" != 0 ] || complain "$file:1: folder '$layer' is no layer"
    while IFS=: read -r line text; do
        case "$text" in
        *\"*)
            theirs=${text#*\"}
            theirs=${theirs%%\"*}
            folder=${theirs%%/*}
            [ "$folder" != eddy ] || continue # include/eddy: any layer may
            other=$(rank "$folder")
            if [ "$other" = 0 ] || [ ! -e "src/$theirs" ]; then
                complain "$file:$line: \"$theirs\" is no header of a layer (\"layer/x.h\")"
            elif [ "$other" -gt "$mine" ]; then
                complain "$file:$line: $layer includes \"$theirs\": upwards"
            fi
            case "$theirs" in
            *_priv.h)
                module=$(basename "$theirs" _priv.h)
                case "$(basename "$file")" in
                "$module"*) ;;
                *) complain "$file:$line: \"$theirs\" belongs to the files of $module" ;;
                esac
                ;;
            esac
            ;;
        *\<*)
            theirs=${text#*<}
            theirs=${theirs%%>*}
            found=no
            # Patterns are matched by case, not by the shell's file names.
            set -f
            for pattern in $(allowed "$theirs"); do
                # shellcheck disable=SC2254
                case "$file" in $pattern) found=yes ;; esac
            done
            set +f
            if [ "$found" = no ]; then
                complain "$file:$line: <$theirs> may not stand here (see tests/tools/check_layers.sh)"
            fi
            case "$layer  $impure " in
            core\ *" $theirs "*) complain "$file:$line: core is pure: <$theirs>" ;;
            esac
            ;;
        esac
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" || true)
done < <(find src -name '*.[ch]' -o -name '*.cc' | LC_ALL=C sort)

# The installed headers lean on nothing but each other and the C library.
while IFS=: read -r file line text; do
    complain "$file:$line: an installed header includes only <...> of C and \"eddy/...\": $text"
done < <(grep -nE '^#include "' -r include --include='*.h' | grep -v '"eddy/' || true)

[ "$bad" = 0 ] && echo "layers: includes point downwards"
exit "$bad"
