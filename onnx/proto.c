// Making ONNX's messages in an arena.
#include <string.h>

#include "export.h"

enum { OPSET = 17, IR_VERSION = 8 };

const char *out_name(Out *o, const char *what) { return arena_printf(o->arena, "%s_%d", what, ++o->n_names); }

const char *out_node(Out *o, const char *op, const char *const *in, int n_in, const char *result) {
  Onnx__NodeProto *node = arena_alloc(o->arena, sizeof *node);
  onnx__node_proto__init(node);
  node->op_type = arena_strdup(o->arena, op);
  node->n_input = (size_t)n_in;
  node->input = arena_array(o->arena, (size_t)n_in, sizeof *node->input);
  for (int k = 0; k < n_in; k++) node->input[k] = arena_strdup(o->arena, in[k]);
  node->n_output = 1;
  node->output = arena_alloc(o->arena, sizeof *node->output);
  node->output[0] = arena_strdup(o->arena, result ? result : out_name(o, op));
  node->name = node->output[0];
  o->proto.node = arena_grow(o->arena, o->proto.node, o->proto.n_node, &o->nodes_capacity, sizeof *o->proto.node);
  o->proto.node[o->proto.n_node++] = node;
  return node->output[0];
}

static Onnx__AttributeProto *add_attribute(Out *o, const char *name, Onnx__AttributeProto__AttributeType type) {
  Onnx__NodeProto *node = o->proto.node[o->proto.n_node - 1];
  Onnx__AttributeProto **grown = arena_array(o->arena, node->n_attribute + 1, sizeof *grown);
  if (node->n_attribute) memcpy(grown, node->attribute, node->n_attribute * sizeof *grown);
  node->attribute = grown;
  Onnx__AttributeProto *a = grown[node->n_attribute++] = arena_alloc(o->arena, sizeof *a);
  onnx__attribute_proto__init(a);
  a->name = arena_strdup(o->arena, name);
  a->has_type = true;
  a->type = type;
  return a;
}

void out_int(Out *o, const char *name, int64_t value) {
  Onnx__AttributeProto *a = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  a->has_i = true;
  a->i = value;
}

void out_ints(Out *o, const char *name, const int64_t *values, int n) {
  Onnx__AttributeProto *a = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
  a->n_ints = (size_t)n;
  a->ints = arena_array(o->arena, (size_t)n, sizeof *a->ints);
  for (int k = 0; k < n; k++) a->ints[k] = values[k];
}

void out_float(Out *o, const char *name, double value) {
  Onnx__AttributeProto *a = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
  a->has_f = true;
  a->f = (float)value;
}

void out_text(Out *o, const char *name, const char *value) {
  Onnx__AttributeProto *a = add_attribute(o, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
  a->has_s = true;
  a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)arena_strdup(o->arena, value)};
}

static Onnx__TensorProto *add_tensor(Out *o, const char *name, int type, int rank, const int64_t *dim) {
  Onnx__TensorProto *t = arena_alloc(o->arena, sizeof *t);
  onnx__tensor_proto__init(t);
  t->name = arena_strdup(o->arena, name);
  t->has_data_type = true;
  t->data_type = type;
  t->n_dims = (size_t)rank;
  t->dims = arena_array(o->arena, (size_t)rank, sizeof *t->dims);
  for (int d = 0; d < rank; d++) t->dims[d] = dim[d];
  o->proto.initializer = arena_grow(o->arena, o->proto.initializer, o->proto.n_initializer, &o->tensors_capacity,
                                    sizeof *o->proto.initializer);
  o->proto.initializer[o->proto.n_initializer++] = t;
  t->has_raw_data = true;
  return t;
}

const char *out_floats(Out *o, const char *name, int rank, const int64_t *dim, const float *data) {
  size_t count = 1;
  for (int d = 0; d < rank; d++) count *= (size_t)dim[d];
  Onnx__TensorProto *t = add_tensor(o, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dim);
  union {
    const float *floats;
    uint8_t *bytes;
  } u = {data};
  t->raw_data = (ProtobufCBinaryData){count * sizeof *data, u.bytes};
  return t->name;
}

const char *out_whole(Out *o, int rank, int64_t count, const int64_t *values) {
  Onnx__TensorProto *t = add_tensor(o, out_name(o, "shape"), ONNX__TENSOR_PROTO__DATA_TYPE__INT64, rank, &count);
  int64_t *copy = arena_array(o->arena, (size_t)count, sizeof *copy);
  for (int64_t k = 0; k < count; k++) copy[k] = values[k];
  t->raw_data = (ProtobufCBinaryData){(size_t)count * sizeof *copy, (uint8_t *)copy};
  return t->name;
}

static int element_type(DType type) {
  static const int types[] = {[DT_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                              [DT_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
                              [DT_BOOL] = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
                              [DT_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8};
  return types[type];
}

static Onnx__TensorShapeProto *shape_message(Out *o, const Shape *shape) {
  Onnx__TensorShapeProto *message = arena_alloc(o->arena, sizeof *message);
  onnx__tensor_shape_proto__init(message);
  message->n_dim = (size_t)shape->rank;
  message->dim = arena_array(o->arena, message->n_dim, sizeof *message->dim);
  for (int d = 0; d < shape->rank; d++) {
    Onnx__TensorShapeProto__Dimension *size = message->dim[d] = arena_alloc(o->arena, sizeof *size);
    onnx__tensor_shape_proto__dimension__init(size);
    Dim dim = shape->dim[d];
    if (dim_is_const(dim)) {
      size->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      size->dim_value = dim.scale;
    } else {
      const char *symbol = o->graph->symbols[dim.symbol - 1];
      size->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      size->dim_param = arena_printf(o->arena, dim.scale == 1 ? "%s" : "%s*%lld", symbol, (long long)dim.scale);
    }
  }
  return message;
}

Onnx__ValueInfoProto *out_port(Out *o, const char *name, DType type, const Shape *shape) {
  Onnx__ValueInfoProto *port = arena_alloc(o->arena, sizeof *port);
  onnx__value_info_proto__init(port);
  port->name = arena_strdup(o->arena, name);
  port->type = arena_alloc(o->arena, sizeof *port->type);
  onnx__type_proto__init(port->type);
  Onnx__TypeProto__Tensor *tensor = arena_alloc(o->arena, sizeof *tensor);
  onnx__type_proto__tensor__init(tensor);
  tensor->has_elem_type = true;
  tensor->elem_type = element_type(type);
  tensor->shape = shape_message(o, shape);
  port->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  port->type->tensor_type = tensor;
  return port;
}

uint8_t *out_bytes(Out *o, size_t *size) {
  Onnx__OperatorSetIdProto set, *sets[1] = {&set};
  onnx__operator_set_id_proto__init(&set);
  set.domain = arena_strdup(o->arena, "");
  set.has_version = true;
  set.version = OPSET;
  Onnx__ModelProto model;
  onnx__model_proto__init(&model);
  model.has_ir_version = true;
  model.ir_version = IR_VERSION;
  model.n_opset_import = 1;
  model.opset_import = sets;
  model.producer_name = arena_strdup(o->arena, "dlc");
  model.producer_version = arena_strdup(o->arena, DLC_VERSION);
  model.graph = &o->proto;
  *size = onnx__model_proto__get_packed_size(&model);
  if (*size >= (size_t)1 << 31) return NULL;
  uint8_t *bytes = arena_alloc(o->arena, *size);
  onnx__model_proto__pack(&model, bytes);
  return bytes;
}
