/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forge.c - takes a context file apart and puts it together again */
#include "forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/codec.h"
#include "image/format.h"
#include "sample.h"

#define RUN_SIZE 56

static void must(bool fine, const char *what)
{
	if (!fine) {
		perror(what);
		abort();
	}
}

static uint64_t get(const uint8_t *at, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, at, size);
	return v;
}

int forge_sample(enum cr_codec codec)
{
	struct cr_writer_options opt = { .codec = codec };
	struct cr_image *img = sample_image();
	int fd = memfd_create("forge", MFD_CLOEXEC);
	static uint8_t pages[8 * 4096];
	struct cr_error err = { 0 };
	struct cr_writer *w;

	for (size_t i = 0; i < sizeof(pages); i++)
		pages[i] = sample_byte(0, i);
	must(!cr_writer_create_fd(&w, fd, &opt, &err), err.text);
	for (uint32_t space = 0; space < 2; space++)
		must(!cr_writer_pages(w, img, space, SAMPLE_HEAP, pages,
				      sizeof(pages), false, &err),
		     err.text);
	must(!cr_writer_pages(w, img, 0, SAMPLE_HEAP - 4096, pages, 4096, true,
			      &err),
	     err.text);
	must(!cr_writer_pages(w, img, 2, 4096, pages, 8192, false, &err),
	     err.text);
	must(!cr_writer_commit(w, img, &err), err.text);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

void forge_load(struct forge *f, int fd)
{
	struct stat st;
	uint8_t *all;
	size_t at;

	memset(f, 0, sizeof(*f));
	must(!fstat(fd, &st), "fstat");
	all = malloc((size_t)st.st_size);
	must(pread(fd, all, (size_t)st.st_size, 0) == st.st_size, "pread");
	at = (size_t)st.st_size - CR_TRAILER_SIZE;
	f->n_sections = (uint32_t)get(all + at + 24, 4);
	f->pages_len = get(all + at + 16, 8);
	must(f->n_sections <= FORGE_SECTIONS, "sections");
	at = f->pages_len;
	for (uint32_t i = 0; i < f->n_sections; i++) {
		struct forge_section *s = &f->sections[i];

		memcpy(s->name, all + at, 8);
		s->flags = (uint32_t)get(all + at + 8, 4);
		s->len = get(all + at + 16, 8);
		s->payload = malloc(s->len);
		at += CR_SECTION_HEADER_SIZE;
		memcpy(s->payload, all + at, s->len);
		at += s->len;
	}
	f->pages = all;
}

void forge_copy(struct forge *to, const struct forge *from)
{
	*to = *from;
	to->pages = malloc(from->pages_len);
	memcpy(to->pages, from->pages, from->pages_len);
	for (uint32_t i = 0; i < from->n_sections; i++) {
		const struct forge_section *s = &from->sections[i];

		to->sections[i].payload = malloc(s->len ? s->len : 1);
		memcpy(to->sections[i].payload, s->payload, s->len);
	}
}

void forge_free(struct forge *f)
{
	for (uint32_t i = 0; i < f->n_sections; i++)
		free(f->sections[i].payload);
	free(f->pages);
}

struct forge_section *forge_find(struct forge *f, const char *name)
{
	for (uint32_t i = 0; i < f->n_sections; i++)
		if (!strncmp(f->sections[i].name, name, 8))
			return &f->sections[i];
	abort();
}

void forge_seal_runs(struct forge *f)
{
	struct forge_section *s = forge_find(f, "RUNS");

	for (size_t at = 4; at + RUN_SIZE <= s->len; at += RUN_SIZE) {
		uint64_t offset = get(s->payload + at + 24, 8);
		uint64_t stored = get(s->payload + at + 32, 8);

		if (offset < f->pages_len && stored <= f->pages_len - offset)
			cr_digest(s->payload + at + 40, f->pages + offset,
				  stored);
	}
}

void forge_store(const struct forge *f, int fd, size_t *len)
{
	static uint8_t *buf;
	static size_t size;
	struct cr_digest *root = cr_digest_create(), *d = cr_digest_create();
	size_t at = f->pages_len, need = at + CR_TRAILER_SIZE;
	uint64_t v;

	for (uint32_t i = 0; i < f->n_sections; i++)
		need += CR_SECTION_HEADER_SIZE + f->sections[i].len;
	if (need > size) {
		buf = realloc(buf, need);
		size = need;
	}
	memcpy(buf, f->pages, f->pages_len);
	cr_digest_start(root);
	cr_digest_add(root, buf, CR_HEADER_SIZE);
	for (uint32_t i = 0; i < f->n_sections; i++) {
		const struct forge_section *s = &f->sections[i];
		uint8_t *h = buf + at;

		memset(h, 0, CR_SECTION_HEADER_SIZE);
		memcpy(h, s->name, 8);
		memcpy(h + 8, &s->flags, 4);
		v = s->len;
		memcpy(h + 16, &v, 8);
		at += CR_SECTION_HEADER_SIZE;
		if (s->len)
			memcpy(buf + at, s->payload, s->len);
		cr_digest_start(d);
		cr_digest_add(d, h, 32);
		cr_digest_add(d, buf + at, s->len);
		cr_digest_get(d, h + 32);
		cr_digest_add(root, h + 32, CR_DIGEST_SIZE);
		at += s->len;
	}
	memset(buf + at, 0, CR_TRAILER_SIZE);
	memcpy(buf + at, CR_FORMAT_END_MAGIC, 8);
	v = need;
	memcpy(buf + at + 8, &v, 8);
	v = f->pages_len;
	memcpy(buf + at + 16, &v, 8);
	memcpy(buf + at + 24, &f->n_sections, 4);
	cr_digest_add(root, buf + at, 48);
	cr_digest_get(root, buf + at + 48);
	cr_digest_destroy(root);
	cr_digest_destroy(d);
	must(pwrite(fd, buf, need, 0) == (ssize_t)need, "pwrite");
	must(!ftruncate(fd, (off_t)need), "ftruncate");
	*len = need;
}
