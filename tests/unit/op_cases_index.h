// Part of op_cases.h: the general node. A case is its text (ir/README.md), without the graph's header; N is the batch.
#pragma once

enum { CASE_EXACT = 1, CASE_SPECIAL = 2, CASE_SMOOTH = 4, CASE_MOVES = 7 };  // the flags of OpCase
enum { CASE_LABELS = 8 };                                                    // i32 inputs are 0..9

typedef struct OpCaseText {
  const char *name;
  int flags;
  const char *text;
} OpCaseText;

static const OpCaseText op_case_index_texts[] = {
    // ---- products --------------------------------------------------------------------------------------------------
    {"transposed left", CASE_SMOOTH,
     "%0 = input \"a\" : f32[33,17] %1 = input \"b\" : f32[33,9]"
     "%2 = index sum [i:17, j:9 | k:33] { mul(%0[k, i], %1[k, j]) } : f32[17,9] return result \"y\" = %2"},
    {"transposed right", CASE_SMOOTH,
     "%0 = input \"a\" : f32[17,33] %1 = input \"b\" : f32[31,33]"
     "%2 = index sum [i:17, j:31 | k:33] { mul(%0[i, k], %1[j, k]) } : f32[17,31] return result \"y\" = %2"},
    {"batched product", CASE_SMOOTH,
     "%0 = input \"a\" : f32[N,7,9] %1 = input \"b\" : f32[N,9,17]"
     "%2 = index sum [n:N, i:7, j:17 | k:9] { mul(%0[n, i, k], %1[n, k, j]) } : f32[N,7,17] return result \"y\" = %2"},
    {"matrix times vector", CASE_SMOOTH,
     "%0 = input \"a\" : f32[65,31] %1 = input \"b\" : f32[31]"
     "%2 = index sum [i:65 | k:31] { mul(%0[i, k], %1[k]) } : f32[65] return result \"y\" = %2"},
    {"vector times matrix", CASE_SMOOTH,
     "%0 = input \"a\" : f32[31] %1 = input \"b\" : f32[31,65]"
     "%2 = index sum [j:65 | k:31] { mul(%0[k], %1[k, j]) } : f32[65] return result \"y\" = %2"},
    {"dot", CASE_SMOOTH,
     "%0 = input \"a\" : f32[63] %1 = input \"b\" : f32[63]"
     "%2 = index sum [| k:63] { mul(%0[k], %1[k]) } : f32[] return result \"y\" = %2"},
    {"outer product", CASE_SMOOTH | CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"a\" : f32[15] %1 = input \"b\" : f32[33]"
     "%2 = index map [i:15, j:33] { mul(%0[i], %1[j]) } : f32[15,33] return result \"y\" = %2"},
    {"sum of squares", CASE_SMOOTH,
     "%0 = input \"a\" : f32[9,31]"
     "%1 = index sum [i:9 | k:31] { mul(%0[i, k], %0[i, k]) } : f32[9] return result \"y\" = %1"},
    {"neighbours' product", CASE_SMOOTH,
     "%0 = input \"a\" : f32[33]"
     "%1 = index sum [i:31 | r:2] { mul(%0[i + r], %0[i + r + 1]) } : f32[31] return result \"y\" = %1"},
    {"gradient of weights", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,17] %1 = input \"dy\" : f32[N,9]"
     "%2 = index sum [k:17, o:9 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[17,9] return result \"y\" = %2"},
    {"product of three", CASE_SMOOTH,
     "%0 = input \"a\" : f32[7,9] %1 = input \"b\" : f32[9,15] %2 = input \"c\" : f32[9]"
     "%3 = index sum [i:7, j:15 | k:9] { mul(mul(%0[i, k], %2[k]), %1[k, j]) } : f32[7,15] return result \"y\" = %3"},
    {"integer product", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"a\" : i32[7,17] %1 = input \"b\" : i32[17,9]"
     "%2 = index sum [i:7, j:9 | k:17] { mul(%0[i, k], %1[k, j]) } : i32[7,9] return result \"y\" = %2"},
    {"product over nothing", CASE_EXACT | CASE_SMOOTH,
     "%0 = input \"a\" : f32[7,0] %1 = input \"b\" : f32[0,9]"
     "%2 = index sum [i:7, j:9 | k:0] { mul(%0[i, k], %1[k, j]) } : f32[7,9] return result \"y\" = %2"},
    {"sum over nothing, an index behind it", CASE_EXACT | CASE_SMOOTH,
     "%0 = input \"a\" : f32[2,8,0,3,2] %1 = index sum [| i:2, j:8, k:0, l:3, m:2] { %0[i, j, k, l, m] } : f32[]"
     " return result \"y\" = %1"},
    {"product of nothing", CASE_EXACT | CASE_SMOOTH,
     "%0 = input \"a\" : f32[0,7] %1 = input \"b\" : f32[7,9]"
     "%2 = index sum [i:0, j:9 | k:7] { mul(%0[i, k], %1[k, j]) } : f32[0,9] return result \"y\" = %2"},
    // ---- windows ---------------------------------------------------------------------------------------------------
    {"depthwise", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,9,7,17] %1 = input \"w\" : f32[3,3,17]"
     "%2 = index sum [n:N, i:9, j:7, c:17 | r:3, s:3]"
     " { mul(%0[n, i + r - 1, j + s - 1, c], %1[r, s, c]) } : f32[N,9,7,17]"
     " return result \"y\" = %2"},
    {"conv to one channel, padded", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,7,9,5] %1 = input \"w\" : f32[5,5,5,1]"
     "%2 = index sum [n:N, i:7, j:9, o:1 | r:5, s:5, c:5] { mul(%0[n, i + r - 2, j + s - 2, c], %1[r, s, c, o]) }"
     " : f32[N,7,9,1] return result \"y\" = %2"},
    {"conv to three channels", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,9,20,6] %1 = input \"w\" : f32[3,3,6,3]"
     "%2 = index sum [n:N, i:7, j:18, o:3 | r:3, s:3, c:6] { mul(%0[n, i + r, j + s, c], %1[r, s, c, o]) }"
     " : f32[N,7,18,3] return result \"y\" = %2"},
    {"weight gradient of two channels", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,6,9,16] %1 = input \"dy\" : f32[N,4,7,2]"
     "%2 = index sum [r:3, s:3, c:16, o:2 | n:N, i:4, j:7] { mul(%0[n, i + r, j + s, c], %1[n, i, j, o]) }"
     " : f32[3,3,16,2] return result \"y\" = %2"},
    {"conv1d flipped", CASE_SMOOTH,
     "%0 = input \"x\" : f32[31,3] %1 = input \"w\" : f32[5,3,8]"
     "%2 = index sum [i:35, o:8 | r:5, c:3] { mul(%0[i - r, c], %1[r, c, o]) } : f32[35,8] return result \"y\" = %2"},
    {"conv3d", CASE_SMOOTH,
     "%0 = input \"x\" : f32[1,5,7,8,3] %1 = input \"w\" : f32[2,3,3,3,9]"
     "%2 = index sum [n:1, h:4, i:5, j:6, o:9 | q:2, r:3, s:3, c:3]"
     " { mul(%0[n, h + q, i + r, j + s, c], %1[q, r, s, c, o]) } : f32[1,4,5,6,9]"
     " return result \"y\" = %2"},
    {"transposed conv stride 2", CASE_SMOOTH,
     "%0 = input \"x\" : f32[2,7,5,3] %1 = input \"w\" : f32[3,3,3,8]"
     "%2 = index sum [n:2, i:13, j:9, o:8 | r:3, s:3, c:3]"
     " { mul(%0[n, (i - r + 1) /! 2, (j - s + 1) /! 2, c], %1[r, s, c, o]) } : f32[2,13,9,8]"
     " return result \"y\" = %2"},
    {"transposed conv stride 3", CASE_SMOOTH,
     "%0 = input \"x\" : f32[9,3] %1 = input \"w\" : f32[5,3,7]"
     "%2 = index sum [i:29, o:7 | r:5, c:3] { mul(%0[(i - r) /! 3, c], %1[r, c, o]) } : f32[29,7]"
     " return result \"y\" = %2"},
    {"window of floors", CASE_SMOOTH,
     "%0 = input \"x\" : f32[11] %1 = input \"w\" : f32[4]"
     "%2 = index sum [i:31 | r:4] { mul(%0[(i + r - 2) // 3], %1[r]) } : f32[31] return result \"y\" = %2"},
    {"two result indices in one read", CASE_SMOOTH,
     "%0 = input \"x\" : f32[33] %1 = input \"w\" : f32[7]"
     "%2 = index sum [i:8, j:7 | r:7] { mul(%0[2*i + 3*j - r], %1[r]) } : f32[8,7] return result \"y\" = %2"},
    {"max pool overlapping, padded", CASE_MOVES,
     "%0 = input \"x\" : f32[N,9,15,3]"
     "%1 = index max [n:N, i:5, j:8, c:3 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] } : f32[N,5,8,3]"
     " return result \"y\" = %1"},
    {"max pool 2", CASE_MOVES,
     "%0 = input \"x\" : f32[2,16,18,17]"
     "%1 = index max [n:2, i:8, j:9, c:17 | r:2, s:2] { %0[n, 2*i + r, 2*j + s, c] } : f32[2,8,9,17]"
     " return result \"y\" = %1"},
    {"min pool", CASE_MOVES,
     "%0 = input \"x\" : f32[2,9,9,3]"
     "%1 = index min [n:2, i:3, j:3, c:3 | r:3, s:3] { %0[n, 3*i + r, 3*j + s, c] } : f32[2,3,3,3]"
     " return result \"y\" = %1"},
    {"max of a window that is all outside", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"x\" : f32[5] %1 = index max [i:9 | r:2] { %0[i + r - 4] } : f32[9] return result \"y\" = %1"},
    {"a window of fixed places, beyond the batch", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"x\" : f32[N] %1 = index argmax [| i:8] { %0[i] } : i32[] %2 = index max [| i:8] { %0[i] } : f32[]"
     " return result \"y\" = %1 return result \"z\" = %2"},
    {"zeros around rows of the batch", CASE_MOVES,
     "%0 = input \"x\" : f32[1,2*N,1] %1 = index map [i:3, j:2*N, k:1] { %0[i - 1, j, k] } : f32[3,2*N,1]"
     " return result \"y\" = %1"},
    {"rows of zeros behind short rows", CASE_MOVES,  // the end of the last row is the end of memory
     "%0 = input \"x\" : f32[2,3,6] %1 = index map [n:2, i:4, j:9] { %0[n, i, j] } : f32[2,4,9]"
     "%2 = index map [n:2, i:4, j:13] { %0[1, i - 1, j] } : f32[2,4,13] return result \"y\" = %1 return result \"z\" = %2"},
    {"zeros in rows that are summed", CASE_SMOOTH,
     "%0 = input \"x\" : f32[2,3,6] %1 = index sum [n:2, i:4, j:9 | r:2] { exp(%0[n, i, j]) } : f32[2,4,9]"
     " return result \"y\" = %1"},
    {"avg pool, padding counted", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,9,9,7] %1 = const 0.11111111 : f32[]"
     "%2 = index sum [n:N, i:5, j:5, c:7 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] } : f32[N,5,5,7]"
     "%3 = mul %2, %1 : f32[N,5,5,7] return result \"y\" = %3"},
    {"positions in windows", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"x\" : f32[N,9,15,3]"
     "%1 = index argmax [n:N, i:5, j:8, c:3 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] } : i32[N,5,8,3]"
     "%2 = index argmin [n:N, i:5, j:8, c:3 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] } : i32[N,5,8,3]"
     " return result \"y\" = %1 return result \"z\" = %2"},
    {"product over padded windows", CASE_SMOOTH,
     "%0 = input \"x\" : f32[17] %1 = index prod [i:17 | r:3] { %0[i + r - 1] } : f32[17] return result \"y\" = %1"},
    // ---- reads that are not simple ---------------------------------------------------------------------------------
    {"diagonal", CASE_MOVES,
     "%0 = input \"x\" : f32[17,17] %1 = index map [i:17] { %0[i, i] } : f32[17] return result \"y\" = %1"},
    {"trace", CASE_SMOOTH,
     "%0 = input \"x\" : f32[17,17] %1 = index sum [| k:17] { %0[k, k] } : f32[] return result \"y\" = %1"},
    {"antidiagonals", CASE_SMOOTH,
     "%0 = input \"x\" : f32[7,9] %1 = index sum [i:15 | k:7] { %0[k, i - k] } : f32[15] return result \"y\" = %1"},
    {"every third, shifted", CASE_MOVES,
     "%0 = input \"x\" : f32[33] %1 = index map [i:12] { %0[3*i - 2] } : f32[12] return result \"y\" = %1"},
    {"backwards", CASE_MOVES,
     "%0 = input \"x\" : f32[33,3] %1 = index map [i:33, c:3] { %0[32 - i, c] } : f32[33,3] return result \"y\" = %1"},
    {"nearest upsampling", CASE_MOVES,
     "%0 = input \"x\" : f32[N,3,5,7]"
     "%1 = index map [n:N, i:6, j:10, c:7] { %0[n, i // 2, j // 2, c] } : f32[N,6,10,7] return result \"y\" = %1"},
    {"zeros between", CASE_MOVES,
     "%0 = input \"x\" : f32[9] %1 = index map [i:26] { %0[(i - 1) /! 3] } : f32[26] return result \"y\" = %1"},
    {"division that always works", CASE_MOVES,
     "%0 = input \"x\" : f32[9] %1 = index map [i:9] { %0[(2*i) /! 2] } : f32[9] return result \"y\" = %1"},
    {"constant reads", CASE_MOVES,
     "%0 = input \"x\" : f32[9,3] %1 = index map [i:7] { %0[4, 1] } : f32[7] return result \"y\" = %1"},
    {"depth to space", CASE_MOVES,
     "%0 = input \"x\" : f32[3,5,8] %1 = reshape %0 : f32[3,5,2,2,2]"
     "%2 = index map [i:3, r:2, j:5, s:2, c:2] { %1[i, j, r, s, c] } : f32[3,2,5,2,2] %3 = reshape %2 : f32[6,10,2]"
     " return result \"y\" = %3"},
    {"transpose of four", CASE_MOVES,
     "%0 = input \"x\" : f32[3,17,5,9] %1 = index map [i:9, j:3, k:17, l:5] { %0[j, k, l, i] } : f32[9,3,17,5]"
     " return result \"y\" = %1"},
    {"six and six indices", CASE_SMOOTH,
     "%0 = input \"x\" : f32[2,1,2,2,1,2,2,1] %1 = input \"w\" : f32[2,3,1,2,2,1,2]"
     "%2 = index sum [a:1, b:2, c:2, d:1, e:3, f:2 | p:2, q:1, r:2, s:2, u:1, v:2]"
     "{ mul(%0[p, a, b, r, q, s, v, u], %1[c, e, d, f, v, u, r]) } : f32[1,2,2,1,3,2] return result \"y\" = %2"},
    // ---- bodies ----------------------------------------------------------------------------------------------------
    {"l1 distances", CASE_SMOOTH,
     "%0 = input \"q\" : f32[9,17] %1 = input \"t\" : f32[15,17]"
     "%2 = index sum [i:9, j:15 | k:17] { abs(sub(%0[i, k], %1[j, k])) } : f32[9,15] return result \"y\" = %2"},
    {"squared distances", CASE_SMOOTH,
     "%0 = input \"q\" : f32[9,17] %1 = input \"t\" : f32[15,17]"
     "%2 = index sum [i:9, j:15 | k:17] { t0 = sub(%0[i, k], %1[j, k]); mul(t0, t0) } : f32[9,15]"
     " return result \"y\" = %2"},
    {"sum of exponentials", CASE_SMOOTH,
     "%0 = input \"x\" : f32[7,33] %1 = input \"m\" : f32[7]"
     "%2 = index sum [i:7 | k:33] { exp(sub(%0[i, k], %1[i])) } : f32[7] return result \"y\" = %2"},
    {"running sum", CASE_SMOOTH,
     "%0 = input \"x\" : f32[17]"
     "%1 = index sum [i:17 | k:17] { select(le(k, i), %0[k], 0.0) } : f32[17] return result \"y\" = %1"},
    {"weights from positions", CASE_SMOOTH,
     "%0 = input \"x\" : f32[9,8]"
     "%1 = index sum [i:9 | k:8] { mul(%0[i, k], to_f32(add(mul(i, 3), k))) } : f32[9] return result \"y\" = %1"},
    {"one hot", CASE_EXACT,
     "%0 = input \"label\" : i32[N]"
     "%1 = index map [n:N, c:10] { select(eq(%0[n], c), 1.0, 0.0) } : f32[N,10] return result \"y\" = %1"},
    {"largest absolute difference", CASE_MOVES,
     "%0 = input \"q\" : f32[9,17] %1 = input \"t\" : f32[9,17]"
     "%2 = index max [i:9 | k:17] { abs(sub(%0[i, k], %1[i, k])) } : f32[9] return result \"y\" = %2"},
    {"nearest neighbour", 0,
     "%0 = input \"q\" : f32[9,17] %1 = input \"t\" : f32[15,17]"
     "%2 = index sum [i:9, j:15 | k:17] { abs(sub(%0[i, k], %1[j, k])) } : f32[9,15]"
     "%3 = index argmin [i:9 | j:15] { %2[i, j] } : i32[9] return result \"y\" = %3"},
    {"body of constants", CASE_EXACT,
     "%0 = index sum [i:3 | k:9] { 0.5 } : f32[3] %1 = index map [i:3, j:7] { mul(i, j) } : i32[3,7]"
     " return result \"y\" = %0 return result \"z\" = %1"},
    {"mean and bias in one body", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,7,9] %1 = input \"b\" : f32[9]"
     "%2 = index sum [c:9 | n:N, i:7] { mul(add(%0[n, i, c], %1[c]), 0.125) } : f32[9] return result \"y\" = %2"},
    {"logistic in the window", CASE_SMOOTH,
     "%0 = input \"x\" : f32[9,9] %1 = input \"w\" : f32[3,3]"
     "%2 = index sum [i:9, j:9 | r:3, s:3] { mul(sigmoid(%0[i + r - 1, j + s - 1]), tanh(%1[r, s])) } : f32[9,9]"
     " return result \"y\" = %2"},
    {"integers from bytes", CASE_EXACT,
     "%0 = input \"x\" : u8[N,17] %1 = index sum [n:N | k:17] { to_i32(%0[n, k]) } : i32[N]"
     "%2 = index map [n:N, k:17] { mul(to_f32(%0[n, k]), 0.00390625) } : f32[N,17] return result \"y\" = %1"
     " return result \"z\" = %2"},
    {"any and all", CASE_EXACT,
     "%0 = input \"x\" : bool[7,9] %1 = index max [i:7 | k:9] { to_i32(%0[i, k]) } : i32[7]"
     "%2 = index min [k:9 | i:7] { to_i32(not(%0[i, k])) } : i32[9] return result \"y\" = %1 return result \"z\" = %2"},
    // ---- orders ----------------------------------------------------------------------------------------------------
    {"sum in chunks", CASE_SMOOTH,
     "%0 = input \"x\" : f32[65,9] %1 = index sum [c:9 | k:65] order(chunk 8, lanes 1) { %0[k, c] } : f32[9]"
     " return result \"y\" = %1"},
    {"sum in lanes", CASE_SMOOTH,
     "%0 = input \"x\" : f32[9,65] %1 = index sum [i:9 | k:65] order(chunk 0, lanes 16) { %0[i, k] } : f32[9]"
     " return result \"y\" = %1"},
    {"sum in lanes, two indices", CASE_SMOOTH,
     "%0 = input \"x\" : f32[9,5,7] %1 = index sum [i:9 | j:5, k:7] order(chunk 0, lanes 16)"
     " { %0[i, j, k] } : f32[9] return result \"y\" = %1"},
    {"sum in chunks and lanes", CASE_SMOOTH,
     "%0 = input \"x\" : f32[33,17] %1 = index sum [| i:33, k:17] order(chunk 4, lanes 16) { exp(%0[i, k]) } : f32[]"
     " return result \"y\" = %1"},
    {"product in chunks", CASE_SMOOTH,
     "%0 = input \"x\" : f32[65,7] %1 = input \"dy\" : f32[65,17]"
     "%2 = index sum [k:7, o:17 | n:65] order(chunk 16, lanes 1) { mul(%0[n, k], %1[n, o]) } : f32[7,17]"
     " return result \"y\" = %2"},
    {"batch in chunks", CASE_SMOOTH,
     "%0 = input \"x\" : f32[16*N,3] %1 = index sum [c:3 | n:16*N] order(chunk 32, lanes 1) { %0[n, c] } : f32[3]"
     " return result \"y\" = %1"},
    {"dot in lanes", CASE_SMOOTH,
     "%0 = input \"a\" : f32[63] %1 = input \"b\" : f32[63]"
     "%2 = index sum [| k:63] order(chunk 0, lanes 16) { mul(%0[k], %1[k]) } : f32[] return result \"y\" = %2"},
};

static inline void op_case_text(OpCaseMaker *maker, Arena *arena, const char *name, int flags, const char *text) {
  OpCase c = op_case_default(name, op_case_parse(arena, name, text));
  if (flags & CASE_LABELS) c.int_low = 0;
  c.exact = flags & CASE_EXACT;
  c.special = flags & CASE_SPECIAL;
  c.smooth = flags & CASE_SMOOTH;
  op_case_show(maker, &c);
}

static inline void op_case_texts(OpCaseMaker *maker, const char *group, const OpCaseText *texts, size_t count) {
  for (size_t k = 0; k < count; k++) {
    Arena *arena = op_case_arena(maker);
    op_case_text(maker, arena, arena_printf(arena, "%s/%s", group, texts[k].name), texts[k].flags, texts[k].text);
  }
}

// Matrix products of odd sizes: [m,k] x [k,n].
static inline void op_cases_products(OpCaseMaker *maker) {
  static const int sizes[][3] = {{1, 1, 1},    {3, 7, 9},   {8, 8, 8},  {16, 16, 16}, {17, 33, 65},
                                 {65, 63, 31}, {15, 1, 17}, {1, 65, 1}, {1, 9, 33},   {31, 15, 3},
                                 {7, 17, 16},  {33, 3, 63}, {9, 31, 8}, {63, 8, 15}};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    int rows = sizes[k][0], inner = sizes[k][1], columns = sizes[k][2];
    Arena *arena = op_case_arena(maker);
    const char *name = arena_printf(arena, "index/product %dx%dx%d", rows, inner, columns);
    op_case_text(maker, arena, name, CASE_SMOOTH,
                 arena_printf(arena,
                              "%%0 = input \"a\" : f32[%d,%d] %%1 = input \"b\" : f32[%d,%d]"
                              "%%2 = index sum [i:%d, j:%d | k:%d] { mul(%%0[i, k], %%1[k, j]) } : f32[%d,%d]"
                              " return result \"y\" = %%2",
                              rows, inner, inner, columns, rows, columns, inner, rows, columns));
  }
}

typedef struct OpConv {
  const char *name;
  int height, width, in, out, kernel, stride, pad, dilation, groups;
} OpConv;

static inline int op_conv_extent(const OpConv *c, int size) {
  return (size + 2 * c->pad - c->dilation * (c->kernel - 1) - 1) / c->stride + 1;
}

// NHWC x [kh, kw, in/groups, out]: with groups the output channel is two indices, joined by a reshape.
static inline const char *op_conv_text(Arena *arena, const OpConv *c) {
  int h = op_conv_extent(c, c->height), w = op_conv_extent(c, c->width), in = c->in / c->groups,
      out = c->out / c->groups;
  const char *sources = arena_printf(arena, "%%0 = input \"x\" : f32[N,%d,%d,%d] %%1 = input \"w\" : f32[%d,%d,%d,%d]",
                                     c->height, c->width, c->in, c->kernel, c->kernel, in, c->out);
  const char *at = arena_printf(arena, "%d*i + %d*r - %d, %d*j + %d*s - %d", c->stride, c->dilation, c->pad, c->stride,
                                c->dilation, c->pad);
  if (c->groups == 1)
    return arena_printf(
        arena,
        "%s %%2 = index sum [n:N, i:%d, j:%d, o:%d | r:%d, s:%d, c:%d] { mul(%%0[n, %s, c], %%1[r, s, c, o]) }"
        ": f32[N,%d,%d,%d] @conv2d return result \"y\" = %%2",
        sources, h, w, out, c->kernel, c->kernel, in, at, h, w, out);
  return arena_printf(arena,
                      "%s %%2 = index sum [n:N, i:%d, j:%d, g:%d, o:%d | r:%d, s:%d, c:%d]"
                      "{ mul(%%0[n, %s, %d*g + c], %%1[r, s, c, %d*g + o]) } : f32[N,%d,%d,%d,%d] @conv2d"
                      " %%3 = reshape %%2 : f32[N,%d,%d,%d] return result \"y\" = %%3",
                      sources, h, w, c->groups, out, c->kernel, c->kernel, in, at, in, out, h, w, c->groups, out, h, w,
                      c->out);
}

static inline void op_cases_convolutions(OpCaseMaker *maker) {
  static const OpConv convs[] = {{"1x1", 5, 7, 9, 17, 1, 1, 0, 1, 1},
                                 {"3x3", 9, 7, 3, 8, 3, 1, 0, 1, 1},
                                 {"same", 8, 9, 16, 17, 3, 1, 1, 1, 1},
                                 {"stride 2", 9, 9, 7, 16, 3, 2, 1, 1, 1},
                                 {"stride 2, 1x1", 8, 8, 9, 15, 1, 2, 0, 1, 1},
                                 {"stride 3", 15, 10, 3, 7, 5, 3, 2, 1, 1},
                                 {"dilation 2", 9, 8, 3, 9, 3, 1, 2, 2, 1},
                                 {"stride and dilation", 17, 15, 3, 8, 3, 2, 2, 2, 1},
                                 {"groups", 7, 7, 8, 12, 3, 1, 1, 1, 4},
                                 {"stride, dilation, groups", 15, 13, 6, 9, 3, 2, 3, 2, 3},
                                 {"one group a channel", 7, 9, 5, 10, 3, 1, 1, 1, 5},
                                 {"5x5 of one channel", 16, 16, 1, 6, 5, 1, 2, 1, 1},
                                 {"filter as large as the image", 5, 5, 3, 33, 5, 1, 0, 1, 1},
                                 {"padding wider than the filter", 3, 3, 2, 3, 3, 1, 4, 1, 1}};
  for (size_t k = 0; k < sizeof convs / sizeof *convs; k++) {
    Arena *arena = op_case_arena(maker);
    op_case_text(maker, arena, arena_printf(arena, "index/conv2d %s", convs[k].name), CASE_SMOOTH,
                 op_conv_text(arena, &convs[k]));
  }
}

// Every combine over each of the axes of [7,17,9], f32 and i32.
static inline void op_cases_reductions(OpCaseMaker *maker) {
  static const struct {
    const char *indices, *shape;
  } axes[] = {{"j:17, k:9 | i:7", "[17,9]"}, {"i:7, k:9 | j:17", "[7,9]"}, {"i:7, j:17 | k:9", "[7,17]"},
              {"j:17 | i:7, k:9", "[17]"},   {"| i:7, j:17, k:9", "[]"},   {"i:7, u:1, k:9 | j:17", "[7,1,9]"}};
  for (int combine = COMBINE_SUM; combine < COMBINE_COUNT; combine++)
    for (int whole = 0; whole < 2; whole++)
      for (size_t a = 0; a < sizeof axes / sizeof *axes; a++) {
        Arena *arena = op_case_arena(maker);
        const char *word = combine_name((Combine)combine), *type = whole ? "i32" : "f32";
        bool position = combine == COMBINE_ARGMAX || combine == COMBINE_ARGMIN,
             picks = combine == COMBINE_MAX || combine == COMBINE_MIN;
        int exact = whole || position || picks ? CASE_EXACT | CASE_SPECIAL : 0,
            smooth = whole || position ? 0 : CASE_SMOOTH;
        const char *text = arena_printf(
            arena,
            "%%0 = input \"x\" : %s[7,17,9] %%1 = index %s [%s] { %%0[i, j, k] } : %s%s return result \"y\" = %%1",
            type, word, axes[a].indices, position ? "i32" : type, axes[a].shape);
        const char *name = arena_printf(arena, "index/%s of %s over %s", word, type, strchr(axes[a].indices, '|') + 2);
        if (axes[a].indices[5] == 'u') name = arena_printf(arena, "%s kept", name);
        op_case_text(maker, arena, name, exact | smooth, text);
      }
}

static inline void op_cases_index(OpCaseMaker *maker) {
  op_case_texts(maker, "index", op_case_index_texts, sizeof op_case_index_texts / sizeof *op_case_index_texts);
  op_cases_products(maker);
  op_cases_convolutions(maker);
  op_cases_reductions(maker);
}
