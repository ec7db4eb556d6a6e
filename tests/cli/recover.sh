#!/bin/sh
# residuum recover: runs and what is said of them, resuming, extending, refusing.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
mask="s/known: zero, .*/known: .../; $digits; $machine"
data="--tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 513"
common="$demo $data --context 32 --batch 2 --threads 1 --precision f32 --eval-every 4"
run="$RESIDUUM recover $common --steps 8"

# What must agree: everything but time and memory.
numbers() {
    $RESIDUUM export $1 recovery/runs --format json |
        sed 's/"seconds":[^,]*,//; s/"tokens_per_s":[^,]*,//; s/"[a-z0-9]*_bytes":[^,]*,//g; s/"base":[^,]*,//'
    $RESIDUUM export $1 recovery/curves
    $RESIDUUM export $1 recovery/layers
}

# --- a sweep ---
fixed="$run -q nf2 --lr 0.001 --keep last"
sweep="$fixed --rank 2 --init zero,lorc"
shows 'a sweep' $sweep -o whole.h5
file=whole.h5
lorc=nf2_r2_lorc
calc "$(field $file $lorc loss_fp) < $(field $file $lorc loss_init) && $(field $file $lorc loss_init) < $(field $file $lorc loss_q)" \
    'a correction starts between the original and the quantized model'
[ "$(field $file nf2_r2_zero loss_init)" = "$(field $file nf2_r2_zero loss_q)" ]; result $? 'zero starts as quantized'
for r in nf2_r2_zero $lorc; do
    calc "$(field $file $r loss_trained) < $(field $file $r loss_init)" "$r: training helps"
    near "$(field $file $r recovered_fraction)" \
        "$(awk "BEGIN { print ($(field $file $r loss_q) - $(field $file $r loss_trained)) / ($(field $file $r loss_q) - $(field $file $r loss_fp)) }")" 1e-5
    result $? "$r: the share is what losses say"
    calc "$(field $file $r recovered_fraction_se) > 0 && $(field $file $r recovered_fraction_se) < 0.2" "$r: with its error"
    [ "$(field $file $r loss_control)" = "$(field $file original_r2 loss_trained)" ]; result $? "$r: its control is that run"
done
near "$(field $file $lorc bits_per_weight)" 2.5 1e-9; result $? 'bits of the base'
near "$(field $file $lorc bits_per_weight_total)" "$(awk "BEGIN { print 2.5 + 16 * $(field $file $lorc adapter_numbers) / ($(field $file $lorc bf16_bytes) / 2) }")" 1e-5
result $? 'and of base and adapters'
[ "$(field $file $lorc tokens)" = 512 ]; result $? 'tokens trained on'
$RESIDUUM export whole.h5 recovery/curves | grep "$lorc" >curve
[ "$(grep -c train_loss curve)" = 8 ] && [ "$(grep -c eval_loss curve)" = 3 ] && ! grep -q held_loss curve
result $? 'curves: 8 steps, 3 evaluations, no window held out'
near "$(grep eval_loss curve | tail -n 1 | sed 's/.*,//')" "$(field $file $lorc loss_trained)" 1e-3
result $? 'the last evaluation is loss_trained, but for what storing the factors rounds'
$RESIDUUM export whole.h5 recovery/layers --format json >layers
[ "$(grep -c '"run"' layers)" = 48 ]; result $? 'sixteen layers of three runs'
grep "$lorc" layers | sed 's/.*"overlap_start_left":\([^,]*\),.*/\1/' | sort -g | head -n 1 >least
calc "$(cat least) > 0.5" 'a correction keeps its subspace in eight steps'
grep nf2_r2_zero layers | grep -q '"overlap_start_left":null'; result $? 'B = 0 has none'

shows 'the same again' $sweep -o whole.h5
ok 'packed' $sweep -o packed.h5 --base packed
numbers whole.h5 >whole
numbers packed.h5 >packed
ok 'the same numbers' cmp whole packed
file=packed.h5
calc "3 * $(field $file $lorc base_bytes) < $(field $file $lorc bf16_bytes)" 'in less than a third of bfloat16'
ok 'activations computed again, moments in a file' $sweep -o less.h5 --checkpoint-activations --optimizer-state moments
numbers less.h5 >less
ok 'the same numbers too' cmp whole less

# --- stopping ---
long="$RESIDUUM recover $common --steps 16 --checkpoint-every 1 -q nf2 --rank 2 --init zero,lorc --quiet"
ok 'uninterrupted' $long -o steady.h5
for kill in 1 2 3; do
    begin '*.state' killed.h5.part $long -o killed.h5
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
done
# A signal between two runs leaves no state, and one that comes late finds nothing to stop: again then.
stops=0
while [ $stops -lt 20 ]; do
    begin '*.state' killed.h5.part $long -o killed.h5
    kill -INT $pid 2>/dev/null
    wait $pid
    status=$?
    [ -n "$(find killed.h5.part -name '*.state' 2>/dev/null)" ] && break
    [ $status -eq 0 ] && rm -f killed.h5
    stops=$((stops + 1))
done
[ $status -eq 130 ]; result $? 'SIGINT exits 130'
ok 'finished after three SIGKILLs and a SIGINT' $RESIDUUM recover $common --steps 16 --checkpoint-every 1 -q nf2 --rank 2 --init zero,lorc -o killed.h5
err_says 'going on after step' 'from a state'
numbers steady.h5 >steady
numbers killed.h5 >killed
ok 'the same numbers' cmp steady killed
[ ! -e killed.h5.part ] && [ ! -e killed.h5.tmp ]; result $? 'nothing is left beside the file'

# --- refusing ---
shows 'contradicting options' $sweep -o whole.h5 --lr 0.1
shows 'no quantizer' $run
shows 'no evaluation tokens' $RESIDUUM recover $demo --tokens $demo/train.tokens.u16 -q nf2
shows 'rank 0' $run -q nf2 --rank 0
shows 'an unknown variant' $run -q nf2 --variant nothing
shows 'an unknown start' $run -q nf2 --init nothing
shows 'evaluations that never come' $run -q nf2 --eval-every 9
ok 'unless nothing was said of them' $RESIDUUM recover $demo $data --context 32 --batch 2 --steps 8 -q nf2 --dry-run
shows 'quantization-aware dora' $run -q nf2 --variant dora --quantization-aware
shows 'what would run: commas part starts, not their options' \
    $run -q nf2 -q nf4 --rank 2,4 --init zero,loftq:steps=2,first=svd,lorc --dry-run
ok '--force' $run -q nf2 --rank 2 --lr 0.1 --no-control --force -o packed.h5
[ "$($RESIDUUM export packed.h5 recovery/runs | wc -l)" = 2 ]; result $? 'starts over'

# --- what else the file holds ---
ok 'another rank joins' $fixed --rank 3 --init zero,lorc -o whole.h5
[ "$($RESIDUUM export whole.h5 recovery/runs | wc -l)" = 7 ]; result $? 'the earlier runs stay'
numbers whole.h5 | grep "$lorc" | sed 's|,$||' >now
grep "$lorc" whole | sed 's|,$||' >then
ok 'as they were' cmp now then
ok 'analyze' $RESIDUUM analyze $demo -q nf2 --include '*.0.attention.dense.weight' --nulls none --quiet -o whole.h5
ok 'and recover again' $fixed --rank 4 --no-control -o whole.h5
[ "$($RESIDUUM export whole.h5 recovery/runs | wc -l)" = 8 ] && $RESIDUUM export whole.h5 spectra | grep -q '^demo,'
result $? 'neither loses what the other wrote'

# --- kinds of runs ---
one="$run --rank 2 --no-control"
shows 'a gap under its own error has no recovered share' $one -q float:format=fp16 -o fp16.h5
file=fp16.h5
[ "$(field $file fp16 recovered_fraction)" = null ]; result $? 'nor has the file'
shows 'a start without what it needs' $one -q nf2 --init qera_exact,zero -o failed.h5 --quiet
[ ! -e failed.h5 ]; result $? 'before any work'
ok 'calibrated in part' $RESIDUUM calibrate $demo --tokens $demo/train.tokens.u16 --max-tokens 129 --context 32 --include '*.0.*' --threads 1 --quiet -o part.h5
shows 'a layer without what its start needs' $one -q nf2 --init qera_exact,zero --calibration part.h5 -o failed.h5 --quiet
[ "$(field failed.h5 qera_exact status)" = failed ] && [ "$(field failed.h5 nf2_r2_zero status)" = ok ]
result $? 'is recorded, the other is done'
ok 'calibrated' $RESIDUUM calibrate $demo --tokens $demo/train.tokens.u16 --max-tokens 1025 --context 32 --threads 1 --quiet -o cal.h5
ok 'now it starts' $one -q nf2 --init qera_exact,zero --calibration cal.h5 -o cal.h5
file=cal.h5
calc "$(field $file qera_exact loss_init) < $(field $file nf2_r2_zero loss_init)" 'and knows the data'
side=$(field $file qera_exact loss_init)
before="$RESIDUUM recover $common --rank 2 --no-control -q nf2 --calibration cal.h5 --steps 0"
ok 'one layer after the other' $before --init qera_exact,zero --sequence 2048 -o line.h5
says 'on the first 2048 tokens' 'says so'
file=line.h5
calc "$(field $file qera_exact loss_init) < $side" 'starts better'
[ "$(field $file qera_exact loss_trained)" = "$(field $file qera_exact loss_init)" ]; result $? 'and no step is taken'
[ "$(field $file nf2_r2_zero loss_init)" = "$(field $file nf2_r2_zero loss_q)" ]; result $? 'what does not correct starts as quantized'
short="$before --sequence 256 --init qera_exact"
ok 'on few tokens' $short -o shortline.h5
err_says 'are few for layers of 512 inputs' 'is warned of'
ok 'in bfloat16, beside a teacher' $before --sequence 256 --init qera_exact --objective kl --steps 1 --eval-every 0 --precision bf16 --quiet
ok 'packed' $short --base packed -o packedline.h5
numbers shortline.h5 >shortline
numbers packedline.h5 >packedline
ok 'the same numbers' cmp shortline packedline
shows 'other tokens for the same file' $before --init qera_exact,zero --sequence 512 -o line.h5 --quiet
shows 'less than a window' $before --sequence 31
ok 'one matrix alone' $one --map '*.0.attention.dense.weight=nf2' --targets '*.0.attention.dense.weight' -o map.h5
file=map.h5
[ "$(field $file demo_map adapter_numbers)" = 512 ] && [ "$(field $file demo_map bf16_bytes)" = 32768 ]; result $? 'is quantized and has an adapter'
ok 'dora and adalora' $one -q nf2 --variant dora,adalora --target-rank 1 --budget-begin 1 --budget-end 2 -o variants.h5
file=variants.h5
[ "$(field $file adalora rank_sum)" = 16 ]; result $? 'adalora keeps its budget: rank 1 a layer'
calc "$(field $file dora loss_trained) < $(field $file dora loss_q)" 'dora learns'
ok 'merged' $one -q nf2 --init lorc --merge plain -o plain.h5
file=plain.h5
near "$(field $file lorc loss_merged)" "$(field $file lorc loss_trained)" 1e-5; result $? 'it is the same model'
ok 'through the quantizer' $one -q nf2 --init lorc --merge requantize --quantization-aware -o grid.h5
file=grid.h5
near "$(field $file lorc loss_merged)" "$(field $file lorc loss_trained)" 1e-5; result $? 'what was trained is the grid itself'
ok 'qalora' $one -q int:bits=3,group=32,scheme=affine_real --variant qalora --merge requantize -o qalora.h5
file=qalora.h5
near "$(field $file qalora loss_merged)" "$(field $file qalora loss_trained)" 1e-5; result $? 'merges into zero points exactly'
ok 'to the original distribution' $one -q nf2 --objective kl -o kl.h5
file=kl.h5
calc "$(field $file nf2 loss_trained) < $(field $file nf2 loss_q)" 'lowers the loss as well'
ok 'several seeds' $one -q nf2 --init gaussian --seeds 2 --json
[ "$(grep -c '"run"' out)" = 2 ]; result $? 'are several runs, without a file too'

# --- adapters ---
ok 'saved' $one -q nf2 --init lorc --save-adapters adapters -o saved.h5
file=saved.h5
ok 'read back' $RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 513 --context 32 --precision f32 -q nf2 --adapter adapters/demo_nf2_r2_lorc_lora_s0 --json
near "$(sed -n 's/.*"loss": \([0-9.]*\),*/\1/p' out)" "$(field $file lorc loss_trained)" 1e-5; result $? 'the loss is that of the run'
finish
