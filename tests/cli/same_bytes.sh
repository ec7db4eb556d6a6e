#!/bin/sh
# The control that counts: a base of no more bytes without adapters beside every run; what factors are
# stored by; a second text; and which wins.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
w="--context 64 --threads 1 --precision f32"
recover="$RESIDUUM recover $demo --tokens $demo/train.tokens.u16 --eval-tokens $demo/eval.tokens.u16
    --max-eval-tokens 1025 $w"
evaluate="$RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 1025 $w --json"
two="--include *layers.[01]*"
bytes() { field "$1" "$2" stored_bytes; }

ok 'calibrated' $RESIDUUM calibrate $demo --tokens $demo/train.tokens.u16 --max-tokens 1025 $w --quiet -o cal.h5
know='--calibration cal.h5'

# --- by predictions: a choice for each matrix, and a second text ---
run="$recover $two -q nf2 --rank 4 --init lorc,kfac --steps 0 --factors bf16,int8
    --second-tokens $demo/train.tokens.u16 $know"
ok 'what would run' $run --dry-run
says 'demo_nf2_r4_kfac:steps=1_lora_s0_int8' 'names the storage of factors, unless it is bf16'
says 'demo_nf2_r4_lora_int8_same_bytes' 'and the base for each'
says '2 bases of the same bytes' 'and counts them apart'
says '4 runs of 0 steps' 'from the runs'
ok 'a sweep' $run -o f.h5
f=f.h5
[ "$($RESIDUUM export $f recovery/runs | wc -l)" = 7 ]; result $? 'four runs and two bases'
for storage in lora lora_int8; do
    base=${storage}_same_bytes
    adapted=kfac:steps=1_lora_s0${storage#lora}
    [ "$(field $f $base kind)" = 'same bytes' ] && [ "$(field $f $base control)" = 1 ] &&
        [ "$(field $f $adapted\" kind)" = adapters ]
    result $? "$storage: kinds are told"
    calc "$(bytes $f $base) <= $(bytes $f $adapted\") && $(bytes $f $base) > 0.97 * $(bytes $f $adapted\")" \
        "$storage: the base takes no more bytes, and not many less"
    [ "$(field $f $base budget_bytes)" = "$(bytes $f $adapted\")" ]; result $? "$storage: it knows how many"
    calc "$(field $f $base loss_trained) < $(field $f $adapted\" loss_q) && $(field $f $base adapter_bytes) == 0" \
        "$storage: and is better than the quantizer beneath the run"
    near "$(field $f $base bits_per_weight)" \
        "$(awk "BEGIN { print 16 * $(bytes $f $base) / $(field $f $base bf16_bytes) }")" 1e-5
    result $? "$storage: its bits are its bytes over the weights"
done
near "$(field $f kfac:steps=1_lora_s0\" adapter_bytes)" \
    "$(awk "BEGIN { print 2 * $(field $f kfac:steps=1_lora_s0\" adapter_numbers) }")" 0
result $? 'bf16 counts two bytes a number'
# rows of 128 and of 384 or 512 numbers, groups of 128: a byte each, and a scale of two bytes for 128
near "$(field $f s0_int8 adapter_bytes)" \
    "$(awk "BEGIN { print $(field $f s0_int8 adapter_numbers) * (1 + 2 / 128) }")" 0
result $? 'int8 counts one, and its scales'
near "$(field $f kfac:steps=1_lora_s0_int8 loss_trained)" "$(field $f kfac:steps=1_lora_s0\" loss_trained)" 0.002
result $? 'which costs little loss'
[ "$(field $f kfac:steps=1_lora_s0_int8 loss_trained)" != "$(field $f kfac:steps=1_lora_s0\" loss_trained)" ]
result $? 'but some'
near "$(field $f kfac:steps=1_lora_s0\" loss_fp_second)" \
    "$($RESIDUUM eval $demo --tokens $demo/train.tokens.u16 --max-tokens 1025 $w --json | sed -n 's/.*"loss": \([0-9.]*\).*/\1/p')" 1e-6
result $? 'the second text is read as eval reads it'

# --- who wins ---
ok 'compare without any spectra' $RESIDUUM compare $f --no-write
says 'same bytes, evaluation text' 'says who wins'
says 'same bytes, second text' 'on both texts'
says 'of 4 runs the correction wins' 'and how often'
ok 'as JSON' $RESIDUUM compare $f --no-write --json
for key in same_bytes difference_interval p_t p_sign p_wilcoxon block_windows wins second; do
    says "\"$key\"" "has $key"
done
ok 'as a table' $RESIDUUM export $f recovery/same_bytes --format json
[ "$(grep -c '"wins":"' out)" = 4 ]; result $? 'has the runs'
sed -n 's/.*"loss":\([^,]*\),"base_loss":\([^,]*\),"difference":\([^,]*\),.*"difference_low":\([^,]*\),"difference_high":\([^,]*\),.*/\1 \2 \3 \4 \5/p' out >rows
awk '{ d = $1 - $2 - $3; if (d * d > 1e-20 || $4 >= $3 || $5 <= $3) exit 1 }' rows; result $? 'with differences inside their intervals'
awk '/kfac/ && !/int8/ { found = 1 } END { exit !found }' out; result $? 'named'
ok 'the frontier' $RESIDUUM plot $f frontier --tables -o figures
grep -q 'same_bytes' figures/*frontier*; result $? 'has them as points of their own'

# --- resuming, adding, refusing ---
ok 'the same again' $run -o f.h5
$RESIDUUM export $f recovery/runs >before
ok 'another storage joins' $run --factors int4:group=64,scheme=affine -o f.h5
[ "$($RESIDUUM export $f recovery/runs | wc -l)" = 10 ]; result $? 'with its runs and base'
$RESIDUUM export $f recovery/runs | grep -vF int4 >after
ok 'the others stay' cmp before after
calc "$(bytes $f s0_int4) < $(bytes $f s0_int8)" 'four bits are fewer'
ok 'another quantizer joins' $run -q int3:group=64 --factors bf16 -o f.h5
ok 'other quantizers to choose from' $recover $two -q nf3 --rank 4 --init lorc --steps 0 --second-tokens $demo/train.tokens.u16 $know --same-bytes int4 -o f.h5
fails 2 "'same-bytes=" 'but not for a base that is there' $run --same-bytes int4 -o f.h5
fails 2 'second-tokens=' 'nor without the second text' $recover $two -q nf2 --rank 4 --init lorc --steps 0 $know -o f.h5
ok 'none' $recover $two -q nf2 --rank 4 --init lorc --steps 0 $know --no-same-bytes -o none.h5
[ "$($RESIDUUM export none.h5 recovery/runs | wc -l)" = 2 ]; result $? 'leaves them out'
fails 1 'holds no residual' 'and compare has nothing to say' $RESIDUUM compare none.h5
ok 'later' $recover $two -q nf2 --rank 4 --init lorc --steps 0 $know -o none.h5
[ "$($RESIDUUM export none.h5 recovery/runs | wc -l)" = 3 ]; result $? 'they join'

# --- without a calibration: single quantizers, chosen on training windows ---
plain="$recover $two -q nf2 --init lorc --steps 0 --rank"
ok 'nothing is asked for' $plain 8 -o plain.h5
[ "$($RESIDUUM export plain.h5 recovery/runs | wc -l)" = 2 ]; result $? 'and nothing made'
ok 'the usual list' $plain 8 --same-bytes usual -o plain.h5
case $(field plain.h5 lora_same_bytes same_bytes) in int:* | nf:*) true ;; *) false ;; esac
result $? 'one for all matrices'
ok 'two candidates' $plain 7 --same-bytes nf3,int2:group=32 -o plain.h5
ok 'evaluated' $evaluate $two -q nf4 # two bits more than what is beneath
near "$(value loss)" "$(field plain.h5 r7_lora_same_bytes loss_trained)" 1e-6
result $? "its loss is eval's"
near "$(value bits_per_weight)" "$(field plain.h5 r7_lora_same_bytes bits_per_weight)" 1e-9
result $? 'and so are its bits'
ok 'nothing else fits' $plain 1 --same-bytes int8 -o small.h5
[ "$(field small.h5 lora_same_bytes loss_trained)" = "$(field small.h5 lora_same_bytes loss_q)" ]
result $? 'but the quantizer itself'

# --- trained, and saved as stored ---
train="$recover $two -q nf2 --rank 2 --init lorc --steps 4 --batch 2 --eval-every 0 --no-control"
ok 'trained' $train --factors int4 --save-adapters saved -o trained.h5
folder=saved/demo_nf2_r2_lorc_lora_s0_int4
grep -q 'int:bits=4' $folder/README.md; result $? 'what is saved says how it was rounded'
ok 'read back' $evaluate $two -q nf2 --adapter $folder
near "$(value loss)" "$(field trained.h5 int4 loss_trained)" 1e-6; result $? 'it is what was evaluated'
ok 'two storages' $train --factors bf16,int8 -o shared.h5 -v
err_says 's0_int8: going on after step 4 of 4' 'are one training'
[ ! -e shared.h5.part ]; result $? 'of which nothing is left'
$RESIDUUM export shared.h5 recovery/curves | grep _s0, | sed 's/_s0,/,/' >curve
$RESIDUUM export shared.h5 recovery/curves | grep _s0_int8, | sed 's/_s0_int8,/,/' >other
[ -s curve ] && cmp -s curve other; result $? 'with one curve'
calc "$(field shared.h5 s0_int8 loss_trained) != $(field shared.h5 s0\" loss_trained)" 'and a loss for each'
ok 'through the quantizer' $recover -q nf2 --rank 2 --init lorc --steps 2 --batch 2 --eval-every 0 --no-control --quantization-aware --same-bytes usual -o grid.h5
[ "$(field grid.h5 s0\" adapter_bytes)" = 0 ] && [ "$(bytes grid.h5 s0\")" -ge "$(bytes grid.h5 lora_same_bytes)" ]
result $? 'no factors are kept, and the base has no more bytes than that'

# --- words ---
fails 2 "--factors" 'a storage that there is not' $train --factors int9
fails 2 'factors have none' 'one that needs a calibration' $train --factors gptq $know
fails 2 'no factors are stored' 'one for what stores none' $train --factors int8 --quantization-aware
fails 2 '--same-bytes' 'a candidate that there is not' $train --same-bytes nf9
fails 2 'needs a calibration' 'one that needs a calibration' $train --same-bytes gptq
finish
