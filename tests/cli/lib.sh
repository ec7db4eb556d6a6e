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

skip() { # skip DESCRIPTION REASON
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

finish() { echo "1..$n"; }
