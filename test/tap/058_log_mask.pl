# With preload a key that somebody types does not reach the server log, in any field and
# format; health() names the settings that write parameters there. The logs are in
# the data folder, out of reach of test/secrets, which looks at all others.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Smartpouch;

my $node = new_server('log_mask', conf => q{
shared_preload_libraries = 'auto_explain, smartpouch'
logging_collector = on
log_destination = 'stderr,csvlog} . (`postgres --version` =~ / 1[5-9]/ ? ',jsonlog' : '') . q{'
log_directory = 'log'
log_filename = 'server.log'
log_rotation_age = 0
log_statement = all
log_min_duration_statement = 0
log_min_error_statement = debug1
log_error_verbosity = verbose
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
auto_explain.log_min_duration = 0
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
auto_explain.log_level = log
debug_print_plan = off
});

my $secret = 'abcdefghij0123456789ABCDEFGHIJ012345678';
my $public = 'sp_live_4Zk9QmXb27Lp_';
my $token  = $public . substr($secret, 0, 38);
my $part   = substr($secret, 0, 10);

# Everything that the formats have, since the last call. The server's collector writes in its
# own time, but in the order in which it gets lines: what was before a mark is there when the mark is.
my %seen;
my $marks = 0;
sub logged
{
    my $text = '';
    my $mark = "statement: SELECT 'mark " . ++$marks . "'";
    $node->safe_psql('postgres', "SELECT 'mark $marks'");
    foreach my $file (glob($node->data_dir . '/log/server.*'))
    {
        my $all = '';
        foreach my $attempt (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
        {
            $all = slurp_file($file);
            last if $all =~ /\Q$mark\E/;
            usleep(100_000);
        }
        $all =~ /\Q$mark\E/ or die "$file has no $mark";
        $text .= substr($all, $seen{$file} // 0);
        $seen{$file} = length $all;
    }
    return $text;
}

# name, what to run, and what the log must have in its place
logged();
foreach (
    [ 'a statement', "SELECT '$token'", qr/statement: SELECT 'sp_live_4Zk9QmXb27Lp_\*{38}'/ ],
    [ 'a call', "SELECT code FROM smartpouch.verify_api_key('$token')", qr/verify_api_key\('sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'a syntax error', "SELEC '$token'", qr/syntax error/ ],
    [ 'a cast that fails', "SELECT '$token'::integer", qr/invalid input syntax for type integer: "sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'a prepared statement', "PREPARE p(text) AS SELECT code FROM smartpouch.verify_api_key(\$1); EXECUTE p('$token')", qr/EXECUTE p\('sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'a message', "DO \$\$ BEGIN RAISE WARNING 'message $token' USING DETAIL = 'detail $token', HINT = 'hint $token'; END \$\$",
        qr/message sp_live_4Zk9QmXb27Lp_\*.*detail sp_live_4Zk9QmXb27Lp_\*.*hint sp_live_4Zk9QmXb27Lp_\*/s ],
    [ 'a context and an inner query', "DO \$\$ BEGIN EXECUTE 'SELECT 1/0, ''$token'''; END \$\$", qr/SQL statement "SELECT 1\/0, 'sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'an inner query that is none', "DO \$\$ BEGIN EXECUTE 'SELEC ''$token'''; END \$\$", qr/QUERY:.*sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'a setting', "SET search_path = '$token'", qr/SET search_path = 'sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'COPY', "COPY (SELECT '$token') TO STDOUT", qr/COPY \(SELECT 'sp_live_4Zk9QmXb27Lp_\*/ ],
    [ 'several in one', "SELECT 1; SELECT '$token', '$token'; SELECT 1/0", qr/division by zero/ ])
{
    my ($what, $statement, $expected) = @$_;
    $node->psql('postgres', $statement);
    my $text = logged();
    like($text, $expected, "$what is logged");
    unlike($text, qr/\Q$part\E/, "without the secret: $what");
}

# bind parameters, whole and cut
my $values = $node->data_dir . '/values.sql';
append_to_file($values, "SELECT smartpouch.verify_api_key(:token);\nSELECT 1 / (length(:token::text) - length(:token::text));\n");
my @pgbench = ('pgbench', '-n', '-t', '1', '-M', 'extended', '-D', "token=$token", '-f', $values, '-h', $node->host, '-p', $node->port, 'postgres');
$node->command_fails([ @pgbench ], 'parameters of pgbench');
my $text = logged();
like($text, qr/parameters: \$1 = 'sp_live_4Zk9QmXb27Lp_\*{38}/, 'a bind parameter is logged');
like($text, qr/division by zero/, 'with an error too');
unlike($text, qr/\Q$part\E/, 'without the secret: parameters');
$node->append_conf('postgresql.conf', "log_parameter_max_length = 25\nlog_parameter_max_length_on_error = 25");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_parameter_max_length') = '25B'}) or die 'no reload';
logged();
$node->command_fails([ @pgbench ], 'cut parameters of pgbench');
$text = logged();
like($text, qr/sp_live_4Zk9QmXb27Lp_\*+\.\.\./, 'a parameter that is cut is logged');
unlike($text, qr/4Zk9QmXb27Lp_a/, 'without what is left of the secret');

# every format was there, and a statement that has no token is logged as ever
is(scalar(keys %seen), (`postgres --version` =~ / 1[5-9]/ ? 3 : 2), 'all formats of logs');
$node->psql('postgres', 'SELECT 1/0 AS plain');
like(logged(), qr/STATEMENT:  SELECT 1\/0 AS plain/, 'a failed statement without a token is logged whole');

# --- health()
my $check = q{SELECT concat_ws(' ', c ->> 'status', c ->> 'observedValue', c ->> 'output') FROM (SELECT smartpouch.health() #> '{checks,log:parameters,0}') h(c)};
my $without = $node->safe_psql('postgres', $check);
unlike($without, qr/^warn/, 'no keys, no warning');
$node->safe_psql('postgres', "CREATE TABLE token AS SELECT smartpouch.create_api_key('alice', ARRAY['read:metrics']) AS token");
my $settings = 'log_parameter_max_length = 0, log_parameter_max_length_on_error = 0';
$settings .= ', auto_explain.log_parameter_max_length = 0' if $node->safe_psql('postgres', 'SHOW server_version_num') >= 160000;
like($node->safe_psql('postgres', $check), qr/^warn \d .*: set $settings$/, 'settings that write parameters to the log');
$node->append_conf('postgresql.conf', "log_parameter_max_length = 0\nlog_parameter_max_length_on_error = 0\nauto_explain.log_parameter_max_length = 0\npgaudit.log_parameter = on");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT ($check) LIKE 'warn 1 %pgaudit.log_parameter = off'"), 'one of another extension, which is not even there');
$node->append_conf('postgresql.conf', "pgaudit.log_parameter = off");
$node->reload;
ok($node->poll_query_until('postgres', "SELECT ($check) = 'pass 0'"), 'all as they should be');
my $statements = q{SELECT coalesce(smartpouch.health() #>> '{checks,log:statements,0,status}', 'none')};
isnt($node->safe_psql('postgres', $statements), 'warn', 'statements are masked with preload');
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
is($node->safe_psql('postgres', $statements), 'warn', 'and not without');
$node->stop;
done_testing();
