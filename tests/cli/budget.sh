#!/bin/sh
# --target-bpw, --rank-budget, --calibration and --imatrix: what is chosen, and that it pays.
. "$srcdir/tests/cli/lib.sh"
demo=$srcdir/data/demo
data="--tokens $demo/train.tokens.u16 --context 32 --threads 1 --precision f32"
recover="$RESIDUUM recover $demo $data --eval-tokens $demo/eval.tokens.u16 --max-eval-tokens 1025 --steps 0"


ok 'calibrated' $RESIDUUM calibrate $demo $data --max-tokens 1025 --quiet -o cal.h5
know='--calibration cal.h5'

# --- bits ---
mixed='-q nf2 -q nf2:block=32 -q nf3 -q nf4 --target-bpw 3'
eval="$RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 1025 --context 32 --threads 1 --precision f32 --json"
ok 'three bits for all' $eval -q nf2:block=32
uniform=$(value loss)
ok 'spread by predicted loss' $eval $mixed $know
chosen=$(value loss)
calc "$(value bits_per_weight) <= 3 && $(value bits_per_weight) > 2.9" 'keeps the budget'
calc "$chosen < $uniform" 'and is better than the uniform choice of its size'
ok 'quantize' $RESIDUUM quantize $demo $mixed $know -o mixed --json
err_says 'nf:bits=2,block=32 everywhere' 'says what the best single quantizer would lose'
calc "$(value bits_per_weight) <= 3" 'within the budget too'
[ "$(grep -c '"spec": "nf:bits=[234]' out)" = 16 ] && [ "$(grep -o 'nf:bits=.' out | sort -u | wc -l)" -gt 1 ]
result $? 'with several quantizers'
ok 'what it wrote' $RESIDUUM eval mixed --tokens $demo/eval.tokens.u16 --max-tokens 1025 --context 32 --threads 1 --precision f32 --json
calc "($(value loss) - $chosen) ^ 2 < 1e-12" 'has that loss'
ok 'recover' $recover $mixed $know --rank 2 --init kfac -o bits.h5
calc "$(field bits.h5 demo_map bits_per_weight) <= 3" 'within the budget as well'
calc "($(field bits.h5 demo_map loss_q) - $chosen) ^ 2 < 1e-12" 'has that loss, too'
shows 'another budget for the same file' \
    $recover -q nf2 -q nf2:block=32 -q nf3 -q nf4 --target-bpw 3.1 $know --rank 2 --init kfac -o bits.h5 --quiet
shows 'nothing to choose from' $recover -q nf2 --target-bpw 3 $know
shows 'nothing to predict from' $RESIDUUM quantize $demo $mixed -o none
shows 'several quantizers without a budget' $RESIDUUM quantize $demo -q nf2 -q nf3 -o none

# --- ranks ---
even="$recover -q nf2 $know --rank 4 --init kfac"
ok 'even ranks' $even -o even.h5
ok 'a budget of ranks' $even --rank-budget -o spread.h5
says 'ranks are means' 'says so'
calc "$(field spread.h5 nf2 adapter_numbers) <= $(field even.h5 nf2 adapter_numbers) && $(field spread.h5 nf2 adapter_numbers) > 0.98 * $(field even.h5 nf2 adapter_numbers)" \
    'the same size'
calc "$(field spread.h5 nf2 loss_init) < $(field even.h5 nf2 loss_init)" 'and a lower loss'
$RESIDUUM export spread.h5 recovery/layers --format json |
    sed -n 's/.*"rank":\([0-9]*\).*/\1/p' >ranks
calc "$(awk '{ s += $1 } END { print s }' ranks) == $(field spread.h5 nf2 rank_sum) && $(sort -u ranks | wc -l) > 1 && $(sort -n ranks | head -n 1) >= 1" \
    'ranks of layers differ, none is 0, and they add up'
shows 'no moments' $recover -q nf2 --rank-budget

# --- what quantizers are told ---
ok 'gptq is told H' $RESIDUUM quantize $demo -q gptq:bits=3 $know -o gptq --quiet
ok 'its loss' $RESIDUUM eval gptq --tokens $demo/eval.tokens.u16 --max-tokens 1025 --context 32 --threads 1 --precision f32 --json
told=$(value loss)
ok 'that of eval' $eval -q gptq:bits=3 $know
calc "($(value loss) - $told) ^ 2 < 1e-12" 'is the same'

# An importance matrix: every other input of the first layer matters.
matrix() { # matrix NAME INPUTS: even inputs weigh 100, the others 1
    le32 1 && importance "$1" "$2" && repeat $(($2 / 2)) '\0\0\310\102'$f32_1
}
one='--include *.0.attention.dense.weight'
matrix blk.0.attn_output.weight 128 >important
ok 'without importance' $RESIDUUM quantize $demo -q q4_0 $one -o plain --json
plain=$(value relative_error)
ok 'with it' $RESIDUUM quantize $demo -q q4_0 $one --imatrix important -o weighted --json
calc "$(value relative_error) != $plain" "codes are chosen for these inputs"
ok 'as a GGUF file' $RESIDUUM quantize $demo -q q4_0 $one --imatrix important -o weighted.gguf --json
says '"spec": "q4_0' 'too'
ok 'in eval' $RESIDUUM eval $demo --tokens $demo/eval.tokens.u16 --max-tokens 257 --context 32 --threads 1 -q q4_0 $one --imatrix important --json
matrix blk.0.attn_output.weight 64 >short
shows 'of another size' $RESIDUUM quantize $demo -q q4_0 $one --imatrix short -o none
matrix blk.7.attn_output.weight 128 >foreign
shows 'of another model' $RESIDUUM quantize $demo -q q4_0 $one --imatrix foreign -o none
finish
