#!/bin/sh
# W_q from a checkpoint that somebody quantized: analyze --quantized; and GGUF as a model.
. "$srcdir/tests/cli/lib.sh"
files=$srcdir/tests/golden
fast='--nulls none --control 0'

shows 'inspect a GGUF file' $RESIDUUM inspect "$files/gguf/types.gguf"
ok 'inspect its JSON' $RESIDUUM inspect "$files/gguf/llama.gguf" --json
says '"stored": "f32"' 'stored types in it'
shows 'inspect a GPTQ checkpoint' $RESIDUUM inspect "$files/prequantized/gptq"

# two files of the same numbers; GPTQ's bytes against what they stand for
ok 'two checkpoints beside a quantizer' $RESIDUUM analyze "$files/gguf/llama.gguf" -q int4:group=8 \
    --quantized "$files/gguf/qwen2.gguf" --quantized "again=$files/gguf/llama.gguf" $fast -o a.h5
$RESIDUUM export a.h5 spectra >table.csv
[ "$(grep -c ',R,' table.csv)" -eq 21 ]; result $? 'seven matrices, three W_q each'
[ "$(grep -c 'checkpoint:qwen2,R,' table.csv)" -eq 7 ]; result $? 'seven of them of the checkpoint'
ok 'the same again' $RESIDUUM analyze "$files/gguf/llama.gguf" \
    --quantized "$files/gguf/qwen2.gguf" $fast -o a.h5
grep -q '7 of 7 matrices are done already' err; result $? 'is done already'
ok 'another is added' $RESIDUUM analyze "$files/gguf/llama.gguf" \
    --quantized "third=$files/gguf/split-00001-of-00002.gguf" $fast -o a.h5
$RESIDUUM export a.h5 spectra >table.csv
[ "$(grep -c ',R,' table.csv)" -eq 28 ]; result $? 'beside what was there'
ok 'inspect the result' $RESIDUUM inspect a.h5
says 'checkpoint:qwen2: ' 'it names the checkpoint and its sha256'
fails 2 'holds another model called checkpoint:qwen2' 'other bytes under the same name' \
    $RESIDUUM analyze "$files/gguf/llama.gguf" --quantized "qwen2=$files/gguf/mixtral.gguf" $fast -o a.h5

ok 'a checkpoint without some matrices' $RESIDUUM analyze "$files/gguf/llama.gguf" \
    --quantized "$files/gguf/mixtral.gguf" $fast -o b.h5
grep -q '3 of 7 matrices are not there' err; result $? 'says so'
$RESIDUUM export b.h5 spectra >table.csv
[ "$(grep -c ',R,' table.csv)" -eq 4 ]; result $? 'and has the others'

ok 'GPTQ, AWQ or bitsandbytes as W_q' $RESIDUUM analyze "$files/prequantized/bnb" \
    --quantized "same=$files/prequantized/bnb" $fast -o c.h5
$RESIDUUM export c.h5 spectra --format json >table.json
grep -q '"bits_per_weight":4.52' table.json; result $? 'bits per weight are those of the stored bytes'

fails 2 'none of the 7 matrices of' 'a checkpoint of another model' \
    $RESIDUUM analyze "$files/gguf/llama.gguf" --quantized "$files/gguf/gptneox.gguf" $fast -o d.h5
fails 2 'goes with one model' 'one checkpoint for two models' $RESIDUUM analyze \
    "$files/gguf/llama.gguf" "x=$files/gguf/gpt2.gguf" --quantized "$files/gguf/qwen2.gguf" $fast -o d.h5
fails 2 'are both called qwen2' 'two of one name' $RESIDUUM analyze "$files/gguf/llama.gguf" \
    --quantized "$files/gguf/qwen2.gguf" --quantized "$files/gguf/qwen2.gguf" $fast -o d.h5
fails 1 'does not begin with' 'no GGUF at all' sh -c 'echo no >x.gguf; exec "$0" inspect x.gguf' $RESIDUUM

printf '\001\000\002\000\003\000\004\000\005\000\006\000\007\000\001\000\002\000' >t.u16
ok 'a GGUF model runs' $RESIDUUM eval "$files/gguf/qwen2.gguf" --tokens t.u16 --context 8 --json \
    --precision f32
finish
