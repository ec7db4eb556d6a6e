#!/bin/sh
# GGUF models whose tensors or metadata are not where one looks first: losses as transformers says
# them (tests/golden/make_gguf_models.py).
. "$srcdir/tests/cli/lib.sh"
models=$srcdir/tests/golden/gguf_models
E="--context 32 --precision f32 --json"

loses() { # loses FILE LOSS TOKENS TOLERANCE
    ok "$(basename "$1")" "$RESIDUUM" eval "$1" --tokens "$3" $E
    near "$(value loss)" "$2" "$4"; result $? "$(basename "$1"): a loss of $2"
}

while read -r name loss; do
    loses "$models/$name.gguf" "$loss" "$models/tokens.u16" 2e-6
done <"$models/losses.txt"
loses "$models/head-00003-of-00003.gguf" 5.238572919 "$models/tokens.u16" 2e-6

mkdir part && cp "$models"/head-0000[13]-of-00003.gguf part
fails 1 'part 2 of 3: part/head-00002-of-00003.gguf: ' 'a missing part is named' \
    "$RESIDUUM" inspect part/head-00001-of-00003.gguf

# text, with the vocabulary of the file
demo=$srcdir/data/demo
printf 'Once upon a time there was a little girl.\tShe had 123 friends; caf\303\251!\n\nThe end.' >story.txt
ok 'a model with its vocabulary' "$RESIDUUM" quantize "$demo" -q fp16 --embeddings -o demo.gguf
ok 'the folder' "$RESIDUUM" eval "$demo" --tokens story.txt --context 8 --precision f32 -q fp16 --embeddings --json
loss=$(value loss) tokens=$(value tokens)
ok 'the file' "$RESIDUUM" eval demo.gguf --tokens story.txt --context 8 --precision f32 --json
[ "$(value tokens)" = "$tokens" ] && near "$(value loss)" "$loss" 1e-9
result $? "the same loss of the same tokens, $loss"
ok 'a GGUF of a GGUF' "$RESIDUUM" quantize demo.gguf -q fp16 --embeddings -o again.gguf
ok 'keeps its vocabulary' "$RESIDUUM" eval again.gguf --tokens story.txt --context 8 --precision f32 --json
near "$(value loss)" "$loss" 1e-9; result $? 'the same loss again'
fails 1 'tokenizer.ggml.model is missing' 'a file without vocabulary' \
    "$RESIDUUM" eval "$models/factor.gguf" --tokens story.txt --context 8

# characters that no token covers
cp -r "$demo" few
sed 's/"ĉ":[0-9]*,//' "$demo/tokenizer.json" >few/tokenizer.json # the letter of the tab
ok 'are left out' "$RESIDUUM" eval few --tokens story.txt --context 8 --json
grep -q 'story.txt: 1 characters that no token covers are left out, the first is U+0009' err
result $? 'and counted, as the text has them'

faults=$shared/faults
for line in 'head_last-00001-of-00003 5.57680 t.u16' 'llama_factor_no_type 5.53049 t.u16' \
    'nvfp4-scale 5.55789 nvfp4-scale.t.u16'; do
    set -- $line
    if [ -f "$faults/$1.gguf" ]; then
        loses "$faults/$1.gguf" "$2" "$faults/$3" 6e-6
    else
        skip "$1" "no $faults"
    fi
done
finish
