/*
 * Nobody sends but the test, so no packet is ever on its way while tables change: waiting for an
 * RCU grace period, at some milliseconds, would be all that a run does. The linker puts this in the
 * place of datapath_settle (--wrap).
 */
#include "lb/datapath.h"

void __wrap_datapath_settle(struct datapath *datapath);

void __wrap_datapath_settle(struct datapath *datapath)
{
	(void)datapath;
}
