#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: tests/vm/run.sh BUILDDIR
#
# Boots the VM of build.sh and lets guest_test.py prove the installed product in it. Prints "ok NAME" or "not ok NAME - why"
# for each check; exit status 0 only if all are ok. Logs: BUILDDIR/tests/vm/vm/{console,results,qemu}.log.
#
#   VM_ACCEL    kvm or tcg; default: kvm where a VM starts with it, else tcg
#   VM_TIMEOUT  seconds until the VM is ended (default 1800)
#   VM_PACKAGES a directory with a package vfio-displayd, which is installed, upgraded and removed at the end
#   VM_CHECKS   only checks with these names, for work on one of them: patterns, with commas between
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: run.sh BUILDDIR}" && pwd)
out=$build/tests/vm/vm
timeout=${VM_TIMEOUT:-1800}

# boot ACCEL SECONDS MEGABYTES RESULTS APPEND [MORE OPTIONS]
boot()
{
	timeout -k 5 "$2" qemu-system-x86_64 -nodefaults -no-user-config -accel "$1" -cpu max -smp 2 -m "$3" -display none \
		-no-reboot -kernel "$(cat "$out/vmlinux")" -initrd "$out/initramfs.gz" -serial "file:$out/console.log" \
		-serial "file:$4" -append "console=ttyS0 quiet loglevel=4 panic=-1 $5" "${@:6}" </dev/null >"$out/qemu.log" 2>&1
}

# /dev/kvm can be there and still not run a VM (nested virtualisation), so one is started.
choose_accel()
{
	if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
		: >"$out/probe.log"
		boot kvm 15 256 "$out/probe.log" vm-test.probe || :
		if grep -q "accelerator works" "$out/probe.log"; then
			echo kvm
			return
		fi
	fi
	echo tcg
}

"$here/build.sh" "$build"
accel=${VM_ACCEL:-$(choose_accel)}
: >"$out/results.log"
: >"$out/console.log"
echo "# accelerator: $accel"
started=$SECONDS
status=0
boot "$accel" "$timeout" 1536 "$out/results.log" "systemd.show_status=0 vm-test.checks=${VM_CHECKS:-}" \
	-device bochs-display \
	-drive "file=$(cat "$out/rootfs"),format=raw,if=virtio,snapshot=on" \
	-drive "file=$out/product.tar,format=raw,if=virtio,readonly=on" \
	-drive "file=$(cat "$out/vmlinux"),format=raw,if=virtio,readonly=on" || status=$?
tr -d '\r' <"$out/results.log" | grep -E '^(ok|not ok|#) ' || :
echo "# the VM ran $((SECONDS - started)) s"

explain()
{
	echo "# what the VM said:"
	tr -d '\r' <"$out/results.log" | grep -vE '^(ok|not ok|#) ' | tail -400 | sed 's/^/#   /'
	tail -30 "$out/console.log" | tr -d '\r' | sed 's/^/#   console: /'
	sed 's/^/#   qemu: /' "$out/qemu.log"
	exit 1
}

case $status in
0) grep -q '^# done' "$out/results.log" || broken="the checks did not come to their end" ;;
124 | 137) broken="not done after $timeout s" ;;
*) broken="qemu ended with status $status" ;;
esac
if [ -n "${broken:-}" ]; then
	echo "not ok vm - $broken"
	explain
fi
! grep -q '^not ok ' "$out/results.log" || explain
