/* Class of one Thumb, Thumb-2 or MVE instruction, from its opcode bytes.
 *
 * Written from the encoding tables of the Armv8-M manual, because the disassembler inside QEMU cannot name MVE. It is a
 * classifier, not a disassembler: undefined encodings get some class, which never matters as they are never executed.
 */
#ifndef EQ_CLASSIFY_THUMB_H
#define EQ_CLASSIFY_THUMB_H

#include "classes.h"

#include <stdint.h>

/* 0xbxxx: stack, extend, compare-and-branch, hints. */
static int eq_classify_misc16(unsigned op) {
  if ((op & 0xf500u) == 0xb100u) {
    return EQ_BRANCH; /* cbz, cbnz */
  }
  switch ((op >> 8) & 0xfu) {
    case 0x0: /* add, sub sp */
    case 0x2: /* sxtb and its family */
      return EQ_ALU;
    case 0xa:
      return (op & 0xc0u) == 0x80u ? EQ_OTHER : EQ_ALU; /* hlt : rev and its family */
    case 0x4:
    case 0x5:
      return EQ_STORE; /* push */
    case 0xc:
      return EQ_LOAD; /* pop without pc */
    case 0xd:
      return EQ_BRANCH; /* pop with pc */
    default:
      return EQ_OTHER; /* cps, bkpt, it, hints */
  }
}

static int eq_classify16(unsigned op) {
  switch (op >> 12) {
    case 0x0:
    case 0x1:
    case 0x2:
    case 0x3:
    case 0xa: /* adr, add from sp */
      return EQ_ALU;
    case 0x4:
      if (op & 0x0800u) {
        return EQ_LOAD; /* literal */
      }
      if ((op & 0x0400u) == 0) {
        return (op & 0x03c0u) == 0x0340u ? EQ_MAC : EQ_ALU; /* mul : the other data processing */
      }
      if ((op & 0x0300u) == 0x0300u) {
        return EQ_BRANCH; /* bx, blx */
      }
      return (op & 0x87u) == 0x87u && (op & 0x0300u) != 0x0100u ? EQ_BRANCH : EQ_ALU; /* add, mov to pc */
    case 0x5:
      return ((op >> 9) & 7u) < 3u ? EQ_STORE : EQ_LOAD;
    case 0x6:
    case 0x7:
    case 0x8:
    case 0x9:
    case 0xc:
      return op & 0x0800u ? EQ_LOAD : EQ_STORE;
    case 0xb:
      return eq_classify_misc16(op);
    case 0xd:
      return (op & 0x0e00u) == 0x0e00u ? EQ_OTHER : EQ_BRANCH; /* udf, svc : b<c> */
    default:
      return EQ_BRANCH; /* 0xe: b; 0xf is no 16-bit instruction */
  }
}

/* 0xe8xx, 0xe9xx: load and store multiple, dual, exclusive; table branch. */
static int eq_classify_multiple(unsigned first, unsigned second) {
  int load = (first & 0x0010u) != 0;
  if ((first & 0x0040u) == 0) { /* multiple */
    if ((first & 0xff9fu) == 0xe89fu) {
      return EQ_OTHER; /* clrm */
    }
    return !load ? EQ_STORE : second & 0x8000u ? EQ_BRANCH : EQ_LOAD;
  }
  if ((first & 0xfff0u) == 0xe8d0u && (second & 0xffe0u) == 0xf000u) {
    return EQ_BRANCH; /* tbb, tbh */
  }
  if ((first & 0xfff0u) == 0xe840u && (second & 0xf03fu) == 0xf000u) {
    return EQ_OTHER; /* tt */
  }
  if (first == 0xe97fu && second == 0xe97fu) {
    return EQ_OTHER; /* sg */
  }
  return load ? EQ_LOAD : EQ_STORE;
}

/* 0xecxx..0xefxx, 0xfcxx..0xffxx: floating point and MVE share this space. */
static int eq_classify_coprocessor(unsigned first, unsigned second) {
  unsigned group = (first >> 8) & 3u; /* 0, 1: transfers; 2: arithmetic; 3: vectors only */
  unsigned number = (second >> 8) & 0xfu;
  if (group == 3u || number == 8u || number == 9u || number >= 0xeu) {
    return EQ_VECTOR;
  }
  if (number != 0xau && number != 0xbu) {
    return EQ_OTHER; /* coprocessors 0 to 7, custom datapaths */
  }
  if (group == 2u) {
    /* coprocessor 11 with bit 4: lanes and vdup; else scalar arithmetic and vmrs */
    return number == 0xbu && (second & 0x10u) && (first & 0x1000u) == 0 ? EQ_VECTOR : EQ_OTHER;
  }
  if ((first & 0xffe0u) == 0xec40u || (first & 0xffbfu) == 0xec9fu) {
    return EQ_OTHER; /* vmov of two core registers, vscclrm */
  }
  return first & 0x0010u ? EQ_LOAD : EQ_STORE;
}

/* 0xf0xx..0xf7xx with bit 15 of the second half: branches, low-overhead loops, system. */
static int eq_classify_control(unsigned first, unsigned second) {
  if ((second & 0x5000u) != 0) {
    /* b, bl, and Armv8.1-M loops; vctp has its place among the loops */
    return (first & 0xffc0u) == 0xf000u && second == 0xe801u ? EQ_VECTOR : EQ_BRANCH;
  }
  return (first & 0x0380u) == 0x0380u ? EQ_OTHER : EQ_BRANCH; /* msr, hints, barriers : b<c>.w */
}

static int eq_classify32(unsigned first, unsigned second) {
  unsigned group = first >> 8;
  if (group == 0xe8u || group == 0xe9u) {
    return eq_classify_multiple(first, second);
  }
  if (group == 0xeau || group == 0xebu || group == 0xfau) {
    return EQ_ALU;
  }
  if ((group & 0xecu) == 0xecu) {
    return eq_classify_coprocessor(first, second);
  }
  if (group < 0xf8u) {
    return second & 0x8000u ? eq_classify_control(first, second) : EQ_ALU;
  }
  if (group == 0xfbu) {
    unsigned kind = (first >> 4) & 0xfu;
    return kind == 0x7u || kind == 0x9u || kind == 0xbu ? EQ_ALU : EQ_MAC; /* usad8, sdiv, udiv : multiplies */
  }
  if ((first & 0x0010u) == 0) {
    return EQ_STORE;
  }
  if ((second & 0xf000u) == 0xf000u) {
    return (first & 0x0160u) == 0x0040u ? EQ_BRANCH : EQ_OTHER; /* ldr pc : pld, pli */
  }
  return EQ_LOAD;
}

/* Class of the instruction whose bytes (2 or 4, little endian) stand at `code`. */
static int eq_classify_thumb(const uint8_t *code, unsigned size) {
  unsigned first = code[0] | (unsigned)code[1] << 8;
  return size == 2u ? eq_classify16(first) : eq_classify32(first, code[2] | (unsigned)code[3] << 8);
}

#endif
