#!/bin/sh
# residuum list, --help, --version: everything that can be named is named, once.
. "$srcdir/tests/cli/lib.sh"

names() { ls "$srcdir"/$1 | sed 's|.*/||; s|\.[a-z]*$||' | sort; }

ok 'list runs' $RESIDUUM list
ok 'list quantizers' $RESIDUUM list quantizers
says 'nf4' 'a quantizer says what it is'
says 'bits per weight' 'and what it takes'
$RESIDUUM list figures | cut -d' ' -f1 | sort >figures
# a script is a figure's, or is loaded by one, or is that of a kind of figures
for script in $(names 'plots/*.gp'); do
    grep -qx $script figures || grep -q "load.*$script.gp" "$srcdir"/plots/*.gp ||
        grep -q "script = \"$script\"" "$srcdir"/analysis/figures/*.c || echo $script
done >unused
ok 'every script is used' [ ! -s unused ]
ok 'architectures' $RESIDUUM list architectures
[ "$(cut -d' ' -f1 out | sort)" = "$(names 'src/transformer/arch/*.c')" ]; result $? 'one per file'
ok 'inits' $RESIDUUM list inits
for i in $(names 'src/adapters/inits/*.c'); do grep -q "^$i  " out; result $? "$i"; done
ok 'JSON' $RESIDUUM list --json
says '"aliases"' 'JSON has the aliases'
fails 2 "cannot list 'nonsense'" 'unknown section' $RESIDUUM list nonsense

ok 'help' $RESIDUUM --help
cp out help
for c in $($RESIDUUM list commands | cut -d' ' -f1); do
    ok "help names $c" grep -q "^  $c " help
    ok "$c --help" $RESIDUUM $c --help
    says 'usage: residuum' "$c says its usage"
done
ok 'version' $RESIDUUM --version
says 'residuum 0' 'version has a number'
$RESIDUUM >out 2>err
[ $? -eq 2 ]; result $? 'no command is a usage error'
$RESIDUUM frobnicate >out 2>err
[ $? -eq 2 ]; result $? 'an unknown command is a usage error'
fails 2 'unknown option --frobnicate' 'unknown option' $RESIDUUM list --frobnicate
fails 2 'option --threads' 'an option says which value it refuses' $RESIDUUM analyze x --threads=-1
fails 2 'needs a value' 'missing value' $RESIDUUM analyze x -o
finish
