/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strerror.c - texts for libcr's error codes */
#include <string.h>

#include "libcr.h"

static const char *const texts[] = {
	[CR_ETEMPFAIL - CR_ETEMPFAIL] =
		"A callback refused the checkpoint for now",
	[CR_EPERMFAIL - CR_ETEMPFAIL] = "A callback failed for good",
	[CR_ENOSUPPORT - CR_ETEMPFAIL] = "The process cannot be checkpointed",
	[CR_EVERSION - CR_ETEMPFAIL] = "Versions do not fit",
	[CR_EOMITTED - CR_ETEMPFAIL] =
		"The process is left out of the checkpoint",
	[CR_EBADARCH - CR_ETEMPFAIL] =
		"The context file is of another architecture",
	[CR_EPTRACED - CR_ETEMPFAIL] = "The process is being traced",
	[CR_EPTRACER - CR_ETEMPFAIL] = "The process is tracing another",
	[CR_ERSTRTABRT - CR_ETEMPFAIL] = "The restart was given up",
	[CR_ERESTARTED - CR_ETEMPFAIL] = "Restarted from this checkpoint",
	[CR_ENOTCB - CR_ETEMPFAIL] = "Only possible inside a callback",
	[CR_ENOINIT - CR_ETEMPFAIL] = "This thread has not called cr_init()",
};

const char *cr_strerror(int errnum)
{
	if (errnum < CR_ETEMPFAIL)
		return strerror(errnum);
	if (errnum - CR_ETEMPFAIL < (int)(sizeof(texts) / sizeof(*texts)))
		return texts[errnum - CR_ETEMPFAIL];
	return "Unknown error of libcr";
}
