/* SPDX-License-Identifier: MIT */
/* The style sheet and the script of a report, as they are, each with a NUL behind it. */
        .section .rodata
        .balign 16
        .globl report_style
        .hidden report_style
report_style:
        .incbin "cli/report/report.css"
        .byte 0
        .globl report_script
        .hidden report_script
report_script:
        .incbin "cli/report/report.js"
        .byte 0

        .section .note.GNU-stack,"",%progbits
