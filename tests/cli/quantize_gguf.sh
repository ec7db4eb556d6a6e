#!/bin/sh
# residuum quantize -o MODEL.gguf: what it writes reads back to the same numbers.
. "$srcdir/tests/cli/lib.sh"
tiny=$srcdir/tests/golden/transformers
demo=$srcdir/data/demo

tokens 41 t.u16
tokens='--tokens t.u16 --context 8 --json --precision f32'


# round_trip MODEL SPEC NAME: the loss of the file is that of the model quantized in memory.
round_trip() {
    ok "$3: written" $RESIDUUM quantize $1 -q $2 --embeddings -o x.gguf --force
    ok "$3: the model in memory" $RESIDUUM eval $1 $tokens -q $2 --embeddings
    loss=$(value loss)
    ok "$3: the file" $RESIDUUM eval x.gguf $tokens
    near "$(value loss)" "$loss" 1e-9; result $? "$3: the same loss, $loss"
}
for m in gpt_neox gpt2 llama mistral qwen2; do
    round_trip $tiny/$m fp16 "$m in fp16"
done
round_trip $tiny/llama bf16 'llama in bf16'
mkdir tied && cp $tiny/gpt_neox/model.safetensors tied
sed 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' $tiny/gpt_neox/config.json >tied/config.json
round_trip tied fp16 'gpt_neox with one table' # llama.cpp wants the head all the same
ok 'inspect' $RESIDUUM inspect x.gguf
says 'embed_out.weight' 'the table is there as the head too'

# rows of 256, which fill the blocks of every type
cat >config.json <<END
{ "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 1,
  "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 19,
  "max_position_embeddings": 16, "rms_norm_eps": 1e-5, "hidden_act": "silu",
  "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2 }
END
ok 'a wide model' $RESIDUUM pretrain config.json --tokens t.u16 --context 8 --batch 1 --steps 2 --warmup 1 -o wide
for q in q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs mxfp4; do
    round_trip wide $q $q
    ok "$q: is listed" $RESIDUUM inspect x.gguf
    [ "$(grep -ciw "$q" out)" -ge 7 ]; result $? "$q: as the type of all layers"
done
ok 'as it is by default' $RESIDUUM quantize wide -q q4_k -o plain.gguf
[ "$(wc -l <err)" -eq 1 ]; result $? 'there is one note'
grep -q 'no tokenizer.json' err; result $? 'of the tokenizer that is not there'
ok 'inspect' $RESIDUUM inspect plain.gguf
[ "$(grep -cw f16 out)" -eq 2 ] && [ "$(grep -cw q4_K out)" -eq 7 ]
result $? 'the tables are f16, the layers q4_K'
ok 'two types' $RESIDUUM quantize wide -q q4_k --map '*down_proj*=q6_k' -o mixed.gguf
ok 'inspect' $RESIDUUM inspect mixed.gguf
[ "$(grep -cw q6_K out)" -eq 1 ] && [ "$(grep -cw q4_K out)" -eq 6 ]; result $? 'by rule'

# rows that fill no block of the type: what llama.cpp takes then
ok 'narrow rows' $RESIDUUM quantize $demo -q q4_k -o narrow.gguf
grep -q '12 of 16 matrices.*blocks of 256.*128 columns.*q5_0 there, not q4_K' err
result $? 'say what became of them'
grep -c 'q5_0' out | grep -qx 12; result $? 'so does the report'
ok 'inspect' $RESIDUUM inspect narrow.gguf
[ "$(grep -cw q5_0 out)" -eq 12 ] && [ "$(grep -cw q4_K out)" -eq 4 ]; result $? 'and the file'
ok 'narrower rows' $RESIDUUM quantize $tiny/llama -q q8_0 -o f16.gguf
grep -q 'f16 there, not q8_0' err; result $? 'become f16'
for pair in q2_k=q4_0 q3_k=q4_0 q4_k=q5_0 q5_k=q5_1 q6_k=q8_0 iq4_xs=iq4_nl; do
    ok "${pair%=*} on rows of 128" $RESIDUUM quantize $demo -q ${pair%=*} -o fall.gguf --force
    grep -q "12 of 16.* ${pair#*=} there" err; result $? "becomes ${pair#*=}"
done

# the demo model, with its tokenizer
ok 'the demo' $RESIDUUM quantize $demo -q q8_0 -o demo.gguf --json
[ ! -s err ]; result $? 'nothing to note'
for key in general.architecture gptneox.use_parallel_residual tokenizer.ggml.merges tokenizer.ggml.pre; do
    grep -qa "$key" demo.gguf; result $? "has $key"
done
head -c 131072 $demo/eval.tokens.u16 >e.u16
tokens='--tokens e.u16 --context 256 --max-tokens 2049 --json --precision f32'
round_trip $demo q8_0 'the demo in q8_0'

# refused, and nothing left behind
shows 'a quantizer that GGUF has no type for' $RESIDUUM quantize $demo -q nf4 -o no.gguf
shows 'an architecture that llama.cpp lacks' $RESIDUUM quantize $tiny/gpt_neo -q fp16 -o no.gguf
shows 'no architecture' $RESIDUUM quantize synthetic:rows=32,cols=32,noise=1 -q fp16 -o no.gguf
shows 'nothing selected' $RESIDUUM quantize $demo -q fp16 --exclude '*' -o no.gguf
shows 'a file that is there' $RESIDUUM quantize $demo -q q8_0 -o demo.gguf
shows 'no such folder' $RESIDUUM quantize $demo -q q8_0 -o nowhere/x.gguf
mkdir part && cp $tiny/gpt2/model.safetensors part && cp $tiny/llama/config.json part
shows "another model's tensors" $RESIDUUM quantize part -q fp16 -o no.gguf
sed 's/"vocab_size": 19/"vocab_size": 20/' $tiny/llama/config.json >part/config.json
cp $tiny/llama/model.safetensors part
shows 'another shape' $RESIDUUM quantize part -q fp16 -o no.gguf
sed 's/"hidden_act": "silu"/"hidden_act": "gelu"/' $tiny/llama/config.json >part/config.json
shows 'another activation' $RESIDUUM quantize part -q fp16 -o no.gguf

# poke TENSOR OCTAL: its first number in part/model.safetensors becomes these four bytes
poke() {
    cp $tiny/llama/model.safetensors part && chmod u+w part/model.safetensors
    header=$(od -An -tu4 -N4 part/model.safetensors | tr -d ' ')
    offset=$(tail -c +9 part/model.safetensors | head -c $header |
        sed "s/.*\"$1\": *{[^}]*\"data_offsets\": *\[\([0-9]*\),.*/\1/")
    printf "$2" | dd of=part/model.safetensors bs=1 seek=$((8 + header + offset)) conv=notrunc 2>dd.err
}
cp $tiny/llama/config.json part
poke model.embed_tokens.weight '\000\000\300\177'
shows 'NaN in a table' $RESIDUUM quantize part -q fp16 -o no.gguf
poke model.norm.weight '\000\000\300\177'
shows 'NaN in a norm' $RESIDUUM quantize part -q fp16 -o no.gguf
poke model.embed_tokens.weight '\000\120\303\107'
shows 'a number that float16 has not' $RESIDUUM quantize part -q fp16 -o no.gguf
ok 'but bfloat16 has' $RESIDUUM quantize part -q fp16 --embeddings --map '*embed_tokens*=bf16' -o bf16.gguf
printf '{"model":{"type":"BPE","vocab":{"a":19},"merges":[]},"normalizer":{"type":"Replace","content":"\342\226\201"}}' >part/tokenizer.json
shows 'a tokenizer of another vocabulary' $RESIDUUM quantize part -q fp16 -o no.gguf
(ulimit -f 8; trap '' XFSZ; exec $RESIDUUM quantize wide -q q8_0 -o no.gguf) >out 2>err
[ $? -eq 1 ] && grep -q 'no.gguf.tmp: cannot write' err && [ "$(grep -c . err)" -eq 2 ]
result $? 'a full disk: one line, after the note'
[ -z "$(ls | grep 'no.gguf')" ]; result $? 'nothing is left of what failed'
finish
