/**
 * The machine code of the launcher, one listing an architecture: hexadecimal bytes, then what an assembler makes them from.
 * It maps the program file named by its first argument at `baseAddress`, private and writable, and executes its records (see
 * program.ts for their layout) until one of them ends or replaces the process. Registers: the record in r12/x19. It has no heap, no
 * libc, installs no handlers and touches no memory outside the mapped program, 64 bytes below its stack pointer, and its registers.
 *
 * `machine.test.ts` assembles the right-hand sides again where an assembler is installed and compares.
 */
export const x64Listing = `
; _start:
488b742410   ; mov rsi, [rsp+16]
bf9cffffff   ; mov edi, -100
ba00000800   ; mov edx, 0x80000
b801010000   ; mov eax, 257
0f05         ; syscall
85c0         ; test eax, eax
0f88d3000000 ; js die
4189c0       ; mov r8d, eax
89c3         ; mov ebx, eax
bf00000020   ; mov edi, 0x20000000
be00000001   ; mov esi, 0x1000000
ba03000000   ; mov edx, 3
41ba12000000 ; mov r10d, 0x12
4531c9       ; xor r9d, r9d
b809000000   ; mov eax, 9
0f05         ; syscall
4839f8       ; cmp rax, rdi
0f85a6000000 ; jne die
448b670c     ; mov r12d, [rdi+12]
89df         ; mov edi, ebx
b803000000   ; mov eax, 3
0f05         ; syscall
; step:
31c9         ; xor ecx, ecx
; argument:
498b54cc10   ; mov rdx, [r12+rcx*8+16]
410fb6442404 ; movzx eax, byte ptr [r12+4]
0fa3c8       ; bt eax, ecx
7303         ; jnc keep
486312       ; movsxd rdx, dword ptr [rdx]
; keep:
488954ccc0   ; mov [rsp+rcx*8-64], rdx
ffc1         ; inc ecx
83f906       ; cmp ecx, 6
75e1         ; jne argument
488b7c24c0   ; mov rdi, [rsp-64]
488b7424c8   ; mov rsi, [rsp-56]
488b5424d0   ; mov rdx, [rsp-48]
4c8b5424d8   ; mov r10, [rsp-40]
4c8b4424e0   ; mov r8, [rsp-32]
4c8b4c24e8   ; mov r9, [rsp-24]
418b0424     ; mov eax, [r12]
83f8ff       ; cmp eax, -1
7404         ; je add
0f05         ; syscall
eb03         ; jmp result
; add:
8d0437       ; lea eax, [rdi+rsi]
; result:
418b4c240c   ; mov ecx, [r12+12]
85c9         ; test ecx, ecx
7402         ; jz condition
8901         ; mov [rcx], eax
; condition:
410fb64c2405 ; movzx ecx, byte ptr [r12+5]
ffc9         ; dec ecx
7815         ; js next
7429         ; jz jump
418b542440   ; mov edx, [r12+64]
ffc9         ; dec ecx
7410         ; jz negative
ffc9         ; dec ecx
7402         ; jz compare
8b12         ; mov edx, [rdx]
; compare:
39d0         ; cmp eax, edx
7416         ; je jump
; next:
4983c448     ; add r12, 72
eb81         ; jmp step
; negative:
85c0         ; test eax, eax
79f6         ; jns next
ba00000020   ; mov edx, 0x20000000
44896204     ; mov [rdx+4], r12d
894208       ; mov [rdx+8], eax
; jump:
458b642408   ; mov r12d, [r12+8]
e967ffffff   ; jmp step
; die:
bf7f000000   ; mov edi, 127
b8e7000000   ; mov eax, 231
0f05         ; syscall
`;

export const arm64Listing = `
; _start:
e10b40f9 ; ldr x1, [sp, #16]
600c8092 ; mov x0, #-100
0201a052 ; mov w2, #0x80000
030080d2 ; mov x3, #0
080780d2 ; mov x8, #56
010000d4 ; svc #0
a007f837 ; tbnz w0, #31, die
f303002a ; mov w19, w0
e403002a ; mov w4, w0
0000a452 ; mov w0, #0x20000000
0120a052 ; mov w1, #0x1000000
62008052 ; mov w2, #3
43028052 ; mov w3, #0x12
050080d2 ; mov x5, #0
c81b80d2 ; mov x8, #222
010000d4 ; svc #0
1400a452 ; mov w20, #0x20000000
1f0014eb ; cmp x0, x20
21060054 ; b.ne die
e003132a ; mov w0, w19
280780d2 ; mov x8, #57
010000d4 ; svc #0
930e40b9 ; ldr w19, [x20, #12]
; step:
680240b9 ; ldr w8, [x19]
69124039 ; ldrb w9, [x19, #4]
600641a9 ; ldp x0, x1, [x19, #16]
620e42a9 ; ldp x2, x3, [x19, #32]
641643a9 ; ldp x4, x5, [x19, #48]
49000036 ; tbz w9, #0, keep0
000080b9 ; ldrsw x0, [x0]
; keep0:
49000836 ; tbz w9, #1, keep1
210080b9 ; ldrsw x1, [x1]
; keep1:
49001036 ; tbz w9, #2, keep2
420080b9 ; ldrsw x2, [x2]
; keep2:
49001836 ; tbz w9, #3, keep3
630080b9 ; ldrsw x3, [x3]
; keep3:
49002036 ; tbz w9, #4, keep4
840080b9 ; ldrsw x4, [x4]
; keep4:
49002836 ; tbz w9, #5, keep5
a50080b9 ; ldrsw x5, [x5]
; keep5:
1f050031 ; cmn w8, #1
80000054 ; b.eq add
087d4093 ; sxtw x8, w8
010000d4 ; svc #0
02000014 ; b result
; add:
0000010b ; add w0, w0, w1
; result:
690e40b9 ; ldr w9, [x19, #12]
49000034 ; cbz w9, condition
200100b9 ; str w0, [x9]
; condition:
69164039 ; ldrb w9, [x19, #5]
49010034 ; cbz w9, next
3f090071 ; cmp w9, #2
a3010054 ; b.lo jump
20010054 ; b.eq negative
6a4240b9 ; ldr w10, [x19, #64]
3f0d0071 ; cmp w9, #3
40000054 ; b.eq compare
4a0140b9 ; ldr w10, [x10]
; compare:
1f000a6b ; cmp w0, w10
c0000054 ; b.eq jump
; next:
73220191 ; add x19, x19, #72
daffff17 ; b step
; negative:
c0ffff36 ; tbz w0, #31, next
930600b9 ; str w19, [x20, #4]
800a00b9 ; str w0, [x20, #8]
; jump:
730a40b9 ; ldr w19, [x19, #8]
d5ffff17 ; b step
; die:
e00f80d2 ; mov x0, #127
c80b80d2 ; mov x8, #94
010000d4 ; svc #0
`;

/** The bytes of a listing. */
export function assembled(listing: string): Buffer {
  return Buffer.concat(listing.split('\n').map((line) => Buffer.from(line.split(';')[0]?.trim() ?? '', 'hex')));
}

/** The assembler source a listing was made from. */
export function assemblySource(listing: string): string {
  return listing
    .split('\n')
    .map((line) => line.split(';')[1]?.trim() ?? '')
    .join('\n');
}
