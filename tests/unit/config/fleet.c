/* SPDX-License-Identifier: MIT */
/* IDEMSHIM_FLEET: what a URL says, what is wrong with one, and that no password is in either. */
#include "config/fleet.h"

#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct idem_config config;
static struct idem_error error;

static void release(void)
{
  idem_config_release(&config);
}

static const struct idem_fleet *fleet_of(const char *url)
{
  release();
  cr_assert_eq(LOAD_WITH(&config, &error, "IDEMSHIM_FLEET", url), 0, "%s", error.text);
  cr_assert_not_null(config.fleet);
  return config.fleet;
}

static void refused(const char *url, const char *message)
{
  release();
  cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_FLEET", url), -EINVAL, "%s is not refused", url);
  cr_expect_str_eq(error.text, message);
  cr_expect_null(config.fleet);
}

Test(config_fleet, without_the_variable_there_is_none, .fini = release)
{
  cr_assert_eq(LOAD_WITH(&config, &error, "IDEMSHIM_FLEET", ""), 0, "%s", error.text);
  cr_expect_null(config.fleet);
}

Test(config_fleet, one_server_has_a_host_a_port_and_a_database, .fini = release)
{
  const struct idem_fleet *fleet = fleet_of("redis://cache.internal");
  cr_expect_eq(fleet->kind, IDEM_FLEET_SINGLE);
  cr_expect_eq(fleet->node_count, 1);
  cr_expect_str_eq(fleet->node[0].host, "cache.internal");
  cr_expect_eq(fleet->node[0].port, 6379);
  cr_expect_eq(fleet->db, 0);
  cr_expect_null(fleet->user);
  cr_expect_null(fleet->password);
  cr_expect(!fleet->tls);
  fleet = fleet_of("rediss://[fd00::7]:7000/3");
  cr_expect(fleet->tls);
  cr_expect_str_eq(fleet->node[0].host, "fd00::7");
  cr_expect_eq(fleet->node[0].port, 7000);
  cr_expect_eq(fleet->db, 3);
}

Test(config_fleet, the_defaults_are_those_of_the_manual, .fini = release)
{
  const struct idem_fleet *fleet = fleet_of("redis://h/");
  cr_expect_str_eq(fleet->name, "default");
  cr_expect_eq(fleet->connect_ms, 100);
  cr_expect_eq(fleet->operation_ms, 250);
  cr_expect_eq(fleet->call_ms, 1000);
  cr_expect_eq(fleet->lease_ms, 15000);
  cr_expect_eq(fleet->near_ms, 5000);
  cr_expect_eq(fleet->replicas, 0);
  cr_expect_eq(fleet->max_value, 8 << 20);
  cr_expect(!fleet->fails);
  cr_expect(!fleet->read_only);
  cr_expect(!fleet->insecure);
}

Test(config_fleet, attributes_say_otherwise, .fini = release)
{
  const struct idem_fleet *fleet =
      fleet_of("rediss://h?name=team-a&connect-timeout=50ms&operation-timeout=1s&call-timeout=2s&lease=30s&"
               "near=1s&replicas=1&max-value=32M&unreachable=fail&read-only&insecure&ca=/etc/ca%20one.pem&"
               "cert=/c&key=/k&password-file=/p&sentinel-password-file=/s");
  cr_expect_str_eq(fleet->name, "team-a");
  cr_expect_eq(fleet->connect_ms, 50);
  cr_expect_eq(fleet->operation_ms, 1000);
  cr_expect_eq(fleet->call_ms, 2000);
  cr_expect_eq(fleet->lease_ms, 30000);
  cr_expect_eq(fleet->near_ms, 1000);
  cr_expect_eq(fleet->replicas, 1);
  cr_expect_eq(fleet->max_value, 32 << 20);
  cr_expect(fleet->fails);
  cr_expect(fleet->read_only);
  cr_expect(fleet->insecure);
  cr_expect_str_eq(fleet->ca, "/etc/ca one.pem");
  cr_expect_str_eq(fleet->cert, "/c");
  cr_expect_str_eq(fleet->key, "/k");
  cr_expect_str_eq(fleet->password_file, "/p");
  cr_expect_str_eq(fleet->sentinel_password_file, "/s");
}

Test(config_fleet, a_login_is_decoded_and_not_shown, .fini = release)
{
  const struct idem_fleet *fleet = fleet_of("redis://app:p%40ss%2Fw@h:7000/1?lease=20s");
  cr_expect_str_eq(fleet->user, "app");
  cr_expect_str_eq(fleet->password, "p@ss/w");
  cr_expect_str_eq(fleet->shown, "redis://app:***@h:7000/1?lease=20s");
  /* What `check` and `doctor` show of it. */
  bool found = false;
  for (size_t i = 0; idem_variable_docs[i].name; i++)
    if (!strcmp(idem_variable_docs[i].name, "IDEMSHIM_FLEET")) {
      found = true;
      cr_expect_str_eq(config.given[i].value, fleet->shown);
    }
  cr_expect(found);
  fleet = fleet_of("redis://:se:c@ret@h");
  cr_expect_null(fleet->user);
  cr_expect_str_eq(fleet->password, "se:c@ret");
  cr_expect_str_eq(fleet->shown, "redis://:***@h");
  fleet = fleet_of("redis://app@h");
  cr_expect_str_eq(fleet->user, "app");
  cr_expect_null(fleet->password);
  cr_expect_str_eq(fleet->shown, "redis://app@h");
}

Test(config_fleet, a_socket_is_a_path, .fini = release)
{
  const struct idem_fleet *fleet = fleet_of("redis+unix:///run/redis/a%3Fb.sock?name=x");
  cr_expect_eq(fleet->kind, IDEM_FLEET_UNIX);
  cr_expect_str_eq(fleet->node[0].host, "/run/redis/a?b.sock");
  cr_expect_str_eq(fleet->name, "x");
  fleet = fleet_of("unix://u:p@/s");
  cr_expect_str_eq(fleet->node[0].host, "/s");
  cr_expect_str_eq(fleet->password, "p");
}

Test(config_fleet, sentinels_know_a_master_and_a_cluster_has_nodes, .fini = release)
{
  const struct idem_fleet *fleet = fleet_of("rediss+sentinel://u:p@s1,s2:7,[::1]/mymaster/2");
  cr_expect_eq(fleet->kind, IDEM_FLEET_SENTINEL);
  cr_expect(fleet->tls);
  cr_expect_eq(fleet->node_count, 3);
  cr_expect_str_eq(fleet->node[0].host, "s1");
  cr_expect_eq(fleet->node[0].port, 26379);
  cr_expect_eq(fleet->node[1].port, 7);
  cr_expect_str_eq(fleet->node[2].host, "::1");
  cr_expect_str_eq(fleet->master, "mymaster");
  cr_expect_eq(fleet->db, 2);
  fleet = fleet_of("redis+cluster://a,b:7001");
  cr_expect_eq(fleet->kind, IDEM_FLEET_CLUSTER);
  cr_expect_eq(fleet->node_count, 2);
  cr_expect_eq(fleet->node[0].port, 6379);
}

Test(config_fleet, a_mistake_is_named_with_its_column, .fini = release)
{
  refused("http://h",
          "IDEMSHIM_FLEET: column 1: expected a URL that begins with redis://, rediss://, "
          "redis+unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://");
  refused("redis://h:0", "IDEMSHIM_FLEET: column 11: expected a port from 1 to 65535, not \"0\"");
  refused("redis://h:70000", "IDEMSHIM_FLEET: column 11: expected a port from 1 to 65535, not \"70000\"");
  refused("redis://h/x", "IDEMSHIM_FLEET: column 11: expected the number of a database, not \"x\"");
  refused("redis://",
          "IDEMSHIM_FLEET: column 9: expected HOST or HOST:PORT, an IPv6 address in brackets, not \"\"");
  refused("redis://a,b", "IDEMSHIM_FLEET: column 9: expected one host, not \"a,b\"; redis+sentinel:// and "
                         "redis+cluster:// take several");
  refused("redis://h?leese=3s",
          "IDEMSHIM_FLEET: column 11: unknown attribute \"leese\"; did you mean \"lease\"?");
  refused("redis://h?lease=3",
          "IDEMSHIM_FLEET: column 17: expected a duration with its unit, such as 250ms or 15s, "
          "not \"3\"");
  refused("redis://h?name=0123456789012345678901234567890123456789012345678901234567890123x",
          "IDEMSHIM_FLEET: column 16: expected a name of letters, digits, -, _ and ., up to 64, not "
          "\"0123456789012345678901234567890123456789012345678901234...\"");
  refused("redis://h?name=a/b",
          "IDEMSHIM_FLEET: column 16: expected a name of letters, digits, -, _ and ., up to 64, not \"a/b\"");
  refused("redis://h?ca=/x", "IDEMSHIM_FLEET: column 1: ca=, cert=, key= and insecure need rediss://");
  refused("redis+sentinel://h",
          "IDEMSHIM_FLEET: column 19: expected /MASTER after the sentinels, the name by which "
          "they know it");
  refused("redis+cluster://h/1",
          "IDEMSHIM_FLEET: column 19: expected no database after the hosts of a cluster, not \"1\"");
  refused("unix://run/s",
          "IDEMSHIM_FLEET: column 8: expected the absolute path of a socket, up to 107 bytes, not "
          "\"run/s\"");
  refused("redis://u:%zz@h",
          "IDEMSHIM_FLEET: column 11: expected two hexadecimal digits after %, and not 00");
}

/* Whatever is wrong, and wherever the mistake is. */
Test(config_fleet, no_message_has_the_password, .fini = release)
{
  static const char *const urls[] = {
      "reddis://u:sesame@h",         "redis://u:sesame/x@h",         "redis://u:sesame?x@h",
      "redis://u:sesame@h:x",        "redis://u:sesame%@h",          "redis://u:sesame@h/x",
      "redis://u:sesame@",           "redis://u:sesame@h?x",         "unix://u:sesame?@/s",
      "unix://u:sesame@s",           "redis://u:sesame@a,b",         "redis:u:sesame@h",
      "redis+sentinel://u:sesame@h", "redis+cluster://u:sesame@h/1", "redis://u:sesame#@h/x@",
  };
  for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
    release();
    cr_expect_lt(LOAD_WITH(&config, &error, "IDEMSHIM_FLEET", urls[i]), 0, "%s", urls[i]);
    cr_expect_null(strstr(error.text, "sesame"), "%s: %s", urls[i], error.text);
  }
}

Test(config_fleet, a_file_has_the_url_in_its_first_line, .fini = release)
{
  char path[] = "/tmp/idemshim-fleet.XXXXXX", at[64];
  int fd = mkstemp(path);
  static const char text[] = "redis://u:sesame@h:1\nmore\n";
  cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
  snprintf(at, sizeof(at), "@%s", path);
  const struct idem_fleet *fleet = fleet_of(at);
  cr_expect_str_eq(fleet->password, "sesame");
  cr_expect_eq(fleet->node[0].port, 1);
  release();
  fchmod(fd, 0604);
  cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_FLEET", at), -EPERM);
  cr_expect_not_null(strstr(error.text, "expected a file that others may not read"), "%s", error.text);
  close(fd);
  unlink(path);
}
