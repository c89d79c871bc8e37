/*
 * Kubeconfigs: what the current context means, in YAML and in JSON, and what is refused by the file
 * and the key.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/kube/config.h"

#define TEXT_MAX 4096

static struct kube_config config;
static struct refusal refusal;

static int finish(void **state)
{
	(void)state;
	kube_config_finish(&config);
	return 0;
}

static int parse(const char *text)
{
	kube_config_finish(&config);
	refusal.text[0] = '\0';
	return kube_config_parse(text, strlen(text), "/etc/lbd/kubeconfig", &config, &refusal);
}

static void given(const char *text)
{
	if (parse(text))
		fail_msg("%s\nis refused: %s", text, refusal.text);
}

static void assert_refused(const char *text, const char *words)
{
	if (parse(text) != -EINVAL)
		fail_msg("%s\nis not refused", text);
	if (strncmp(refusal.text, "/etc/lbd/kubeconfig: ", 21) || !strstr(refusal.text, words))
		fail_msg("\"%s\" does not say \"%s\"", refusal.text, words);
}

/* One context with these fields of its cluster and of its user, in the flow style of YAML. */
static const char *made(const char *cluster, const char *user)
{
	static char text[TEXT_MAX];

	snprintf(text, sizeof(text),
		 "current-context: c\n"
		 "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
		 "clusters: [{name: k, cluster: {%s}}]\n"
		 "users: [{name: u, user: {%s}}]\n",
		 cluster, user);
	return text;
}

static const char *with_cluster(const char *cluster)
{
	return made(cluster, "token: t");
}

static const char *with_user(const char *user)
{
	return made("server: \"https://a\"", user);
}

/* As kubeadm writes it. */
static const char KUBEADM[] =
	"apiVersion: v1\n"
	"clusters:\n"
	"- cluster:\n"
	"    certificate-authority-data: LS0tQ0EtLS0K\n"
	"    server: https://192.0.2.10:6443\n"
	"  name: kubernetes\n"
	"contexts:\n"
	"- context:\n"
	"    cluster: kubernetes\n"
	"    user: system:node:node-1\n"
	"  name: system:node:node-1@kubernetes\n"
	"current-context: system:node:node-1@kubernetes\n"
	"kind: Config\n"
	"preferences: {}\n"
	"users:\n"
	"- name: system:node:node-1\n"
	"  user:\n"
	"    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
	"    client-key: pki/key.pem\n";

static void the_current_context_says_server_and_user(void **state)
{
	(void)state;
	given(KUBEADM);
	assert_string_equal(config.server, "https://192.0.2.10:6443");
	assert_string_equal(config.ca.bytes, "---CA---\n");
	assert_int_equal(config.ca.size, strlen(config.ca.bytes));
	assert_string_equal(config.certificate.path,
			    "/var/lib/kubelet/pki/kubelet-client-current.pem");
	assert_string_equal(config.key.path, "/etc/lbd/pki/key.pem");
	assert_null(config.token.bytes);
	assert_null(config.tls_server_name);
	assert_false(config.insecure);
}

static void json_says_the_same(void **state)
{
	(void)state;
	given("\n {\"current-context\": \"b\", \"contexts\": ["
	      "{\"name\": \"a\", \"context\": {\"cluster\": \"none\"}},"
	      "{\"name\": \"b\", \"context\": {\"cluster\": \"k\", \"user\": \"u\"}}],"
	      "\"clusters\": [{\"name\": \"k\", \"cluster\": {"
	      "\"server\": \"http://[2001:db8::1]:80/k8s/\","
	      " \"tls-server-name\": \"api.example\", \"insecure-skip-tls-verify\": true}}],"
	      "\"users\": [{\"name\": \"u\", \"user\": {\"token\": \" abc.DEF-_ \"}}]}");
	assert_string_equal(config.server, "http://[2001:db8::1]:80/k8s");
	assert_string_equal(config.tls_server_name, "api.example");
	assert_true(config.insecure);
	assert_string_equal(config.token.bytes, "abc.DEF-_");
}

static void a_token_in_a_file_wins_and_data_wins_over_files(void **state)
{
	(void)state;
	given(with_user("token: abc, tokenFile: token"));
	assert_string_equal(config.token.path, "/etc/lbd/token");
	assert_null(config.token.bytes);
	given(with_user("client-certificate: c, client-certificate-data: YQ==, client-key: k, "
			"client-key-data: YmM="));
	assert_null(config.certificate.path);
	assert_string_equal(config.certificate.bytes, "a");
	assert_string_equal(config.key.bytes, "bc");
}

static void scalars_are_texts_and_empty_ones_are_not_set(void **state)
{
	(void)state;
	given(with_user("token: 12345, exec: null, username: '', password: ~, as-groups: []"));
	assert_string_equal(config.token.bytes, "12345");
	given(with_user(""));
	assert_null(config.token.bytes);
	given("current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
	      "clusters: [{name: k, cluster: {server: 'https://a'}}]\n");
	assert_null(config.token.bytes);
}

static void aliases_stand_for_what_they_name(void **state)
{
	(void)state;
	given("x: &k {server: 'https://a'}\ncurrent-context: c\n"
	      "contexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: *k}]\n");
	assert_string_equal(config.server, "https://a");
}

static void what_lbd_does_not_do_is_refused_by_its_key(void **state)
{
	static const char *const users[][2] = {
		{"exec: {command: aws}", "users[u].exec: lbd does not support it"},
		{"auth-provider: {name: gcp}", "users[u].auth-provider: lbd does not"},
		{"username: a, password: b", "users[u].username: lbd does not"},
		{"password: b", "users[u].password: lbd does not"},
		{"as: somebody", "users[u].as: lbd does not"},
		{"as-groups: [a]", "users[u].as-groups: lbd does not"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		assert_refused(with_user(users[i][0]), users[i][1]);
	assert_refused(with_cluster("server: 'https://a', proxy-url: 'http://p'"),
		       "clusters[k].proxy-url: lbd does not support it");
}

static void what_is_wrong_is_refused_by_its_key(void **state)
{
	static const char *const clusters[][2] = {
		{"", "clusters[k].server: missing"},
		{"server: [a]", "clusters[k].server: not a text"},
		{"server: a.example", "clusters[k].server: \"a.example\" is not https://HOST"},
		{"server: 'ftp://a'", "clusters[k].server: \"ftp://a\" is not https://HOST"},
		{"server: 'https://'", "clusters[k].server: \"https://\" is not"},
		{"server: 'https://a:99999'", "clusters[k].server: \"https://a:99999\" is not"},
		{"server: 'https://u:p@a'", "it has a user"},
		{"server: 'https://a?q'", "it has a query"},
		{"server: 'https://a#f'", "it has a fragment"},
		{"server: 'https://a', tls-server-name: {}, insecure-skip-tls-verify: 'yes'",
		 "clusters[k].insecure-skip-tls-verify: not true or false"},
		{"server: 'https://a', tls-server-name: [b]", "tls-server-name: not a text"},
		{"server: 'https://a', certificate-authority-data: '*'",
		 "certificate-authority-data: not base64"},
		{"server: 'https://a', certificate-authority: c, insecure-skip-tls-verify: true",
		 "insecure-skip-tls-verify: and a certificate-authority"},
	};
	static const char *const users[][2] = {
		{"token: [a]", "users[u].token: not a text"},
		{"token: 'a b'", "users[u].token: not a token"},
		{"token: \"a\\r\\nHost: b\"", "users[u].token: not a token"},
		{"token: ' '", "users[u].token: not a token"},
		{"client-certificate: a", "users[u].client-key: missing"},
		{"client-key-data: YQ==", "users[u].client-certificate: missing"},
		{"client-certificate-data: YQ=", "client-certificate-data: not base64"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clusters) / sizeof(clusters[0]); i++)
		assert_refused(with_cluster(clusters[i][0]), clusters[i][1]);
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		assert_refused(with_user(users[i][0]), users[i][1]);
}

static void documents_that_are_no_kubeconfig_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{"", "there is nothing in it"},
		{"# only this\n", "there is nothing in it"},
		{"hello", "not a kubeconfig"},
		{"[]", "not a kubeconfig"},
		{"{", "line 1"},
		{"{\"a\": 1, \"a\": 2}", "line 1"},
		{"a: b: c", "line 1"},
		{"a: 1\na: 2\n", "line 2: a key for the second time"},
		{"a: 1\n\tb: 2\n", "line 2"},
		{"? [x]\n: 1\n", "line 1: a key that is no text"},
		{"a: \"\\0\"\n", "line 1: a character that is no text"},
		{"a: \xff\n", "line 1"},
		{"a: &a [*a]\n", "nested too deep"},
		{"a: *b\n", "line 1"},
		{"clusters: []\n", "current-context: missing"},
		{"current-context: ''\n", "current-context: missing"},
		{"current-context: [a]\n", "current-context: missing"},
		{"current-context: a\n", "contexts: there is none of the name \"a\""},
		{"current-context: a\ncontexts: {a: 1}\n", "contexts: there is none"},
		{"current-context: a\ncontexts: [{name: a, context: 5}]\n",
		 "contexts[a].context: not a mapping"},
		{"current-context: a\ncontexts: [{name: a, context: }]\n",
		 "contexts[a].cluster: missing"},
		{"current-context: a\ncontexts: [{name: a, context: {cluster: k}}]\n",
		 "clusters: there is none of the name \"k\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i][0], rows[i][1]);
}

/* Nine lists of nine of the one before: a few lines that stand for a thousand million texts. */
static void lines_that_stand_for_too_much_are_refused(void **state)
{
	char text[2048];
	size_t used = (size_t)sprintf(text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");

	(void)state;
	for (int i = 1; i < 10; i++)
		used += (size_t)sprintf(
			text + used, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
			i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_refused(text, "too many values");
}

static char directory[] = "/tmp/lbd-kube-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/lbd-kube-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	remove_file("config");
	remove_file("token");
	finish(state);
	return rmdir(directory);
}

static int read_it(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/config", directory);
	kube_config_finish(&config);
	return kube_config_read(path, &config, &refusal);
}

static void files_that_it_names_are_read_too(void **state)
{
	(void)state;
	assert_int_equal(read_it(), -ENOENT);
	write_file("config", with_user("tokenFile: token"));
	assert_int_equal(read_it(), -ENOENT);
	assert_non_null(strstr(refusal.text, "/config: "));
	assert_non_null(strstr(refusal.text, "/token: No such file"));
	write_file("token", "\n");
	assert_int_equal(read_it(), -EINVAL);
	assert_non_null(strstr(refusal.text, "/token: not a token"));
	write_file("token", "first\n");
	assert_int_equal(read_it(), 0);
	assert_string_equal(config.token.bytes, "first");
}

static void a_file_is_read_again_where_it_is_another(void **state)
{
	(void)state;
	write_file("config", with_user("tokenFile: token"));
	write_file("token", "first\n");
	assert_int_equal(read_it(), 0);
	assert_false(kube_secret_refresh(&config.token, false));
	write_file("token", "second one is wrong\n");
	assert_false(kube_secret_refresh(&config.token, false));
	assert_string_equal(config.token.bytes, "first");
	write_file("token", "second\n");
	assert_true(kube_secret_refresh(&config.token, false));
	assert_string_equal(config.token.bytes, "second");
	remove_file("token");
	assert_false(kube_secret_refresh(&config.token, false));
	assert_string_equal(config.token.bytes, "second");
}

static void a_pod_knows_its_server_by_its_environment(void **state)
{
	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(kube_config_read_in_cluster(&config, &refusal), -EINVAL);
	assert_non_null(strstr(refusal.text, "KUBERNETES_SERVICE_HOST"));
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "x", 1);
	assert_int_equal(kube_config_read_in_cluster(&config, &refusal), -EINVAL);
	assert_non_null(strstr(refusal.text, "https://10.96.0.1:x"));
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	assert_int_equal(kube_config_read_in_cluster(&config, &refusal), -EINVAL);
	assert_non_null(strstr(refusal.text, "https://[fd00::1]:x"));
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(kube_config_read_in_cluster(&config, &refusal), -ENOENT);
	assert_non_null(strstr(refusal.text, "kubernetes.io/serviceaccount/ca.crt"));
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_current_context_says_server_and_user),
		cmocka_unit_test(json_says_the_same),
		cmocka_unit_test(a_token_in_a_file_wins_and_data_wins_over_files),
		cmocka_unit_test(scalars_are_texts_and_empty_ones_are_not_set),
		cmocka_unit_test(aliases_stand_for_what_they_name),
		cmocka_unit_test(what_lbd_does_not_do_is_refused_by_its_key),
		cmocka_unit_test(what_is_wrong_is_refused_by_its_key),
		cmocka_unit_test(documents_that_are_no_kubeconfig_are_refused),
		cmocka_unit_test(lines_that_stand_for_too_much_are_refused),
		WITH_FILES(files_that_it_names_are_read_too),
		WITH_FILES(a_file_is_read_again_where_it_is_another),
		cmocka_unit_test(a_pod_knows_its_server_by_its_environment),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
