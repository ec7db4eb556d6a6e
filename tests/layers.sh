#!/bin/sh
# The house keeps the rules of ARCHITECTURE.md: rooms include each other in its order, each outside
# library is seen where it belongs, src neither prints nor exits, a file's name means one file.
set -u
cd "$srcdir" || exit 99
n=0
ok() { # ok WHAT: the status of the last command
    result=$?
    n=$((n + 1))
    [ $result -eq 0 ] && echo "ok $n - $1" || echo "not ok $n - $1"
}
deny() { # deny WHAT PATTERN FILE...: no line of these files has it
    what=$1 pattern=$2
    shift 2
    found=$(grep -nE "$pattern" "$@" /dev/null)
    [ -z "$found" ] || echo "$found" | sed 's/^/# /'
    [ -z "$found" ]
    ok "$what"
}
sources() { # sources FOLDER [PATTERN]: its files, but for those whose path has PATTERN
    find $1 -name '*.[ch]' | grep -vE "${2-^$}"
}

report=$(sh build-aux/layers)
status=$?
echo "$report" | sed 's/^/# /'
[ $status -eq 0 ]
ok 'includes follow the order of ARCHITECTURE.md, within its floors'

# A house with two rooms, in which everything is wrong.
house=$(mktemp -d) || exit 99
trap 'rm -rf "$house"' EXIT
mkdir -p "$house/src/low" "$house/src/high" "$house/analysis/odd"
cat >"$house/ARCHITECTURE.md" <<END
    order of src, at most 1 floors: low < high; attic
    but high -> low: it always may
END
echo '#include "high/b.h"' >"$house/src/low.h" # at the door of low/
echo '#include "low.h"' >"$house/src/high/b.h"
echo '#include "odd/c.h"' >"$house/src/high/b.c"
: >"$house/analysis/odd/c.h"
: >"$house/src/low/a.c"
found=$(srcdir=$house sh build-aux/layers src)
[ $? -eq 1 ]
ok 'a house that breaks the rules is refused'
for sign in 'high/b.c of the library includes the program: odd/c.h' \
    'a circle with a room in it: ' 'low -> high is against the order of src' \
    'excuses high -> low of src: not needed' 'orders attic, which is no room'; do
    echo "$found" | grep -qF -- "$sign"
    ok "said: $sign"
done

deny 'HDF5 is seen in the store alone' '#include <hdf5' $(sources 'src analysis' '^src/io/store/')
deny 'jansson is seen in io, and where the program builds JSON' '#include <jansson' \
    $(sources src '^src/io/') $(sources 'analysis/figures analysis/result')
deny 'oneDNN is seen in transformer alone' '#include <(oneapi|dnnl)' \
    $(sources 'src analysis' '^src/transformer/')
deny 'PCRE2 is seen in regex.c alone' '#include <pcre2' $(sources 'src analysis' '/regex\.c$')
deny 'utf8proc is seen in normalize.c alone' '#include <utf8proc' \
    $(sources 'src analysis' '/normalize\.c$')
deny 'gnuplot.c alone runs another program' '\<(posix_spawnp?|fork|popen|system)[[:space:]]*\(' \
    $(sources 'src analysis' '^analysis/figures/gnuplot\.c$')
deny 'src neither prints nor exits' '\<(printf|puts|putchar|perror|exit|_exit|abort)[[:space:]]*\(' \
    $(sources src)
deny 'no path of a machine' '(/work|/home|/root)/' $(sources 'src analysis tests') plots/*.gp

# Entries of the registries are the user's words: a quantizer and a figure may share one.
registered=$(awk '/^(QUANTIZERS|INITS|ARCHITECTURES|COMMANDS|FIGURES|TABLES) *=/ { inside = 1; next }
    inside { print $1; if (!/\\$/) inside = 0 }' Makefile.am)
[ "$(echo "$registered" | wc -l)" -gt 50 ]
ok 'the registries of Makefile.am are read'
same=$(find src analysis -name '*.[ch]' | grep -vxF "$registered" | sed 's,.*/,,' | sort | uniq -d)
[ -z "$same" ] || echo "# twice:" $same
[ -z "$same" ]
ok 'a base name means one file'
echo "1..$n"
