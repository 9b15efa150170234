# SPDX-License-Identifier: GPL-2.0-or-later
# steps.pl - what scripts of perl do; 40 steps, and more until there is ./go
use strict;
use warnings;
use IO::Select;
use Socket;
use Time::HiRes qw(alarm sleep);

$| = 1;
my ($alarms, $children, %seen) = (0, 0);
$SIG{ALRM} = sub { $alarms++ };
$SIG{CHLD} = sub { $children++ };

# A child that sends back what it gets, turned round.
socketpair(my $mine, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die $!;
my $echo = fork() // die $!;
if ($echo == 0) {
	close $mine;
	$its->autoflush(1);
	while (my $line = <$its>) { chomp $line; print $its reverse($line) . "\n" }
	exit 3;
}
close $its;
$mine->autoflush(1);

sub step {
	my $n = shift;
	open(my $in, '-|', 'seq', 1, $n % 50 + 10) or die $!;
	my @lines = <$in>;
	close $in;
	chomp @lines;
	my $sum = 0;
	$sum += $_ for @lines;
	my %count;
	$count{length $_}++ for @lines;
	print $mine "step $n of @{[scalar @lines]}\n";
	my $s = IO::Select->new($mine);
	1 until $s->can_read(5);
	my $back = <$mine>;
	chomp $back;
	my $before = $alarms;
	alarm(0.005);
	select(undef, undef, undef, 0.05) while $alarms == $before;
	my $text = join ' ', map { "$_=$count{$_}" } sort keys %count;
	return "$sum $text $back " . unpack('%32C*', "@lines");
}

my ($i, $acc) = (0, 1);
for (; $i < 40 || !-e 'go'; $i++) {
	my $n = $i % 40;
	my $result = step($n);
	if ($i < 40) {
		$seen{$n} = $result;
		$acc = ($acc * 69069 + length $result) % 2**31;
		print "$i: $result: $acc\n";
	} elsif ($seen{$n} ne $result) {
		print "wrong: step $n was $seen{$n}, is $result\n";
	}
	print "wrong: $alarms alarms in $i steps\n" if $alarms != $i + 1;
	print "wrong: no child has ended\n" if !$children;
}
close $mine;
waitpid($echo, 0);
print "end: $acc, child ", $? >> 8, "\n";
