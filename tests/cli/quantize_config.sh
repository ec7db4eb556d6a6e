#!/bin/sh
# residuum quantize: the folder's config.json tells what the folder holds: float32 weights, also where
# they came quantized; a GGUF file becomes a folder with a configuration.
. "$srcdir/tests/cli/lib.sh"
golden=$srcdir/tests/golden

# has FILE TEXT, lacks FILE TEXT
has() { grep -qF -- "$2" "$1"; }
lacks() { [ -s "$1" ] && ! grep -qF -- "$2" "$1"; }

for kind in gptq gptq_v2 awq bnb; do
    rm -rf in out.d
    cp -r "$golden/prequantized/$kind" in && chmod -R u+w in
    echo '{"bits": 4}' >in/quant_config.json
    echo '{"eos_token_id": 2}' >in/generation_config.json
    ok "$kind" $RESIDUUM quantize in -q int8 -o out.d
    lacks out.d/config.json quantization_config; result $? '... its weights are numbers, and its config.json says so'
    has out.d/config.json '"float32"'; result $? '... float32'
    [ ! -e out.d/quant_config.json ] && [ -e out.d/generation_config.json ]
    result $? '... with what else lay there, but no other word of it'
    ok '... which is read again' $RESIDUUM inspect out.d --json
    ! grep -q "\"stored\": \"[a-z]*-" out; result $? '... as what it is'
done

# --- what is not touched: every other byte ---
mkdir plain
cp "$golden/transformers/llama/"*.safetensors plain
{ sed '$d' "$golden/transformers/llama/config.json" | sed '$s/$/,/'
  printf '  "some_limit": Infinity,\n  "torch_dtype": "bfloat16"\n}\n'; } >plain/config.json
if $RESIDUUM inspect plain >/dev/null 2>&1; then
    ok 'a configuration as Python writes it' $RESIDUUM quantize plain -q int8 -o plain.d
    sed 's/"torch_dtype": "bfloat16"/"torch_dtype": "float32"/' plain/config.json | cmp -s - plain.d/config.json
    result $? 'keeps its text, but for the type'
else
    skip 'Infinity in config.json' 'it is not read'
fi

# --- from GGUF ---
tiny=$golden/transformers/llama
tokens 200 t.u16
ok 'a GGUF file' $RESIDUUM quantize "$tiny" -q fp16 -o llama.gguf
ok 'a folder from it' $RESIDUUM quantize llama.gguf -q fp16 -o from.d
has from.d/config.json '"model_type": "llama"' && has from.d/config.json '"torch_dtype": "float32"'
result $? 'has a configuration'
err_says 'no tokenizer.json' 'and says what it has not'
$RESIDUUM eval llama.gguf --tokens t.u16 --context 16 --precision f32 --json >gguf.json 2>err
ok 'it is a model' $RESIDUUM eval from.d --tokens t.u16 --context 16 --precision f32 --json
[ -s gguf.json ] && cmp -s gguf.json out; result $? 'with the same losses'
finish
