/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sample.c - a small image in which every kind of field has a value */
#include "sample.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_blob(struct cr_blob *b, size_t len, int seed)
{
	b->len = len;
	b->data = malloc(len);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)b->data)[i] = (uint8_t)(seed + 7 * i);
}

static struct cr_siginfo *set_pending(size_t *n, size_t count)
{
	struct cr_siginfo *pending = calloc(count, sizeof(*pending));

	for (size_t i = 0; i < count; i++) {
		pending[i].raw[0] = (uint8_t)(10 + i);
		pending[i].raw[127] = (uint8_t)(i + 1);
	}
	*n = count;
	return pending;
}

static void add_file(struct cr_image *img, uint32_t kind, const char *path)
{
	struct cr_file *file = cr_image_add_file(img);

	file->kind = kind;
	file->flags = 02;
	file->offset = -5;
	file->object_id = UINT64_C(0x1122334455667788);
	file->owner_pid = 77;
	file->owner_sig = 29;
	file->id.path = path ? strdup(path) : NULL;
	file->id.mode = 0100644;
	file->id.dev = 5;
	file->id.ino = 6;
	file->id.size = 7;
	file->id.mtime_sec = -8;
	file->id.mtime_nsec = 999999999;
	if (kind == CR_OBJ_STDIO)
		file->stdio_fd = 1;
	set_blob(&file->data, kind * 100, (int)kind);
	set_blob(&file->extra, 3, 1);
}

static void add_area(struct cr_mm *mm, uint64_t start, uint64_t pages,
		     uint32_t kind, uint32_t index, const char *name)
{
	struct cr_area *area = cr_mm_add_area(mm);

	area->start = start;
	area->end = start + pages * 4096;
	area->prot = 3;
	area->kind = kind;
	area->map_flags = 0x22;
	area->vm_flags = CR_VM_HUGEPAGE | CR_VM_ACCOUNT |
			 3 << CR_VM_PKEY_SHIFT;
	if (kind == CR_AREA_ANON_SHARED)
		area->shm = index;
	else if (index != CR_NONE)
		area->file = index;
	area->name = name ? strdup(name) : NULL;
}

static void add_mm(struct cr_image *img)
{
	struct cr_mm *mm = cr_image_add_mm(img);

	mm->exe = 0;
	mm->dumpable = 1;
	mm->fields.start_code = 1;
	mm->fields.env_end = 11;
	set_blob(&mm->fields.auxv, 320, 3);
	add_area(mm, SAMPLE_HEAP - 0x3000, 1, CR_AREA_FILE_SHARED, 1, NULL);
	add_area(mm, SAMPLE_HEAP - 0x2000, 2, CR_AREA_FILE_PRIVATE, 0, NULL);
	add_area(mm, SAMPLE_HEAP, SAMPLE_HEAP_PAGES, CR_AREA_ANON, CR_NONE,
		 "[heap]");
	add_area(mm, 0x7ff000000000, SAMPLE_SHM_PAGES, CR_AREA_ANON_SHARED, 0,
		 NULL);
	add_area(mm, 0x7ff000100000, 1, CR_AREA_CONTROL, CR_NONE, NULL);
	add_area(mm, 0x7ff000200000, 4, CR_AREA_VVAR, CR_NONE, "[vvar]");
	add_area(mm, 0x7ff000204000, 2, CR_AREA_VDSO, CR_NONE, "[vdso]");
	add_area(mm, 0xffffffffff600000, 1, CR_AREA_VSYSCALL, CR_NONE,
		 "[vsyscall]");
	mm->control = 0x7ff000100000;
}

static void add_thread(struct cr_process *p, int32_t tid)
{
	struct cr_thread *t = cr_process_add_thread(p);

	t->tid = tid;
	set_blob(&t->regs, 216, tid);
	set_blob(&t->xstate, 832, tid + 1);
	set_blob(&t->affinity, 8, tid + 2);
	t->sigmask = 0x8000000000000001;
	t->pending = set_pending(&t->n_pending, 2);
	t->altstack_sp = 0x7000;
	t->robust_len = 24;
	t->rseq_sig = 0x53053053;
	snprintf(t->comm, sizeof(t->comm), "thread %d", tid);
	t->nice = -3;
	t->pdeath_signal = 9;
	t->timeout_ns = 123456789;
}

static struct cr_process *add_process(struct cr_image *img, int32_t pid,
				      int32_t ppid)
{
	uint32_t self = (uint32_t)img->n_procs;
	struct cr_process *p = cr_image_add_process(img);

	p->kind = CR_PROC_NORMAL;
	p->pid = pid;
	p->ppid = ppid;
	p->pgid = p->sid = 100;
	p->exit_signal = 17;
	p->mm = p->fds_of = p->fs_of = p->sighand_of = self;
	p->uid[3] = 1000;
	p->groups = calloc(3, sizeof(*p->groups));
	p->n_groups = 3;
	p->groups[2] = 27;
	p->cap[4] = UINT64_MAX;
	p->cwd = strdup("/home/alice");
	p->root = strdup("/");
	p->umask = 022;
	p->rlimit[15].max = UINT64_MAX;
	p->sigaction[63].handler = 0x401000;
	p->pending = set_pending(&p->n_pending, 1);
	p->itimer[2].interval_ns = 5;
	cr_process_add_timer(p)->signo = 34;
	for (int i = 0; i < 3; i++) {
		struct cr_fd *fd = cr_process_add_fd(p);

		fd->fd = i * i;
		fd->cloexec = i == 2;
		fd->file = (uint32_t)i;
	}
	add_thread(p, pid);
	return p;
}

/* A seccomp filter of two instructions that two threads have. */
static void add_filters(struct cr_image *img, const struct cr_process *p)
{
	struct cr_setting *s = cr_image_add_setting(img);

	s->kind = CR_SETTING_FILTER;
	s->owner = (uint32_t)p->threads[1].tid;
	s->value = 1;
	set_blob(&s->data, 16, 6);
	*cr_image_add_setting(img) = (struct cr_setting){
		.kind = CR_SETTING_FILTERS_OF,
		.owner = (uint32_t)p->threads[0].tid,
		.value = (uint64_t)p->threads[1].tid,
	};
}

struct cr_image *sample_image(void)
{
	struct cr_image *img = cr_image_create();
	struct cr_file_id *id;
	struct cr_process *p;

	img->created_ns = 1;
	img->hostname = strdup("node1");
	img->kernel = strdup("");
	img->xfeatures = 0xe7;
	img->root_pid = 100;
	img->scope = 3;
	id = cr_image_add_mapped(img);
	id->path = strdup("/usr/bin/program");
	id->has_digest = true;
	memset(id->digest, 0xab, sizeof(id->digest));
	set_blob(&id->build_id, 20, 9);
	id = cr_image_add_mapped(img);
	id->path = strdup("/tmp/data");
	id->deleted = true;
	cr_image_add_shm(img)->size = SAMPLE_SHM_PAGES * 4096 - 100;
	add_file(img, CR_OBJ_STDIO, NULL);
	add_file(img, CR_OBJ_REGULAR, "/tmp/a file");
	add_file(img, CR_OBJ_PIPE, "pipe:[1234]");
	add_mm(img);
	add_mm(img);
	add_process(img, 100, 1);
	add_process(img, 101, 100);
	add_thread(&img->procs[1], 102);
	p = cr_image_add_process(img);
	p->kind = CR_PROC_RESPAWNED;
	p->pid = 103;
	p->ppid = 101;
	p->cwd = strdup("/");
	p->argv = calloc(3, sizeof(char *));
	p->argv[0] = strdup("srun");
	p->argv[1] = strdup("");
	p->envp = calloc(1, sizeof(char *));
	p = cr_image_add_process(img);
	p->kind = CR_PROC_ZOMBIE;
	p->pid = 104;
	p->ppid = 101;
	p->exit_status = 7 << 8;
	*cr_image_add_setting(img) =
		(struct cr_setting){ .kind = CR_SETTING_MEMBARRIER,
				     .value = 0x28 };
	*cr_image_add_setting(img) = (struct cr_setting){
		.kind = CR_SETTING_PKEYS, .value = 1 << 3
	};
	cr_image_add_setting(img)->kind = CR_SETTING_MEMORY_POLICY;
	img->settings[2].owner = (uint32_t)img->procs[0].threads[0].tid;
	img->settings[2].value = 2;
	set_blob(&img->settings[2].data, 128, 5);
	for (size_t i = 0; i < img->n_procs; i++)
		if (img->procs[i].n_threads > 1) {
			*cr_image_add_setting(img) = (struct cr_setting){
				.kind = CR_SETTING_MAIN_ENDED,
				.owner = (uint32_t)img->procs[i].pid,
				.value = 3 << 8
			};
			add_filters(img, &img->procs[i]);
			break;
		}
	return img;
}

/* Which pages hold something, and what. */
uint8_t sample_byte(uint32_t space, uint64_t addr)
{
	uint64_t page = addr / 4096, v = addr * UINT64_C(0x9e3779b97f4a7c15);

	if (page % 7 == 3)
		return 0;
	/* Noise does not compress, the rest does. */
	return (uint8_t)(page % 50 < 10 ? v >> 56 : page + space) | 1;
}

static int put(struct cr_writer *w, struct cr_image *img, uint32_t space,
	       uint64_t addr, size_t pages, struct cr_error *err)
{
	uint8_t *data = malloc(pages * 4096);
	int rc;

	for (size_t i = 0; i < pages * 4096; i++)
		data[i] = sample_byte(space, addr + i);
	rc = cr_writer_pages(w, img, space, addr, data, pages * 4096, false,
			     err);
	free(data);
	return rc;
}

int sample_pages(struct cr_writer *w, struct cr_image *img,
		 struct cr_error *err)
{
	int rc;

	/* Not in the order of the file. */
	rc = put(w, img, 2, 0, SAMPLE_SHM_PAGES, err);
	if (!rc)
		rc = put(w, img, 1, SAMPLE_HEAP, SAMPLE_HEAP_PAGES, err);
	if (!rc)
		rc = put(w, img, 0, SAMPLE_HEAP + 4096 * 300,
			 SAMPLE_HEAP_PAGES - 300, err);
	for (size_t i = 0; i < 300 && !rc; i++)
		rc = put(w, img, 0, SAMPLE_HEAP + 4096 * i, 1, err);
	return rc;
}

char *sample_mkdtemp(void)
{
	char *dir = strdup("/tmp/cr-image-test-XXXXXX");

	return mkdtemp(dir);
}

int sample_dir_entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

void sample_rmdir(char *dir)
{
	DIR *d = opendir(dir);

	for (struct dirent *e; (e = readdir(d));)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(dir);
	free(dir);
}
