#!/usr/bin/env bash
# Build one preset; sourced by quickstart.sh and tests/run.sh.

# eddy_build ROOT PRESET [TARGET...]: configure and build, quietly while it goes well.
# On a terminal the compiler's progress is shown. 1 with the end of the log on failure.
eddy_build() {
    local root=$1 preset=$2
    shift 2
    local folder=$root/build/$preset log=$root/build/$preset.log begun=$SECONDS target
    local targets=()
    for target in "$@"; do targets+=(--target "$target"); done
    mkdir -p "$root/build"
    # Ninja, unless this folder was configured with another generator before.
    local generator=(-G Ninja)
    [ ! -f "$folder/CMakeCache.txt" ] || generator=()
    echo "build: preset $preset"
    if ! { (cd "$root" && cmake --preset "$preset" "${generator[@]}") >"$log" 2>&1 &&
        if [ -t 1 ]; then
            (cd "$root" && cmake --build "$folder" --parallel "${targets[@]}") 2>&1 |
                tee -a "$log"
        else
            (cd "$root" && cmake --build "$folder" --parallel "${targets[@]}") >>"$log" 2>&1
        fi; }; then
        tail -n 30 "$log" >&2
        echo "build: preset $preset failed; the whole log is $log" >&2
        return 1
    fi
    echo "build: preset $preset done in $((SECONDS - begun)) s"
}
