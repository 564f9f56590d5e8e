# What must not work with API keys on a server with smartpouch in
# shared_preload_libraries; 050_api_key_attacks.pl has what needs no shared memory.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('hostile', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.flush_interval = 1");
prepare_changes($node);
$node->safe_psql('postgres', q{SELECT smartpouch.promote('a', 1, 'production')});

sub refused { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }
sub launchers { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'smartpouch %'}) }

my $token = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/a'])});

# ---- keys where they do not belong

like(refused("SELECT smartpouch.set_owner_limit('$token', 5)"), qr/22023.*an owner must not have an API key in it/, 'a limit for a key in place of its owner');
is($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.owner_limits'), 0, 'is not stored');

# ---- the background worker

$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher'}) or die 'no launcher';
$node->stop;
system_or_bail('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', '-w', 'start');
sleep 1;
is(launchers(), 0, 'no background worker in the mode of pg_upgrade');
system_or_bail('pg_ctl', '-D', $node->data_dir, '-w', 'stop');

done_testing();
