// SPDX-License-Identifier: GPL-2.0
/* main.c - the device /dev/cr comes and goes with the module */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "internal.h"

bool cr_strict;
module_param_named(strict, cr_strict, bool, 0644);
MODULE_PARM_DESC(strict, "demand the right to trace a process, Yama included");

bool cr_pids = true;
module_param_named(pids, cr_pids, bool, 0644);
MODULE_PARM_DESC(pids, "users may choose the process ids of a restart");

static struct miscdevice cr_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cr",
	.mode = 0666,
	.fops = &cr_session_fops,
};

static int __init cr_init(void)
{
	int ret = cr_authorise_init();

	if (ret)
		return ret;
	cr_pids_init();
	ret = misc_register(&cr_device);
	if (ret) {
		cr_pids_exit();
		cr_authorise_exit();
	}
	return ret;
}

/* No session is left: each has a reference to the module, held threads too. */
static void __exit cr_exit(void)
{
	misc_deregister(&cr_device);
	cr_stop_exit();
	cr_pids_exit();
	cr_authorise_exit();
}

module_init(cr_init);
module_exit(cr_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Stillpoint developers");
MODULE_DESCRIPTION("checkpoint and restart of processes for ordinary users");
MODULE_VERSION("0.1.0");
