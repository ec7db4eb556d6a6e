#!/bin/sh
# residuum quantize: files that read back, bytes that are counted.
. "$srcdir/tests/cli/lib.sh"
model=synthetic:rows=64,cols=128,noise=1,count=3
mask=$digits

shows 'a model becomes a folder' $RESIDUUM quantize $model -q nf4 -o out1
shows 'which is a model' $RESIDUUM inspect out1
shows 'its packed bytes too' $RESIDUUM inspect out1/packed.safetensors --all
bytes=$(wc -c <out1/packed.safetensors)
[ "$bytes" -lt $((3 * 64 * 128 * 5 / 8 + 2000)) ]; result $? 'in less than 5 bits a weight'

# quantizing again what is exactly representable changes nothing
ok 'again' $RESIDUUM quantize out1 -q nf4 -o out2
cmp -s out1/model.safetensors out2/model.safetensors
result $? 'the second time changes nothing'

# what analyze says of the dequantized model's error is what quantize reports
ok 'JSON' $RESIDUUM quantize $model -q int3 -o out3 --json
sed -n 's/.*"relative_error": \([0-9.]*\).*/\1/p' out | head -n 1 >a
$RESIDUUM analyze m=$model -q int3 -o m.h5 --control 0 --quiet
$RESIDUUM export m.h5 spectra --format json | sed -n 's/.*"what":"R".*"relative_error":\([0-9.]*\).*/\1/p' | head -n 1 >b
paste a b | awk '{ d = $1 - $2; exit !($1 > 0 && d * d < 1e-20) }'
result $? 'quantize and analyze report the same error'

# arrays
{ npy 4 8 && repeat 32 $f32_1; } >w.npy
shows '.npy in, .npy out' $RESIDUUM quantize w.npy -q int8 -o wq.npy
shows 'which reads' $RESIDUUM inspect wq.npy
[ -s wq.packed.safetensors ]; result $? 'and the packed bytes beside it'

shows 'an output that is there' $RESIDUUM quantize w.npy -q int8 -o wq.npy
ok '--force replaces it' $RESIDUUM quantize w.npy -q int8 -o wq.npy --force
shows 'no quantizer' $RESIDUUM quantize w.npy -o y.npy
shows 'two quantizers' $RESIDUUM quantize w.npy -q int8 -q nf4 -o y.npy
shows 'a model into one array' $RESIDUUM quantize $model -q int8 -o y.npy
shows 'a rule for some layers' $RESIDUUM quantize $model --map '*.1.*=int8' -o out4
finish
