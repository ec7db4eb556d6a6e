# Sourced by the shell tests: each check prints one line of TAP.
# Environment: RESIDUUM (the program), srcdir (absolute), RSD_BUILD (build folder).
set -u
: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${RESIDUUM:=$srcdir/build/residuum}"
shared=${RSD_SHARED:-$srcdir/../shared}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
n=0

result() { # result STATUS DESCRIPTION
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' out err 2>/dev/null | head -n 40
    fi
}

# ok DESCRIPTION COMMAND...: it succeeds.  Output is left in the files out and err.
ok() {
    what=$1
    shift
    "$@" >out 2>err
    result $? "$what"
}

# fails STATUS TEXT DESCRIPTION COMMAND...: that exit status, and the text on standard error, which
# holds one line (two for a batch: the matrix' and the sum).
fails() {
    want=$1 text=$2 what=$3
    shift 3
    "$@" >out 2>err
    got=$?
    grep -qF -- "$text" err && [ "$got" -eq "$want" ] && [ "$(wc -l <err)" -le 2 ]
    result $? "$what"
    [ "$got" -eq "$want" ] || echo "# exit $got, want $want"
}

# says TEXT DESCRIPTION: the last command printed it.
says() {
    grep -qF -- "$1" out
    result $? "$2"
}

err_says() { # the same of standard error
    grep -qF -- "$1" err
    result $? "$2"
}

# value KEY: the number that the JSON in the file out has under it, the last of several.
value() { sed -n "s/.*\"$1\": \([-0-9.e]*\),*$/\1/p" out | tail -n 1; }

# near A B TOLERANCE: both are numbers, and no further apart.
near() {
    awk -v a="$1" -v b="$2" -v t="$3" \
        'BEGIN { d = a - b; exit !(a != "" && b != "" && d <= t && -d <= t) }'
}

# calc CONDITION DESCRIPTION: of numbers, as awk understands it.
calc() {
    awk "BEGIN { exit !($1) }"
    result $? "$2"
}

# field FILE RUN KEY: a number or text of the run in recovery/runs of FILE whose line holds RUN.
field() {
    $RESIDUUM export "$1" recovery/runs --format json | grep -F -- "$2" | head -n 1 |
        sed -n "s/.*\"$3\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# await COMMAND...: until it succeeds, or the process $pid has ended, or five minutes have passed.
# What a test waits for is an event, never a time: a busy machine is only slower.
await() {
    tries=0
    while ! "$@" >/dev/null 2>&1 && kill -0 $pid 2>/dev/null && [ $tries -lt 15000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# newer FILE-PATTERN FOLDER: a file of that name in the folder is newer than the file mark.
newer() { [ -n "$(find "$2" -name "$1" -newer mark 2>/dev/null)" ]; }

# peak: megabytes that the last command said with -v.
peak() { sed -n 's/^peak memory \([0-9]*\) MB.*/\1/p' err; }

# shows DESCRIPTION COMMAND...: what it prints, its messages and its exit status are those in
# SCRIPT.exact beside the script, in the section of that description.  `make check RSD_BLESS=1`
# writes the file anew: look at the difference before it is committed.  Folders of this machine are
# written as SRCDIR and WORK, the program as residuum.
exact=${0%.sh}.exact
blessed=$work/blessed.exact
shows() {
    section=$1
    shift
    "$@" >out 2>err
    status=$?
    {
        echo "== $section"
        echo "\$ $*"
        cat out
        sed 's/^/! /' err
        echo "exit $status"
    } | sed "s|$RESIDUUM|residuum|g; s|$srcdir|SRCDIR|g; s|$work|WORK|g" >shown
    cat shown >>"$blessed"
    awk -v title="== $section" '/^== / { on = $0 == title } on' "$exact" 2>/dev/null >wanted
    [ -n "${RSD_BLESS-}" ] || diff wanted shown >out 2>err
    result $? "$section"
}

skip() { # skip DESCRIPTION REASON
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

finish() {
    if [ -n "${RSD_BLESS-}" ] && [ -s "$blessed" ]; then
        cp "$blessed" "$exact"
    fi
    echo "1..$n"
}
