#!/bin/sh
# Installs what the tests, the demo and the bench need besides Rust, as Debian packages: an OpenLDAP server, Samba as a
# domain controller and 389 Directory Server to start throw-away instances of, command-line tools, a C compiler for the
# library that gives Samba other ports, and systemd-analyze for the unit files.
# Nothing is started, no server that is already on this machine is touched, and when all is there it just returns.
#
# usage: setup.sh [PACKAGE...]      (packages that are missing, too)
set -eu

# A program or a file, and the package that it comes with.
needed="slapd:slapd slapadd:slapd slaptest:slapd ldapsearch:ldap-utils systemd-analyze:systemd
    samba:samba /usr/lib/python3/dist-packages/samba/provision/__init__.py:python3-samba
    /usr/lib/*/samba/ldb/samba_dsdb.so:samba-dsdb-modules /usr/share/samba/setup/provision.ldif:samba-ad-provision
    gcc:gcc /usr/include/dlfcn.h:libc6-dev
    ns-slapd:389-ds-base certutil:libnss3-tools pk12util:libnss3-tools openssl:openssl"

PATH=$PATH:/usr/sbin:/sbin

there() {
    case $1 in
        /*)
            # shellcheck disable=SC2086 # a pattern
            set -- $1
            [ -e "$1" ]
            ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=${*:+ $*}
# The patterns are for there(), not for here.
set -f
# shellcheck disable=SC2086 # a list
set -- $needed
set +f
for pair in "$@"; do
    package=${pair#*:}
    there "${pair%:*}" || case " $missing " in
        *" $package "*) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: please install what holds these programs (Debian calls the packages$missing)" >&2
    exit 1
fi

root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: as root, please: apt-get install$missing" >&2; exit 1; }
    root=sudo
fi

# Debian starts a server as soon as it is installed, unless this script says no (exit status 101).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
fi

echo "setup: installing$missing"
case " $missing " in
    # Its package would set up a directory of its own.
    *" slapd "*)
        if command -v debconf-set-selections >/dev/null; then
            echo "slapd slapd/no_configuration boolean true" | $root debconf-set-selections
        fi
        ;;
esac
$root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
# shellcheck disable=SC2086 # a list of packages
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
