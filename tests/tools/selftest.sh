#!/usr/bin/env bash
# Proof that the style checks can fail: a clean little tree passes each of them, and each
# planted violation makes its check fail with the words expected.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cases=0

clean_tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src/base" "$work/tree/src/core" "$work/tree/src/app" \
        "$work/tree/include/eddy" "$work/tree/tests"
    cp "$here/../../.clang-format" "$work/tree/"
    cat >"$work/tree/src/base/good.h" <<'C'
/* Layer: base.  A good header. */
#ifndef GOOD_H
#define GOOD_H

struct good {
    int a;
};

/* Twice a. Thread: any. */
int good_twice(int a);
void good_free(struct good *good);

#endif
C
    cat >"$work/tree/src/base/good.c" <<'C'
#include "base/good.h"

#include <stdlib.h>

/* The word strcpy( in a comment or "sprintf(" in a string is no call. */
int good_twice(int a)
{
    const char *text = "sprintf(x); // not a comment";
    return text ? 2 * a : 0;
}
C
    cp "$work/tree/src/base/good.c" "$work/tree/src/app/main.c"
}

# expect CHECK WORDS: the check fails on the tree and says WORDS.
expect() {
    local out
    cases=$((cases + 1))
    if out=$(bash "$here/$1" "$work/tree" 2>&1); then
        echo "selftest: $1 passed a tree with: $2"
        failed=1
    elif ! grep -qF -- "$2" <<<"$out"; then
        echo "selftest: $1 failed, but without saying '$2':"
        echo "$out"
        failed=1
    fi
}

clean_tree
for check in check_layers.sh check_format.sh check_python.sh check_style.sh; do
    cases=$((cases + 1))
    if ! out=$(bash "$here/$check" "$work/tree" 2>&1); then
        echo "selftest: $check refuses a clean tree:"
        echo "$out"
        failed=1
    fi
done

# plant FILE LINE CHECK WORDS: a line more in a file of a clean tree.
plant() {
    clean_tree
    printf '%s\n' "$2" >>"$work/tree/$1"
    expect "$3" "$4"
}

clean_tree
echo '/* Layer: core.  Up. */' >"$work/tree/src/core/up.h"
echo '#include "core/up.h"' >>"$work/tree/src/base/good.c"
expect check_layers.sh 'base includes "core/up.h": upwards'
plant src/base/good.c '#include "good.h"' check_layers.sh 'is no header of a layer'
plant src/base/good.c '#include <librdkafka/rdkafka.h>' check_layers.sh '<librdkafka/rdkafka.h> may not stand here'
plant src/core/step.c '#include <time.h>' check_layers.sh 'core is pure: <time.h>'
plant src/core/step.c '#include <uv.h>' check_layers.sh '<uv.h> may not stand here'
clean_tree
mkdir "$work/tree/src/other"
echo '#include <stdio.h>' >"$work/tree/src/other/step.c"
expect check_layers.sh "folder 'other' is no layer"
plant include/eddy/x.h '#include "base/good.h"' check_layers.sh 'an installed header includes only'
plant src/base/good.c '#include "core/other_priv.h"' check_layers.sh 'is no header of a layer'

plant src/base/good.c 'int  x;' check_format.sh 'src/base/good.c'
plant src/base/good.py 'import os' check_python.sh "'os' imported but unused"

plant src/base/good.c 'void f(char *a) { strcpy(a, "b"); }' check_style.sh 'strcpy() is banned'
plant src/app/main.c 'int g(void) { return rand(); }' check_style.sh 'rand() is banned'
plant src/base/good.c 'void f(void) { exit(1); }' check_style.sh 'exit() outside src/app'
plant src/base/good.c 'int y; // left over' check_style.sh '// comment'
plant src/base/good.c '/* TO''DO later */' check_style.sh 'unfinished business'
plant src/base/good.h 'int good_more(int a);' check_style.sh 'function without a contract'
clean_tree
sed -i 's/Layer: base/Layer: core/' "$work/tree/src/base/good.h"
expect check_style.sh 'a header begins with'
clean_tree
{
    echo 'int long_one(void)'
    echo '{'
    for _ in $(seq 71); do echo '    ;'; done
    echo '}'
} >>"$work/tree/src/base/good.c"
expect check_style.sh 'function of 71 lines'
clean_tree
for i in $(seq 900); do echo "int x$i;"; done >>"$work/tree/src/base/good.c"
expect check_style.sh 'at most 800'
clean_tree
echo 'if then' >"$work/tree/tests/broken.sh"
expect check_style.sh 'syntax error'

echo "selftest: $cases cases"
exit "$failed"
