/* SPDX-License-Identifier: MIT */
/*
 * dlopen() and dlsym(): ask hook_dl.c, then jump to the real one with the stack and the arguments as the caller left them, so that it
 * finds the caller's return address.
 */
  .text

#if defined(__x86_64__)

#define FUNCTION @function

  /* Calls with the caller's two arguments and keeps them; the answer is in rax. */
  .macro ask function
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  /* The return address, the two arguments and this make 32 bytes: at a call the stack is aligned by 16. */
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call \function
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  .endm

  .macro landing
#if defined(__CET__)
  endbr64
#endif
  .endm

  /* The answer is the second argument of the real dlopen(). */
  .macro pass_flags
  movl %eax, %esi
  .endm

  .macro return_unless_pass
  cmpq $-1, %rax
  je 1f
  ret
1:
  .endm

  /* A jump and no call: what the real one finds on the stack is the return address of our caller. */
  .macro jump_to pointer
  jmpq *\pointer(%rip)
  .endm

#elif defined(__aarch64__)

#define FUNCTION %function

  /* Calls with the caller's two arguments and keeps them; the answer is in x9. */
  .macro ask function
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset 29, -32
  .cfi_offset 30, -24
  stp x0, x1, [sp, #16]
  bl \function
  mov x9, x0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  .endm

  .macro landing
  hint #34 /* bti c */
  .endm

  .macro pass_flags
  mov w1, w9
  .endm

  .macro return_unless_pass
  cmn x9, #1
  b.eq 1f
  mov x0, x9
  ret
1:
  .endm

  .macro jump_to pointer
  /* x16, since a branch by it may land on the `bti c` at the beginning of a function. */
  adrp x16, \pointer
  ldr x16, [x16, :lo12:\pointer]
  br x16
  .endm

#endif

  .globl dlopen
  .type dlopen, FUNCTION
dlopen:
  .cfi_startproc
  landing
  ask hook_dl_open_flags
  pass_flags
  jump_to dl_real_open
  .cfi_endproc
  .size dlopen, .-dlopen

  .globl dlsym
  .type dlsym, FUNCTION
dlsym:
  .cfi_startproc
  landing
  ask hook_dl_sym_answer
  return_unless_pass
  jump_to dl_real_sym
  .cfi_endproc
  .size dlsym, .-dlsym

  .section .note.GNU-stack, "", %progbits
