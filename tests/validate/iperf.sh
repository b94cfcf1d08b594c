#!/usr/bin/env bash
# TCP goodput and UDP loss of every linked pair of a running lab, configured against measured.
#
#   tests/validate/iperf.sh [LAB]
#
# SECONDS_EACH  length of each transfer (default 5)
# SHARE         least share of the theoretical TCP goodput that is accepted (default 0.8; lower it
#               where QEMU emulates the guests' processors and the rate is more than they can fill)
#
# The theoretical goodput of a rate: of each frame of MTU + 14 + 24 octets (Ethernet header;
# preamble, FCS and gap), MTU - 52 are the application's (IPv4 20, TCP 20, timestamps 12).
#
# Fails when the goodput is above what the rate allows or below SHARE of it, or when the loss of a
# UDP flow (2 Mbit/s, or half the rate) is more than six standard deviations from the configured one.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

length=${SECONDS_EACH:-5}
share=${SHARE:-0.8}
failures=0
# On its own line, so that its failure is ours.
linked=$(pairs)

# iperf3's JSON report of a run from $1 to $2.
iperf() {
    local from=$1 to=$2
    shift 2
    in_guest "$to" sh -c 'killall iperf3 2>/dev/null; iperf3 --server --one-off --daemon' </dev/null
    in_guest "$from" iperf3 --client "$to" --json --time "$length" "$@" </dev/null
}

printf '%-10s %-10s %16s %16s %7s %12s %12s  %s\n' \
    from to 'goodput allowed' measured share 'loss asked' measured verdict
while read -r from to _ rate loss _ mtu; do
    # Slow enough that datagrams are lost on the links alone: a guest whose processor is emulated
    # may not read for tenths of a second, and its socket holds about 90 of them.
    offered=$((rate > 0 && rate < 4000000 ? rate / 2 : 2000000))
    tcp=$(iperf "$from" "$to" | jq '.end.sum_received.bits_per_second')
    udp=$(iperf "$from" "$to" --udp --bitrate "$offered" --length $((mtu - 128)) |
        jq -r '[.end.sum.packets, .end.sum.lost_packets] | @tsv')
    awk -v from="$from" -v to="$to" -v rate="$rate" -v loss="$loss" -v mtu="$mtu" \
        -v share="$share" -v tcp="$tcp" '{
            packets = $1; lost = $2
            allowed = rate * (mtu - 52) / (mtu + 38)
            part = allowed ? tcp / allowed : 0
            mean = packets * loss
            deviation = sqrt(packets * loss * (1 - loss))
            verdict = "ok"
            if (packets == 0) verdict = "no datagram left"
            # One queue of frames that was full when the clock started may count on top.
            else if (allowed && part > 1.02) verdict = "more than the rate allows"
            else if (allowed && loss == 0 && part < share) verdict = "less than " share " of it"
            else if (lost > mean + 6 * deviation || lost < mean - 6 * deviation)
                verdict = "loss is not the configured one"
            printf "%-10s %-10s %9.2f Mbit/s %9.2f Mbit/s %6.1f%% %11.3f%% %11.3f%%  %s\n", from, to,
                allowed / 1e6, tcp / 1e6, 100 * part, 100 * loss,
                packets ? 100 * lost / packets : 0, verdict
            exit verdict != "ok"
        }' <<<"$udp" || failures=$((failures + 1))
done <<<"$linked"

[ "$failures" = 0 ] || { echo "$failures pair(s) outside the tolerance" >&2; exit 1; }
