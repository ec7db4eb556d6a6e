#!/bin/sh
# What is finished stays, whatever fails or is killed beside it: a quantizer, a control, calibrate.
. "$srcdir/tests/cli/lib.sh"
m=$srcdir/tests/golden/transformers/llama
tokens 1216 t.u16
quick="--nulls none --overlap 0 --quiet"
one='--include *.0.*q_proj*'
rows() { $RESIDUUM export "$1" spectra | grep -c -- "$2"; }

# a quantizer that fails (one window's H is singular, and not damped) is alone in that
ok 'calibrated' $RESIDUUM calibrate $m --tokens t.u16 --context 4 --max-tokens 5 --quiet -o c.h5
fails 1 'damping=0' 'a quantizer that fails' $RESIDUUM analyze $m -q nf4 -q gptq:damping=0 -q int3 $one \
    --control 0 $quick --calibration c.h5 -o f.h5
[ "$(rows f.h5 ',W,')" = 1 ] && [ "$(rows f.h5 ',R,')" = 2 ]; result $? 'W and the others are there'
$RESIDUUM export f.h5 matrices >out
says ',ok,' 'and the matrix is fine'
fails 1 'damping=0' 'it is tried again' $RESIDUUM analyze $m -q nf4 -q gptq:damping=0 -q int3 $one \
    --control 0 $quick --calibration c.h5 -o f.h5
ok 'the others are done' $RESIDUUM analyze $m -q nf4 -q int3 $one --control 0 -v --nulls none \
    --overlap 0 --calibration c.h5 -o f.h5
err_says '1 of 1 matrices are done already' 'already'

# a control that cannot be had
ok 'a quantizer that needs a calibration' $RESIDUUM analyze $m -q gptq $one --nulls none --overlap 0 \
    --calibration c.h5 -o control.h5
err_says 'control: no gptq' 'the control is left out with a note'
[ "$(rows control.h5 '^control,.*,W,')" = 1 ] && [ "$(rows control.h5 '^control,.*,R,')" = 0 ]
result $? 'of that quantizer alone'
cp control.h5 before.h5
ok 'again' $RESIDUUM analyze $m -q gptq $one --nulls none --overlap 0 --calibration c.h5 -o control.h5
cmp -s control.h5 before.h5; result $? 'nothing is left to do'

# a model that the user calls control
ok "the user's control" $RESIDUUM analyze control=$m -q nf4 $one $quick -o mine.h5
[ "$(rows mine.h5 '^control,')" = 3 ] && [ "$(rows mine.h5 '^control_2,')" = 3 ]
result $? 'stands beside the one that is added'
ok 'more' $RESIDUUM analyze control=$m -q nf4 -q int3 $one $quick -o mine.h5
[ "$(rows mine.h5 '^control,')" = 5 ] && [ "$(rows mine.h5 '^control_2,')" = 5 ]
result $? 'which is known again'
ok 'compared' $RESIDUUM compare mine.h5 --json
says '"model": "control"' 'and is a model like others'

# --force forgets with the first thing it puts in the place of what was there
cp c.h5 forced.h5
fails 2 'no matrix' 'a forced run that cannot begin' $RESIDUUM calibrate $m --tokens t.u16 --context 4 \
    --max-tokens 5 --include nowhere --force -o forced.h5
ok 'leaves the calibration' $RESIDUUM calibrate $m --tokens t.u16 --context 4 --max-tokens 5 -o forced.h5
err_says '14 of 14 layers are calibrated already' 'as it was'
ok 'a forced analysis' $RESIDUUM analyze $m -q nf4 $one --control 0 $quick --force -o forced.h5
ok 'leaves it too' $RESIDUUM calibrate $m --tokens t.u16 --context 4 --max-tokens 5 -o forced.h5
err_says '14 of 14 layers are calibrated already' 'and nothing of it is done again'

# calibrate, killed and stopped: the same bits in the end
numbers() { $RESIDUUM analyze $m -q nf4 $quick --control 0 --calibration $1 -o n.h5 --force &&
    $RESIDUUM export n.h5 spectra --format json | sed 's/"seconds":[^,]*,//' && $RESIDUUM export n.h5 curves; }
tokens 20480 long.u16
run="$RESIDUUM calibrate $m --tokens long.u16 --context 4 --checkpoint-every 1 --memory 0.003 --quiet"
ok 'uninterrupted' $run -o steady.h5
numbers steady.h5 >steady
for kill in 1 2 3; do
    begin '*.state' killed.h5.part $run -o killed.h5
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
done
[ -d killed.h5.part ]; result $? 'a killed run leaves its moments'
begin '*.state' killed.h5.part $run -o killed.h5
kill -TERM $pid 2>/dev/null
wait $pid
[ $? -eq 143 ]; result $? 'SIGTERM exits 143'
ok 'finished' $run -o killed.h5
numbers killed.h5 >killed
[ -s steady ] && cmp steady killed; result $? 'the same numbers'
[ ! -e killed.h5.part ]; result $? 'nothing is left beside the file'
finish
