/*
 * Addresses, endpoints, services and prefixes as text: what is read, what is refused and in which
 * words, and that what is written is read again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lb/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct address UNTOUCHED = {.word = {1, 2, 3, 4}};

static void an_ipv4_address_takes_its_mapped_form(void **state)
{
	struct address address = UNTOUCHED;

	(void)state;
	assert_int_equal(address_parse("10.96.0.10", &address), 0);

	assert_true(address_is_ipv4(&address));
	assert_int_equal(address.word[0], 0);
	assert_int_equal(address.word[1], 0);
	assert_int_equal(address.word[2], htonl(0xffff));
	assert_int_equal(address.word[3], htonl(0x0a60000a));
}

static void an_ipv6_address_keeps_its_bytes(void **state)
{
	struct address address = UNTOUCHED;

	(void)state;
	assert_int_equal(address_parse("fd00::10", &address), 0);

	assert_false(address_is_ipv4(&address));
	assert_int_equal(address.word[0], htonl(0xfd000000));
	assert_int_equal(address.word[1], 0);
	assert_int_equal(address.word[2], 0);
	assert_int_equal(address.word[3], htonl(0x10));
}

static void addresses_are_equal_when_every_byte_is(void **state)
{
	struct address service, same, stranger;

	(void)state;
	assert_int_equal(address_parse("fd00::10", &service), 0);
	assert_int_equal(address_parse("fd00:0:0::0010", &same), 0);
	assert_int_equal(address_parse("fd00::11", &stranger), 0);

	assert_true(address_equal(&service, &same));
	assert_false(address_equal(&service, &stranger));
}

static void an_address_is_written_in_its_shortest_form(void **state)
{
	static const struct {
		const char *read, *written;
	} ROWS[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"FD00:0:0:0::0010", "fd00::10"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1::1", "2001:0:0:1::1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct address address;
		char text[ADDRESS_TEXT_MAX];

		assert_int_equal(address_parse(ROWS[i].read, &address), 0);

		assert_string_equal(address_format(&address, text), ROWS[i].written);
	}
}

static void a_text_that_is_no_address_leaves_the_address_alone(void **state)
{
	static const char *const TEXTS[] = {
		"",          "10.0.0",        "10.0.0.256",      "10.0.0.1 ",    " 10.0.0.1",
		"10.0.0.1.", "010.0.0.1",     "0x0a.0.0.1",      "10.0.0.1/32",  "10.0.0.1:80",
		"web",       ":::",           "fd00::g",         "[fd00::10]",   "fe80::1%eth0",
		"fd00::1::", "1:2:3:4:5:6:7", "::ffff:10.0.0.1", "::ffff:a00:1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct address address = UNTOUCHED;

		assert_int_equal(address_parse(TEXTS[i], &address), -EINVAL);
		assert_memory_equal(&address, &UNTOUCHED, sizeof(address));
	}
}

static void an_endpoint_is_read_and_written_alike(void **state)
{
	static const char *const TEXTS[] = {"10.1.0.5:8080", "10.1.0.5:1", "[fd00::5]:65535"};

	(void)state;
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct address address;
		struct refusal refusal;
		char text[ENDPOINT_TEXT_MAX];
		__be16 port;

		assert_int_equal(endpoint_parse(TEXTS[i], &address, &port, &refusal), 0);

		assert_string_equal(endpoint_format(&address, port, text), TEXTS[i]);
	}
}

static void a_port_is_held_in_network_order(void **state)
{
	struct address address;
	struct refusal refusal;
	__be16 port;

	(void)state;
	assert_int_equal(endpoint_parse("10.1.0.5:8080", &address, &port, &refusal), 0);

	assert_int_equal(port, htons(8080));
}

static void a_wrong_endpoint_is_refused_by_its_wrong_word(void **state)
{
	static const struct {
		const char *text, *refusal;
	} ROWS[] = {
		{"", "\"\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"10.1.0.5", "\"10.1.0.5\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"[fd00::5]", "\"[fd00::5]\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"[fd00::5", "\"[fd00::5\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"[", "\"[\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"[fd00::5]80",
		 "\"[fd00::5]80\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
		{"fd00::5:80", "\"fd00::5:80\" is not ADDR:PORT; an IPv6 address goes in brackets, "
			       "as in [fd00::10]:80"},
		{"[10.1.0.5]:80", "\"10.1.0.5\" in \"[10.1.0.5]:80\" is not an IPv6 address"},
		{"web:80", "\"web\" in \"web:80\" is not an IPv4 or IPv6 address"},
		{":80", "\"\" in \":80\" is not an IPv4 or IPv6 address"},
		{"[fd00::g]:80", "\"fd00::g\" in \"[fd00::g]:80\" is not an IPv4 or IPv6 address"},
		{"10.1.0.5:", "port \"\" in \"10.1.0.5:\" is not 1–65535"},
		{"10.1.0.5:0", "port \"0\" in \"10.1.0.5:0\" is not 1–65535"},
		{"10.1.0.5:65536", "port \"65536\" in \"10.1.0.5:65536\" is not 1–65535"},
		{"10.1.0.5:+80", "port \"+80\" in \"10.1.0.5:+80\" is not 1–65535"},
		{"10.1.0.5:080", "port \"080\" in \"10.1.0.5:080\" is not 1–65535"},
		{"10.1.0.5:80 ", "port \"80 \" in \"10.1.0.5:80 \" is not 1–65535"},
		{"10.1.0.5:http", "port \"http\" in \"10.1.0.5:http\" is not 1–65535"},
		{"10.1.0.5:4294967376",
		 "port \"4294967376\" in \"10.1.0.5:4294967376\" is not 1–65535"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct address address = UNTOUCHED;
		struct refusal refusal = {{0}};
		__be16 port = 7;

		assert_int_equal(endpoint_parse(ROWS[i].text, &address, &port, &refusal), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].refusal);
		assert_memory_equal(&address, &UNTOUCHED, sizeof(address));
		assert_int_equal(port, 7);
	}
}

static void a_very_long_word_is_refused_and_not_copied(void **state)
{
	char text[4096];
	struct service_key key;
	struct prefix prefix;
	struct address address;
	struct refusal refusal;
	__be16 port;

	(void)state;
	memset(text, '1', sizeof(text));
	memcpy(text + sizeof(text) - 4, ":80", 4);

	assert_int_equal(endpoint_parse(text, &address, &port, &refusal), -EINVAL);
	assert_int_equal(service_key_parse(text, &key, &refusal), -EINVAL);
	assert_int_equal(prefix_parse(text, &prefix, &refusal), -EINVAL);
	assert_int_equal(strlen(refusal.text), REFUSAL_MAX - 1);
}

static void a_service_is_of_tcp_unless_it_says_otherwise(void **state)
{
	static const struct {
		const char *read, *written;
		__u8 protocol;
	} ROWS[] = {
		{"10.96.0.10:80", "10.96.0.10:80/tcp", IPPROTO_TCP},
		{"10.96.0.10:80/tcp", "10.96.0.10:80/tcp", IPPROTO_TCP},
		{"[fd00::10]:53/udp", "[fd00::10]:53/udp", IPPROTO_UDP},
		{"10.96.0.10:80/tcp/inside", "10.96.0.10:80/tcp/inside", IPPROTO_TCP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct service_key key;
		struct refusal refusal;
		char text[ENDPOINT_TEXT_MAX];

		memset(&key, 0xff, sizeof(key));
		assert_int_equal(service_key_parse(ROWS[i].read, &key, &refusal), 0);

		assert_int_equal(key.protocol, ROWS[i].protocol);
		for (size_t byte = 0; byte < sizeof(key.zero); byte++)
			assert_int_equal(key.zero[byte], 0);
		assert_string_equal(service_key_format(&key, text), ROWS[i].written);
	}
}

static void a_wrong_service_is_refused_by_its_wrong_word(void **state)
{
	static const struct {
		const char *text, *refusal;
	} ROWS[] = {
		{"10.96.0.10:80/dccp",
		 "protocol \"dccp\" in \"10.96.0.10:80/dccp\" is not tcp, udp or sctp"},
		{"10.96.0.10:80/TCP",
		 "protocol \"TCP\" in \"10.96.0.10:80/TCP\" is not tcp, udp or sctp"},
		{"10.96.0.10:80/", "protocol \"\" in \"10.96.0.10:80/\" is not tcp, udp or sctp"},
		{"10.96.0.10:80/tcp/udp", "\"/udp\" in \"10.96.0.10:80/tcp/udp\" is not /inside"},
		{"10.96.0.10/tcp",
		 "\"10.96.0.10\" has no port; write ADDR:PORT, as in 10.96.0.10:80"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct service_key key = {.port = 7};
		struct refusal refusal = {{0}};

		assert_int_equal(service_key_parse(ROWS[i].text, &key, &refusal), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].refusal);
		assert_int_equal(key.port, 7);
	}
}

static void a_protocol_has_one_word(void **state)
{
	__u8 protocol = 7;

	(void)state;
	assert_int_equal(protocol_parse("dccp", &protocol), -EINVAL);
	assert_int_equal(protocol, 7);
	assert_int_equal(protocol_parse("sctp", &protocol), 0);
	assert_int_equal(protocol, IPPROTO_SCTP);
	assert_int_equal(protocol_parse("udp", &protocol), 0);
	assert_int_equal(protocol, IPPROTO_UDP);
	assert_string_equal(protocol_name(IPPROTO_TCP), "tcp");
	assert_string_equal(protocol_name(IPPROTO_SCTP), "sctp");
	assert_null(protocol_name(IPPROTO_DCCP));
}

static void a_prefix_has_the_length_of_the_128_bit_form(void **state)
{
	static const struct {
		const char *read, *written;
		unsigned int length;
	} ROWS[] = {
		{"10.0.0.0/8", "10.0.0.0/8", 104},
		{"0.0.0.0/0", "0.0.0.0/0", 96},
		{"203.0.113.7", "203.0.113.7/32", 128},
		{"128.0.0.0/1", "128.0.0.0/1", 97},
		{"fd00::/8", "fd00::/8", 8},
		{"fd00:0:0:8000::/49", "fd00:0:0:8000::/49", 49},
		{"::/0", "::/0", 0},
		{"fd00::10", "fd00::10/128", 128},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct prefix prefix;
		struct refusal refusal;
		char text[ENDPOINT_TEXT_MAX];

		assert_int_equal(prefix_parse(ROWS[i].read, &prefix, &refusal), 0);

		assert_int_equal(prefix.length, ROWS[i].length);
		assert_string_equal(prefix_format(&prefix, text), ROWS[i].written);
	}
}

static void a_wrong_prefix_is_refused_with_the_right_one(void **state)
{
	static const struct {
		const char *text, *refusal;
	} ROWS[] = {
		{"10.0.0.1/8",
		 "\"10.0.0.1/8\" has bits set beyond its length; the range is 10.0.0.0/8"},
		{"10.0.0.1/0",
		 "\"10.0.0.1/0\" has bits set beyond its length; the range is 0.0.0.0/0"},
		{"fd00::1/64",
		 "\"fd00::1/64\" has bits set beyond its length; the range is fd00::/64"},
		{"fd00:0:0:4000::/49",
		 "\"fd00:0:0:4000::/49\" has bits set beyond its length; the range is fd00::/49"},
		{"10.0.0.0/33", "length \"33\" in \"10.0.0.0/33\" is not 0–32"},
		{"fd00::/129", "length \"129\" in \"fd00::/129\" is not 0–128"},
		{"10.0.0.0/", "length \"\" in \"10.0.0.0/\" is not 0–32"},
		{"10.0.0.0/-1", "length \"-1\" in \"10.0.0.0/-1\" is not 0–32"},
		{"10.0.0.0/08", "length \"08\" in \"10.0.0.0/08\" is not 0–32"},
		{"10.0.0.0/255.0.0.0",
		 "length \"255.0.0.0\" in \"10.0.0.0/255.0.0.0\" is not 0–32"},
		{"web/8", "\"web\" in \"web/8\" is not an IPv4 or IPv6 address"},
		{"::ffff:10.0.0.0/104",
		 "\"::ffff:10.0.0.0\" in \"::ffff:10.0.0.0/104\" is not an IPv4 or IPv6 address"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct prefix prefix = {.length = 7};
		struct refusal refusal = {{0}};

		assert_int_equal(prefix_parse(ROWS[i].text, &prefix, &refusal), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].refusal);
		assert_int_equal(prefix.length, 7);
	}
}

static void a_refusal_is_one_line_of_valid_utf8(void **state)
{
	static const struct {
		const char *said, *text;
	} ROWS[] = {
		{"1–65535 … ü €\U0001F600", "1–65535 … ü €\U0001F600"},
		{"two\nlines\tand\x7f", "two?lines?and?"},
		{"\x1b[31mred", "?[31mred"},
		{"next line \xc2\x85 in C1", "next line ?? in C1"},
		{"byte \xff, cut \xe2\x80", "byte ?, cut ??"},
		{"overlong \xc0\xaf \xe0\x80\xaf", "overlong ?? ???"},
		{"surrogate \xed\xa0\x80", "surrogate ???"},
		{"too large \xf4\x90\x80\x80", "too large ????"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct refusal refusal;

		assert_int_equal(refuse(&refusal, "%s", ROWS[i].said), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].text);
	}
}

static void a_refusal_that_is_too_long_is_cut_between_characters(void **state)
{
	char said[2 * REFUSAL_MAX];
	struct refusal refusal;

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		size_t length = shift;

		memset(said, 'x', shift);
		while (length + 3 < sizeof(said))
			length += sprintf(said + length, "–");
		refuse(&refusal, "%s", said);

		assert_in_range(strlen(refusal.text), REFUSAL_MAX - 4, REFUSAL_MAX - 1);
		assert_string_equal(refusal.text + strlen(refusal.text) - 6, "–…");
	}
}

static void a_refusal_may_quote_itself_and_carry_another_error(void **state)
{
	struct refusal refusal;

	(void)state;
	refuse(&refusal, "70000 is not 1–65535");

	assert_int_equal(refuse_with(&refusal, EEXIST, "port: %s", refusal.text), -EEXIST);
	assert_string_equal(refusal.text, "port: 70000 is not 1–65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_address_takes_its_mapped_form),
		cmocka_unit_test(an_ipv6_address_keeps_its_bytes),
		cmocka_unit_test(addresses_are_equal_when_every_byte_is),
		cmocka_unit_test(an_address_is_written_in_its_shortest_form),
		cmocka_unit_test(a_text_that_is_no_address_leaves_the_address_alone),
		cmocka_unit_test(an_endpoint_is_read_and_written_alike),
		cmocka_unit_test(a_port_is_held_in_network_order),
		cmocka_unit_test(a_wrong_endpoint_is_refused_by_its_wrong_word),
		cmocka_unit_test(a_very_long_word_is_refused_and_not_copied),
		cmocka_unit_test(a_service_is_of_tcp_unless_it_says_otherwise),
		cmocka_unit_test(a_wrong_service_is_refused_by_its_wrong_word),
		cmocka_unit_test(a_protocol_has_one_word),
		cmocka_unit_test(a_prefix_has_the_length_of_the_128_bit_form),
		cmocka_unit_test(a_wrong_prefix_is_refused_with_the_right_one),
		cmocka_unit_test(a_refusal_is_one_line_of_valid_utf8),
		cmocka_unit_test(a_refusal_that_is_too_long_is_cut_between_characters),
		cmocka_unit_test(a_refusal_may_quote_itself_and_carry_another_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
