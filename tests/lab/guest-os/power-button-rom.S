/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware and operating system of a VM in one: power-button.S without a BIOS before it, which takes seconds in an emulator
 * inside an emulator. It says "up" on the first serial port, sleeps between the ticks of the timer, and switches the machine off
 * when somebody presses the ACPI power button, as `virsh shutdown` does. Who wants a guest that does not react takes the usual
 * BIOS and boots nothing.
 *
 * Registers: ACPI specification, 4.8.3 (PM1 status, enable, control), at the place that LPC bridge 00:1f.0 is told (Intel ICH9,
 * 13.1.13: PMBASE, ACPI_CNTL); 0 is the type of S5 on QEMU's q35, as its DSDT says.
 */
	.code16
	.globl	start

	.set	PCI_ADDRESS, 0xcf8
	.set	PCI_DATA, 0xcfc
	.set	LPC_BRIDGE, 0x80000000 | 0x1f << 11
	.set	PMBASE, 0x40
	.set	ACPI_CNTL, 0x44
	.set	ACPI_ENABLE, 1 << 7

	.set	PM1_STATUS, 0x600
	.set	PM1_ENABLE, 0x602
	.set	PM1_CONTROL, 0x604
	.set	POWER_BUTTON, 1 << 8		/* in status and enable: QEMU forgets a button that is not enabled */
	.set	SLEEP_NOW, 1 << 13		/* in control, with sleep type 0 */

	.set	APIC_LINT0, 0xfee00350
	.set	EXTERNAL, 7 << 8		/* interrupts of the PIC go through; after a reset they do not */

	.set	SERIAL, 0x3f8
	.set	PIC_COMMAND, 0x20
	.set	PIC_DATA, 0x21
	.set	SECOND_PIC_DATA, 0xa1
	.set	TICK, 8				/* the timer's interrupt */

	.macro	write port, value
	movw	$\port, %dx
	movb	$\value, %al
	outb	%al, %dx
	.endm

	.macro	write_lpc register, value
	movw	$PCI_ADDRESS, %dx
	movl	$LPC_BRIDGE | \register, %eax
	outl	%eax, %dx
	movw	$PCI_DATA, %dx
	movl	$\value, %eax
	outl	%eax, %dx
	.endm

start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp

	write_lpc PMBASE, PM1_STATUS | 1
	write_lpc ACPI_CNTL, ACPI_ENABLE
	movw	$PM1_STATUS, %dx		/* a button that was pressed before is no button */
	movw	$POWER_BUTTON, %ax
	outw	%ax, %dx
	movw	$PM1_ENABLE, %dx
	outw	%ax, %dx

	lgdtl	%cs:table			/* the APIC is above what real mode reaches: a segment of 4 GiB stays loaded */
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %es
	andb	$~1, %al
	movl	%eax, %cr0
	movl	$APIC_LINT0, %edi
	movl	$EXTERNAL, %es:(%edi)

	movw	$tick, TICK * 4
	movw	%cs, TICK * 4 + 2
	write	PIC_COMMAND, 0x11		/* vectors from TICK on, one master, one slave; nothing but the timer */
	write	PIC_DATA, TICK
	write	PIC_DATA, 4
	write	PIC_DATA, 1
	write	PIC_DATA, 0xfe
	write	SECOND_PIC_DATA, 0xff

	write	SERIAL, 'u'
	write	SERIAL, 'p'
	write	SERIAL, '\n'

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

tick:
	pushw	%ax
	movb	$0x20, %al			/* end of interrupt */
	outb	%al, $PIC_COMMAND
	popw	%ax
	iretw

	.balign	8
segments:
	.quad	0, 0x00cf92000000ffff
table:
	.word	. - segments - 1
	.long	0xf0000 + segments

	.org	0xfff0				/* where a processor begins */
	ljmp	$0xf000, $start
	.org	0x10000
