// Part of op_cases.h: the ops that move whole tensors, and small networks of several nodes.
#pragma once

static const OpCaseText op_case_move_texts[] = {
    {"reshape", CASE_MOVES,
     "%0 = input \"x\" : f32[6,15] %1 = reshape %0 : f32[3,1,2,15] %2 = reshape %1 : f32[90] %3 = exp %2 : f32[90]"
     " return result \"y\" = %1 return result \"z\" = %3"},
    {"reshape of the batch", CASE_MOVES,
     "%0 = input \"x\" : f32[N,2,3] %1 = reshape %0 : f32[2*N,3] %2 = reshape %0 : f32[3*N,2,1]"
     " return result \"y\" = %1 return result \"z\" = %2"},
    {"reshape of nothing", CASE_MOVES,
     "%0 = input \"x\" : f32[0,7] %1 = reshape %0 : f32[3,0,5] return result \"y\" = %1"},
    {"concat first axis", CASE_MOVES,
     "%0 = input \"a\" : f32[3,7] %1 = input \"b\" : f32[1,7] %2 = input \"c\" : f32[5,7]"
     "%3 = concat %0, %1, %2 axis 0 : f32[9,7] return result \"y\" = %3"},
    {"concat last axis", CASE_MOVES,
     "%0 = input \"a\" : f32[N,3,9] %1 = input \"b\" : f32[N,3,17] %2 = input \"c\" : f32[N,3,0]"
     "%3 = concat %0, %2, %1, %0 axis 2 : f32[N,3,35] return result \"y\" = %3"},
    {"concat along the batch", CASE_MOVES,
     "%0 = input \"a\" : f32[N,3] %1 = input \"b\" : f32[2*N,3] %2 = concat %0, %1 axis 0 : f32[3*N,3]"
     " return result \"y\" = %2"},
    {"concat of integers and bools", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"a\" : i32[3] %1 = input \"b\" : i32[9] %2 = concat %0, %1 axis 0 : i32[12]"
     "%3 = input \"p\" : bool[3,2] %4 = concat %3, %3 axis 1 : bool[3,4] return result \"y\" = %2"
     " return result \"z\" = %4"},
    {"concat of one", CASE_MOVES, "%0 = input \"a\" : f32[3] %1 = concat %0 axis 0 : f32[3] return result \"y\" = %1"},
    {"gather rows", CASE_MOVES,  // some indices are outside
     "%0 = input \"table\" : f32[7,17] %1 = input \"id\" : i32[N,3] %2 = gather %0, %1 : f32[N,3,17]"
     " return result \"y\" = %2"},
    {"gather numbers", CASE_MOVES,
     "%0 = input \"table\" : f32[9] %1 = input \"id\" : i32[33] %2 = gather %0, %1 : f32[33] return result \"y\" = %2"},
    {"gather one row", CASE_MOVES,
     "%0 = input \"table\" : f32[3,5,2] %1 = input \"id\" : i32[] %2 = gather %0, %1 : f32[5,2]"
     " return result \"y\" = %2"},
    {"gather integers", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"table\" : i32[8] %1 = input \"id\" : i32[15] %2 = gather %0, %1 : i32[15] return result \"y\" = %2"},
    {"scatter rows", CASE_SMOOTH,  // rows repeat, some are outside
     "%0 = input \"id\" : i32[33] %1 = input \"rows\" : f32[33,7] %2 = scatter_add %0, %1 rows 8 : f32[8,7]"
     " return result \"y\" = %2"},
    {"scatter a batch", CASE_SMOOTH,
     "%0 = input \"id\" : i32[N,2] %1 = input \"rows\" : f32[N,2] %2 = scatter_add %0, %1 rows 5 : f32[5]"
     " return result \"y\" = %2"},
    {"scatter into a batch", CASE_SMOOTH,  // as many rows as the batch has pairs
     "%0 = input \"id\" : i32[N,2] %1 = input \"rows\" : f32[N,2,3] %2 = scatter_add %0, %1 rows 2*N : f32[2*N,3]"
     " return result \"y\" = %2"},
    {"gather from a batch", CASE_MOVES,
     "%0 = input \"table\" : f32[2*N,3] %1 = input \"id\" : i32[N,2] %2 = gather %0, %1 : f32[N,2,3]"
     " return result \"y\" = %2"},
    {"scatter integers", CASE_EXACT | CASE_SPECIAL,
     "%0 = input \"id\" : i32[17] %1 = input \"rows\" : i32[17,3] %2 = scatter_add %0, %1 rows 3 : i32[3,3]"
     " return result \"y\" = %2"},
    {"scatter into nothing", CASE_EXACT,
     "%0 = input \"id\" : i32[3] %1 = input \"rows\" : f32[3,5] %2 = scatter_add %0, %1 rows 0 : f32[0,5]"
     " return result \"y\" = %2"},
    {"random", CASE_EXACT,
     "%0 = random stream 7 : f32[N,33] %1 = random stream 12345678901234567890 : f32[3] %2 = random stream 0 : f32[]"
     " return result \"y\" = %0 return result \"z\" = %1 return result \"u\" = %2"},
    {"constants as results", CASE_EXACT,
     "%0 = const 0.1 : f32[] %1 = const -7 : i32[] %2 = const true : bool[] %3 = const nan : f32[]"
     " %4 = const -inf : f32[] %5 = add %0, %0 : f32[]"
     "%6 = neg %1 : i32[] %7 = not %2 : bool[] %8 = max %0, %3 : f32[] %9 = abs %4 : f32[]"
     " return result \"a\" = %5 return result \"b\" = %6 return result \"c\" = %7 return result \"d\" = %8"
     " return result \"e\" = %9"},
};

static const OpCaseText op_case_mix_texts[] = {
    {"dense and relu", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,17] %1 = input \"w\" : f32[17,33] %2 = input \"b\" : f32[33] %3 = const 0.0 : f32[]"
     "%4 = index sum [n:N, o:33 | k:17] { mul(%0[n, k], %1[k, o]) } : f32[N,33] @dense"
     "%5 = index map [n:N, o:33] { %2[o] } : f32[N,33] @dense %6 = add %4, %5 : f32[N,33] @dense"
     " %7 = max %3, %6 : f32[N,33] @relu"
     " return result \"y\" = %7"},
    {"conv, bias, tanh, pool", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,8,8,3] %1 = input \"w\" : f32[3,3,3,9] %2 = input \"b\" : f32[9]"
     "%3 = index sum [n:N, i:8, j:8, o:9 | r:3, s:3, c:3]"
     " { mul(%0[n, i + r - 1, j + s - 1, c], %1[r, s, c, o]) } : f32[N,8,8,9] @conv2d"
     "%4 = index map [n:N, i:8, j:8, o:9] { %2[o] } : f32[N,8,8,9] %5 = add %3, %4 : f32[N,8,8,9]"
     " %6 = tanh %5 : f32[N,8,8,9]"
     "%7 = index max [n:N, i:4, j:4, c:9 | r:2, s:2] { %6[n, 2*i + r, 2*j + s, c] } : f32[N,4,4,9]"
     " return result \"y\" = %7"},
    {"softmax", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,10] %1 = index max [n:N | c:10] { %0[n, c] } : f32[N] %2 = detach %1 : f32[N]"
     "%3 = index map [n:N, c:10] { exp(sub(%0[n, c], %2[n])) } : f32[N,10] %4 = index sum [n:N | c:10]"
     " { %3[n, c] } : f32[N]"
     "%5 = index map [n:N, c:10] { div(%3[n, c], %4[n]) } : f32[N,10] return result \"y\" = %5"},
    {"cross entropy", CASE_SMOOTH | CASE_LABELS,
     "%0 = input \"scores\" : f32[N,10] %1 = input \"label\" : i32[N]"
     "%2 = index max [n:N | c:10] { %0[n, c] } : f32[N] %3 = detach %2 : f32[N]"
     "%4 = index sum [n:N | c:10] { exp(sub(%0[n, c], %3[n])) } : f32[N] %5 = log %4 : f32[N]"
     "%6 = index sum [n:N | c:10] { select(eq(c, %1[n]), sub(%0[n, c], %3[n]), 0.0) } : f32[N]"
     "%7 = sub %5, %6 : f32[N] %8 = index sum [| n:N] { %7[n] } : f32[] return result \"y\" = %8"},
    {"batch normalisation", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,3,5,7] %1 = input \"gamma\" : f32[7] %2 = const 0.013333334 : f32[]"
     " %3 = const 1e-05 : f32[]"
     "%4 = index sum [c:7 | n:N, i:3, j:5] { %0[n, i, j, c] } : f32[7] %5 = mul %4, %2 : f32[7]"
     "%6 = index map [n:N, i:3, j:5, c:7] { sub(%0[n, i, j, c], %5[c]) } : f32[N,3,5,7]"
     "%7 = index sum [c:7 | n:N, i:3, j:5] { t0 = %6[n, i, j, c]; mul(t0, t0) } : f32[7] %8 = mul %7, %2 : f32[7]"
     "%9 = add %8, %3 : f32[7] %10 = rsqrt %9 : f32[7] %11 = mul %10, %1 : f32[7]"
     "%12 = index map [n:N, i:3, j:5, c:7] { mul(%6[n, i, j, c], %11[c]) } : f32[N,3,5,7] return result \"y\" = %12"},
    {"dropout", CASE_SMOOTH,
     "%0 = input \"x\" : f32[N,33] %1 = random stream 99 : f32[N,33] %2 = const 0.25 : f32[]"
     " %3 = le %2, %1 : bool[N,33]"
     "%4 = const 1.3333334 : f32[] %5 = mul %0, %4 : f32[N,33] %6 = const 0.0 : f32[]"
     " %7 = select %3, %5, %6 : f32[N,33]"
     " return result \"y\" = %7"},
    {"residual", CASE_SMOOTH,
     "%0 = input \"x\" : f32[2,7,7,8] %1 = input \"w\" : f32[3,3,8,8]"
     "%2 = index sum [n:2, i:7, j:7, o:8 | r:3, s:3, c:8]"
     " { mul(%0[n, i + r - 1, j + s - 1, c], %1[r, s, c, o]) } : f32[2,7,7,8] @conv2d"
     "%3 = add %2, %0 : f32[2,7,7,8] %4 = const 0.0 : f32[] %5 = max %4, %3 : f32[2,7,7,8] @relu"
     " return result \"y\" = %5"},
    {"two products in a row", CASE_SMOOTH,
     "%0 = input \"a\" : f32[9,17] %1 = input \"b\" : f32[17,15] %2 = input \"c\" : f32[15,7]"
     "%3 = index sum [i:9, j:15 | k:17] { mul(%0[i, k], %1[k, j]) } : f32[9,15]"
     "%4 = index sum [i:9, j:7 | k:15] { mul(%3[i, k], %2[k, j]) } : f32[9,7] return result \"y\" = %4"
     " return result \"z\" = %3"},
    {"value used three ways", CASE_SMOOTH,
     "%0 = input \"x\" : f32[17,17] %1 = exp %0 : f32[17,17] %2 = index map [i:17, j:17] { %1[j, i] } : f32[17,17]"
     "%3 = mul %1, %2 : f32[17,17] %4 = index sum [j:17 | i:17] { %1[i, j] } : f32[17] return result \"y\" = %3"
     " return result \"z\" = %4"},
};

typedef NodeId (*OpCaseMove)(Builder *b, NodeId x);

static inline NodeId op_move_transpose(Builder *b, NodeId x) { return build_transpose(b, x, (const int[]){2, 0, 1}); }
static inline NodeId op_move_slice(Builder *b, NodeId x) { return build_slice(b, x, 1, 2, 4, 3); }
static inline NodeId op_move_backwards(Builder *b, NodeId x) { return build_slice(b, x, 2, 8, 9, -1); }
static inline NodeId op_move_pad(Builder *b, NodeId x) {
  return build_pad(b, x, (const int64_t[]){0, 2, 1}, (const int64_t[]){0, 0, 3});
}
static inline NodeId op_move_broadcast(Builder *b, NodeId x) {
  Shape shape = {4, {dim_const(2), {1, 1}, dim_const(15), dim_const(9)}};
  return build_broadcast_to(b, x, &shape);
}

// The builder's own movements, of each type.
static inline void op_cases_builder(OpCaseMaker *maker) {
  static const struct {
    const char *name;
    OpCaseMove build;
  } moves[] = {{"transpose", op_move_transpose},
               {"slice", op_move_slice},
               {"slice backwards", op_move_backwards},
               {"pad", op_move_pad},
               {"broadcast", op_move_broadcast}};
  for (size_t k = 0; k < sizeof moves / sizeof *moves; k++)
    for (int type = 0; type < DT_COUNT; type++) {
      Arena *arena = op_case_arena(maker);
      const char *name = arena_printf(arena, "move/%s %s", moves[k].name, dtype_name((DType)type));
      Builder b = {.graph = graph_new(arena, name)};
      Shape shape = {3, {{1, graph_symbol(b.graph, "N")}, dim_const(15), dim_const(9)}};
      graph_output(b.graph, OUT_RESULT, "y", moves[k].build(&b, build_input(&b, "x", (DType)type, &shape)));
      OpCase c = op_case_default(name, b.graph);
      c.exact = c.special = true;
      c.smooth = type == DT_F32;
      op_case_show(maker, &c);
    }
}

static inline void op_cases_move(OpCaseMaker *maker) {
  op_case_texts(maker, "move", op_case_move_texts, sizeof op_case_move_texts / sizeof *op_case_move_texts);
  op_cases_builder(maker);
}

static inline void op_cases_mix(OpCaseMaker *maker) {
  op_case_texts(maker, "mix", op_case_mix_texts, sizeof op_case_mix_texts / sizeof *op_case_mix_texts);
}
