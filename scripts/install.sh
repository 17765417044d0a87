#!/bin/sh
# Installs what is missing on Debian: install.sh demo | test | bench | compat
#   demo   MariaDB's server and client programs (no service is installed or started), PHP, sysbench
#   test   the same, Redis, etcd, HAProxy, and in directories of their own an Oracle MySQL 9, WordPress and Adminer
#   bench  what the benchmarks need
#   compat what test has, mydumper, percona-toolkit, Chromium, and drivers with their own test suites: Python's,
#          Java's, Node's, Ruby's
# SLUICE_MYSQL names the directory for Oracle MySQL (default /var/cache/sluice/mysql9),
# SLUICE_APPS that for the applications (default /var/cache/sluice/apps), SLUICE_DRIVERS that for the
# drivers (default /var/cache/sluice/drivers).
set -eu
mysql=${SLUICE_MYSQL:-/var/cache/sluice/mysql9}
apps=${SLUICE_APPS:-/var/cache/sluice/apps}
drivers=${SLUICE_DRIVERS:-/var/cache/sluice/drivers}

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

# driverPrograms are what drivers of other languages are built and run with.
driverPrograms() {
	need gcc gcc libc6-dev
	need python3 python3
	python3 -c 'import venv, ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
	[ -e "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null)/Python.h" ] || wanted="$wanted python3-dev"
	need pkg-config pkg-config
	need mariadb_config libmariadb-dev
	need javac default-jdk-headless
	need mvn maven
	need node nodejs
	need npm npm
	need ruby ruby
	ruby -e 'require "mysql2"' 2>/dev/null || wanted="$wanted ruby-mysql2"
}

# debianSource PACKAGE DIRECTORY unpacks the source of one of Debian's packages, whatever kinds of packages apt is set to look up.
debianSource() {
	lists=$(mktemp -d)
	mkdir -p "$lists/lists/partial" "$lists/parts"
	cat /dev/null /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb /deb-src /p' >"$lists/source.list"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$f" ] || sed 's/^Types:.*/Types: deb-src/' "$f" >"$lists/parts/$(basename "$f")"
	done
	set -- "$1" "$2" "$lists" -qq -o "Dir::Etc::sourcelist=$lists/source.list" -o "Dir::Etc::sourceparts=$lists/parts" -o "Dir::State::lists=$lists/lists" -o APT::Sandbox::User=root
	root sh -ec 'package=$1; cd "$2"; lists=$3; shift 3
		apt-get "$@" update
		apt-get "$@" source --tar-only --download-only "$package" >/dev/null
		tar xf "$package"_*.orig.tar.*
		rm -r "$package"_* "$lists"' - "$@"
}

# driverSuites fetches drivers as they were released, with the tests that come with them.
driverSuites() {
	[ -e "$drivers/.complete-2" ] && return 0
	say "fetching drivers into $drivers"
	root rm -rf "$drivers"
	root mkdir -p "$drivers/src" "$drivers/java" "$drivers/node"
	root sh -ec '
		cd "$1"
		python3 -m venv python
		python/bin/pip install -q --disable-pip-version-check pytest==9.2.0 cryptography==50.0.2 PyMySQL==1.2.4 mysqlclient==2.3.2 SQLAlchemy==2.1.9
		python/bin/pip download -q --disable-pip-version-check --no-deps --no-binary mysqlclient,SQLAlchemy -d src mysqlclient==2.3.2 SQLAlchemy==2.1.9
		cd src
		for f in *.tar.gz; do tar xf "$f"; rm "$f"; done
		cd ../java
		for a in com.mysql:mysql-connector-j:9.1.0 org.mariadb.jdbc:mariadb-java-client:3.5.1; do
			mvn -q -B dependency:copy -Dartifact="$a" -DoutputDirectory=. -Dmdep.useBaseVersion=true
		done
		mkdir tests
		for a in org.mariadb.jdbc:mariadb-java-client:2.7.6 junit:junit:4.13.1 org.hamcrest:hamcrest-core:1.3 org.slf4j:slf4j-api:1.7.25 ch.qos.logback:logback-classic:1.2.3 \
			ch.qos.logback:logback-core:1.2.3 net.java.dev.jna:jna:5.5.0 net.java.dev.jna:jna-platform:5.5.0; do
			mvn -q -B dependency:copy -Dartifact="$a" -DoutputDirectory=tests -Dmdep.useBaseVersion=true
		done
		cd ../node
		npm install --silent --no-audit --no-fund --prefix . mysql2@3.24.6 sequelize@6.37.8
	' - "$drivers"
	debianSource mariadb-connector-java "$drivers/src"
	root touch "$drivers/.complete-2"
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
		need xz xz-utils
		driverPrograms
	fi
	packages
	oracle
	[ "$1" = bench ] || applications
	[ "$1" != compat ] || driverSuites
	;;
*)
	echo "usage: $0 demo|test|bench|compat" >&2
	exit 2
	;;
esac
