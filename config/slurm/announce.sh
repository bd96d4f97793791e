#!/bin/sh
# Tells Isotherm that a job starts or has ended, seconds before the power moves. Serves as slurm.conf's PrologSlurmctld
# and EpilogSlurmctld (and as Prolog and Epilog of nodes, where slurmctld cannot reach Isotherm). See README.md beside it.
#
# It never holds a job up for longer than ISOTHERM_LEAD_S and a few seconds, and never fails one: cooling copes without it.
umask 077
conf=${ISOTHERM_FEED_CONF:-/etc/isotherm/feed.conf}
# shellcheck source=/dev/null
[ -r "$conf" ] && . "$conf"
[ -n "${ISOTHERM_URL:-}" ] && [ -n "${ISOTHERM_FEED_TOKEN:-}" ] && [ -n "${SLURM_JOB_ID:-}" ] || exit 0

case "${SLURM_SCRIPT_CONTEXT:-}$0" in
epilog*) event=end lead=0 ;;
prolog*) event=announce lead=${ISOTHERM_LEAD_S:-0} ;;
*epilog*) event=end lead=0 ;;
*) event=announce lead=${ISOTHERM_LEAD_S:-0} ;;
esac

# A text as a JSON string: Slurm's "(null)" is none, control characters go, quotes and backslashes are escaped.
quoted() {
    text=$1
    [ "$text" = "(null)" ] && text=
    printf '"%s"' "$(printf '%s' "$text" | tr -d '\000-\037\177' | cut -b 1-900 | sed 's/\\/\\\\/g; s/"/\\"/g')"
}
# A whole number, or nothing known.
count() {
    case "$1" in
    '' | *[!0-9]*) printf 0 ;;
    *) printf '%s' "$1" ;;
    esac
}

# The nodes' clocks are the scheduler's; ms.
now=$(date +%s)000
expected=null
[ "$event" = announce ] && expected=$(($(date +%s) + lead))000
body=$(
    printf '{"event": "%s", "time_ms": %s, "job": {"id": %s, "user": %s, "account": %s, "name": %s, "partition": %s, ' \
        "$event" "$now" "$(quoted "$SLURM_JOB_ID")" "$(quoted "${SLURM_JOB_USER:-}")" "$(quoted "${SLURM_JOB_ACCOUNT:-}")" \
        "$(quoted "${SLURM_JOB_NAME:-}")" "$(quoted "${SLURM_JOB_PARTITION:-}")"
    printf '"node_count": %s, "nodes": [%s], "expected_start_ms": %s}}' \
        "$(count "${SLURM_JOB_NUM_NODES:-}")" "$(quoted "${SLURM_JOB_NODELIST:-}")" "$expected"
)
# The token goes in by standard input, so that no list of processes shows it.
printf 'header = "Authorization: Bearer %s"\n' "$ISOTHERM_FEED_TOKEN" |
    curl --silent --show-error --fail --max-time 3 --config - --header 'Content-Type: application/json' \
        --data-binary "$body" --output /dev/null "$ISOTHERM_URL/api/v1/jobs/events" 2>&1 | logger -t isotherm 2>/dev/null
[ "$lead" -gt 0 ] 2>/dev/null && sleep "$lead"
exit 0
