"""Published weights: facts, names, loading from the cache, old names and arguments."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
import torchvision
from vision_compare import numbers, warned

import minitorch
from minitorch.vision import models


# ---------------------------------------------------------------- published weights
@pytest.mark.parametrize("name", models.list_models())
def test_facts_about_weights_are_torchvisions(name):
    ours, theirs = models.get_model_weights(name), torchvision.models.get_model_weights(name)
    assert ours.__name__ == theirs.__name__ and list(ours.__members__) == list(theirs.__members__)
    assert ours.__module__.rpartition(".")[2] == theirs.__module__.rpartition(".")[2]
    for member in theirs:
        our = ours[member.name]
        assert our.url == member.url and repr(our) == repr(member)
        left_out = {"recipe", "_docs"}  # sentences, and links to how they were trained
        wanted = {key: value for key, value in member.meta.items() if key not in left_out}
        assert str(sorted(our.meta.items())) == str(sorted(wanted.items()))
        sizes = dict(member.transforms.keywords)
        interpolation = sizes.pop("interpolation", torchvision.transforms.InterpolationMode.BILINEAR)
        mine = dict(our.transforms.keywords)
        assert mine.pop("interpolation", "bilinear") == interpolation.value
        assert {"resize_size": 256, **mine} == {"resize_size": 256, **sizes}


def test_weights_are_found_by_name():
    assert models.get_weight("ResNet50_Weights.DEFAULT") is models.ResNet50_Weights.IMAGENET1K_V2
    assert models.get_model_weights(models.resnet18) is models.ResNet18_Weights
    for wrong in ("ResNet50_Weights", "ResNet51_Weights.DEFAULT", "resnet.ResNet18_Weights.DEFAULT"):
        errors = []
        for namespace in (models, torchvision.models):
            with pytest.raises(ValueError) as error:
                namespace.get_weight(wrong)
            errors.append(str(error.value))
        assert errors[0] == errors[1]


def test_weights_are_equal_to_their_copies():
    member = models.MobileNet_V2_Weights.IMAGENET1K_V2
    assert copy.deepcopy(member) is member and pickle.loads(pickle.dumps(member)) is member
    assert copy.deepcopy(models.ResNet18_Weights.DEFAULT.value) == models.ResNet18_Weights.DEFAULT.value
    assert models.ResNet50_Weights.IMAGENET1K_V1.value != models.ResNet50_Weights.IMAGENET1K_V2.value
    assert models.ResNet18_Weights.DEFAULT.meta["categories"][281:286] == [
        *("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"),
    ]


def test_wrong_names_are_refused_in_torchvisions_words():
    for call in (
        lambda m: m.get_model("resnet19"),
        lambda m: m.get_model_weights(lambda: None),
        lambda m: m.get_model_weights(lambda weights: None),
        lambda m: m.resnet18(weights=m.ResNet34_Weights.DEFAULT),
        lambda m: m.resnext50_32x4d(groups=2),
        lambda m: m.resnet18(weights=m.ResNet18_Weights.DEFAULT, num_classes=10),
        lambda m: m.resnet.BasicBlock(8, 8, groups=2),
        lambda m: m.resnet.BasicBlock(8, 8, dilation=2),
        lambda m: m.resnet18(replace_stride_with_dilation=[True]),
        lambda m: m.SqueezeNet("1_2"),
        lambda m: m.MobileNetV2(inverted_residual_setting=[]),
        lambda m: m.mobilenetv2.InvertedResidual(8, 8, 3, 1),
        lambda m: m.MobileNetV3([], 8),
        lambda m: m.MobileNetV3([1], 8),
        lambda m: m.EfficientNet([], 0.1),
        lambda m: m.EfficientNet([1], 0.1),
        lambda m: m.VisionTransformer(30, 16, 1, 1, 8, 8),
        lambda m: m.GoogLeNet(init_weights=False, blocks=[]),
        lambda m: m.Inception3(init_weights=False, inception_blocks=[]),
        lambda m: m.googlenet(weights=m.GoogLeNet_Weights.DEFAULT, aux_logits=False),
        lambda m: m.MNASNet(0.0),
        lambda m: m.mnasnet._InvertedResidual(8, 8, 3, 3, 1),
        lambda m: m.mnasnet._InvertedResidual(8, 8, 7, 1, 1),
        lambda m: m.mnasnet._stack(8, 8, 3, 1, 1, 0, 0.1),
        lambda m: m.ShuffleNetV2([1], [1]),
        lambda m: m.ShuffleNetV2([1, 1, 1], [1]),
        lambda m: m.shufflenetv2.InvertedResidual(8, 8, 4),
        lambda m: m.shufflenetv2.InvertedResidual(8, 10, 1),
        lambda m: m.regnet.BlockParams.from_init_params(3, 7, 1.0, 2.0, 8),
        lambda m: m.ConvNeXt([]),
        lambda m: m.ConvNeXt([1]),
        lambda m: m.swin_transformer.ShiftedWindowAttention(8, [7], [0, 0], 2),
        lambda m: m.maxvit_t(input_size=(64, 64)),
        lambda m: m.maxvit.RelativePositionalMultiHeadAttention(10, 4, 9),
        lambda m: m.segmentation.lraspp_mobilenet_v3_large(aux_loss=True),
        lambda m: m.segmentation.fcn_resnet50(weights="DEFAULT", num_classes=3),
        lambda m: m.segmentation.fcn_resnet50(weights="DEFAULT", aux_loss=False),
        lambda m: m._utils.IntermediateLayerGetter(m.SqueezeNet(), {"nothing": "x"}),
    ):
        errors = []
        for namespace in (models, torchvision.models):
            with pytest.raises(Exception) as error:
                call(namespace)
            errors.append((type(error.value), str(error.value)))
        assert errors[0] == errors[1]


# ---------------------------------------------------------------- loading
def put(folder, weights, state, **options):
    (folder / "hub" / "checkpoints").mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "hub" / "checkpoints" / weights.url.rpartition("/")[2], **options)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("how", ["SqueezeNet1_1_Weights.DEFAULT", "IMAGENET1K_V1", "DEFAULT"])
@pytest.mark.parametrize("zipped", [True, False])
def test_published_weights_load_from_the_cache(home, how, zipped):
    theirs = torchvision.models.squeezenet1_1()
    # Many of the published files are older than the zip format.
    put(home, models.SqueezeNet1_1_Weights.DEFAULT, theirs.state_dict(), _use_new_zipfile_serialization=zipped)
    ours = models.squeezenet1_1(weights=how)
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[key].numpy(), value.numpy())


def test_the_old_names_in_densenets_files_are_translated(monkeypatch):
    config = (4, (1, 1, 1, 1), 8)
    ours = models.DenseNet(*config)
    old = {re.sub(r"(denselayer\d+\.\w+?)([12])\.", r"\1.\2.", k): v for k, v in ours.state_dict().items()}
    assert set(old) != set(ours.state_dict())
    monkeypatch.setattr(models.DenseNet121_Weights, "get_state_dict", lambda self, **options: old)
    loaded = models.densenet._densenet(*config, models.DenseNet121_Weights.DEFAULT, True, {})
    for name, value in numbers(ours).items():
        np.testing.assert_array_equal(numbers(loaded)[name], value)


def test_the_old_names_in_vision_transformers_are_translated():
    block = models.vision_transformer.MLPBlock(4, 8, 0.0)
    state = {"linear_1.weight": minitorch.ones(8, 4), "linear_1.bias": minitorch.ones(8)}
    state |= {"linear_2.weight": minitorch.ones(4, 8), "linear_2.bias": minitorch.ones(4)}
    block.load_state_dict(state)
    assert all((p == 1).all() for p in block.parameters())


def test_inceptions_lose_their_auxiliary_heads(monkeypatch):
    with minitorch.device("meta"):
        states = {
            models.GoogLeNet_Weights: models.googlenet(init_weights=False).state_dict(),
            models.Inception_V3_Weights: models.inception_v3(init_weights=False).state_dict(),
        }
        monkeypatch.setattr(models.WeightsEnum, "get_state_dict", lambda self, **options: states[type(self)])
        model = models.googlenet(weights="DEFAULT")
        assert model.aux1 is None and not model.aux_logits and model.transform_input
        with pytest.warns(UserWarning, match="auxiliary heads in the pretrained googlenet model are NOT pretrained"):
            assert models.googlenet(weights="DEFAULT", aux_logits=True).aux1 is not None
        model = models.inception_v3(weights="DEFAULT")
        assert model.AuxLogits is not None and model.aux_logits and model.transform_input


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((), dict(pretrained=False)),
        ((), dict(pretrained=True)),
        ((False,), {}),
        ((True, False), {}),
        ((None, True), {}),
        ((), dict(weights=True)),
        ((), dict(weights="legacy")),
    ],
)
def test_old_arguments_warn_in_torchvisions_words(home, args, options):
    results = []
    put(home, models.SqueezeNet1_1_Weights.DEFAULT, torchvision.models.squeezenet1_1().state_dict())
    for namespace in (models, torchvision.models):
        model, texts = warned(lambda namespace=namespace: namespace.squeezenet1_1(*args, **options))
        results.append((next(model.parameters()).sum().item(), texts))
    assert results[0][1] == results[1][1]
    if options.get("pretrained") or (args and args[0]):
        assert results[0][0] == pytest.approx(results[1][0], rel=1e-4)


def test_no_old_weights_are_an_error():
    for namespace in (models, torchvision.models):
        with warnings.catch_warnings(), pytest.raises(ValueError, match="No weights available for model vit_h_14"):
            warnings.simplefilter("ignore")
            namespace.vit_h_14(pretrained=True)


def test_segmentation_models_take_weights_of_all_or_of_the_backbone(monkeypatch):
    asked = []

    def get_state_dict(self, **options):
        asked.append(repr(self))
        return states[type(self)]

    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", get_state_dict)
    build = models.segmentation.lraspp_mobilenet_v3_large
    with minitorch.device("meta"):
        states = {
            models.MobileNet_V3_Large_Weights: models.mobilenet_v3_large().state_dict(),
            models.segmentation.LRASPP_MobileNet_V3_Large_Weights: build(weights_backbone=None).state_dict(),
        }
        build()
        build(weights="DEFAULT")
        build(weights_backbone="IMAGENET1K_V2")
        _, texts = warned(lambda: build(pretrained=False, pretrained_backbone=True))
    assert asked == [
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
        "LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
    ]
    assert [text.partition("'")[2].partition("'")[0] for _, text in texts][::2] == ["pretrained", "pretrained_backbone"]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_the_default_of_init_weights_warns(name):
    texts = []
    with minitorch.device("meta"), torch.device("meta"):
        for namespace in (models, torchvision.models):
            texts.append(warned(getattr(namespace, name))[1])
    assert texts[0] == texts[1] and texts[0][0][0] is FutureWarning
