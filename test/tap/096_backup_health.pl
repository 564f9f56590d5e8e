# What health() says of backups, and the jobs that make them.
use strict;
use warnings FATAL => 'all';

use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('backup_health', own => 1);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub check { return sql(qq{SET smartpouch.health_timeout = '1min'; SELECT concat_ws(' ', c ->> 'status', c ->> 'output')
    FROM (SELECT smartpouch.health() #> '{checks,backup:$_[0],0}' AS c OFFSET 0) h WHERE c IS NOT NULL}) }

# no backup yet
like(check('age'), qr/^warn no backup has succeeded.*schedule_jobs/, 'no backup is a warning');
is(check('verifiedAge'), '', 'of which none can be verified');
like(check('freeSpace'), qr/^pass$/, 'there is space');
like(($node->psql('postgres', 'SELECT smartpouch.verify_newest()'))[2], qr/there is no backup to verify.*backup\(\)/s, 'nothing to verify');

# one that is not verified, then verified
my $id = sql("SELECT smartpouch.backup('models')");
like(check('age'), qr/^pass$/, 'a backup passes');
like(check('verifiedAge'), qr/^warn no backup of kind "models" was proven by restoring it/, 'but it is not proven');
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

# of both kinds: each is proven, and a full one has the models, too
my $full = sql('SELECT smartpouch.backup()');
like(check('verifiedAge'), qr/^warn no backup of kind "full" was proven/, 'what models prove says nothing of the rest');
sql("UPDATE smartpouch.backup SET status = 'complete' WHERE id = $id; UPDATE smartpouch.backup SET status = 'verified' WHERE id = $full");
like(check('verifiedAge'), qr/^pass$/, 'what is full proves models');
sql("UPDATE smartpouch.backup SET status = 'complete'");
is(sql('SELECT string_agg(v::text, chr(32) ORDER BY v) FROM smartpouch.verify_newest() v'), "$id $full", 'the newest of each kind are verified');
is(sql(q{SELECT string_agg(status, ' ') FROM smartpouch.backups}), 'verified verified', 'both');
sql("UPDATE smartpouch.backup SET finished_at = clock_timestamp() - interval '11 days' WHERE id = $full");
like(check('verifiedAge'), qr/^warn the newest backup of kind "full" that was proven .* is older/, 'full ones that have stopped are noticed');
like(check('age'), qr/^pass$/, 'while models are backed up every night');
sql(q{UPDATE smartpouch.backup SET started_at = started_at - interval '2 hours', finished_at = clock_timestamp()});
foreach my $case ([ 'full', $id, 'warn' ], [ 'full', $full, 'pass' ], [ 'models', $id, 'pass' ], [ 'models', $full, 'pass' ])
{
    my ($kind, $later, $status) = @$case;
    sql(qq{INSERT INTO smartpouch.backup (label, kind, status, reason, started_at)
        VALUES ('20990101T000000Z-M-000000', '$kind', 'failed', 'no room', clock_timestamp() - interval '1 hour');
        UPDATE smartpouch.backup SET started_at = started_at + interval '2 hours' WHERE id = $later});
    like(check('age'), qr/^$status/, "a failure of kind $kind, then success of " . ($later == $id ? 'models' : 'a full one') . ": $status");
    sql(qq{DELETE FROM smartpouch.backup WHERE status = 'failed'; UPDATE smartpouch.backup SET started_at = started_at - interval '2 hours' WHERE id = $later});
}
sql(q{INSERT INTO smartpouch.backup (label, kind, status, reason, started_at)
    VALUES ('20990101T000000Z-M-000000', 'full', 'failed', 'no room', clock_timestamp() - interval '11 days');
    UPDATE smartpouch.backup SET started_at = clock_timestamp() - interval '12 days' WHERE status <> 'failed'});
like(check('age'), qr/^pass$/, 'a failure that nobody has tried to repeat is forgotten');
sql(q{DELETE FROM smartpouch.backup WHERE status = 'failed'; UPDATE smartpouch.backup SET started_at = clock_timestamp() - interval '1 minute'});
sql(q{UPDATE smartpouch.backup SET database = 'other'});
like(check('age'), qr/^warn no backup has succeeded/, 'backups of another database are none of this one');
is(check('verifiedAge'), '', 'nor are their proofs');
like(($node->psql('postgres', 'SELECT smartpouch.verify_newest()'))[2], qr/there is no backup to verify/, 'nor are they verified for it');
sql(q{UPDATE smartpouch.backup SET database = 'postgres', finished_at = clock_timestamp() + interval '2 hours'});
like(check('age'), qr/^pass$/, 'a clock that went back two hours');
is(sql(q{SELECT smartpouch.health() #>> '{checks,backup:age,0,observedValue}'}), '0', 'makes no age negative');
sql(q{UPDATE smartpouch.backup SET finished_at = clock_timestamp()});

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
sql("UPDATE smartpouch.backup SET status = 'complete'");
open(my $file, '+<', "$folder/" . only($node, $id) . '/db.dump') or die $!;
seek($file, 100, 0);
print $file 'damage';
close($file);
like(($node->psql('postgres', "SELECT smartpouch.verify_newest('checksum')"))[2],
    qr/the newest backups are not what they should be\nDETAIL:  Backup $id: files: the SHA-256 of "db\.dump" is another$/m, 'damage is an error that names the file');
is(sql("SELECT string_agg(status || ' ' || (checked_at > clock_timestamp() - interval '1 minute'), ', ' ORDER BY id) FROM smartpouch.backups"),
    'failed true, complete true', 'which does not keep the other kind from being checked');

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
