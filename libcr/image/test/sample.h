/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sample.h - a small image in which every kind of field has a value */
#ifndef CR_TEST_SAMPLE_H
#define CR_TEST_SAMPLE_H

#include "image/model.h"
#include "image/writer.h"

/* Two processes, three threads, two address spaces, one shared memory. */
struct cr_image *sample_image(void);
/* Gives the writer pages that fit it; what a page holds depends on addr. */
int sample_pages(struct cr_writer *w, struct cr_image *img,
		 struct cr_error *err);
/* The byte that sample_pages() put there; 0 where it stored none. */
uint8_t sample_byte(uint32_t space, uint64_t addr);
/* Where sample_pages() stores, for the three spaces. */
#define SAMPLE_HEAP UINT64_C(0x555555560000)
#define SAMPLE_HEAP_PAGES 600
#define SAMPLE_SHM_PAGES 5

/* A new empty directory; the caller removes it with sample_rmdir(). */
char *sample_mkdtemp(void);
/* The number of names in it. */
int sample_dir_entries(const char *dir);
void sample_rmdir(char *dir);

#endif
