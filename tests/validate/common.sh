# What the validation scripts share; sourced, not run.
#
# VMCTL   the vmctl binary (default: vmctl in PATH, else the one this checkout built)
# $1      the lab (default: the only one that runs)

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vmctl=${VMCTL:-$(command -v vmctl || echo "$here/../../target/release/vmctl")}
case ${1-} in
-*)
    # What a script is for stands at its top.
    sed -n '2,/^source/{/^#/!d; s/^# \{0,1\}//; p}' "$0"
    exit 0
    ;;
esac
lab=()
[ $# -ge 1 ] && lab=(--lab "$1")

need() {
    command -v "$1" >/dev/null && return
    echo "$0 needs $1 (Debian: apt-get install $1)" >&2
    exit 4
}

need jq
need awk

# One line per pair of guests that are linked: FROM TO RTT_NS RATE_BIT_S LOSS LOSS_BACK MTU. A rate
# of 0 is none.
# Fails when there is no such lab, or no such pair in it.
pairs() {
    "$vmctl" "${lab[@]}" -o json status |
        jq -er '.pairs[] | [.from, .to, .rtt_ns, .rate_bit_per_s // 0, .loss, .loss_back, .mtu] | @tsv' || {
        echo "$0: no linked pair of guests to look at" >&2
        return 1
    }
}

in_guest() {
    local guest=$1
    shift
    "$vmctl" "${lab[@]}" exec "$guest" -- "$@"
}
