/* Class of one A64 instruction, from its opcode bytes.
 *
 * Written from the encoding tables of the Arm Architecture Reference Manual for A-profile (DDI 0487, C4.1). Every load
 * and store of a vector register is of class vector, the scalar floating-point ones too: they share their encodings. A
 * classifier, not a disassembler: undefined encodings get some class, which never matters as they are never executed.
 */
#ifndef EQ_CLASSIFY_A64_H
#define EQ_CLASSIFY_A64_H

#include "classes.h"

#include <stdint.h>

/* Bits 28 to 25 are x1x0. */
static int eq_classify_a64_memory(uint32_t op) {
  int loads = (op >> 22 & 1u) != 0; /* exclusive, ordered and paired accesses */
  if (op & 0x04000000u) {
    return EQ_VECTOR;
  }
  switch (op >> 28 & 3u) {
    case 1:
      if (op & 0x01000000u) {
        return (op >> 22 & 3u) == 0u ? EQ_STORE : EQ_LOAD; /* ordered, with an offset */
      }
      return op >> 30 == 3u ? EQ_OTHER : EQ_LOAD; /* literal: opc 11 is a prefetch */
    case 3:                                       /* one register: opc 00 stores, size 11 with opc 10 is a prefetch */
      if ((op & 0x01200c00u) == 0x00200000u) {
        return EQ_LOAD; /* atomic: loads, computes and stores */
      }
      return (op >> 22 & 3u) == 0u ? EQ_STORE : (op >> 22 & 0x303u) == 0x302u ? EQ_OTHER : EQ_LOAD;
    default:
      return loads ? EQ_LOAD : EQ_STORE;
  }
}

/* Class of the instruction whose bytes (always 4, little endian) stand at `code`. */
static int eq_classify_a64(const uint8_t *code, unsigned size) {
  uint32_t op = code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
  (void)size;
  switch (op >> 25 & 0xfu) {
    case 0x8:
    case 0x9: /* immediates, addresses, bit fields */
      return EQ_ALU;
    case 0xa:
    case 0xb: /* 1101 010x: traps, hints, barriers, system registers */
      return (op & 0xfe000000u) == 0xd4000000u ? EQ_OTHER : EQ_BRANCH;
    case 0x4:
    case 0x6:
    case 0xc:
    case 0xe:
      return eq_classify_a64_memory(op);
    case 0x5:
    case 0xd: /* three sources: multiplies */
      return (op & 0x1f000000u) == 0x1b000000u ? EQ_MAC : EQ_ALU;
    case 0x7:
    case 0xf: /* scalar floating point has bit 30 clear and bit 28 set */
      return (op & 0x50000000u) == 0x10000000u ? EQ_OTHER : EQ_VECTOR;
    default:
      return EQ_OTHER;
  }
}

#endif
