/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restorer.h - the restorer's side, as far as objects need it in tests */
#ifndef CR_OBJECTS_TEST_RESTORER_H
#define CR_OBJECTS_TEST_RESTORER_H

#include "restore/restore.h"

extern int restorer_stdio[3]; /* of the restart command; -1: none */
extern bool restorer_is_image; /* what is asked for is the context file */
/* Closes what was remembered. */
void restorer_forget(void);

#endif
