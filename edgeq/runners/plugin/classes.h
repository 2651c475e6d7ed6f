/* The classes of instructions that are counted, in the order in which the counts are written.
 *
 *   load, store   core and scalar floating-point memory accesses (push and vpush too); of 64-bit Arm the core's only
 *   mac           multiplies with or without accumulation (not divisions)
 *   alu           everything else that computes in core registers: moves, shifts, saturation, SIMD in core registers
 *   branch        everything that may write the PC: also pop {.., pc}, ldr pc, table branches and low-overhead loops
 *   vector        all of MVE and Advanced SIMD, memory accesses included
 *   other         IT, hints, barriers, system registers, traps, scalar floating-point arithmetic
 */
#ifndef EQ_CLASSES_H
#define EQ_CLASSES_H

enum { EQ_LOAD, EQ_STORE, EQ_MAC, EQ_ALU, EQ_BRANCH, EQ_VECTOR, EQ_OTHER, EQ_CLASSES };

#endif
