/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish.c - where a job's coordinator is to be found: agent.json */
#include "plugins/slurm/agent/publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/slurm/agent/copy.h"
#include "plugins/slurm/agent/json.h"

static bool publish_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;

	return sa->sa_family != AF_INET ||
	       ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

static void publish_text(char address[64], const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;

	inet_ntop(AF_INET, &in->sin_addr, address, 64);
}

/* What the host's name stands for, unless that is the loopback. */
static bool publish_by_name(char address[64])
{
	struct addrinfo hints = { .ai_family = AF_INET,
				  .ai_socktype = SOCK_STREAM }, *ai, *i;
	char host[256];
	bool found = false;

	if (gethostname(host, sizeof(host)) ||
	    getaddrinfo(host, NULL, &hints, &ai))
		return false;
	for (i = ai; i && !found; i = i->ai_next) {
		found = !publish_loopback(i->ai_addr);
		if (found)
			publish_text(address, i->ai_addr);
	}
	freeaddrinfo(ai);
	return found;
}

void cr_publish_address(char address[64])
{
	struct ifaddrs *list, *i;

	strcpy(address, "127.0.0.1");
	if (publish_by_name(address) || getifaddrs(&list))
		return;
	for (i = list; i; i = i->ifa_next)
		if (i->ifa_addr && !publish_loopback(i->ifa_addr) &&
		    i->ifa_flags & IFF_UP) {
			publish_text(address, i->ifa_addr);
			break;
		}
	freeifaddrs(list);
}

static void publish_paths(const struct cr_publish *p, const char *site,
			  char own[PATH_MAX + 16], char others[PATH_MAX + 16])
{
	snprintf(own, PATH_MAX + 16, "%s/agent.json", p->directory);
	snprintf(others, PATH_MAX + 16, "%s/%u.agent", site, p->job);
}

int cr_publish_write(const struct cr_publish *p, const char *site,
		     struct cr_error *err)
{
	char own[PATH_MAX + 16], others[PATH_MAX + 16];
	struct json_object *o = json_object_new_object();
	const char *text;
	int rc;

	publish_paths(p, site, own, others);
	cr_json_put_int(o, "version", 1);
	cr_json_put_int(o, "job", p->job);
	cr_json_put_int(o, "uid", p->uid);
	cr_json_put_str(o, "host", p->host);
	cr_json_put_str(o, "address", p->address);
	cr_json_put_int(o, "port", p->port);
	cr_json_put_str(o, "directory", p->directory);
	cr_json_put_int(o, "pid", p->pid);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	rc = cr_copy_text(own, text, 0600, err);
	if (!rc && *site)
		rc = cr_copy_text(others, text, 0644, err);
	json_object_put(o);
	return rc;
}

void cr_publish_remove(const struct cr_publish *p, const char *site)
{
	char own[PATH_MAX + 16], others[PATH_MAX + 16];

	publish_paths(p, site, own, others);
	unlink(own);
	if (*site)
		unlink(others);
}

int cr_publish_read(struct cr_publish *p, const char *path, uint32_t job,
		    uid_t uid, struct cr_error *err)
{
	struct json_object *o;
	struct stat st;

	if (lstat(path, &st))
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != uid)
		return cr_error_set(err, -EPERM,
				    "%s does not belong to the job's owner",
				    path);
	o = cr_json_read(path);
	if (!o)
		return cr_error_set(err, -errno, "%s: %s", path,
				    strerror(errno));
	memset(p, 0, sizeof(*p));
	p->job = cr_json_int(o, "job", 0);
	p->uid = cr_json_int(o, "uid", -1);
	p->port = cr_json_int(o, "port", 0);
	p->pid = cr_json_int(o, "pid", 0);
	snprintf(p->host, sizeof(p->host), "%s", cr_json_str(o, "host", ""));
	snprintf(p->address, sizeof(p->address), "%s",
		 cr_json_str(o, "address", ""));
	snprintf(p->directory, sizeof(p->directory), "%s",
		 cr_json_str(o, "directory", ""));
	json_object_put(o);
	if (p->job != job || p->uid != uid || p->port < 0 || p->port > 65535 ||
	    *p->directory != '/')
		return cr_error_set(err, -EBADMSG,
				    "%s does not describe job %u", path, job);
	return 0;
}
