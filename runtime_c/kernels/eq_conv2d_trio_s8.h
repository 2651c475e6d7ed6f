/*
 * 2-D convolution, int8, requantization "highmul", three pixels in two words: any kernel, stride, dilation, padding, group.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed per group as eq_trio.h has them (packing.py,
 *            pack_trio): bias and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; sums as eq_trio.h has them; no left shift; on
 *            ARMv6-M also |acc * multiplier| < 2^47 - 2^40; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x, not scratch, from below: EQ_TRIO_PIXELS pixels at a time in the order of out
 *            are stored when their windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    a column, a run of each pixel and one of padding: EQ_CONV2D_TRIO_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_CONV2D_TRIO_S8_H
#define EQ_CONV2D_TRIO_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_trio.h"
#include "eq_window.h"

typedef struct {
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t group;
  int32_t pad_value;
  int32_t depth; /* places of a column: kernel_h * kernel_w * Cg */
  int32_t taps;  /* of a row, looked at together at the border: 1, or kernel_w where group and dilation_w are 1 */
  int32_t run;   /* taps * Cg */
  int32_t first; /* places of the first segment, of the others: see eq_trio.h */
  int32_t segment;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_trio_s8_t;

#define EQ_CONV2D_TRIO_S8_SCRATCH(depth, run) (8 * (depth) + 4 * (run) + EQ_TRIO_SPARE)

/* Where the windows of three pixels begin, which may be outside x. */
typedef struct {
  int32_t y[EQ_TRIO_PIXELS];
  int32_t x[EQ_TRIO_PIXELS];
} eq_conv2d_trio_t;

/* A run at row iy, column ix: in x, in the padding behind three runs, or with some padding as the one of pixel i. */
EQ_INLINE const int8_t *eq_conv2d_trio_run(int8_t *runs, int32_t i, const int8_t *x, int32_t iy, int32_t ix,
                                           const eq_conv2d_trio_s8_t *p) {
  const int32_t c = p->in_c / p->group;
  const eq_range_t inside = eq_clip_window(ix, p->taps, iy >= 0 && iy < p->in_h ? p->in_w : 0);
  if (inside.length == 0) {
    return runs + EQ_TRIO_PIXELS * p->run;
  }
  const int8_t *from = x + (iy * p->in_w + inside.first) * p->in_c;
  if (inside.length == p->taps) {
    return from;
  }
  const int32_t left = (inside.first - ix) * c;
  const int32_t right = left + inside.length * c;
  int8_t *const to = runs + i * p->run;
  EQ_NO_UNROLL
  for (int32_t k = 0; k < p->run; ++k) {
    to[k] = k >= left && k < right ? *from++ : (int8_t)p->pad_value;
  }
  return to;
}

EQ_INLINE int32_t eq_conv2d_trio_inside(int32_t y0, int32_t x0, const eq_conv2d_trio_s8_t *p) {
  return x0 >= 0 && x0 + p->kernel_w <= p->in_w && y0 >= 0 && y0 + (p->kernel_h - 1) * p->dilation_h < p->in_h;
}

/* The column of the windows of three pixels of x, already moved to the group's channels. */
EQ_INLINE void eq_conv2d_trio_gather(void *columns, const int8_t *x, const eq_conv2d_trio_t *at,
                                     const eq_conv2d_trio_s8_t *p) {
  const int32_t whole_rows = p->group == 1 && p->dilation_w == 1;
  int8_t *const runs = (int8_t *)columns + 8 * p->depth + EQ_TRIO_SPARE;
  int32_t place = 0;
  eq_trio_begin(columns);
  if (whole_rows && eq_conv2d_trio_inside(at->y[0], at->x[0], p) && eq_conv2d_trio_inside(at->y[1], at->x[1], p) &&
      eq_conv2d_trio_inside(at->y[2], at->x[2], p)) {
    const int32_t step = p->dilation_h * p->in_w * p->in_c;
    const int32_t n = p->kernel_w * p->in_c;
    const int8_t *a = x + (at->y[0] * p->in_w + at->x[0]) * p->in_c;
    const int8_t *b = x + (at->y[1] * p->in_w + at->x[1]) * p->in_c;
    const int8_t *c = x + (at->y[2] * p->in_w + at->x[2]) * p->in_c;
    EQ_NO_UNROLL
    for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
      eq_trio_pack(columns, place, a, b, c, n);
      a += step;
      b += step;
      c += step;
      place += n;
    }
    return;
  }
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h * p->dilation_h; ky += p->dilation_h) {
    EQ_NO_UNROLL
    for (int32_t kx = 0; kx < p->kernel_w; kx += p->taps) {
      const int8_t *from[EQ_TRIO_PIXELS];
      EQ_NO_UNROLL
      for (int32_t i = 0; i < EQ_TRIO_PIXELS; ++i) {
        from[i] = eq_conv2d_trio_run(runs, i, x, at->y[i] + ky, at->x[i] + kx * p->dilation_w, p);
      }
      eq_trio_pack(columns, place, from[0], from[1], from[2], p->run);
      place += p->run;
    }
  }
}

EQ_INLINE void eq_conv2d_trio_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                 const eq_conv2d_trio_s8_t *p) {
  const int32_t channels = p->out_c / p->group;
  const int8_t *w = weights;
  int8_t *const padding = (int8_t *)scratch + 8 * p->depth + EQ_TRIO_SPARE + EQ_TRIO_PIXELS * p->run;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < p->run; ++i) {
    padding[i] = (int8_t)p->pad_value;
  }
  EQ_NO_UNROLL
  for (int32_t g = 0; g < p->group; ++g) {
    const int8_t *in = x + g * (p->in_c / p->group);
    int8_t *to = out + g * channels;
    eq_conv2d_trio_t at = {{0, 0, 0}, {0, 0, 0}};
    int32_t ox = 0;
    int32_t y0 = -p->pad_top;
    int32_t x0 = -p->pad_left;
    EQ_NO_UNROLL
    for (int32_t left = p->out_h * p->out_w; left > 0; left -= EQ_TRIO_PIXELS) {
      const int32_t count = left < EQ_TRIO_PIXELS ? left : EQ_TRIO_PIXELS;
      /* Behind the last pixel it is given again. */
      EQ_NO_UNROLL
      for (int32_t i = 0; i < EQ_TRIO_PIXELS; ++i) {
        at.y[i] = y0;
        at.x[i] = x0;
        if (i + 1 < left) {
          x0 += p->stride_w;
          ++ox;
          if (ox == p->out_w) {
            ox = 0;
            x0 = -p->pad_left;
            y0 += p->stride_h;
          }
        }
      }
      eq_conv2d_trio_gather(scratch, in, &at, p);
      eq_trio_multiply(to, p->out_c, count, scratch, w, p->depth, p->first, p->segment, channels, p->out_zero);
      to += count * p->out_c;
    }
    w += eq_trio_stream(channels, p->depth);
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
