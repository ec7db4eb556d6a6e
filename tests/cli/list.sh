#!/bin/sh
# residuum list, --version: everything that can be named is named, once.
. "$srcdir/tests/cli/lib.sh"
mask='s/^residuum [0-9][0-9.]*$/residuum VERSION/'

names() { ls "$srcdir"/$1 | sed 's|.*/||; s|\.[a-z]*$||' | sort; }

for section in quantizers inits architectures figures tables commands; do
    lists "$section" $RESIDUUM list $section
    cp out $section
    cat out >>sections
done
# a script is a figure's, or is loaded by one, or is that of a kind of figures
for script in $(names 'plots/*.gp'); do
    grep -q "^$script " figures || grep -q "load.*$script.gp" "$srcdir"/plots/*.gp ||
        grep -q "script = \"$script\"" "$srcdir"/analysis/figures/*.c || echo $script
done >unused
ok 'every script is used' [ ! -s unused ]
[ "$(cut -d' ' -f1 architectures | sort)" = "$(names 'src/transformer/arch/*.c')" ]
result $? 'an architecture is a file'
[ "$(sed -n 's/^\([a-z][a-z0-9_]*\)  .*/\1/p' inits | sort)" = "$(names 'src/adapters/inits/*.c')" ]
result $? 'a start is a file'
ok 'everything' $RESIDUUM list
sed 's/^ *//' out | sort -u >all
sed 's/^ *//' sections | sort -u | comm -23 - all >missing
[ -s all ] && [ ! -s missing ]; result $? 'is all of these' missing
ok 'JSON' $RESIDUUM list --json
for name in $(sed -n 's/^\([a-z][a-z0-9_]*\)  .*/\1/p' sections); do
    grep -q "\"$name\"" out || echo $name
done >missing
[ ! -s missing ]; result $? 'has every name' missing
says '"aliases"' 'and the aliases'
shows 'unknown section' $RESIDUUM list nonsense
shows 'version' $RESIDUUM --version
lists 'no command' $RESIDUUM
lists 'an unknown command' $RESIDUUM frobnicate
shows 'unknown option' $RESIDUUM list --frobnicate
shows 'an option says which value it refuses' $RESIDUUM analyze x --threads=-1
shows 'missing value' $RESIDUUM analyze x -o
finish
