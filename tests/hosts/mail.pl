# SPDX-License-Identifier: BSD-2-Clause
# Sends one message by Net::SMTP and Authen::SASL::Cyrus.
# Usage: perl mail.pl HOST PORT CA-FILE USER MECHANISM
# Prints "accepted" when the server took the login.
use strict;
use warnings;
use Authen::SASL qw(Cyrus);
use Net::SMTP;

my ($host, $port, $ca, $user, $mechanism) = @ARGV;
my $sasl = Authen::SASL->new(mechanism => $mechanism,
    callback => { user => sub { $user }, auth => sub { $user } });

my $smtp = Net::SMTP->new($host, Port => $port, Timeout => 20) or die $@;
$smtp->starttls(SSL_ca_file => $ca, SSL_verifycn_name => $host)
    or die $smtp->message;
# Net::SMTP passes on what it is given when that is such an object.
if ($smtp->auth($sasl)) {
	print "accepted\n";
	$smtp->mail($user);
	$smtp->to('bob@example.net');
	$smtp->data("Subject: by perl\n\nHello from Perl\n");
} else {
	print "refused: ", $smtp->code, " ", $smtp->message;
}
$smtp->quit;
