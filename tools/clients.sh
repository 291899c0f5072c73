#!/bin/sh
# Fetch newer real clients out of Debian's newer suites, beside the system: nothing is installed,
# the machine's own apt set-up stays as it is, and no root rights are needed.
#
#     tools/clients.sh DIRECTORY [CLIENT…]
#
# Clients, default all:
#     cosign2 (trixie)   cosign3 (sid)    notary (trixie; brings notary-server, notary-signer)
#     notation (sid)     oras (sid)       crane (sid)
#     skopeo18 (trixie; through its own loader and libraries, since it wants a newer libc)
#     docker26 (trixie)  docker28 (sid)   the command-line client alone
# Afterwards DIRECTORY/bin/CLIENT runs. Safe to run twice: what is there stays. When a client
# cannot be had, the others still come, the reason stands on standard error, the exit code is 1.
set -eu

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
ALL="cosign2 cosign3 notary notation skopeo18 docker26 docker28 oras crane"

say() { echo "clients.sh: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

packages_of() { # package/suite …; the first holds the client, the others what it needs to start
    case $1 in
    cosign2) echo cosign/trixie ;;
    cosign3) echo cosign/sid ;;
    notary) echo notary/trixie ;;
    notation) echo notation/sid ;;
    skopeo18)
        echo skopeo/trixie libc6/trixie libgpgme11t64/trixie libassuan9/trixie \
            libgpg-error0/trixie libsqlite3-0/trixie
        ;;
    docker26) echo docker-cli/trixie ;;
    docker28) echo docker-cli/sid ;;
    oras) echo oras/sid ;;
    crane) echo crane/sid ;;
    *) return 1 ;;
    esac
}

programs_of() { # program:name-in-bin …
    case $1 in
    cosign*) echo "cosign:$1" ;;
    docker*) echo "docker:$1" ;;
    notary) echo notary:notary notary-server:notary-server notary-signer:notary-signer ;;
    skopeo18) echo skopeo:skopeo18 ;;
    *) echo "$1:$1" ;;
    esac
}

version_of() { # how a client says its version, which proves that it starts here
    case $1 in
    docker* | skopeo*) echo --version ;;
    *) echo version ;;
    esac
}

[ $# -ge 1 ] || fail "usage: tools/clients.sh DIRECTORY [CLIENT…]; known: $ALL"
directory=$1
shift
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $ALL

for client in "$@"; do
    packages_of "$client" >/dev/null || fail "unknown client $client; known: $ALL"
done

mkdir -p "$directory/bin"
directory=$(cd "$directory" && pwd -P)

# One run at a time: tests of two checkouts may share the folder.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$directory/.lock"
    flock 9
fi

missing=""
for client in "$@"; do
    [ -x "$directory/bin/$client" ] || missing="$missing $client"
done
[ -n "$missing" ] || exit 0

for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 ||
        fail "$program is missing: the clients come from Debian's packages; use Debian or Ubuntu"
done
[ -r "$KEYRING" ] || fail "$KEYRING is missing: install debian-archive-keyring"

# The base of the Debian mirror, as this machine's apt knows it.
mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u | head -n 1)
[ -n "$mirror" ] || fail "apt knows no Debian mirror: run apt-get update first"

work=$directory/.work
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
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

# Each client's packages in a folder of its own, all fetched by one call of apt-get, which
# names a file by package and version: two suites' docker-cli do not collide.
deb_of() { # the file that apt-get wrote for package/suite
    wanted_version=$(apt-cache madison "${1%/*}" |
        awk -v s="${1#*/}/main" 'index($0, s) { print $3; exit }' | sed 's/:/%3a/')
    ls "$work/debs/${1%/*}_${wanted_version}_"*.deb 2>/dev/null
}

wanted=""
for client in $missing; do
    wanted="$wanted $(packages_of "$client")"
done
# shellcheck disable=SC2086
if ! (cd "$work/debs" && apt-get -q download $wanted) >"$work/log" 2>&1; then
    for one in $wanted; do # one that is gone must not cost the others
        if ! (cd "$work/debs" && apt-get -q download "$one") >"$work/log" 2>&1; then
            tail -n 5 "$work/log" >&2
            say "cannot download $one from $mirror"
        fi
    done
fi

install_started() { # install_started CLIENT TREE: wrapper for a client with its own libraries
    home=$directory/lib/$1
    rm -rf "$home"
    mkdir -p "$home"
    cp -a "$2"/usr/lib/*-linux-gnu*/. "$home/"
    program=$(programs_of "$1")
    install -m 0755 "$2/usr/bin/${program%:*}" "$home/$1.program"
    cat >"$directory/bin/.$1" <<'WRAPPER'
#!/bin/sh
name=$(basename "$0")
home=$(dirname "$(readlink -f "$0")")/../lib/${name#.}
for loader in "$home"/ld-linux*.so.*; do :; done
exec "$loader" --library-path "$home" "$home/${name#.}.program" "$@"
WRAPPER
    chmod 0755 "$directory/bin/.$1"
}

install_client() { # install_client CLIENT: says why not and returns 1
    tree=$work/$1
    mkdir -p "$tree"
    for one in $(packages_of "$1"); do
        deb=$(deb_of "$one") || {
            say "$1: $one was not had"
            return 1
        }
        dpkg-deb -x "$deb" "$tree" || return 1
    done
    if [ "$1" = skopeo18 ]; then
        install_started "$1" "$tree" || return 1
    else
        for program in $(programs_of "$1"); do
            install -m 0755 "$tree/usr/bin/${program%:*}" "$directory/bin/.${program#*:}" || return 1
        done
    fi
    "$directory/bin/.$1" "$(version_of "$1")" >/dev/null 2>&1 || {
        say "$1 was fetched but does not run here"
        return 1
    }
    for program in $(programs_of "$1"); do # the client itself last: its presence says "complete"
        [ "${program#*:}" = "$1" ] || mv "$directory/bin/.${program#*:}" "$directory/bin/${program#*:}"
    done
    mv "$directory/bin/.$1" "$directory/bin/$1"
    rm -rf "$tree"
    echo "$1: $directory/bin/$1 ($(packages_of "$1" | cut -d' ' -f1))"
}

failed=""
for client in $missing; do
    install_client "$client" || failed="$failed $client"
done
rm -rf "$work" # the package lists are large and soon old
[ -z "$failed" ] || fail "MISSING CLIENTS:$failed; tests that need them are skipped"
