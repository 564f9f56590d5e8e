# Models outlive a restart and a crash; a killed import leaves nothing.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

# A session that has imported and not committed; returns its process and pipes.
sub open_import
{
    my ($node, $file) = @_;
    my ($in, $out, $err) = ('', '', '');
    my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
        '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
    $in = "BEGIN;\nSELECT 'version ' || smartpouch.import_model('xgb_pouch_softprob', pg_read_binary_file('$file'));\n"
      . "SELECT 'pid ' || pg_backend_pid();\n";
    IPC::Run::pump($psql) until $out =~ /pid \d+\n/;
    return ($psql, \$in, \$out);
}

my $node    = new_server('restart');
my $fixture = read_fixture('xgb_pouch_softprob');
load_fixture($node, $fixture);
import_fixture($node, $fixture);
my $answers = all_predictions($node, $fixture);
ok(length($answers) > 1000, 'predictions before');

$node->restart;
is(all_predictions($node, $fixture), $answers, 'equal after a restart');

# An import that is not committed when the server dies.
my $file = "$fixture->{dir}/$fixture->{artifact}";
my ($open, $open_in, $open_out) = open_import($node, $file);
$node->stop('immediate');
eval { IPC::Run::finish($open) };
$node->start;
is(all_predictions($node, $fixture), $answers, 'equal after a crash');
is($node->safe_psql('postgres', 'SELECT max(version), count(*) FROM smartpouch.versions'), '1|1', 'the open import is gone');
is(import_fixture($node, $fixture), 2, 'its number is free');

# A backend killed while it imports: the postmaster restarts the others, nothing is lost.
my ($killed, $killed_in, $killed_out) = open_import($node, $file);
$$killed_out =~ /pid (\d+)/ or die 'no pid';
kill_backend($node, $1);
eval { IPC::Run::finish($killed) };
is($node->safe_psql('postgres', 'SELECT max(version) FROM smartpouch.versions'), 2, 'nothing of it is there');
is(all_predictions($node, $fixture), $answers, 'equal after a killed backend');

# Cancelling: a long query of predictions stops at once.
my $started = time;
my ($code, $stdout, $stderr) = $node->psql('postgres',
    qq{SET statement_timeout = '300ms';
       SELECT count(smartpouch.predict_label('$fixture->{name}:1', r)) FROM "$fixture->{name}" r, generate_series(1, 10000000)});
like($stderr, qr/statement timeout/, 'a timeout ends a query of predictions');
cmp_ok(time - $started, '<', 30, 'soon');

# Before CREATE EXTENSION and after DROP EXTENSION.
$node->safe_psql('postgres', 'CREATE DATABASE other');
($code, $stdout, $stderr) = $node->psql('postgres', qq{
    DROP EXTENSION smartpouch;
    CREATE EXTENSION smartpouch;
    SELECT smartpouch.predict('$fixture->{name}:1', ARRAY[1]);});
like($stderr, qr/does not exist/, 'nothing is remembered over DROP EXTENSION in one session');

$node->stop;
done_testing();
