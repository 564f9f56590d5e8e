# What health() says of backups, and the jobs that make them.
use strict;
use warnings FATAL => 'all';

use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('backup_health', own => 1);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub check { return sql(qq{SET smartpouch.health_timeout = '1min'; SELECT concat_ws(' ', c ->> 'status', c ->> 'output')
    FROM (SELECT smartpouch.health() #> '{checks,backup:$_[0],0}' AS c) h WHERE c IS NOT NULL}) }

# no backup yet
like(check('age'), qr/^warn no backup has succeeded.*schedule_jobs/, 'no backup is a warning');
is(check('verifiedAge'), '', 'of which none can be verified');
like(check('freeSpace'), qr/^pass$/, 'there is space');
like(($node->psql('postgres', 'SELECT smartpouch.verify_newest()'))[2], qr/there is no backup to verify.*backup\(\)/s, 'nothing to verify');

# one that is not verified, then verified
my $id = sql("SELECT smartpouch.backup('models')");
like(check('age'), qr/^pass$/, 'a backup passes');
like(check('verifiedAge'), qr/^warn no backup was proven by restoring it/, 'but it is not proven');
is(sql("SELECT smartpouch.verify_newest('checksum')"), $id, 'the newest is verified');
like(check('verifiedAge'), qr/^warn/, 'reading bytes proves little');
is(sql('SELECT smartpouch.verify_newest()'), $id, 'by restoring it');
like(check('verifiedAge'), qr/^pass$/, 'that proves it');

# ages
for my $age ([ 25, 'pass' ], [ 27, 'warn' ], [ 79, 'fail' ])
{
    sql("UPDATE smartpouch.backup SET finished_at = clock_timestamp() - interval '$age->[0] hours'");
    like(check('age'), qr/^$age->[1]/, "$age->[0] hours: $age->[1]");
}
for my $age ([ 9, 'pass' ], [ 11, 'warn' ], [ 31, 'fail' ])
{
    sql("UPDATE smartpouch.backup SET finished_at = clock_timestamp() - interval '$age->[0] days'");
    like(check('verifiedAge'), qr/^$age->[1]/, "proven $age->[0] days ago: $age->[1]");
}
sql('UPDATE smartpouch.backup SET finished_at = clock_timestamp()');

# a failure after the last success
sql(q{INSERT INTO smartpouch.backup (label, kind, status, reason, started_at)
    VALUES ('20990101T000000Z-M-000000', 'models', 'failed', 'the disk is full', clock_timestamp() + interval '1 second')});
like(check('age'), qr/^warn backup "20990101T000000Z-M-000000" failed: the disk is full$/, 'the last failure is said');
sql('DELETE FROM smartpouch.backup WHERE status = $$failed$$');

# space
sql('UPDATE smartpouch.backup SET bytes = smartpouch._backup_free_bytes() * 0.7');
like(check('freeSpace'), qr/^warn free space of the folder/, 'room for one more set only');
sql('UPDATE smartpouch.backup SET bytes = smartpouch._backup_free_bytes() * 2');
like(check('freeSpace'), qr/^fail free space of the folder/, 'and for none');

# a bad set is an error for the scheduler
open(my $file, '+<', (glob("$folder/*/db.dump"))[0]) or die $!;
seek($file, 100, 0);
print $file 'damage';
close($file);
like(($node->psql('postgres', "SELECT smartpouch.verify_newest('checksum')"))[2], qr/backup $id is not what it should be.*db\.dump/s, 'damage is an error that names the file');

# the folder itself
chmod 0777, $folder;
like(check('freeSpace'), qr/^fail /, 'a folder that others may write to');
chmod 0700, $folder;

# jobs
is(sql(q{SELECT string_agg(job, ' ' ORDER BY job) FROM smartpouch.schedule_jobs() WHERE statement IS NOT NULL}),
    'backup_full backup_models expire_backups rollup verify_checksum verify_restore', 'jobs for backups');
is(sql(q{SET smartpouch.backup_directory = ''; SELECT string_agg(job, ' ' ORDER BY job) FROM smartpouch.schedule_jobs() WHERE statement IS NOT NULL}),
    'rollup', 'but none without a folder');
is(sql(q{SET smartpouch.backup_directory = ''; SELECT count(*) FROM jsonb_object_keys(smartpouch.health() -> 'checks') k WHERE k LIKE 'backup:%'}), 0,
    'nor is there anything to check');

done_testing();
