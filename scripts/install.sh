#!/bin/sh
# Installs what is missing on Debian: install.sh demo | test | bench | compat
#   demo   MariaDB's server and client programs (no service is installed or started), PHP, sysbench
#   test   the same, Redis, etcd, HAProxy, and in directories of their own an Oracle MySQL 9, WordPress and Adminer
#   bench  what the benchmarks need
#   compat what test has, mydumper, percona-toolkit and Chromium
# SLUICE_MYSQL names the directory for Oracle MySQL (default /var/cache/sluice/mysql9),
# SLUICE_APPS that for the applications (default /var/cache/sluice/apps).
set -eu
mysql=${SLUICE_MYSQL:-/var/cache/sluice/mysql9}
apps=${SLUICE_APPS:-/var/cache/sluice/apps}

say() { printf '== %s\n' "$*"; }

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

# need PROGRAM PACKAGE…: the packages are installed when the program is not there.
wanted=
need() {
	program=$1
	shift
	have "$program" || wanted="$wanted $*"
}

packages() {
	[ -n "$wanted" ] || return 0
	command -v apt-get >/dev/null || {
		say "missing:$wanted. Install them; this script knows Debian's apt-get only."
		exit 1
	}
	say "installing:$wanted"
	root apt-get update -qq
	# Services that packages bring are not started: everything here runs its own instances.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | root tee $policy >/dev/null
		root chmod +x $policy
		trap 'root rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	# shellcheck disable=SC2086  # a list of words
	root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
}

common() {
	need mariadbd mariadb-server-core
	need mariadb-install-db mariadb-server-core
	need mariadb mariadb-client-core
	need mariadb-dump mariadb-client
	need php php-cli
	[ -n "$(find /usr/lib/php -name mysqli.so 2>/dev/null | head -1)" ] || wanted="$wanted php-mysql"
	need sysbench sysbench
}

oracle() {
	[ -x "$mysql/usr/sbin/mysqld" ] && [ -e "$mysql/.complete" ] && return 0
	say "unpacking Oracle MySQL 9 into $mysql (some 650 MB; a minute)"
	root rm -rf "$mysql"
	root mkdir -p "$(dirname "$mysql")"
	root debootstrap --variant=minbase --include=mysql-server-core,mysql-client-core sid "$mysql" >"${TMPDIR:-/tmp}/sluice-debootstrap.log" 2>&1 || {
		tail -5 "${TMPDIR:-/tmp}/sluice-debootstrap.log"
		exit 1
	}
	root touch "$mysql/.complete"
}

# applications unpacks PHP applications, as Debian has them, without the web server that
# their packages would install.
applications() {
	[ -e "$apps/.complete" ] && return 0
	say "unpacking WordPress and Adminer into $apps"
	root rm -rf "$apps"
	root mkdir -p "$apps/deb"
	root sh -ec 'cd "$1/deb" && apt-get download -qq -o APT::Sandbox::User=root wordpress wordpress-theme-twentytwentythree adminer &&
		for f in *.deb; do dpkg-deb -x "$f" ..; done && rm -r ../deb && touch ../.complete' - "$apps"
}

case ${1:-} in
demo)
	common
	packages
	;;
test | bench | compat)
	common
	need redis-server redis-server
	need etcd etcd-server
	need haproxy haproxy
	need debootstrap debootstrap
	[ -e /usr/lib/mysql/plugin/auth_ed25519.so ] || wanted="$wanted mariadb-server" # logins by ed25519
	if [ "$1" = compat ]; then
		need mydumper mydumper
		need pt-query-digest percona-toolkit
		need chromium chromium
	fi
	packages
	oracle
	[ "$1" = bench ] || applications
	;;
*)
	echo "usage: $0 demo|test|bench|compat" >&2
	exit 2
	;;
esac
