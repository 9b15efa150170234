/* SPDX-License-Identifier: GPL-2.0-or-later */
/* make_sample_image.c - writes the sample: make_sample_image CODEC FILE */
#include <stdio.h>

#include "image/codec.h"
#include "sample.h"

int main(int argc, char **argv)
{
	struct cr_writer_options opt = { 0 };
	struct cr_image *img = sample_image();
	struct cr_writer *w = NULL;
	struct cr_error err = { 0 };
	int rc;

	if (argc != 3 || cr_codec_parse(argv[1], &opt.codec))
		return 2;
	rc = cr_writer_create(&w, argv[2], &opt, &err);
	if (!rc)
		rc = sample_pages(w, img, &err);
	if (!rc)
		rc = cr_writer_commit(w, img, &err);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	cr_writer_destroy(w);
	cr_image_destroy(img);
	return rc ? 1 : 0;
}
