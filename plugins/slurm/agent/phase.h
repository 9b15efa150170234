/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phase.h - the steps of a generation (doc/job-protocol.md) */
#ifndef CR_PHASE_H
#define CR_PHASE_H

enum cr_phase {
	CR_PHASE_NONE,
	CR_PHASE_CHECK, /* for "able": looks, and begins nothing */
	CR_PHASE_REQUEST,
	CR_PHASE_QUIESCE,
	CR_PHASE_SNAPSHOT,
	CR_PHASE_RESUME,
	CR_PHASE_STORE,
	CR_PHASE_COMMIT,
	CR_PHASE_FINISH,
	CR_PHASE_ABORT,
};

const char *cr_phase_name(enum cr_phase phase);
/* CR_PHASE_NONE if it is none. */
enum cr_phase cr_phase_parse(const char *name);

#endif
