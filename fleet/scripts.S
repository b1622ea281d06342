/* SPDX-License-Identifier: MIT */
/* The script as it is, with a NUL behind it. */
        .section .rodata
        .balign 16
        .globl fleet_operation
        .hidden fleet_operation
fleet_operation:
        .incbin "fleet/operation.lua"
        .byte 0

        .section .note.GNU-stack,"",%progbits
