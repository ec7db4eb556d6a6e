#!/bin/sh
# Headers are manuals that stand alone: each public one compiles by itself and twice, rsd.h has all of
# them, private ones stay in their room, and a name means one thing.
#
# A header is private where its first line says so: "Private to src/io:" (or several folders).
set -u
cd "$srcdir" || exit 99
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
n=0
ok() { # ok WHAT: the status of the last command
    result=$?
    n=$((n + 1))
    [ $result -eq 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}
none() { # none WHAT FILE: it is empty
    sed 's/^/# /' "$2"
    [ ! -s "$2" ]
    ok "$1"
}

find src -name '*.h' | LC_ALL=C sort >"$scratch/headers"
xargs grep -L '^/\* Private to src/' <"$scratch/headers" >"$scratch/public"
[ "$(wc -l <"$scratch/public")" -gt 50 ]
ok 'public headers are found'

compile() { # compile: standard input, with the project's warnings
    ${CC:-cc} -std=c17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wconversion -Wno-sign-conversion \
        -Werror -fsyntax-only -Isrc -x c -
}
while read -r header; do
    name=${header#src/}
    printf '#include "%s"\n#include "%s"\nint main(void) { return RSD_ONCE; }\n' "$name" "$name" |
        sed 's/RSD_ONCE/0/' | compile >>"$scratch/alone" 2>&1 || echo "$header" >>"$scratch/alone"
done <"$scratch/public"
: >>"$scratch/alone"
none 'every public header compiles alone, and twice' "$scratch/alone"

sed -n 's,^#include "\(.*\)".*,src/\1,p' src/rsd.h | LC_ALL=C sort >"$scratch/all"
grep -vxF src/rsd.h "$scratch/public" | LC_ALL=C sort | comm -3 - "$scratch/all" | sed '
    s/^src.*/&: neither in rsd.h nor "Private to FOLDER: ..." in its first line/
    s/^[[:space:]]\(.*\)/\1: in rsd.h, and private or not there/' >"$scratch/differ"
none 'rsd.h has every public header, and no other' "$scratch/differ"

while read -r header; do
    for other in $(sed -n 's,^#include "\(.*\)".*,src/\1,p' "$header"); do
        grep -qxF "$other" "$scratch/public" || echo "$header includes $other"
    done
done <"$scratch/public" >"$scratch/inside"
none 'public headers include no private one' "$scratch/inside"

# A function that can fail says how: in the comment above it (which covers what follows it up to a
# blank line) or in the header's first comment, by the word Errors or by the codes.
xargs awk '
    FNR == 1 { above = first = ""; inside = 0 }
    /^\/\*/ { above = ""; inside = 1 }
    inside { above = above $0 "\n"; if (/\*\//) { inside = 0; if (first == "") first = above }; next }
    /^$/ { above = "" }
    /^RSD_CHECK/ { marked++
        if (above !~ /Errors|RSD_E[A-Z]/ && first !~ /Errors/) print FILENAME ":" FNR ": " $0 }
    END { if (marked < 300) print "only " marked " functions are marked RSD_CHECK?" }
' <"$scratch/headers" >"$scratch/silent"
none 'every function that can fail states its errors' "$scratch/silent"

# Who includes a private header from outside its folders?
xargs grep -l '^/\* Private to src/' <"$scratch/headers" | while read -r header; do
    scope=$(sed -n '1s,^/\* Private to \([^:.]*\).*,\1,p' "$header" | tr -d ' ' | tr ',' '|')
    grep -rlF "#include \"${header#src/}\"" src analysis |
        grep -vE "^($scope)/" | sed "s,\$, includes $header,"
done >"$scratch/outside"
none 'private headers are seen in their room alone' "$scratch/outside"

# A .c begins with a comment that says what it is; in src its own header may say it: X.c that
# includes "X.h" first (or "gguf_write.h", for gguf/write.c).
find src analysis data examples tests -name '*.c' | LC_ALL=C sort | while read -r file; do
    read -r line <"$file"
    case $line in '/*'*) continue ;; esac
    name=$(basename "$file" .c)
    header=$(echo "$line" | sed -n 's,^#include ".*/\([^/]*\)\.h"$,\1,p; s,^#include "\([^/]*\)\.h"$,\1,p')
    case $file:$header in src/*:"$name" | src/*:*_"$name") ;; *) echo "$file: $line" ;; esac
done >"$scratch/unsaid"
none 'every .c says first what it is' "$scratch/unsaid"

# Types, functions and macros of one name, wherever they are declared (statics too).  A function is
# taken where it is defined: at the margin, with a body.  A macro that its file undefines is no name.
find src -name '*.[ch]' | LC_ALL=C sort | xargs awk '
    function name_of(line) { sub(/(;[^;]*|\(.*)$/, "", line); sub(/.*[ *]/, "", line); return line }
    FNR == 1 { held = "" }
    /^} rsd_[a-z0-9_]*;/ { print name_of($0) }
    /^typedef [^(]*[ *]rsd_[a-z0-9_]*;/ { print name_of($0) }
    /^[a-z].*[ *]rsd_[a-z0-9_]*\(/ { held = name_of($0) }
    /^\{/ || /^[a-z].*\) \{.*\}$/ { if (held != "") print held }
    /;$/ || /\}$/ { held = "" }
    /^#define RSD_/ { split($2, part, "("); if (!((FILENAME, part[1]) in macro)) list[++n] = part[1]
                      macro[FILENAME, part[1]] = n }
    /^#undef RSD_/ { delete list[macro[FILENAME, $2]] }
    END { for (i in list) print list[i] }' >"$scratch/names"
LC_ALL=C sort "$scratch/names" | uniq -d >"$scratch/twice"
[ "$(wc -l <"$scratch/names")" -gt 500 ]
ok 'names are found'
none 'a name means one thing' "$scratch/twice"
echo "1..$n"
