#!/bin/sh
# Many commands at once on one result file: those that succeed have all their data in it, those that
# are refused say so and leave the others' work alone.
. "$srcdir/tests/cli/lib.sh"
m=$srcdir/tests/golden/transformers/llama
tokens 1216 t.u16
t="--tokens t.u16 --context 8"
quick="--nulls none --overlap 0 --control 0 --quiet"

# start NAME COMMAND...: in the background; its status goes to NAME.status
start() {
    name=$1
    shift
    { "$@" >$name.out 2>$name.err; echo $? >$name.status; } &
}

ok 'spectra to begin with' $RESIDUUM analyze $m -q int8 $quick -o f.h5
start a1 $RESIDUUM analyze $m -q nf4 -q nf2 $quick -o f.h5
start a2 $RESIDUUM analyze $m -q int4 -q int3 $quick -o f.h5
start c1 $RESIDUUM calibrate $m $t --max-tokens 257 --quiet -o f.h5
start c2 $RESIDUUM calibrate $m $t --max-tokens 257 --quiet -o f.h5
start e1 $RESIDUUM eval $m $t --max-tokens 129 -q nf2 --one-at-a-time --quiet -o f.h5
start e2 $RESIDUUM eval $m $t --max-tokens 129 -q nf4 --one-at-a-time --quiet -o f.h5
start r1 $RESIDUUM recover $m $t --eval-tokens t.u16 --max-eval-tokens 65 -q nf2 --rank 2 --steps 2 \
    --batch 2 --quiet -o f.h5
start p1 $RESIDUUM compare f.h5
wait

# Every one that says 0 is in the file; every other was refused, in one line.
had() { # had NAME DESCRIPTION COMMAND...: where NAME succeeded the command does, too
    status=$(cat $1.status)
    name=$1 what=$2
    shift 2
    if [ "$status" -eq 0 ]; then
        "$@" >out 2>err
        result $? "$what"
    else
        [ "$status" -eq 1 ] && [ "$(wc -l <$name.err)" -eq 1 ] &&
            grep -q 'f.h5: another run (pid [0-9]*, residuum [a-z]*) is writing it' $name.err
        result $? "$what, or it was refused"
    fi
}
rows() { $RESIDUUM export f.h5 $1 2>/dev/null | grep -c -- "$2"; }
has_rows() { [ "$(rows "$1" "$2")" -ge "$3" ]; }
cat ./*.status >statuses
[ "$(grep -c '^0' statuses)" -ge 5 ]; result $? 'each kind got through'
had a1 'spectra of the first analysis' has_rows spectra 'bits=2' 14
had a2 'spectra of the second' has_rows spectra 'int:bits=3' 14
had c1 'moments of the first calibration' $RESIDUUM analyze $m -q int8 $quick --calibration f.h5 -o x.h5
had c2 'moments of the second' $RESIDUUM analyze $m -q int8 $quick --calibration f.h5 -o x.h5
had e1 'the first measurements' has_rows sensitivity 'bits=2' 14
had e2 'the second' has_rows sensitivity 'bits=4' 14
had r1 'runs' has_rows recovery/runs ',nf\|"nf\|original' 2
had p1 'a comparison' has_rows prediction ',R,' 1
has_rows spectra 'int:bits=8' 14; result $? 'and what was there before'
[ ! -e f.h5.part ] && [ -z "$(find . -name '*.tmp' -o -name '*.lock')" ]
result $? 'nothing is left beside it'

# The one that is refused does not touch the other's parts.
big=m=synthetic:rows=192,cols=256,noise=1,count=16
begin '0*.h5' g.h5.part $RESIDUUM analyze $big -q nf4 -q int3 --quiet -o g.h5
kill -STOP $pid
ls g.h5.part >before
fails 1 "another run (pid $pid, residuum analyze) is writing it" 'a second analysis' \
    $RESIDUUM analyze $big -q nf4 --quiet -o g.h5
fails 1 "another run (pid $pid, residuum analyze) is writing it" 'a forced one too' \
    $RESIDUUM analyze $big -q nf4 --quiet -o g.h5 --force
ls g.h5.part | cmp -s - before; result $? 'leaves what the first has done'
ok 'other kinds go on' $RESIDUUM eval $m $t --max-tokens 129 -q nf2 --one-at-a-time --quiet -o g.h5
kill -CONT $pid
wait $pid; result $? 'the first one ends well'
[ "$($RESIDUUM export g.h5 spectra | grep -c ',Wq,')" -eq 34 ]; result $? 'with all its spectra'
[ "$($RESIDUUM export g.h5 sensitivity | wc -l)" -eq 15 ]; result $? 'beside what the other wrote'

# A lock that a killed run left is none.
begin '0*.h5' h.h5.part $RESIDUUM analyze $big -q nf4 -q int3 --quiet -o h.h5
kill -KILL $pid
wait $pid 2>/dev/null
ok 'after a kill' $RESIDUUM analyze $big -q nf4 -q int3 --quiet -o h.h5
[ ! -e h.h5.part ]; result $? 'the folder goes'
finish
