#!/bin/sh
# residuum eval --one-at-a-time and compare: what is measured, what is joined, what is said.
. "$srcdir/tests/cli/lib.sh"
m=$srcdir/tests/golden/transformers/llama
# of a verdict its words, not its points nor who is ahead by a hair
mask="s/[-+]\{0,1\}[0-9]* points/# points/g; s/[-+][0-9][0-9]*\(\.[0-9]*\)\{0,1\}/#/g; s/by [a-zA-Z ]*, off by/by X, off by/g
    s/mean over 1, .*/mean over 1, .../; s/[0-9]* %/# %/g; $numbers; $machine"

tokens 1216 t.u16
t="--tokens t.u16 --context 8"

# ---- one layer at a time ----
shows '-o alone is refused' $RESIDUUM eval $m $t -q nf4 -o x.h5
shows '--init alone too' $RESIDUUM eval $m $t -q nf4 --init lorc
shows '--rank needs a correction' \
    $RESIDUUM eval $m $t -q nf4 --one-at-a-time --rank 2
shows 'no --target-bpw' $RESIDUUM eval $m $t -q nf4 --one-at-a-time --target-bpw 3
shows 'no quantizer' $RESIDUUM eval $m $t --one-at-a-time
shows 'each matrix alone, under two quantizers' \
    $RESIDUUM eval $m $t -q nf2 -q nf4 --one-at-a-time --max-tokens 257 -o s.h5
shows 'again, what is there is not measured, and corrections join' $RESIDUUM eval $m $t -q nf2 -q nf4 --one-at-a-time --max-tokens 257 -o s.h5 \
    --init lorc --rank 2
ok 'as JSON' $RESIDUUM eval $m $t -q nf2 --one-at-a-time --max-tokens 257 --include '*layers.0*q_proj*' --json
says '"first_order"' 'with the first-order term'
shows 'a quantizer that cannot is told' \
    $RESIDUUM eval $m $t -q gptq -q nf4 --one-at-a-time --max-tokens 257 --include '*layers.0*q_proj*'

# quantizing all but nothing of one matrix: the increase of one alone is what eval says of it
ok 'alone by --include' $RESIDUUM eval $m $t -q nf2 --max-tokens 257 --include '*layers.1*down_proj*' --json
alone=$(sed -n 's/.*"loss_increase": \([-0-9.e]*\).*/\1/p' out)
ok 'table' $RESIDUUM export s.h5 sensitivity
row=$(grep 'layers.1.mlp.down_proj' out | grep 'bits=2' | head -n 1)
echo "$row" | awk -F, -v want="$alone" '{ for (i = 1; i <= NF; i++) if (($i - want) ^ 2 < 1e-18 && $i != "") found = 1 } END { exit !found }'
result $? 'equals the loss of a model in which that matrix alone is quantized'

# ---- compare: the embedded model, on a few windows ----
d=$srcdir/data/demo
w="--context 64 --max-tokens 1025"
shows 'a file without residuals' $RESIDUUM compare s.h5
ok 'calibrate' $RESIDUUM calibrate $d --tokens $d/train.tokens.u16 $w -o f.h5
ok 'analyze' $RESIDUUM analyze $d -q nf2 -q nf3 --calibration f.h5 --include '*layers.[01]*' -o f.h5
shows 'spectra alone' $RESIDUUM compare f.h5
ok 'predictions' $RESIDUUM export f.h5 prediction
says 'GRH' 'are in the file'
cp f.h5 before.h5
ok 'leave it alone' $RESIDUUM compare f.h5 --no-write
cmp -s f.h5 before.h5; result $? 'when asked to'
ok 'single layers' $RESIDUUM eval $d --tokens $d/eval.tokens.u16 $w -q nf2 --one-at-a-time \
    --include '*layers.[01]*' -o f.h5 --quiet
ok 'runs' $RESIDUUM recover $d --no-same-bytes --tokens $d/train.tokens.u16 --eval-tokens $d/eval.tokens.u16 \
    --context 64 --max-eval-tokens 1025 -q nf2 -q nf3 --rank 2,4 --init zero,kfac --no-control \
    --include '*layers.[01]*' --steps 3 --batch 4 --eval-every 0 --calibration f.h5 -o f.h5 --quiet
shows 'all of it' $RESIDUUM compare f.h5
ok 'as JSON' $RESIDUUM compare f.h5 --json
for key in '"R"' '"RdH"' '"RH"' '"GRH"' '"spearman"' '"spearman_interval"' '"slope"' '"verdict"' \
    '"closed_form"' '"effective_rank"'; do
    says "$key" "has $key"
done
says '"by_start"' 'starts in JSON too'
says '"starts_trained"' 'with what beats what'
ok 'the same seed, the same numbers' $RESIDUUM compare f.h5 --json
cp out first; $RESIDUUM compare f.h5 --json >out 2>err; cmp -s out first; result $? 'twice'
ok 'figures' $RESIDUUM plot f.h5 prediction sensitivity subspaces data_rank -o fig
for f in prediction sensitivity-demo subspaces-demo-nf2 data_rank-demo-nf2; do
    [ -s "fig/$f.png" ]; result $? "$f.png"
done
cp f.h5 copy.h5
$RESIDUUM compare f.h5 --no-write --json >once 2>err
ok 'the same file twice' $RESIDUUM compare f.h5 copy.h5 --no-write --json
sed '/"repeated"/,/}/d' once >a; sed '/"repeated"/,/}/d' out >b; cmp -s a b; result $? 'counts once'
grep -q '"runs": 8' out; result $? 'and that is said'
shows 'a rank that no layer has' $RESIDUUM compare f.h5 --no-write --rank 1000
ok 'other layers' $RESIDUUM analyze $d -q nf2 --calibration f.h5 --include '*layers.0*' -o part.h5 --quiet
ok 'runs of more layers' $RESIDUUM recover $d --no-same-bytes --tokens $d/train.tokens.u16 --context 64 \
    --eval-tokens $d/eval.tokens.u16 --max-eval-tokens 1025 -q nf2 --rank 2 --init lorc --no-control \
    --steps 0 --include '*layers.[01]*' --calibration f.h5 -o part.h5 --quiet
shows 'are not predicted' $RESIDUUM compare part.h5 --no-write
shows 'two files' $RESIDUUM compare f.h5 s.h5 --no-write
shows 'a file that is not there' $RESIDUUM compare nothing.h5
finish
