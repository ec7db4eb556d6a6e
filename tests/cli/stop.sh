#!/bin/sh
# SIGTERM inside a step: it ends between two passes over windows, what is whole is kept, and the
# same command goes on to the same bits.  Events are waited for, never times: -vv says each pass.
. "$srcdir/tests/cli/lib.sh"
config=$srcdir/tests/golden/transformers/gpt_neox/config.json
demo=$srcdir/data/demo

learnable 80001 t.u16 # 10000 windows of 8, of which 512 are a pass
head -c 2002 t.u16 >e.u16

# stops EVENT COMMAND...: it is sent SIGTERM as soon as its -vv says a line like this, and exits 143.
mkfifo said
stops() {
    event=$1
    shift
    : >err
    "$@" -vv >out 2>said &
    pid=$!
    while read -r line; do
        echo "$line" >>err
        case $line in
        $event)
            kill -TERM $pid
            event='no other'
            ;;
        esac
    done <said
    wait $pid
    [ $? -eq 143 ]
}
passes() { grep -c "$1.* of .* windows" err; }

# --- pretrain ---
train="$RESIDUUM pretrain $config --tokens t.u16 --context 8 --batch 10000 --threads 1 --lr 0.01 --steps 3 --warmup 1"
ok 'uninterrupted' $train -o whole
stops 'step 2, 512 of*' $train -o stopped
result $? 'stopped in the second step'
[ "$(passes 'step 2,')" -lt 20 ] && ! grep -q '^step 3' err; result $? "after $(passes 'step 2,') of its 20 passes"
[ -f stopped/training.safetensors ]; result $? 'the first is kept'
ok 'and goes on' $train -o stopped -v
err_says 'after step 1 of 3' 'after it'
cmp -s whole/training.safetensors stopped/training.safetensors &&
    cmp -s whole/model.safetensors stopped/model.safetensors
result $? 'to the same bits'
stops 'step 1, 512 of*' $train -o early
result $? 'stopped in the first step'
ok 'which is done again' $train -o early
cmp -s whole/model.safetensors early/model.safetensors; result $? 'to the same bits, too'
fails 2 '--batch 10001: t.u16 has no more than 10000 windows of 8 tokens' 'a step of more than there is' \
    $RESIDUUM pretrain $config --tokens t.u16 --context 8 --batch 10001 -o large
[ ! -e large ]; result $? 'leaves nothing'

# --- recover: in a step, in an evaluation, while layers are made ---
model=whole
run="$RESIDUUM recover $model --tokens t.u16 --eval-tokens e.u16 --context 8 --batch 10000 --threads 1
    --precision f32 --steps 2 --eval-every 1 --rank 2 --no-control -q nf2"
numbers() {
    $RESIDUUM export $1 recovery/runs --format json |
        sed 's/"seconds":[^,]*,//; s/"tokens_per_s":[^,]*,//; s/"[a-z0-9]*_bytes":[^,]*,//g'
    $RESIDUUM export $1 recovery/curves
}
ok 'uninterrupted' $run -o whole.h5
numbers whole.h5 >whole.txt
for at in 'step 1, 512 of' 'step 2, 1024 of'; do
    rm -rf run.h5 run.h5.part
    stops "*$at*" $run -o run.h5
    result $? "stopped in $at 10000 windows"
    [ "$(passes "${at%%,*},")" -lt 20 ]; result $? "after $(passes "${at%%,*},") of its 20 passes"
    ok 'goes on' $run -o run.h5
    numbers run.h5 >run.txt
    ok 'to the same numbers' cmp whole.txt run.txt
done
fails 2 '--batch 10001: t.u16 has no more than 10000 windows of 8 tokens' 'a step of more than there is' \
    $RESIDUUM recover $model --tokens t.u16 --eval-tokens e.u16 --context 8 --batch 10001 -q nf2

# Sixteen layers of a start that takes long for each.
slow="$RESIDUUM recover $demo --tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16
    --max-eval-tokens 129 --context 32 --threads 1 --steps 1 --rank 8 --no-control -q nf2"
stops '*loftq*: gpt_neox*' $slow --init loftq:steps=60
result $? 'stopped while a start is computed'
[ "$(grep -c 'loftq.*: gpt_neox' err)" -lt 16 ]; result $? "after $(grep -c 'loftq.*: gpt_neox' err) of 16 layers"

# --- eval ---
stops '* of * windows' $RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --context 32 --threads 1 -q nf2
result $? 'eval'
grep -q 'stopped after' err; result $? 'says of how many windows it speaks'
finish
