/* SPDX-License-Identifier: MIT */
/*
 * dlopen() and dlsym(): ask hook_dl.c, then jump to the real one with the stack and the arguments as the caller left them, so that it
 * finds the caller's return address.
 */
#if defined(__x86_64__)

  .text
  .globl dlopen
  .type dlopen, @function
dlopen:
  .cfi_startproc
#if defined(__CET__)
  endbr64
#endif
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call dl_open_flags
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  movl %eax, %esi
  jmpq *dl_real_open(%rip)
  .cfi_endproc
  .size dlopen, .-dlopen

  .globl dlsym
  .type dlsym, @function
dlsym:
  .cfi_startproc
#if defined(__CET__)
  endbr64
#endif
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call dl_sym_answer
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  cmpq $-1, %rax
  je 1f
  ret
1:
  jmpq *dl_real_sym(%rip)
  .cfi_endproc
  .size dlsym, .-dlsym

#elif defined(__aarch64__)

  .text
  .globl dlopen
  .type dlopen, %function
dlopen:
  .cfi_startproc
  hint #34 /* bti c */
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset 29, -32
  .cfi_offset 30, -24
  stp x0, x1, [sp, #16]
  bl dl_open_flags
  mov w9, w0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  mov w1, w9
  adrp x16, dl_real_open
  ldr x16, [x16, :lo12:dl_real_open]
  br x16
  .cfi_endproc
  .size dlopen, .-dlopen

  .globl dlsym
  .type dlsym, %function
dlsym:
  .cfi_startproc
  hint #34 /* bti c */
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset 29, -32
  .cfi_offset 30, -24
  stp x0, x1, [sp, #16]
  bl dl_sym_answer
  cmn x0, #1
  b.eq 1f
  ldp x29, x30, [sp], #32
  ret
1:
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  adrp x16, dl_real_sym
  ldr x16, [x16, :lo12:dl_real_sym]
  br x16
  .cfi_endproc
  .size dlsym, .-dlsym

#endif

  .section .note.GNU-stack, "", %progbits
