#!/bin/sh
# Memory that is refused, request by request: a message and exit 1, never a crash.
. "$srcdir/tests/cli/lib.sh"
shim=$RSD_BUILD/tests/fail_alloc.so
config=$srcdir/tests/golden/transformers/gpt_neox/config.json
if ! LD_PRELOAD=$shim $RESIDUUM --version >/dev/null 2>err || [ -s err ]; then
    skip 'memory that is refused' 'nothing can be preloaded before this program'
    finish
    exit 0
fi
export OMP_WAIT_POLICY=passive # the program is not started twice

awk 'BEGIN { for (i = 0; i < 2001; i++) { y = (y * 37 + 11) % 10007; x += y % 6 ? 7 : y % 19
                                         printf "\\%03o\\000", x % 19 } }' >octal
printf "$(cat octal)" >t.u16
ok 'a model' $RESIDUUM pretrain $config --tokens t.u16 --context 8 --batch 4 --threads 1 --steps 3 -o tiny --quiet
ok 'its moments' $RESIDUUM calibrate tiny --tokens t.u16 --context 8 --max-tokens 257 --threads 1 --quiet -o cal.h5

# requests COMMAND...: how many there are of the sizes that FAIL_ALLOC_LEAST and _MOST name.
requests() {
    FAIL_ALLOC=0 FAIL_ALLOC_COUNT=$work/count LD_PRELOAD=$shim "$@" >out 2>err
    cat count
}

# survives K COMMAND...: it ends as it should where the K-th is refused.
survives() {
    rm -rf out.h5 out.h5.part adapters
    k=$1
    shift
    FAIL_ALLOC=$k LD_PRELOAD=$shim "$@" >out 2>err
    got=$?
    [ $got -eq 0 ] || { [ $got -eq 1 ] && [ -s err ]; }
}

# spread POINTS DESCRIPTION COMMAND...: requests that lie evenly among all are refused, one a time.
spread() {
    points=$1 what=$2
    shift 2
    all=$(requests "$@") i=0 bad=
    while [ $i -lt $points ]; do
        at=$((1 + i * all / points))
        survives $at "$@" || bad="$bad $at"
        i=$((i + 1))
    done
    [ "$all" -gt 0 ] && [ -z "$bad" ]
    result $? "$what: $points of $all requests${bad:+, not$bad}"
}

recover="$RESIDUUM recover tiny --tokens t.u16 --eval-tokens t.u16 --max-eval-tokens 65 --context 8
    --batch 2 --steps 1 --rank 2 --threads 1 --precision f32 --quiet --no-control -q nf2"

# The names of the layers whose corrections were measured: the run fails, and its row is written.
name=gpt_neox.layers.1.mlp.dense_4h_to_h.weight
export FAIL_ALLOC_LEAST=$((${#name} + 1)) FAIL_ALLOC_MOST=$((${#name} + 1))
all=$(requests $recover --init loftq)
k=1
while [ $k -le "$all" ]; do
    survives $k $recover --init loftq -o out.h5
    result $? "no memory for a name, request $k of $all"
    k=$((k + 1))
done

unset FAIL_ALLOC_MOST
export FAIL_ALLOC_LEAST=64
spread 12 'eval' $RESIDUUM eval tiny --tokens t.u16 --context 8 --max-tokens 257 -q nf4 --threads 1 --quiet
spread 20 'recover' $recover --init kfac,loftq --calibration cal.h5 --save-adapters adapters -o out.h5
spread 12 'calibrate' $RESIDUUM calibrate tiny --tokens t.u16 --context 8 --max-tokens 257 --threads 1 --quiet -o out.h5
spread 12 'analyze' $RESIDUUM analyze tiny -q nf4 --threads 1 --quiet -o out.h5
finish
