#!/bin/sh
# Makes a small Debian disk image, as cloud images are: cloud-init, sshd, a boot loader for the firmware
# of PCs. Needs root (for mmdebstrap's chroot), the network, and no loop device.
#
#   make.sh DIRECTORY      leaves disk.qcow2, vmlinuz and modules/ there
set -eu
cd "$1"
suite=bookworm
packages=systemd-sysv,udev,linux-image-cloud-amd64,initramfs-tools,zstd,cloud-init,netplan.io
packages=$packages,openssh-server,sudo,iproute2,iputils-ping,kmod

rm -rf root boot
mkdir boot
# The boot needs these modules and no others; a small archive is unpacked sooner under emulation.
cat >initramfs.conf <<'END'
MODULES=list
COMPRESS=zstd
END
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic >initramfs.modules
cat >cloud.cfg <<'END'
datasource_list: [NoCloud, None]
END
printf 'LABEL=root / ext4 defaults 0 0\n' >fstab
mmdebstrap --quiet --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
    --essential-hook='mkdir -p "$1"/etc/initramfs-tools/conf.d "$1"/etc/cloud/cloud.cfg.d' \
    --essential-hook='copy-in initramfs.conf /etc/initramfs-tools/conf.d' \
    --customize-hook='upload initramfs.modules /etc/initramfs-tools/modules' \
    --customize-hook='upload cloud.cfg /etc/cloud/cloud.cfg.d/50_test.cfg' \
    --customize-hook='upload fstab /etc/fstab' \
    --customize-hook='chroot "$1" update-initramfs -u' \
    --customize-hook='chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer' \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/etc/hostname; : >"$1"/etc/machine-id' \
    "$suite" root

cp root/boot/vmlinuz-* vmlinuz
cp root/boot/initrd.img-* boot/initrd.img
cp vmlinuz boot/vmlinuz
rm -rf modules
cp -r root/lib/modules modules
cat >boot/syslinux.cfg <<'END'
SERIAL 0 115200
DEFAULT linux
LABEL linux
  KERNEL vmlinuz
  INITRD initrd.img
  APPEND root=LABEL=root ro console=ttyS0 quiet mitigations=off cryptomgr.notests
END

# | 1 MiB: table, boot code | 64 MiB: FAT with boot loader and kernel | 1.4 GiB: ext4 |
mib=1048576
truncate -s 64M boot.img
mkfs.vfat -n BOOT boot.img >boot.log
mcopy -i boot.img boot/vmlinuz boot/initrd.img boot/syslinux.cfg ::
syslinux --install boot.img
rm -f root.img
mke2fs -q -t ext4 -L root -d root root.img 1400M
truncate -s 0 disk.img
truncate -s 1465M disk.img
printf 'label: dos\n1MiB,64MiB,c,*\n65MiB,1400MiB,83\n' | sfdisk --quiet disk.img
dd if=/usr/lib/syslinux/mbr/mbr.bin of=disk.img bs=440 count=1 conv=notrunc status=none
dd if=boot.img of=disk.img bs=$mib seek=1 conv=notrunc,sparse status=none
dd if=root.img of=disk.img bs=$mib seek=65 conv=notrunc,sparse status=none
qemu-img convert -q -O qcow2 disk.img disk.qcow2.draft
mv disk.qcow2.draft disk.qcow2
rm -rf root boot boot.img root.img disk.img
