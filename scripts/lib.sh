# shellcheck shell=bash
# lib.sh - helpers shared by the scripts in this folder; source it, do not run it.
#
# Everything the scripts make lives under build/:
#   build/pg       private copy of the PostgreSQL programs with smartpouch in it
#   build/cluster  data directory of the private server (demo, psql)
#   build/test     temporary servers and outputs of the test suites
#   build/log      logs
# The system's own PostgreSQL files and clusters are never touched.

set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/build
LOG=$BUILD/log
SUPPORTED_MAJORS="15 16 17 18"
PRIVATE_PORT=54317

# The caller's libpq and make settings must not leak into our servers and builds.
unset PGHOST PGPORT PGUSER PGDATABASE PGDATA PGOPTIONS PGPASSWORD PGSERVICE PGSSLMODE PGTZ PGCLIENTENCODING PGCLUSTER
unset MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }
die() { printf 'smartpouch: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# ------------------------------------------------------ which PostgreSQL ----

# True if $1 is a pg_config whose server, build rules and headers are all there
# (Debian has them in three packages).
pg_config_complete() {
    have "$1" && [ -f "$("$1" --pgxs 2>/dev/null)" ] && [ -x "$("$1" --bindir)/postgres" ] &&
        [ -x "$("$1" --bindir)/initdb" ] && [ -f "$("$1" --includedir-server)/postgres.h" ]
}

# Major version that a pg_config belongs to, for example 15.
pg_config_major() { "$1" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'; }

supported_major() { case " $SUPPORTED_MAJORS " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# Major version that the distribution itself offers, from the package "postgresql".
distribution_major() {
    have apt-cache || return 0
    # apt-cache fails while there are no package lists.
    { apt-cache depends postgresql 2>/dev/null || true; } |
        sed -n '/Depends: postgresql-[0-9]*$/{ s/.*-//p; q; }'
}

# Sets PG_CONFIG to a complete installation, or leaves it empty and returns 1.
# Order: what the caller named; PG_MAJOR's Debian path; pg_config of PATH; the
# distribution's major; any supported major that is installed.
find_pg_config() {
    local wanted=${PG_CONFIG:-pg_config} major candidate
    if [ "$wanted" != pg_config ]; then
        have "$wanted" || die "PG_CONFIG=$wanted does not exist"
        supported_major "$(pg_config_major "$wanted")" ||
            die "$wanted is $("$wanted" --version); smartpouch supports PostgreSQL $SUPPORTED_MAJORS"
        PG_CONFIG=$wanted
        export PG_CONFIG
        pg_config_complete "$wanted"
        return
    fi
    set --
    if [ -n "${PG_MAJOR:-}" ]; then
        set -- "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config"
    else
        have pg_config && set -- "$(command -v pg_config)"
        for major in $(distribution_major) 18 17 16 15; do
            set -- "$@" "/usr/lib/postgresql/$major/bin/pg_config"
        done
    fi
    for candidate in "$@"; do
        if pg_config_complete "$candidate" && supported_major "$(pg_config_major "$candidate")"; then
            PG_CONFIG=$candidate
            export PG_CONFIG
            return 0
        fi
    done
    PG_CONFIG=
    return 1
}

# ----------------------------------------------------- who runs a server ----
# PostgreSQL refuses to run as root; then an unprivileged user runs it.

AS=()
RUNNER=$(id -un)
set_runner() {
    if [ "$(id -u)" -eq 0 ]; then
        RUNNER=${SMARTPOUCH_USER:-postgres}
        id "$RUNNER" >/dev/null 2>&1 || RUNNER=nobody
        AS=(runuser -u "$RUNNER" --)
    fi
}

as_runner() { "${AS[@]}" "$@"; }

# Makes $1 an empty or existing directory that the server's user may write to.
runner_dir() {
    mkdir -p "$1"
    [ ${#AS[@]} -eq 0 ] || chown "$RUNNER" "$1"
}

# Sets WORK, where pg/, cluster/ and test/ really are: normally build.
prepare_work() {
    set_runner
    if ! mkdir -p "$LOG" 2>/dev/null || [ ! -w "$LOG" ]; then
        die "cannot write to $BUILD (made by another user?); remove it or run as that user"
    fi
    WORK=$BUILD
    local why=
    # PGXS and the test programs hand paths to shells without quotes
    case $ROOT in *[!A-Za-z0-9._/+-]*) why="The path of this checkout has characters that shells treat specially" ;; esac
    # shellcheck disable=SC2016  # expanded by the inner shell
    as_runner sh -c 'cd "$1" && test -r Makefile' sh "$BUILD/.." 2>/dev/null ||
        why="The user $RUNNER cannot enter $ROOT"
    if [ -n "$why" ]; then
        if [ ! -d "$BUILD/outside/." ]; then
            WORK=$(mktemp -d /var/tmp/smartpouch.XXXXXX)
            ln -sfn "$WORK" "$BUILD/outside"
            say "$why: the server's files go to $WORK (link: build/outside)."
        fi
        WORK=$(cd "$BUILD/outside" && pwd -P)
        chmod 755 "$WORK"
    fi
    CLUSTER=$WORK/cluster/data
    PRIVATE=$WORK/pg
    PRIVATE_BIN=$(cat "$PRIVATE/.bindir" 2>/dev/null || true)
}

# Sets INPUT, a tree with the test files that the server's user can read.
prepare_input() {
    local part
    INPUT=$ROOT
    [ "$WORK" != "$BUILD" ] || return 0
    INPUT=$WORK/input
    rm -rf "$INPUT"
    mkdir -p "$INPUT"
    for part in sql expected test examples doc scripts README.md; do
        [ ! -e "$ROOT/$part" ] || cp -R "$ROOT/$part" "$INPUT/"
    done
}

# -------------------------------------------------------------- building ----

pg_make() { make -C "$ROOT" --no-print-directory PG_CONFIG="$PG_CONFIG" "$@"; }

jobs_flag() { printf -- '-j%s' "$(nproc 2>/dev/null || echo 2)"; }

# The last $1 lines of a log without the compiler's command lines.
quiet_tail() { { grep -vE '^[^ ]*(cc|clang[-0-9]*) -' "$2" || true; } | tail -n "$1"; }

# Runs a step quietly into build/log/$1.log; shows the log's end if it fails.
logged() {
    local name=$1
    shift
    if ! "$@" >"$LOG/$name.log" 2>&1; then
        quiet_tail 60 "$LOG/$name.log" >&2
        die "$name failed; full log: build/log/$name.log"
    fi
}

# As pg_make, one at a time: scripts may run side by side in one checkout.
pg_build() {
    flock "$BUILD/build.lock" make -C "$ROOT" --no-print-directory PG_CONFIG="$PG_CONFIG" WERROR="${WERROR:-0}" "$@"
}

build_extension() {
    [ -e "$ROOT/smartpouch.so" ] || say "building smartpouch, which takes a minute or more; log: build/log/build.log"
    logged build pg_build "$(jobs_flag)" all
}

# Copies the server's programs, libraries and shared files below build/pg, in the
# same relative layout: PostgreSQL finds the rest relative to its own executable,
# so the copy is a working installation.  Programs must be real copies (they
# resolve links to themselves); the large bitcode folder is linked.
private_install() {
    local bindir pkglibdir sharedir id entry
    bindir=$("$PG_CONFIG" --bindir)
    pkglibdir=$("$PG_CONFIG" --pkglibdir)
    sharedir=$("$PG_CONFIG" --sharedir)
    id="$("$PG_CONFIG" --version) in $bindir"
    if [ "$(cat "$PRIVATE/.copied" 2>/dev/null)" != "$id" ]; then
        server_stop "$CLUSTER"
        rm -rf "$PRIVATE"
    fi
    mkdir -p "$PRIVATE$bindir" "$PRIVATE$pkglibdir/bitcode" "$PRIVATE$sharedir"
    cp -auL --reflink=auto "$bindir/." "$PRIVATE$bindir/"
    for entry in "$pkglibdir"/*; do
        case ${entry##*/} in
            bitcode | pgxs) ;;
            smartpouch*) ;; # a system-wide installation of smartpouch stays out
            *) cp -au --reflink=auto "$entry" "$PRIVATE$pkglibdir/" ;;
        esac
    done
    for entry in "$pkglibdir"/bitcode/*; do
        case ${entry##*/} in
            smartpouch* | '*') ;;
            *) ln -sfn "$entry" "$PRIVATE$pkglibdir/bitcode/${entry##*/}" ;;
        esac
    done
    cp -au --reflink=auto "$sharedir/." "$PRIVATE$sharedir/"
    logged install pg_build install DESTDIR="$PRIVATE"
    # Scripts of an earlier version must not serve ALTER EXTENSION UPDATE.
    for entry in "$PRIVATE$sharedir"/extension/smartpouch--*.sql; do
        [ "$entry" = "$PRIVATE$sharedir/extension/smartpouch--$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$ROOT/smartpouch.control").sql" ] ||
            [ -e "$ROOT/sql/released/${entry##*/}" ] || [ -e "$ROOT/sql/updates/${entry##*/}" ] ||
            [ -e "$ROOT/sql/updates/${entry##*/}.in" ] || rm -f "$entry"
    done
    PRIVATE_BIN=$PRIVATE$bindir
    printf '%s\n' "$PRIVATE_BIN" >"$PRIVATE/.bindir"
    command -v "$PG_CONFIG" >"$PRIVATE/.pg_config"
    printf '%s\n' "$id" >"$PRIVATE/.copied"
}

# --------------------------------------------------------------- servers ----
# A server is named by its data directory D; D.socket holds the name of its
# socket directory (short, because socket paths are limited to 107 bytes).

# From WORK, because the caller's directory may be closed to the server's user.
pg() { (cd "$WORK" && as_runner "$PRIVATE_BIN/$1" "${@:2}"); }

socket_dir() { cat "$1.socket" 2>/dev/null || true; }

# True if the postmaster named in D/postmaster.pid lives and is really ours: a
# postmaster's working directory is its data directory.
server_running() {
    local pid
    pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ -d "/proc/$pid" ] || return 1
    [ "$(readlink "/proc/$pid/cwd")" = "$(cd "$1" && pwd -P)" ]
}

# server_start D CONF: makes the cluster if needed and starts it; D.backups is its
# folder of backups.  CONF is added
# to its settings on every start; only the owner of the socket directory connects.
server_start() {
    local data=$1 conf=$2 sock made
    ! server_running "$data" || return 0
    runner_dir "$(dirname "$data")"
    if [ ! -s "$data/PG_VERSION" ]; then
        rm -rf "$data"
        logged initdb pg initdb -D "$data" -U postgres -A trust --no-locale -E UTF8 --no-sync
        printf "include_if_exists = 'smartpouch.private.conf'\n" >>"$data/postgresql.conf"
    fi
    made=$(cat "$data/PG_VERSION")
    [ "$made" = "$(pg_config_major "$PG_CONFIG")" ] ||
        die "$data belongs to PostgreSQL $made; remove it with: make clean"
    sock=$(socket_dir "$data")
    if [ ! -d "$sock" ] || [ "$(stat -c %U "$sock")" != "$RUNNER" ]; then
        sock=$(as_runner mktemp -d /tmp/smartpouch.XXXXXX)
        printf '%s\n' "$sock" >"$data.socket"
    fi
    runner_dir "$data.backups"
    chmod 0700 "$data.backups"
    {
        cat "$conf"
        printf "listen_addresses = ''\nport = %s\nunix_socket_directories = '%s'\n" "$PRIVATE_PORT" "$sock"
        printf "unix_socket_permissions = 0700\nsmartpouch.backup_directory = '%s'\n" "$data.backups"
    } >"$data/smartpouch.private.conf"
    # The pid may have gone to another program since a killed run.
    rm -f "$data/postmaster.pid"
    # 9>&-: the server must not inherit the lock of scripts/test.
    if ! pg pg_ctl -D "$data" -l "$data/server.log" -w -t 60 -s start 9>&- </dev/null; then
        tail -n 30 "$data/server.log" >&2
        die "the server did not start; log: $data/server.log"
    fi
}

server_stop() {
    local data=$1 sock
    if server_running "$data"; then
        pg pg_ctl -D "$data" -m fast -w -t 60 -s stop
    fi
    sock=$(socket_dir "$data")
    case $sock in /tmp/smartpouch.??????) rm -rf "$sock" ;; esac
    rm -f "$data.socket"
}

# server_env D DATABASE CMD...: runs CMD as the caller, connected to the server.
# PG_CONFIG stays that of the original: the copy has no build files.
server_env() {
    local data=$1 database=$2
    shift 2
    PG_CONFIG=$(cat "$PRIVATE/.pg_config") PGHOST=$(socket_dir "$data") PGPORT=$PRIVATE_PORT PGUSER=postgres PGDATABASE=$database \
        PATH="$PRIVATE_BIN:$PATH" "$@"
}

# ----------------------------------------------------------------- files ----

# Names of the project's files, NUL-separated: tracked ones and new ones that are
# not ignored; in an unpacked archive everything that is not built.
source_files() {
    local file
    # safe.directory: root may check a checkout that belongs to its developer.
    if [ -e "$ROOT/.git" ] && git -c safe.directory="$ROOT" -C "$ROOT" rev-parse >/dev/null 2>&1; then
        git -c safe.directory="$ROOT" -C "$ROOT" ls-files -z -co --exclude-standard
    else
        (cd "$ROOT" && find . \( -path ./build -o -path ./.git \) -prune -o -type f \
            ! -name '*.o' ! -name '*.bc' ! -name '*.so' ! -name '*.pb-c.[ch]' ! -path './sql/smartpouch--*' -printf '%P\0')
    fi | while IFS= read -r -d '' file; do
        [ ! -f "$ROOT/$file" ] || printf '%s\0' "$file" # a tracked file may be deleted
    done
}
