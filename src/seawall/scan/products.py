"""Programs that no package manager installed, under the names that advisories give them.

Three sources know products: Bitnami's database (`node`), the CPE dictionary (`openssl:openssl`) and
the databases of single projects. The names here are those that recognition gives. A product that
is not listed is asked for under its own name in Bitnami's database, and nowhere by CPE: the product
part of a CPE alone is not unique, and a wrong product is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ECOSYSTEMS: Final = ("Bitnami", "Node.js", "RubyInterpreter", "CPE")

_BITNAMI: Final[Mapping[str, str]] = {
    "apache-httpd": "apache",
    "cpython": "python",
    "dotnet-runtime": "dotnet",
    "go": "golang",
    "httpd": "apache",
    "jdk": "java",
    "libphp": "php",
    "libpython": "python",
    "libruby": "ruby",
    "nodejs": "node",
    "openjdk": "java",
    "postgres": "postgresql",
    "redis-server": "redis",
}
"""Bitnami's name of a product, where it is not the product's own."""

_CPES: Final[Mapping[str, tuple[str, ...]]] = {
    "apache": ("apache:http_server",),
    "bash": ("gnu:bash",),
    "bind": ("isc:bind",),
    "binutils": ("gnu:binutils",),
    "brotli": ("google:brotli",),
    "busybox": ("busybox:busybox",),
    "bzip2": ("bzip:bzip2",),
    "c-ares": ("c-ares:c-ares", "c-ares_project:c-ares"),
    "consul": ("hashicorp:consul",),
    "coreutils": ("gnu:coreutils",),
    "cups": ("openprinting:cups", "apple:cups"),
    "curl": ("haxx:curl", "haxx:libcurl"),
    "dnsmasq": ("thekelleys:dnsmasq",),
    "dropbear": ("dropbear_ssh_project:dropbear_ssh",),
    "envoy": ("envoyproxy:envoy",),
    "etcd": ("etcd:etcd", "redhat:etcd"),
    "exim": ("exim:exim",),
    "expat": ("libexpat_project:libexpat",),
    "ffmpeg": ("ffmpeg:ffmpeg",),
    "freetype": ("freetype:freetype",),
    "ghostscript": ("artifex:ghostscript",),
    "git": ("git-scm:git", "git:git"),
    "glibc": ("gnu:glibc",),
    "gnupg": ("gnupg:gnupg",),
    "gnutls": ("gnu:gnutls",),
    "haproxy": ("haproxy:haproxy",),
    "imagemagick": ("imagemagick:imagemagick",),
    "java": ("oracle:openjdk",),
    "jq": ("jqlang:jq", "jq_project:jq"),
    "krb5": ("mit:kerberos_5",),
    "libarchive": ("libarchive:libarchive",),
    "libgcrypt": ("gnupg:libgcrypt",),
    "libjpeg-turbo": ("libjpeg-turbo:libjpeg-turbo",),
    "libpng": ("libpng:libpng",),
    "libssh": ("libssh:libssh",),
    "libssh2": ("libssh2:libssh2",),
    "libtiff": ("libtiff:libtiff",),
    "libwebp": ("webmproject:libwebp",),
    "libxml2": ("xmlsoft:libxml2",),
    "libxslt": ("xmlsoft:libxslt",),
    "lighttpd": ("lighttpd:lighttpd",),
    "lua": ("lua:lua",),
    "lz4": ("lz4_project:lz4",),
    "mariadb": ("mariadb:mariadb",),
    "memcached": ("memcached:memcached",),
    "musl": ("musl-libc:musl",),
    "mysql": ("oracle:mysql", "oracle:mysql_server"),
    "nghttp2": ("nghttp2:nghttp2",),
    "nginx": ("f5:nginx", "nginx:nginx", "f5:nginx_open_source"),
    "node": ("nodejs:node.js",),
    "openldap": ("openldap:openldap",),
    "openssh": ("openbsd:openssh",),
    "openssl": ("openssl:openssl",),
    "openvpn": ("openvpn:openvpn",),
    "pcre": ("pcre:pcre",),
    "pcre2": ("pcre:pcre2",),
    "perl": ("perl:perl",),
    "php": ("php:php",),
    "postgresql": ("postgresql:postgresql",),
    "python": ("python:python",),
    "qemu": ("qemu:qemu",),
    "redis": ("redis:redis", "redislabs:redis"),
    "rsync": ("samba:rsync",),
    "ruby": ("ruby-lang:ruby",),
    "samba": ("samba:samba",),
    "sqlite": ("sqlite:sqlite",),
    "squid": ("squid-cache:squid",),
    "strongswan": ("strongswan:strongswan",),
    "sudo": ("sudo_project:sudo",),
    "tar": ("gnu:tar",),
    "tcpdump": ("tcpdump:tcpdump",),
    "traefik": ("traefik:traefik",),
    "unbound": ("nlnetlabs:unbound",),
    "valkey": ("lfprojects:valkey",),
    "varnish": ("varnish-software:varnish_cache", "varnish_cache_project:varnish_cache"),
    "vim": ("vim:vim",),
    "wget": ("gnu:wget",),
    "wolfssl": ("wolfssl:wolfssl",),
    "xz": ("tukaani:xz",),
    "zlib": ("zlib:zlib",),
    "zstd": ("facebook:zstandard",),
}
"""`vendor:product` of CPE 2.3, by the product's name here."""

_NAMES: Final[Mapping[str, str]] = {
    "liblzma": "xz",
    "libcurl": "curl",
    "libexpat": "expat",
    "libsqlite3": "sqlite",
    "sqlite3": "sqlite",
    "libssl": "openssl",
    "libcrypto": "openssl",
    "libz": "zlib",
    "libzstd": "zstd",
    "jpeg-turbo": "libjpeg-turbo",
}

CPE_PRODUCTS: Final = frozenset(name for names in _CPES.values() for name in names)
"""Every product whose CPE ranges are worth keeping."""


def names(product: str) -> tuple[str, ...]:
    """Return every name under which advisories may speak of a recognised product."""
    own = product.strip().lower()
    own = _NAMES.get(own, own)
    known = _BITNAMI.get(own, own)
    found = (known, own, *_CPES.get(known, ()), *_CPES.get(own, ()))
    return tuple(dict.fromkeys(filter(None, found)))
