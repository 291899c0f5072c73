#!/bin/sh
# Fetch newer real clients out of Debian's newer suites, beside the system: nothing is installed,
# the machine's own apt set-up stays as it is, and no root rights are needed.
#
#     tools/clients.sh DIRECTORY [CLIENT…]
#
# Clients: cosign2 (trixie), cosign3 (sid), default both. Afterwards DIRECTORY/bin/CLIENT runs.
# Safe to run twice: what is there stays. When a client cannot be had, the reason stands on
# standard error and the exit code is 1.
set -eu

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "clients.sh: $*" >&2
    exit 1
}

[ $# -ge 1 ] || fail "usage: tools/clients.sh DIRECTORY [cosign2|cosign3 …]"
directory=$1
shift
[ $# -gt 0 ] || set -- cosign2 cosign3

package_of() { # package/suite that holds a client
    case $1 in
    cosign2) echo cosign/trixie ;;
    cosign3) echo cosign/sid ;;
    *) fail "unknown client $1; known: cosign2, cosign3" ;;
    esac
}

missing=""
for client in "$@"; do
    package_of "$client" >/dev/null
    [ -x "$directory/bin/$client" ] || missing="$missing $client"
done
[ -n "$missing" ] || exit 0

for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 ||
        fail "$program is missing: the clients come from Debian's packages; use Debian or Ubuntu"
done
[ -r "$KEYRING" ] || fail "$KEYRING is missing: install debian-archive-keyring"

mkdir -p "$directory/bin"
directory=$(cd "$directory" && pwd)

# One run at a time: tests of two checkouts may share the folder.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$directory/.lock"
    flock 9
fi

# The base of the Debian mirror, as this machine's apt knows it.
mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u | head -n 1)
[ -n "$mirror" ] || fail "apt knows no Debian mirror: run apt-get update first"

work=$directory/.work
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
for suite in trixie sid; do
    echo "deb [signed-by=$KEYRING] $mirror $suite main"
done >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::http::Timeout "60";
Acquire::https::Timeout "60";
CONF
export APT_CONFIG="$work/apt.conf" # proxy settings of the machine stay in force

if ! apt-get -q update >"$work/log" 2>&1; then
    tail -n 5 "$work/log" >&2
    fail "the Debian mirror $mirror does not answer for trixie and sid"
fi

for client in $missing; do
    wanted=$(package_of "$client")
    package=${wanted%/*}
    rm -rf "$work/$client"
    mkdir -p "$work/$client/tree"
    if ! (cd "$work/$client" && apt-get -q download "$wanted") >"$work/log" 2>&1; then
        tail -n 5 "$work/log" >&2
        fail "cannot download $wanted from $mirror"
    fi
    dpkg-deb -x "$work/$client/"*.deb "$work/$client/tree"
    install -m 0755 "$work/$client/tree/usr/bin/$package" "$directory/bin/.$client"
    "$directory/bin/.$client" version >/dev/null 2>&1 || fail "$client was fetched but does not run here"
    mv "$directory/bin/.$client" "$directory/bin/$client"
    rm -rf "$work/$client"
    echo "$client: $directory/bin/$client ($wanted)"
done
rm -rf "$work" # the package lists are large and soon old
