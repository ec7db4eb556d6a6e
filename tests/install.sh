#!/bin/sh
# The library as others use it: installed, found by pkg-config, and linked by examples/spectrum.c,
# whose numbers are those of the program.
. "$srcdir/tests/cli/lib.sh"

build() { env -u MAKEFLAGS -u MFLAGS make -C "$RSD_BUILD" "$@"; }
example=$srcdir/examples/spectrum.c
tensor=gpt_neox.layers.0.mlp.dense_h_to_4h.weight

ok 'make install' build install DESTDIR="$work/root"
pc=$(find root -name residuum.pc)
ok 'residuum.pc is installed' test -f "$pc"
prefix=$(sed -n 's/^prefix=//p' "$pc")
house=$work/root$prefix
mkdir pc && sed "s|^prefix=.*|prefix=$house|" "$pc" >pc/residuum.pc # as if it were the root
export PKG_CONFIG_PATH="$work/pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
ok 'pkg-config finds it' pkg-config --exists --print-errors residuum
[ "residuum $(pkg-config --modversion residuum)" = "$("$house/bin/residuum" --version)" ]
result $? 'and its version is the program'"'"'s'

(cd "$house/include/residuum" && find . -name '*.h' | sed 's,^\./,,' | sort) >installed
(cd "$srcdir" && find src -name '*.h' | xargs grep -L '^/\* Private to src/' | sed 's,^src/,,' |
    sort) >public
ok 'public headers are installed, and no other file' diff public installed
printf '#include <err.h>\n#include <residuum/rsd.h>\nint main(void) { warnx("x"); return 0; }\n' >both.c
flags=$(pkg-config --cflags residuum)
ok 'the system keeps its <err.h>' ${CC:-cc} -std=c17 -Wall -Werror -D_GNU_SOURCE $flags \
    -fsyntax-only both.c

ok 'the example is built against what is installed' ${CC:-cc} -std=c17 -Wall -Wextra -Werror \
    ${RSD_SANITIZED-} $flags "$example" -o spectrum $(pkg-config --libs residuum)
ok 'it runs' ./spectrum "$srcdir/data/demo" $tensor nf4
says 'nf:bits=4' 'names the quantizer'
[ "$(grep -c '^[1-8] ' out)" -eq 8 ]; result $? 'prints eight values'
sed -n 's/^[1-8] //p' out >from_library

program="$house/bin/residuum"
ok 'the installed program measures the same matrix' "$program" analyze "$srcdir/data/demo" \
    --include $tensor -q nf4 --top 8 --nulls none -o a.h5 --quiet
"$program" export a.h5 curves | # ...,what,r,singular_value,cumulative_sum,cumulative_energy
    awk -F, '$1 == "demo" && $(NF - 4) == "R" { printf "%.6f\n", $(NF - 2) }' >from_program
[ -s from_program ] && diff from_library from_program >out
result $? 'to the same six decimals'

./spectrum "$srcdir/data/demo" nothing nf4 >out 2>err
[ $? -eq 1 ]; result $? 'the example refuses a tensor that is not there'
err_says "no tensor 'nothing'" 'by name'

ok 'make uninstall' build uninstall DESTDIR="$work/root"
find root -type f >out
[ ! -s out ]; result $? 'leaves no file'
finish
