#!/bin/sh
# residuum --help and COMMAND --help: each option as it is explained.
. "$srcdir/tests/cli/lib.sh"

lists 'help' $RESIDUUM --help
cp out help
for c in $($RESIDUUM list commands | cut -d' ' -f1); do
    ok "help names $c" grep -q "^  $c " help
    shows "$c" $RESIDUUM $c --help
done
finish
