#!/bin/sh
# A run that is stopped, killed, or extended ends with the numbers of one uninterrupted run.
. "$srcdir/tests/cli/lib.sh"
model=m=synthetic:rows=192,cols=256,noise=1,count=16
run="$RESIDUUM analyze $model -q nf4 -q int3 --quiet"

# What must agree: everything but the time it took.
numbers() {
    $RESIDUUM export $1 spectra --format json | sed 's/"seconds":[^,]*,//'
    $RESIDUUM export $1 curves
    $RESIDUUM export $1 nulls
    $RESIDUUM export $1 matrices
}

ok 'uninterrupted' $run -o whole.h5
numbers whole.h5 >whole

# killed at ten instants spread over the run, then finished
i=0
while [ $i -lt 10 ]; do
    $run -o killed.h5 2>/dev/null &
    pid=$!
    sleep "0.$((i * 7 % 10))$((i * 3 % 10))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    i=$((i + 1))
done
ls killed.h5.part 2>/dev/null | grep -c . >parts
ok 'finished after ten SIGKILLs' $run -o killed.h5
numbers killed.h5 >killed
ok 'the same numbers' cmp whole killed
[ ! -e killed.h5.part ] && [ ! -e killed.h5.tmp ]; result $? 'nothing is left beside the file'

# Ctrl-C: the file is closed, says that it is not complete, and resumes
begin '0*.h5' int.h5.part $run -o int.h5
kill -INT $pid
wait $pid
[ $? -eq 130 ]; result $? 'SIGINT exits 130'
ok 'the file is readable at once' $RESIDUUM inspect int.h5 --json
says '"complete": false' 'and says that it is not complete'
begin '0*.h5' int.h5.part $run -o int.h5
kill -TERM $pid
wait $pid
[ $? -eq 143 ]; result $? 'SIGTERM exits 143'
ok 'resumed' $run -o int.h5
numbers int.h5 >int
ok 'the same numbers again' cmp whole int

# extending
ok 'one quantizer' $RESIDUUM analyze $model -q nf4 --quiet -o grown.h5
ok 'then both' $run -o grown.h5
$RESIDUUM export grown.h5 curves | sort >grown
$RESIDUUM export whole.h5 curves | sort >sorted
ok 'the same curves' cmp grown sorted
ok 'another model joins' $RESIDUUM analyze more=synthetic:rows=64,cols=64,noise=1 --quiet -o grown.h5
$RESIDUUM export grown.h5 matrices >out
[ "$(wc -l <out)" -eq 19 ]; result $? 'and the others stay'
cp grown.h5 before.h5
ok 'nothing to do' $run -o grown.h5
ok 'leaves the file alone' cmp grown.h5 before.h5

# refusing
fails 2 "'top=0', this command says 'top=8'" 'contradicting options' $run --top 8 -o whole.h5
fails 2 'seed=' 'another seed' $run --seed 5 -o whole.h5
fails 2 'holds another model called m' 'another model of that name' \
    $RESIDUUM analyze m=synthetic:rows=8,cols=8,noise=1 --quiet -o whole.h5
ok '--force starts over' $RESIDUUM analyze m=synthetic:rows=8,cols=8,noise=1 --quiet --force -o whole.h5
$RESIDUUM export whole.h5 matrices >out
[ "$(wc -l <out)" -eq 3 ]; result $? 'with the new model and its control alone'
finish
