#!/bin/sh
# residuum calibrate: what it writes, what it keeps of a result file, and that memory does not grow.
. "$srcdir/tests/cli/lib.sh"
tiny=$srcdir/tests/golden/transformers
run="$RESIDUUM calibrate"
mask="s/here; gpt_neox, .* have/here; ARCHITECTURES have/; $machine"

tokens 38912 t.u16
cat t.u16 t.u16 >tt.u16

for m in gpt_neox gpt2 llama mistral qwen2 gpt_neo; do
    ok "$m" $run $tiny/$m --tokens t.u16 --context 8 --max-tokens 81 -o $m.h5
    err_says 'from 80 tokens' "$m: ten windows of eight"
done
ok 'a result file' $RESIDUUM export llama.h5 matrices
says 'calibrated' 'matrices that analyze has not seen say so'
[ ! -e llama.h5.part ] && [ ! -e llama.h5.tmp ]; result $? 'nothing is left beside it'

shows 'a fused layer has an H and a G of its own' \
    $run $tiny/gpt_neox --tokens t.u16 --context 8 --max-tokens 81 -o size.h5
shows 'q k v share one H, and gate and up' \
    $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o size.h5

cp llama.h5 before.h5
shows 'the same again' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o llama.h5
cmp -s llama.h5 before.h5; result $? 'and changes nothing'
shows 'other options are refused' \
    $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 161 -o llama.h5
shows 'another seed too' \
    $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o llama.h5 --seed 1
cmp -s llama.h5 before.h5; result $? 'and nothing is lost'
ok 'forced' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 161 -o llama.h5 --force
err_says 'from 160 tokens' 'it is done again'
shows 'another model of that name' \
    $run llama=$tiny/mistral --tokens t.u16 --context 8 --max-tokens 161 -o llama.h5 --force

# some matrices first, the others after
args="$tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o steps.h5"
shows 'one matrix' $run $args --include '*.0.self_attn.k_proj.weight'
shows 'the others' $run $args
shows 'none is missing then' $run $args

# beside analyze: either may come first
ok 'analyze after calibrate' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o llama.h5
ok 'what was calibrated' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 161 -o llama.h5
err_says '14 of 14 layers are calibrated already' 'is still there'
$RESIDUUM export llama.h5 spectra >spectra.before
ok 'forced again' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o llama.h5 --force
$RESIDUUM export llama.h5 spectra >spectra.after
[ -s spectra.after ] && cmp -s spectra.before spectra.after
result $? 'and analyze keeps its spectra'
ok 'analyze once more' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o llama.h5
err_says 'are done already' 'has nothing to do'
ok 'with the calibration' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o llama.h5 --calibration llama.h5
$RESIDUUM export llama.h5 spectra >spectra.after
[ "$(grep -c ',GRH,' spectra.after)" = 14 ]; result $? 'R is seen through H and G'
grep -vE ',(RdH|RH|GR|GRH),' spectra.after >spectra.old; cmp -s spectra.before spectra.old
result $? 'beside what was there'
ok 'again with it' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o llama.h5 --calibration llama.h5
err_says '15 of 15 matrices are done already' 'has nothing to do'
ok 'all at once' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o once.h5 --calibration llama.h5
$RESIDUUM export once.h5 spectra >all.csv
untimed() { sed 's/"[^"]*"/SPEC/' "$1" | cut -d, -f1-11,13- | sort; }
untimed spectra.after >sorted; untimed all.csv | cmp -s - sorted
result $? 'gives the same rows'
shows 'another damping is refused' $RESIDUUM analyze $tiny/llama -q int4:group=row --nulls none -o once.h5 --calibration llama.h5 --damping 0.5
shows 'a calibration of other weights' $RESIDUUM analyze llama=$tiny/mistral -q int4 -o x.h5 --calibration llama.h5
shows 'no calibration' $RESIDUUM analyze $tiny/llama -q int4 -o x.h5 --calibration absent.h5
cp spectra.after spectra.before
ok 'another model' $run $tiny/gpt2 --tokens t.u16 --context 8 --max-tokens 81 -o llama.h5
ok 'and the first one' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 -o llama.h5
err_says '14 of 14 layers are calibrated already' 'is still there'
$RESIDUUM export llama.h5 spectra >spectra.after
cmp -s spectra.before spectra.after; result $? 'with its spectra'

shows 'little memory' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 --precision f32 -o passes.h5 --memory 0.003
ok 'the empirical Fisher matrix' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 --empirical -o empirical.h5
ok 'in bfloat16' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 81 --precision bf16 -o half.h5
shows 'fewer tokens than channels' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 9 -o few.h5

if sanitized; then
    skip 'peak memory' 'sanitizers keep shadow memory'
else
    ok 'many tokens' $run $tiny/llama --tokens t.u16 --context 16 -o small.h5 -v
    once=$(peak)
    ok 'twice as many' $run $tiny/llama --tokens tt.u16 --context 16 -o large.h5 -v
    twice=$(peak)
    echo "# peak memory $once MB, with twice the tokens $twice MB"
    [ "$twice" -le $((once + 3)) ]; result $? 'take no more memory'
fi

shows 'no output' $run $tiny/llama --tokens t.u16
shows 'no tokens' $run $tiny/llama -o x.h5
shows 'too few tokens' $run $tiny/llama --tokens t.u16 --max-tokens 8 --context 8 -o x.h5
shows 'a context beyond the model' $run $tiny/gpt2 --tokens t.u16 --context 17 -o x.h5
shows 'nothing selected' $run $tiny/llama --tokens t.u16 --context 8 --exclude '*' -o x.h5
shows 'an architecture without one' $run synthetic:noise=1 --tokens t.u16 -o x.h5
shows 'a folder that is not there cannot be made' $run $tiny/llama --tokens t.u16 --context 8 -o t.u16/folder/x.h5
echo nonsense >bad.h5
shows 'not a result file' $run $tiny/llama --tokens t.u16 --context 8 -o bad.h5
grep -q nonsense bad.h5; result $? 'which stays as it is'
[ ! -e x.h5 ] && [ ! -e x.h5.tmp ] && [ ! -e x.h5.part ]; result $? 'failures leave nothing behind'
finish
