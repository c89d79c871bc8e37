#!/bin/bash
# systemd in namespaces of its own, for the time of one command: _boot.sh FILES COMMAND. Run it
# under `unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup`. The machine's root
# file system lies below, read-only in effect; FILES/root is copied over it. FILES/out is /out
# within, where COMMAND's output is out/log and its end out/done. Of the machine's own units none
# is started.
set -eu

FILES=$1
COMMAND=$2
ROOT=$FILES/scratch/root

mount --make-rprivate /
mkdir -p "$FILES/scratch" "$FILES/out"
mount -t tmpfs none "$FILES/scratch"
mkdir -p "$FILES/scratch/"{upper,work,root}
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$FILES/scratch/upper,workdir=$FILES/scratch/work" "$ROOT"
for name in run tmp dev; do
    mount -t tmpfs "$name" "$ROOT/$name"
done
for name in null zero full random urandom tty; do
    touch "$ROOT/dev/$name"
    mount --bind "/dev/$name" "$ROOT/dev/$name"
done
ln -s /proc/self/fd "$ROOT/dev/fd"
ln -s pts/ptmx "$ROOT/dev/ptmx"
mkdir "$ROOT"/dev/{pts,shm,mqueue,hugepages}
mount -t devpts -o newinstance,ptmxmode=666 devpts "$ROOT/dev/pts"
mount -t proc proc "$ROOT/proc"
mount -t sysfs sysfs "$ROOT/sys"
mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
mount -t bpf -o mode=700 bpf "$ROOT/sys/fs/bpf" # as systemd does on a machine

# Units of sysinit.target set up machines: this one is.
rm -rf "$ROOT"/{usr/lib,etc}/systemd/system/*.wants "$ROOT/usr/lib/systemd/system-generators"
rm -rf "$ROOT/var/log/journal"
cp -a "$FILES/root/." "$ROOT/"
mkdir -p "$ROOT/out" "$ROOT/old" "$ROOT/etc/systemd/system/probe.target.wants"
mount --bind "$FILES/out" "$ROOT/out"
cat >"$ROOT/etc/systemd/system/probe.service" <<EOF
[Service]
Type=oneshot
ExecStart=$COMMAND
ExecStopPost=/bin/touch /out/done
StandardOutput=file:/out/log
StandardError=inherit
EOF
echo '[Unit]' >"$ROOT/etc/systemd/system/probe.target"
ln -s ../probe.service "$ROOT/etc/systemd/system/probe.target.wants/probe.service"

cd "$ROOT"
pivot_root . old
cd /
umount -l /old
ip link set lo up
exec env -i PATH="$PATH" container=lxc /lib/systemd/systemd --system --unit=probe.target \
    --log-target=null --show-status=false </dev/null
