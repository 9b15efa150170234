/* SPDX-License-Identifier: GPL-2.0 */
/* digest.h - XXH3-128 over whole pages, at least one */
#ifndef CR_DIGEST_H
#define CR_DIGEST_H

#include <linux/types.h>

#include "uapi/cr.h"

#define CR_DIGEST_STRIPE 64

struct cr_digest {
	u64 acc[8];
	u64 len;
	u8 tail[CR_DIGEST_STRIPE];	/* the last stripe, if len is not 0 */
};

void cr_digest_start(struct cr_digest *d);
void cr_digest_page(struct cr_digest *d, const void *page);
void cr_digest_end(struct cr_digest *d, u8 to[CR_DIGEST_BYTES]);

#endif
