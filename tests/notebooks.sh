#!/bin/sh
# The notebooks run from their first cell to their last in a clean copy, on fewer tokens and steps than
# they come with, and what is committed of their outputs is whole, small and says nothing of the
# machine it was made on.
. "$srcdir/tests/cli/lib.sh"
notebooks=$srcdir/notebooks

# An interpreter that has what the notebooks import, and Jupyter's programs.
python=
for p in /usr/bin/python3 python3; do
    if $p -c 'import nbconvert, nbclient, ipykernel, h5py, pandas, matplotlib, jinja2' 2>/dev/null; then
        python=$p
        break
    fi
done

# ---- what is committed ----
total=$(cat "$notebooks"/*.ipynb "$notebooks"/*.py | wc -c)
[ "$total" -le 600000 ]
result $? "the folder's $total bytes are at most 600000"
grep -lE '/(home|root|tmp|work|usr|builds?)/|@[a-z0-9-]+:' "$notebooks"/*.ipynb >out 2>err
[ $? -eq 1 ]
result $? 'no path of a machine is in them'
if [ -z "$python" ]; then
    skip 'stored outputs' 'no python3 with jupyter, h5py, pandas and matplotlib'
    skip 'execution' 'no python3 with jupyter, h5py, pandas and matplotlib'
    finish
    exit
fi

# check FILE: every cell with code was run, in order, none failed, and there are figures.
cat >check.py <<'END'
import sys
import nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbformat.validate(notebook)
code = [c for c in notebook.cells if c.cell_type == "code"]
outputs = [o for c in code for o in c.outputs]
failed = [o.ename for o in outputs if o.output_type == "error"]
figures = sum("image/png" in o.get("data", {}) for o in outputs)
order = [c.execution_count for c in code]
print(f"{len(code)} cells, {figures} figures, failed: {failed}")
sys.exit(bool(failed) or figures < 2 or order != list(range(1, len(code) + 1)))
END
for f in "$notebooks"/*.ipynb; do
    ok "$(basename "$f") is stored with the outputs of one run" $python check.py "$f"
done

# ---- from a clean copy ----
mkdir -p home notebooks data
cp "$notebooks"/*.ipynb "$notebooks"/residuum.py notebooks/
cp -R "$srcdir/data/demo" data/
chmod -R u+w notebooks data
# whatever Jupyter, matplotlib and IPython write for themselves stays here
HOME=$work/home XDG_CACHE_HOME=$work/home XDG_CONFIG_HOME=$work/home XDG_DATA_HOME=$work/home
MPLCONFIGDIR=$work/home IPYTHONDIR=$work/home JUPYTER_CONFIG_DIR=$work/home JUPYTER_DATA_DIR=$work/home
JUPYTER_RUNTIME_DIR=$work/home
export RESIDUUM HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME MPLCONFIGDIR IPYTHONDIR
export JUPYTER_CONFIG_DIR JUPYTER_DATA_DIR JUPYTER_RUNTIME_DIR

# less PATTERN TEXT: the cells of settings, which are there to be changed, have this text in its place.
less() {
    grep -l "$1" notebooks/*.ipynb >having 2>err && xargs sed -i "s/$1/$2/" <having
    result $? "$2"
}
less 'CALIBRATION_TOKENS = [0-9]*' 'CALIBRATION_TOKENS = 4097'
less 'EVALUATION_TOKENS = [0-9]*' 'EVALUATION_TOKENS = 1025'
less 'STEPS = [0-9]*' 'STEPS = 2'
less '\\"steps\\": [0-9]*' '\\"steps\\": 2'
less 'RANKS = \[2, 4, 8, 16\]' 'RANKS = [2, 8]'
for f in notebooks/*.ipynb; do
    name=$(basename "$f")
    begin=$(date +%s)
    $python -m nbconvert --clear-output --inplace "$f" >out 2>err
    ok "$name runs" $python -m nbconvert --to notebook --execute --ExecutePreprocessor.timeout=1200 \
        --output "run-$name" "$f"
    echo "# $(($(date +%s) - begin)) s"
    ok "$name has its outputs" $python check.py "notebooks/run-$name"
done
for name in 01-is-it-the-model-or-the-data 03-predicting-recovery; do
    grep -q 'Verdict: ' "notebooks/run-$name.ipynb"
    result $? "$name ends with a verdict"
done
finish
