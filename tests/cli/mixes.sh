#!/bin/sh
# A run that goes on with other inputs than the one before is refused, and told which.
. "$srcdir/tests/cli/lib.sh"
m=$srcdir/tests/golden/transformers/llama
mkdir a b
tokens 1216 a/t.u16
tokens 1216 b/t.u16 5
quick="--nulls none --overlap 0 --control 0 --quiet"

# the configuration, beside the same weights
cp -r $m llama && chmod -R u+w llama
ok 'analyzed' $RESIDUUM analyze llama -q nf4 $quick -o config.h5
sed 's/"rms_norm_eps": [^,]*,/"rms_norm_eps": 0.01,/' $m/config.json >llama/config.json
fails 2 'another configuration (config.json ' 'another config.json' \
    $RESIDUUM analyze llama -q nf4 -q nf2 $quick -o config.h5
fails 2 'another configuration' 'for calibrate' \
    $RESIDUUM calibrate llama --tokens a/t.u16 --context 8 --quiet -o config.h5
fails 2 'another configuration' 'for eval' $RESIDUUM eval llama --tokens a/t.u16 --context 8 \
    --max-tokens 65 -q nf2 --one-at-a-time --quiet -o config.h5
fails 2 'another configuration' 'for recover' $RESIDUUM recover llama --tokens a/t.u16 --context 8 \
    --eval-tokens a/t.u16 -q nf2 --steps 0 --quiet -o config.h5
ok 'the same file under another name' $RESIDUUM analyze other=llama -q nf4 $quick -o config.h5

# tokens of the same base name
c="--context 8 --max-tokens 129 --quiet"
ok 'calibrated' $RESIDUUM calibrate $m --tokens a/t.u16 $c --include '*.0.*' -o tokens.h5
fails 2 "'tokens=" 'calibrate: other tokens' $RESIDUUM calibrate $m --tokens b/t.u16 $c -o tokens.h5
ok 'the same ones go on' $RESIDUUM calibrate $m --tokens a/t.u16 $c -o tokens.h5
e="--context 8 --max-tokens 65 --one-at-a-time --quiet -o tokens.h5"
ok 'measured' $RESIDUUM eval $m --tokens a/t.u16 -q nf2 $e
fails 2 "'tokens=" 'eval: other tokens' $RESIDUUM eval $m --tokens b/t.u16 -q nf2 -q nf4 $e
ok 'more quantizers on the same' $RESIDUUM eval $m --tokens a/t.u16 -q nf2 -q nf4 $e
r="--context 8 --max-tokens 129 --max-eval-tokens 65 -q nf2 --rank 2 --steps 0 --quiet -o tokens.h5"
ok 'recovered' $RESIDUUM recover $m --tokens a/t.u16 --eval-tokens a/t.u16 $r
fails 2 "tokens=" 'recover: other tokens' $RESIDUUM recover $m --tokens b/t.u16 --eval-tokens a/t.u16 $r -q nf4
fails 2 "eval-tokens=" 'recover: others to evaluate on' \
    $RESIDUUM recover $m --tokens a/t.u16 --eval-tokens b/t.u16 $r -q nf4
ok 'more quantizers' $RESIDUUM recover $m --tokens a/t.u16 --eval-tokens a/t.u16 $r -q nf4

# tokens that differ in the middle of a long stream alone
mkdir la lb
tokens 98304 la/t.u16
cp la/t.u16 lb/t.u16
printf '\001\000\002\000' | dd of=lb/t.u16 bs=2 seek=49152 conv=notrunc 2>/dev/null
ok 'a long stream' $RESIDUUM eval $m --tokens la/t.u16 --context 8 --include '*.0.*q_proj*' -q nf2 \
    --one-at-a-time --quiet -o long.h5
fails 2 "'tokens=" 'two tokens in its middle' $RESIDUUM eval $m --tokens lb/t.u16 --context 8 \
    --include '*.0.*' -q nf2 --one-at-a-time --quiet -o long.h5

# the precision of products
p="--tokens a/t.u16 --context 8 --max-tokens 65 --quiet"
ok 'in float32' $RESIDUUM eval $m $p --precision f32 -q nf2 --one-at-a-time -o precision.h5
fails 2 "'precision=f32', this command says 'precision=bf16'" 'eval: another precision' \
    $RESIDUUM eval $m $p --precision bf16 -q nf4 --one-at-a-time -o precision.h5
ok 'calibrate in float32' $RESIDUUM calibrate $m $p --precision f32 --include '*.0.*' -o precision.h5
fails 2 "'precision=f32', this command says 'precision=bf16'" 'calibrate: another precision' \
    $RESIDUUM calibrate $m $p --precision bf16 -o precision.h5

# another calibration of the same model, and one of another model with the same shapes
ok 'a calibration' $RESIDUUM calibrate $m --tokens a/t.u16 $c -o one/c.h5
ok 'of other tokens' $RESIDUUM calibrate $m --tokens b/t.u16 $c -o two/c.h5
ok 'of another model' $RESIDUUM calibrate llama=$srcdir/tests/golden/transformers/mistral \
    --tokens a/t.u16 $c -o three/c.h5
ok 'seen through the first' $RESIDUUM analyze $m -q nf4 $quick --calibration one/c.h5 -o seen.h5
fails 2 'was made with calibration' 'analyze: another calibration' \
    $RESIDUUM analyze $m -q nf4 -q nf2 $quick --calibration two/c.h5 -o seen.h5
fails 2 'another model' "another model's" \
    $RESIDUUM analyze $m -q nf4 -q nf2 $quick --calibration three/c.h5 -o seen.h5
ok 'more quantizers with the same' $RESIDUUM analyze $m -q nf4 -q nf2 $quick --calibration one/c.h5 -o seen.h5
ok 'a quantizer that takes it' $RESIDUUM analyze $m -q gptq:bits=4 $quick --calibration one/c.h5 \
    --include '*.0.*q_proj*' -o gptq.h5
fails 2 'was made with calibration' 'goes on with no other' \
    $RESIDUUM analyze $m -q gptq:bits=4 $quick --calibration two/c.h5 -o gptq.h5
r="--tokens a/t.u16 --eval-tokens a/t.u16 --context 8 --max-tokens 129 --max-eval-tokens 65 --rank 2 --steps 0 --quiet -o runs.h5"
ok 'runs with the first' $RESIDUUM recover $m -q nf2 --init kfac $r --calibration one/c.h5
fails 2 "'calibration=" 'recover: another calibration' \
    $RESIDUUM recover $m -q nf2 -q nf4 --init kfac $r --calibration two/c.h5
fails 2 'another model' "recover: another model's" \
    $RESIDUUM recover $m -q nf2 -q nf4 --init kfac $r --calibration three/c.h5
e="--tokens a/t.u16 --context 8 --max-tokens 65 --one-at-a-time --include *.0.*q_proj* --quiet -o corrected.h5"
ok 'corrections with the first' $RESIDUUM eval $m -q nf2 --init kfac --rank 2 $e --calibration one/c.h5
fails 2 "'calibration=" 'eval: another calibration' \
    $RESIDUUM eval $m -q nf4 --init kfac --rank 2 $e --calibration two/c.h5

# the way out
ok '--force starts over' $RESIDUUM analyze $m -q nf4 $quick --calibration two/c.h5 --force -o seen.h5
ok 'and goes on from there' $RESIDUUM analyze $m -q nf4 -q nf2 $quick --calibration two/c.h5 -o seen.h5
fails 2 'was made with calibration' 'the first is another one now' \
    $RESIDUUM analyze $m -q nf4 -q nf2 $quick --calibration one/c.h5 -o seen.h5
finish
