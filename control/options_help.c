/*
 * What lbd --help prints.
 */
#include "control/options.h"

static const char HELP[] =
	"usage: lbd [OPTION]...\n"
	"\n"
	"Balances services over their backends in XDP. Runs in the foreground, logs to stderr.\n"
	"\n"
	"  --config FILE         settings as JSON under the names below; the command line wins\n"
	"  --tables FILE         services (JSON, or kubectl's), repeatable; SIGHUP rereads\n"
	"  --kubernetes          services of the cluster in which lbd runs as a pod\n"
	"  --kubeconfig FILE     of the cluster that this names (YAML or JSON)\n"
	"  --node NAME           this node there (NODE_NAME, or the host's name)\n"
	"  --interface NAME|GLOB where packets arrive, repeatable (later: lbctl interface add)\n"
	"  --tc-interface NAME|GLOB  the same by tc, which keeps segmentation offload: of pods\n"
	"  --tc-attach auto|clsact  by tcx where the kernel has it (default), or by filters\n"
	"  --egress auto|on|off  replies of backends that are processes of this node (auto)\n"
	"  --xdp-mode MODE       auto (default), native, generic or offload\n"
	"  --socket-lb MODE      clients on the node: off (default), host-only or all (pods, too)\n"
	"  --cgroup DIR          below which they are (the root of cgroup version 2)\n"
	"  --replace             take interfaces over from another XDP program\n"
	"  --cluster-cidr CIDR   addresses of the cluster that this node is of, repeatable\n"
	"  --nodeport-address CIDR  where node ports are served, repeatable (all addresses)\n"
	"  --external-ip-range CIDR  what externalIPs may be of, repeatable (none)\n"
	"  --metadata            packets left to the stack carry why, for tc programs\n"
	"  --socket PATH         control socket (/run/lbd/lbd.sock)\n"
	"  --socket-group GROUP  whose members may ask lbd, besides root and its own user\n"
	"  --socket-group-may read|change  what they may (read)\n"
	"  --pin DIR             programs, maps and links, on a bpffs (/sys/fs/bpf/lbd)\n"
	"  --state FILE          what the operator changed (/var/lib/lbd/operator.json)\n"
	"  --metrics ADDR:PORT   for Prometheus: off; with a cluster 127.0.0.1:10249\n"
	"  --metrics-detail N    services and backends together, beyond which only sums (2000)\n"
	"  --healthz ADDR:PORT   probes: off; with a cluster 0.0.0.0:10256\n"
	"  --max-services N      65536\n"
	"  --max-backends N      262144\n"
	"  --max-connections N   262144\n"
	"  --max-new-connections N  a second of a service and CPU that get entries; 0: all\n"
	"  --max-affinity N      65536\n"
	"  --max-masquerades N   262144: connections whose clients have an address of ours\n"
	"  --masquerade-ports A-B  their ports; else those that the kernel gives nobody\n"
	"  --dsr                 no such address: a tunnel, and the backend's node answers\n"
	"  --dsr-from CIDR       from where such tunnels end here, repeatable (nowhere)\n"
	"  --max-fragments N     8192: datagrams in pieces at once\n"
	"  --refuse answer|drop  whom there is no backend for: an error at once (default), or not\n"
	"  --icmp-errors N       such errors a second and CPU at most (1000), resets apart\n"
	"  --detach-on-exit      on SIGTERM take programs, maps and links along; else they go on\n"
	"  --cleanup             remove all that an lbd has left but its state, then end\n"
	"  --check               check config and tables, then end\n"
	"  --version, --help\n"
	"\n"
	"The file of --config may hold more, \"timeouts\" for one: see docs/configuration.md.\n";

const char *options_help(void)
{
	return HELP;
}
