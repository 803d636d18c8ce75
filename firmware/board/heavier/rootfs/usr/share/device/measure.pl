# SPDX-License-Identifier: MIT
# One round of measurements as SQL: a made-up sensor a channel, filtered, with its spread.
use strict;
use warnings;
use Getopt::Long;
use List::Util qw(sum max min reduce);
use POSIX qw(floor strftime);

GetOptions('round=i' => \my $round, 'channels=i' => \my $channels) or die;
srand(20261124 + $round);

sub samples {
    my ($channel, $count) = @_;
    return map { sin($_ / 10 + $channel) + rand() / 4 } 1 .. $count;
}

sub filtered {
    my ($weight, $smooth, @values) = @_;
    return map { $smooth += ($_ - $smooth) * $weight } @values;
}

print "BEGIN;\n";
for my $channel (1 .. $channels) {
    my @values = sort { $a <=> $b } filtered(0.1, samples($channel, 400));
    my $median = $values[floor(@values / 2)];
    my $name = sprintf 'channel %d', $channel;
    (my $note = strftime('%Y-%m-%d', gmtime 86400 * $round)) =~ s/-0?(\d+)/.$1/g;
    printf "INSERT INTO log VALUES (%d, '%s', %.6f); -- %s %s\n", $round, $name, $median, $note,
        join ' ', map { sprintf '%.3f', $_ } min(@values), sum(@values) / @values, max(@values);
}
print "COMMIT;\n";
