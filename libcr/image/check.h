/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.h - the parts of cr_image_check() */
#ifndef CR_CHECK_H
#define CR_CHECK_H

#include "image/model.h"

int cr_check_processes(const struct cr_image *img, struct cr_error *err);
int cr_check_mms(const struct cr_image *img, struct cr_error *err);
#define CR_SETTING_DATA_MAX 512u
#define CR_SETTING_FILTER_MAX 32768u /* of a seccomp filter: BPF_MAXINSNS */
int cr_check_settings(const struct cr_image *img, struct cr_error *err);
int cr_check_runs(const struct cr_image *img, struct cr_error *err);

#endif
