#!/bin/sh
# .clang-format decides how every file is laid out.  Other versions than 14 lay some lines out
# otherwise, so it is the only one asked.
set -u
cd "$srcdir" || exit 99
for program in clang-format-14 clang-format; do
    $program --version 2>/dev/null | grep -q 'version 14\.' && break
    program=
done
if [ -z "$program" ]; then
    echo "1..0 # SKIP no clang-format of version 14 (apt-get install clang-format)"
    exit 0
fi
echo 1..2
result() { [ "$1" -eq 0 ] && echo "ok $2" || echo "not ok $2"; }
found=$(find src analysis data examples tests -name '*.[ch]' | LC_ALL=C sort |
    xargs $program --dry-run -Werror 2>&1)
status=$?
[ -z "$found" ] || echo "$found" | grep ': error:' | sed 's/^/# /'
result $status '1 - every file is as .clang-format has it'
printf 'int  f( void ){return 0 ;}\n' | $program --dry-run -Werror >/dev/null 2>&1
result $(($? == 0)) '2 - another layout is told'
