#!/bin/sh
# residuum eval: losses of the tiny models, and of the real checkpoints where they are.
. "$srcdir/tests/cli/lib.sh"
tiny=$srcdir/tests/golden/transformers
run="$RESIDUUM eval"
mask="s/here; gpt_neox, .* have/here; ARCHITECTURES have/; $numbers"

tokens 41 t.u16 # five windows of 8

for m in gpt_neox gpt2 llama mistral qwen2 gpt_neo llama3-rope; do
    ok "$m" $run $tiny/$m --tokens t.u16 --context 8 --json --precision f32
    [ "$(value tokens)" = 40 ]; result $? "$m: five windows of eight"
done
loss=$(value loss)
ok 'in bfloat16' $run $tiny/llama3-rope --tokens t.u16 --context 8 --json --precision bf16
near "$(value loss)" "$loss" 0.05; result $? 'the loss is nearly the same'
ok 'quantized' $run $tiny/llama3-rope --tokens t.u16 --context 8 --json --precision f32 -q int2:group=row
near "$(value loss_original)" "$loss" 1e-9; result $? 'the original beside it has its own loss'
awk -v k="$(value kl)" 'BEGIN { exit !(k > 0.01) }'; result $? 'and diverges from it'
ok 'not quantized at all' $run $tiny/llama3-rope --tokens t.u16 --context 8 --json --precision f32 --map '*.q_proj.weight=lowrank:rank=full,store=f32'
near "$(value kl)" 0 1e-6; result $? 'an exact compressor diverges by nothing'
shows 'as text' $run $tiny/llama --tokens t.u16 --context 8
shows 'beside the original' $run $tiny/llama --tokens t.u16 --context 8 -q nf2
ok 'fewer tokens' $run $tiny/llama --tokens t.u16 --context 8 --max-tokens 20 --json
[ "$(value tokens)" = 16 ]; result $? 'two windows'

shows 'no tokens' $run $tiny/llama
shows 'too few tokens' $run $tiny/llama --tokens t.u16 --context 41
shows 'a context beyond the model' $run $tiny/gpt2 --tokens t.u16 --context 17
shows 'two quantizers' $run $tiny/llama --tokens t.u16 --context 8 -q nf4 -q int4
shows 'nothing selected' $run $tiny/llama --tokens t.u16 --context 8 -q nf4 --exclude '*'
shows 'an architecture without one' $run synthetic:noise=1 --tokens t.u16
printf '\377\0\0\0\0\0\0\0\0\0' >bad.u16
shows 'a token outside the vocabulary' $run $tiny/llama --tokens bad.u16 --context 4
mkdir partial && cp $tiny/llama/config.json partial && cp $tiny/gpt2/model.safetensors partial
shows "another model's weights" $run partial --tokens t.u16 --context 8

for m in stories260k babyllama-105; do
    folder=$shared/models/$m
    if [ ! -d "$folder" ] || sanitized; then
        skip "$m" 'the real checkpoints are not here, or the plain build is for them'
        continue
    fi
    want=$(sed -n 's/.*"mean_loss_nats": \([0-9.]*\).*/\1/p' "$folder/reference.json")
    ok "$m in float32" $run "$folder" --tokens "$folder/eval.tokens.u16" --context 256 --json --precision f32
    near "$(value loss)" "$want" 1e-5; result $? "$m: $(value loss) is the reference loss $want to 1e-5"
    ok "$m in bfloat16" $run "$folder" --tokens "$folder/eval.tokens.u16" --context 256 --json --precision bf16
    near "$(value loss)" "$want" 5e-3; result $? "$m: $(value loss) is the reference loss to 5e-3 in bfloat16"
    # the same stories from text: they are the first of the file
    tokens=$(($(wc -c <"$folder/eval.tokens.u16") / 2))
    ok "$m from text" $run "$folder" --tokens "$shared/text/tinystories.txt" --max-tokens $tokens --windows first --context 256 --json --precision f32
    near "$(value loss)" "$want" 1e-5; result $? "$m: $(value loss) from text is the reference loss to 1e-5"
    awk -v b="$(value bits_per_byte)" 'BEGIN { exit !(b > 0.3 && b < 2) }'; result $? "$m: $(value bits_per_byte) bits per byte"
done
finish
