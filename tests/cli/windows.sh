#!/bin/sh
# Which windows losses are means over, and how far such a mean can be trusted; what small models and
# short trainings get.
. "$srcdir/tests/cli/lib.sh"
d=$srcdir/data/demo
e="$RESIDUUM eval $d --context 32 --threads 1"

# Windows of 32 of a file of 8: with room for two, 0 and 4.
head -c 514 $d/eval.tokens.u16 >eight.u16
tail -c +257 eight.u16 >fifth.u16
ok 'all' $e --tokens eight.u16 --json
[ "$(value windows)" = 8 ] && [ "$(value windows_of)" = 0 ]; result $? 'eight windows'
ok 'two of eight' $e --tokens eight.u16 --max-tokens 65 --json
[ "$(value windows)" = 2 ] && [ "$(value windows_of)" = 8 ]; result $? 'are spread over eight'
spread=$(value loss)
ok 'the first' $e --tokens eight.u16 --max-tokens 33 --windows first --json
[ "$(value windows_of)" = 0 ]; result $? 'is called so'
a=$(value loss)
ok 'the fifth' $e --tokens fifth.u16 --max-tokens 33 --windows first --json
near "$spread" "$(awk -v a="$a" -v b="$(value loss)" 'BEGIN { printf "%.17g", (a + b) / 2 }')" 1e-6
result $? 'are what the two are means of'
ok 'the first two' $e --tokens eight.u16 --max-tokens 65 --windows first --json
cp out first
head -c 130 eight.u16 >two.u16
ok 'of a file that ends there' $e --tokens two.u16 --json
[ "$(value loss)" = "$(value loss first)" ]; result $? 'are the same'
ok 'text says it' $e --tokens eight.u16 --max-tokens 65
says 'windows_of         8' 'of how many'
says 'loss_block' 'and in what blocks'
says 'precision          f32' 'small models run in float32'
ok 'bf16 when asked' $e --tokens eight.u16 --precision bf16 --json
[ "$(value precision)" = bf16 ]; result $? 'is bf16'
$RESIDUUM eval --help >out; says '--windows' 'the help names it'; says 'spread' 'and the default'
ok 'fp16' $e --tokens $d/eval.tokens.u16 --max-tokens 2049 -q fp16 --json
awk -v k="$(value kl)" 'BEGIN { exit !(k < 1e-6) }'; result $? 'rounding to fp16 alone is what its KL shows'

# The same tokens twice, window by window: each resembles its neighbour, and errors know it.
i=0
while [ $i -lt 64 ]; do
    tail -c +$((i * 64 + 1)) $d/eval.tokens.u16 | head -c 64 >w
    cat w w w w >>pairs.u16
    i=$((i + 1))
done
ok 'windows that repeat' $e --tokens pairs.u16 --json
[ "$(value loss_block)" -ge 3 ]; result $? 'are taken together'
cp out pairs
ok 'each once' $e --tokens $d/eval.tokens.u16 --max-tokens 2049 --windows first --json
awk -v a="$(value loss_se pairs)" -v b="$(value loss_se)" 'BEGIN { exit !(a > 0.75 * b) }'
result $? 'four copies are worth one, not a quarter'

# ---- single layers, runs ----
ok 'one layer alone' $e --tokens $d/eval.tokens.u16 --max-tokens 1025 -q nf2 --one-at-a-time \
    --include '*layers.0*dense.weight' --init lorc --rank 1000,2000 -o s.h5 --json
grep -q '"rank": 128' out && ! grep -q '"rank": [12]000' out; result $? 'no correction has more ranks than its matrix'
[ "$(grep -c '"rank": 128' out)" = 1 ]; result $? 'and two that are the same are one'
ok 'table' $RESIDUUM export s.h5 sensitivity
says 'windows_of' 'knows what its windows are spread over'
ok 'as text' $e --tokens $d/eval.tokens.u16 --max-tokens 1025 -q nf2 --one-at-a-time --include '*layers.0*dense.weight'
says 'means over 32 windows, spread over the' 'which says what its errors are over'
says 'that follow each other together' 'and in what blocks'
r="$RESIDUUM recover $d --tokens $d/train.tokens.u16 --eval-tokens $d/eval.tokens.u16 --context 32
    --max-eval-tokens 1025 --batch 2 --no-control --threads 1 -q nf2"
ok 'one step' $r --steps 1 --rank 2 --json
[ -n "$(value loss_trained)" ] && [ "$(value loss_trained)" != "$(value loss_init)" ]
result $? 'trains'
[ "$(value windows_of)" = "$(($(wc -c <$d/eval.tokens.u16) / 2 - 1))" ] ||
    [ "$(value windows_of)" -gt 32 ]
result $? 'evaluated on windows spread over the file'
ok 'a rank that no layer has' $r --steps 0 --rank 1000,4000 --init lorc --json
grep -q 'no layer with adapters has more than 128' err; result $? 'is told'
[ "$(value rank)" = 128 ] && [ "$(grep -c '"run"' out)" = 1 ]; result $? 'and called by what there is'
ok 'as a table' $r --steps 0 --rank 2 --init lorc
says 'spread over the' 'a run says so too'
ok 'the first windows' $r --steps 0 --rank 2 --windows first -o w.h5 --quiet
fails 2 'was made with' 'are not the ones that are spread' $r --steps 0 --rank 4 -o w.h5 --quiet
finish
