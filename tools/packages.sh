#!/bin/sh
# Installs the Debian or Ubuntu packages that a step needs and that are missing.
#   tools/packages.sh python|engine|image|test|bench …
set -eu

needed=""
need() { # need PROGRAM PACKAGE
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/bin/$1" ] || needed="$needed $2"
}
need_package() { # need_package PACKAGE: for what brings no program
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] || needed="$needed $1"
}

for step in "$@"; do
  case $step in
    python)
      need python3 python3
      python3 -c 'import venv, ensurepip' 2>/dev/null || needed="$needed python3-venv"
      ;;
    engine)
      need dockerd docker.io
      need docker docker.io
      need iptables iptables
      ;;
    image) need mmdebstrap mmdebstrap ;;
    test)
      need podman podman
      need buildah buildah
      need skopeo skopeo
      need docker-registry docker-registry
      need mmdebstrap mmdebstrap
      need chromium chromium
      need_package postgresql
      need softhsm2-util softhsm2
      need pkcs11-tool opensc
      need rpmbuild rpm # real databases to read
      need readelf binutils
      need_package fonts-liberation
      need_package libatomic1 # the driver of the browser tests
      ;;
    bench) need debootstrap debootstrap ;; # the image of bench/scan_image.py
    *) echo "tools/packages.sh: unknown step '$step'" >&2; exit 2 ;;
  esac
done

[ -n "$needed" ] || exit 0
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "missing packages:$needed; install them as root" >&2; exit 1; }
  as_root=sudo
fi
echo "installing:$needed"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# Services must not start by themselves: whoever needs one starts it.
# shellcheck disable=SC2086
$as_root env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $needed >/dev/null
