#!/bin/sh
# residuum recover: rates that are chosen, the step that a run ends with, and both after a kill.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
data="--tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 513"
common="$demo $data --context 32 --batch 2 --threads 1 --precision f32"
run="$RESIDUUM recover $common --steps 8 -q nf2 --rank 2 --no-same-bytes"
ok 'calibrated' $RESIDUUM calibrate $demo --tokens $demo/train.tokens.u16 --max-tokens 1025 --context 32 --threads 1 --quiet -o cal.h5

# What must agree: everything but time and memory.
numbers() {
    $RESIDUUM export $1 recovery/runs --format json |
        sed 's/"seconds":[^,]*,//; s/"tokens_per_s":[^,]*,//; s/"[a-z0-9]*_bytes":[^,]*,//g'
    $RESIDUUM export $1 recovery/curves
    $RESIDUUM export $1 recovery/layers
}

# --- rates ---
ok 'without a calibration' $run --init zero,lorc -o none.h5
says 'chosen for each run (--lr auto) by rank and inputs, without a calibration' 'it is said how'
for r in original_r2 nf2_r2_zero nf2_r2_lorc; do
    near "$(field none.h5 $r learning_rate)" 0.002 1e-9; result $? "$r: 1e-3 sqrt(8/2), 128 inputs"
    [ "$(field none.h5 $r displacement)" = null ]; result $? "$r: nothing is known of what it displaces"
done
ok 'with one' $run --init zero,lorc,kfac --calibration cal.h5 -o auto.h5
says 'by what a step does to what is left to correct' 'it is said how'
kfac=$(field auto.h5 kfac learning_rate)
grep 'kfac' out | grep -q "$(printf %.2e "$kfac")"; result $? 'the table has the rate'
for r in lorc kfac; do
    near "$(field auto.h5 $r displacement)" 0.04 0.0005; result $? "$r: a step moves it by 4 % of what is left"
done
$RESIDUUM export auto.h5 recovery/layers --format json | grep kfac |
    sed 's/.*"displacement":\([^,]*\),.*/\1/' | sort -g | awk '{ x[NR] = $1 } END { print (x[NR / 2] + x[NR / 2 + 1]) / 2 }' >median
near "$(cat median)" "$(field auto.h5 kfac displacement)" 1e-6; result $? 'the median of its sixteen layers'
near "$(field auto.h5 original_r2 learning_rate)" 0.002 1e-9; result $? 'a control has nothing to correct'
calc "$(field auto.h5 nf2_r2_zero learning_rate) <= 0.002" 'B = 0 takes no more than without'
ok 'a rank that leaves less' $run --rank 32 --init kfac --calibration cal.h5 --no-control --json
calc "$(value learning_rate) < $kfac" 'has a lower rate'
near "$(value displacement)" 0.04 0.0005; result $? 'that moves it as far'
ok 'other scales' $run --init kfac --calibration cal.h5 --no-control --alpha 32 --json
near "$(value displacement)" 0.04 0.0005; result $? 'move it as far, too'
near "$(awk "BEGIN { print $(value learning_rate) * 4 / $kfac }")" 1 0.02; result $? 'at 1 / sqrt(16) of the rate'
ok 'a rate that is given' $run --init kfac --calibration cal.h5 --no-control --lr 0.001 --json
[ "$(value learning_rate)" = 0.001 ]; result $? 'is taken'
near "$(value displacement)" "$(awk "BEGIN { print 0.04 * 0.001 / $kfac }")" 0.0005; result $? 'and what it displaces is said'
for v in dora adalora; do
    ok "$v" $run --variant $v --init kfac --calibration cal.h5 --no-control --target-rank 1 --budget-begin 1 --budget-end 2 --json
    near "$(value displacement)" 0.04 0.0005; result $? 'has a rate'
done
[ "$(value rank_sum)" = 16 ] && [ "$(value kept_step)" -ge 6 ]; result $? 'adalora keeps a step with its final ranks'
ok 'qalora' $RESIDUUM recover $common --steps 8 -q int:bits=3,group=32,scheme=affine_real --rank 2 --variant qalora --init lorc --calibration cal.h5 --no-control --no-same-bytes --json
near "$(value displacement)" 0.04 0.0005; result $? 'has one, too'
fails 2 'lr=fast is neither a number nor one of auto' 'another word' $run --lr fast
fails 2 'at least 0' 'a rate below 0' $run --lr=-1

# --- the step to end with ---
harm="$run --init lorc --lr 0.3 --eval-every 2 --no-control"
ok 'a rate that does harm' $harm -o harm.h5
says 'trained is the step with the least loss on' 'it is said what trained means'
[ "$(field harm.h5 lorc kept_step)" = 0 ]; result $? 'ends where it began'
near "$(field harm.h5 lorc loss_trained)" "$(field harm.h5 lorc loss_init)" 1e-3
result $? 'with the loss of the start, but for what storing the factors rounds'
[ "$(field harm.h5 lorc loss_held)" = "$(field harm.h5 lorc loss_held_init)" ]; result $? 'and its loss on what is held out'
$RESIDUUM export harm.h5 recovery/layers --format json >layers
[ "$(grep -c '"change":0[,.]' layers)" = 16 ]; result $? 'and its factors' layers
[ "$($RESIDUUM export harm.h5 recovery/curves | grep -c eval_loss)" = 5 ]; result $? 'all steps are taken'
ok 'to the last step' $harm --keep last -o last.h5
calc "$(field last.h5 lorc loss_trained) > $(field last.h5 lorc loss_init) + 1" 'it is seen'
[ "$(field last.h5 lorc kept_step)" = 8 ] && [ "$(field last.h5 lorc held_windows)" = 0 ]; result $? 'and nothing is held out'
fails 2 "'keep=last', this command says 'keep=best'" 'they do not mix' $harm -o last.h5
ok 'one that does none' $run --init lorc --lr 0.01 --steps 16 --eval-every 4 --no-control -o good.h5
[ "$(field good.h5 lorc kept_step)" -gt 0 ]; result $? 'ends later'
calc "$(field good.h5 lorc loss_held) < $(field good.h5 lorc loss_held_init)" 'with less loss on what is held out'
kept=$(field good.h5 lorc kept_step)
near "$($RESIDUUM export good.h5 recovery/curves | grep eval_loss | grep ",$kept," | sed 's/.*,//')" "$(field good.h5 lorc loss_trained)" 1e-3
result $? 'its loss is the evaluation of that step, but for that rounding'
near "$($RESIDUUM export good.h5 recovery/curves | grep held_loss | grep ",$kept," | sed 's/.*,//')" "$(field good.h5 lorc loss_held)" 1e-12
result $? 'and the held-out loss is that look'
head -c 1026 $demo/train.tokens.u16 >few.u16
ok 'a stream of 16 windows' $run --tokens few.u16 --init lorc --no-control --batch 10 --json
err_says '16 windows of 32 tokens are too few to hold some out: the last step is kept' 'has none to spare'
[ "$(value kept_step)" = 8 ] && [ "$(value held_windows)" = 0 ]; result $? 'and ends with the last step'

# --- probes ---
ok 'rates are tried' $run --init lorc --lr 0.3 --lr-probe 4 --no-control -v -o probe.h5
[ "$(grep -c '8 steps at' err)" = 4 ]; result $? 'four, of as many steps as there are'
rate=$(sed -n 's/.* steps at \([0-9.e-]*\): loss \([0-9.]*\) on.*/\2 \1/p' err | sort -g | head -n 1 | sed 's/.* //')
near "$(field probe.h5 lorc learning_rate)" "$rate" 1e-6; result $? 'the one of the least loss is trained with'
calc "$rate < 0.1 && $(field probe.h5 lorc loss_trained) <= $(field probe.h5 lorc loss_init) + 1e-3" 'which does no harm'
near "$($RESIDUUM export probe.h5 recovery/curves | grep learning_rate | sed 's/.*,//' | sort -g | tail -n 1)" "$rate" 1e-6
result $? 'from the start, to its peak'
ok 'without trying' $run --init lorc --lr "$(field probe.h5 lorc learning_rate)" --no-control -o alone.h5
[ "$(field alone.h5 lorc loss_trained)" = "$(field probe.h5 lorc loss_trained)" ]; result $? 'the same numbers'

# --- a killed run ---
for kind in "--lr 0.1 --lr-probe 2" "--lr 0.1" "--lr auto --calibration cal.h5 --init kfac --variant dora"; do
    long="$RESIDUUM recover $common --no-same-bytes -q nf2 --rank 2 --init lorc $kind --steps 24 --eval-every 2 --checkpoint-every 1 --no-control --quiet"
    rm -rf killed.h5* steady.h5
    ok "uninterrupted: $kind" $long -o steady.h5
    for kill in 1 2 3; do
        begin '*.state' killed.h5.part $long -o killed.h5
        kill -KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
    done
    ok 'finished after three SIGKILLs' $long -o killed.h5
    numbers steady.h5 >steady
    numbers killed.h5 >killed
    ok 'the same numbers' cmp steady killed
done
finish
