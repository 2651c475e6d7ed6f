/*
 * eq_log_mel: logarithms of bands of the spectra of the frames of a signal.
 *
 *     X    = frequencies of the frame ((x[start + frame*step ...] - in_zero) * window) >> 16, eq_fourier.h, with a shift `up`
 *     b    : all parts of X[low] ... X[high - 1] lie in [-2^b, 2^b);   P = re*re + im*im
 *     A    = P >> down, down = max(0, 2*b - 30);   magnitude = 1: the square root of P * 2^-down in units of 2^-14, down =
 *            2*b - 30 (eq_log_mel_root)
 *     S    = sum of A*weight along the frequencies of a band;   e = down - 2*up, halved where magnitude = 1
 *     S, e = S and epsilon * 2^(exponent - e): their sum, or with floor = 1 the larger one (eq_log_mel_bounded)
 *     out  = clamp((((log2(S) + e) * 2^20 + offset) * multiplier + 2^(shift - 1)) >> shift) + out_zero); clamp_min where S = 0
 *
 * with floor shifts. Square root and logarithm are linear between entries of `table`: 97 of sqrt(2^25 * i), i from 32, then
 * 65 of 2^15 * log2(i / 64), i from 64.
 *
 * Layout   x: one signal of x_bytes an element, of at least start + (frames - 1)*step + samples; out [frames][count] of
 *          out_bytes (1: int8, 2: int16). window [samples];
 *          twiddles [3N/4][2], N = 2^(bits + 1) the length of the transform. weights: those of band 0, then of band 1 ...;
 *          bands [count][5]: the first frequency, how many, offset, epsilon (unsigned), exponent.
 * Ranges   16 <= N <= 4096, samples <= N; 0 <= low < high <= N/2 + 1 are the frequencies that bands read; 1 <= shift <= 62.
 * Aliasing out overlaps no operand.
 * Scratch  EQ_LOG_MEL_SCRATCH bytes: the frame.
 */
#ifndef EQ_LOG_MEL_H
#define EQ_LOG_MEL_H

#include <eq_fourier.h>
#include <eq_reduce.h>

typedef struct {
  int32_t frames, step, start;
  int32_t samples, length, bits;
  int32_t count, low, high;
  int32_t magnitude, floor;
  int32_t multiplier, shift;
  int32_t x_bytes, in_zero, out_bytes, out_zero, clamp_min, clamp_max;
} eq_log_mel_t;

#define EQ_LOG_MEL_SCRATCH(length) (4 * (length) + 8)

/* The entry below a number of 32 bits, of which the first is at i = from, times 2^14, and the way to the next one. */
EQ_INLINE uint32_t eq_log_mel_between(const uint16_t *table, uint32_t number, uint32_t from) {
  const uint16_t *entry = table + ((number >> 25) - from);
  return ((uint32_t)entry[0] << 14) + (uint32_t)(entry[1] - entry[0]) * ((number >> 11) & 0x3fff);
}

/* How many bits a number has, which is not 0. */
EQ_INLINE int32_t eq_log_mel_length(uint64_t number) {
  const uint32_t upper = (uint32_t)(number >> 32);
  return upper != 0 ? 64 - __builtin_clz(upper) : 32 - __builtin_clz((uint32_t)number);
}

EQ_INLINE uint32_t eq_log_mel_root(const uint16_t *table, uint64_t power, int32_t down) {
  if (power == 0) {
    return 0;
  }
  const int32_t shift = ((eq_log_mel_length(power) + 1) & ~1) - 32;
  const uint32_t brought = (uint32_t)(shift > 0 ? power >> shift : power << -shift);
  return eq_log_mel_between(table, brought, 32) >> ((down - shift) >> 1);
}

/* log2 of a number that is not 0, in units of 2^-20 */
EQ_INLINE int32_t eq_log_mel_logarithm(const uint16_t *table, uint64_t number) {
  const int32_t top = eq_log_mel_length(number) - 1;
  const uint32_t brought = (uint32_t)(top > 31 ? number >> (top - 31) : number << (31 - top));
  return (int32_t)(((uint32_t)top << 20) + (eq_log_mel_between(table + 97, brought, 64) >> 9));
}

/* The frequencies low ... high - 1 as A, in place from scratch[low] on; gives `down`. */
EQ_INLINE int32_t eq_log_mel_amplitudes(int32_t *z, const uint16_t *table, const eq_log_mel_t *p) {
  uint32_t all = 0;
  EQ_NO_UNROLL
  for (int32_t k = 2 * p->low; k < 2 * p->high; k++) {
    all |= (uint32_t)(z[k] ^ (z[k] >> 31));
  }
  int32_t down = 2 * (all == 0 ? 0 : 32 - __builtin_clz(all)) - 30;
  if (p->magnitude == 0 && down < 0) {
    down = 0;
  }
  EQ_NO_UNROLL
  for (int32_t k = p->low; k < p->high; k++) {
    const int64_t re = z[2 * k];
    const int64_t im = z[2 * k + 1];
    const uint64_t power = (uint64_t)(re * re + im * im);
    z[k] = (int32_t)(p->magnitude != 0 ? eq_log_mel_root(table, power, down) : (uint32_t)(power >> down));
  }
  return down;
}

/* The sum of a band and epsilon; *exponent is that of the sum, before and behind. */
EQ_INLINE uint64_t eq_log_mel_bounded(uint64_t sum, const int32_t *band, int32_t *exponent, int32_t floor) {
  uint64_t epsilon = (uint32_t)band[3];
  int32_t shift = band[4] - *exponent;
  if (shift > 28) {
    *exponent += shift - 28;
    sum = shift - 28 > 63 ? 0 : sum >> (shift - 28);
    shift = 28;
  }
  epsilon = shift >= 0 ? epsilon << shift : -shift > 63 ? 0 : epsilon >> -shift;
  if (floor != 0) {
    return sum > epsilon ? sum : epsilon;
  }
  return sum + epsilon;
}

/* Results of one frame, from A. */
EQ_INLINE void eq_log_mel_bands(void *out, int32_t at, const int32_t *z, const uint16_t *weights, const int32_t *bands,
                                const uint16_t *table, int32_t exponent, const eq_log_mel_t *p) {
  EQ_NO_UNROLL
  for (int32_t number = 0; number < p->count; number++) {
    const int32_t *band = bands + 5 * number;
    uint64_t sum = 0;
    EQ_NO_UNROLL
    for (int32_t k = band[0]; k < band[0] + band[1]; k++) {
      sum += (uint64_t)(uint32_t)z[k] * *weights++;
    }
    int32_t raised = exponent;
    sum = eq_log_mel_bounded(sum, band, &raised, p->floor);
    int32_t result = p->clamp_min;
    if (sum != 0) {
      const int64_t units = eq_log_mel_logarithm(table, sum) + eq_shift_left(raised, 20) + band[2];
      const int64_t scaled = (units * p->multiplier + ((int64_t)1 << (p->shift - 1))) >> p->shift;
      result = eq_saturated(scaled, p->out_zero, p->clamp_min, p->clamp_max);
    }
    eq_store(out, at + number, result, p->out_bytes);
  }
}

EQ_INLINE void eq_log_mel(void *out, const void *x, void *scratch, const int32_t *window, const int32_t *twiddles,
                          const uint16_t *weights, const int32_t *bands, const uint16_t *table, const eq_log_mel_t *p) {
  int32_t *z = (int32_t *)scratch;
  const int32_t middle = (int32_t)1 << (p->bits - 1);
  /* The pairs k and C - k that hold the frequencies low ... high - 1. */
  const int32_t from = p->high <= middle || 2 * middle - p->high + 1 > p->low ? p->low : 2 * middle - p->high + 1;
  const int32_t to = p->low > middle ? 2 * middle - p->low : p->high > middle ? middle : p->high - 1;
  EQ_NO_UNROLL
  for (int32_t frame = 0; frame < p->frames; frame++) {
    const int32_t up =
        25 - eq_fourier_load(z, x, p->start + frame * p->step, p->in_zero, p->x_bytes, window, p->samples, p->bits);
    eq_fourier_transform(z, twiddles, p->bits, up);
    eq_fourier_split(z, twiddles, p->bits, from, to);
    const int32_t down = eq_log_mel_amplitudes(z, table, p);
    const int32_t exponent = p->magnitude != 0 ? down / 2 - up : down - 2 * up;
    eq_log_mel_bands(out, frame * p->count, z, weights, bands, table, exponent, p);
  }
}

#endif
