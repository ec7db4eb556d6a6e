#!/bin/sh
# Bad input: one line that names the object, the cause and the numbers; nothing written before is lost.
. "$srcdir/tests/cli/lib.sh"
run="$RESIDUUM analyze --quiet"
mask='s/; there are spectra, .*/; there are TABLES/'

header='{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'

shows 'no such path' $run nowhere -o x.h5
shows 'no output' $run synthetic:noise=1
shows 'unknown quantizer' $run synthetic:noise=1 -q nf5 -o x.h5
shows 'a value out of range' $run synthetic:noise=1 -q int:bits=9 -o x.h5
shows 'an unknown key' $run synthetic:noise=1 -q nf:blok=64 -o x.h5
shows 'an unknown null' $run synthetic:noise=1 --nulls sign -o x.h5
shows 'krylov without --top' $run synthetic:noise=1 --method krylov -o x.h5
shows 'nothing selected' $run synthetic:noise=1 --exclude '*' -o x.h5
shows 'a glob that matches nothing' $run synthetic:noise=1 --include nothing -o x.h5
shows 'two models of one name' $run a=synthetic:noise=1 a=synthetic:noise=2 -o x.h5
[ ! -e x.h5 ] && [ ! -e x.h5.tmp ]; result $? 'none of them left a file'

safetensors "$header" 16 >good.safetensors
ok 'a good file' $run good.safetensors -o good.h5
safetensors "$header" 15 >cut.safetensors
shows 'data cut' $run cut.safetensors -o x.h5
head -c 20 good.safetensors >short.safetensors
shows 'header cut' $run short.safetensors -o x.h5
safetensors '{"a":{"dtype":"F99","shape":[2,2],"data_offsets":[0,16]}}' 16 >dtype.safetensors
shows 'unknown dtype' $run dtype.safetensors -o x.h5
safetensors '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,16]}}' 16 >lie.safetensors
shows 'a shape that lies' $run lie.safetensors -o x.h5
safetensors '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}' 16 >huge.safetensors
shows 'a product that overflows' $run huge.safetensors -o x.h5
: >empty.safetensors
shows 'an empty file' $run empty.safetensors -o x.h5

mkdir sharded
echo '{"weight_map":{"a":"one.safetensors","b":"../two.safetensors"}}' >sharded/model.safetensors.index.json
cp good.safetensors sharded/one.safetensors
shows 'a shard outside its folder' $run sharded -o x.h5
echo '{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}' >sharded/model.safetensors.index.json
shows 'a missing shard' $run sharded -o x.h5
mkdir pickled
: >pickled/pytorch_model.bin
shows 'a pickle is refused with the conversion' $run pickled -o x.h5

# NaN: that matrix is recorded as failed, the others are done, exit 1
{
    h='{"bad":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"good":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}'
    safetensors "$h" 0
    printf '\0\0\200\077\0\0\300\177\0\0\200\077\0\0\200\077'
    printf '\0\0\200\077\0\0\0\100\0\0\100\100\0\0\200\077'
} >nan.safetensors
shows 'NaN is found and said where' $run nan.safetensors -q int4 -o nan.h5 --control 0
shows 'the other matrix is there' $RESIDUUM export nan.h5 matrices

# result files
printf 'no HDF5' >text.h5
shows 'a file that is not HDF5' $run good.safetensors -o text.h5
[ "$(cat text.h5)" = 'no HDF5' ]; result $? 'and it is left as it was'
shows 'no such result' $RESIDUUM export none.h5 spectra
shows 'no such table' $RESIDUUM export good.h5 x
mkdir folder.h5
shows 'a folder as output' $run good.safetensors -o folder.h5
ok 'a folder that is not there is made' $run good.safetensors -o made/x.h5
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod a-w locked
    shows 'an unwritable folder' $run good.safetensors -o locked/x.h5
else
    skip 'an unwritable folder' 'root may write anywhere'
fi

# a full disk: the limit on file sizes stands for it
cp good.h5 kept.h5
(ulimit -f 4; exec $run synthetic:rows=300,cols=300,noise=1 more=synthetic:noise=1 -q int4 --control 0 --force -o kept.h5) >out 2>err
[ $? -eq 1 ] && grep -q 'File too large' err; result $? 'a full disk is one clear error'
ok 'what was there is still whole' cmp good.h5 kept.h5
ok 'and it can be done again' $run synthetic:rows=300,cols=300,noise=1 -q int4 --control 0 --force -o kept.h5
finish
