"""Models against torchvision's: parameters, first numbers, texts, outputs, published weights' facts, old arguments."""

import copy
import importlib
import inspect

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from vision_compare import numbers, warned

import minitorch
from minitorch.vision import models
from minitorch.vision.models import feature_extraction

slow = pytest.mark.slow
NAMES = models.list_models()
# One of each family, the cheapest to build: the others take a minute together.
FAST = set(
    "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 maxvit_t mnasnet0_5 mobilenet_v2 "
    "deeplabv3_mobilenet_v3_large lraspp_mobilenet_v3_large mobilenet_v3_small regnet_y_400mf resnet18 "
    "resnext50_32x4d shufflenet_v2_x0_5 squeezenet1_0 squeezenet1_1 swin_t vgg11_bn vit_b_16".split()
)
FILES = (
    "alexnet convnext densenet efficientnet googlenet inception maxvit mnasnet mobilenet mobilenetv2 mobilenetv3 "
    "regnet resnet segmentation.deeplabv3 segmentation.fcn segmentation.lraspp shufflenetv2 squeezenet "
    "swin_transformer vgg vision_transformer".split()
)
SEGMENTATION = dict(weights_backbone=None, aux_loss=True)
OPTIONS = {
    "deeplabv3_mobilenet_v3_large": SEGMENTATION,
    "deeplabv3_resnet50": SEGMENTATION,
    "deeplabv3_resnet101": SEGMENTATION,
    "fcn_resnet50": SEGMENTATION,
    "fcn_resnet101": SEGMENTATION,
    "lraspp_mobilenet_v3_large": dict(weights_backbone=None),
    "googlenet": dict(init_weights=True),
    "inception_v3": dict(init_weights=True),
}


def some(names, fast):
    return [name if name in fast else pytest.param(name, marks=slow) for name in names]


@pytest.fixture(scope="module", autouse=True)
def widths_on_the_cpu():
    """torchvision computes RegNet's widths by tensors and reads them, which the meta device does not allow."""
    params = torchvision.models.regnet.BlockParams
    original = params.from_init_params

    def from_init_params(*args, **kwargs):
        with torch.device("cpu"):
            return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(params, "from_init_params", from_init_params)
        yield


def build(name, seed=0, **config):
    """The model in both frameworks, each from the same seed."""
    pair = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(seed)
        pair.append(namespace.get_model(name, **{**OPTIONS.get(name, {}), **config}))
    return pair


# ---------------------------------------------------------------- structure
@pytest.mark.parametrize("name", some(NAMES, FAST))
def test_parameters_and_texts_are_torchvisions(name):
    with minitorch.device("meta"), torch.device("meta"):
        ours, theirs = build(name)
    states = [[(k, tuple(v.shape), str(v.dtype)) for k, v in m.state_dict().items()] for m in (ours, theirs)]
    assert states[0] == states[1]
    assert repr(ours) == repr(theirs)
    parameters = [[(k, p.requires_grad) for k, p in m.named_parameters()] for m in (ours, theirs)]
    assert parameters[0] == parameters[1]


def test_the_list_is_torchvisions():
    assert models.list_models(module=models) == torchvision.models.list_models(module=torchvision.models)
    theirs = torchvision.models.list_models(module=torchvision.models.segmentation)
    assert models.list_models(module=models.segmentation) == theirs
    for options in (dict(include="res*"), dict(include=["vgg*", "alex*"], exclude="*_bn"), dict(exclude=["*e*"])):
        assert models.list_models(models, **options) == torchvision.models.list_models(torchvision.models, **options)


def parameters_of(function):
    signature = inspect.signature(function)
    return [(p.name, p.kind, p.default if p.default in (None, True, False) else repr(p.default).split(" at 0x")[0])
            for p in signature.parameters.values()]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_names_and_signatures_are_torchvisions(file):
    theirs = importlib.import_module(f"torchvision.models.{file}")
    ours = importlib.import_module(f"minitorch.vision.models.{file}")
    assert sorted(ours.__all__) == sorted(theirs.__all__)
    package = models.segmentation if "." in file else models
    for name in theirs.__all__:
        assert getattr(package, name) is getattr(ours, name)
    for name, value in vars(theirs).items():
        if getattr(value, "__module__", None) != theirs.__name__ or name.startswith("_"):
            continue
        if inspect.isfunction(value) or (inspect.isclass(value) and issubclass(value, torch.nn.Module)):
            names = [[entry[:2] for entry in parameters_of(f)] for f in (getattr(ours, name), value)]
            assert names[0] == names[1] or not names[1], name


# The largest take long to fill, and are filled as the smaller ones of their families.
FILLED = FAST - {"vgg11_bn", "deeplabv3_mobilenet_v3_large"} | {"vgg11", "vit_b_32", "swin_v2_t", "efficientnet_v2_s"}


@pytest.mark.parametrize("name", some(sorted(FILLED), {"squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"}))
def test_the_same_seed_gives_the_same_first_numbers(name):
    ours, theirs = map(numbers, build(name, seed=3))
    for key, value in theirs.items():
        if not np.array_equal(ours[key], value):
            np.testing.assert_allclose(ours[key], value, rtol=1e-5, atol=1e-7, err_msg=key)


def shaken(ours, theirs):
    """The same weights in both, none of which leaves an output at zero as first numbers may."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in theirs.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif name.endswith("layer_scale"):
                value.fill_(0.5)
            elif value.is_floating_point() and not value.any():
                value.normal_(0, 0.02)
    state = ours.state_dict()  # with the versions that MNASNet asks for
    state.update((name, minitorch.from_numpy(value)) for name, value in numbers(theirs).items())
    ours.load_state_dict(state)


def tensors(output):
    if isinstance(output, dict):
        return list(output.values())
    return list(output) if isinstance(output, tuple) else [output]


def compare_outputs(ours, theirs, size, batch, training, tolerance):
    """Outputs of both from the same seed, in training mode with the gradient of the first parameter."""
    double = next(theirs.parameters()).dtype == torch.float64
    x = np.random.default_rng(0).normal(size=(batch, 3, size, size)).astype("float64" if double else "float32")
    results = []
    for framework, model in ((minitorch, ours), (torch, theirs)):
        framework.manual_seed(5)
        outputs = tensors(model.train(training)(framework.from_numpy(x)))
        if training:
            sum((y * y).mean() for y in outputs).backward()
            outputs.append(next(model.parameters()).grad)
        results.append([y.detach().numpy() for y in outputs])
    for y, expected in zip(*results, strict=True):
        largest = np.abs(expected).max()
        assert largest > 0
        np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance * largest)


# model: size of the pictures, options
OUTPUTS = {
    "alexnet": (64, dict(num_classes=10)),
    "convnext_tiny": (64, {}),
    "deeplabv3_mobilenet_v3_large": (64, {}),
    "densenet121": (64, dict(drop_rate=0.1)),
    "efficientnet_b0": (64, {}),
    "efficientnet_v2_s": (64, {}),
    "fcn_resnet50": (64, {}),
    "googlenet": (64, {}),
    "inception_v3": (299, dict(transform_input=True)),
    "lraspp_mobilenet_v3_large": (64, {}),
    "maxvit_t": (224, {}),
    "mnasnet0_5": (64, {}),
    "mobilenet_v2": (64, {}),
    "mobilenet_v3_large": (64, {}),
    "mobilenet_v3_small": (64, {}),
    "regnet_x_400mf": (64, {}),
    "regnet_y_400mf": (64, {}),
    "resnet18": (64, {}),
    "resnet50": (64, dict(replace_stride_with_dilation=[False, True, True])),
    "resnext50_32x4d": (64, {}),
    "shufflenet_v2_x0_5": (64, {}),
    "squeezenet1_0": (64, {}),
    "squeezenet1_1": (64, {}),
    "swin_t": (64, dict(dropout=0.1, attention_dropout=0.1)),
    "swin_v2_t": (64, {}),
    "vgg11": (32, dict(num_classes=10)),
    "vgg11_bn": (32, dict(num_classes=10)),
    "vit_b_32": (64, dict(image_size=64, dropout=0.1, attention_dropout=0.1)),
    "wide_resnet50_2": (64, {}),
}


@pytest.mark.parametrize("name", some(OUTPUTS, {"squeezenet1_1", "mobilenet_v3_small"}))
def test_outputs_are_torchvisions(name):
    size, options = OUTPUTS[name]
    ours, theirs = build(name, **options)
    shaken(ours, theirs)
    compare_outputs(ours, theirs, size, batch=2, training=False, tolerance=1e-4)


# In float32 the gradients of a hundred normalised layers differ by what their sums are rounded to.
IN_FLOAT32 = {"alexnet", "resnet18", "squeezenet1_1", "vgg11"}
TRAINED = [name for name in OUTPUTS if name not in ("vgg11_bn", "wide_resnet50_2")]  # as vgg11 and resnet50 are


@pytest.mark.parametrize("name", some(TRAINED, {"squeezenet1_1", "resnet18"}))
def test_outputs_and_gradients_in_training_are_torchvisions(name):
    size, options = OUTPUTS[name]
    ours, theirs = build(name, **options)
    shaken(ours, theirs)
    if name in IN_FLOAT32:
        compare_outputs(ours, theirs, size, batch=4, training=True, tolerance=1e-4)
    else:
        compare_outputs(ours.double(), theirs.double(), size, batch=3, training=True, tolerance=1e-8)


def test_models_that_are_not_there_say_so():
    for part in ("detection", "optical_flow", "quantization", "video"):
        assert hasattr(torchvision.models, part)
        with pytest.raises(NotImplementedError, match=f"torchvision.models.{part} is not supported"):
            getattr(models, part)
    for name in set(torchvision.models.list_models()) - set(models.list_models()):
        with pytest.raises(NotImplementedError, match=f"the model {name} is not supported"):
            models.get_model(name)


# ---------------------------------------------------------------- further arguments
def test_intermediate_layers_are_torchvisions():
    pair = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(0)
        model = namespace.ResNet(namespace.resnet.BasicBlock, [1, 1, 1, 1], 3)
        pair.append(namespace._utils.IntermediateLayerGetter(model, {"layer1": "a", "layer3": "b"}))
    ours, theirs = pair
    assert repr(ours) == repr(theirs) and list(ours) == list(theirs)
    shaken(ours, theirs)
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    outputs = [model.eval()(framework.from_numpy(x)) for framework, model in ((minitorch, ours), (torch, theirs))]
    assert list(outputs[0]) == list(outputs[1]) == ["a", "b"]
    for key, value in outputs[1].items():
        value = value.detach().numpy()
        np.testing.assert_allclose(outputs[0][key].detach().numpy(), value, atol=1e-4 * np.abs(value).max())


CONFIGURATIONS = {
    "resnet18": dict(zero_init_residual=True),
    "mobilenet_v2": dict(width_mult=0.35),
    "mobilenet_v3_large": dict(reduced_tail=True, width_mult=0.75),
    "mobilenet_v3_small": dict(dilated=True),
    "efficientnet_b0": dict(stochastic_depth_prob=0.5, dropout=0.7),
    "googlenet": dict(aux_logits=False),
    "vit_b_32": dict(representation_size=16, num_classes=3),
    "mnasnet0_5": dict(num_classes=3),
    "regnet_x_400mf": dict(stem_width=16),
    "convnext_tiny": dict(stochastic_depth_prob=0.3, layer_scale=0.1),
    "maxvit_t": dict(input_size=(448, 224), num_classes=3),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations_are_torchvisions(name):
    with minitorch.device("meta"), torch.device("meta"):
        ours, theirs = build(name, **CONFIGURATIONS[name])
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_zero_init_residual_zeroes_the_last_norm_of_each_block():
    model = models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], 10, zero_init_residual=True)
    assert all(not model.get_submodule(f"layer{i}.0.bn3").weight.any() for i in (1, 2, 3, 4))
    assert model.layer1[0].bn2.weight.all()


def test_a_vision_transformer_may_have_a_stem():
    pair = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(0)
        module = namespace.vision_transformer
        stem = [module.ConvStemConfig(4, 3, 2), module.ConvStemConfig(8, 3, 2)]
        pair.append(module.VisionTransformer(16, 4, 1, 2, 8, 16, num_classes=3, conv_stem_configs=stem))
    ours, theirs = pair
    assert repr(ours) == repr(theirs)
    for key, value in numbers(theirs).items():
        np.testing.assert_allclose(numbers(ours)[key], value, rtol=1e-5, atol=1e-7, err_msg=key)
    shaken(ours, theirs)
    compare_outputs(ours, theirs, 16, batch=2, training=False, tolerance=1e-4)


@pytest.mark.parametrize("reset", [False, True])
def test_positions_are_resized_as_torchvision_does(reset):
    results = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(0)
        model = namespace.VisionTransformer(16, 4, 1, 2, 8, 16, num_classes=3)
        state = namespace.vision_transformer.interpolate_embeddings(24, 4, model.state_dict(), reset_heads=reset)
        results.append({key: value.detach().numpy() for key, value in state.items()})
    assert list(results[0]) == list(results[1])
    np.testing.assert_allclose(
        results[0]["encoder.pos_embedding"], results[1]["encoder.pos_embedding"], rtol=1e-4, atol=1e-6
    )


def test_densenets_memory_efficient_mode_gives_the_same_gradients():
    results = []
    for efficient in (False, True):
        minitorch.manual_seed(0)
        model = models.DenseNet(4, (2, 2, 2, 2), 8, num_classes=3, memory_efficient=efficient)
        model(minitorch.ones(2, 3, 32, 32).requires_grad_()).square().sum().backward()
        results.append([p.grad.numpy() for p in model.parameters()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_mnasnets_first_version_loads():
    results = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(0)
        old = namespace.MNASNet(0.5, num_classes=3)
        for i, layer in enumerate(namespace.MNASNet(1.0).layers[:8]):
            old.layers[i] = layer
        old.layers[8] = namespace.mnasnet._stack(16, 16, 3, 2, 3, 3, 0.1)
        state = old.state_dict()
        state._metadata[""]["version"] = 1
        model = namespace.MNASNet(0.5, num_classes=3)
        _, texts = warned(lambda model=model, state=state: model.load_state_dict(state))
        results.append((texts, repr(model), model._version))
        state._metadata[""]["version"] = 3
        with pytest.raises(ValueError, match="version should be set to 1 or 2 instead of 3"):
            model.load_state_dict(state)
    assert results[0] == results[1]


def test_a_stage_of_convnext_prints_as_torchvisions():
    assert repr(models.convnext.CNBlockConfig(8, None, 3)) == repr(
        torchvision.models.convnext.CNBlockConfig(8, None, 3)
    )


@pytest.mark.parametrize(
    "name",
    [
        "ResNet18_Weights.DEFAULT",
        "FCN_ResNet50_Weights.DEFAULT",
        "ResNet50_Weights.DEFAULT",
        "EfficientNet_B0_Weights.DEFAULT",
        "VGG16_Weights.IMAGENET1K_FEATURES",
    ],
)
def test_the_preprocessing_of_weights_is_torchvisions(name):
    pixels = np.random.default_rng(0).integers(0, 256, size=(281, 303, 3), dtype=np.uint8)
    ours, theirs = (namespace.get_weight(name).transforms() for namespace in (models, torchvision.models))
    assert repr(ours) == repr(theirs) and "normalised" in ours.describe()
    image = Image.fromarray(pixels)
    np.testing.assert_allclose(ours(image).numpy(), theirs(image).numpy(), rtol=1e-5, atol=1e-5)
    batch = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
    tensors = [preset(f.from_numpy(batch)).numpy() for preset, f in ((ours, minitorch), (theirs, torch))]
    step = 1.01 / 255 / min(ours.std)  # an eighth of a bit may be rounded to the next level
    assert (np.abs(tensors[0] - tensors[1]) > 1e-4).mean() < 1e-3
    np.testing.assert_allclose(*tensors, rtol=0, atol=step)


# ---------------------------------------------------------------- features of the modules within a model
def small_resnets():
    pair = []
    for framework, namespace in ((minitorch, models), (torch, torchvision.models)):
        framework.manual_seed(0)
        pair.append(namespace.ResNet(namespace.resnet.BasicBlock, [1, 1, 1, 1], 3))
    shaken(*pair)
    return pair


FEATURES = {
    "list": dict(return_nodes=["layer3.0.conv2", "layer1", "fc"]),
    "dict": dict(return_nodes={"layer2.0": "a", "maxpool": "b"}),
    "later calls": dict(return_nodes=["layer1.0.relu", "layer1.0.relu_1", "relu"]),
    "modes": dict(train_return_nodes=["layer1"], eval_return_nodes={"layer2": "x", "avgpool": "y"}),
}


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_torchvisions(name):
    # in float64: of two pictures, each a single pixel in the last layers, batch norm enlarges every rounding
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32))
    outputs = []
    for framework, namespace, model in zip((minitorch, torch), (models, torchvision.models), small_resnets()):
        extraction = importlib.import_module(f"{namespace.__name__}.feature_extraction")
        extractor = extraction.create_feature_extractor(model.double(), **FEATURES[name], suppress_diff_warning=True)
        found = [extractor.train(mode)(framework.from_numpy(x)) for mode in (False, True)]
        outputs.append([{key: value.detach().numpy() for key, value in output.items()} for output in found])
    for ours, theirs in zip(*outputs, strict=True):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            np.testing.assert_allclose(ours[key], value, rtol=0, atol=1e-9 * np.abs(value).max())


def test_a_feature_extractor_shares_the_models_parameters():
    model = small_resnets()[0]
    extractor = feature_extraction.create_feature_extractor(model, ["layer1"])
    assert list(extractor.state_dict()) == list(model.state_dict())
    assert next(extractor.parameters()) is next(model.parameters())
    twin = copy.deepcopy(extractor).eval()
    assert not twin.layer1.training and model.layer1.training
    minitorch.nn.init.zeros_(twin.layer1[0].bn2.weight)
    x = minitorch.ones(1, 3, 32, 32)
    assert not minitorch.equal(twin(x)["layer1"], extractor.eval()(x)["layer1"])


def test_features_that_cannot_be_had_say_so():
    model = small_resnets()[0]
    for wrong in ({}, dict(train_return_nodes=["fc"]), dict(return_nodes=["fc"], train_return_nodes=["fc"])):
        errors = []
        for namespace in (feature_extraction, torchvision.models.feature_extraction):
            with pytest.raises(ValueError) as error:
                namespace.create_feature_extractor(model, **wrong)
            errors.append(str(error.value))
        assert errors[0] == errors[1]
    both = dict(train_return_nodes=["fc"], eval_return_nodes=["fc"])
    with pytest.raises(ValueError, match="then both should be specified"):
        feature_extraction.create_feature_extractor(model, ["fc"], **both)
    with pytest.raises(NotImplementedError, match="node 'flatten' is no module of the model"):
        feature_extraction.create_feature_extractor(model, ["flatten"])
    with pytest.raises(NotImplementedError, match="tracer_kwargs and concrete_args are not supported"):
        feature_extraction.create_feature_extractor(model, ["fc"], tracer_kwargs={})
    with pytest.raises(NotImplementedError, match="get_graph_node_names is not supported"):
        feature_extraction.get_graph_node_names(model)
    extractor = feature_extraction.create_feature_extractor(model, ["layer1.0.relu_2"])
    with pytest.raises(ValueError, match=r"the model did not compute \['layer1.0.relu_2'\] in training mode"):
        extractor(minitorch.ones(2, 3, 32, 32))
