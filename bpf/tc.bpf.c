/*
 * The datapath for tc: the walk of bpf/walk.h on what comes in by interfaces that keep segmentation
 * and checksum offload.
 */
#include "bpf/hook_tc.h"
#include "bpf/frame_tc.h"
#include "bpf/act_tc.h"
#include "bpf/walk.h"

char _license[] SEC("license") = "GPL";
