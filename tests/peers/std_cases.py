"""What of the standard library is compared with PyTorch: groups of cases, each group one model with inputs of its own for
every case, so that values and gradients of many functions take one run of dlc.

A case: name, expression, inputs {name: shape} (a shape that starts with 'i' and a number: labels below that number).
The names in an expression are the case's inputs; in the model they get the case's name in front.
"""
import re

BATCH = 3

ELEMENTWISE = [(name, expression, {'x': [5, 4]}) for name, expression in [
    ('abs', 'abs(x)'), ('exp', 'exp(x * 3)'), ('log', 'log(x * x + 0.5)'), ('sqrt', 'sqrt(x * x + 0.5)'),
    ('rsqrt', 'rsqrt(x * x + 0.5)'), ('square', 'square(x)'), ('sign', 'sign(x) * x'), ('floor', 'floor(x * 4) * x'),
    ('erf', 'erf(x * 2)'), ('clip', 'clip(x, -0.5, 0.25)'), ('where', 'where(x > 0.1, x * 3, x * x)'),
    ('power', '(x * x + 0.5) ** 1.7'), ('remainder', 'x % 0.3'),
    ('identity', 'identity(x)'), ('relu', 'relu(x)'), ('leaky_relu', 'leaky_relu(x, slope = 0.2)'),
    ('elu', 'elu(x * 3, alpha = 0.7)'), ('selu', 'selu(x * 3)'), ('gelu', 'gelu(x * 3)'), ('silu', 'silu(x * 3)'),
    ('softplus', 'softplus(x * 30)'), ('sigmoid', 'sigmoid(x * 4)'), ('tanh', 'tanh(x * 2)'),
    ('softmax', 'softmax(x * 5)'), ('softmax_axis', 'softmax(x * 5, axis = 1)'), ('log_softmax', 'log_softmax(x * 20)'),
]] + [('max_of_two', 'max(x, y)', {'x': [5], 'y': [5]}), ('min_of_two', 'min(x, y)', {'x': [5], 'y': [5]}),
      ('divide', 'x / (y * y + 1)', {'x': [5], 'y': [5]})]

REDUCTIONS = [(name, expression, {'x': [4, 5]}) for name, expression in [
    ('sum', 'sum(x, axis = 1)'), ('sum_all', 'sum(x)'), ('mean', 'mean(x, axis = [1, 2])'),
    ('mean_keep', 'mean(x, axis = -1, keep = true)'), ('max', 'max(x, axis = 1)'), ('min', 'min(x, axis = -1)'),
    ('var', 'var(x, axis = 2)'), ('var_all', 'var(x)'), ('prod', 'prod(x, axis = 2)'), ('norm', 'norm(x, axis = 2)'),
    ('sort', 'sort(x)'), ('sort_axis', 'sort(x, axis = 1, descending = true)'),
    ('top_k', 'top_value(x, 3, -1)'), ('top_k_axis', 'top_value(x, 2, 1)'),
]]

MOVEMENT = [
    ('flatten', 'flatten(x)', {'x': [4, 5]}), ('reshape', 'reshape(x, [-1, 10, 2])', {'x': [4, 5]}),
    ('transpose', 'transpose(x, [0, 3, 1, 2])', {'x': [4, 5, 2]}), ('concat', 'concat([x, y], axis = 1)', {'x': [2, 4], 'y': [3, 4]}),
    ('split', 'second_half(x)', {'x': [6, 4]}), ('pad', 'pad(x, [1, 2, 0, 3])', {'x': [3, 4, 2]}),
    ('upsample_nearest', 'upsample(x, [2, 3], nearest)', {'x': [3, 4, 2]}),
    ('upsample_bilinear', 'upsample(x, 2, bilinear)', {'x': [3, 4, 2]}),
    ('upsample_bilinear_3', 'upsample(x, [3, 4], bilinear)', {'x': [3, 1, 2]}),
    ('depth_to_space', 'depth_to_space(x, 2)', {'x': [3, 4, 12]}),
    ('gather', 'gather(t, i)', {'t': [[7, 4]], 'i': ['i7', 5]}),
    ('one_hot', 'one_hot(i, 6) * x', {'i': ['i6'], 'x': [6]}),
    ('matmul', 'x @ y', {'x': [4, 5], 'y': [5, 2]}),
]

LAYERS = [
    ('dense', 'x |> dense(4)', {'x': [5]}), ('dense_rank_3', 'x |> dense(4, bias = false)', {'x': [2, 5]}),
    ('conv2d', 'x |> conv2d(4, 3, pad = 1)', {'x': [5, 6, 2]}),
    ('conv2d_strided', 'x |> conv2d(4, [3, 2], stride = 2, dilation = [1, 2], pad = [1, 1, 0, 1], round = floor)', {'x': [8, 9, 2]}),
    ('conv2d_groups', 'x |> conv2d(6, 3, groups = 2)', {'x': [5, 5, 4]}),
    ('conv2d_same', 'x |> conv2d(3, 4, stride = 3, pad = same)', {'x': [7, 8, 2]}),
    ('depthwise_conv2d', 'x |> depthwise_conv2d(3, stride = 2, pad = 1)', {'x': [5, 7, 3]}),
    ('conv1d', 'x |> conv1d(4, 3, stride = 2, pad = 1, dilation = 2, round = floor)', {'x': [9, 3]}),
    ('conv3d', 'x |> conv3d(3, [2, 3, 3], stride = [1, 2, 1], pad = [1, 1, 0], dilation = [2, 1, 1])', {'x': [4, 5, 6, 2]}),
    ('conv2d_transpose', 'x |> conv2d_transpose(3, 4, stride = 2, pad = 1)', {'x': [3, 4, 2]}),
    ('conv2d_transpose_odd', 'x |> conv2d_transpose(2, [3, 2], stride = [3, 1])', {'x': [3, 4, 3]}),
    ('max_pool', 'x |> max_pool(3, stride = 2, pad = 1)', {'x': [5, 7, 2]}),
    ('max_pool_ceil', 'x |> max_pool(3, stride = 2, round = ceil)', {'x': [6, 6, 2]}),
    ('avg_pool', 'x |> avg_pool(3, stride = 2, pad = 1)', {'x': [5, 7, 2]}),
    ('global_avg_pool', 'x |> global_avg_pool', {'x': [5, 7, 2]}), ('global_max_pool', 'x |> global_max_pool', {'x': [5, 7, 2]}),
    ('batch_norm', 'x |> batch_norm', {'x': [4, 5, 3]}), ('batch_norm_rank_2', 'x |> batch_norm(eps = 0.01)', {'x': [5]}),
    ('layer_norm', 'x |> layer_norm', {'x': [4, 6]}),
    ('local_response_norm', 'x |> local_response_norm(size = 3, alpha = 0.5, k = 1.5)', {'x': [2, 3, 7]}),
    ('embedding', 'i |> embedding(6, 4)', {'i': ['i6', 5]}),
]

LOSSES = [
    ('cross_entropy', 'cross_entropy(x * 5, i)', {'x': [6], 'i': ['i6']}),
    ('cross_entropy_pixels', 'cross_entropy(x * 5, i)', {'x': [2, 3, 4], 'i': ['i4', 2, 3]}),
    ('nll', 'nll(log_softmax(x), i)', {'x': [6], 'i': ['i6']}),
    ('hinge', 'hinge(x * 3, i)', {'x': [6], 'i': ['i6']}),
    ('binary_cross_entropy', 'binary_cross_entropy(x * 9, sigmoid(y))', {'x': [4], 'y': [4]}),
    ('mse', 'mse(x, y)', {'x': [4, 2], 'y': [4, 2]}), ('mae', 'mae(x, y)', {'x': [4, 2], 'y': [4, 2]}),
    ('huber', 'huber(x * 3, y, delta = 0.7)', {'x': [4, 2], 'y': [4, 2]}),
    ('smooth_l1', 'smooth_l1(x * 3, y, beta = 0.4)', {'x': [4, 2], 'y': [4, 2]}),
]

# Results without a gradient. knn's numbers are scikit-learn's.
CHOICES = [(name, expression, {'x': [4, 5]}) for name, expression in [
    ('argmax', 'argmax(x)'), ('argmax_axis', 'argmax(x, axis = 1)'), ('argmin', 'argmin(x, axis = 1, keep = true)'),
    ('argsort', 'argsort(x, axis = 1)'), ('argsort_down', 'argsort(x, descending = true)'),
    ('top_places', 'top_place(x, 3, 1)'),
]] + [('vote', 'vote(i, 5)', {'i': ['i5', 7]}),
      ('knn_l2', 'knn(q, s, t, 5, classes = 4)', {'q': [6], 's': [[40, 6]], 't': ['i4', [40]]}),
      ('knn_l1', 'knn(q, s, t, 4, l1, classes = 4)', {'q': [6], 's': [[40, 6]], 't': ['i4', [40]]})]

HELPERS = '''
fn top_value(x: f32[...], k, axis) { value, _ = top_k(x, k, axis = axis)   value }
fn top_place(x: f32[...], k, axis) { _, place = top_k(x, k, axis = axis)   place }
fn second_half(x) { _, second = split(x, 2, axis = 1)   second }
'''

GROUPS = {'elementwise': ELEMENTWISE, 'reductions': REDUCTIONS, 'movement': MOVEMENT, 'layers': LAYERS, 'losses': LOSSES,
          'choices': CHOICES}


def shape_of(spec):
    """The tensor's shape and, of labels, how many classes there are. [[7, 4]] has no batch."""
    classes = int(spec[0][1:]) if spec and isinstance(spec[0], str) else 0
    rest = spec[1:] if classes else spec
    whole = bool(rest) and isinstance(rest[0], list)
    return (list(rest[0]) if whole else [BATCH] + rest), classes, whole


def program():
    """The program with a model for each group."""
    text = HELPERS
    for group, cases in GROUPS.items():
        inputs, body = [], ''
        for name, expression, specs in cases:
            for item, spec in specs.items():
                shape, classes, whole = shape_of(spec)
                sizes = ', '.join((['N'] if not whole else [str(shape[0])]) + [str(d) for d in shape[1:]])
                inputs.append(f'{name}_{item}: {"i32" if classes else "f32"}[{sizes}]')
                expression = re.sub(rf'\b{item}\b(?! *=)', f'{name}_{item}', expression)
            as_name = f' as at_{name}' if group == 'layers' else ''
            body += f'  of_{name} = {expression}{as_name}\n'
        results = ', '.join('of_' + name for name, _, _ in cases)
        text += f'\nmodel {group}(\n  {", ".join(inputs)}\n) {{\n{body}  return {results}\n}}\n'
    return text
