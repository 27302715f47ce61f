#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: tests/vm/build.sh BUILDDIR
#
# Makes what run.sh boots, from Debian packages by name and the current tree:
#
#   CACHE/kernel-KEY/   vmlinux, the modules the two initramfs need, and the kernel's sample display drivers: mbochs as it
#                       is, mbochs_rw (the same with a dma-buf that the CPU can map) and mdpy. Their sources come out of the
#                       package linux-source at this moment and are not part of this tree.
#   CACHE/rootfs-KEY/   a Debian root file system with systemd, the libraries the product needs, Mesa's software driver, two
#                       VNC viewers, and a QEMU for the guest inside the VM
#   BUILDDIR/tests/vm/vm/  initramfs, product.tar (make install DESTDIR=..., the checks, the inner guest's initramfs, and the
#                       package of the directory VM_PACKAGES if that is set) and files that name the two above
#
# The cache's keys are versions of packages, so a second run makes only the last line.
# Needs root: mmdebstrap and mke2fs -d are to keep the owners of files.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$(cd "${1:?usage: build.sh BUILDDIR}" && pwd)
cache=${VFIO_DISPLAYD_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vfio-displayd-test}
out=$build/tests/vm/vm
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vfio-displayd-vm.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# Bumped when a recipe below changes.
kernel_recipe=4
rootfs_recipe=3

# In insmod's order.
disk_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 mbcache jbd2
	crc32c_generic libcrc32c ext4)
vfio_modules=(vfio vfio_virqfd vfio_iommu_type1 mdev)
# bochs: the guest's display, and card0 of the VM. vgem: a render node.
bochs_modules=(drm drm_kms_helper ttm drm_ttm_helper drm_vram_helper bochs)
vgem_modules=(drm_shmem_helper vgem)
# The VM's own input devices, and what the guest inside sees of them.
input_modules=(evdev uinput)
guest_modules=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci evdev virtio_input)
drivers=(mbochs mbochs_rw mdpy)
packages=(systemd systemd-sysv dbus udev kmod libvncserver1 libevent-2.1-7 libevent-core-2.1-7 libevent-pthreads-2.1-7 libevent-openssl-2.1-7
	libjansson4 libsystemd0 libdrm2 libseccomp2 libpng16-16 libssl3 libcrypt1 libpam0g libpam-modules libxkbcommon0 xkb-data
	libisal2 libx264-164 python3-minimal libpython3-stdlib openssl gvncviewer vncsnapshot libgbm1 libgl1-mesa-dri libevdev2 qemu-system-x86)

say() { echo "tests/vm: $*" >&2; }
die() { say "$*"; exit 1; }

newest_headers()
{
	local dir

	for dir in /usr/src/linux-headers-*-amd64; do
		[ -e "$dir/Makefile" ] && echo "${dir#/usr/src/linux-headers-}"
	done | sort -V | tail -1
}

# The sample drivers $1 (a directory with their sources) for the kernel $2.
build_drivers()
{
	# A dma-buf of mbochs is read-only as a file, and a shared mapping of such a file loses what the driver's mmap asks for:
	# the CPU cannot map it. Drivers of real devices export O_RDWR; this is the one difference that mbochs_rw has.
	sed -e 's/"mbochs"/"mbochs_rw"/' -e 's/exp_info\.ops = &mbochs_dmabuf_ops;/&\n\texp_info.flags = O_RDWR;/' \
		"$1/mbochs.c" >"$1/mbochs_rw.c"
	[ "$(grep -c 'flags = O_RDWR' "$1/mbochs_rw.c")" = 1 ] || die "mbochs.c is not as expected: no dma-buf export found"
	echo 'obj-m := mbochs.o mbochs_rw.o mdpy.o' >"$1/Makefile"
	make -s -C "/usr/src/linux-headers-$2" M="$1" modules >"$scratch/modules.log" 2>&1 ||
		{ cat "$scratch/modules.log" >&2; die "the sample drivers do not build"; }
}

# The ELF file inside a bzImage, which QEMU boots as it is (PVH): most of an emulated machine's boot is spent on xz otherwise.
unpack_kernel() # VMLINUZ INTO
{
	local offset

	offset=$(LC_ALL=C grep -obaUP '\xfd7zXZ\x00' "$1" | cut -d: -f1)
	offset=${offset%%$'\n'*}
	[ -n "$offset" ] || die "$1 is not compressed with xz"
	xz -dc --single-stream < <(tail -c "+$((offset + 1))" "$1") >"$2"
	[ "$(head -c 4 "$2")" = $'\x7fELF' ] || die "$1 holds no ELF file"
}

# Without types for BPF: the first module that has some makes the kernel read its own, and that costs an emulated guest inside an
# emulated machine a quarter of its boot.
strip_module() # MODULE INTO
{
	objcopy --strip-debug --remove-section=.BTF --remove-section=.BTF_ids "$1" "$2"
}

make_kernel() # KVER INTO
{
	local version=${1%%-*} series source into=$2 module path

	series=${version%.*}
	source=/usr/src/linux-source-$series.tar.xz
	[ -e "$source" ] || die "$source is missing: apt-get install linux-source-$series"
	say "kernel $1 and its sample display drivers"
	mkdir "$scratch/deb" "$scratch/tree" "$scratch/drivers" "$scratch/kernel"
	(cd "$scratch/deb" && chmod 755 . && apt-get -q -o APT::Sandbox::User=root download "linux-image-$1") >&2
	dpkg -x "$scratch"/deb/*.deb "$scratch/tree"
	unpack_kernel "$scratch/tree/boot/vmlinuz-$1" "$scratch/kernel/vmlinux"
	for module in "${disk_modules[@]}" "${vfio_modules[@]}" "${bochs_modules[@]}" "${vgem_modules[@]}" \
		"${input_modules[@]}" virtio_input; do
		path=$(find "$scratch/tree" -name "$module.ko" -print -quit)
		[ -n "$path" ] || die "linux-image-$1 has no module $module"
		strip_module "$path" "$scratch/kernel/$module.ko"
	done
	tar -C "$scratch/drivers" --strip-components=3 -xf "$source" \
		"linux-source-$series"/samples/vfio-mdev/{mbochs.c,mdpy.c,mdpy-defs.h}
	build_drivers "$scratch/drivers" "$1"
	for module in "${drivers[@]}"; do
		strip_module "$scratch/drivers/$module.ko" "$scratch/kernel/$module.ko"
	done
	mv "$scratch/kernel" "$into"
}

make_rootfs() # INTO
{
	local lean=(/usr/share/{doc,man,locale,info,help}/'*')

	say "root file system (about a minute)"
	mkdir "$scratch/root" "$scratch/rootfs"
	mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" \
		--aptopt='APT::Install-Recommends "false"' "${lean[@]/#/--dpkgopt=path-exclude=}" \
		bookworm "$scratch/rootfs.tar" >"$scratch/rootfs.log" 2>&1 ||
		{ cat "$scratch/rootfs.log" >&2; die "mmdebstrap failed"; }
	tar -C "$scratch/root" -xf "$scratch/rootfs.tar"
	mke2fs -q -F -t ext4 -d "$scratch/root" "$scratch/rootfs/root.ext4" 2G
	mv "$scratch/rootfs" "$1"
}

# An initramfs INTO with busybox, the script INIT as its PID 1, and modules in insmod's order.
make_initramfs() # INTO INIT MODULE...
{
	local dir module

	dir=$(mktemp -d "$scratch/initramfs.XXXXXX")
	mkdir -p "$dir"/{bin,dev,proc,sys,root,modules}
	cp "$(command -v busybox)" "$dir/bin/busybox"
	cp "$2" "$dir/init"
	chmod 755 "$dir/init"
	for module in "${@:3}"; do
		cp "$cache/$kernel/$module.ko" "$dir/modules/"
		echo "$module"
	done >"$dir/modules/order"
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) >"$1.$$"
	mv "$1.$$" "$1"
}

setting() # NAME: a variable of BUILDDIR/Makefile
{
	sed -n "s/^$1 = //p" "$build/Makefile"
}

# The directory with the product built for the paths of a package. Paths are compiled in, so a tree that was configured for
# others (or with a sanitizer, whose runtime the root file system lacks) is built again beside it.
product_tree()
{
	local copy=$out/source tree=$out/build

	if [ "$(setting prefix):$(setting sysconfdir):$(setting SANITIZE_FLAGS)" = /usr:/etc: ]; then
		echo "$build"
		return
	fi
	mkdir -p "$copy" "$tree"
	(cd "$top" && tar -c --exclude=./.git --exclude=./Makefile --exclude=./config.h --exclude=./config.status \
		--exclude=./stamp-h1 --exclude=./autom4te.cache --exclude='./build' --exclude='./build-[!a]*' \
		--exclude="./${build#"$top/"}" --exclude=./tests/vm/vm --exclude='*.o' --exclude='*.a' --exclude='.deps' .) | tar -C "$copy" -x
	if [ ! -e "$tree/config.status" ]; then
		[ -x "$copy/configure" ] || (cd "$copy" && autoreconf -fi) >&2
		(cd "$tree" && "$copy/configure" -q --prefix=/usr --sysconfdir=/etc --localstatedir=/var --runstatedir=/run) >&2
	fi
	echo "$tree"
}

# The package, the same under a higher version, and what its tests are for autopkgtest.
add_packages() # INTO
{
	local deb

	deb=$(find "$VM_PACKAGES" -name 'vfio-displayd_*.deb')
	[ -f "$deb" ] || die "VM_PACKAGES: there is no package vfio-displayd in $VM_PACKAGES, or more than one"
	install -D -m 644 "$deb" "$1/first.deb"
	dpkg-deb -R "$deb" "$scratch/package"
	sed -i 's/^Version: .*/&+1/' "$scratch/package/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$scratch/package" "$1/second.deb" >&2
	install -t "$1" "$top"/debian/tests/{smoke,service}
}

make_product()
{
	local tree dest=$scratch/dest programs=(tests/vm/test-vmm)

	tree=$(product_tree)
	! grep -q '^#define HAVE_GBM 1' "$tree/config.h" || programs+=(tests/vm/gbm-painter)
	say "the product"
	make -s -j"$(nproc)" -C "$tree" >&2
	make -s -C "$tree" "${programs[@]}" >&2
	make -s -C "$tree" DESTDIR="$dest" localstatedir=/var runstatedir=/run install >"$scratch/install.log"
	install -D -t "$dest/opt/vm-test" "${programs[@]/#/$tree/}" "$here"/*.py
	install -D -m 644 -t "$dest/etc/systemd/system" "$here/vm-test.service"
	install -D -t "$dest/opt/vm-test" "$here/../../docs/deploy/libvirt-hook"
	"$here/simulator/build.sh" "$kver" "$out/vfio_display_sim.ko" >&2
	install -D -m 644 -t "$dest/opt/vm-test" "$out/guest.gz" "$out/vfio_display_sim.ko" "$here/simulator/vfio_display_sim.h" \
		"$here"/../proto/{varlink,rfb,decode,h264,quantiser,security,rsaaes,websocket,certificates}.py
	(cd "$dest/opt/vm-test" && python3 -B -c "import rfb, varlink") || die "a module of tests/proto is not among those for the VM"
	[ -z "${VM_PACKAGES:-}" ] || add_packages "$dest/opt/vm-test/packages"
	tar -C "$dest" --owner=0 --group=0 -cf "$out/product.tar.$$" .
	mv "$out/product.tar.$$" "$out/product.tar"
}

[ "$(id -u)" = 0 ] || die "needs root"
for tool in mmdebstrap mke2fs busybox cpio xz objcopy apt-cache; do
	command -v "$tool" >/dev/null || die "$tool is missing: apt-get install mmdebstrap e2fsprogs busybox-static cpio xz-utils binutils"
done
kver=$(newest_headers)
[ -n "$kver" ] || die "no kernel headers: apt-get install linux-headers-amd64"
kernel=kernel-$kver-$kernel_recipe
rootfs=rootfs-$( (echo "$rootfs_recipe" && apt-cache show --no-all-versions "${packages[@]}" | grep -E '^(Package|Version):') |
	sha256sum | cut -c1-16)
mkdir -p "$cache" "$out"
exec 9>"$cache/lock"
flock 9
[ -e "$cache/$kernel" ] || make_kernel "$kver" "$cache/$kernel"
[ -e "$cache/$rootfs" ] || make_rootfs "$cache/$rootfs"
# What was made for packages that are no longer the newest.
find "$cache" -mindepth 1 -maxdepth 1 -type d \( -name 'kernel-*' -o -name 'rootfs-*' \) ! -name "$kernel" ! -name "$rootfs" \
	-exec rm -rf {} +
flock -u 9
make_initramfs "$out/initramfs.gz" "$here/initramfs-init" "${vfio_modules[@]}" "${disk_modules[@]}" "${bochs_modules[@]}" \
	"${vgem_modules[@]}" "${input_modules[@]}" "${drivers[@]}"
make_initramfs "$out/guest.gz" "$here/guest-init" "${bochs_modules[@]}" "${guest_modules[@]}"
make_product
printf '%s\n' "$cache/$kernel/vmlinux" >"$out/vmlinux"
printf '%s\n' "$cache/$rootfs/root.ext4" >"$out/rootfs"
