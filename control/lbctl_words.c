/*
 * The words of more than one object: how they are checked and what they become in the request. The
 * library's parsers are the judges; a refusal names the word and what would be right.
 */
#include "control/lbctl.h"

#include <errno.h>
#include <string.h>
#include "lb/service.h"

#define MAX_SECONDS 315360000ul /* ten years; lbd has the same limit */
#define NUMBER_TEXT_MAX 16

int request_set(struct invocation *invocation, const char *key, json_t *value)
{
	if (json_object_set_new(invocation->request, key, value))
		return refuse_with(&invocation->refusal, ENOMEM, "%s: out of memory", key);
	return 0;
}

int request_set_text(struct invocation *invocation, const char *key, const char *text)
{
	json_t *value = json_string(text);

	if (!value)
		return refuse(&invocation->refusal, "%s: not UTF-8", text);
	return request_set(invocation, key, value);
}

int request_open_list(struct invocation *invocation, const char *key, json_t **list)
{
	int error = 0;

	if (!json_object_get(invocation->request, key))
		error = request_set(invocation, key, json_array());
	if (!error)
		*list = json_object_get(invocation->request, key);
	return error;
}

int request_append(struct invocation *invocation, const char *key, json_t *value)
{
	json_t *list;
	int error = request_open_list(invocation, key, &list);

	if (error) {
		json_decref(value);
		return error;
	}
	if (json_array_append_new(list, value))
		return refuse_with(&invocation->refusal, ENOMEM, "%s: out of memory", key);
	return 0;
}

int word_parse_number(struct refusal *refusal, const char *what, const char *word,
		      unsigned long limit, unsigned long *number)
{
	size_t digits = strspn(word, "0123456789");
	unsigned long value = 0;

	for (size_t i = 0; i < digits && value <= limit; i++)
		value = value * 10 + (unsigned long)(word[i] - '0');
	if (!digits || word[digits] || value > limit || (word[0] == '0' && digits > 1))
		return refuse(refusal, "%s: \"%s\" is not 0–%lu", what, word, limit);
	*number = value;
	return 0;
}

bool word_is_service_name(const char *word)
{
	size_t length = strcspn(word, "/:");
	char before[ADDRESS_TEXT_MAX];
	struct address address;

	if (word[length] != '/')
		return false;
	if (length >= sizeof(before))
		return true;
	memcpy(before, word, length);
	before[length] = '\0';
	return address_parse(before, &address) != 0;
}

int put_service_key(struct invocation *invocation, const struct argument *argument,
		    const char *word)
{
	char text[ENDPOINT_TEXT_MAX];
	struct service_key key;
	int error = service_key_parse(word, &key, &invocation->refusal);

	if (error)
		return error;
	error = service_key_check(&key, &invocation->refusal);
	if (error)
		return error;
	return request_set_text(invocation, argument->key, service_key_format(&key, text));
}

int put_service(struct invocation *invocation, const struct argument *argument, const char *word)
{
	if (word_is_service_name(word))
		return request_set_text(invocation, argument->key, word);
	return put_service_key(invocation, argument, word);
}

/* Seconds in a unit, by its letter; 0: there is no such. */
static unsigned long unit_seconds(const char *unit)
{
	static const struct {
		const char *letter;
		unsigned long seconds;
	} UNITS[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++)
		if (!strcmp(unit, UNITS[i].letter))
			return UNITS[i].seconds;
	return 0;
}

int put_duration(struct invocation *invocation, const struct argument *argument, const char *word)
{
	const size_t digits = strspn(word, "0123456789");
	const unsigned long unit = unit_seconds(word + digits);
	unsigned long number = 0;
	struct refusal ignored;
	char text[NUMBER_TEXT_MAX];

	if (digits < sizeof(text) && unit) {
		memcpy(text, word, digits);
		text[digits] = '\0';
		if (word_parse_number(&ignored, argument->name, text, MAX_SECONDS / unit, &number))
			number = 0;
	}
	if (!number)
		return refuse(&invocation->refusal,
			      "%s: \"%s\" is not a time like 30s, 10m, 2h, 1d or a number of "
			      "seconds, 3650d at most",
			      argument->name, word);
	return request_set(invocation, argument->key, json_integer((json_int_t)(number * unit)));
}

int put_flag(struct invocation *invocation, const struct argument *argument, const char *word)
{
	(void)word;
	return request_set(invocation, argument->key, json_true());
}
