#!/bin/sh
# How many threads there are, and how they wait.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
eval="$RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 129 --context 32 -v"
unset OMP_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT

threads() { # threads NUMBER DESCRIPTION
    grep -qx "threads: $1" err
    result $? "$2"
}
ok 'OMP_NUM_THREADS' env OMP_NUM_THREADS=3 $eval
threads 3 'is the number of threads'
ok 'a list of them' env OMP_NUM_THREADS=3,2 $eval
threads 3 'is that of the outermost level'
ok '--threads' env OMP_NUM_THREADS=3 $eval --threads 2
threads 2 'is stronger'
ok 'neither' $eval
threads "$(nproc)" 'is one thread a core'

# The library prints its settings each time that it is loaded: the last is the run's.
policy() { # policy WORD DESCRIPTION
    [ "$(sed -n "s/.*OMP_WAIT_POLICY = '\(.*\)'.*/\1/p" err | tail -n 1)" = "$1" ]
    result $? "$2"
}
shows="env OMP_DISPLAY_ENV=true"
ok 'nothing said' $shows $RESIDUUM --version
policy PASSIVE 'threads wait asleep'
ok 'a policy' $shows OMP_WAIT_POLICY=active $RESIDUUM --version
policy ACTIVE 'is kept'
ok 'a number of spins' $shows GOMP_SPINCOUNT=7 $RESIDUUM --version
[ "$(grep -c 'OPENMP DISPLAY ENVIRONMENT BEGIN' err)" = 1 ]; result $? 'is kept: the program is not started again'
finish
