/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.h - the larger records of a context file, see record.c */
#ifndef CR_RECORD_H
#define CR_RECORD_H

#include "image/pack.h"

void cr_record_process(struct cr_pack *p, struct cr_process *proc);

#endif
