/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole operating system of the lab's VMs: one boot sector. It says "up" on the first serial port, sleeps between
 * the ticks of the timer, and switches the machine off when somebody presses the ACPI power button, as `virsh shutdown`
 * does. Who wants a guest that does not react boots none.
 *
 * Registers: ACPI specification, 4.8.3 (PM1 status, enable, control), at the place where SeaBIOS puts them on QEMU's q35;
 * 0 is the type of S5 there, as QEMU's DSDT says.
 */
	.code16
	.globl	start

	.set	PM1_STATUS, 0x600
	.set	PM1_ENABLE, 0x602
	.set	PM1_CONTROL, 0x604
	.set	POWER_BUTTON, 1 << 8		/* in status and enable: QEMU forgets a button that is not enabled */
	.set	SLEEP_NOW, 1 << 13		/* in control, with sleep type 0 */
	.set	SERIAL, 0x3f8

start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$start, %sp

	movw	$PM1_STATUS, %dx		/* a button that was pressed before is no button */
	movw	$POWER_BUTTON, %ax
	outw	%ax, %dx
	movw	$PM1_ENABLE, %dx
	outw	%ax, %dx

	movw	$message, %si
	movw	$SERIAL, %dx
	cld
say:
	lodsb
	testb	%al, %al
	jz	wait
	outb	%al, %dx
	jmp	say

wait:
	sti
	hlt
	movw	$PM1_STATUS, %dx
	inw	%dx, %ax
	testw	$POWER_BUTTON, %ax
	jz	wait

	movw	$PM1_CONTROL, %dx
	movw	$SLEEP_NOW, %ax
	outw	%ax, %dx
	jmp	wait

message:
	.asciz	"up\n"

	.org	510
	.word	0xaa55
